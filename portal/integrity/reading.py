"""What all work on the whole stock shares: rows in pages, bytes with their checksums, and who knows a key."""

import hashlib
import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from sqlalchemy import Row, Select, SQLColumnExpression, select, text

from portal.extensions import db, release_connection
from portal.models import Blob
from portal.storage import BLOCK, OpenedBytes

DAY_SECONDS = 24 * 3600
"""Nothing younger is touched by gc, nor held against anybody by verify: it may still be on its way."""
BATCH = 500
"""Rows or keys looked at together."""

Progress = Callable[[int, int], None]
"""Told now and then how much is done, and of how much."""

Item = TypeVar("Item")


class Checksums:
    """Size, CRC-32 and SHA-256 of bytes that go by block by block."""

    def __init__(self) -> None:
        self.size = 0
        self.crc32 = 0
        self._sha256 = hashlib.sha256()

    def update(self, block: bytes) -> None:
        """The next block."""
        self.size += len(block)
        self.crc32 = zlib.crc32(block, self.crc32)
        self._sha256.update(block)

    @property
    def sha256(self) -> str:
        """Of all blocks so far, in hex."""
        return self._sha256.hexdigest()


class Tally:
    """Adds up what is done and passes it on, so that those who work need not know where they stand."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def add(self, done: int) -> None:
        """So much more is done. Never more than all: what came in meanwhile was not in the total."""
        self._done += done
        if self._progress is not None:
            self._progress(min(self._done, self._total), self._total)


def blocks_of(opened: OpenedBytes) -> Iterator[bytes]:
    """The bytes from the first to the last, 1 MiB at a time. Raises OSError when they cannot be read."""
    return iter(partial(opened.handle.read, BLOCK), b"")


def in_groups(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of at most ``size``."""
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group


def in_pages(statement: Select[*tuple[Any, ...]], key: SQLColumnExpression[int]) -> Iterator[Sequence[Row[Any]]]:
    """Rows by rising ``key``, which is the first column, a page at a time; no connection is held in between."""
    last = 0
    while rows := db.session.execute(statement.where(key > last).order_by(key).limit(BATCH)).all():
        release_connection()
        yield rows
        last = rows[-1][0]


def known_keys(keys: Sequence[str]) -> set[str]:
    """Those of the keys that a blob row has at this moment."""
    release_connection()  # or an older snapshot would answer
    known = set(db.session.scalars(select(Blob.sha256).where(Blob.sha256.in_(keys))))
    release_connection()
    return known


def is_old(moment: float) -> bool:
    """Whether a file's time lies a day or more back, by this machine's clock."""
    return time.time() - moment >= DAY_SECONDS


def take_time() -> None:
    """Let the statements of this transaction take longer than those of a request may."""
    if db.engine.dialect.name == "postgresql":
        db.session.execute(text("SET LOCAL statement_timeout = 0"))


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """A new file for writing, 0600 whatever the umask."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w+b") as file:
        os.fchmod(descriptor, 0o600)
        yield file
