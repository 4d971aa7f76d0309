"""Directories shown in place: indexed and looked through again, never copied and never written to."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select, update

from portal.actors import Actor
from portal.catalog import Content, add_version, restore_document, trash_document
from portal.errors import Conflict, ContentUnavailable
from portal.extensions import db, lock_on, release_connection, transaction
from portal.models import Document, SourceDirectory, Version, db_now
from portal.storage.source import Entry
from portal.uploads.kinds import content_type_of
from portal.uploads.planning import Plan, Progress, Report, make_plan

GONE = -1
"""The time of a file that vanished from its source: its document waits in the trash until the file is back."""


@dataclass(frozen=True)
class Known:
    """What the catalog knows of a file of a source; ``is_trashed`` says it of the document."""

    document_id: int
    size: int
    mtime_ns: int
    is_trashed: bool

    def is_as_before(self, entry: Entry) -> bool:
        """Whether there is nothing to read: it did not change, or somebody put its document into the trash."""
        if self.is_trashed:
            return self.mtime_ns != GONE
        return (self.size, self.mtime_ns) == (entry.size, entry.mtime_ns)


@dataclass
class Scan:
    """One look through a source: what is there now, and what was known of it before, by path."""

    actor: Actor | None
    plan: Plan
    source_id: int
    known: dict[str, Known]
    report: Report

    def is_stale(self, entry: Entry) -> bool:
        """Whether a file has to be read."""
        known = self.known.get(entry.path)
        return known is None or not known.is_as_before(entry)


def index_directory(actor: Actor | None, directory: Path, into: str, *, progress: Progress | None = None) -> Report:
    """Index ``directory`` in place as a source of ``into``: nothing is copied, only what changed is read.

    Also how a source is looked through again. A file is known by its path, whatever its document is called by now and
    wherever it is shelved. A document whose file vanished goes into the trash, and comes back when the file does; one
    that somebody put there stays there. Raises BadInput like ``import_directory``.
    """
    report = Report()
    plan = make_plan(actor, directory, into, report)
    source_id = _ensure_source(directory, plan.categories[""])
    scan = Scan(actor, plan, source_id, _known_files(source_id), report)
    for batch in plan.batches(progress):
        stale = [entry for entry in batch if scan.is_stale(entry)]
        report.unchanged += len(batch) - len(stale)
        _index_batch(scan, stale)
    report.vanished = _trash_vanished(actor, source_id, plan.present)
    with transaction() as session:
        this = SourceDirectory.id == source_id
        session.execute(update(SourceDirectory).where(this).values(scanned_at=db_now()))
    return report


def _index_batch(scan: Scan, batch: list[Entry]) -> None:
    """New files together; a known one that changed is written by itself, for its document may be shelved anywhere."""
    release_connection()  # none is held while files are read
    new: list[tuple[Entry, Content]] = []
    for entry in batch:
        try:
            content = _digest(scan, entry)
        except ContentUnavailable as problem:
            scan.report.problems.append(f"{entry.path!r} was not indexed: {problem.sentence}")
            continue
        known = scan.known.get(entry.path)
        if known is None:
            new.append((entry, content))
        else:
            _renew_or_tell(scan, known, entry, content)
    for kind in scan.plan.put(scan.actor, new):
        scan.report.count(kind)


def _digest(scan: Scan, entry: Entry) -> Content:
    digest = scan.plan.source.digest(entry.path)
    return Content(
        sha256=digest.sha256,
        crc32=digest.crc32,
        size=digest.size,
        content_type=content_type_of(scan.plan.filenames[entry.path], digest.head),
        source_id=scan.source_id,
        source_path=entry.path,
        source_mtime_ns=digest.mtime_ns,
        stamp=digest.stamp,
    )


def _renew_or_tell(scan: Scan, known: Known, entry: Entry, content: Content) -> None:
    try:
        scan.report.count(_renew(scan, known, entry, content))
    except Conflict as problem:  # its document was shelved elsewhere, and that category is in the trash
        scan.report.problems.append(f"{entry.path!r} was not indexed: {problem.sentence}")


def _renew(scan: Scan, known: Known, entry: Entry, content: Content) -> str:
    with transaction():
        if known.is_trashed:
            restore_document(scan.actor, known.document_id)
        kind = add_version(scan.actor, known.document_id, scan.plan.filenames[entry.path], content).kind
    return "added" if known.is_trashed else kind


def _ensure_source(directory: Path, category_id: int) -> int:
    with transaction() as session:
        lock_on(f"source:{category_id}")
        source = session.scalar(select(SourceDirectory).where(SourceDirectory.category_id == category_id))
        if source is None:
            source = SourceDirectory(category_id=category_id, directory=str(directory.absolute()))
            session.add(source)
        source.directory = str(directory.absolute())
        session.flush()
        return source.id


def _known_files(source_id: int) -> dict[str, Known]:
    """Path to what is known of it: of its newest version, and of a live document rather than one in the trash."""
    is_trashed = Document.trashed_at.is_not(None)
    statement = (
        select(Version.source_path, Document.id, Version.size, Version.source_mtime_ns, is_trashed)
        .join(Document, Document.id == Version.document_id)
        .where(Version.source_id == source_id)
        .order_by(is_trashed.desc(), Version.id)
    )
    return {
        path: Known(document_id, size, mtime_ns, is_away)
        for path, document_id, size, mtime_ns, is_away in db.session.execute(statement)
        if path is not None and mtime_ns is not None
    }


def _trash_vanished(actor: Actor | None, source_id: int, present: frozenset[str]) -> int:
    statement = (
        select(Document.id, Version.id, Version.source_path)
        .join(Version, Document.current_version_id == Version.id)
        .where(Version.source_id == source_id, Document.trashed_at.is_(None))
    )
    gone = [row[:2] for row in db.session.execute(statement).all() if row[2] not in present]
    for document_id, version_id in gone:
        with transaction() as session:
            trash_document(actor, document_id)
            session.execute(update(Version).where(Version.id == version_id).values(source_mtime_ns=GONE))
    return len(gone)
