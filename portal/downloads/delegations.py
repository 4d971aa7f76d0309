"""Bytes that a proxy sends in our place: written down before it is told to, settled when its log tells what came of it.

A hand-off is a row of its own until it is reported. So a report counts once however often it is read, and one that
nobody made up cannot be believed by mistake.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import bindparam, delete, exists, func, insert, select

from portal.catalog import Edition
from portal.downloads import ledger
from portal.downloads.budgets import TICKET_BUDGET
from portal.downloads.claims import Claim, Entry
from portal.downloads.opening import open_bytes
from portal.extensions import db, release_connection, run, transaction
from portal.models import Delegation, Download, FollowedLog, Version, db_later
from portal.prepared import Prepared
from portal.ranges import Span

LATE_REPORT_SECONDS = 3600
"""A transfer that takes longer is rare; several of them mean that nobody follows the log."""
FORGOTTEN_SECONDS = 30 * 24 * 3600
"""What was not reported for so long is not waited for any more."""

_NOTE = insert(Delegation)
# Always in the same order, so that two who follow the logs of two proxies never wait for each other.
_WAITING = (
    select(Delegation.download_id, Delegation.uuid)
    .where(Delegation.uuid.in_(bindparam("uuids", expanding=True)))
    .order_by(Delegation.download_id, Delegation.uuid)
)
_SIZE = select(Version.size).join(Download, Download.version_id == Version.id)
_LOCK = _SIZE.where(Download.id == bindparam("download")).with_for_update(of=Download)
_TAKE = delete(Delegation).where(Delegation.uuid == bindparam("this")).returning(Delegation.start, Delegation.stop)
_OTHERS = select(exists().where(Delegation.download_id == bindparam("download")))


@dataclass(frozen=True)
class Delegated:
    """What a proxy is told to send: the span of a blob, ``name`` (``ab/cd/<sha256>``) being its path among ours."""

    edition: Edition
    span: Span
    name: str
    uuid: UUID
    """How its log names the transfer."""


@dataclass(frozen=True)
class Report:
    """What a proxy says of a transfer: its status, the bytes of the body that left, and whether it ended well."""

    uuid: UUID
    status: int
    bytes_sent: int
    is_done: bool


def delegate(claim: Claim, edition: Edition, span: Span) -> Delegated | None:
    """Have a proxy send a span of an edition to an actor who may have it: checked and written down as if we sent it.

    None for what we send ourselves: a file of a source, which lies outside of our storage; nothing at all; and what a
    ticket asks for once a proxy may have sent twice its size under its name, for then somebody has to count. The span
    may come back as the whole, and it raises, like ``open_for_download``.
    """
    if edition.source_path is not None or not span.length:
        return None
    release_connection()
    with open_bytes(edition) as opened:
        name = opened.place.name
    return ledger.racing(lambda find: _delegate(claim, edition, span, name, find))


def settle(reports: Sequence[Report]) -> int:
    """Write down what became of these transfers, in one transaction; of how many nobody had told before."""
    told = {report.uuid: report for report in reports}
    with transaction():
        rows = run(_WAITING, uuids=list(told)).all()
        return sum(_settle(row.download_id, told[row.uuid]) for row in rows)


def count_late_reports() -> int:
    """Transfers a proxy was told of more than an hour ago and has not reported."""
    late = Delegation.made_at < db_later(-LATE_REPORT_SECONDS)
    return db.session.scalars(select(func.count()).select_from(Delegation).where(late)).one()


def forget() -> int:
    """Stop waiting for reports that are a month late; how many those were."""
    with transaction() as session:
        old = Delegation.made_at < db_later(-FORGOTTEN_SECONDS)
        gone = session.execute(delete(Delegation).where(old).returning(Delegation.uuid)).all()
        session.execute(delete(FollowedLog).where(FollowedLog.read_at < db_later(-FORGOTTEN_SECONDS)))
    return len(gone)


def _delegate(claim: Claim, edition: Edition, span: Span, name: str, find: Prepared) -> Delegated | None:
    with transaction():
        entry = ledger.join(claim, edition, [(span.start, span.stop)], [], find, state="delegated")
        if entry.is_scattered:
            span = Span(0, edition.size)
        if claim.ticket_id is not None and not _is_within_budget(entry, edition.size, span.length):
            return None
        uuid = uuid4()
        run(_NOTE, uuid=uuid, download_id=entry.id, start=span.start, stop=span.stop)
    return Delegated(edition, span, name, uuid)


def _is_within_budget(entry: Entry, size: int, wanted: int) -> bool:
    """Whether a ticket has sent no more than twice its size should all arrive that was ever handed over for it.

    What it may have at all is for ``budgets`` to say; but not every log is followed, and what we send we count.
    """
    length = select(func.coalesce(func.sum(Delegation.stop - Delegation.start), 0))
    under_way = db.session.scalars(length.where(Delegation.download_id == entry.id)).one()
    sent = db.session.scalars(select(Download.bytes_sent).where(Download.id == entry.id)).one()
    return int(sent + under_way) + wanted <= TICKET_BUDGET * size


def _settle(download_id: int, report: Report) -> bool:
    """Whether the transfer was still waited for."""
    # The row first: of two transfers of one download that are reported at once, one must see that it is the last.
    size = run(_LOCK, download=download_id).scalar_one()
    span = run(_TAKE, this=report.uuid).first()
    if span is None:
        return False
    handed = _handed(report, span.start, span.stop)
    sent = sum(stop - start for start, stop in handed)
    told = ledger.advance(Entry(download_id), size, handed, sent, _state(download_id, report), before=())
    if told.is_complete and told.fresh:  # what others had completed before is theirs to confirm
        ledger.confirm(Entry(download_id))
    return True


def _handed(report: Report, start: int, stop: int) -> list[tuple[int, int]]:
    """The bytes that left. The last one counts only if the proxy says that the transfer ended well."""
    if report.status not in (200, 206):
        return []
    first = start if report.status == 206 else 0
    last = stop if report.is_done else stop - 1
    return [(first, min(first + report.bytes_sent, last))] if report.bytes_sent and first < last else []


def _state(download_id: int, report: Report) -> str:
    """What an unfinished download is: carried on by somebody else, waiting for the next piece, or broken off."""
    if run(_OTHERS, download=download_id).scalar_one():
        return "delegated"
    return "started" if report.is_done and report.status in (200, 206) else "aborted"
