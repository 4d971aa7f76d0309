"""What is in the trash and can come back: found by words, category, who put it there and when."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVarTuple

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select

from portal import access, search
from portal.accounts.spelling import email_key
from portal.actors import Actor
from portal.catalog.lines import list_front
from portal.catalog.paths import is_live, within
from portal.catalog.refs import parse_id
from portal.catalog.shown import TRASH
from portal.extensions import db
from portal.models import PUBLISH, AuditEvent, AuditPerson, Category, Document, User, Version
from portal.models.base import EPOCH, MICROSECOND

Columns = TypeVarTuple("Columns")

PAGE = 50
MOST_PLACES = 500
"""Categories that are offered to look in."""
_CURSOR = re.compile(r"([0-9]{1,18})-([1-9][0-9]{0,9})", re.ASCII)
_PURGED = select(Version.id).where(Version.id == Document.current_version_id, Version.purged_at.is_not(None))
_IS_THERE = (Document.trashed_at.is_not(None), ~_PURGED.exists())
_DONE = (AuditEvent.object_type == "document", AuditEvent.action == "document.trashed")


@dataclass(frozen=True)
class Sought:
    """What the list is narrowed to; "" and None are everything."""

    words: str = ""
    """In title or filename, all of them."""
    category: Category | None = None
    """With what is below it."""
    person: str = ""
    """A part of the name of who put it there."""
    since: datetime | None = None
    until: datetime | None = None
    """This moment itself left out."""
    is_nothing: bool = False
    """Whether nothing can be like that."""


@dataclass(frozen=True)
class TrashRow:
    """One document in the trash."""

    document_id: int
    title: str
    filename: str
    category_path: str
    trashed_at: datetime
    user_id: int | None
    user_name: str
    """Who put it there; "" where the log names nobody."""


def list_trash(
    actor: Actor, sought: Sought | None = None, *, after: str | None = None, limit: int = PAGE
) -> tuple[list[TrashRow], str | None]:
    """Documents the person could bring back, the last trashed first, and what asks for the next page."""
    sought = sought or Sought()
    last = _parse(after or "")
    columns = (Document.id, Document.title, Document.filename, Category.path, Document.trashed_at)
    if sought == Sought():
        at, last_id = last or (None, None)
        ids = list_front(actor, TRASH, limit + 1, at=at, last_id=last_id)
        statement = select(*columns).join(Category, Category.id == Document.category_id).where(Document.id.in_(ids))
    else:
        statement = _in_trash(actor, select(*columns)).where(*_conditions(sought))
        if last is not None:
            statement = statement.where(_beyond(*last))
    order = (Document.trashed_at.desc(), Document.id.desc())
    found = db.session.execute(statement.order_by(*order).limit(limit + 1)).all()
    who = _who([row.id for row in found[:limit]])
    rows = [_row(row, *who.get(row.id, (None, ""))) for row in found[:limit]]
    return rows, _cursor(rows[-1]) if len(found) > limit else None


def list_ids(actor: Actor, sought: Sought, limit: int) -> list[int]:
    """The documents of that list by their ids alone, all pages at once."""
    statement = _in_trash(actor, select(Document.id)).where(*_conditions(sought))
    order = (Document.trashed_at.desc(), Document.id.desc())
    return list(db.session.scalars(statement.order_by(*order).limit(limit)))


def list_places(actor: Actor) -> list[Category]:
    """Categories from which something is in the trash that the person could bring back, by path."""
    # Asked of each category: there are fewer of them than of what is in the trash, and each is one step into an index.
    there = select(Document.id).where(Document.category_id == Category.id, *_IS_THERE).correlate(Category)
    statement = select(Category).where(is_live(), there.exists()).order_by(Category.path).limit(MOST_PLACES)
    if not actor.is_admin:
        reach = access.reachable(actor, PUBLISH)
        statement = statement.join(reach, reach.c.category_id == Category.id)
    return list(db.session.scalars(statement))


def _row(row: Any, user_id: int | None, user_name: str) -> TrashRow:
    return TrashRow(row.id, row.title, row.filename, row.path, row.trashed_at, user_id, user_name)


def _in_trash(actor: Actor, statement: Select[*Columns]) -> Select[*Columns]:
    """What is in a category that is in the trash itself comes back with that, and not from here."""
    statement = statement.join(Category, Category.id == Document.category_id)
    return access.publishable(statement.where(*_IS_THERE, is_live()), actor)


def _conditions(sought: Sought) -> list[ColumnElement[bool]]:
    found = [search.matches(search.words_of(sought.words))]
    if sought.category is not None:
        found.append(within(sought.category))
    if sought.since is not None:
        found.append(Document.trashed_at >= sought.since)
    if sought.until is not None:
        found.append(Document.trashed_at < sought.until)
    if sought.is_nothing:
        found.append(false())
    if sought.person:
        found.append(_is_trashed_by(sought.person))
    return found


def _is_trashed_by(name: str) -> ColumnElement[bool]:
    """Whether the last who put a document there is called so."""
    known = select(AuditPerson.person_hash).join(User, User.id == AuditPerson.user_id)
    known = known.where(User.name_key.contains(email_key(name), autoescape=True))
    last = select(func.max(AuditEvent.id)).where(*_DONE, AuditEvent.object_id == Document.id).correlate(Document)
    by = select(AuditEvent.id).where(AuditEvent.id == last.scalar_subquery(), AuditEvent.actor_hash.in_(known))
    return by.correlate(Document).exists()


def _who(document_ids: Sequence[int]) -> dict[int, tuple[int | None, str]]:
    """Who put each of these there last; nobody for the operator and for somebody who was erased."""
    last = select(func.max(AuditEvent.id)).where(*_DONE, AuditEvent.object_id.in_(document_ids))
    statement = (
        select(AuditEvent.object_id, AuditPerson.user_id, AuditPerson.name)
        .join(AuditPerson, AuditPerson.person_hash == AuditEvent.actor_hash)
        .where(AuditEvent.id.in_(last.group_by(AuditEvent.object_id)))
    )
    rows = db.session.execute(statement)
    return {document_id or 0: (user_id, name or "") for document_id, user_id, name in rows}


def _cursor(row: TrashRow) -> str:
    return f"{(row.trashed_at - EPOCH) // MICROSECOND}-{row.document_id}"


def _parse(cursor: str) -> tuple[datetime, int] | None:
    """When what stands last on a page was trashed, and its id; None for what asks for no page."""
    parts = _CURSOR.fullmatch(cursor)
    last_id = parse_id(parts[2]) if parts is not None else None
    if parts is None or last_id is None:
        return None
    try:
        return EPOCH + timedelta(microseconds=int(parts[1])), last_id
    except OverflowError:
        return None


def _beyond(at: datetime, last_id: int) -> ColumnElement[bool]:
    """The condition that a document comes after the one that was trashed then."""
    return or_(Document.trashed_at < at, and_(Document.trashed_at == at, Document.id < last_id))
