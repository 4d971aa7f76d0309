"""Zips of office documents, looked at before anything in them is unpacked."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

from portal.previews.fenced.making import SOURCE, Desk, Refusal

MOST_ENTRIES = 10_000
MOST_UNPACKED = 64 * 1024 * 1024
"""Bytes of one entry, and of all that are read."""
MOST_RATIO, ALWAYS = 100, 8 * 1024 * 1024
"""So many times larger than it was may an entry become; up to the second, whatever it was."""
END = struct.Struct("<4s4H2LH")
END_MARK, LONGEST_COMMENT = b"PK\x05\x06", 65_535

UNREADABLE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    KeyError,
    EOFError,
    OSError,
    struct.error,
    zlib.error,
)
"""What comes of a zip that is none, or packed in a way nobody knows."""


@contextmanager
def unpacking(desk: Desk) -> Iterator[zipfile.ZipFile]:
    """The zip, of which nothing but small entries can be unpacked. Raises Refusal for one that is no honest zip."""
    _require_few(desk)
    try:
        with open(SOURCE, "rb", closefd=False) as source:
            source.seek(0)
            with zipfile.ZipFile(source) as archive:
                _require_honest(archive.infolist())
                yield archive
    except UNREADABLE as problem:
        raise Refusal("damaged") from problem


def entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """One entry, unpacked. Raises Refusal when it is not there, or is larger than it says."""
    with archive.open(name) as packed:
        content = packed.read(MOST_UNPACKED + 1)
    if len(content) > MOST_UNPACKED:
        raise Refusal("packed")
    return content


def _require_few(desk: Desk) -> None:
    """Before the list of entries is read, which takes memory for each."""
    length = min(desk.task.size, END.size + LONGEST_COMMENT)
    tail = desk.read(length, desk.task.size - length)
    at = tail.rfind(END_MARK)
    if at < 0 or len(tail) - at < END.size:
        raise Refusal("damaged")
    if END.unpack_from(tail, at)[4] > MOST_ENTRIES:
        raise Refusal("packed")


def _require_honest(entries: list[zipfile.ZipInfo]) -> None:
    """No entry lies in another, none is packed beyond belief, and none has a password."""
    if len(entries) > MOST_ENTRIES:
        raise Refusal("packed")
    for one in entries:
        if one.flag_bits & 1:
            raise Refusal("password")
        if one.file_size > max(ALWAYS, MOST_RATIO * one.compress_size) or one.file_size > MOST_UNPACKED:
            raise Refusal("packed")
    places = sorted((one.header_offset, one.header_offset + one.compress_size) for one in entries)
    if any(stop > start for (_, stop), (start, _) in pairwise(places)):
        raise Refusal("packed")
