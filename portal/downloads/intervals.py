"""What a row of the ledger holds: ``(start, stop)`` pairs of bytes, and what follows from them. Pure."""

from collections.abc import Sequence

from portal.ranges import without

BROKEN = ("aborted", "interrupted")
NEAR = 64 * 1024
"""A block that was refused may have left in part: whoever goes on from within it has what is before."""

Intervals = Sequence[tuple[int, int]]


def length_of(intervals: Intervals) -> int:
    """Bytes in all of them."""
    return sum(stop - start for start, stop in intervals)


def pairs(intervals: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """The intervals as JSON brings them, as pairs."""
    return [(start, stop) for start, stop in intervals]


def had_before(wanted: Intervals, had: Intervals, state: str) -> list[tuple[int, int]]:
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


def left_of(had: Intervals, bytes_sent: int, refused: Intervals, fresh: Intervals) -> Intervals:
    """What a row still holds without pieces that were refused, when so many bytes are left that did leave.

    While these are enough for all of it, somebody else may have handed the pieces over too. Then what nobody had before
    goes, and if even that is more than left, all of it.
    """
    candidates = (had, without(had, without(refused, without(refused, fresh))), without(had, refused))
    return next((left for left in candidates if length_of(left) <= bytes_sent), candidates[-1])
