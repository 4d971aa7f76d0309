"""Sending a zip: block by block, each member through the one door to bytes and with a row of its own in the ledger."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from portal import catalog
from portal.archives import Slice
from portal.catalog import Edition
from portal.catalog.soundness import want
from portal.downloads import ledger
from portal.downloads.claims import Claim, Entry
from portal.downloads.lines import Line, lines
from portal.downloads.opening import open_bytes
from portal.downloads.packing import Archive
from portal.downloads.parts import Part, hand_over
from portal.downloads.sending import HEARTBEAT_SECONDS
from portal.errors import ContentUnavailable
from portal.extensions import application_context
from portal.ranges import Span
from portal.storage import BLOCK, OpenedBytes

AHEAD = 200
"""For how many members one statement asks where their bytes are."""


@dataclass
class _Running:
    """A member that goes on in the next block: from where it was begun, offered up to where, and left up to where."""

    edition: Edition
    entry: Entry
    start: int
    offered: int
    left: int

    @property
    def part(self) -> Part:
        """All of it that was offered, when it ends."""
        return Part(self.edition, self.start, self.offered, entry=self.entry)


class ZipSending:
    """One answer on its way: spans of a zip. The same interface as ``Sending``, with many rows behind it.

    Before a block leaves, one transaction marks every member that ends in it. A member that cannot be read ends the
    answer: ``next_block`` raises ContentUnavailable, and what is sent is shorter than announced.
    """

    def __init__(self, archive: Archive, claim: Claim, spans: Sequence[Span], line: Line) -> None:
        self.spans = tuple(spans)
        self._line = line
        self._archive = archive
        self._claim = claim
        self._context = application_context()
        self._blocks = _blocks(self.spans)
        self._editions: dict[int, Edition] = {}
        self._opened: tuple[int, OpenedBytes] | None = None
        self._running: _Running | None = None
        self._offered: list[tuple[Part, Entry]] = []
        self._left: list[Entry] = []
        self._is_done = False
        self._beat = time.monotonic()

    def next_block(self) -> tuple[Span, bytes] | None:
        """The next block and where it belongs, None at the end. Asking for it says that the one before has left."""
        self._accept()
        found = next(self._blocks, None)
        if found is None:
            self._finish()
            return None
        where, is_last = found
        pieces = list(self._archive.layout.pieces(where.start, where.stop))
        self._look_up(pieces, where)
        block = b"".join(self._read(piece) if isinstance(piece, Slice) else piece for piece in pieces)
        self._tell([piece for piece in pieces if isinstance(piece, Slice)], where, is_last=is_last)
        return where, block

    def close(self) -> None:
        """Let go of the bytes; what was written down and did not leave is taken back. May be repeated."""
        self._shut()
        self._line.end()
        if self._is_done:
            return
        self._is_done = True
        with self._context():
            for part, entry in self._offered:
                ledger.take_back(entry, part.edition.size, [(part.start, part.stop)])
            if self._running is not None:
                self._note(self._running, self._running.left - self._running.start, "aborted", is_ending=True)
            hand_over(self._claim, [], self._left)

    def _accept(self) -> None:
        """What was offered has left."""
        self._left += [entry for _, entry in self._offered]
        self._offered = []
        if self._running is not None:
            self._running.left = self._running.offered

    def _finish(self) -> None:
        self._is_done = True
        self._shut()
        with self._context():
            hand_over(self._claim, [], self._left)

    def _tell(self, slices: Sequence[Slice], where: Span, *, is_last: bool) -> None:
        """Write down what begins and what ends in this block; within a large member, now and then, that it is alive."""
        running = self._running
        if running is not None:  # what was not ended is what goes on now
            running.offered = slices[0].stop
            slices = slices[1:]
        is_ended = running is not None and (is_last or running.offered == running.edition.size)
        begun = [self._part(piece, is_last=is_last) for piece in slices] + self._empty(where)
        if begun or is_ended:
            self._write(begun, running if is_ended else None)
        elif running is not None and time.monotonic() - self._beat > HEARTBEAT_SECONDS:
            with self._context():
                self._note(running, running.left - running.start, "started")
                running.start = running.left
            self._beat = time.monotonic()

    def _write(self, begun: list[Part], ended: _Running | None) -> None:
        told = [ended.part, *begun] if ended is not None else begun
        with self._context():
            entries = hand_over(self._claim, told, self._left)
        self._left, self._beat = [], time.monotonic()
        for part, entry in zip(told, entries, strict=True):
            if not part.is_ending:
                self._running = _Running(part.edition, entry, part.start, part.stop, part.start)
            elif ended is not None and part is told[0]:
                self._running = None
                self._offered.append((Part(part.edition, ended.left, part.stop), entry))
            else:
                self._offered.append((part, entry))

    def _note(self, running: _Running, sent: int, state: str, *, is_ending: bool = False) -> None:
        handed, place = [(running.start, running.left)], running.left if is_ending else None
        size = running.edition.size
        ledger.advance(running.entry, size, handed, sent, state, broke_off_at=place, is_ending=is_ending)

    def _part(self, piece: Slice, *, is_last: bool) -> Part:
        edition = self._edition(piece.index)
        return Part(edition, piece.start, piece.stop, is_ending=is_last or piece.stop == edition.size)

    def _empty(self, where: Span) -> list[Part]:
        """Members of no bytes, which end where their header does."""
        ending = self._archive.layout.ending(where.start, where.stop)
        editions = [self._edition(index) for index in ending]
        return [Part(edition, 0, 0) for edition in editions if not edition.size]

    def _read(self, piece: Slice) -> bytes:
        opened = self._open(piece.index)
        if opened.handle.tell() != piece.start:
            opened.handle.seek(piece.start)
        with suppress(OSError):
            block = opened.handle.read(piece.stop - piece.start)
            if len(block) == piece.stop - piece.start and opened.is_unchanged():
                return block
        with self._context():
            want(self._edition(piece.index).kept)
        raise ContentUnavailable

    def _open(self, index: int) -> OpenedBytes:
        if self._opened is None or self._opened[0] != index:
            self._shut()
            edition = self._edition(index)
            with self._context():
                self._opened = index, open_bytes(edition)
        return self._opened[1]

    def _shut(self) -> None:
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None

    def _look_up(self, pieces: Sequence[bytes | Slice], where: Span) -> None:
        """Where the bytes of the members in a block are; asked for many at once, forgotten when they are behind."""
        indexes = {piece.index for piece in pieces if isinstance(piece, Slice)}
        indexes.update(self._archive.layout.ending(where.start, where.stop))
        missing = sorted(indexes - self._editions.keys())
        if missing:
            kept = {index: self._editions[index] for index in indexes & self._editions.keys()}
            self._editions = kept | self._found(missing[0], max(missing[-1] + 1, missing[0] + AHEAD))

    def _found(self, first: int, stop: int) -> dict[int, Edition]:
        version_ids = self._archive.version_ids[first:stop]
        with self._context():
            editions = catalog.list_editions(version_ids)
        return {index: editions[found] for index, found in enumerate(version_ids, first) if found in editions}

    def _edition(self, index: int) -> Edition:
        """A member that is gone since the zip was begun ends the answer."""
        if index not in self._editions:
            raise ContentUnavailable
        return self._editions[index]


def open_for_zip(claim: Claim, archive: Archive, spans: Sequence[Span]) -> ZipSending:
    """Begin to send spans of a zip to somebody who may have all of it. Raises TooManyTransfers and Busy."""
    ledger.require_capacity(claim)
    return ZipSending(archive, claim, spans, lines.take(claim.key))


def _blocks(spans: Sequence[Span]) -> Iterator[tuple[Span, bool]]:
    """Every block, and whether its span ends with it."""
    for span in spans:
        for start in range(span.start, span.stop, BLOCK):
            stop = min(start + BLOCK, span.stop)
            yield Span(start, stop), stop == span.stop
