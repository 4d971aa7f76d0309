"""Pieces of a document as people read them: in words, and as places on a bar."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from portal.sizes import size_text

BAR = 1000
"""How long the bar is, in its own units."""
NARROWEST = 1
"""A piece of one byte can be seen too, and many of them do not look like the whole."""


@dataclass(frozen=True)
class Piece:
    """The bytes from ``start`` up to, not including, ``stop``, of a document of ``size`` bytes."""

    start: int
    stop: int
    size: int

    @property
    def length(self) -> int:
        """How many bytes these are."""
        return self.stop - self.start

    @property
    def is_at_an_end(self) -> bool:
        """Whether it begins where the document begins, or ends where that ends, so that words suffice."""
        return self.start == 0 or self.stop == self.size

    @property
    def bounds(self) -> str:
        """``Bytes 5,000,000 to 9,999,999``: the first and the last of them, counted from 0 as HTTP does."""
        return f"Bytes {self.start:,} to {self.stop - 1:,}" if self.length > 1 else f"Byte {self.start:,}"

    @property
    def words(self) -> str:
        """``The first 1.2 MB``, ``The last 3 KB``, or from where to where."""
        if self.length == self.size:
            return "All of it"
        if self.start == 0:
            return f"The first {size_text(self.length)}"
        return f"The last {size_text(self.length)}" if self.stop == self.size else self.bounds

    @property
    def share(self) -> str:
        """How much of the document it is, in whole per cent, rounded down."""
        percent = self.length * 100 // self.size
        return f"{percent}\u00a0%" if percent else "below 1\u00a0%"

    @property
    def x(self) -> float:
        """Where it begins on the bar."""
        return round(min(self.start * BAR / self.size, BAR - NARROWEST), 2)

    @property
    def width(self) -> float:
        """How long it is on the bar."""
        return round(max(self.length * BAR / self.size, NARROWEST), 2)


def pieces_of(intervals: Iterable[Sequence[int]], size: int) -> list[Piece]:
    """The pieces of ``[start, stop)`` intervals that hold any bytes."""
    return [Piece(start, stop, size) for start, stop in intervals if start < stop]
