"""What is held for a look for viruses, and what is quarantined because one was found: listed and counted."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, exists, func, or_, select, union_all
from sqlalchemy.orm import aliased

from portal.catalog.scans import HELD, QUARANTINED, WAITS
from portal.extensions import db
from portal.models import Blob, Category, Document, User, Version, db_later

PAGE = 50
GROUP = 500
"""How many ids one statement names."""
LATE_SECONDS = 600
"""What waits for longer than this says that the scanner or the worker is away."""
REMEMBERED = timedelta(days=30)
"""Of what was held for longer nobody is told that it came out: news is looked for no further back."""
_REFUSED = WAITS & Blob.scanned_at.is_not(None)


@dataclass(frozen=True)
class HeldRow:
    """Bytes that are held or quarantined, with the newest document that has them; ``documents``: in how many they are.

    ``title`` is "" when no document has them. Without a ``finding`` the scanner could not look at them.
    """

    blob_id: int
    size: int
    finding: str | None
    scanned_at: datetime | None
    documents: int
    document_id: int | None
    title: str
    category_path: str
    number: int
    is_trashed: bool
    author: str | None


@dataclass(frozen=True)
class ScanCounts:
    """Blobs that wait, those of them that the scanner could not look at, and those in which it found something."""

    waiting: int
    refused: int
    infected: int


def list_held(version_ids: Iterable[int]) -> dict[int, str]:
    """Version to ``waiting`` or ``infected``, for those of these that no door gives out."""
    if not _is_any_held():
        return {}
    wanted = list(version_ids)
    found: dict[int, str] = {}
    for start in range(0, len(wanted), GROUP):
        these = Version.id.in_(wanted[start : start + GROUP])
        statement = select(Version.id, Blob.scan_state).join(Blob, Blob.id == Version.blob_id)
        found.update((row.id, row.scan_state) for row in db.session.execute(statement.where(these, is_held())))
    return found


def held_documents() -> Iterator[list[int]]:
    """The ids of documents whose current version no door gives out, some at a time."""
    if not _is_any_held():
        return
    # From what is held on, which is little, and never through all that there is.
    held = union_all(*(select(Blob.id).where(which) for which in (WAITS, QUARANTINED)))
    versions = select(Version.id).where(Version.blob_id.in_(held))
    statement = select(Document.id).where(Document.current_version_id.in_(versions), Document.trashed_at.is_(None))
    ids = list(db.session.scalars(statement))
    for start in range(0, len(ids), GROUP):
        yield ids[start : start + GROUP]


def came_out_after(at: SQLColumnExpression[datetime | None], since: datetime) -> ColumnElement[bool]:
    """The condition on a document that it is given out, and came out after a moment: ``at`` is, or its release was.

    So what is held is told of when it is held no more; also what came out, and was told of, before something was found.
    """
    version, blob = aliased(Version), aliased(Blob)
    its_own = select(blob.id).join(version, version.blob_id == blob.id)
    its_own = its_own.where(version.id == Document.current_version_id).correlate(Document)
    was_released = and_(at > since - REMEMBERED, its_own.where(blob.scanned_at > since).exists())
    return and_(or_(at > since, was_released), ~its_own.where(blob.scan_state.in_(HELD)).exists())


def is_held() -> ColumnElement[bool]:
    """The condition on the blob of a version that its bytes are held or quarantined."""
    return Blob.scan_state.in_(HELD)


def _is_any_held() -> bool:
    return bool(db.session.scalar(select(or_(exists().where(WAITS), exists().where(QUARANTINED)))))


def count_scans() -> ScanCounts:
    """How much is held and quarantined."""
    counted = (select(func.count()).select_from(Blob).where(which) for which in (WAITS, _REFUSED, QUARANTINED))
    return ScanCounts(*db.session.execute(select(*(one.scalar_subquery() for one in counted))).one())


def is_any_late() -> bool:
    """Whether something has waited for so long that nobody seems to look."""
    late = (WAITS, Blob.scanned_at.is_(None), Blob.touched_at < db_later(-LATE_SECONDS))
    return bool(db.session.scalar(select(exists().where(*late))))


def list_infected(*, after: int | None = None, limit: int = PAGE) -> tuple[Sequence[HeldRow], int | None]:
    """What is quarantined, the newest first, with the id to go on after."""
    return _list(QUARANTINED, after, limit)


def list_refused(*, limit: int = PAGE) -> Sequence[HeldRow]:
    """What the scanner could not look at, the newest first."""
    return _list(_REFUSED, None, limit)[0]


def _list(which: ColumnElement[bool], after: int | None, limit: int) -> tuple[Sequence[HeldRow], int | None]:
    statement = _rows().where(which).order_by(Blob.id.desc()).limit(limit + 1)
    if after is not None:
        statement = statement.where(Blob.id < after)
    rows = [_row(*found) for found in db.session.execute(statement)]
    return rows[:limit], rows[limit - 1].blob_id if len(rows) > limit else None


def _rows() -> Select[*tuple[Any, ...]]:
    any_of_them = aliased(Version)
    theirs = any_of_them.blob_id == Blob.id
    newest = select(func.max(any_of_them.id)).where(theirs).correlate(Blob).scalar_subquery()
    documents = select(func.count(any_of_them.document_id.distinct())).where(theirs).correlate(Blob).scalar_subquery()
    return (
        select(Blob.id, Blob.size, Blob.finding, Blob.scanned_at, documents)
        .select_from(Blob)
        .add_columns(Document.id, Document.title, Category.path, Version.number, Document.trashed_at, User.name)
        .outerjoin(Version, Version.id == newest)
        .outerjoin(Document, Document.id == Version.document_id)
        .outerjoin(Category, Category.id == Document.category_id)
        .outerjoin(User, User.id == Version.created_by_id)
    )


def _row(*found: Any) -> HeldRow:
    blob_id, size, finding, scanned_at, documents, document_id, title, path, number, trashed_at, author = found
    where = (document_id, title or "", path or "", number or 0, trashed_at is not None, author)
    return HeldRow(blob_id, size, finding, scanned_at, documents, *where)
