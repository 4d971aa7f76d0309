"""Passes of the scrub, as they stand in the database: begun, carried on by whoever is next, finished, shown."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, func, insert, select, update

from portal.catalog.soundness import Kept
from portal.extensions import db, release_connection, settings, transaction
from portal.integrity.reading import DAY_SECONDS, take_time
from portal.integrity.stock import files_in_place
from portal.models import Blob, ScrubPass, Version, db_later, db_now

MIB = 1024 * 1024
CATCH_UP_SECONDS = DAY_SECONDS
"""A pass that is late, because nothing ran for days, takes at least so long for what is left."""


@dataclass(frozen=True)
class Pass:
    """One reading of everything there was when it began: when, how far it is, how many files it found wrong."""

    id: int
    started_at: datetime
    active_at: datetime
    finished_at: datetime | None
    blob_id: int
    last_blob_id: int
    version_id: int
    last_version_id: int
    files: int
    bytes: int
    total_bytes: int
    damaged: int

    @property
    def part(self) -> float:
        """How much of it is done, 0 to 1; files that went meanwhile count as done at the end."""
        if self.finished_at is not None or not self.total_bytes:
            return 1.0
        return min(self.bytes / self.total_bytes, 1.0)


@dataclass
class Step:
    """What is to be added to a pass: the last blob and version that are done, and how many there were."""

    blob_id: int
    version_id: int
    files: int = 0
    bytes: int = 0
    damaged: int = 0

    def pass_by(self, kept: Kept) -> None:
        """One more is done, whatever was found."""
        if kept.table is Version:
            self.version_id = kept.id
        else:
            self.blob_id = kept.id
        self.files += 1
        self.bytes += kept.size


def interval_seconds() -> int:
    """From the beginning of one pass to that of the next, and what each may take.

    Half of the days that may lie between two readings of a file: the first file of a pass may be read early and the
    same file late in the next, or the other way round.
    """
    return settings().scrub_days * DAY_SECONDS // 2


def find_running() -> Pass | None:
    """The pass that is not finished."""
    return _first(_passes().where(ScrubPass.finished_at.is_(None)))


def find_last() -> Pass | None:
    """The last pass that was finished."""
    return _first(_passes().where(ScrubPass.finished_at.is_not(None)))


def begin_if_due() -> Pass | None:
    """A new pass, unless the last one began so lately that it is too early."""
    lately = select(func.count()).where(ScrubPass.started_at > db_later(-interval_seconds()))
    is_early = bool(db.session.scalar(lately))
    release_connection()
    return None if is_early else begin()


def begin() -> Pass:
    """A new pass over everything there is now: what comes later was just written and waits for the next one."""
    with transaction() as session:
        take_time()
        blobs = session.execute(select(func.max(Blob.id), func.sum(Blob.size))).one()
        files = session.execute(files_in_place().with_only_columns(func.max(Version.id), func.sum(Version.size))).one()
        total = int(blobs[1] or 0) + int(files[1] or 0)
        values = {"last_blob_id": blobs[0] or 0, "last_version_id": files[0] or 0, "total_bytes": total}
        made = session.execute(insert(ScrubPass).values(values).returning(ScrubPass.id)).scalar_one()
        return Pass(*session.execute(_passes().where(ScrubPass.id == made)).one())


def add(this: Pass, step: Step) -> None:
    """Write down how far a pass has come; inside a transaction."""
    values = {
        "blob_id": step.blob_id,
        "version_id": step.version_id,
        "files": ScrubPass.files + step.files,
        "bytes": ScrubPass.bytes + step.bytes,
        "damaged": ScrubPass.damaged + step.damaged,
        "active_at": db_now(),
    }
    db.session.execute(update(ScrubPass).where(ScrubPass.id == this.id).values(values))


def finish(this: Pass) -> Pass:
    """Write down that a pass has read everything."""
    with transaction() as session:
        over = {"finished_at": db_now(), "active_at": db_now()}
        session.execute(update(ScrubPass).where(ScrubPass.id == this.id).values(over))
        return Pass(*session.execute(_passes().where(ScrubPass.id == this.id)).one())


def rate_of(this: Pass) -> float:
    """Bytes a second that end a pass in time, and at least those of the setting."""
    gone = (datetime.now(UTC) - this.started_at).total_seconds()
    left = max(interval_seconds() - gone, CATCH_UP_SECONDS)
    return max(settings().scrub_mib_per_second * MIB, (this.total_bytes - this.bytes) / left)


def _passes() -> Select[*tuple[Any, ...]]:
    """The newest first; its columns are the fields of a Pass."""
    columns = [ScrubPass.__table__.c[name] for name in Pass.__dataclass_fields__]
    return select(*columns).order_by(ScrubPass.id.desc()).limit(1)


def _first(statement: Select[*tuple[Any, ...]]) -> Pass | None:
    row = db.session.execute(statement).one_or_none()
    return Pass(*row) if row is not None else None
