"""Import of a directory: subfolders become categories, regular files documents. A second run changes nothing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from sqlalchemy import select, update

from portal import filenames
from portal.actors import Actor
from portal.catalog import Content, ensure_category, put_document, trash_document
from portal.errors import BadInput, ContentUnavailable, SourceChanged
from portal.extensions import db, storage, transaction
from portal.models import Document, SourceDirectory, Version, db_now
from portal.storage import BLOCK, Received, Source
from portal.storage.source import Entry, Walk
from portal.uploads.kinds import content_type_of

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
    """Where each file of a walk goes: folder to category id, path to the filename people will see."""

    source: Source
    walk: Walk
    categories: dict[str, int]
    filenames: dict[str, str]

    def entries(self) -> list[Entry]:
        """Those that have a category to go to."""
        return [entry for entry in self.walk.entries if _folder(entry.path) in self.categories]


def import_directory(actor: Actor | None, directory: Path, into: str, *, progress: Progress | None = None) -> Report:
    """Copy the contents of ``directory`` into the category ``into``, made when missing.

    Raises BadInput when there is no such directory, or when the portal's own storage lies in it.
    """
    report = Report()
    plan = _plan(actor, directory, into, report)
    for batch in _batches(plan.entries(), progress):
        _import_batch(actor, plan, batch, report)
    return report


def index_directory(actor: Actor | None, directory: Path, into: str, *, progress: Progress | None = None) -> Report:
    """Index ``directory`` in place as a source of ``into``: nothing is copied, only what changed is read.

    Also how a source is looked through again. A document whose file vanished goes into the trash.
    """
    report = Report()
    plan = _plan(actor, directory, into, report)
    source_id = _ensure_source(directory, plan.categories[""])
    known = _known_places(source_id)
    for batch in _batches(plan.entries(), progress):
        fresh = [entry for entry in batch if known.get(entry.path) != (entry.size, entry.mtime_ns)]
        report.unchanged += len(batch) - len(fresh)
        _index_batch(actor, plan, source_id, fresh, report)
    report.vanished = _trash_vanished(actor, source_id, {entry.path for entry in plan.walk.entries})
    with transaction() as session:
        this = SourceDirectory.id == source_id
        session.execute(update(SourceDirectory).where(this).values(scanned_at=db_now()))
    return report


def category_path_of(into: str, folder: str) -> str:
    """The category a sub-folder becomes; ``download`` is a word of the addresses and becomes ``download_``."""
    parts = [filenames.normal(part) for part in folder.split("/") if part]
    return "/".join([into, *("download_" if part == "download" else part for part in parts)])


def _plan(actor: Actor | None, directory: Path, into: str, report: Report) -> Plan:
    directory = directory.absolute()
    if not directory.is_dir():
        raise BadInput(f"{directory} is not a directory.")
    if storage().root.is_relative_to(directory.resolve()):
        raise BadInput("The portal's own storage lies in this directory; it cannot be imported.")
    source = Source(directory)
    walk = source.walk()
    report.skipped = walk.skipped
    return Plan(source, walk, _ensure_categories(actor, into, walk.directories, report), _name_all(walk.entries))


def _ensure_categories(actor: Actor | None, into: str, folders: Iterable[str], report: Report) -> dict[str, int]:
    made = {"": ensure_category(actor, into).id}
    for folder in folders:
        try:
            made[folder] = ensure_category(actor, category_path_of(into, folder)).id
        except BadInput as problem:
            report.problems.append(f"{folder!r} cannot be a category: {problem.sentence}")
    return made


def _name_all(entries: Iterable[Entry]) -> dict[str, str]:
    """Path to filename; two files whose cleaned names meet are told apart by a number, the same one each time."""
    named: dict[str, str] = {}
    taken: set[tuple[str, str]] = set()
    for entry in entries:
        wanted = filename = filenames.clean(entry.path.rpartition("/")[2])
        number = 2
        while (_folder(entry.path), filename) in taken:
            ending = filenames.extension(wanted)
            filename = f"{wanted[: len(wanted) - len(ending)]} ({number}){ending}"
            number += 1
        taken.add((_folder(entry.path), filename))
        named[entry.path] = filename
    return named


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _batches(entries: list[Entry], progress: Progress | None) -> Iterator[list[Entry]]:
    iterator = iter(entries)
    done = 0
    while batch := list(islice(iterator, BATCH)):
        yield batch
        done += len(batch)
        if progress is not None:
            progress(done, len(entries))


def _import_batch(actor: Actor | None, plan: Plan, batch: list[Entry], report: Report) -> None:
    """Durable as a whole: every temp file flushed, then given its name, then one commit."""
    received: list[tuple[Entry, Received]] = []
    try:
        for entry in batch:
            try:
                received.append((entry, _copy(plan.source, entry)))
            except ContentUnavailable as problem:
                report.problems.append(f"{entry.path!r} was not taken: {problem.sentence}")
        with storage().placing():
            storage().keep_all([got for _, got in received])
            with transaction():
                kinds = [_put(actor, plan, entry, _content(plan, entry, got)) for entry, got in received]
    except BaseException:
        for _, got in received:
            got.temp.unlink(missing_ok=True)
        raise
    for kind in kinds:
        report.count(kind)


def _copy(source: Source, entry: Entry) -> Received:
    incoming = storage().receive()
    try:
        with source.open(entry.path, entry.size, entry.mtime_ns) as opened:
            while block := opened.handle.read(BLOCK):
                incoming.write(block)
        if incoming.size != entry.size:
            raise SourceChanged("It changed while it was read.")
        return incoming.finish()
    except BaseException:
        incoming.discard()
        raise


def _put(actor: Actor | None, plan: Plan, entry: Entry, content: Content) -> str:
    return put_document(actor, plan.categories[_folder(entry.path)], plan.filenames[entry.path], content).kind


def _content(plan: Plan, entry: Entry, got: Received) -> Content:
    kind = content_type_of(plan.filenames[entry.path], got.head)
    return Content(sha256=got.sha256, crc32=got.crc32, size=got.size, content_type=kind)


def _index_batch(actor: Actor | None, plan: Plan, source_id: int, batch: list[Entry], report: Report) -> None:
    found: list[tuple[Entry, Content]] = []
    for entry in batch:
        try:
            digest = plan.source.digest(entry.path)
        except ContentUnavailable as problem:
            report.problems.append(f"{entry.path!r} was not indexed: {problem.sentence}")
            continue
        content = Content(
            sha256=digest.sha256,
            crc32=digest.crc32,
            size=digest.size,
            content_type=content_type_of(plan.filenames[entry.path], digest.head),
            source_id=source_id,
            source_path=entry.path,
            source_mtime_ns=digest.mtime_ns,
        )
        found.append((entry, content))
    with transaction():
        kinds = [_put(actor, plan, entry, content) for entry, content in found]
    for kind in kinds:
        report.count(kind)


def _ensure_source(directory: Path, category_id: int) -> int:
    with transaction() as session:
        source = session.scalar(select(SourceDirectory).where(SourceDirectory.category_id == category_id))
        if source is None:
            source = SourceDirectory(category_id=category_id, directory=str(directory.absolute()))
            session.add(source)
        source.directory = str(directory.absolute())
        session.flush()
        return source.id


def _known_places(source_id: int) -> dict[str, tuple[int, int]]:
    """Path to size and time of every live document's current version in this source."""
    statement = (
        select(Version.source_path, Version.size, Version.source_mtime_ns)
        .join(Document, Document.current_version_id == Version.id)
        .where(Version.source_id == source_id, Document.trashed_at.is_(None))
    )
    return {path: (size, mtime) for path, size, mtime in db.session.execute(statement) if path and mtime is not None}


def _trash_vanished(actor: Actor | None, source_id: int, present: set[str]) -> int:
    statement = (
        select(Document.id, Version.source_path)
        .join(Version, Document.current_version_id == Version.id)
        .where(Version.source_id == source_id, Document.trashed_at.is_(None))
    )
    gone = [document_id for document_id, path in db.session.execute(statement).all() if path not in present]
    for document_id in gone:
        trash_document(actor, document_id)
    return len(gone)
