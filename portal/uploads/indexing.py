"""Directories shown in place: indexed and looked through again, never copied and never written to."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select, update

from portal.actors import Actor
from portal.catalog import Content, add_version, restore_document, trash_document
from portal.errors import Conflict, ContentUnavailable
from portal.extensions import db, lock_on, release_connection, transaction
from portal.models import Category, Document, SourceDirectory, Version, db_now
from portal.storage.source import Entry
from portal.uploads.describing import Describer
from portal.uploads.ignoring import Ignored
from portal.uploads.kinds import content_type_of
from portal.uploads.options import Options
from portal.uploads.planning import Layout, Plan, Progress, added, look_through, make_plan
from portal.uploads.reporting import Outcome, Report, Reporter

NOT_INDEXED = "was not indexed"
GONE = -1
"""The time of a file that vanished from its source: its document waits in the trash until the file is back."""
EMPTY = (
    "{} is empty now, and was not: perhaps a disk is not mounted. Nothing was put into the trash. If its files are gone"
    " for good, import it once more."
)


@dataclass(frozen=True)
class Known:
    """What the catalog knows of a file of a source; ``is_trashed`` says it of the document."""

    document_id: int
    size: int
    mtime_ns: int
    sha256: str
    is_trashed: bool

    def is_as_before(self, entry: Entry) -> bool:
        """Whether there is nothing to read: it did not change, or somebody put its document into the trash."""
        if self.is_trashed:
            return self.mtime_ns != GONE
        return (self.size, self.mtime_ns) == (entry.size, entry.mtime_ns)


@dataclass(frozen=True)
class Scan:
    """One look through a source: what is there now, and what was known of it before, by path."""

    actor: Actor | None
    plan: Plan
    source_id: int
    known: dict[str, Known]
    describer: Describer
    reporter: Reporter

    def is_stale(self, entry: Entry) -> bool:
        """Whether a file has to be read."""
        known = self.known.get(entry.path)
        return known is None or not known.is_as_before(entry)


def index_directory(
    actor: Actor | None,
    directory: Path,
    into: str,
    *,
    options: Options | None = None,
    progress: Progress | None = None,
    is_cautious: bool = False,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Report:
    """Index ``directory`` in place as a source of ``into``: nothing is copied, only what changed is read.

    Also how a source is looked through again. A file is known by its path, whatever its document is called by now and
    wherever it is shelved. A document whose file vanished goes into the trash, and comes back when the file does; one
    that somebody put there stays there. Patterns of what to leave out are kept with the source, and hold for the next
    look that gives none.

    ``is_cautious`` leaves everything as it is when no file is there at all, which is how a disk looks that is not
    mounted. When ``is_stopping`` says so it ends after a batch; the next look goes on. Raises BadInput like
    ``import_directory``.
    """
    options = options or Options()
    reporter = Reporter(options.tell)
    ignored = options.ignored if options.ignored.patterns else _kept_patterns(into)
    layout = look_through(directory, into, reporter, ignored, options.without(directory))
    describer = Describer(actor, options.metadata, layout)
    describer.require_fitting()
    if is_cautious and not layout.present and has_live(into):
        reporter.complain(EMPTY.format(directory))
        return reporter.report
    plan = make_plan(actor, layout)
    source_id = _ensure_source(directory, plan.categories[layout.folders[""]], ignored)
    scan = Scan(actor, plan, source_id, known_files(source_id), describer, reporter)
    for batch in plan.batches(progress):
        if is_stopping():
            return reporter.report
        _index_batch(scan, batch)
    _trash_vanished(scan)
    _note_scan(source_id)
    return reporter.report


def _index_batch(scan: Scan, batch: list[Entry]) -> None:
    """New files together; a known one that changed is written by itself, for its document may be shelved anywhere."""
    release_connection()  # none is held while files are read
    new: list[tuple[Entry, Content]] = []
    documents: dict[str, int] = {}
    for entry in batch:
        known = scan.known.get(entry.path)
        if known is not None and known.is_as_before(entry):
            scan.reporter.count("unchanged", entry.path, known.document_id)
            if not known.is_trashed:
                documents[entry.path] = known.document_id
            continue
        try:
            content = _digest(scan, entry)
        except ContentUnavailable as problem:
            scan.reporter.refuse(entry.path, NOT_INDEXED, problem.sentence)
            continue
        if known is None:
            new.append((entry, content))
        else:
            try:
                outcome = _renew(scan, known, entry, content)
            except Conflict as problem:  # its document was shelved elsewhere, and that category is in the trash
                scan.reporter.refuse(entry.path, NOT_INDEXED, problem.sentence)
                continue
            scan.reporter.count(outcome, entry.path, known.document_id)
            documents[entry.path] = known.document_id
    with transaction():
        placed = scan.plan.put(scan.actor, new)
        fresh = added(new, placed)
        scan.describer.describe(fresh)
    for (entry, _), one in zip(new, placed, strict=True):
        scan.reporter.count(one.kind, entry.path, one.document_id)
        documents.setdefault(entry.path, one.document_id)
    others = {path: document_id for path, document_id in documents.items() if path not in fresh}
    scan.reporter.report.described += scan.describer.count(fresh) + scan.describer.describe(others)


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


def _renew(scan: Scan, known: Known, entry: Entry, content: Content) -> Outcome:
    with transaction():
        if known.is_trashed:
            restore_document(scan.actor, known.document_id)
        kind = add_version(scan.actor, known.document_id, scan.plan.filenames[entry.path], content).kind
    return "added" if known.is_trashed else kind


def find_source(into: str) -> SourceDirectory | None:
    """The source that shows in the category of this path."""
    shown = select(SourceDirectory).join(Category, Category.id == SourceDirectory.category_id)
    return db.session.scalar(shown.where(Category.path == into, Category.trashed_at.is_(None)))


def _kept_patterns(into: str) -> Ignored:
    source = find_source(into)
    return Ignored(source.ignored.splitlines() if source is not None else ())


def _ensure_source(directory: Path, category_id: int, ignored: Ignored) -> int:
    with transaction() as session:
        lock_on(f"source:{category_id}")
        source = session.scalar(select(SourceDirectory).where(SourceDirectory.category_id == category_id))
        if source is None:
            source = SourceDirectory(category_id=category_id, directory=str(directory.absolute()))
            session.add(source)
        source.directory = str(directory.absolute())
        source.ignored = "\n".join(ignored.patterns)
        session.flush()
        return source.id


def known_files(source_id: int) -> dict[str, Known]:
    """Path to what is known of it: of its newest version, and of a live document rather than one in the trash."""
    is_trashed = Document.trashed_at.is_not(None)
    statement = (
        select(Version.source_path, Document.id, Version.size, Version.source_mtime_ns, Version.sha256, is_trashed)
        .join(Document, Document.id == Version.document_id)
        .where(Version.source_id == source_id)
        .order_by(is_trashed.desc(), Version.id)
    )
    return {
        path: Known(document_id, size, mtime_ns, sha256, is_away)
        for path, document_id, size, mtime_ns, sha256, is_away in db.session.execute(statement)
        if path is not None and mtime_ns is not None
    }


def list_vanished(source_id: int, layout: Layout) -> list[tuple[int, int, str]]:
    """``(document_id, version_id, path)`` of live documents whose file is not there any more."""
    statement = (
        select(Document.id, Version.id, Version.source_path)
        .join(Version, Document.current_version_id == Version.id)
        .where(Version.source_id == source_id, Document.trashed_at.is_(None))
    )
    rows = db.session.execute(statement).all()
    return [
        (document_id, version_id, path or "") for document_id, version_id, path in rows if path not in layout.present
    ]


def _trash_vanished(scan: Scan) -> None:
    for document_id, version_id, path in list_vanished(scan.source_id, scan.plan):
        with transaction() as session:
            trash_document(scan.actor, document_id)
            session.execute(update(Version).where(Version.id == version_id).values(source_mtime_ns=GONE))
        scan.reporter.count("vanished", path, document_id)


def _note_scan(source_id: int) -> None:
    with transaction() as session:
        this = SourceDirectory.id == source_id
        session.execute(update(SourceDirectory).where(this).values(scanned_at=db_now()))


def has_live(into: str) -> bool:
    """Whether anything of the source that shows there is a live document now."""
    source = find_source(into)
    if source is None:
        return False
    live = select(Document.id).join(Version, Document.current_version_id == Version.id)
    live = live.where(Version.source_id == source.id, Document.trashed_at.is_(None))
    return db.session.scalar(live.limit(1)) is not None
