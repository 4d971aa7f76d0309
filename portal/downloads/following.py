"""Following the log of a proxy: what it says of the transfers it was told of, each line taken once.

A file is known by its first line, which no other file has, because every line names a transfer of its own. So it does
not matter that it is renamed, copied and emptied, or replaced while nobody looks. How far it has been read is kept in
the transaction that writes down what was read.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from sqlalchemy import delete, insert, select

from portal.downloads.delegations import Report, settle
from portal.extensions import db, release_connection, transaction
from portal.models import FollowedLog

BATCH = 200
"""Lines in one transaction: on SQLite nobody else writes meanwhile."""
MOST_BYTES = 4096
"""A line of ours has about 100."""
LINE = re.compile(rb'(?P<uuid>[0-9a-f-]{36}) (?P<status>[0-9]{3}) (?P<bytes>[0-9]{1,18}) "(?P<done>OK)?"[ \n]')
"""As ``log_format`` in config/nginx.conf has it; what follows is for people."""
UNREADABLE = 416
"""What nginx answers to a range with a tab, which the portal would ignore."""
ROTATED = r"([.-][0-9][0-9.-]*)?"
"""What a rotated file has behind its name: ``.1``, ``-20261122``; compressed ones are left alone."""

State = tuple[int, int]


@dataclass
class CaughtUp:
    """What was read: transfers ``settled``, lines that are ``strange``, statuses of those the proxy ``refused``.

    A range it would not read is no refusal to look into: that was up to whoever asked.
    """

    settled: int = 0
    strange: int = 0
    refused: list[int] = field(default_factory=list)


class Follower:
    """A log and the files it was rotated to, which keep what was written while nobody looked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = re.compile(re.escape(path.name) + ROTATED)
        self._read: dict[str, State] = {}

    def catch_up(self) -> CaughtUp:
        """Read everything new; a log that is not there yet is an empty one. Raises OSError when it is barred."""
        caught = CaughtUp()
        for path, state in self._files():
            if self._read.get(path.name) != state:
                with suppress(FileNotFoundError):  # rotated away meanwhile: found under its new name next time
                    _read(path, caught)
                self._read[path.name] = state
        return caught

    def _files(self) -> list[tuple[Path, State]]:
        """Those of the name there are, the oldest first, each with its size and time of change."""
        found = []
        with os.scandir(self._path.parent) as entries:
            for entry in entries:
                if self._name.fullmatch(entry.name) and entry.is_file():
                    with suppress(FileNotFoundError):
                        told = entry.stat()
                        found.append((self._path.parent / entry.name, (told.st_mtime_ns, told.st_size)))
        return sorted(found, key=lambda each: each[1])


def _read(path: Path, caught: CaughtUp) -> None:
    with path.open("rb") as log:
        first = log.readline(MOST_BYTES)
        if first.endswith(b"\n"):
            mark = hashlib.sha256(first).hexdigest()
            log.seek(_position(mark))
            while lines := list(_whole_lines(log)):
                _take(lines, mark, log.tell(), caught)


def _position(mark: str) -> int:
    position = db.session.scalar(select(FollowedLog.position).where(FollowedLog.first_line == mark))
    release_connection()
    return position or 0


def _whole_lines(log: BinaryIO) -> Iterator[bytes]:
    """At most a batch; the position stays before a line that is still being written."""
    for _ in range(BATCH):
        start = log.tell()
        line = log.readline(MOST_BYTES)
        if not line.endswith(b"\n") and len(line) < MOST_BYTES:
            log.seek(start)
            return
        yield line


def _take(lines: Sequence[bytes], mark: str, position: int, caught: CaughtUp) -> None:
    """Settle a batch and note how far the file has been read, both or neither."""
    reports = [report for line in lines if (report := _parse(line)) is not None]
    with transaction() as session:
        settled = settle(reports)
        session.execute(delete(FollowedLog).where(FollowedLog.first_line == mark))
        session.execute(insert(FollowedLog).values(first_line=mark, position=position))
    caught.settled += settled
    caught.strange += len(lines) - len(reports)
    caught.refused += [report.status for report in reports if report.status >= 400 and report.status != UNREADABLE]


def _parse(line: bytes) -> Report | None:
    found = LINE.match(line)
    if found is None:
        return None
    try:
        uuid = UUID(found["uuid"].decode())
    except ValueError:
        return None
    return Report(uuid, int(found["status"]), int(found["bytes"]), found["done"] is not None)
