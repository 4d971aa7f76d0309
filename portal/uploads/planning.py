"""What a directory would come to: its folders as categories, its files as documents, each with a name of its own."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from portal import filenames
from portal.actors import Actor
from portal.catalog import Content, Item, Placed, ensure_category, put_documents
from portal.catalog.categories import require_category_name
from portal.catalog.paths import DEEPEST
from portal.errors import BadInput
from portal.extensions import settings, storage
from portal.storage import Source
from portal.storage.source import Entry
from portal.uploads.ignoring import Ignored
from portal.uploads.reporting import Reporter

BATCH = 500
"""Documents made durable together: one commit, and one flush of each directory they share."""

Progress = Callable[[int, int], None]
"""Told after each batch how many documents are done, and of how many."""


@dataclass(frozen=True)
class Layout:
    """What is in a directory, and where each file goes.

    ``entries`` are the files that have a category to go to, ``present`` the paths of all that are not left out;
    ``folders`` has the category path of each folder, ``filenames`` the name people will see of each file.
    """

    source: Source
    entries: list[Entry]
    present: frozenset[str]
    folders: dict[str, str]
    filenames: dict[str, str]

    def category_path(self, path: str) -> str:
        """The category a file goes to."""
        return self.folders[_folder(path)]

    def place(self, entry: Entry) -> tuple[str, str]:
        """Where a file goes: the path of the category, and the filename people will see."""
        return self.category_path(entry.path), self.filenames[entry.path]

    def batches(self, progress: Progress | None) -> Iterator[list[Entry]]:
        """The entries, so many at a time."""
        iterator, done = iter(self.entries), 0
        while batch := list(islice(iterator, BATCH)):
            yield batch
            done += len(batch)
            if progress is not None:
                progress(done, len(self.entries))


@dataclass(frozen=True)
class Plan(Layout):
    """The same once its categories are there; ``categories`` has the id of each by its path."""

    categories: dict[str, int]

    def put(self, actor: Actor | None, found: list[tuple[Entry, Content]]) -> list[Placed]:
        """Write documents down in one transaction."""
        return put_documents(
            actor,
            [
                Item(self.categories[self.category_path(entry.path)], self.filenames[entry.path], content)
                for entry, content in found
            ],
        )


def look_through(
    directory: Path, into: str, reporter: Reporter, ignored: Ignored, without: frozenset[str] = frozenset()
) -> Layout:
    """Look through ``directory`` without reading any file or changing anything.

    ``without`` are paths that are no documents, such as the file with the metadata. Raises BadInput when there is no
    such directory, when the portal's own files lie in it, or when ``into`` can be no category. Folders that cannot be
    categories are problems.
    """
    directory = directory.absolute()
    if not directory.is_dir():
        raise BadInput(f"{directory} is not a directory.")
    if any(own.resolve().is_relative_to(directory.resolve()) for own in (storage().root, settings().data)):
        raise BadInput("The portal's own storage lies in this directory; it cannot be imported.")
    source = Source(directory)
    walk = source.walk()
    documents = [entry for entry in walk.entries if entry.path not in without]
    wanted = [entry for entry in documents if not ignored.has(entry.path)]
    folders = [folder for folder in walk.directories if not ignored.has_folder(folder)]
    paths = _category_paths(into, folders, reporter)
    entries = [entry for entry in wanted if _folder(entry.path) in paths]
    reporter.report.ignored = len(documents) - len(wanted) + len(walk.directories) - len(folders)
    reporter.report.skipped = walk.skipped + len(wanted) - len(entries)
    present = frozenset(entry.path for entry in wanted)
    return Layout(source, entries, present, paths, _name_all(entries, paths))


def make_plan(actor: Actor | None, layout: Layout) -> Plan:
    """Make the categories that are missing."""
    categories = {path: ensure_category(actor, path).id for path in dict.fromkeys(layout.folders.values())}
    return Plan(layout.source, layout.entries, layout.present, layout.folders, layout.filenames, categories)


def added(found: list[tuple[Entry, Content]], placed: list[Placed]) -> dict[str, int]:
    """Path to document of what was not there before."""
    return {entry.path: one.document_id for (entry, _), one in zip(found, placed, strict=True) if one.kind == "added"}


def category_path_of(into: str, folder: str) -> str:
    """The category a sub-folder becomes; ``download`` is a word of the addresses and becomes ``download_``."""
    parts = [filenames.normal(part) for part in folder.split("/") if part]
    return "/".join([into, *("download_" if part == "download" else part for part in parts)])


def _category_paths(into: str, folders: Iterable[str], reporter: Reporter) -> dict[str, str]:
    made = {"": _require_category_path(into)}
    for folder in folders:
        try:
            made[folder] = _require_category_path(category_path_of(made[""], folder))
        except BadInput as problem:
            reporter.complain(f"{folder!r} cannot be a category: {problem.sentence}")
    return made


def _require_category_path(path: str) -> str:
    names = [require_category_name(name) for name in path.split("/")]
    if len(names) > DEEPEST:
        raise BadInput(f"Categories go at most {DEEPEST} deep.")
    return "/".join(names)


def _name_all(entries: Iterable[Entry], paths: dict[str, str]) -> dict[str, str]:
    """Path to filename; two files of a category whose cleaned names meet are told apart by a number, always the same.

    Two folders may be one category: ``download`` and ``download_``, or two spellings of one accent.
    """
    named: dict[str, str] = {}
    taken: set[tuple[str, str]] = set()
    for entry in entries:
        category = paths[_folder(entry.path)]
        wanted = filename = filenames.clean(entry.path.rpartition("/")[2])
        number = 2
        while (category, filename) in taken:
            filename = filenames.numbered(wanted, number)
            number += 1
        taken.add((category, filename))
        named[entry.path] = filename
    return named


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
