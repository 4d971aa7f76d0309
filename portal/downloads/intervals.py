"""What a row of the ledger holds: ``(start, stop)`` pairs of bytes, and what follows from them. Pure."""

from collections.abc import Sequence

from portal.ranges import without

NEAR = 48 * 1024
"""A block that was refused may have left in part: whoever goes on from within it has what is before."""

Intervals = Sequence[tuple[int, int]]


def length_of(intervals: Intervals) -> int:
    """Bytes in all of them."""
    return sum(stop - start for start, stop in intervals)


def pairs(intervals: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """The intervals as JSON brings them, as pairs."""
    return [(start, stop) for start, stop in intervals]


def unknown(wanted: Intervals, had: Intervals) -> list[tuple[int, int]]:
    """What is before the places somebody goes on from, and was not handed over as far as anybody knows."""
    gaps = []
    for start, _ in wanted:
        known = max((stop for _, stop in had if stop <= start), default=0)
        if not any(low <= start <= high for low, high in had):
            gaps.append((known, start))
    return gaps


def gone_on(place: int | None, had: Intervals) -> list[tuple[int, int]]:
    """What is between a place where an answer broke off and the next that somebody else was sent."""
    starts = [start for start, _ in had if place is not None and start > place]
    return [(place, min(starts))] if place is not None and starts else []


def near(gaps: Intervals) -> list[tuple[int, int]]:
    """Those within one block that was refused: of it an unknown part has left."""
    return [(known, start) for known, start in gaps if start - known <= NEAR]


def offered(gaps: Intervals, spans: Intervals) -> list[tuple[int, int]]:
    """Of each gap what an answer that offered these spans, and ended with its server, may have filled."""
    return [(max(known, low), start) for known, start in gaps for low, high in spans if low < start < high]


def left_of(had: Intervals, bytes_sent: int, refused: Intervals, fresh: Intervals) -> Intervals:
    """What a row still holds without pieces that were refused, of so many bytes that were sent with them.

    While what is left is enough for all of it, somebody else may have handed the pieces over too; of the block that was
    refused first they need not have sent what had left of it. Then what nobody had before goes, and if even that is
    more than left, all of it.
    """
    left = bytes_sent - length_of(refused)
    is_shared = bytes_sent > length_of(had)
    if length_of(had) <= left + (NEAR if is_shared else 0):
        return had
    candidates = (without(had, without(refused, without(refused, fresh))), without(had, refused))
    return next((found for found in candidates if length_of(found) <= left), candidates[-1])
