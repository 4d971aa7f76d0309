"""The ledger of a zip: many members in one block, each with a row of its own, written in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from portal.catalog import Edition
from portal.downloads import ledger
from portal.downloads.claims import Claim, Entry
from portal.downloads.intervals import Intervals
from portal.downloads.statements import GIVEN, MAY_BE_CONFIRMED
from portal.extensions import db, lock_on, run, transaction
from portal.models import Download, db_now
from portal.prepared import Prepared

GROUP = 500
"""How many ids one statement names."""

# Built once: building them costs more than running them, and a large zip is many blocks.
_OPEN = select(Download.version_id).where(
    Download.actor_key == bindparam("key"),
    Download.version_id.in_(bindparam("versions", expanding=True)),
    Download.closed_at.is_(None),
)
_COMPLETE = (
    insert(Download)
    .values({name: bindparam(name) for name in GIVEN} | {"state": "completed", "closed_at": db_now()})
    .returning(Download.version_id, Download.id)
)
_CONFIRM = (
    update(Download)
    .where(Download.id.in_(bindparam("downloads", expanding=True)), *MAY_BE_CONFIRMED)
    .values(is_confirmed=True)
)


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
    return ledger.racing(lambda find: _hand_over(claim, parts, left, find))


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


def _hand_over(claim: Claim, parts: Sequence[Part], left: Sequence[Entry], find: Prepared) -> list[Entry]:
    with transaction():
        lock_on(f"zip:{claim.key}")
        _confirm(left)
        opened = _opened(claim, [part.edition.version_id for part in parts])
        fresh = [part for part in parts if part.is_whole and part.edition.version_id not in opened]
        ids = _insert(claim, fresh)
        return [_entry(claim, part, ids.get(part.edition.version_id), find) for part in parts]


def _entry(claim: Claim, part: Part, inserted: int | None, find: Prepared) -> Entry:
    if inserted is not None:
        return Entry(inserted)
    wanted, size = [(part.start, part.stop)], part.edition.size
    if part.entry is None:
        entry = ledger.join(claim, part.edition, wanted, part.handed, find)
        if not part.is_ending:
            return entry if entry.is_late else ledger.offering(entry, [(part.start, size)])
        if not (part.handed and (entry.is_late or entry.is_scattered)):  # those two are only found, not written to
            return entry
    else:
        entry = part.entry
    ledger.advance(entry, size, part.handed, part.stop - part.start, is_ending=part.is_ending)
    return entry


def _opened(claim: Claim, version_ids: Sequence[int]) -> set[int]:
    """Those of the versions that have an open row."""
    found: set[int] = set()
    for start in range(0, len(version_ids), GROUP):
        found |= set(run(_OPEN, key=claim.key, versions=version_ids[start : start + GROUP]).scalars())
    return found


def _insert(claim: Claim, parts: Sequence[Part]) -> dict[int, int]:
    """Completed rows, all at once; their ids by version."""
    if not parts:
        return {}
    rows = [ledger.values_of(claim, part.edition, part.handed) for part in parts]
    inserted = db.session.connection().execute(_COMPLETE, rows)
    return dict(inserted.all())


def _confirm(left: Sequence[Entry]) -> None:
    for start in range(0, len(left), GROUP):
        run(_CONFIRM, downloads=[entry.id for entry in left[start : start + GROUP]])
