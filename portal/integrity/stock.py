"""What there is to verify: the rows that answer for bytes, and those among them whose bytes are wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, exists, func, or_, select, union

from portal.catalog.soundness import Kept, blobs, kept_blob, stamp_in
from portal.extensions import db, release_connection
from portal.models import Blob, Category, Document, SourceDirectory, Version

PAGE = 50


@dataclass(frozen=True)
class DamagedRow:
    """A version whose bytes are wrong, so that nobody gets it; ``damage`` as ContentDamaged has it."""

    version_id: int
    document_id: int
    title: str
    category_path: str
    number: int
    is_current: bool
    is_trashed: bool
    damage: str
    damaged_at: datetime


@dataclass(frozen=True)
class Damaged:
    """How many files are wrong, and how many documents have a version that needs them."""

    files: int
    documents: int


def files_in_place() -> Select[*tuple[Any, ...]]:
    """Current versions of live documents in sources, as ``kept_file`` takes them: older ones are nobody's promise."""
    return (
        select(
            Version.id,
            Version.sha256,
            Version.size,
            Version.crc32,
            Version.seen_inode,
            Version.seen_mtime_ns,
            Version.seen_ctime_ns,
            Version.damage,
            SourceDirectory.directory,
            Version.source_path,
            Version.source_mtime_ns,
            Version.document_id,
            Version.number,
        )
        .join(Document, Document.current_version_id == Version.id)
        .join(SourceDirectory, SourceDirectory.id == Version.source_id)
        .where(Document.trashed_at.is_(None))
    )


def kept_file(row: Row[Any]) -> Kept:
    """A row of ``files_in_place``."""
    seen = stamp_in(row.size, row.seen_inode, row.seen_mtime_ns, row.seen_ctime_ns)
    source = (row.directory, row.source_path, row.source_mtime_ns)
    return Kept(Version, row.id, row.sha256, row.size, seen, row.damage, *source)


def list_kept_blobs(after: int, last: int, limit: int) -> list[Kept]:
    """Blobs by rising id; no connection is held afterwards."""
    page = blobs().where(Blob.id > after, Blob.id <= last).order_by(Blob.id).limit(limit)
    return _read([page], [])


def list_kept_files(after: int, last: int, limit: int) -> list[Kept]:
    """Files in place by rising id of their versions; no connection is held afterwards."""
    page = files_in_place().where(Version.id > after, Version.id <= last).order_by(Version.id).limit(limit)
    return _read([], [page])


def list_wanted(limit: int) -> list[Kept]:
    """Bytes that somebody waits for, who waits longest first."""
    return _read(
        [blobs().where(Blob.wanted_at.is_not(None)).order_by(Blob.wanted_at).limit(limit)],
        [files_in_place().where(Version.wanted_at.is_not(None)).order_by(Version.wanted_at).limit(limit)],
    )


def list_quarantined(limit: int) -> list[Kept]:
    """Bytes that are wrong, others each time when they are more than are looked at together."""
    return _read(
        [blobs().where(Blob.damaged_at.is_not(None)).order_by(func.random()).limit(limit)],
        [files_in_place().where(Version.damaged_at.is_not(None)).order_by(func.random()).limit(limit)],
    )


def is_any_damaged() -> bool:
    """Whether any bytes are quarantined."""
    blob = exists().where(Blob.damaged_at.is_not(None))
    file = exists(_damaged_files())
    return bool(db.session.scalar(select(or_(blob, file))))


def count_damaged() -> Damaged:
    """Files and documents that are quarantined."""
    blobs = select(func.count()).select_from(Blob).where(Blob.damaged_at.is_not(None)).scalar_subquery()
    files = select(func.count()).select_from(_damaged_files().subquery()).scalar_subquery()
    needed = select(func.count(Version.document_id.distinct())).where(_is_damaged()).scalar_subquery()
    return Damaged(*db.session.execute(select(blobs + files, needed)).one())


def list_damaged(*, after: int | None = None, limit: int = PAGE) -> tuple[Sequence[DamagedRow], int | None]:
    """Versions that nobody gets, the newest first, with the id to go on after."""
    statement = (
        select(
            Version.id,
            Document.id,
            Document.title,
            Category.path,
            Version.number,
            Document.current_version_id == Version.id,
            Document.trashed_at.is_not(None),
            func.coalesce(Blob.damage, Version.damage),
            func.coalesce(Blob.damaged_at, Version.damaged_at),
        )
        .join(Document, Document.id == Version.document_id)
        .join(Category, Category.id == Document.category_id)
        .outerjoin(Blob, Blob.id == Version.blob_id)
        .where(_is_damaged())
        .order_by(Version.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        statement = statement.where(Version.id < after)
    rows = [DamagedRow(*row) for row in db.session.execute(statement)]
    return rows[:limit], rows[limit - 1].version_id if len(rows) > limit else None


def _read(of_blobs: Iterable[Select[*tuple[Any, ...]]], of_files: Iterable[Select[*tuple[Any, ...]]]) -> list[Kept]:
    found = [kept_blob(row) for statement in of_blobs for row in db.session.execute(statement)]
    found += [kept_file(row) for statement in of_files for row in db.session.execute(statement)]
    release_connection()
    return found


def _is_damaged() -> ColumnElement[bool]:
    """As a list of ids, so that the few damaged rows lead to their versions and not the other way round."""
    in_blobs = select(Version.id).join(Blob, Blob.id == Version.blob_id).where(Blob.damaged_at.is_not(None))
    return Version.id.in_(union(in_blobs, _damaged_files()))


def _damaged_files() -> Select[int]:
    return files_in_place().with_only_columns(Version.id).where(Version.damaged_at.is_not(None))
