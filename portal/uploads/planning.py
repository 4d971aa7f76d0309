"""What a directory would come to: its folders as categories, its files as documents, each with a name of its own."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from portal import filenames
from portal.actors import Actor
from portal.catalog import Content, Item, ensure_category, put_documents
from portal.catalog.documents import Kind
from portal.errors import BadInput
from portal.extensions import settings, storage
from portal.storage import Source
from portal.storage.source import Entry

BATCH = 500
"""Documents made durable together: one commit, and one flush of each directory they share."""

Progress = Callable[[int, int], None]
"""Told after each batch how many documents are done, and of how many."""


@dataclass
class Report:
    """What an import came to, in documents; ``problems`` are sentences about what could not be taken."""

    added: int = 0
    versioned: int = 0
    unchanged: int = 0
    vanished: int = 0
    skipped: int = 0
    problems: list[str] = field(default_factory=list)

    def count(self, kind: str) -> None:
        """One more document that was ``added``, ``versioned`` or ``unchanged``."""
        setattr(self, kind, getattr(self, kind) + 1)


@dataclass
class Plan:
    """Where each file goes: folder to category id, path to the filename people will see.

    ``entries`` are the files that have a category to go to, ``present`` the paths of all.
    """

    source: Source
    entries: list[Entry]
    present: frozenset[str]
    categories: dict[str, int]
    filenames: dict[str, str]

    def batches(self, progress: Progress | None) -> Iterator[list[Entry]]:
        """The entries, so many at a time."""
        iterator, done = iter(self.entries), 0
        while batch := list(islice(iterator, BATCH)):
            yield batch
            done += len(batch)
            if progress is not None:
                progress(done, len(self.entries))

    def put(self, actor: Actor | None, found: list[tuple[Entry, Content]]) -> list[Kind]:
        """Write documents down in one transaction; ``added``, ``versioned`` or ``unchanged`` for each."""
        return put_documents(
            actor,
            [
                Item(self.categories[_folder(entry.path)], self.filenames[entry.path], content)
                for entry, content in found
            ],
        )


def make_plan(actor: Actor | None, directory: Path, into: str, report: Report) -> Plan:
    """Look through ``directory`` and make the categories it needs below ``into``.

    Raises BadInput when there is no such directory, or when the portal's own files lie in it. Folders that cannot be
    categories are problems of the ``report``.
    """
    directory = directory.absolute()
    if not directory.is_dir():
        raise BadInput(f"{directory} is not a directory.")
    if any(own.resolve().is_relative_to(directory.resolve()) for own in (storage().root, settings().data)):
        raise BadInput("The portal's own storage lies in this directory; it cannot be imported.")
    source = Source(directory)
    walk = source.walk()
    categories = _ensure_categories(actor, into, walk.directories, report)
    entries = [entry for entry in walk.entries if _folder(entry.path) in categories]
    report.skipped = walk.skipped + len(walk.entries) - len(entries)
    present = frozenset(entry.path for entry in walk.entries)
    return Plan(source, entries, present, categories, _name_all(entries, categories))


def category_path_of(into: str, folder: str) -> str:
    """The category a sub-folder becomes; ``download`` is a word of the addresses and becomes ``download_``."""
    parts = [filenames.normal(part) for part in folder.split("/") if part]
    return "/".join([into, *("download_" if part == "download" else part for part in parts)])


def _ensure_categories(actor: Actor | None, into: str, folders: Iterable[str], report: Report) -> dict[str, int]:
    made = {"": ensure_category(actor, into).id}
    for folder in folders:
        try:
            made[folder] = ensure_category(actor, category_path_of(into, folder)).id
        except BadInput as problem:
            report.problems.append(f"{folder!r} cannot be a category: {problem.sentence}")
    return made


def _name_all(entries: Iterable[Entry], categories: dict[str, int]) -> dict[str, str]:
    """Path to filename; two files of a category whose cleaned names meet are told apart by a number, always the same.

    Two folders may be one category: ``download`` and ``download_``, or two spellings of one accent.
    """
    named: dict[str, str] = {}
    taken: set[tuple[int, str]] = set()
    for entry in entries:
        category_id = categories[_folder(entry.path)]
        wanted = filename = filenames.clean(entry.path.rpartition("/")[2])
        number = 2
        while (category_id, filename) in taken:
            filename = filenames.numbered(wanted, number)
            number += 1
        taken.add((category_id, filename))
        named[entry.path] = filename
    return named


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
