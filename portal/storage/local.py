"""Our own bytes on a local disk: ``blobs/ab/cd/<sha256>``, and ``tmp/`` on the same file system for those on their way.

The order that keeps promises P1 and P3: write a temp file, fsync it, rename it to its final name, fsync the
directories; only then may a row in the database refer to it. A crash in between leaves a temp file, or a blob that
nobody refers to.
"""

import fcntl
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from portal.errors import ContentDamaged, ContentUnavailable, StorageFailed
from portal.storage.derived import Albums
from portal.storage.files import (
    OpenedBytes,
    Place,
    Stamp,
    drop,
    held,
    list_directory,
    make_directories,
    make_directory,
    make_file,
    open_bytes,
    open_directory,
    outlast_tick,
    stamp_of,
    storage_faults,
    sync_directory,
)
from portal.storage.incoming import Incoming, Received
from portal.storage.locks import alone, take_lock
from portal.storage.partial import Partials
from portal.storage.shelves import is_blob, shelf_of, walk

_TEMP = re.compile(r"incoming-[0-9a-f]{32}")
_LOCK = ".lock"
_SCRUB_LOCK = ".scrubbing"
_SCAN_LOCK = ".scanning"


class LocalStorage:
    """Blobs in a directory of our own, named by their SHA-256 and never changed.

    The directory may be reached through a link, resolved here once; nothing below it may be one. ``prepare`` it first.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.realpath(root))
        self._blobs = self._root / "blobs"
        self._tmp = self._root / "tmp"
        self.partials = Partials(self._tmp, self.open)
        self.albums = Albums(self._root)

    @property
    def root(self) -> Path:
        """The directory itself, resolved."""
        return self._root

    def prepare(self) -> None:
        """Make the directories that are missing, 0700; what is there stays as it is. Raises StorageFailed."""
        with storage_faults():
            make_directories(self._root)
            with held(open_directory(self._root)) as root:
                for name in (self._blobs.name, self._tmp.name):
                    os.close(make_directory(root, name))
                self.albums.prepare(root)
                os.fsync(root)

    def receive(self, limit: int | None = None) -> Incoming:
        """A new temp file that takes at most ``limit`` bytes. Raises StorageFull or StorageFailed."""
        name = f"incoming-{secrets.token_hex(16)}"
        with storage_faults(), held(self._open_tmp()) as tmp:
            return Incoming(self._tmp / name, make_file(tmp, name), limit)

    def keep(self, received: Received) -> Stamp:
        """``keep_all`` for one."""
        return self.keep_all([received])[received.sha256]

    def keep_all(self, received: Sequence[Received]) -> dict[str, Stamp]:
        """Give every temp file its final name and flush the directories: then a power cut loses none of them.

        A blob that is there already is used again if its size and SHA-256 are right, and replaced if not. Answers the
        stamp of each by key: whatever is done to the blob after this call changes it. Raises StorageFull or
        StorageFailed; no temp file remains either way but what is lasting, and some of the blobs may, for gc to find.
        Several hundred at a time cost far fewer flushes than one by one. Call it inside ``placing``.
        """
        stamps: dict[str, Stamp] = {}
        try:
            with storage_faults():
                kept = {one.sha256: self._store(one) for one in received}
                self._flush_shelves(kept)
            stamps = kept
        finally:
            for one in received:
                if one.sha256 in stamps or not one.is_lasting:
                    drop(one.temp)
        if stamps:
            outlast_tick(max(stamps.values(), key=lambda stamp: stamp.ctime_ns))
        return stamps

    def placing(self) -> AbstractContextManager[None]:
        """Held from ``keep`` until the commit of the rows: gc waits, other uploads do not. Raises StorageFailed."""
        return self._locked(fcntl.LOCK_SH)

    def removing(self) -> AbstractContextManager[None]:
        """Held by gc from its last look at the rows until the bytes are gone: nobody places. Raises StorageFailed."""
        return self._locked(fcntl.LOCK_EX)

    def scrubbing(self, *, patiently: bool = False) -> AbstractContextManager[bool]:
        """Whether this is the only scrub of the storage, and then none can begin inside the block.

        Not held is no failure unless ``patiently``, which waits for the other to end. Raises StorageFailed.
        """
        return alone(lambda: self._lock(fcntl.LOCK_EX | (0 if patiently else fcntl.LOCK_NB), _SCRUB_LOCK))

    def scanning(self) -> AbstractContextManager[bool]:
        """The same of having what came in looked at for viruses; it never waits."""
        return alone(lambda: self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB, _SCAN_LOCK))

    def place(self, sha256: str) -> Place:
        """Where the blob of this key lies, there or not. Raises ContentUnavailable unless it is 64 hex digits."""
        return Place(self._blobs, "/".join((*shelf_of(sha256), sha256)))

    def open(self, sha256: str, size: int) -> OpenedBytes:
        """Open a blob for reading; raises ContentUnavailable unless it is a regular file of exactly ``size`` bytes.

        As ContentDamaged when it is the blob's own fault. The SHA-256 is not computed here: see ``digest``.
        """
        opened = open_bytes(self.place(sha256))
        if opened.size != size:
            opened.close()
            raise ContentDamaged("size")
        return opened

    def stat(self, sha256: str) -> os.stat_result | None:
        """What lstat(2) says of whatever lies where the blob of this key belongs; None when nothing does.

        Raises StorageFailed when the way there is barred, ContentUnavailable for what is no key.
        """
        names = shelf_of(sha256)
        with storage_faults():
            try:
                with held(open_directory(self._blobs, *names)) as shelf:
                    return os.stat(sha256, dir_fd=shelf, follow_symlinks=False)
            except FileNotFoundError:
                return None

    def digest(self, sha256: str, size: int) -> str:
        """The hex SHA-256 of the bytes as they are on disk now.

        Raises ContentUnavailable like ``open``, and when they cannot be read.
        """
        with self.open(sha256, size) as opened:
            try:
                return hashlib.file_digest(opened.handle, "sha256").hexdigest()
            except OSError as error:
                raise ContentUnavailable from error

    def remove(self, sha256: str) -> bool:
        """Remove a blob for good; False when there is none. Raises StorageFailed. Call it inside ``removing``."""
        names = shelf_of(sha256)
        with storage_faults():
            try:
                with held(open_directory(self._blobs, *names)) as shelf:
                    os.unlink(sha256, dir_fd=shelf)
                    os.fsync(shelf)
            except FileNotFoundError:
                return False
        return True

    def is_empty(self) -> bool:
        """Whether there is not one shelf, as in a directory that another file system should be mounted on."""
        with storage_faults(), held(open_directory(self._blobs)) as blobs:
            return not os.listdir(blobs)

    def list_keys(self) -> Iterator[tuple[str, os.stat_result]]:
        """Every blob by key, sorted, with what lstat(2) says. Raises StorageFailed for an unreadable directory."""
        for path, found in walk(self._blobs):
            if is_blob(path, found):
                yield path.rpartition("/")[2], found

    def list_strangers(self) -> Iterator[Path]:
        """Whatever else lies among the blobs: links, other names, keys on a wrong shelf; but no probe of ``check``.

        Raises like ``list_keys``.
        """
        for path, found in walk(self._blobs):
            if not is_blob(path, found) and not _TEMP.fullmatch(path):
                yield self._blobs / path

    def remove_stale_temps(self, older_than_seconds: float) -> int:
        """Remove what a crash left in ``tmp/`` and was not written to for so long; how many. Raises StorageFailed."""
        oldest = time.time() - older_than_seconds
        with storage_faults():
            return sum(self._sweep(name, oldest) for name in (self._tmp.name, self._blobs.name))

    def free_bytes(self) -> int:
        """Bytes that the portal may still write, those reserved for root left out. Raises StorageFailed."""
        with storage_faults():
            system = os.statvfs(self._root)
        return system.f_bavail * system.f_frsize

    def check(self) -> None:
        """Write, flush, rename, read back and remove a probe. Raises StorageFull or StorageFailed if that fails."""
        probe = secrets.token_bytes(4096)
        with self.receive() as incoming, storage_faults():
            incoming.write(probe)
            temp = incoming.finish().temp
            with held(open_directory(self._blobs)) as blobs:
                os.rename(temp, temp.name, dst_dir_fd=blobs)
                try:
                    os.fsync(blobs)
                    self._require_same(temp.name, probe)
                finally:
                    os.unlink(temp.name, dir_fd=blobs)

    def _sweep(self, name: str, oldest: float) -> int:
        removed = 0
        with held(open_directory(self._root, name)) as directory:
            for temp, found in list_directory(directory):
                if _TEMP.fullmatch(temp) and stat.S_ISREG(found.st_mode) and found.st_mtime < oldest:
                    with suppress(FileNotFoundError):
                        os.unlink(temp, dir_fd=directory)
                        removed += 1
        return removed

    def _require_same(self, name: str, probe: bytes) -> None:
        try:
            with open_bytes(Place(self._blobs, name)) as opened:
                is_same = opened.handle.read() == probe
        except ContentUnavailable:
            is_same = False
        if not is_same:
            raise StorageFailed("The storage does not give back what was written to it.")

    def _open_tmp(self) -> int:
        return open_directory(self._root, self._tmp.name)

    def _store(self, received: Received) -> Stamp:
        """Rename the temp file onto its shelf unless the blob is there; its stamp.

        One that is there is left as it is: any touch would change its ctime, and it would have to be hashed again.
        """
        with held(self._open_shelf(received.sha256)) as shelf:
            stamp = self._stamp_if_sound(received.sha256, received.size)
            if stamp is not None:
                return stamp
            try:
                os.rename(received.temp, received.sha256, dst_dir_fd=shelf)
            except IsADirectoryError:
                self._set_aside(shelf, received.sha256)
                os.rename(received.temp, received.sha256, dst_dir_fd=shelf)
            return stamp_of(os.stat(received.sha256, dir_fd=shelf, follow_symlinks=False))

    def _stamp_if_sound(self, sha256: str, size: int) -> Stamp | None:
        """The stamp of a blob whose bytes are those of its key, and were not touched while they were read."""
        with suppress(ContentUnavailable, OSError), self.open(sha256, size) as opened:
            if hashlib.file_digest(opened.handle, "sha256").hexdigest() == sha256 and opened.is_unchanged():
                return opened.stamp
        return None

    def _set_aside(self, shelf: int, name: str) -> None:
        """Move a directory that stands where a blob belongs into ``tmp/``: no rename replaces it."""
        with held(self._open_tmp()) as tmp:
            os.rename(name, f"aside-{secrets.token_hex(16)}", src_dir_fd=shelf, dst_dir_fd=tmp)

    def _open_shelf(self, sha256: str) -> int:
        descriptor = open_directory(self._blobs)
        for name in shelf_of(sha256):
            with held(descriptor) as parent:
                descriptor = make_directory(parent, name)
        return descriptor

    def _flush_shelves(self, keys: Iterable[str]) -> None:
        """Flush the shelves of these keys and all above them, each once.

        Also those that were there already: another process may have made them a moment ago and not flushed them yet.
        """
        shelves = dict.fromkeys(names for key in keys for names in (shelf_of(key), shelf_of(key)[:1], ()))
        for names in shelves:
            sync_directory(self._blobs, *names)

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        with held(self._lock(kind, _LOCK)):
            yield

    def _lock(self, kind: int, name: str) -> int:
        with storage_faults(), held(self._open_tmp()) as tmp:
            return take_lock(tmp, name, kind)
