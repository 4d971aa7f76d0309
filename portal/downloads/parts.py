"""The ledger of a zip: many members in one block, each with a row of its own, written in one transaction."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from portal.catalog import Edition
from portal.downloads import ledger
from portal.downloads.claims import Claim, Entry
from portal.downloads.intervals import Intervals
from portal.extensions import db, lock_on, transaction
from portal.models import Download, db_now

GROUP = 500
"""How many ids one statement names."""


@dataclass(frozen=True)
class Part:
    """Bytes of one member: from ``start`` up to, not including, ``stop``, of its own bytes.

    ``ends_at`` is the place in the zip behind them. With ``is_ending`` no more of it follows in this answer, and it
    counts as handed over; otherwise it only begins. ``entry`` is the row it has already, when it began in an earlier
    block.
    """

    edition: Edition
    start: int
    stop: int
    ends_at: int
    is_ending: bool = True
    entry: Entry | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it begins and ends here."""
        return self.entry is None and self.is_ending and (self.start, self.stop) == (0, self.edition.size)

    @property
    def handed(self) -> Intervals:
        """What leaves and is to be counted."""
        return [(self.start, self.stop)] if self.is_ending else []

    def beyond(self, place: int) -> Intervals:
        """What of it is not before this place in the zip."""
        start = max(self.start, self.stop - max(self.ends_at - place, 0))
        return [(start, self.stop)] if start < self.stop else []


def hand_over(claim: Claim, parts: Sequence[Part], left: Sequence[Entry]) -> list[Entry]:
    """Write down what is about to leave, and confirm what has left, in one transaction; the row of each part.

    Connections that fetch the same zip take turns; one that fetches a single member of it may be met, and is joined.
    """
    if not parts and not left:
        return []
    for _ in range(ledger.RACES):
        with suppress(IntegrityError):
            return _hand_over(claim, parts, left)
    return _hand_over(claim, parts, left)


def give_back(refused: Sequence[tuple[Entry, int, Intervals]]) -> None:
    """Take back what did not leave of rows, each with the size of its edition and the bytes, in one transaction.

    Of one that fails nothing is left: when another row was begun meanwhile it is done one by one.
    """
    if not refused:
        return
    try:
        with transaction():
            for entry, size, pieces in refused:
                ledger.reopen(entry, size, pieces)
    except IntegrityError:
        for entry, size, pieces in refused:
            ledger.take_back(entry, size, pieces)


def _hand_over(claim: Claim, parts: Sequence[Part], left: Sequence[Entry]) -> list[Entry]:
    with transaction():
        lock_on(f"zip:{claim.key}")
        _confirm(left)
        opened = _opened(claim, [part.edition.version_id for part in parts])
        fresh = [part for part in parts if part.is_whole and part.edition.version_id not in opened]
        ids = dict(zip((part.edition.version_id for part in fresh), _insert(claim, fresh), strict=True))
        return [_entry(claim, part, ids.get(part.edition.version_id)) for part in parts]


def _entry(claim: Claim, part: Part, inserted: int | None) -> Entry:
    if inserted is not None:
        return Entry(inserted)
    wanted, size = [(part.start, part.stop)], part.edition.size
    if part.entry is None:
        offers = () if part.is_ending else [(part.start, size)]
        entry = ledger.join(claim, part.edition, wanted, part.handed, offers=offers)
        if not (entry.is_late and part.handed):
            return entry
    else:
        entry = part.entry
    ledger.advance(entry, size, part.handed, part.stop - part.start, is_ending=part.is_ending)
    return entry


def _opened(claim: Claim, version_ids: Sequence[int]) -> set[int]:
    """Those of the versions that have an open row."""
    found: set[int] = set()
    for start in range(0, len(version_ids), GROUP):
        these = Download.version_id.in_(version_ids[start : start + GROUP])
        mine = (Download.actor_key == claim.key, these, Download.closed_at.is_(None))
        found |= set(db.session.scalars(select(Download.version_id).where(*mine)))
    return found


def _insert(claim: Claim, parts: Sequence[Part]) -> Sequence[int]:
    """Completed rows, all at once; their ids in the order of the parts."""
    if not parts:
        return []
    rows = [ledger.values_of(claim, part.edition, part.handed) for part in parts]
    columns: dict[str, object] = {name: bindparam(name) for name in rows[0]}
    statement = insert(Download).values(columns | {"state": "completed", "closed_at": db_now()})
    statement = statement.returning(Download.id, sort_by_parameter_order=True)
    return db.session.connection().execute(statement, rows).scalars().all()


def _confirm(left: Sequence[Entry]) -> None:
    for start in range(0, len(left), GROUP):
        these = Download.id.in_([entry.id for entry in left[start : start + GROUP]])
        completed = update(Download).where(these, Download.state == "completed")
        db.session.execute(completed.values(is_confirmed=True))
