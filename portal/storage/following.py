"""What follows the writing of a file in threads of its own: its digest, and the disk that takes it."""

import hashlib
import os
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from portal.storage.files import HEAD
from portal.storage.incoming import Received

MOST_BEHIND = 2
"""So many blocks may wait to be hashed."""


class Digest:
    """SHA-256, CRC-32 and the head of the first ``size`` bytes of a file."""

    def __init__(self) -> None:
        self.size = 0
        self.sha256 = hashlib.sha256()
        self.crc32 = 0
        self.head = b""

    def update(self, block: bytes) -> None:
        """Take the bytes that follow."""
        self.sha256.update(block)
        self.crc32 = zlib.crc32(block, self.crc32)
        self.head += block[: HEAD - len(self.head)]
        self.size += len(block)

    def received(self, temp: Path) -> Received:
        """What lies there and has this digest."""
        return Received(temp, self.sha256.hexdigest(), self.crc32, self.size, self.head, is_lasting=True)

    def copy(self) -> "Digest":
        """The same, to go on from here twice."""
        other = Digest()
        other.size, other.sha256, other.crc32, other.head = self.size, self.sha256.copy(), self.crc32, self.head
        return other


class Follower:
    """Has a digest follow in a thread of its own: hashing lets other threads run, and so do writing and flushing."""

    def __init__(self, digest: Digest) -> None:
        self._digest = digest
        self._thread = ThreadPoolExecutor(1, "digest")
        self._pending: deque[Future[None]] = deque()

    def take(self, block: bytes) -> None:
        """Have it hashed after those before it; waits for them when they are many, for they are held in memory."""
        if len(self._pending) >= MOST_BEHIND:
            self._pending.popleft().result()
        self._pending.append(self._thread.submit(self._digest.update, block))

    def catch_up(self) -> None:
        """Wait until all are hashed."""
        while self._pending:
            self._pending.popleft().result()

    def end(self) -> None:
        """Let go of the thread."""
        self._thread.shutdown(cancel_futures=True)


class Presser:
    """Has the disk take what was written to a file so far, in a thread of its own; one flush at a time."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._thread = ThreadPoolExecutor(1, "flush")
        self._running: Future[None] | None = None

    def press(self) -> None:
        """Begin, unless the last flush is still running. Raises OSError when that one failed."""
        if self._running is None or self._running.done():
            self.wait()
            self._running = self._thread.submit(os.fdatasync, self._descriptor)

    def wait(self) -> None:
        """Wait for the flush that is running. Raises OSError when it fails: the kernel tells it only once."""
        running, self._running = self._running, None
        if running is not None:
            running.result()

    def end(self) -> None:
        """Let go of the thread; the file may be closed then."""
        self._thread.shutdown()
