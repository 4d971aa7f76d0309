"""Lists of documents and categories as one person sees them. Keyset pages: never an OFFSET."""

import re
import uuid as uuids
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Integer, func, literal, or_, select

from portal import access
from portal.actors import Actor
from portal.catalog.lines import FIRST, in_order, list_front
from portal.catalog.refs import parse_id
from portal.catalog.shown import (
    COME,
    NEW,
    OUT,
    OUTDATED,
    OUTDATED_OF_ADMIN,
    PENDING,
    READABLE,
    READABLE_TO_ADMIN,
    ROWS,
    TO_COME,
    had,
)
from portal.errors import BadRequest
from portal.extensions import db, run
from portal.models import MANAGE, PUBLISH, Category, Download
from portal.models.base import EPOCH, MICROSECOND

PAGE = 50
CURSOR = re.compile(r"(-?[0-9]{1,18})-([1-9][0-9]{0,9})", re.ASCII)


@dataclass(frozen=True)
class DocumentRow:
    """One document in a list, with what the person has and has opened of it: version numbers, 0 for nothing yet."""

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
    seen_version: int = 0
    is_new: bool = False

    @property
    def state(self) -> str:
        """``has``, ``old`` (an older version), ``seen`` (its page was opened), ``new`` or ``none``."""
        if self.has_version == self.number:
            return "has"
        if self.has_version:
            return "old"
        if self.seen_version >= self.number:
            return "seen"
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
    only_out: bool = False,
    after: str | None = None,
    limit: int = PAGE,
) -> DocumentPage:
    """Documents with a date that the person may read, newest first; raises BadRequest for an ``after`` of no page.

    ``category`` narrows to one and what is below it (``directly``: only to itself), ``since`` to what was published
    after that moment, ``only_out`` to what readers see: publishers have ``list_unpublished`` for the rest. Words are
    found by ``find_documents``.
    """
    values = {"since": since + MICROSECOND if since is not None else FIRST} | _values_after(after)
    lines = [OUT] if only_out else [COME]
    if not only_out and access.publishes_somewhere(actor):
        lines.insert(0, TO_COME)
    ids = in_order(
        lines,
        limit + 1,
        lambda line, most: list_front(actor, line, most, category=category, directly=directly, **values),
    )
    rows = _rows_of(actor, ids, since)
    return DocumentPage(rows[:limit], _cursor(rows[limit - 1]) if len(rows) > limit else None)


def list_by_ids(actor: Actor, ids: Sequence[int]) -> list[DocumentRow]:
    """Those of the documents that the person may read now, in the order of the ids; at most a few pages of them."""
    return _rows_of(actor, ids, is_sure=False)


def list_unpublished(actor: Actor, category: Category | None = None, limit: int = PAGE) -> list[DocumentRow]:
    """What the person may publish and is not out: drafts, then what is scheduled, then what has expired.

    Of each the newest come first: the last one made, with the latest date, and expired last.
    """
    ids = in_order(PENDING, limit, lambda line, most: list_front(actor, line, most, category=category, directly=True))
    return _rows_of(actor, ids)


def list_new(actor: Actor, since: datetime | None, limit: int = PAGE) -> list[DocumentRow]:
    """What was published since the last visit and the person has no version of; the newest first.

    Without ``since`` (a first visit) nothing is new.
    """
    if actor.user_id is None or since is None:
        return []
    return _rows_of(actor, list_front(actor, NEW, limit, since=since + MICROSECOND, key=actor.key), since)


def list_outdated(actor: Actor, limit: int = PAGE) -> list[DocumentRow]:
    """What the person has in a version that was replaced, and not in the newest one; the last replaced first."""
    if actor.user_id is None:
        return []
    outdated = OUTDATED_OF_ADMIN if actor.is_admin else OUTDATED
    return _rows_of(actor, list(run(outdated, me=actor.user_id, limit=limit).scalars()))


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
    statement = had(literal(actor.user_id, Integer)).where(Download.document_id.in_(ids))
    return dict(db.session.execute(statement).all())


def _rows_of(
    actor: Actor, ids: Sequence[int], since: datetime | None = None, *, is_sure: bool = True
) -> list[DocumentRow]:
    """The rows of documents in the order of their ids; of those that may be read, unless all of them may for sure."""
    if not ids:
        return []
    statement = ROWS if is_sure else READABLE_TO_ADMIN if actor.is_admin else READABLE
    found = {row[0]: DocumentRow(*row) for row in run(statement, me=actor.user_id, key=actor.key, ids=ids)}
    return [_with_state(found[document_id], since) for document_id in dict.fromkeys(ids) if document_id in found]


def _with_state(row: DocumentRow, since: datetime | None) -> DocumentRow:
    is_new = since is not None and row.published_at is not None and row.published_at > since
    return replace(row, is_new=True) if is_new else row


def _cursor(row: DocumentRow) -> str:
    at = row.published_at or EPOCH
    return f"{(at - EPOCH) // MICROSECOND}-{row.id}"


def _values_after(cursor: str | None) -> dict[str, Any]:
    """Of the conditions of a line: what comes after a document, or everything."""
    if not cursor:
        return {"at": None, "last_id": None}
    parts = CURSOR.fullmatch(cursor)
    last_id = parse_id(parts[2]) if parts is not None else None
    if parts is None or last_id is None:
        raise BadRequest("This page of the list does not exist.")
    try:
        return {"at": EPOCH + timedelta(microseconds=int(parts[1])), "last_id": last_id}
    except OverflowError as problem:
        raise BadRequest("This page of the list does not exist.") from problem
