"""The layout of a stored zip: where everything is, and what lies in any range of it.

A zip is, in this order, a local header and the bytes of each member, the same of each text, the central directory, and
the end records (APPNOTE 4.3.6). All of it but the bytes of the members is made when it is asked for: what is kept of a
member are its name and 40 bytes.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from zlib import crc32

from portal.archives.records import (
    EARLIEST,
    Entry,
    central_header,
    dos_stamp,
    end_records,
    header_lengths,
    local_header,
)

LITERAL = 16 * 1024
"""The most bytes in one literal piece."""

FORMAT = 1
"""Raised whenever the same members come to other bytes, so that no download goes on with bytes of another layout."""

MAX_NAME = 0xFFFF  # what its field can say (APPNOTE 4.4.10)


@dataclass(frozen=True, slots=True)
class Member:
    """One entry whose bytes are elsewhere: `name` of ``unique_names``, `size` in bytes, `modified` an aware moment."""

    name: str
    size: int
    crc32: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Text:
    """One entry whose bytes are here; it is as old as the latest member, for it has no time of its own."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Slice:
    """The bytes from `start` up to, not including, `stop` of the member with this index; never empty."""

    index: int
    start: int
    stop: int

    def __len__(self) -> int:
        """In bytes."""
        return self.stop - self.start


class Layout:
    """Every byte of the zip of these members, in this order, followed by these texts.

    `size` is exact. The texts are asked for when there are no more members. Names must be safe and unique;
    ``unique_names`` makes them so. Raises ValueError for a name of more than 65,535 bytes of UTF-8.
    """

    def __init__(self, members: Iterable[Member], texts: Iterable[Text] = ()) -> None:
        self._names, self._name_ends = bytearray(), array("Q", [0])
        self._sizes, self._crcs, self._stamps = array("Q"), array("I"), array("I")
        # Where each entry begins in the zip, its record in the central directory, and at last where these end.
        self._offsets, self._records = array("Q", [0]), array("Q", [0])
        for member in members:
            self._add(member.name, member.size, member.crc32, dos_stamp(member.modified))
        self._member_count = len(self._sizes)
        self._texts = tuple(texts)
        latest = max(self._stamps, default=dos_stamp(EARLIEST))
        for text in self._texts:
            self._add(text.name, len(text.content), crc32(text.content), latest)
        self._directory = self._offsets[-1]
        self._end = end_records(len(self._sizes), self._records[-1], self._directory)
        self.size = self._directory + self._records[-1] + len(self._end)

    def _add(self, name: str, size: int, checksum: int, stamp: int) -> None:
        entry = Entry(name.encode(), size, checksum, stamp, self._offsets[-1])
        if len(entry.name) > MAX_NAME:
            raise ValueError(f"A name in a zip has at most {MAX_NAME} bytes.")
        self._names += entry.name
        self._name_ends.append(len(self._names))
        self._sizes.append(size)
        self._crcs.append(checksum)
        self._stamps.append(stamp)
        local, central = header_lengths(entry)
        self._offsets.append(entry.offset + local + size)
        self._records.append(self._records[-1] + central)

    def _entry(self, index: int) -> Entry:
        name = bytes(self._names[self._name_ends[index] : self._name_ends[index + 1]])
        return Entry(name, self._sizes[index], self._crcs[index], self._stamps[index], self._offsets[index])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 in hex of everything that decides about the bytes of the zip, for a strong ETag.

        Of the members themselves it sees name, size, CRC and date: one of the texts must name their SHA-256.
        """
        digest = sha256(f"{FORMAT} {len(self._sizes)}".encode())
        for column in (self._sizes, self._crcs, self._stamps, self._name_ends):
            digest.update(column)
        digest.update(self._names)
        for text in self._texts:
            digest.update(text.content)
        return digest.hexdigest()

    def ending(self, start: int, stop: int) -> range:
        """The members whose last byte is in that range of the zip; that of an empty one is the last of its header.

        Ranges that follow one another name every member once. Found in O(log n).
        """
        first, last = (bisect_right(self._offsets, position) - 1 for position in (start, stop))
        return range(min(first, self._member_count), min(last, self._member_count))

    def extent(self, index: int) -> range:
        """Where in the zip the bytes of a member are."""
        stop = self._offsets[index + 1]
        return range(stop - self._sizes[index], stop)

    def pieces(self, start: int, stop: int) -> Iterator[bytes | Slice]:
        """What lies in the range from `start` up to, not including, `stop`, in order.

        Either literal bytes, at most LITERAL at once, or a Slice of a member to be read elsewhere; no piece is empty.
        The first is found in O(log n), so a large range may be walked block by block, each with its own call.
        """
        literal = bytearray()
        for part in self._parts(start, stop):
            if literal and (isinstance(part, Slice) or len(literal) + len(part) > LITERAL):
                yield bytes(literal)
                literal.clear()
            if isinstance(part, Slice):
                yield part
            else:
                literal += part
        if literal:
            yield bytes(literal)

    def _parts(self, start: int, stop: int) -> Iterator[bytes | Slice]:
        """The same in the small portions it is made in, some of them empty."""
        for index in _meeting(self._offsets, start, stop):
            offset = self._offsets[index]
            yield from self._file(index, start - offset, stop - offset)
        start, stop = start - self._directory, stop - self._directory
        for index in _meeting(self._records, start, stop):
            offset = self._records[index]
            yield _cut(central_header(self._entry(index)), start - offset, stop - offset)
        yield _cut(self._end, start - self._records[-1], stop - self._records[-1])

    def _file(self, index: int, start: int, stop: int) -> Iterator[bytes | Slice]:
        """Local header and bytes of an entry; the range is relative to where they begin."""
        header = local_header(self._entry(index))
        yield _cut(header, start, stop)
        low, high = max(start - len(header), 0), min(stop - len(header), self._sizes[index])
        if index >= self._member_count:
            content = self._texts[index - self._member_count].content
            yield from (content[at : min(at + LITERAL, high)] for at in range(low, high, LITERAL))
        elif low < high:
            yield Slice(index, low, high)


def _meeting(offsets: "array[int]", start: int, stop: int) -> range:
    """The indexes of what begins at each of the offsets but the last, and ends at the next, if it meets the range."""
    return range(max(bisect_right(offsets, start) - 1, 0), min(bisect_left(offsets, stop), len(offsets) - 1))


def _cut(data: bytes, start: int, stop: int) -> bytes:
    """What lies in the range, which may begin before the data and end after it."""
    return data[max(start, 0) : max(stop, 0)]
