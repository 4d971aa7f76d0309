"""Stamps of blobs that came in a backup: noted as they are kept, remembered by their rows when those have come too."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import bindparam, select, update

from portal.catalog.soundness import UNSEEN, seen_as
from portal.extensions import db
from portal.integrity.reading import BATCH, in_groups
from portal.models import Blob, Version, db_now
from portal.storage import Stamp

_BLOBS = Blob.metadata.tables[Blob.__tablename__]
_SEE = update(_BLOBS).where(_BLOBS.c.sha256 == bindparam("key")).values({name: bindparam(name) for name in UNSEEN})


class Stamps:
    """A file with a line for each blob, however many they are."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._file.touch(mode=0o600)

    def note(self, stamps: Mapping[str, Stamp]) -> None:
        """Add those of some keys."""
        with self._file.open("a", encoding="ascii") as lines:
            for sha256, stamp in stamps.items():
                lines.write(f"{sha256} {' '.join(map(str, stamp))}\n")

    def remember(self) -> None:
        """Write them into the rows of the backup, inside the transaction that brings those.

        What was seen of files elsewhere is forgotten. The blobs that are noted were hashed; all others are missing.
        """
        session = db.session()
        session.execute(update(Version).values(UNSEEN))
        session.execute(update(Blob).values(UNSEEN | {"damage": "missing", "damaged_at": db_now()}))
        now = session.scalars(select(db_now())).one()
        for group in in_groups(self._each(), BATCH):
            session.connection().execute(_SEE, [{"key": key, **seen_as(stamp, now)} for key, stamp in group])

    def _each(self) -> Iterator[tuple[str, Stamp]]:
        with self._file.open(encoding="ascii") as lines:
            for line in lines:
                sha256, *numbers = line.split()
                yield sha256, Stamp(*map(int, numbers))
