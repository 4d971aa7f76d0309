"""The ledger: one row per logical download, whose ranges are merged however many connections carry them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from sqlalchemy import and_, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import ReturningInsert

from portal.actors import Actor
from portal.catalog import Edition
from portal.errors import TooManyTransfers
from portal.extensions import db, run, settings, transaction
from portal.models import Download, db_later, db_now
from portal.ranges import covers, merge, without

MOST_INTERVALS = 256
"""More pieces than this are not kept apart: the whole is answered instead."""
JOIN_SECONDS = 24 * 3600
"""An unfinished download that moved no bytes for so long is over; the next request begins another."""
LATE_SECONDS = 10 * 60
"""A piece asked for so soon after completion belongs to the completed download: a client that opens many
connections goes on asking for pieces of what its first one already got."""
ACTIVE_SECONDS = 120
"""A transfer that moved no bytes for so long does not count against those allowed at once."""
AGENT_LENGTH = 300

Intervals = Sequence[tuple[int, int]]


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
    pieces that the whole is to be sent.
    """

    id: int
    is_late: bool = False
    is_scattered: bool = False


class _Last(NamedTuple):
    """What the newest row of an actor and version says: open, alive within a day, or completed just now."""

    id: int
    intervals: list[list[int]]
    is_open: bool
    is_alive: bool
    is_late: bool


_FIND_LAST = (
    select(
        Download.id,
        Download.intervals,
        Download.closed_at.is_(None),
        Download.active_at > db_later(-JOIN_SECONDS),
        and_(Download.state == "completed", Download.closed_at > db_later(-LATE_SECONDS)),
    )
    .where(Download.actor_key == bindparam("key"), Download.version_id == bindparam("version"))
    .order_by(Download.id.desc())
    .limit(1)
)


def claim_of(actor: Actor, agent: str) -> Claim:
    """The claim of a signed-in person."""
    return Claim(key=actor.key, user_id=actor.user_id, network=actor.network, agent=agent)


def begin(claim: Claim, edition: Edition, wanted: Intervals, handed: Intervals) -> Entry:
    """Join the open row of this actor and version, or write a new one.

    ``wanted`` is what will be sent; ``handed`` what leaves at once with the first block, empty when more blocks
    follow: so a small download costs one transaction. Raises TooManyTransfers. The unique index decides between two
    that begin at once; the loser joins.
    """
    try:
        return _begin(claim, edition, wanted, handed)
    except IntegrityError:
        return _begin(claim, edition, wanted, handed)


def advance(entry: Entry, size: int, handed: Intervals, sent: int, state: str = "started") -> bool:
    """Merge what was handed over into the row; True when that completes it, which closes it.

    ``sent`` is in bytes, repeated ones counted. ``state`` is what the row is otherwise: ``started``, ``aborted``.
    """
    with transaction() as session:
        this = Download.id == entry.id
        found = select(Download.intervals, Download.state, Download.closed_at).where(this).with_for_update()
        intervals, present, closed_at = session.execute(found).one()
        merged = merge([*_pairs(intervals), *handed])
        is_complete = covers(merged, size)
        values: dict[str, object] = {
            "intervals": merged[:MOST_INTERVALS],
            "bytes_sent": Download.bytes_sent + sent,
            "active_at": db_now(),
        }
        if present != "completed" and closed_at is None:
            values["state"] = "completed" if is_complete else state
            values["closed_at"] = db_now() if is_complete else None
        session.execute(update(Download).where(this).values(values))
    return is_complete


def confirm(entry: Entry) -> None:
    """The kernel took the last block too: from now on the row claims nothing it cannot stand for."""
    with transaction() as session:
        completed = (Download.id == entry.id, Download.state == "completed")
        session.execute(update(Download).where(*completed).values(is_confirmed=True))


def take_back(entry: Entry, refused: Intervals) -> None:
    """Pieces that were counted before they left did not leave: the download is unfinished and can be joined.

    When another row was begun meanwhile this one stays closed, as aborted.
    """
    try:
        _take_back(entry, refused, {"closed_at": None})
    except IntegrityError:
        _take_back(entry, refused, {})


def touch(entry: Entry, handed: Intervals) -> None:
    """A long transfer is alive, and has got so far."""
    with transaction() as session:
        this = Download.id == entry.id
        intervals = session.execute(select(Download.intervals).where(this).with_for_update()).scalar_one()
        merged = merge([*_pairs(intervals), *handed])[:MOST_INTERVALS]
        session.execute(update(Download).where(this).values(intervals=merged, active_at=db_now()))


def sweep(idle_seconds: int) -> int:
    """Mark transfers nobody has heard of for so long as ``interrupted``; how many that were.

    They stay open for a day, so that whoever comes back resumes the same download.
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
        session.execute(update(Download).where(*over).values(closed_at=db_now()))
    return len(marked)


def _begin(claim: Claim, edition: Edition, wanted: Intervals, handed: Intervals) -> Entry:
    is_part = not covers(merge(wanted), edition.size)
    with transaction():
        last = _find_last(claim, edition)
        if last is not None and last.is_open and not last.is_alive:
            _close(last.id)
            last = None
        if last is None or not (last.is_open or (is_part and last.is_late)):
            if not handed:
                _require_capacity(claim)
            return _insert(claim, edition, handed)
        is_scattered = is_part and len(last.intervals) >= MOST_INTERVALS
        entry = Entry(last.id, is_late=not last.is_open, is_scattered=is_scattered)
        if handed and last.is_open and not is_scattered:
            advance(entry, edition.size, handed, sum(stop - start for start, stop in handed))
        elif last.is_open:
            _rejoin(entry, claim)
    return entry


def _find_last(claim: Claim, edition: Edition) -> _Last | None:
    """The newest row of this actor and version."""
    row = run(_FIND_LAST, key=claim.key, version=edition.version_id).first()
    return _Last(*row) if row is not None else None


def _take_back(entry: Entry, refused: Intervals, reopened: dict[str, object]) -> None:
    with transaction() as session:
        this = (Download.id == entry.id, Download.is_confirmed.is_(False))
        intervals = session.scalar(select(Download.intervals).where(*this).with_for_update())
        if intervals is None:
            return
        values: dict[str, object] = {
            "state": "aborted",
            "intervals": without(_pairs(intervals), refused),
            "bytes_sent": Download.bytes_sent - sum(stop - start for start, stop in refused),
            "active_at": db_now(),
        }
        session.execute(update(Download).where(*this).values(values | reopened))


def _insert(claim: Claim, edition: Edition, handed: Intervals) -> Entry:
    is_complete = bool(handed or not edition.size) and covers(merge(handed), edition.size)
    row = run(
        _insert_statement(is_complete),
        actor_key=claim.key,
        user_id=claim.user_id,
        link_id=claim.link_id,
        ticket_id=claim.ticket_id,
        network=claim.network,
        agent=claim.agent[:AGENT_LENGTH],
        document_id=edition.document_id,
        version_id=edition.version_id,
        intervals=merge(handed),
        bytes_sent=sum(stop - start for start, stop in handed),
    )
    return Entry(row.scalar_one())


@cache
def _insert_statement(is_complete: bool) -> ReturningInsert[int]:
    """Built once: the hot path pays for running it, not for writing it."""
    given = "actor_key user_id link_id ticket_id network agent document_id version_id intervals bytes_sent".split()
    values: dict[str, object] = {name: bindparam(name) for name in given}
    values["state"] = "completed" if is_complete else "started"
    values["closed_at"] = db_now() if is_complete else None
    return insert(Download).values(values).returning(Download.id)


def _rejoin(entry: Entry, claim: Claim) -> None:
    values = {"state": "started", "active_at": db_now(), "agent": claim.agent[:AGENT_LENGTH]}
    db.session.execute(update(Download).where(Download.id == entry.id).values(values))


def _close(download_id: int) -> None:
    still = {"started": "interrupted"}
    state = db.session.scalars(select(Download.state).where(Download.id == download_id)).one()
    values = {"state": still.get(state, state), "closed_at": db_now()}
    db.session.execute(update(Download).where(Download.id == download_id).values(values))


def _require_capacity(claim: Claim) -> None:
    """Downloads running now, the connections of one counted once."""
    running = (
        Download.closed_at.is_(None),
        Download.state == "started",
        Download.active_at > db_later(-ACTIVE_SECONDS),
    )
    count = select(func.count()).select_from(Download).where(*running)
    if db.session.scalars(count.where(Download.actor_key == claim.key)).one() >= settings().transfers_each:
        raise TooManyTransfers
    if db.session.scalars(count).one() >= settings().transfers_all:
        raise TooManyTransfers("The portal is sending as much as it can. Try again in a few seconds.")


def _pairs(intervals: list[list[int]]) -> list[tuple[int, int]]:
    return [(start, stop) for start, stop in intervals]
