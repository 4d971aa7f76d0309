"""Sending: the one door to bytes. What is opened here is checked, and no last block leaves before the ledger has it."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress

from portal.catalog import Edition
from portal.catalog.soundness import want
from portal.downloads import ledger
from portal.downloads.claims import Claim, Entry
from portal.downloads.intervals import NEAR, Intervals, length_of
from portal.downloads.lines import Line, lines
from portal.downloads.opening import open_bytes
from portal.errors import ContentUnavailable
from portal.extensions import application_context, release_connection
from portal.ranges import Span, merge, without
from portal.storage import OpenedBytes, Place

HEARTBEAT_SECONDS = 60.0
BLOCK = NEAR
"""What waits in memory for each slow reader when we send ourselves, and what may leave in part with nobody knowing."""
SENT_DIRECTLY = "portal.sent_directly"
"""Where in the environment of a request the access log finds how many bytes the server itself did not see."""
DIRECT_BLOCK = 256 * 1024
"""What the kernel is told to send at once: at 20 KiB/s it takes 13 seconds, and between two it is said that we live."""
LARGEST_BLOCK = 4 * 1024 * 1024
QUICK_SECONDS = 0.1
"""The same while each block takes less than that: then what is done between two of them is what holds a fast reader up.
Of one who gets slow within such a block it is said in between that it lives: the kernel sends 1 MiB at a time."""
AT_ONCE = 1024 * 1024
"""So much is written down in one statement before it leaves, and taken back if it does not."""


class Sending:
    """One answer on its way: spans of an edition, block by block, written down as they leave.

    The ledger is told before the last block leaves, so that nobody holds a whole document without a row. ``close``
    ends it, whether everything left or not; what did not leave is taken back. The request's own context is gone while
    bytes flow: the ledger is written in one of its own, and nothing is held in between.
    """

    def __init__(self, opened: OpenedBytes, edition: Edition, spans: Sequence[Span], entry: Entry, line: Line) -> None:
        self.edition = edition
        self.spans = tuple(spans)
        self.length = sum(span.length for span in spans)
        self._line = line
        self._opened = opened
        self._entry = entry
        self._context = application_context()
        self._rest = list(self.spans)
        is_counted = self.length <= AT_ONCE and not entry.is_scattered
        self._is_claimed = is_counted or entry.is_late
        self._is_complete = False
        self._is_done = False
        self._taken: list[tuple[int, int]] = []
        self._told: list[tuple[int, int]] = []
        self._offered: Span | None = None
        self._sent = 0
        self._pace = DIRECT_BLOCK
        self._beat = time.monotonic()

    @property
    def place(self) -> Place:
        """The directory and the name below it, for ``send_from_directory``."""
        return self._opened.place

    def next_block(self) -> tuple[Span, bytes] | None:
        """The next block and where it belongs, None at the end. Asking for it says that the one before has left."""
        where = self._next(BLOCK)
        if where is None:
            return None
        block = self._read(where)
        if not self._is_claimed:
            self._tell(where)
        self._offered = where
        return where, block

    def send_block(self, line: int) -> int:
        """Have the kernel send the next block to an open socket that waits; how many bytes, none at the end.

        Nothing is copied into this process (sendfile(2)), and what the kernel took of a block that it refused is known.
        Raises OSError when the line is broken, ContentUnavailable when the file is no longer what it was.
        """
        where = self._next(self._direct())
        if where is None:
            return 0
        if self._is_last(where) and not self._opened.is_unchanged():
            raise self._spoilt()
        if not self._is_claimed:
            self._tell(where)
        began = time.monotonic()
        self._hand_over(line, where)
        is_quick = time.monotonic() - began < QUICK_SECONDS
        self._pace = min(2 * self._pace, LARGEST_BLOCK) if is_quick else DIRECT_BLOCK
        return where.length

    def close(self) -> None:
        """Let go of the bytes; an answer that broke off is taken back or written down as aborted. May be repeated."""
        self._opened.close()
        self._line.end()
        if self._is_done:
            return
        self._is_done = True
        with self._context():
            self._break_off()

    def _read(self, where: Span) -> bytes:
        with suppress(OSError):
            block = os.pread(self._opened.handle.fileno(), where.length, where.start)
            if len(block) == where.length and (not self._is_last(where) or self._opened.is_unchanged()):
                return block
        raise self._spoilt()

    def _direct(self) -> int:
        """How much to send next. The last block is never a large one: it is written down before it leaves."""
        self._accept()
        return min(self._pace, max(self.length - self._sent - DIRECT_BLOCK, DIRECT_BLOCK))

    def _hand_over(self, line: int, where: Span) -> None:
        start, descriptor = where.start, self._opened.handle.fileno()
        while start < where.stop:
            self._offered = Span(start, where.stop)
            count = os.sendfile(line, descriptor, start, min(where.stop - start, AT_ONCE))
            if not count:
                raise self._spoilt()
            self._offered = Span(start, start + count)
            self._accept()
            start += count
            self._say_alive()

    def _spoilt(self) -> ContentUnavailable:
        """Something was done to the file, or happened to it, while it was read: it has to be looked at."""
        with self._context():
            want(self.edition.kept)
        return ContentUnavailable()

    def _next(self, most: int) -> Span | None:
        """Where the next block is, with so many bytes at most; at the end all that there was has left."""
        self._accept()
        if not self._rest:
            self._finish()
            return None
        span = self._rest[0]
        stop = min(span.start + most, span.stop)
        self._rest[:1] = [Span(stop, span.stop)] if stop < span.stop else []
        return Span(span.start, stop)

    def _is_last(self, where: Span) -> bool:
        return self._sent + where.length == self.length

    def _accept(self) -> None:
        if self._offered is not None:
            self._sent += self._offered.length
            self._taken = merge([*self._taken, (self._offered.start, self._offered.stop)])
            self._offered = None

    def _tell(self, where: Span) -> None:
        """Before the last block leaves: the whole answer. In between: that it is alive."""
        if self._is_last(where):
            rest = self._untold([(span.start, span.stop) for span in self.spans])
            with self._context():
                told = ledger.advance(self._entry, self.edition.size, rest, length_of(rest), is_ending=True)
            self._is_complete = told.is_complete
            self._is_claimed = True
        else:
            self._say_alive()

    def _say_alive(self) -> None:
        """Of a large answer, now and then, how much has left."""
        if not self._is_claimed and time.monotonic() - self._beat > HEARTBEAT_SECONDS:
            rest = self._untold(self._taken)
            with self._context():
                ledger.advance(self._entry, self.edition.size, rest, length_of(rest))
            self._told, self._beat = self._taken, time.monotonic()

    def _finish(self) -> None:
        self._is_done = True
        if self._entry.is_late:
            with self._context():
                ledger.advance(self._entry, self.edition.size, self._taken, self._sent, is_ending=True)
        elif self._is_complete:
            with self._context():
                ledger.confirm(self._entry)

    def _break_off(self) -> None:
        if self._entry.is_late:
            ledger.advance(self._entry, self.edition.size, self._taken, self._sent, is_ending=True)
        elif self._is_claimed:
            refused = without([(span.start, span.stop) for span in self.spans], self._taken)
            ledger.take_back(self._entry, self.edition.size, refused)
        else:
            place = self._offered.start if self._offered is not None else None
            size, rest = self.edition.size, self._untold(self._taken)
            ledger.advance(self._entry, size, rest, length_of(rest), "aborted", broke_off_at=place, is_ending=True)

    def _untold(self, intervals: Intervals) -> list[tuple[int, int]]:
        """What of it was not told before, for what is told twice counts as handed over twice."""
        return without(intervals, self._told)


def open_for_download(claim: Claim, edition: Edition, spans: Sequence[Span]) -> Sending:
    """Open the bytes of an edition for an actor who may have them, and write the download down.

    The spans may come back as the whole when the ledger holds too many pieces. Raises ContentUnavailable, with
    nothing written, when the bytes are not what the catalog says, TooManyTransfers and Busy.
    """
    release_connection()
    line = lines.take(claim.key)
    try:
        return _begun(claim, edition, spans, line)
    except BaseException:
        line.end()
        raise


def _begun(claim: Claim, edition: Edition, spans: Sequence[Span], line: Line) -> Sending:
    opened = open_bytes(edition)
    try:
        wanted = [(span.start, span.stop) for span in spans]
        is_short = sum(span.length for span in spans) <= AT_ONCE
        entry = ledger.begin(claim, edition, wanted, wanted if is_short else [])
        if entry.is_scattered:
            spans = (Span(0, edition.size),)
        return Sending(opened, edition, spans, entry, line)
    except BaseException:
        opened.close()
        raise
