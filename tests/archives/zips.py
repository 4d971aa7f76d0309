"""Zips of a few bytes, put together as whoever sends one does: what a Slice names comes from elsewhere."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

from portal.archives import Layout, Member, Slice, Text

MODIFIED = datetime(2018, 2, 3, 4, 5, 7, tzinfo=UTC)


def member(name: str, content: bytes = b"", modified: datetime = MODIFIED) -> Member:
    return Member(name, len(content), crc32(content), modified)


def layout_of(contents: dict[str, bytes], texts: Iterable[Text] = ()) -> Layout:
    return Layout([member(name, content) for name, content in contents.items()], texts)


def joined(pieces: Iterable[bytes | Slice], contents: Sequence[bytes]) -> bytes:
    """The bytes of pieces of a zip whose members have these contents."""
    parts = (contents[piece.index][piece.start : piece.stop] if isinstance(piece, Slice) else piece for piece in pieces)
    return b"".join(parts)


def zip_of(contents: dict[str, bytes], texts: Iterable[Text] = ()) -> bytes:
    layout = layout_of(contents, texts)
    return joined(layout.pieces(0, layout.size), list(contents.values()))


def write_sparse(layout: Layout, path: Path) -> Path:
    """A file with holes where the members are, so that gigabytes cost nothing."""
    with path.open("wb") as file:
        for piece in layout.pieces(0, layout.size):
            if isinstance(piece, Slice):
                file.seek(piece.stop - piece.start, 1)
            else:
                file.write(piece)
    return path
