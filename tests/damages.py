"""Ways in which stored bytes go wrong, for tests that expect every one of them to be noticed."""

import os
import random
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from portal.extensions import db, storage
from portal.models import Blob, Document, Version
from portal.storage.files import stamp_of
from tests import makers

Damage = Callable[[Path, random.Random], None]


def flip_a_bit(path: Path, choice: random.Random) -> None:
    """One bit somewhere."""
    content = bytearray(path.read_bytes())
    content[choice.randrange(len(content))] ^= 1 << choice.randrange(8)
    path.write_bytes(content)


def flip_a_bit_in_place(path: Path, choice: random.Random) -> None:
    """The same without cutting the file first, as a stray write does."""
    with path.open("r+b") as file:
        at = choice.randrange(path.stat().st_size)
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1 << choice.randrange(8)]))


def zero_a_block(path: Path, choice: random.Random) -> None:
    """Up to 512 bytes of zeros, as a sector that was never written; at least one byte is another one then."""
    content = bytearray(path.read_bytes())
    start = choice.randrange(len(content))
    stop = min(start + 512, len(content))
    content[start:stop] = bytes(stop - start) if any(content[start:stop]) else b"\xff" * (stop - start)
    path.write_bytes(content)


def cut_the_last_byte(path: Path, _: random.Random) -> None:
    """One byte less."""
    os.truncate(path, path.stat().st_size - 1)


def extend(path: Path, choice: random.Random) -> None:
    """A few bytes more."""
    with path.open("ab") as file:
        file.write(choice.randbytes(choice.randint(1, 600)))


def empty(path: Path, _: random.Random) -> None:
    """Nothing is left in it."""
    os.truncate(path, 0)


def remove(path: Path, _: random.Random) -> None:
    """The file is gone."""
    path.unlink()


def replace_by_other_bytes(path: Path, choice: random.Random) -> None:
    """Another file of the same size by the same name, as a restore of the wrong backup leaves it."""
    size = path.stat().st_size
    path.unlink()
    path.write_bytes(choice.randbytes(size))


def replace_by_a_link(path: Path, _: random.Random) -> None:
    """A link to the very bytes: still not where they belong."""
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def replace_by_a_directory(path: Path, _: random.Random) -> None:
    """A directory of this name."""
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Damage] = {
    "a flipped bit": flip_a_bit,
    "a stray write": flip_a_bit_in_place,
    "a zeroed block": zero_a_block,
    "a byte less": cut_the_last_byte,
    "bytes more": extend,
    "an empty file": empty,
    "no file": remove,
    "other bytes": replace_by_other_bytes,
    "a link": replace_by_a_link,
    "a directory": replace_by_a_directory,
}
"""Each needs a file of one byte or more."""


def keeping_times(damage: Damage) -> Damage:
    """The same by somebody who sets the times of the file back afterwards; its ctime nobody can set."""

    def quietly(path: Path, choice: random.Random) -> None:
        before = path.stat()
        damage(path, choice)
        if os.path.lexists(path):
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns), follow_symlinks=False)

    return quietly


def swap(one: Path, other: Path) -> None:
    """Two files change their names."""
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def rot(document: Document, content: bytes) -> None:
    """Let the bytes of the current version change below the file system: nothing of what stat(2) says is another.

    Nobody can set a ctime, so the row is made to remember the one that the file has now.
    """
    path = path_of(document)
    assert path.stat().st_size == len(content)
    with path.open("r+b") as file:
        file.write(content)
    stamp = stamp_of(path.stat())
    values = {"seen_inode": stamp.inode, "seen_mtime_ns": stamp.mtime_ns, "seen_ctime_ns": stamp.ctime_ns}
    makers.change(blob_of(document), **values)


def blob_of(document: Document) -> Blob:
    """The row that answers for the bytes of the current version, as it is now."""
    makers.release()
    statement = select(Blob).join(Version, Version.blob_id == Blob.id)
    statement = statement.where(Version.id == document.current_version_id).execution_options(populate_existing=True)
    found = db.session.scalars(statement).one()
    makers.release()
    return found


def path_of(document: Document) -> Path:
    """Where those bytes lie, or should."""
    place = storage().place(blob_of(document).sha256)
    return place.directory / place.name
