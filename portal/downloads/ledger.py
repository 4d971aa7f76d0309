"""The ledger: one row per logical download, whose ranges are merged however many connections carry them."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from portal.catalog import Edition
from portal.downloads import belief, budgets, closing, statements, transfers
from portal.downloads.budgets import TICKET_OVER
from portal.downloads.claims import Claim, Entry, Last, Told
from portal.downloads.intervals import Intervals, common, gone_on, length_of, pairs, taken_back
from portal.errors import Busy, ShareExpired, TooManyTransfers
from portal.extensions import find_one, settings, transaction, write_one
from portal.models import Download, db_now
from portal.prepared import Prepared
from portal.ranges import covers, merge, without

MOST_INTERVALS = 256
"""More pieces than this are not kept apart: the whole is answered instead."""
AGENT_LENGTH = 300
RACES = 8

Result = TypeVar("Result")


def begin(claim: Claim, edition: Edition, wanted: Intervals, handed: Intervals) -> Entry:
    """Join the open row of this actor and version, or write a new one.

    ``wanted`` is what will be sent; ``handed`` what leaves at once with the first block, empty when more blocks
    follow: so a small download costs one transaction. Raises TooManyTransfers, Busy, and ShareExpired for a ticket
    that was given back or has sent what it may. The unique index decides between two that begin at once; the loser
    joins.
    """
    if handed and claim.ticket_id is None and covers(handed, edition.size):
        at_once = write_one(statements.complete_at_once(), **_new_row(claim, edition, handed, "completed"))
        if at_once is not None:
            return Entry(at_once[0])
    return racing(lambda find: _begin(claim, edition, wanted, handed, find))


def racing(write: Callable[[Prepared], Result]) -> Result:
    """Run a transaction that calls ``join``, again while somebody else begins the same download in that instant.

    Each time one of those who race gets through; a row that was in the way may be complete by the next look.
    """
    for _ in range(RACES):
        for find in (statements.FIND_LAST, statements.FIND_OPEN):
            with suppress(IntegrityError):
                return write(find)
    return write(statements.FIND_LAST)


def advance(
    entry: Entry,
    size: int,
    handed: Intervals,
    sent: int,
    state: str = "started",
    *,
    before: Intervals | None = None,
    broke_off_at: int | None = None,
    is_ending: bool = False,
) -> Told:
    """Merge what was handed over into the row, which closes it when that completes it.

    ``sent`` is in bytes, repeated ones counted. ``state`` is what the row is otherwise: ``started``, ``aborted``. A
    row that was closed as unfinished meanwhile can still be completed, for whoever sent so slowly has it all now.
    ``before`` is what is believed of what went before, see ``belief``; unless given it follows from the row, and from
    the place of a block of this answer that was refused, ``broke_off_at``. With ``is_ending`` the answer has nothing
    more to tell.
    """
    with transaction():
        intervals, repeated, present, closed_at = _found(find_one(statements.STANDING, download=entry.id))
        had = pairs(intervals)
        if before is None:
            before = belief.on_telling(present, had, handed, broke_off_at)
        merged = merge([*had, *handed, *before])
        is_complete = covers(merged, size)
        is_closing = is_complete and present != "completed"
        if not is_closing and (present == "completed" or closed_at is not None):
            state = present
        write_one(
            statements.ADVANCE,
            download=entry.id,
            intervals=merged,
            repeated=[*pairs(repeated), *common(handed, had)][-MOST_INTERVALS:],
            more=sent + length_of(before),
            state="completed" if is_closing else state,
            is_closing=is_closing,
            is_believed=bool(before),
        )
        if is_ending and entry.transfer is not None:
            transfers.end(entry.transfer)
    return Told(is_complete, without(handed, had))


def confirm(entry: Entry) -> None:
    """The kernel took the last block too: from now on the row claims nothing it cannot stand for."""
    write_one(statements.CONFIRM, download=entry.id)


def take_back(entry: Entry, size: int, refused: Intervals) -> None:
    """Pieces that were counted before they left did not leave: the download is unfinished and can be joined.

    What others handed over too stays. When another row was begun meanwhile this one stays closed, as aborted.
    """
    try:
        reopen(entry, size, refused)
    except IntegrityError:
        _take_back(entry, size, refused, {})


def reopen(entry: Entry, size: int, refused: Intervals) -> None:
    """The same; raises IntegrityError when another row was begun meanwhile."""
    _take_back(entry, size, refused, {"closed_at": None})


def join(
    claim: Claim,
    edition: Edition,
    wanted: Intervals,
    handed: Intervals,
    find: Prepared = statements.FIND_LAST,
    *,
    state: str = "started",
) -> Entry:
    """The row of this actor and version that is open, or was completed just now, or else a new one.

    ``state`` is what an unfinished one is from now on. To one that is late or scattered nothing of what was ``handed``
    is added: whoever sends it all the same tells of it. For inside a transaction that ``racing`` runs: raises like
    ``begin``, and IntegrityError when somebody else began one in the same instant.
    """
    is_part = not covers(wanted, edition.size)
    with transaction():
        _require_ticket(claim)
        last = _find(find, claim, edition)
        if last is not None and last.is_open and not last.is_alive:
            closing.close(last.id)
            last = None
        if claim.ticket_id is not None:
            is_part = True  # whatever a ticket asks for is a piece of its one download
            is_scattered = last is not None and len(last.intervals) >= MOST_INTERVALS
            budgets.require_budget(last, edition.size, edition.size if is_scattered else length_of(wanted))
        if last is None or not (last.is_open or (is_part and last.is_late)):
            if not handed:
                require_capacity(claim)
            return _insert(claim, edition, handed, state)
        is_scattered = is_part and len(last.intervals) >= MOST_INTERVALS
        entry = Entry(last.id, is_late=not last.is_open, is_scattered=is_scattered)
        if not last.is_open:
            return entry
        before = belief.on_going_on(last.id, last.state, pairs(last.intervals), wanted)
        if handed and not is_scattered:
            advance(entry, edition.size, handed, length_of(handed), before=before)
            return entry
        _rejoin(entry, claim, last, before, state=state)
        return entry


def offering(entry: Entry, spans: Intervals) -> Entry:
    """Note that we send these spans and tell of them only when that ends; for inside the transaction of ``join``."""
    return replace(entry, transfer=transfers.note(entry.id, spans))


def _begin(claim: Claim, edition: Edition, wanted: Intervals, handed: Intervals, find: Prepared) -> Entry:
    with transaction():
        entry = join(claim, edition, wanted, handed, find)
        is_told = entry.is_late or (handed and not entry.is_scattered)
        if is_told and not (entry.is_late and claim.ticket_id is not None):  # what a ticket still gets is counted
            return entry
        return offering(entry, [(0, edition.size)] if entry.is_scattered else wanted)


def _find(statement: Prepared, claim: Claim, edition: Edition) -> Last | None:
    row = find_one(statement, key=claim.key, version=edition.version_id)
    return Last(*row) if row is not None else None


def _found(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    """The row of a statement that always has one; no row of the ledger is ever removed."""
    if row is None:
        raise LookupError("the ledger does not have this row")
    return row


def _require_ticket(claim: Claim) -> None:
    """A ticket is given back or used, never both, and used by one after the other: all stand in line for its row."""
    if claim.ticket_id is not None and _found(find_one(statements.TICKET, ticket=claim.ticket_id))[0] is not None:
        raise ShareExpired(TICKET_OVER)


def _take_back(entry: Entry, size: int, refused: Intervals, reopened: dict[str, object]) -> None:
    with transaction() as session:
        this = Download.id == entry.id
        intervals, repeated, _, _ = _found(find_one(statements.STANDING, download=entry.id))
        left, repeated = taken_back(pairs(intervals), pairs(repeated), refused)
        before = gone_on(min(start for start, _ in refused), left)
        left = merge([*left, *before])
        values: dict[str, object] = {
            "intervals": left,
            "repeated": repeated,
            "bytes_sent": Download.bytes_sent - length_of(refused),
            "active_at": db_now(),
            "is_confirmed": False,
        }
        if before:
            values["believed_at"] = db_now()
        if not covers(left, size):
            values |= {"state": "aborted"} | reopened
        session.execute(update(Download).where(this).values(values))


def _insert(claim: Claim, edition: Edition, handed: Intervals, state: str) -> Entry:
    is_complete = bool(handed or not edition.size) and covers(handed, edition.size)
    values = _new_row(claim, edition, handed, "completed" if is_complete else state)
    return Entry(_found(write_one(statements.insert_row(), **values, is_closing=is_complete))[0])


def values_of(claim: Claim, edition: Edition, handed: Intervals) -> dict[str, Any]:
    """What a new row says, by the names of ``statements.GIVEN``."""
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
        "bytes_sent": length_of(handed),
    }


def _new_row(claim: Claim, edition: Edition, handed: Intervals, state: str) -> dict[str, Any]:
    return values_of(claim, edition, handed) | {"uuid": uuid4(), "state": state}


def _rejoin(entry: Entry, claim: Claim, last: Last, before: Intervals, *, state: str) -> None:
    write_one(
        statements.REJOIN,
        download=entry.id,
        intervals=merge([*pairs(last.intervals), *before]),
        more=length_of(before),
        state=state,
        agent=claim.agent[:AGENT_LENGTH],
        is_believed=bool(before),
    )


def require_capacity(claim: Claim) -> None:
    """Raise TooManyTransfers when as many downloads of the actor run as may, Busy when of everybody; see ``lines``."""
    each, everybody = _found(find_one(statements.count_running(), key=claim.key))
    if each >= settings().transfers_each:
        raise TooManyTransfers
    if everybody >= settings().transfers_all:
        raise Busy
