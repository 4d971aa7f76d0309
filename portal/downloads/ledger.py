"""The ledger: one row per logical download, whose ranges are merged however many connections carry them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import ReturningInsert

from portal.actors import Actor
from portal.catalog import Edition
from portal.errors import ShareExpired, TooManyTransfers
from portal.extensions import db, run, settings, transaction, write_one
from portal.models import Download, PublicId, Ticket, db_later, db_now
from portal.prepared import Prepared
from portal.ranges import covers, merge, without

BROKEN = ("aborted", "interrupted")
NEAR = 64 * 1024
"""A block that was refused may have left in part: whoever goes on from within it has what is before."""
MOST_INTERVALS = 256
"""More pieces than this are not kept apart: the whole is answered instead."""
JOIN_SECONDS = 24 * 3600
"""An unfinished download that moved no bytes for so long is over; the next request begins another."""
LATE_SECONDS = 10 * 60
"""A piece asked for so soon after completion belongs to the completed download: a client that opens many
connections goes on asking for pieces of what its first one already got."""
ACTIVE_SECONDS = 120
"""A transfer that moved no bytes for so long does not count against those allowed at once."""
DELEGATED_SECONDS = 10 * 60
"""One that a proxy carries counts for so long, or until it is reported: nobody tells how it goes meanwhile, and a log
that is not followed must not keep people out."""
AGENT_LENGTH = 300
TICKET_OVER = "This download address has expired. Open the link again."
TICKET_DONE = "This download is complete. Open the link again if you need another one."
TICKET_BUDGET = 2
"""How many times its size a ticket sends at most: enough for what a client lost, too little to hand the ticket on."""

Intervals = Sequence[tuple[int, int]]
Find = Select[*tuple[Any, ...]]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Claim:
    """Who fetches, as the ledger names them.

    ``key`` is ``u:<user>``, ``t:<ticket>``, or ``l:<link>:<network>:<agent hash>`` for an open link.
    """

    key: str
    user_id: int | None = None
    link_id: int | None = None
    ticket_id: int | None = None
    network: str = ""
    agent: str = ""


@dataclass(frozen=True)
class Entry:
    """The row a transfer writes to.

    ``is_late``: it was complete already, and these are pieces asked for once more. ``is_scattered``: it holds so many
    pieces that the whole is to be sent. ``is_believed``: some of what it holds is only what the client must have got.
    ``fresh`` is what it was told in advance and nobody else had handed over.
    """

    id: int
    is_late: bool = False
    is_scattered: bool = False
    is_believed: bool = False
    fresh: Intervals = ()


@dataclass(frozen=True)
class Told:
    """What telling the ledger came to: whether the download is complete, and which bytes it did not have before.

    ``is_believed``: that a client has what is before the place it went on from was taken on trust.
    """

    is_complete: bool
    fresh: Intervals
    is_believed: bool = False


class _Last(NamedTuple):
    """What the newest row of an actor and version says, and whether it is open, alive, or completed just now."""

    id: int
    intervals: list[list[int]]
    bytes_sent: int
    state: str
    is_open: bool
    is_alive: bool
    is_late: bool


_GIVEN = (
    "actor_key",
    "user_id",
    "link_id",
    "ticket_id",
    "network",
    "agent",
    "document_id",
    "version_id",
    "intervals",
    "bytes_sent",
)
"""The columns of a new row that come from its claim and edition."""

_FIND: Find = (
    select(
        Download.id,
        Download.intervals,
        Download.bytes_sent,
        Download.state,
        Download.closed_at.is_(None),
        Download.active_at > db_later(-JOIN_SECONDS),
        and_(Download.state == "completed", Download.closed_at > db_later(-LATE_SECONDS)),
    )
    .where(Download.actor_key == bindparam("key"), Download.version_id == bindparam("version"))
    .with_for_update()  # or it could be completed between being found and being joined
)
_ENDED = case((Download.state.in_(("started", "delegated")), "interrupted"), else_=Download.state)
"""What a download is whose end nobody told."""
_FIND_LAST = _FIND.order_by(Download.id.desc()).limit(1)
_FIND_OPEN = _FIND.where(Download.closed_at.is_(None))


def claim_of(actor: Actor, agent: str) -> Claim:
    """The claim of a signed-in person."""
    return Claim(key=actor.key, user_id=actor.user_id, network=actor.network, agent=agent)


def begin(claim: Claim, edition: Edition, wanted: Intervals, handed: Intervals) -> Entry:
    """Join the open row of this actor and version, or write a new one.

    ``wanted`` is what will be sent; ``handed`` what leaves at once with the first block, empty when more blocks
    follow: so a small download costs one transaction. Raises TooManyTransfers, and ShareExpired for a ticket that was
    given back. The unique index decides between two that begin at once; the loser joins.
    """
    if handed and claim.ticket_id is None and covers(handed, edition.size):
        at_once = write_one(_complete_at_once(), **values_of(claim, edition, handed), uuid=uuid4())
        if at_once is not None:
            return Entry(at_once[0], fresh=handed)
    return racing(lambda find: join(claim, edition, wanted, handed, find))


def racing(write: Callable[[Find], Result]) -> Result:
    """Run a transaction that calls ``join``, once more if somebody else began the same download in that instant."""
    try:
        return write(_FIND_LAST)
    except IntegrityError:
        return write(_FIND_OPEN)


def advance(
    entry: Entry, size: int, handed: Intervals, sent: int, state: str = "started", *, is_exact: bool = False
) -> Told:
    """Merge what was handed over into the row, which closes it when that completes it.

    ``sent`` is in bytes, repeated ones counted. ``state`` is what the row is otherwise: ``started``, ``aborted``. A
    row that was closed as unfinished meanwhile can still be completed, for whoever sent so slowly has it all now. With
    ``is_exact`` nothing is believed of what went before: it will be told.
    """
    with transaction() as session:
        this = Download.id == entry.id
        found = select(Download.intervals, Download.state, Download.closed_at).where(this).with_for_update()
        intervals, present, closed_at = session.execute(found).one()
        had = _pairs(intervals)
        before = [] if is_exact else _had_before(handed, had, present)
        merged = merge([*had, *handed, *before])
        is_complete = covers(merged, size)
        values: dict[str, object] = {
            "intervals": merged,
            "bytes_sent": Download.bytes_sent + sent + _length(before),
            "active_at": db_now(),
        }
        if present != "completed" and (is_complete or closed_at is None):
            values["state"] = "completed" if is_complete else state
            values["closed_at"] = db_now() if is_complete else None
        session.execute(update(Download).where(this).values(values))
    return Told(is_complete, without(handed, had), is_believed=bool(before))


def confirm(entry: Entry) -> None:
    """The kernel took the last block too: from now on the row claims nothing it cannot stand for."""
    with transaction() as session:
        completed = (Download.id == entry.id, Download.state == "completed")
        session.execute(update(Download).where(*completed).values(is_confirmed=True))


def take_back(entry: Entry, size: int, refused: Intervals, fresh: Intervals) -> None:
    """Pieces that were counted before they left did not leave: the download is unfinished and can be joined.

    What others handed over too (all that was not ``fresh``) stays. When another row was begun meanwhile this one stays
    closed, as aborted.
    """
    try:
        _take_back(entry, size, refused, fresh, {"closed_at": None})
    except IntegrityError:
        _take_back(entry, size, refused, fresh, {})


def close_for_link(link_id: int) -> None:
    """Close what is open by a link that was revoked; its next request gets nothing, so nothing goes on."""
    with transaction() as session:
        these = (Download.link_id == link_id, Download.closed_at.is_(None))
        session.execute(update(Download).where(*these).values(state=_ENDED, closed_at=db_now()))


def sweep(idle_seconds: int) -> int:
    """Mark transfers nobody has heard of for so long as ``interrupted``; how many that were.

    They stay open for a day, so that whoever comes back resumes the same download. A proxy has that day to report what
    became of its transfers.
    """
    with transaction() as session:
        silent = (
            Download.state == "started",
            Download.closed_at.is_(None),
            Download.active_at < db_later(-idle_seconds),
        )
        marked = session.execute(
            update(Download).where(*silent).values(state="interrupted").returning(Download.id)
        ).all()
        over = (Download.closed_at.is_(None), Download.active_at < db_later(-JOIN_SECONDS))
        session.execute(update(Download).where(*over).values(state=_ENDED, closed_at=db_now()))
    return len(marked)


def join(
    claim: Claim,
    edition: Edition,
    wanted: Intervals,
    handed: Intervals,
    find: Find = _FIND_LAST,
    *,
    state: str = "started",
) -> Entry:
    """The row of this actor and version that is open, or was completed just now, or else a new one.

    ``state`` is what an unfinished one is from now on. For inside a transaction that ``racing`` runs: raises like
    ``begin``, and IntegrityError when somebody else began one in the same instant.
    """
    is_part = not covers(wanted, edition.size)
    with transaction():
        _require_ticket(claim)
        last = _find(find, claim, edition)
        if last is not None and last.is_open and not last.is_alive:
            _close(last.id)
            last = None
        if claim.ticket_id is not None:
            _require_budget(last, edition.size)
            is_part = True  # whatever a ticket asks for is a piece of its one download
        if last is None or not (last.is_open or (is_part and last.is_late)):
            if not handed:
                require_capacity(claim)
            return _insert(claim, edition, handed, state)
        is_scattered = is_part and len(last.intervals) >= MOST_INTERVALS
        entry = Entry(last.id, is_late=not last.is_open, is_scattered=is_scattered)
        if handed and last.is_open and not is_scattered:
            told = advance(entry, edition.size, handed, _length(handed))
            entry = replace(entry, fresh=told.fresh)
        elif last.is_open:
            entry = _rejoin(entry, claim, last, wanted, state=state)
    return entry


def _find(statement: Find, claim: Claim, edition: Edition) -> _Last | None:
    row = run(statement, key=claim.key, version=edition.version_id).first()
    return _Last(*row) if row is not None else None


def _require_ticket(claim: Claim) -> None:
    """A ticket is given back or used, never both: whoever does the other stands in line for its row."""
    if claim.ticket_id is not None:
        this = select(Ticket.refunded_at).where(Ticket.id == claim.ticket_id).with_for_update(read=True)
        if db.session.scalars(this).one() is not None:
            raise ShareExpired(TICKET_OVER)


def _require_budget(last: _Last | None, size: int) -> None:
    """A ticket is one download: complete, it answers for ten minutes what a client lost, and then no more."""
    if last is not None and last.state == "completed" and not (last.is_late and last.bytes_sent < TICKET_BUDGET * size):
        raise ShareExpired(TICKET_DONE)


def _take_back(entry: Entry, size: int, refused: Intervals, fresh: Intervals, reopened: dict[str, object]) -> None:
    with transaction() as session:
        this = Download.id == entry.id
        found = select(Download.intervals, Download.bytes_sent).where(this).with_for_update()
        intervals, bytes_sent = session.execute(found).one()
        left = _left_of(_pairs(intervals), bytes_sent - _length(refused), refused, fresh)
        values: dict[str, object] = {
            "intervals": left,
            "bytes_sent": Download.bytes_sent - _length(refused),
            "active_at": db_now(),
        }
        if not covers(left, size):
            values |= {"state": "aborted", "is_confirmed": False} | reopened
        session.execute(update(Download).where(this).values(values))


def _left_of(had: Intervals, bytes_sent: int, refused: Intervals, fresh: Intervals) -> Intervals:
    """What a row still holds without pieces that were refused, when so many bytes are left that did leave.

    While these are enough for all of it, somebody else may have handed the pieces over too. Then what nobody had before
    goes, and if even that is more than left, all of it.
    """
    candidates = (had, without(had, without(refused, without(refused, fresh))), without(had, refused))
    return next((left for left in candidates if _length(left) <= bytes_sent), candidates[-1])


def _insert(claim: Claim, edition: Edition, handed: Intervals, state: str) -> Entry:
    is_complete = bool(handed or not edition.size) and covers(handed, edition.size)
    row = run(_insert_statement("completed" if is_complete else state), **values_of(claim, edition, handed))
    return Entry(row.scalar_one(), fresh=handed)


def values_of(claim: Claim, edition: Edition, handed: Intervals) -> dict[str, Any]:
    """What a new row says, by the names of ``_GIVEN``."""
    return {
        "actor_key": claim.key,
        "user_id": claim.user_id,
        "link_id": claim.link_id,
        "ticket_id": claim.ticket_id,
        "network": claim.network,
        "agent": claim.agent[:AGENT_LENGTH],
        "document_id": edition.document_id,
        "version_id": edition.version_id,
        "intervals": merge(handed),
        "bytes_sent": _length(handed),
    }


@cache
def _insert_statement(state: str) -> ReturningInsert[int]:
    """Built once: the hot path pays for running it, not for writing it."""
    values: dict[str, object] = {name: bindparam(name) for name in _GIVEN}
    values["state"] = state
    values["closed_at"] = db_now() if state == "completed" else None
    return insert(Download).values(values).returning(Download.id)


@cache
def _complete_at_once() -> Prepared:
    """A whole small download in one statement, unless a row of this actor and version is open to be joined."""
    table = Download.__table__
    values: dict[str, ColumnElement[Any]] = {name: bindparam(name, type_=table.c[name].type) for name in _GIVEN}
    values["uuid"] = bindparam("uuid", type_=PublicId())
    values["state"] = literal("completed")
    values["is_confirmed"] = false()
    values |= dict.fromkeys(("started_at", "active_at", "closed_at"), db_now())
    same = (Download.actor_key == bindparam("actor_key"), Download.version_id == bindparam("version_id"))
    is_open = exists().where(*same, Download.closed_at.is_(None))
    chosen = select(*(value.label(name) for name, value in values.items())).where(~is_open)
    return Prepared(insert(Download).from_select(list(values), chosen, include_defaults=False).returning(Download.id))


def _rejoin(entry: Entry, claim: Claim, last: _Last, wanted: Intervals, *, state: str) -> Entry:
    had = _pairs(last.intervals)
    before = _had_before(wanted, had, last.state)
    values = {
        "state": state,
        "active_at": db_now(),
        "agent": claim.agent[:AGENT_LENGTH],
        "intervals": merge([*had, *before]),
        "bytes_sent": Download.bytes_sent + _length(before),
    }
    db.session.execute(update(Download).where(Download.id == entry.id).values(values))
    return replace(entry, is_believed=bool(before))


def _had_before(wanted: Intervals, had: Intervals, state: str) -> list[tuple[int, int]]:
    """What a client that goes on after its line broke must have got, though nobody wrote it down.

    Of a block that was refused an unknown part has left; of a transfer that ended with its server, an unknown number
    of blocks. Nobody may hold a whole document without a completed row, so whoever goes on from there is believed; such
    a row is not confirmed.
    """
    if state not in BROKEN:
        return []
    gaps = []
    for start, _ in wanted:
        known = max((stop for _, stop in had if stop <= start), default=0)
        is_inside = any(low <= start <= high for low, high in had)
        if not is_inside and (state == "interrupted" or start - known <= NEAR):
            gaps.append((known, start))
    return gaps


def _close(download_id: int) -> None:
    values = {"state": _ENDED, "closed_at": db_now()}
    db.session.execute(update(Download).where(Download.id == download_id).values(values))


def require_capacity(claim: Claim) -> None:
    """Raise TooManyTransfers when as many downloads run as may; the connections of one are counted once."""
    each, everybody = run(_running(), key=claim.key).one()
    if each >= settings().transfers_each:
        raise TooManyTransfers
    if everybody >= settings().transfers_all:
        raise TooManyTransfers("The portal is sending as much as it can. Try again in a few seconds.")


@cache
def _running() -> Find:
    """How many downloads of one actor, and of all, run now."""
    ours = and_(Download.state == "started", Download.active_at > db_later(-ACTIVE_SECONDS))
    theirs = and_(Download.state == "delegated", Download.active_at > db_later(-DELEGATED_SECONDS))
    count = select(func.count().filter(Download.actor_key == bindparam("key")), func.count())
    return count.where(Download.closed_at.is_(None), or_(ours, theirs))


def _length(intervals: Intervals) -> int:
    return sum(stop - start for start, stop in intervals)


def _pairs(intervals: list[list[int]]) -> list[tuple[int, int]]:
    return [(start, stop) for start, stop in intervals]
