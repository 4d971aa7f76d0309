"""The database at one moment, in a file; and one brought from a backup, not yet in its place."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy.orm import Session

LOG = "audit_events"
"""Insert-only by its triggers, which step aside only for what a backup brings."""
VERSIONING = "alembic_version"
NOT_DATA = f"'{VERSIONING}', 'sqlite_sequence', 'sqlite_stat1'"

BLOBS = "SELECT sha256, size FROM blobs ORDER BY sha256"
REVISION = f"SELECT version_num FROM {VERSIONING}"
SOURCES = "SELECT directory FROM sources ORDER BY id"


@dataclass(frozen=True)
class Snapshot:
    """The database as it was at one moment: the file, and what the backup needs to know of it.

    ``blobs`` is a file too: a line of key and size for every blob row, by rising key.
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
    """A database from a backup, checked and of this program's schema, beside the one in use."""

    def counts(self) -> dict[str, int]:
        """Rows by table, as they came."""

    def blobs_after(self, sha256: str) -> list[tuple[str, int]]:
        """Key and size of the next blob rows after a key, by rising key; empty at the end."""

    def move_in(self, session: Session) -> None:
        """Replace all rows of the database in use by these, inside its transaction."""

    def discard(self) -> None:
        """Remove it."""


def quoted(name: str) -> str:
    """A name of a table or column, as SQL wants it."""
    return '"' + name.replace('"', '""') + '"'
