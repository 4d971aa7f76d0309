"""Lines: the connections on which this process sends. Each holds a thread as long as its reader is slow.

The ledger counts the connections of one download once, so one document would be enough to hold every thread. What is
counted here are the answers themselves, small ones and those of zips too.
"""

import math
from threading import Lock
from weakref import WeakSet

from portal.errors import Busy, TooManyTransfers

PART = 4
"""The last of so many parts of all lines is kept for those who do not have as many as that already."""


class Line:
    """One answer on its way. If it is lost without its end it takes no place for ever: references to it are weak."""

    def __init__(self, lines: "Lines", key: str) -> None:
        self._lines = lines
        self._key = key

    def end(self) -> None:
        """It has ended, whether all left or not. May be repeated."""
        self._lines.drop(self, self._key)


class Lines:
    """Those of one process, by actor."""

    def __init__(self, most: float = math.inf) -> None:
        self._lock = Lock()
        self._all: WeakSet[Line] = WeakSet()
        self._of: dict[str, WeakSet[Line]] = {}
        self._most = most

    def limit(self, most: float) -> None:
        """Send on so many at once, all in all, so that threads are left for everything else."""
        self._most = most

    def __len__(self) -> int:
        """How many there are now."""
        return len(self._all)

    def take(self, key: str) -> Line:
        """A line for this actor. Raises Busy when there is none, TooManyTransfers when what is left is for others."""
        line = Line(self, key)
        with self._lock:
            left = self._most - len(self._all)
            if left <= 0:
                raise Busy
            if left <= self._most / PART <= len(self._of.get(key, ())):
                raise TooManyTransfers
            self._all.add(line)
            self._of.setdefault(key, WeakSet()).add(line)
        return line

    def drop(self, line: Line, key: str) -> None:
        """Forget a line that has ended."""
        with self._lock:
            self._all.discard(line)
            ours = self._of.get(key)
            if ours is not None:
                ours.discard(line)
                if not ours:
                    del self._of[key]


lines = Lines()
"""Those of this process: what is scarce are its threads, whatever the number of applications in it."""
