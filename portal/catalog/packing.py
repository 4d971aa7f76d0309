"""What goes into a zip: the documents of a category or of a choice that one person may read, in a fixed order."""

import uuid as uuids
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, literal_column, select

from portal import access
from portal.actors import Actor
from portal.catalog.lines import Shelves, shelves_of
from portal.catalog.paths import within
from portal.catalog.quarantine import held_documents, is_held
from portal.extensions import ask, db
from portal.models import READ, Blob, Category, Document, Version
from portal.reach import Reach

GROUP = 500
"""How many ids one statement names."""
MOST_COUNTED = 1000
FETCHED = 1000
"""So many rows at once are held as the driver gives them, beside those that were made of them."""


class Packed(NamedTuple):
    """A document in its current version, as a zip and the lists inside it need it."""

    document_id: int
    uuid: uuids.UUID
    version_id: int
    number: int
    category_path: str
    filename: str
    title: str
    size: int
    crc32: int
    sha256: str
    published_at: datetime | None
    created_at: datetime


@dataclass(frozen=True)
class Below:
    """What the zip of a category comes to: how many documents, and their bytes or None where these were not counted.

    ``leaves_out``: further documents belong there, and are held or quarantined.
    """

    count: int
    size: int | None
    leaves_out: bool


def list_packed_below(actor: Actor, category: Category, limit: int) -> list[Packed]:
    """At most ``limit`` documents in a category and below it that are out and readable, by path and filename."""
    return _in_order(_packed(actor, and_(within(category), access.is_out())).limit(limit))


def size_below(actor: Actor, category: Category, *, reach: Reach | None = None) -> Below:
    """What ``list_packed_below`` would list without a limit comes to.

    More than ``MOST_COUNTED`` are not counted, for people wait for the page: then it is one more, and no size.
    ``reach`` is that of the person where more is asked for.
    """
    mine = None if actor.is_admin else (reach or Reach(actor)).at(READ)
    own = Shelves.GIVEN if mine is not None and mine.values is not None else Shelves.REACHED
    dialect, shelves = db.session.get_bind().dialect.name, Shelves.ALL if mine is None else own
    values = {"me": actor.user_id, "lineage": category.lineage, **((mine and mine.values) or {})}
    if ask(_counting(dialect, shelves), **values).scalar_one() > MOST_COUNTED:
        which = and_(within(category), access.is_out())
        return Below(MOST_COUNTED + 1, None, _is_any_held(actor, which))
    count, given_count, size = ask(_sizing(dialect, shelves), **values).one()
    return Below(given_count, int(size), given_count < count)


@cache
def _counting(dialect: str, shelves: Shelves) -> Select[int]:
    """How many documents are out at and below a ``lineage``, no further than one more than are counted."""
    some = _out(dialect, shelves).limit(literal_column(str(MOST_COUNTED + 1))).subquery()
    return select(func.count()).select_from(some)


@cache
def _sizing(dialect: str, shelves: Shelves) -> Select[int, int, int]:
    """The same with how many of them are given out, and the bytes of these."""
    some = _out(dialect, shelves).join(Version, Version.id == Document.current_version_id)
    some = some.outerjoin(Blob, Blob.id == Version.blob_id).where(Version.purged_at.is_(None))
    each = some.with_only_columns(Version.size, is_held().label("is_held"), maintain_column_froms=True).subquery()
    is_given = each.c.is_held.is_not(True)
    size = func.coalesce(func.sum(each.c.size).filter(is_given), 0)
    return select(func.count(), func.count().filter(is_given), size)


def _out(dialect: str, shelves: Shelves) -> Select[int]:
    here = select(shelves_of(shelves, dialect).c.category_id)  # joined, SQLite would look at every document
    return select(Document.id).where(Document.category_id.in_(here), Document.trashed_at.is_(None), access.is_out())


def list_packed(actor: Actor, document_ids: Sequence[int]) -> list[Packed]:
    """Those of the documents that the person may download, in the order of the ids; publishers may drafts."""
    found: dict[int, Packed] = {}
    for start in range(0, len(document_ids), GROUP):
        these = Document.id.in_(document_ids[start : start + GROUP])
        found |= {row.document_id: row for row in _in_order(_packed(actor, these))}
    return [found[document_id] for document_id in dict.fromkeys(document_ids) if document_id in found]


def _is_any_held(actor: Actor, which: ColumnElement[bool]) -> bool:
    """Whether one of these documents that the person may download is held or quarantined."""
    groups = (_packed(actor, and_(Document.id.in_(ids), which)).limit(1) for ids in held_documents())
    return any(db.session.execute(one).first() is not None for one in groups)


def _packed(actor: Actor, which: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    statement = (
        select(
            Document.id,
            Document.uuid,
            Version.id,
            Version.number,
            Category.path,
            Document.filename,
            Document.title,
            Version.size,
            Version.crc32,
            Version.sha256,
            Document.published_at,
            Version.created_at,
        )
        .join(Category, Category.id == Document.category_id)
        .join(Version, Version.id == Document.current_version_id)
        .where(which, Version.purged_at.is_(None))
    )
    return access.readable(statement, actor)


def _in_order(statement: Select[*tuple[Any, ...]]) -> list[Packed]:
    """Sorted here: databases disagree about the order of names, and the same catalog must give the same zip."""
    paths: dict[str, str] = {}  # many share one, and are many
    found = db.session.execute(statement.execution_options(yield_per=FETCHED))
    rows = [Packed._make((*row[:4], paths.setdefault(row[4], row[4]), *row[5:])) for row in found]
    rows.sort(key=lambda row: (row.category_path, row.filename))
    return rows
