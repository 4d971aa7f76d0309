"""Lists of documents as one person sees them. Keyset pages: never an OFFSET."""

import re
import uuid as uuids
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from sqlalchemy import Integer, Select, literal

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
    TO_COME,
    had,
    readable_rows,
    rows,
)
from portal.errors import BadRequest
from portal.extensions import ask, db
from portal.models import PUBLISH, READ, Category, Download
from portal.models.base import EPOCH, MICROSECOND
from portal.reach import Reach

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
    has_thumbnail: bool = False
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


@dataclass(frozen=True)
class Home:
    """The lists of the home page: what was published since the last visit and the person has no version of; what they
    have in a version that was replaced and not in the newest one, the last replaced first; what is out, the newest
    first, and whether there is more of it; and what is not out, as in ``list_unpublished``.
    """

    fresh: list[DocumentRow]
    outdated: list[DocumentRow]
    newest: list[DocumentRow]
    unpublished: list[DocumentRow]
    has_more: bool


def list_documents(
    actor: Actor,
    *,
    category: Category | None = None,
    directly: bool = False,
    since: datetime | None = None,
    only_out: bool = False,
    after: str | None = None,
    limit: int = PAGE,
    reach: Reach | None = None,
) -> DocumentPage:
    """Documents with a date that the person may read, newest first; raises BadRequest for an ``after`` of no page.

    ``category`` narrows to one and what is below it (``directly``: only to itself), ``since`` to what was published
    after that moment, ``only_out`` to what readers see: publishers have ``list_unpublished`` for the rest. Words are
    found by ``find_documents``. ``reach`` is that of the person where more is asked for.
    """
    values = {"since": since + MICROSECOND if since is not None else FIRST} | _values_after(after)
    reach = reach or Reach(actor)
    lines = [OUT] if only_out else [COME]
    if not only_out and (actor.is_admin or reach.at(PUBLISH).highest >= PUBLISH):
        lines.insert(0, TO_COME)
    ids = in_order(
        lines,
        limit + 1,
        lambda line, most: list_front(actor, line, most, reach=reach, category=category, directly=directly, **values),
    )
    rows = [_with_state(row, since) for row in _rows_of(actor, ids)]
    return DocumentPage(rows[:limit], _cursor(rows[limit - 1]) if len(rows) > limit else None)


def list_by_ids(actor: Actor, ids: Sequence[int], *, reach: Reach | None = None) -> list[DocumentRow]:
    """Those of the documents that the person may read now, in the order of the ids; at most a few pages of them.

    ``reach`` is that of the person where more is asked for.
    """
    if not ids:
        return []
    dialect = _dialect()
    which = readable_rows(dialect, is_admin=actor.is_admin)
    if actor.is_admin or dialect == "sqlite":
        return _rows_of(actor, ids, which)
    return _rows_of(actor, ids, which, (reach or Reach(actor)).at(READ).values)


def list_unpublished(
    actor: Actor, category: Category | None = None, limit: int = PAGE, *, reach: Reach | None = None
) -> list[DocumentRow]:
    """What the person may publish and is not out: drafts, then what is scheduled, then what has expired.

    Of each the newest come first: the last one made, with the latest date, and expired last.
    """
    return _rows_of(actor, _unpublished(actor, reach or Reach(actor), limit, category))


def list_home(
    actor: Actor,
    since: datetime | None,
    *,
    new: int,
    outdated: int,
    newest: int,
    unpublished: int,
    reach: Reach | None = None,
) -> Home:
    """What the home page shows, so many of each at most: what the person reaches and the rows are asked for once.

    Without ``since`` (a first visit) nothing is new.
    """
    reach = reach or Reach(actor)
    lists = (
        _outdated(actor, outdated),
        list_front(actor, OUT, newest + 1, reach=reach, at=None, last_id=None, since=FIRST),
        _unpublished(actor, reach, unpublished),
    )
    rows = {row.id: row for row in _rows_of(actor, list(chain.from_iterable(lists)))}
    old, out, pending = ([rows[one] for one in ids if one in rows] for ids in lists)
    fresh = _new(actor, reach, since, new, out, is_all=len(lists[1]) <= newest)
    return Home([replace(row, is_new=True) for row in fresh], old, out[:newest], pending, len(out) > newest)


def _new(
    actor: Actor, reach: Reach, since: datetime | None, limit: int, out: Sequence[DocumentRow], *, is_all: bool
) -> list[DocumentRow]:
    """The front of ``NEW``. It is in the front of what is ``out``, unless more came out than these and the person has
    some of it.
    """
    if actor.user_id is None or since is None:
        return []
    fresh = [row for row in out if row.published_at and row.published_at > since]
    new = [row for row in fresh if not row.has_version]
    if is_all or len(fresh) < len(out) or len(new) >= limit:
        return new[:limit]
    return _rows_of(actor, list_front(actor, NEW, limit, reach=reach, since=since + MICROSECOND, key=actor.key))


def _outdated(actor: Actor, limit: int) -> list[int]:
    if actor.user_id is None:
        return []
    outdated = OUTDATED_OF_ADMIN if actor.is_admin else OUTDATED
    return list(ask(outdated, me=actor.user_id, limit=limit).scalars())


def _unpublished(actor: Actor, reach: Reach, limit: int, category: Category | None = None) -> list[int]:
    return in_order(
        PENDING,
        limit,
        lambda line, most: list_front(actor, line, most, reach=reach, category=category, directly=True),
    )


def versions_had(actor: Actor, document_ids: Iterable[int]) -> dict[int, int]:
    """Document id to the newest version number the person has completely downloaded."""
    ids = list(document_ids)
    if not ids or actor.user_id is None:
        return {}
    statement = had(literal(actor.user_id, Integer)).where(Download.document_id.in_(ids))
    return dict(db.session.execute(statement).all())


def _rows_of(
    actor: Actor,
    ids: Sequence[int],
    which: Select[*tuple[Any, ...]] | None = None,
    values: Mapping[str, Any] | None = None,
) -> list[DocumentRow]:
    """The rows of documents in the order of their ids; ``which`` of them, and the values that asks for."""
    if not ids:
        return []
    which = rows(_dialect()) if which is None else which
    read = ask(which, me=actor.user_id, key=actor.key, ids=list(ids), **(values or {}))
    found = {row[0]: DocumentRow(*row) for row in read}
    return [found[document_id] for document_id in dict.fromkeys(ids) if document_id in found]


def _dialect() -> str:
    return db.session.get_bind().dialect.name


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
