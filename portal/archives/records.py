"""The records of a zip, byte by byte, as PKWARE's APPNOTE 6.3 has them; the numbers in brackets are its sections.

Everything is stored (method 0, section 4.4.5), and sizes and CRC are known beforehand, so no data descriptor follows
the bytes. A number too large for its field is all ones there, and stands in a zip64 record (4.4.1.4, 4.5.3) instead.
"""

from datetime import UTC, datetime
from struct import Struct, pack
from typing import NamedTuple

LARGE = 0xFFFFFFFF
"""From here on a size or an offset needs zip64: all ones is no number but the sign for it."""
MANY = 0xFFFF
"""The same for the number of entries."""

EARLIEST, LATEST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)
"""What MS-DOS can say (4.4.6)."""

_LOCAL = Struct("<4s3HI3I2H")
_CENTRAL = Struct("<4s4HI3I5H2I")
_ZIP64_END = Struct("<4sQ2H2I4Q")
_ZIP64_LOCATOR = Struct("<4sIQI")
_END = Struct("<4s4H2IH")

_VERSION, _VERSION_ZIP64 = 10, 45  # needed to extract (4.4.3): a file, and a file with zip64 records
_MADE_BY = 3 << 8 | 63  # Unix, and version 6.3 of the APPNOTE (4.4.2)
_UTF8 = 1 << 11  # the name is UTF-8 (4.4.4, bit 11)
_REGULAR_0644 = 0o100644 << 16  # Unix keeps st_mode in the upper half of the external attributes
_ZIP64_EXTRA = 0x0001


class Entry(NamedTuple):
    """What the records say of one file: the name in UTF-8, `stamp` of ``dos_stamp``, `offset` of its local header."""

    name: bytes
    size: int
    crc32: int
    stamp: int
    offset: int


def dos_stamp(moment: datetime) -> int:
    """Date and time of MS-DOS (4.4.6) as one number of 32 bits: UTC, even seconds, 1980 to 2107. Later is larger."""
    utc = min(max(moment.astimezone(UTC), EARLIEST), LATEST)
    date = utc.year - 1980 << 9 | utc.month << 5 | utc.day
    return date << 16 | utc.hour << 11 | utc.minute << 5 | utc.second >> 1


def header_lengths(entry: Entry) -> tuple[int, int]:
    """How many bytes ``local_header`` and ``central_header`` give, without making them."""
    name, size, _, _, offset = entry
    if size < LARGE and offset < LARGE:
        return _LOCAL.size + len(name), _CENTRAL.size + len(name)
    return len(local_header(entry)), len(central_header(entry))


def local_header(entry: Entry) -> bytes:
    """What stands before the bytes of a file (4.3.7)."""
    extra = _zip64_extra(entry.size, entry.size)  # both sizes, or none (4.5.3)
    size = min(entry.size, LARGE)
    lengths = (len(entry.name), len(extra))
    head = _LOCAL.pack(b"PK\3\4", _version(extra), _flags(entry), 0, entry.stamp, entry.crc32, size, size, *lengths)
    return head + entry.name + extra


def central_header(entry: Entry) -> bytes:
    """The record of a file in the central directory (4.3.12)."""
    extra = _zip64_extra(entry.size, entry.size, entry.offset)
    size, offset = min(entry.size, LARGE), min(entry.offset, LARGE)
    facts = (_MADE_BY, _version(extra), _flags(entry), 0, entry.stamp, entry.crc32, size, size)
    # No comment, on the first disk, nothing known of the content.
    head = _CENTRAL.pack(b"PK\1\2", *facts, len(entry.name), len(extra), 0, 0, 0, _REGULAR_0644, offset)
    return head + entry.name + extra


def end_records(count: int, size: int, offset: int) -> bytes:
    """The end of a zip (4.3.14 to 4.3.16), whose central directory of `size` bytes at `offset` has `count` records."""
    small = min(count, MANY)
    end = _END.pack(b"PK\5\6", 0, 0, small, small, min(size, LARGE), min(offset, LARGE), 0)
    if count < MANY and size < LARGE and offset < LARGE:
        return end
    rest = _ZIP64_END.size - 12  # the record does not count its signature and this number
    large = _ZIP64_END.pack(b"PK\6\6", rest, _MADE_BY, _VERSION_ZIP64, 0, 0, count, count, size, offset)
    return large + _ZIP64_LOCATOR.pack(b"PK\6\7", 0, offset + size, 1) + end


def _zip64_extra(*numbers: int) -> bytes:
    """The extra field (4.5.3) with those numbers, in their fixed order, that do not fit; nothing if all do."""
    large = [number for number in numbers if number >= LARGE]
    return pack(f"<2H{len(large)}Q", _ZIP64_EXTRA, 8 * len(large), *large) if large else b""


def _version(extra: bytes) -> int:
    return _VERSION_ZIP64 if extra else _VERSION


def _flags(entry: Entry) -> int:
    return 0 if entry.name.isascii() else _UTF8
