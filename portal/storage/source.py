"""An existing directory, indexed and served in place; nothing here writes to it."""

import hashlib
import os
import stat
import zlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from portal.errors import ContentUnavailable, SourceChanged, StorageFailed
from portal.storage.files import (
    BLOCK,
    HEAD,
    OpenedBytes,
    Place,
    Stamp,
    held,
    list_directory,
    open_bytes,
    open_directory,
    outlast_tick,
)

_NAMES_TOLD = 20


@dataclass(frozen=True)
class Entry:
    """A regular file: its POSIX path below the source, spelled exactly as on disk; size in bytes, times in ns."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass
class Walk:
    """What a source holds now. ``directories`` are its sub-directories, parents first, empty ones too.

    Skipped are dot names, links, special files and names that are no UTF-8; ``skipped_names`` has the first 20 of them,
    made printable.
    """

    entries: list[Entry] = field(default_factory=list)
    directories: list[str] = field(default_factory=list)
    skipped: int = 0
    skipped_names: list[str] = field(default_factory=list)


class SourceDigest(NamedTuple):
    """What one reading of a file found: hex SHA-256, CRC-32, how many bytes there were, first 4096 of them, stamp."""

    sha256: str
    crc32: int
    size: int
    head: bytes
    stamp: Stamp

    @property
    def mtime_ns(self) -> int:
        """When the file was last written to."""
        return self.stamp.mtime_ns


class Source:
    """A directory of somebody else's files; it may be reached through a link, resolved here once, but holds none."""

    def __init__(self, directory: Path) -> None:
        self._directory = Path(os.path.realpath(directory))

    def walk(self) -> Walk:
        """List every regular file, in the same order each time: by name, a directory before those below it.

        Raises StorageFailed when a directory cannot be read: a part that is silently missing would look deleted.
        """
        walk = Walk()
        pending: list[tuple[str, ...]] = [()]
        while pending:
            pending.extend(reversed(self._visit(pending.pop(), walk)))
        return walk

    def open(self, path: str, size: int, mtime_ns: int) -> OpenedBytes:
        """Open a file as it was indexed.

        Raises SourceChanged (a ContentUnavailable) when size or time differ from what was indexed, ContentUnavailable
        when it is gone, no regular file, outside of the source or behind a link.
        """
        opened = open_bytes(Place(self._directory, path))
        if (opened.size, opened.mtime_ns) != (size, mtime_ns):
            opened.close()
            raise SourceChanged
        return opened

    def digest(self, path: str) -> SourceDigest:
        """Read a file from end to end.

        Raises SourceChanged when something was done to it meanwhile, ContentUnavailable like ``open``, or when
        unreadable.
        """
        with open_bytes(Place(self._directory, path)) as opened:
            try:
                outlast_tick(opened.stamp)
                found = _read_through(opened)
                is_unchanged = opened.is_unchanged()
            except OSError as error:
                raise ContentUnavailable from error
        if not is_unchanged or found.size != opened.size:
            raise SourceChanged
        return found

    def _visit(self, directory: tuple[str, ...], walk: Walk) -> list[tuple[str, ...]]:
        """Add what one directory holds to the walk; answers the sub-directories to visit next."""
        below = []
        for name, found in self._list(directory):
            path = "/".join((*directory, name))
            if not _is_presentable(name):
                _skip(walk, path)
            elif stat.S_ISDIR(found.st_mode):
                below.append((*directory, name))
            elif stat.S_ISREG(found.st_mode):
                walk.entries.append(Entry(path, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
            else:
                _skip(walk, path)
        if directory:
            walk.directories.append("/".join(directory))
        return below

    def _list(self, directory: tuple[str, ...]) -> list[tuple[str, os.stat_result]]:
        try:
            with held(open_directory(self._directory, *directory)) as descriptor:
                return list_directory(descriptor)
        except OSError as error:
            name = "/".join(directory) or self._directory.name
            raise StorageFailed(f"The folder {name} cannot be read.") from error


def _is_presentable(name: str) -> bool:
    """Neither hidden nor spelled in bytes that are no UTF-8, which os.fsdecode gives as lone surrogates."""
    return not name.startswith(".") and not any("\ud800" <= letter <= "\udfff" for letter in name)


def _skip(walk: Walk, path: str) -> None:
    walk.skipped += 1
    if len(walk.skipped_names) < _NAMES_TOLD:
        walk.skipped_names.append(path.encode("utf-8", "backslashreplace").decode())


def _read_through(opened: OpenedBytes) -> SourceDigest:
    """Hash from the first byte to the last; ``size`` is how many bytes there really were."""
    sha256, crc32, size, head = hashlib.sha256(), 0, 0, b""
    for block in iter(partial(opened.handle.read, BLOCK), b""):
        sha256.update(block)
        crc32 = zlib.crc32(block, crc32)
        size += len(block)
        head = head or block[:HEAD]
    return SourceDigest(sha256.hexdigest(), crc32, size, head, opened.stamp)
