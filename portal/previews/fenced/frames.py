"""What the child says to the worker, and how: frames of a letter, a length and so many bytes. Pure."""

import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass

HEAD = struct.Struct(">cI")
SIDES = struct.Struct(">HH")
"""Before the bytes of an image: how wide and how high it is."""

FENCED, UNFENCED = b"F", b"U"
"""First of all: whether the fence stands; ``UNFENCED`` with why it does not."""
IMAGE, TEXT, TABLE = b"I", b"T", b"R"
"""Of the images the thumbnail comes first."""
EARLY = b"E"
"""There is more to come, and what was said so far can be shown already."""
MADE, REFUSED = b"M", b"N"
"""At the end: ``MADE`` with how many pages or rows there are, as JSON; ``REFUSED`` with a word that says why not."""


@dataclass(frozen=True)
class Task:
    """What the child is to do, with the limits it puts up around itself."""

    maker: str
    """The module that makes it."""
    content_type: str
    size: int
    """Of the source, in bytes."""
    pages: int
    pixels: int
    seconds: int
    memory: int
    """In bytes of address space."""

    def values(self) -> dict[str, object]:
        """As plain values, for JSON."""
        return asdict(self)


class Garbled(Exception):
    """These are no frames."""


def frame(letter: bytes, payload: bytes) -> bytes:
    """One frame."""
    return HEAD.pack(letter, len(payload)) + payload


def unframed(said: bytes | bytearray) -> Iterator[tuple[bytes, bytes]]:
    """Every frame of what was said. Raises Garbled at the first that is not whole."""
    at = 0
    while at < len(said):
        if len(said) - at < HEAD.size:
            raise Garbled
        letter, length = HEAD.unpack_from(said, at)
        at += HEAD.size
        if len(said) - at < length:
            raise Garbled
        yield letter, bytes(said[at : at + length])
        at += length
