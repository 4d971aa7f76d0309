"""Bytes on their way in: a temp file that counts and hashes what is written to it."""

import hashlib
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from portal.errors import UploadTooLarge
from portal.storage.files import HEAD, drop, storage_faults

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


@dataclass(frozen=True)
class Received:
    """Bytes that are flushed to disk, not yet kept: where, hex SHA-256, CRC-32, size, and the first 4096 of them.

    ``is_lasting``: the temp file outlasts a failure to keep it, for somebody will try again.
    """

    temp: Path
    sha256: str
    crc32: int
    size: int
    head: bytes
    is_lasting: bool = False


class Incoming(io.RawIOBase):
    """Bytes on their way into a temp file, counted and hashed as they come; readable again until ``finish``.

    A with block, or ``discard``, removes the temp file unless it has been kept. ``close`` (what a form parser calls)
    removes it unless ``finish`` was reached. So does forgetting the object: a parser that gives up closes nothing.
    """

    def __init__(self, temp: Path, descriptor: int, limit: int | None) -> None:
        super().__init__()
        self.size = 0
        self._temp = temp
        self._descriptor = descriptor
        self._limit = limit
        self._sha256 = hashlib.sha256()
        self._crc32 = 0
        self._head = b""
        self._is_finished = False

    @property
    def head(self) -> bytes:
        """The first 4096 bytes, or as many as have come, to tell the type from."""
        return self._head

    def write(self, data: "ReadableBuffer", /) -> int:
        """Append all of ``data`` and return its length in bytes.

        Raises UploadTooLarge beyond the limit, StorageFull or StorageFailed; the temp file is gone then.
        """
        self._require_open()
        with self._removed_on_failure(), memoryview(data).cast("B") as block:
            self._require_within_limit(len(block))
            self._append(block)
            return len(block)

    def finish(self) -> Received:
        """Flush the temp file to disk and close it.

        Raises StorageFailed (or StorageFull); after a failed fsync the kernel may have forgotten which pages were not
        written, so a second try would prove nothing: the temp file is removed instead.
        """
        self._require_open()
        with self._removed_on_failure():
            os.fsync(self._descriptor)
        self._is_finished = True
        self.close()
        return Received(self._temp, self._sha256.hexdigest(), self._crc32, self.size, self._head)

    def discard(self) -> None:
        """Close, and remove the temp file unless it has been kept meanwhile; may be called again."""
        self.close()
        drop(self._temp)

    def close(self) -> None:
        """Close; the temp file goes too unless ``finish`` was reached. May be called again."""
        if self.closed:
            return
        super().close()
        if not self._is_finished:
            drop(self._temp)
        os.close(self._descriptor)

    def __exit__(self, *reason: object) -> None:
        self.discard()

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Read back what has come, from the position ``seek`` has set."""
        self._require_open()
        with storage_faults():
            return os.readv(self._descriptor, [buffer])

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Set the position of the next reading; writing always appends."""
        self._require_open()
        return os.lseek(self._descriptor, offset, whence)

    def readable(self) -> bool:
        """True: it may be read back."""
        return True

    def writable(self) -> bool:
        """True: it takes bytes."""
        return True

    def seekable(self) -> bool:
        """True: reading back may begin anywhere."""
        return True

    def _require_open(self) -> None:
        if self.closed:
            raise ValueError("this temp file is closed")

    def _require_within_limit(self, more: int) -> None:
        if self._limit is not None and self.size + more > self._limit:
            raise UploadTooLarge

    def _append(self, block: memoryview) -> None:
        written = 0
        while written < len(block):
            written += os.write(self._descriptor, block[written:])
        self._sha256.update(block)
        self._crc32 = zlib.crc32(block, self._crc32)
        self._head += bytes(block[: HEAD - len(self._head)])
        self.size += len(block)

    @contextmanager
    def _removed_on_failure(self) -> Iterator[None]:
        try:
            with storage_faults():
                yield
        except BaseException:
            self.discard()
            raise
