"""Locks of a storage: flock(2) on files beside its bytes."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from portal.errors import StorageFailed
from portal.storage.files import held

_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC


def take_lock(directory: int, name: str, kind: int) -> int:
    """A descriptor for every holder: a lock binds to it, so threads exclude each other as processes do.

    ``kind`` is that of flock(2). Raises OSError, BlockingIOError when it is held and ``kind`` says not to wait.
    """
    descriptor = _open_file(directory, name)
    try:
        fcntl.flock(descriptor, kind)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def alone(take: Callable[[], int]) -> Iterator[bool]:
    """Whether a lock could be taken, and then it is held inside the block. Raises StorageFailed."""
    try:
        descriptor = take()
    except StorageFailed as problem:
        if not isinstance(problem.__cause__, BlockingIOError):
            raise
        yield False
        return
    with held(descriptor):
        yield True


def _open_file(directory: int, name: str) -> int:
    """Made if missing; on a storage mounted for reading alone the one that is there will do."""
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600, dir_fd=directory)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return os.open(name, os.O_RDONLY | _FLAGS, dir_fd=directory)
    try:
        os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
