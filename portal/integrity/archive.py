"""A backup as a file: one plain tar, each member a header and its bytes, nothing else.

Written and read here block by block, because the members of a backup are few kinds with fixed names: nothing is ever
extracted to a path that stands in the archive, no memory grows with it, and whatever is not ours is refused.
"""

import io
import os
import re
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from portal.errors import BadInput
from portal.storage import BLOCK

RECORD = tarfile.BLOCKSIZE
END = bytes(2 * RECORD)
MANIFEST = "manifest.json"
DATABASES = {"sqlite": "database.sqlite", "postgresql": "database.sql"}
_SECRET = re.compile(r"secrets/([a-z][a-z0-9_.-]{0,63})")
_BLOB = re.compile(r"blobs/([0-9a-f]{2})/([0-9a-f]{2})/(\1\2[0-9a-f]{60})")


class BackupUnusable(BadInput):
    """Not a backup, not a whole one, or one that was changed."""

    sentence = "This file is not a backup of the portal, or it is damaged. Nothing was changed."


@dataclass(frozen=True)
class Member:
    """One file of an archive: its name, its size and where its bytes begin."""

    name: str
    size: int
    offset: int

    @property
    def blob(self) -> str | None:
        """The key, when it is a blob at the place its key demands."""
        found = _BLOB.fullmatch(self.name)
        return found[3] if found else None

    @property
    def secret(self) -> str | None:
        """The filename, when it is one of secrets/."""
        found = _SECRET.fullmatch(self.name)
        return found[1] if found else None


def blob_name(sha256: str) -> str:
    """Where a blob lies in an archive, as it does in the storage."""
    return f"blobs/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def secret_name(filename: str) -> str | None:
    """Where a file of secrets/ lies in an archive; None for what is none, such as a half-written one."""
    name = f"secrets/{filename}"
    return name if _SECRET.fullmatch(name) else None


class ArchiveWriter:
    """Writes an archive from its first byte to its last into an empty file open for writing."""

    def __init__(self, file: BinaryIO, moment: int) -> None:
        self._file = file
        self._moment = moment

    def add(self, name: str, size: int, blocks: Iterable[bytes]) -> None:
        """Add a member of ``size`` bytes, read while it is written.

        Whatever ``blocks`` raises leaves the archive as it was before; so does another number of bytes, a ValueError.
        """
        start = self._file.tell()
        try:
            self._file.write(self._header(name, size))
            written = sum(self._file.write(block) for block in blocks)
            if written != size:
                raise ValueError(f"{written} bytes instead of {size}")
            self._file.write(bytes(-size % RECORD))
        except BaseException:
            self._file.seek(start)
            self._file.truncate()
            raise

    def finish(self) -> int:
        """Write the end and flush to disk; the size in bytes."""
        self._file.write(END)
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def _header(self, name: str, size: int) -> bytes:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, 0o600, self._moment
        return info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")  # one record, however large the size


class ArchiveReader:
    """Reads the members of an archive in their order."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._end = file.seek(0, io.SEEK_END)

    def members(self) -> Iterator[Member]:
        """Every member up to the end of the archive; raises BackupUnusable where it is none of ours or ends early."""
        offset = 0
        if self._end < RECORD or self._read_at(0, RECORD) == bytes(RECORD):
            raise BackupUnusable  # too small to be any, or empty: nothing says that it ever was one
        while (header := self._read_at(offset, RECORD)) != bytes(RECORD):
            member = _member_of(header, offset + RECORD)
            offset = member.offset + member.size + -member.size % RECORD
            if offset > self._end:
                raise BackupUnusable("This backup ends too early. Nothing was changed.")
            yield member

    def blocks(self, member: Member) -> Iterator[bytes]:
        """The bytes of a member, at most 1 MiB at a time."""
        for start in range(0, member.size, BLOCK):
            yield self._read_at(member.offset + start, min(BLOCK, member.size - start))

    def read(self, member: Member, most: int) -> bytes:
        """The bytes of a member that may have at most so many; raises BackupUnusable for more."""
        if member.size > most:
            raise BackupUnusable
        return b"".join(self.blocks(member))

    def _read_at(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        found = self._file.read(size)
        if len(found) != size:
            raise BackupUnusable("This backup ends too early. Nothing was changed.")
        return found


@contextmanager
def opened(path: Path) -> Iterator[ArchiveReader]:
    """The archive at a path. Raises BadInput when there is no such file."""
    if not path.is_file():
        raise BadInput(f"There is no file {path}.")
    with path.open("rb") as file:
        yield ArchiveReader(file)


def _member_of(header: bytes, offset: int) -> Member:
    """The member a header announces: a regular file of a name that is used here, and nothing more."""
    try:
        info = tarfile.TarInfo.frombuf(header, "ascii", "strict")
    except (tarfile.HeaderError, ValueError) as problem:
        raise BackupUnusable from problem
    member = Member(info.name, info.size, offset)
    is_ours = member.blob or member.secret or member.name in (MANIFEST, *DATABASES.values())
    if info.type != tarfile.REGTYPE or info.size < 0 or not is_ours:
        raise BackupUnusable
    return member
