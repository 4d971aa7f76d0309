"""What lists of documents are made of: the lines they show the front of, and their rows. All are built once."""

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, String, and_, bindparam, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from portal import access
from portal.catalog.lines import FIRST, LAST, Line
from portal.catalog.soundness import is_given_out
from portal.models import MANAGE, PUBLISH, Blob, Category, Document, Download, Preview, Seen, User, Version, db_now
from portal.models.base import Moment
from portal.prepared import is_one_of
from portal.reach import ME, given

_HAD, _SHELF = aliased(Version), aliased(Category)
_KEY = bindparam("key", type_=String)
_AT, _LAST_ID = bindparam("at", type_=Moment()), bindparam("last_id", type_=Integer)
_SINCE = bindparam("since", type_=Moment())


def had(user_id: ColumnElement[int]) -> Select[int, int]:
    """``(document_id, number)`` of the newest version of each document that a person has completely downloaded."""
    return (
        select(Download.document_id, func.max(Version.number).label("number"))
        .join(Version, Version.id == Download.version_id)
        .where(Download.user_id == user_id, Download.state == "completed")
        .group_by(Download.document_id)
    )


def _had_here() -> Select[int]:
    """The versions of a document in the statement around it that the person has completely downloaded."""
    completed = select(Download.id).where(Download.actor_key == _KEY, Download.state == "completed")
    return (
        select(_HAD.id)
        .where(_HAD.document_id == Document.id, completed.where(Download.version_id == _HAD.id).exists())
        .correlate(Document)
    )


@cache
def rows(dialect: str) -> Select[*tuple[Any, ...]]:
    """What ``DocumentRow`` takes, of documents by their ``ids``."""
    number = _had_here().with_only_columns(func.max(_HAD.number)).scalar_subquery()
    opened = select(Seen.number).where(Seen.user_id == ME, Seen.document_id == Document.id).correlate(Document)
    return (
        select(
            Document.id,
            Document.uuid,
            Document.title,
            Document.filename,
            Category.path,
            Category.name,
            Document.published_at,
            Document.expires_at,
            Version.number,
            Version.size,
            Version.content_type,
            User.name,
            func.coalesce(number, 0),
            func.coalesce(opened.scalar_subquery(), 0),
            _has_thumbnail(),
        )
        .join(Category, Category.id == Document.category_id)
        .join(Version, Version.id == Document.current_version_id)
        .outerjoin(User, User.id == Version.created_by_id)
        .outerjoin(Preview, Preview.sha256 == Version.sha256)
        .outerjoin(Blob, Blob.id == Version.blob_id)
        .where(is_one_of(Document.id, "ids", dialect))
    )


def _has_thumbnail() -> ColumnElement[bool]:
    """Whether there is one, of bytes that are given out."""
    return and_(func.coalesce(Preview.images, 0) > 0, is_given_out())


@cache
def readable_rows(dialect: str, *, is_admin: bool) -> Select[*tuple[Any, ...]]:
    """The same of those that somebody may read, on PostgreSQL from what they were found to reach."""
    if is_admin:
        return rows(dialect).where(Document.trashed_at.is_(None))
    if dialect == "sqlite":
        return rows(dialect).where(access.visible(access.level_of(Document.category_id, ME)))
    reach = given(dialect)  # it would read all grants for each document instead
    return rows(dialect).join(reach, reach.c.category_id == Document.category_id).where(access.visible(reach.c.level))


def _outdated(level: ColumnElement[int]) -> Select[int]:
    """Documents of which the person has an older version only, the last replaced first."""
    mine = had(ME).subquery()
    return (
        select(Document.id)
        .join(mine, mine.c.document_id == Document.id)
        .join(Version, Version.id == Document.current_version_id)
        .where(mine.c.number < Version.number, access.is_out())
        .where(access.visible(level))
        .order_by(Version.created_at.desc(), Version.id.desc())
        .limit(bindparam("limit", type_=Integer))
    )


def _after(key: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Of those that are in a line up to ``_AT``: what comes after the document there, if one was given."""
    return or_(_AT.is_(None), key < _AT, Document.id < _LAST_ID)


_NOW, _FIRST, _LAST = db_now(), literal(FIRST, Moment()), literal(LAST, Moment())
_HAS_COME, _IS_TO_COME = Document.published_at <= db_now(), Document.published_at > db_now()
_KEPT_ID = select(Version.id).where(Version.id == Document.current_version_id, Version.purged_at.is_(None))
_SHELF_ID = select(_SHELF.id).where(_SHELF.id == Document.category_id, _SHELF.trashed_at.is_(None))
"""What is in a category that is in the trash comes back with that, or after it. Both are looked up for each document:
joined, PostgreSQL would go through all versions and categories there are."""


def _published(*where: ColumnElement[bool]) -> Line:
    return Line(Document.published_at, func.coalesce(_AT, _NOW), _SINCE, (*where, _after(Document.published_at)))


COME, OUT = _published(_HAS_COME), _published(access.is_out())
TO_COME = Line(
    Document.published_at,
    func.coalesce(_AT, _LAST),
    _NOW,
    (_IS_TO_COME, Document.published_at >= _SINCE, _after(Document.published_at)),
    PUBLISH,
)
"""What has a date in the past, what readers see of that, and what has one in the future."""
NEW = Line(Document.published_at, _NOW, _SINCE, (access.is_out(), ~_had_here().exists()), is_covered=False)
"""Of which the person has no version."""
PENDING = (
    Line(Document.id, None, None, (Document.published_at.is_(None),), PUBLISH),
    Line(Document.published_at, _LAST, _NOW, (_IS_TO_COME,), PUBLISH),
    Line(Document.expires_at, _NOW, _FIRST, (_HAS_COME,), PUBLISH),
)
"""What is not out."""
TRASH = Line(
    Document.trashed_at,
    func.coalesce(_AT, _LAST),
    _FIRST,
    (
        _KEPT_ID.scalar_subquery().is_not(None),
        _SHELF_ID.scalar_subquery().is_not(None),
        _after(Document.trashed_at),
    ),
    PUBLISH,
    lambda level, _: level >= PUBLISH,
    is_covered=False,
)

OUTDATED = _outdated(access.level_of(Document.category_id, ME))
OUTDATED_OF_ADMIN = _outdated(literal(MANAGE, Integer))
