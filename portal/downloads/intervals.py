"""What a row of the ledger holds: ``(start, stop)`` pairs of bytes, and what follows from them. Pure."""

from collections.abc import Sequence

from portal.ranges import without

NEAR = 64 * 1024
"""A block that was refused may have left in part: whoever goes on from within it has what is before."""

Intervals = Sequence[tuple[int, int]]


def length_of(intervals: Intervals) -> int:
    """Bytes in all of them."""
    return sum(stop - start for start, stop in intervals)


def pairs(intervals: Sequence[Sequence[int]] | None) -> list[tuple[int, int]]:
    """The intervals as the database has them, as pairs."""
    return [(start, stop) for start, stop in intervals or ()]


def unknown(wanted: Intervals, had: Intervals) -> list[tuple[int, int]]:
    """What is before the places somebody goes on from, and was not handed over as far as anybody knows."""
    gaps = []
    for start, _ in wanted:
        known = max((stop for _, stop in had if stop <= start), default=0)
        if not any(low <= start <= high for low, high in had):
            gaps.append((known, start))
    return gaps


def gone_on(place: int | None, had: Intervals) -> list[tuple[int, int]]:
    """What is between the start of a block that was refused and where somebody else was sent on from within it.

    Whoever was sent on from its end had nothing to do with it: a block that came whole was not refused.
    """
    if place is None:
        return []
    starts = [start for start, _ in had if place < start < place + NEAR]
    return [(place, min(starts))] if starts else []


def near(gaps: Intervals) -> list[tuple[int, int]]:
    """Those within one block that was refused: of it an unknown part has left."""
    return [(known, start) for known, start in gaps if start - known <= NEAR]


def offered(gaps: Intervals, spans: Intervals) -> list[tuple[int, int]]:
    """Of each gap what an answer that offered these spans, and ended with its server, may have filled."""
    return [(max(known, low), start) for known, start in gaps for low, high in spans if low < start < high]


def common(one: Intervals, other: Intervals) -> list[tuple[int, int]]:
    """What is in both."""
    return without(one, without(one, other))


def taken_back(had: Intervals, repeated: Intervals, refused: Intervals) -> tuple[Intervals, Intervals]:
    """What a row holds, and holds once more, without pieces that were refused: once each, so what others sent stays."""
    kept: list[tuple[int, int]] = []
    for pair in repeated:
        once = common([pair], refused)
        kept += without([pair], once)
        refused = without(refused, once)
    return without(had, refused), kept
