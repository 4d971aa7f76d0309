"""Collect (gc): what nobody needs any more goes, rows first and bytes last.

Each step is finished by the next run if it is cut short: versions without a place leave blobs nobody refers to, those
leave files without a row, and files without a row are what the last step looks for.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update

from portal import audit, downloads, previews
from portal.accounts.quotas import change_used
from portal.actors import PORTAL
from portal.catalog.categories import lock_shelves
from portal.catalog.soundness import UNSEEN
from portal.catalog.trashing import remove_long_trashed
from portal.extensions import db, lock_on, release_connection, settings, storage, transaction
from portal.integrity.reading import BATCH, DAY_SECONDS, Progress, Tally, in_groups, is_old, known_keys, take_time
from portal.integrity.restoring import remove_leftovers
from portal.models import (
    ApiToken,
    Blob,
    Document,
    Download,
    OneTimeToken,
    Pack,
    PackItem,
    Session,
    ShareLink,
    SignInAttempt,
    Ticket,
    Upload,
    Version,
    db_later,
    db_now,
)
from portal.uploads import resumable

PURGED_AT_ONCE = 100
"""Documents that give up their bytes in one transaction; nobody else writes to them meanwhile."""
REMOVED_AT_ONCE = 50
"""Files removed while uploads wait."""
TICKET_DAYS = 90
"""Expired tickets are known for so long, to tell their holders that they were real."""
API_TOKEN_DAYS = 90
"""Tokens of programs that are over are known for so long, to tell their owners which they were."""
SILENT_SECONDS = 900
"""A transfer nobody has heard of for so long was interrupted; it may still be taken up again."""


@dataclass
class CollectReport:
    """How much went: ``purged`` documents gave up their bytes, ``categories`` left the trash for good, ``blobs`` are
    rows, ``files`` and ``freed_bytes`` disk, ``previews`` what was made of what is gone. ``interrupted`` are downloads
    found to have stopped.
    """

    purged: int = 0
    categories: int = 0
    blobs: int = 0
    files: int = 0
    freed_bytes: int = 0
    previews: int = 0
    temps: int = 0
    tokens: int = 0
    sessions: int = 0
    attempts: int = 0
    tickets: int = 0
    interrupted: int = 0


def collect(*, progress: Progress | None = None) -> CollectReport:
    """Remove what nothing refers to, and what is over. Never what is younger than a day; safe at any time.

    ``progress`` is told files looked at.
    """
    report = CollectReport()
    report.purged = _until_none(_purge_some)
    report.categories = remove_long_trashed()
    report.blobs = _until_none(_remove_some_blob_rows)
    _remove_files(report, progress)
    report.previews = previews.collect()
    resumable.sweep()
    report.temps = storage().remove_stale_temps(DAY_SECONDS) + resumable.remove_stale_partials(DAY_SECONDS)
    remove_leftovers()
    _remove_what_is_over(report)
    report.interrupted = downloads.sweep(SILENT_SECONDS)
    downloads.forget()
    return report


def _until_none(step: Callable[[], int]) -> int:
    """Repeat a step, each time a transaction of its own, until it finds nothing more; how much it found in all."""
    total = 0
    while count := step():
        total += count
    return total


def _purge_some() -> int:
    """Documents long in the trash give up the place of every version; numbers, hashes and names stay for the log."""
    with transaction() as session:
        has_places = exists().where(Version.document_id == Document.id, Version.purged_at.is_(None))
        found = select(Document.id, Document.title).where(_long_trashed(), has_places)
        documents = session.execute(found.order_by(Document.id).limit(PURGED_AT_ONCE)).all()
        for document in documents:
            lock_on(f"document:{document.id}")  # whoever brings one back from the trash takes the same lock
        lock_shelves()  # and whoever brings a whole category back
        purged = _give_up_places([document.id for document in documents])
        for document in documents:
            if purged[document.id]:
                _record_purge(document.id, document.title, purged[document.id])
    return len(purged)


def _record_purge(document_id: int, title: str, versions: int) -> None:
    thing = ("document", document_id)
    audit.record_event("document.purged", actor=PORTAL, thing=thing, label=title, versions=versions)


def _long_trashed() -> ColumnElement[bool]:
    return Document.trashed_at < db_later(-settings().trash_days * DAY_SECONDS)


def _give_up_places(document_ids: Sequence[int]) -> Counter[int]:
    """Document id to the number of versions that lost their place just now; none of a document brought back."""
    still = select(Document.id).where(Document.id.in_(document_ids), _long_trashed())
    nowhere = {"blob_id": None, "source_id": None, "source_path": None, "source_mtime_ns": None, **UNSEEN}
    statement = update(Version).where(Version.document_id.in_(still), Version.purged_at.is_(None))
    what = (Version.document_id, Version.created_by_id, Version.size)
    gone = db.session.execute(statement.values(purged_at=db_now(), **nowhere).returning(*what)).all()
    freed: Counter[int] = Counter()
    for version in gone:
        if version.created_by_id is not None:
            freed[version.created_by_id] += version.size
    for user_id, size in sorted(freed.items()):
        change_used(user_id, -size)
    return Counter(version.document_id for version in gone)


def _remove_some_blob_rows() -> int:
    """Blob rows no version refers to, and no upload that has arrived.

    On PostgreSQL the rows are locked first, so that no version can come to refer to them, and looked at again by a
    second statement, which sees what was committed before the lock; those an upload holds are left alone.
    """
    with transaction() as session:
        take_time()
        named = or_(exists().where(Version.blob_id == Blob.id), exists().where(Upload.blob_id == Blob.id))
        unused = (Blob.touched_at < db_later(-DAY_SECONDS), ~named)
        candidates = select(Blob.id).where(*unused).order_by(Blob.id).limit(BATCH)
        locked = session.scalars(candidates.with_for_update(skip_locked=True)).all()
        gone = delete(Blob).where(Blob.id.in_(locked), *unused).returning(Blob.id, Blob.sha256, Blob.damage)
        removed = session.execute(gone).all()
        for blob in removed:
            if blob.damage is not None:  # it was quarantined; nobody waits for it to be right again
                thing, found = ("blob", blob.id), {"sha256": blob.sha256, "damage": blob.damage}
                audit.record_event("blob.removed", actor=PORTAL, thing=thing, **found)
    return len(removed)


def _remove_files(report: CollectReport, progress: Progress | None) -> None:
    tally = Tally(progress, db.session.scalars(select(func.count(Blob.id))).one())
    for group in in_groups(storage().list_keys(), BATCH):
        old = [key for key, found in group if is_old(found.st_mtime)]
        known = known_keys(old)
        for keys in in_groups((key for key in old if key not in known), REMOVED_AT_ONCE):
            _remove_unknown(keys, report)
        tally.add(len(group))


def _remove_unknown(keys: Sequence[str], report: CollectReport) -> None:
    """Remove the files of keys that have no row, looked up while nobody is between placing bytes and their row."""
    release_connection()  # none is held while waiting
    with storage().removing():
        known = known_keys(keys)
        for key in keys:
            found = storage().stat(key)
            if key not in known and found is not None and is_old(found.st_mtime) and storage().remove(key):
                report.files += 1
                report.freed_bytes += found.st_size


def _remove_what_is_over(report: CollectReport) -> None:
    """Rows that let nobody in any more; tickets that the ledger names stay."""
    a_day_ago = db_later(-DAY_SECONDS)
    spent = or_(OneTimeToken.expires_at < a_day_ago, OneTimeToken.used_at < a_day_ago)
    report.tokens = _remove_rows(OneTimeToken, spent)
    idle = db_later(-settings().session_idle_hours * 3600 - DAY_SECONDS)
    report.sessions = _remove_rows(Session, or_(Session.expires_at < a_day_ago, Session.seen_at < idle))
    report.attempts = _remove_rows(SignInAttempt, SignInAttempt.at < a_day_ago)
    long_ago = db_later(-API_TOKEN_DAYS * DAY_SECONDS)
    _remove_rows(ApiToken, or_(ApiToken.expires_at < long_ago, ApiToken.revoked_at < long_ago))
    unnamed = ~exists().where(Download.ticket_id == Ticket.id)
    report.tickets = _remove_rows(Ticket, (Ticket.expires_at < db_later(-TICKET_DAYS * DAY_SECONDS)) & unnamed)
    _remove_packs()


def _remove_packs() -> None:
    """Choices of documents that no ticket and no link leads to any more."""
    unused = (~exists().where(Ticket.pack_id == Pack.id), ~exists().where(ShareLink.pack_id == Pack.id))

    def remove_some() -> int:
        with transaction() as session:
            some = (
                select(Pack.id).where(*unused, Pack.created_at < db_later(-DAY_SECONDS)).order_by(Pack.id).limit(BATCH)
            )
            ids = list(session.scalars(some))
            session.execute(delete(PackItem).where(PackItem.pack_id.in_(ids)))
            session.execute(delete(Pack).where(Pack.id.in_(ids)))
            return len(ids)

    _until_none(remove_some)


def _remove_rows(
    model: type[ApiToken] | type[OneTimeToken] | type[Session] | type[SignInAttempt] | type[Ticket],
    condition: ColumnElement[bool],
) -> int:
    def remove_some() -> int:
        with transaction() as session:
            some = select(model.id).where(condition).order_by(model.id).limit(BATCH)
            return len(session.execute(delete(model).where(model.id.in_(some)).returning(model.id)).all())

    return _until_none(remove_some)
