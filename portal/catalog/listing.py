"""Lists of documents and categories as one person sees them. Keyset pages: never an OFFSET."""

import re
import uuid as uuids
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from portal import access, search
from portal.actors import Actor
from portal.catalog.paths import within
from portal.catalog.refs import parse_id
from portal.errors import BadRequest
from portal.extensions import db
from portal.models import MANAGE, PUBLISH, Category, Document, Download, User, Version, db_now
from portal.models.base import EPOCH, MICROSECOND

PAGE = 50
CURSOR = re.compile(r"(-?[0-9]{1,18})-([1-9][0-9]{0,9})", re.ASCII)


@dataclass(frozen=True)
class DocumentRow:
    """One document in a list, with what the person has of it: a version number, 0 for nothing yet."""

    id: int
    uuid: uuids.UUID
    title: str
    filename: str
    category_path: str
    category_name: str
    published_at: datetime | None
    expires_at: datetime | None
    number: int
    size: int
    content_type: str
    author: str | None
    has_version: int = 0
    is_new: bool = False

    @property
    def state(self) -> str:
        """``has``, ``old`` (an older version), ``new`` or ``none``."""
        if self.has_version == self.number:
            return "has"
        if self.has_version:
            return "old"
        return "new" if self.is_new else "none"


@dataclass(frozen=True)
class DocumentPage:
    """One page of a list, newest first; ``after`` asks for the next one, None at the end."""

    rows: list[DocumentRow]
    after: str | None


@dataclass
class Branch:
    """A category in the tree at the side, with those below it that are open."""

    category: Category
    level: int
    label: str
    new: int = 0
    children: list["Branch"] = field(default_factory=list)

    @property
    def is_managed(self) -> bool:
        """Whether the person may change the category."""
        return self.level >= MANAGE

    @property
    def is_published_to(self) -> bool:
        """Whether the person may put documents into it."""
        return self.level >= PUBLISH


def list_documents(
    actor: Actor,
    *,
    category: Category | None = None,
    directly: bool = False,
    since: datetime | None = None,
    words: Sequence[str] = (),
    only_out: bool = False,
    after: str | None = None,
    limit: int = PAGE,
) -> DocumentPage:
    """Documents with a date that the person may read, newest first; raises BadRequest for an ``after`` of no page.

    ``category`` narrows to one and what is below it (``directly``: only to itself), ``since`` to what was published
    after that moment, ``words`` to documents whose title or filename has all of them (as ``search.words_of`` gives
    them), ``only_out`` to what readers see: publishers have ``list_unpublished`` for the rest.
    """
    statement = _rows().where(Document.published_at.is_not(None))
    if category is not None:
        statement = statement.where(Document.category_id == category.id if directly else within(category))
    if since is not None:
        statement = statement.where(Document.published_at > since)
    if words:
        statement = statement.where(search.matches(words))
    if only_out:
        statement = statement.where(access.is_out())
    if after:
        statement = statement.where(_beyond(after))
    statement = access.readable(statement, actor)
    order = (Document.published_at.desc(), Document.id.desc())
    found = [DocumentRow(*row) for row in db.session.execute(statement.order_by(*order).limit(limit + 1))]
    rows = _with_states(actor, found[:limit], since)
    return DocumentPage(rows, _cursor(rows[-1]) if len(found) > limit else None)


def list_by_ids(actor: Actor, ids: Sequence[int]) -> list[DocumentRow]:
    """Those of the documents that the person may read now, in the order of the ids; at most a few pages of them."""
    statement = access.readable(_rows().where(Document.id.in_(ids)), actor)
    found = {row.id: row for row in (DocumentRow(*row) for row in db.session.execute(statement))}
    return _with_states(actor, [found[document_id] for document_id in dict.fromkeys(ids) if document_id in found], None)


def list_unpublished(actor: Actor, category: Category | None = None, limit: int = PAGE) -> list[DocumentRow]:
    """Drafts, scheduled and expired documents the person may publish, the newest first."""
    pending = or_(Document.published_at.is_(None), Document.published_at > db_now(), Document.expires_at <= db_now())
    statement = _rows().where(pending)
    if category is not None:
        statement = statement.where(Document.category_id == category.id)
    statement = access.readable(statement, actor).order_by(Document.id.desc()).limit(limit)
    return [DocumentRow(*row) for row in db.session.execute(statement)]


def list_new(actor: Actor, since: datetime | None, limit: int = PAGE) -> list[DocumentRow]:
    """What was published since the last visit and the person has no version of; the newest first.

    Without ``since`` (a first visit) nothing is new.
    """
    if actor.user_id is None or since is None:
        return []
    had = _had(actor.user_id).subquery()
    statement = _rows().outerjoin(had, had.c.document_id == Document.id)
    statement = statement.where(access.is_out(), had.c.number.is_(None), Document.published_at > since)
    statement = access.readable(statement, actor)
    statement = statement.order_by(Document.published_at.desc(), Document.id.desc()).limit(limit)
    return _with_states(actor, [DocumentRow(*row) for row in db.session.execute(statement)], since)


def list_outdated(actor: Actor, limit: int = PAGE) -> list[DocumentRow]:
    """What the person has in a version that was replaced, and not in the newest one; the last replaced first."""
    if actor.user_id is None:
        return []
    had = _had(actor.user_id).subquery()
    statement = _rows().join(had, had.c.document_id == Document.id)
    statement = access.readable(statement.where(access.is_out(), had.c.number < Version.number), actor)
    statement = statement.order_by(Version.created_at.desc(), Version.id.desc()).limit(limit)
    return _with_states(actor, [DocumentRow(*row) for row in db.session.execute(statement)], None)


def list_shown(actor: Actor, permission: int = 1) -> list[tuple[Category, int]]:
    """Every category on which the person has this permission, by path, with the permission they have."""
    shown = access.shown_categories(actor).subquery()
    statement = select(Category, shown.c.level).join(shown, shown.c.category_id == Category.id)
    statement = statement.where(shown.c.level >= permission).order_by(Category.path)
    return [(category, level) for category, level in db.session.execute(statement)]


def tree(actor: Actor, current: Category | None = None) -> list[Branch]:
    """The categories to show at the side: the topmost ones of the person, and the branch that leads to ``current``.

    A category whose parent the person may not see stands at the top, labelled with its whole path.
    """
    return look_round(actor, current)[0]


def look_round(actor: Actor, current: Category | None = None) -> tuple[list[Branch], bool]:
    """The same with whether the person may publish anywhere at all, for one query."""
    shown = access.shown_categories(actor).cte("shown")
    parents, published = shown.alias("parents"), shown.alias("published")
    publishes = select(published.c.level).where(published.c.level >= PUBLISH).exists()
    open_ids = [int(part) for part in (current.lineage or "").strip("/").split("/")] if current else []
    topmost = or_(Category.parent_id.is_(None), Category.parent_id.not_in(select(parents.c.category_id)))
    statement = (
        select(Category, shown.c.level, publishes)
        .join(shown, shown.c.category_id == Category.id)
        .where(or_(topmost, Category.parent_id.in_(open_ids)))
        .order_by(func.lower(Category.name), Category.id)
    )
    rows = db.session.execute(statement).all()
    branches = {category.id: Branch(category, level, category.name) for category, level, _ in rows}
    roots: list[Branch] = []
    for branch in branches.values():
        parent = branches.get(branch.category.parent_id or 0)
        if parent is not None:
            parent.children.append(branch)
        else:
            branch.label = branch.category.path if branch.category.parent_id else branch.category.name
            roots.append(branch)
    return roots, actor.is_admin or any(is_publisher for _, _, is_publisher in rows)


def versions_had(actor: Actor, document_ids: Iterable[int]) -> dict[int, int]:
    """Document id to the newest version number the person has completely downloaded."""
    ids = list(document_ids)
    if not ids or actor.user_id is None:
        return {}
    statement = _had(actor.user_id).where(Download.document_id.in_(ids))
    return dict(db.session.execute(statement).all())


def _had(user_id: int) -> Select[int, int]:
    return (
        select(Download.document_id, func.max(Version.number).label("number"))
        .join(Version, Version.id == Download.version_id)
        .where(Download.user_id == user_id, Download.state == "completed")
        .group_by(Download.document_id)
    )


def _rows() -> Select[*tuple[Any, ...]]:
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
        )
        .join(Category, Category.id == Document.category_id)
        .join(Version, Version.id == Document.current_version_id)
        .outerjoin(User, User.id == Version.created_by_id)
    )


def _with_states(actor: Actor, rows: list[DocumentRow], since: datetime | None) -> list[DocumentRow]:
    had = versions_had(actor, [row.id for row in rows])
    return [_with_state(row, had.get(row.id, 0), since) for row in rows]


def _with_state(row: DocumentRow, had: int, since: datetime | None) -> DocumentRow:
    values = {name: getattr(row, name) for name in row.__dataclass_fields__}
    is_new = since is not None and row.published_at is not None and row.published_at > since
    return DocumentRow(**(values | {"has_version": had, "is_new": is_new}))


def _cursor(row: DocumentRow) -> str:
    at = row.published_at or EPOCH
    return f"{(at - EPOCH) // MICROSECOND}-{row.id}"


def _beyond(cursor: str) -> ColumnElement[bool]:
    parts = CURSOR.fullmatch(cursor)
    last_id = parse_id(parts[2]) if parts is not None else None
    if parts is None or last_id is None:
        raise BadRequest("This page of the list does not exist.")
    try:
        at = EPOCH + timedelta(microseconds=int(parts[1]))
    except OverflowError as problem:
        raise BadRequest("This page of the list does not exist.") from problem
    return or_(Document.published_at < at, and_(Document.published_at == at, Document.id < last_id))
