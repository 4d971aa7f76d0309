"""The database at one moment, in a file; and one brought from a backup, checked, not yet in its place."""

# ruff: noqa: S608  # the statements are put together from names of tables and columns, never from values

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.orm import Session

LOG = "audit_events"
"""Insert-only by its triggers, which step aside only for the log a backup brings."""
VERSIONING = "alembic_version"

Query = Callable[[str], Iterable[Sequence[Any]]]
"""Runs a statement and gives its rows."""


@dataclass(frozen=True)
class Snapshot:
    """The database as it was at one moment: the file, and what the backup needs to know of it.

    ``counts`` are rows by table. ``blobs`` is a file too: a line of key and size for every blob row, by rising key.
    """

    file: Path
    revision: str
    counts: dict[str, int]
    sources: list[str]
    blobs: Path

    def each_blob(self) -> Iterator[tuple[str, int]]:
        """Key and size of every blob row, by rising key."""
        with self.blobs.open(encoding="ascii") as lines:
            for line in lines:
                sha256, size = line.split()
                yield sha256, int(size)


class Staged(Protocol):
    """A database from a backup, checked and brought to this program's schema, beside the one in use."""

    @property
    def snapshot(self) -> Snapshot:
        """What came, as it came."""

    def move_in(self, session: Session) -> None:
        """Replace all rows of the database in use by these, inside its transaction."""


def describe(file: Path, query: Query, tables: Iterable[str], order: str) -> Snapshot:
    """Look through a database that stands still; the list of blobs is written beside its file.

    ``order`` is the SQL that sorts keys byte by byte.
    """
    blobs = file.with_name("blobs")
    with blobs.open("w", encoding="ascii") as lines:
        for sha256, size in query(f"SELECT sha256, size FROM blobs ORDER BY {order}"):
            lines.write(f"{sha256} {size}\n")
    ((revision,),) = query(f"SELECT version_num FROM {VERSIONING}")
    sources = [directory for (directory,) in query("SELECT directory FROM sources ORDER BY id")]
    return Snapshot(file, revision, {table: _count(query, table) for table in tables}, sources, blobs)


def quoted(name: str) -> str:
    """A name of a table or column, as SQL wants it."""
    return '"' + name.replace('"', '""') + '"'


def listed(names: Iterable[str]) -> str:
    """Names of tables or columns, as SQL wants them in a list."""
    return ", ".join(map(quoted, names))


def _count(query: Query, table: str) -> int:
    ((count,),) = query(f"SELECT count(*) FROM {quoted(table)}")
    return int(count)
