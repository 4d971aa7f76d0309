"""Bytes that come in several goes: temp files which any process takes up where another left off.

How far a file is good is for a row in the database to say, not for the file: what was written after the last commit may
be there or not, whole or not. So whoever holds a file first cuts it back to what the row says.
"""

import fcntl
import os
import re
import secrets
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from portal.errors import ContentUnavailable, UploadBusy
from portal.storage.files import (
    BLOCK,
    OpenedBytes,
    held,
    list_directory,
    make_file,
    open_directory,
    storage_faults,
)
from portal.storage.following import Digest, Follower, Presser
from portal.storage.incoming import Received

MOST_DIGESTS = 64
"""Of so many files this process remembers how far they are hashed; of others they are hashed anew at their end."""
PRESSED = 4 * BLOCK
"""After so many bytes the disk begins to take them, while others come: so there is little to wait for at a flush."""

_NAME = re.compile(r"upload-[0-9a-f]{32}")
_OPEN = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Partials:
    """The temp files of a storage that are written in several goes, and the digests of those this process writes."""

    def __init__(self, tmp: Path, open_blob: Callable[[str, int], OpenedBytes]) -> None:
        self._tmp = tmp
        self._open_blob = open_blob
        self._digests: OrderedDict[str, Digest] = OrderedDict()
        self._guard = threading.Lock()

    def make(self) -> str:
        """A new empty file; its name. Raises StorageFull or StorageFailed."""
        name = new_name()
        with storage_faults(), held(self._open_tmp()) as tmp:
            os.close(make_file(tmp, name))
        return name

    def hold(self, name: str) -> "Partial | None":
        """The file, which nobody else can hold until it is closed; None when there is none of this name.

        Raises UploadBusy while somebody holds it, StorageFailed.
        """
        with storage_faults(), held(self._open_tmp()) as tmp:
            try:
                descriptor = os.open(name, _OPEN, dir_fd=tmp)
            except FileNotFoundError:
                return None
            try:
                _lock(descriptor)
                is_there = _is_at(tmp, name, descriptor)
            except BaseException:
                os.close(descriptor)
                raise
        if not is_there:  # whoever held it has brought it to its end
            os.close(descriptor)
            return None
        return Partial(self, name, self._tmp / name, descriptor)

    def restart(self, name: str) -> "Partial":
        """Hold a new empty file of the name of one that was lost. Raises UploadBusy when somebody else was faster."""
        with storage_faults(), held(self._open_tmp()) as tmp:
            try:
                descriptor = make_file(tmp, name)
            except FileExistsError:
                raise UploadBusy from None
            try:
                _lock(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
        return Partial(self, name, self._tmp / name, descriptor)

    def find_kept(self, name: str, sha256: str, size: int) -> Received | None:
        """What became a blob of this key before its row was there, hashed anew; None when there is none that is right.

        To be kept once more, which flushes the way to it: ``name`` must be gone.
        """
        digest = Digest()
        try:
            with self._open_blob(sha256, size) as opened, storage_faults():
                while block := opened.handle.read(BLOCK):
                    digest.update(block)
        except ContentUnavailable:
            return None
        return digest.received(self._tmp / name) if digest.sha256.hexdigest() == sha256 else None

    def size_of(self, name: str) -> int:
        """How many bytes the file has, 0 for none. Raises StorageFailed."""
        with storage_faults(), held(self._open_tmp()) as tmp:
            try:
                return os.stat(name, dir_fd=tmp, follow_symlinks=False).st_size
            except FileNotFoundError:
                return 0

    def remove(self, name: str) -> None:
        """Remove a file that may be gone already; one that cannot be removed is left to the sweep."""
        self.forget(name)
        with suppress(OSError), held(self._open_tmp()) as tmp:
            os.unlink(name, dir_fd=tmp)

    def list_stale(self, older_than_seconds: float) -> list[str]:
        """The files nobody has written to for so long. Raises StorageFailed."""
        oldest = time.time() - older_than_seconds
        with storage_faults(), held(self._open_tmp()) as tmp:
            return [
                name
                for name, found in list_directory(tmp)
                if _NAME.fullmatch(name) and stat.S_ISREG(found.st_mode) and found.st_mtime < oldest
            ]

    def remember(self, name: str, digest: Digest) -> None:
        """Keep the digest of bytes that will not change any more, for whoever goes on in this process."""
        with self._guard:
            self._digests[name] = digest
            self._digests.move_to_end(name)
            while len(self._digests) > MOST_DIGESTS:
                self._digests.popitem(last=False)

    def forget(self, name: str) -> Digest | None:
        """Take the digest back, None when there is none."""
        with self._guard:
            return self._digests.pop(name, None)

    def _open_tmp(self) -> int:
        return open_directory(self._tmp)


class Partial:
    """One file held open: cut back to where it is good, appended to, flushed. A with block lets go of it."""

    def __init__(self, partials: Partials, name: str, path: Path, descriptor: int) -> None:
        self.size = os.fstat(descriptor).st_size
        self._partials = partials
        self.name = name
        self._path = path
        self._descriptor = descriptor
        self._settled = partials.forget(name)
        """The digest up to the last commit: those bytes stay."""
        self._digest: Digest | None = None
        self._follower: Follower | None = None
        self._presser: Presser | None = None
        self._pressed = self.size
        self._is_begun = False

    def rewind(self, size: int) -> None:
        """Cut the file to so many bytes; what follows goes there. One that is shorter stays as it is."""
        self._stop_helpers()
        if size < self.size:
            with storage_faults():
                os.ftruncate(self._descriptor, size)
            self.size = size
        self._pressed = self.size
        if self._settled is not None and self._settled.size != self.size:
            self._settled = None
        self._digest = self._settled.copy() if self._settled is not None else Digest() if not self.size else None

    def rename(self) -> str:
        """Give the file, which has lost bytes, another name: no process has a digest of what may come there now."""
        name = new_name()
        with storage_faults():
            os.rename(self._path, self._path.with_name(name))
        self.name, self._path = name, self._path.with_name(name)
        return name

    def append(self, block: bytes) -> None:
        """Write all of it. Raises StorageFull or StorageFailed; ``rewind`` before going on then."""
        written = 0
        with storage_faults(), memoryview(block) as view:
            while written < len(block):
                written += os.write(self._descriptor, view[written:])
            self.size += len(block)
            self._hash(block)
            self._press()

    def flush(self) -> None:
        """Have the disk take all there is. Raises StorageFull or StorageFailed: then ``rewind`` to the last commit.

        The kernel may have forgotten which pages it could not write, so they have to be written anew.
        """
        with storage_faults():
            if self._presser is not None:
                self._presser.wait()
            os.fdatasync(self._descriptor)
        self._pressed = self.size

    def settle(self) -> None:
        """What is there was flushed and committed: it stays."""
        self._catch_up()
        if self._digest is not None:
            self._settled = self._digest.copy()

    def finish(self) -> Received:
        """Flush, and hash from the disk what this process has not hashed as it came. The file stays held."""
        with storage_faults():
            if self._presser is not None:
                self._presser.wait()
            os.fsync(self._descriptor)
            self._catch_up()
            digest = self._digest if self._digest is not None and self._digest.size == self.size else self._read()
        return digest.received(self._path)

    def close(self) -> None:
        """Let go of the file; may be called again."""
        self._stop_helpers()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        if self._settled is not None:
            self._partials.remember(self.name, self._settled)
        os.close(descriptor)

    def remove(self) -> None:
        """Remove the file, which nobody needs any more, and let go of it."""
        self._settled, self.size = None, 0
        self._partials.remove(self.name)
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def _hash(self, block: bytes) -> None:
        """The first block at once, for there may be no other; those that follow beside their writing."""
        if self._digest is None:
            return
        if self._follower is None and self._is_begun:
            self._follower = Follower(self._digest)
        if self._follower is None:
            self._digest.update(block)
        else:
            self._follower.take(block)
        self._is_begun = True

    def _catch_up(self) -> None:
        if self._follower is not None:
            self._follower.catch_up()

    def _press(self) -> None:
        if self.size - self._pressed < PRESSED:
            return
        if self._presser is None:
            self._presser = Presser(self._descriptor)
        self._presser.press()
        self._pressed = self.size

    def _stop_helpers(self) -> None:
        """Nothing is hashed or flushed any more; what they were at is not asked for."""
        for helper in (self._follower, self._presser):
            if helper is not None:
                helper.end()
        self._follower, self._presser, self._is_begun = None, None, False

    def _read(self) -> Digest:
        digest = Digest()
        while block := os.pread(self._descriptor, BLOCK, digest.size):
            digest.update(block)
        return digest


def new_name() -> str:
    """A name no file has."""
    return f"upload-{secrets.token_hex(16)}"


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UploadBusy from None


def _is_at(directory: int, name: str, descriptor: int) -> bool:
    """Whether the open file still has this name: it may have been removed, or become a blob, before it was locked."""
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(descriptor))
