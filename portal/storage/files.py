"""Files and directories opened without following links, and made so that only the portal can read them.

What lies below a directory is opened one name at a time, each relative to the open directory above it (openat(2) with
O_NOFOLLOW), so that a link put in the way afterwards leads nowhere instead of somewhere else.
"""

import errno
import io
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from portal.errors import ContentDamaged, ContentUnavailable, StorageFailed, StorageFull

BLOCK = 1024 * 1024
HEAD = 4096
TICK_SECONDS = 0.01
"""So long may the clock of a file system stand still (a kernel at 100 Hz): two changes within it may look like one."""

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK changes nothing for a regular file; without it, opening a fifo would wait for somebody to write into it.
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# O_APPEND: what is written goes to the end wherever reading back has left the position.
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_INODE_BITS = 2**63 - 1
# What opening fails with when it is the file's own fault; all else (no descriptors, no memory, a server away) passes.
_DAMAGES = {
    errno.ENOENT: "missing",
    errno.EACCES: "missing",
    errno.EPERM: "missing",
    errno.EIO: "missing",
    errno.ENOTDIR: "kind",
    errno.ELOOP: "kind",
    errno.ENXIO: "kind",
}


@dataclass(frozen=True)
class Place:
    """Where bytes lie: an absolute directory and a POSIX path below it, the two that ``send_from_directory`` takes."""

    directory: Path
    name: str


class Stamp(NamedTuple):
    """What a file system says of a file, and what changes with every change made through it.

    Nobody can set a ctime, so a file whose four values are as they were has the bytes it had, unless they changed
    below the file system. The inode is cut to the 63 bits that databases hold.
    """

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass
class OpenedBytes:
    """A regular file held open for reading, with the stamp it had when it was opened."""

    handle: io.FileIO
    stamp: Stamp
    place: Place

    @property
    def size(self) -> int:
        """In bytes."""
        return self.stamp.size

    @property
    def mtime_ns(self) -> int:
        """When it was last written to."""
        return self.stamp.mtime_ns

    def is_unchanged(self) -> bool:
        """Whether nothing was done to the file since it was opened; its removal counts as well. One fstat(2)."""
        return stamp_of(os.fstat(self.handle.fileno())) == self.stamp

    def forget(self) -> None:
        """Let the kernel drop what it holds of the file in memory: what is read next comes from the disk.

        So a scrub sees what the disk has, and leaves no room taken from what people read.
        """
        if hasattr(os, "posix_fadvise"):  # not on every POSIX system
            os.posix_fadvise(self.handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        """Give the descriptor back; may be called again."""
        self.handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()


def stamp_of(found: os.stat_result) -> Stamp:
    """The stamp in what stat(2) says."""
    return Stamp(found.st_ino & _INODE_BITS, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def outlast_tick(stamp: Stamp) -> None:
    """Wait, if need be, until whatever is done to the file from now on changes its ctime: 10 ms at the most."""
    young = time.time() - stamp.ctime_ns / 1e9
    if 0 <= young < TICK_SECONDS:
        time.sleep(TICK_SECONDS - young)


@contextmanager
def held(descriptor: int) -> Iterator[int]:
    """Close the descriptor at the end of the block, whatever happens in it."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def storage_faults() -> Iterator[None]:
    """Turn an OSError of the block into StorageFull (no space, quota, file size limit) or else StorageFailed.

    The OSError stays reachable as ``__cause__``, for the log.
    """
    try:
        yield
    except OSError as error:
        raise (StorageFull if error.errno in _NO_SPACE else StorageFailed) from error


def open_directory(directory: Path, *names: str) -> int:
    """A descriptor of the directory, or of the one below it that ``names`` lead to; no link is followed.

    Raises OSError. ``directory`` itself is expected to be resolved.
    """
    descriptor = os.open(directory, _OPEN_DIRECTORY)
    for name in names:
        parent = descriptor
        try:
            descriptor = os.open(name, _OPEN_DIRECTORY, dir_fd=parent)
        finally:
            os.close(parent)
    return descriptor


def make_directory(parent: int, name: str) -> int:
    """A descriptor of the directory ``name`` in an open directory; if missing it is made, 0700 whatever the umask.

    Raises OSError, also when the name is taken by a link or a file. Nothing is flushed.
    """
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent)
        os.chmod(name, 0o700, dir_fd=parent)
    return os.open(name, _OPEN_DIRECTORY, dir_fd=parent)


def make_directories(directory: Path) -> None:
    """Make a directory and what is missing above it, each 0700 and flushed into its parent; the rest stays as is."""
    for path in (*reversed(directory.parents), directory):
        if not path.exists():
            with held(open_directory(path.parent)) as parent, held(make_directory(parent, path.name)):
                os.fsync(parent)


def make_file(parent: int, name: str) -> int:
    """A descriptor of a new empty file in an open directory, for appending and reading, 0600 whatever the umask.

    Raises OSError; FileExistsError also when the name is a link, wherever it leads.
    """
    descriptor = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
    try:
        os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        os.unlink(name, dir_fd=parent)
        raise
    return descriptor


def sync_directory(directory: Path, *names: str) -> None:
    """Flush the entries of a directory: a rename outlasts a power cut only after this. Raises OSError."""
    with held(open_directory(directory, *names)) as descriptor:
        os.fsync(descriptor)


def list_directory(descriptor: int) -> list[tuple[str, os.stat_result]]:
    """The names in an open directory, sorted, each with what lstat(2) says; one that vanishes meanwhile is left out."""
    found = []
    for name in sorted(os.listdir(descriptor)):
        with suppress(FileNotFoundError):
            found.append((name, os.stat(name, dir_fd=descriptor, follow_symlinks=False)))
    return found


def open_bytes(place: Place) -> OpenedBytes:
    """Open the regular file at a place, following no link below its directory.

    Raises ContentUnavailable for anything else: a missing file, a link at any name of the path, a directory, a fifo,
    a device, a path that leads out of the directory; as ContentDamaged unless it may be right again by itself.
    """
    try:
        *parents, name = _plain_names(place.name)
        with held(open_directory(place.directory, *parents)) as parent:
            descriptor = os.open(name, _OPEN_FILE, dir_fd=parent)
    except ValueError as error:  # also from the system calls, for NUL and lone surrogates
        raise ContentUnavailable from error
    except OSError as error:
        damage = _DAMAGES.get(error.errno or 0)
        raise (ContentDamaged(damage) if damage else ContentUnavailable()) from error
    return _regular(descriptor, place)


def drop(path: Path) -> None:
    """Remove a temporary file that may be gone already; one that cannot be removed is left to the sweep."""
    with suppress(OSError):
        path.unlink()


def _plain_names(path: str) -> list[str]:
    """The names of a relative POSIX path; raises ValueError for an empty name, ``.`` and ``..``."""
    names = path.split("/")
    if not {"", ".", ".."}.isdisjoint(names):
        raise ValueError("not a path below the directory")
    return names


def _regular(descriptor: int, place: Place) -> OpenedBytes:
    """Take over a descriptor; closes it and raises ContentDamaged unless it is a regular file."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise ContentDamaged("kind")
    return OpenedBytes(io.FileIO(descriptor), stamp_of(found), place)
