"""What is made of bytes for people to look at: the images of one preview in one file, an album, whole or not there.

They can be made anew at any time, so no backup has them. Where they lie, ``previews/ab/cd/<sha256>-<maker>``, says of
which bytes they are and which program made them: another one's never stand in for them.
"""

import os
import re
import secrets
import stat
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from portal.errors import ContentUnavailable
from portal.storage.files import (
    Place,
    drop,
    held,
    make_directory,
    make_file,
    open_bytes,
    open_directory,
    storage_faults,
    sync_directory,
)
from portal.storage.shelves import shelf_of, walk

_COUNT = struct.Struct(">I")
_ALBUM = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/([0-9a-f]{64})-([1-9][0-9]{0,8})")
MOST_IMAGES = 1000


class Albums:
    """The albums of a storage: how many images there are, how long each is, and then their bytes."""

    def __init__(self, root: Path) -> None:
        self._root = root / "previews"
        self._tmp = root / "tmp"

    def prepare(self, root: int) -> None:
        """Make the directory in the open one of the storage, if it is missing."""
        os.close(make_directory(root, self._root.name))

    def keep(self, sha256: str, maker: int, images: Sequence[bytes]) -> None:
        """Put an album there, flushed; one that is there gives way. Raises StorageFull or StorageFailed."""
        temp = self._tmp / f"incoming-{secrets.token_hex(16)}"
        try:
            with storage_faults():
                self._write(temp, images)
                with held(self._open_shelf(sha256)) as shelf:
                    os.rename(temp, f"{sha256}-{maker}", dst_dir_fd=shelf)
                for names in (shelf_of(sha256), shelf_of(sha256)[:1], ()):
                    sync_directory(self._root, *names)
        finally:
            drop(temp)

    def read(self, sha256: str, maker: int, number: int) -> bytes:
        """One image of an album, counted from 0. Raises ContentUnavailable."""
        place = Place(self._root, "/".join((*shelf_of(sha256), f"{sha256}-{maker}")))
        with open_bytes(place) as opened:
            descriptor = opened.handle.fileno()
            try:
                (count,) = _COUNT.unpack(os.pread(descriptor, _COUNT.size, 0))
                if not 0 <= number < count <= MOST_IMAGES:
                    raise ContentUnavailable
                lengths = struct.unpack(f">{count}I", os.pread(descriptor, count * _COUNT.size, _COUNT.size))
                found = os.pread(descriptor, lengths[number], (count + 1) * _COUNT.size + sum(lengths[:number]))
            except (OSError, struct.error) as problem:
                raise ContentUnavailable from problem
        if len(found) != lengths[number]:
            raise ContentUnavailable
        return found

    def has(self, sha256: str, maker: int) -> bool:
        """Whether there is such an album. Raises StorageFailed when nobody can say."""
        with storage_faults():
            try:
                with held(open_directory(self._root, *shelf_of(sha256))) as shelf:
                    found = os.stat(f"{sha256}-{maker}", dir_fd=shelf, follow_symlinks=False)
            except FileNotFoundError:
                return False
        return stat.S_ISREG(found.st_mode)

    def remove(self, sha256: str, maker: int) -> bool:
        """Remove an album; False when there is none. Raises StorageFailed."""
        with storage_faults():
            try:
                with held(open_directory(self._root, *shelf_of(sha256))) as shelf:
                    os.unlink(f"{sha256}-{maker}", dir_fd=shelf)
            except FileNotFoundError:
                return False
        return True

    def list_all(self) -> Iterator[tuple[str, int, os.stat_result]]:
        """Every album by key and maker, sorted, with what lstat(2) says. Raises StorageFailed."""
        for path, found in walk(self._root):
            named = _ALBUM.fullmatch(path)
            if named is not None and stat.S_ISREG(found.st_mode):
                yield named[1], int(named[2]), found

    def _write(self, temp: Path, images: Sequence[bytes]) -> None:
        with held(open_directory(self._tmp)) as tmp:
            descriptor = make_file(tmp, temp.name)
        with os.fdopen(descriptor, "wb", closefd=True) as file:
            file.write(struct.pack(f">{len(images) + 1}I", len(images), *map(len, images)))
            for image in images:
                file.write(image)
            file.flush()
            os.fsync(file.fileno())

    def _open_shelf(self, sha256: str) -> int:
        descriptor = open_directory(self._root)
        for name in shelf_of(sha256):
            with held(descriptor) as parent:
                descriptor = make_directory(parent, name)
        return descriptor
