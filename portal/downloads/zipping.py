"""Sending a zip: block by block, each member through the one door to bytes and with a row of its own in the ledger."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from portal.archives import LITERAL, Slice
from portal.catalog import Edition
from portal.downloads import ledger
from portal.downloads.claims import Claim, Entry
from portal.downloads.lines import Line, lines
from portal.downloads.members import Members
from portal.downloads.packing import Archive
from portal.downloads.parts import Part, give_back, hand_over
from portal.downloads.sending import AT_ONCE, BLOCK, HEARTBEAT_SECONDS
from portal.extensions import application_context
from portal.ranges import Span

PIECES = 8
"""Of so many pieces is a block for a slow reader: each waits in memory, of 16 KiB at the most, or is an open file."""
ROOM = AT_ONCE + BLOCK
"""And of so many bytes: a member that is written down at once, and what is around it."""
FASTEST = 32
"""A fast reader gets so many times as much in one block, for each costs a flush."""
SHARED = 2048
"""Whoever is one of n gets an n-th of so many pieces, if that is more: every second may be an open file, and 2,000
readers who were quick and then stand still keep 13,000 open at the most, of the 16,384 of a process."""
QUICK_SECONDS = 0.1
"""Whoever takes a block in less gets twice as much in the next one, anybody else half as much."""


@dataclass(frozen=True)
class _Block:
    """A run of the zip that leaves at once. ``is_last``: its span ends with it."""

    where: Span
    pieces: Sequence[bytes | Slice]
    is_last: bool

    @property
    def slices(self) -> list[Slice]:
        """Those of members, each of another one."""
        return [piece for piece in self.pieces if isinstance(piece, Slice)]


@dataclass
class _Running:
    """A member that goes on in the next block: from where it was begun, offered up to where, and left up to where.

    ``ends_at`` is the place in the zip behind what was offered.
    """

    edition: Edition
    entry: Entry
    start: int
    offered: int
    left: int
    ends_at: int

    @property
    def part(self) -> Part:
        """All of it that was offered, when it ends."""
        return Part(self.edition, self.start, self.offered, self.ends_at, entry=self.entry)


class ZipSending:
    """One answer on its way: spans of a zip. The same interface as ``Sending``, with many rows behind it.

    Before a block leaves, one transaction marks every member that ends in it. A member that cannot be read ends the
    answer: the next block raises ContentUnavailable, and what is sent is shorter than announced. No row claims more
    than 1 MiB that has not left.
    """

    def __init__(self, archive: Archive, claim: Claim, spans: Sequence[Span], line: Line) -> None:
        self.spans = tuple(spans)
        self._line = line
        self._layout = archive.layout
        self._claim = claim
        self._context = application_context()
        self._members = Members(archive)
        self._rest = list(self.spans)
        self._running: _Running | None = None
        self._offered: list[tuple[Part, Entry]] = []
        self._left: list[Entry] = []
        self._left_to = 0
        self._pace = 1
        self._is_done = False
        self._beat = time.monotonic()

    def next_block(self) -> tuple[Span, bytes] | None:
        """The next block and where it belongs, None at the end. Asking for it says that the one before has left."""
        with self._context():
            block = self._next(BLOCK, PIECES)
            if block is None:
                return None
            content = b"".join(map(self._content, block.pieces))
            self._tell(block)
            return block.where, content

    def send_block(self, line: int) -> int:
        """Have the kernel send the next block to an open socket that waits; how many bytes, none at the end.

        Of a block that is refused it is known what the kernel took. Raises OSError when the line is broken,
        ContentUnavailable when a member is no longer what it was.
        """
        with self._context():
            block = self._next(self._pace * ROOM, min(self._pace * PIECES, max(SHARED // len(lines), PIECES)))
            if block is None:
                return 0
            portions = self._portions(block)
            self._tell(block)
        began = time.monotonic()
        for portion in portions:
            if isinstance(portion, Slice):
                self._send_member(line, portion)
            else:
                self._send_bytes(line, portion)
        is_quick = time.monotonic() - began < QUICK_SECONDS
        self._pace = min(self._pace * 2, FASTEST) if is_quick else max(self._pace // 2, 1)
        return block.where.length

    def close(self) -> None:
        """Let go of the bytes; what was written down and did not leave is taken back. May be repeated."""
        self._members.close()
        self._line.end()
        if self._is_done:
            return
        self._is_done = True
        with self._context():
            self._break_off()

    def _next(self, most: int, count: int) -> _Block | None:
        """The next block, with so many bytes and pieces at most; at the end all that there was has left."""
        self._accept()
        if not self._rest:
            self._finish()
            return None
        span = self._rest[0]
        pieces = list(self._gathered(span, most, count))
        where = Span(span.start, span.start + sum(map(len, pieces)))
        self._rest[:1] = [Span(where.stop, span.stop)] if where.stop < span.stop else []
        self._left_to = where.start
        block = _Block(where, pieces, is_last=where.stop == span.stop)
        self._members.reach({*self._layout.ending(where.start, where.stop), *(piece.index for piece in block.slices)})
        return block

    def _gathered(self, span: Span, most: int, count: int) -> Iterator[bytes | Slice]:
        """What the next block is made of."""
        place = span.start
        for piece in islice(self._layout.pieces(span.start, min(span.start + most, span.stop)), count):
            place += len(piece)
            fitting = self._fitting(piece, place, span.stop, most) if isinstance(piece, Slice) else piece
            if fitting is not None:
                yield fitting
            if fitting is not piece:
                return

    def _fitting(self, piece: Slice, place: int, stop: int, most: int) -> Slice | None:
        """As much of a slice that comes to this place in the zip as may leave in one block.

        A small member does not begin in a block without ending in it: that would cost two transactions. What is
        written down as handed over is no more than AT_ONCE of each.
        """
        member = self._layout.extent(piece.index)
        if place in (member.stop, stop):
            return replace(piece, stop=piece.stop - AT_ONCE) if len(piece) > AT_ONCE else piece
        return piece if len(member) > min(AT_ONCE, most // 2) else None

    def _portions(self, block: _Block) -> list[bytes | Slice]:
        """A block as it is sent: what is small is read and joined, of what is large the file is open."""
        portions: list[bytes | Slice] = []
        small = bytearray()
        for piece in block.pieces:
            if isinstance(piece, Slice) and len(piece) > LITERAL:
                self._members.opened(piece.index)
                portions += [bytes(small), piece]
                small.clear()
            else:
                small += self._content(piece)
        return [*portions, bytes(small)]

    def _content(self, piece: bytes | Slice) -> bytes:
        return self._members.read(piece) if isinstance(piece, Slice) else piece

    def _send_bytes(self, line: int, content: bytes) -> None:
        start = 0
        while start < len(content):
            count = os.write(line, memoryview(content)[start:])
            start += count
            self._left_to += count

    def _send_member(self, line: int, piece: Slice) -> None:
        start, opened = piece.start, self._members.opened(piece.index)
        while start < piece.stop:
            is_right = opened.is_unchanged()
            most = min(piece.stop - start, AT_ONCE)
            count = os.sendfile(line, opened.handle.fileno(), start, most) if is_right else 0
            if not count:
                with self._context():
                    raise self._members.spoilt(piece.index)
            start += count
            self._left_to += count
            self._say_alive()

    def _accept(self) -> None:
        """What was offered has left."""
        self._left += [entry for _, entry in self._offered]
        self._offered = []
        if self._running is not None:
            self._running.left = self._running.offered
            self._left_to = self._running.ends_at

    def _finish(self) -> None:
        self._is_done = True
        self._members.close()
        hand_over(self._claim, [], self._left)

    def _break_off(self) -> None:
        """What the last block said has left and did not is taken back; the rest is confirmed."""
        short = [(part, entry, part.beyond(self._left_to)) for part, entry in self._offered]
        self._left += [entry for part, entry, _ in short if part.ends_at <= self._left_to]
        give_back([(entry, part.edition.size, refused) for part, entry, refused in short if refused])
        if self._running is not None:
            running = self._settled(self._running)
            self._note(running, "aborted", is_ending=True)
        hand_over(self._claim, [], self._left)

    def _tell(self, block: _Block) -> None:
        """Write down what begins and what ends in this block; within a large member, now and then, that it is alive."""
        running, slices = self._running, block.slices
        if running is not None:  # what was not ended is what goes on now
            running.offered, running.ends_at = slices[0].stop, self._place(slices[0])
            slices = slices[1:]
        is_ended = running is not None and (block.is_last or running.offered == running.edition.size)
        begun = [self._part(piece, is_last=block.is_last) for piece in slices] + self._empty(block.where)
        if begun or is_ended:
            self._write(begun, running if is_ended else None)
        else:
            self._say_alive()

    def _write(self, begun: list[Part], ended: _Running | None) -> None:
        told = [ended.part, *begun] if ended is not None else begun
        entries = hand_over(self._claim, told, self._left)
        self._left, self._beat = [], time.monotonic()
        for part, entry in zip(told, entries, strict=True):
            if not part.is_ending:
                self._running = _Running(part.edition, entry, part.start, part.stop, part.start, part.ends_at)
            elif ended is not None and part is told[0]:
                self._running = None
                self._offered.append((replace(part, start=ended.left), entry))
            else:
                self._offered.append((part, entry))

    def _say_alive(self) -> None:
        """Of a large member, now and then, how much has left."""
        if self._running is None or time.monotonic() - self._beat <= HEARTBEAT_SECONDS:
            return
        running = self._settled(self._running)
        with self._context():
            self._note(running, "started")
        running.start, self._beat = running.left, time.monotonic()

    def _settled(self, running: _Running) -> _Running:
        """The same, knowing what has left of it."""
        running.left = max(running.left, running.offered - max(running.ends_at - self._left_to, 0))
        return running

    def _note(self, running: _Running, state: str, *, is_ending: bool = False) -> None:
        handed, place = [(running.start, running.left)], running.left if is_ending else None
        size, sent = running.edition.size, running.left - running.start
        ledger.advance(running.entry, size, handed, sent, state, broke_off_at=place, is_ending=is_ending)

    def _part(self, piece: Slice, *, is_last: bool) -> Part:
        edition = self._members.edition(piece.index)
        is_ending = is_last or piece.stop == edition.size
        return Part(edition, piece.start, piece.stop, self._place(piece), is_ending=is_ending)

    def _place(self, piece: Slice) -> int:
        """Where in the zip a slice ends."""
        return self._layout.extent(piece.index).start + piece.stop

    def _empty(self, where: Span) -> list[Part]:
        """Members of no bytes, which end where their header does."""
        ending = [(index, self._members.edition(index)) for index in self._layout.ending(where.start, where.stop)]
        return [Part(edition, 0, 0, self._layout.extent(index).stop) for index, edition in ending if not edition.size]


def open_for_zip(claim: Claim, archive: Archive, spans: Sequence[Span]) -> ZipSending:
    """Begin to send spans of a zip to somebody who may have all of it. Raises TooManyTransfers and Busy."""
    ledger.require_capacity(claim)
    return ZipSending(archive, claim, spans, lines.take(claim.key))
