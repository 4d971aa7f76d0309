"""Where blobs lie: two directories deep, so that none grows long, each named by the beginning of the keys on it."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from portal.errors import ContentUnavailable
from portal.storage.files import held, list_directory, open_directory, storage_faults

_KEY = re.compile(r"[0-9a-f]{64}")
_SHELF = re.compile(r"[0-9a-f]{2}(/[0-9a-f]{2})?")
_KEY_ON_ITS_SHELF = re.compile(r"([0-9a-f]{2})/([0-9a-f]{2})/(\1\2[0-9a-f]{60})")


def shelf_of(sha256: str) -> tuple[str, str]:
    """The two directories of a key. Raises ContentUnavailable if it is no key."""
    if not _KEY.fullmatch(sha256):
        raise ContentUnavailable
    return sha256[:2], sha256[2:4]


def is_blob(path: str, found: os.stat_result) -> bool:
    """Whether what lies at a path below the blobs is a regular file on the shelf of its key."""
    return stat.S_ISREG(found.st_mode) and _KEY_ON_ITS_SHELF.fullmatch(path) is not None


def walk(blobs: Path) -> Iterator[tuple[str, os.stat_result]]:
    """All below the blobs but their shelves, by relative path; only shelves are entered. Raises StorageFailed."""
    pending: list[tuple[str, ...]] = [()]
    while pending:
        shelf = pending.pop()
        below = []
        for name, found in _list_shelf(blobs, shelf):
            path = "/".join((*shelf, name))
            if stat.S_ISDIR(found.st_mode) and _SHELF.fullmatch(path):
                below.append((*shelf, name))
            else:
                yield path, found
        pending.extend(reversed(below))


def _list_shelf(blobs: Path, shelf: tuple[str, ...]) -> list[tuple[str, os.stat_result]]:
    with storage_faults(), held(open_directory(blobs, *shelf)) as descriptor:
        return list_directory(descriptor)
