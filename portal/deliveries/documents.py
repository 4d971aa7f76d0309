"""Who got what, and who has not: one document for everybody it is for, and for the links that lead to it.

It is for whoever may read it and no more. Who publishes there, administrators included, misses nothing by not having
fetched it: they are listed only once they have some version whole.

An ``Edition`` from ``get_published`` is the permit: who holds one may publish where the document is shelved.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Subquery,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)

from portal import access
from portal.accounts import email_key, is_called
from portal.actors import Actor
from portal.catalog import Edition, Ref, find_readable, parse_id
from portal.downloads import state_now
from portal.errors import BadRequest, DocumentNotFound
from portal.extensions import db
from portal.models import PUBLISH, Document, Download, ShareLink, User, Version
from portal.shares import is_live

PAGE = 50
STATES = ("none", "old", "has", "former")
"""What of the current version a person has, in the order of a list: nothing whole, an older one only, all of it. The
last have some version whole and may not read the document any more; they are no part of the others."""
LINK_STATES = ("none", "old", "has", "closed")
"""The same for a link; ``closed`` lets nobody in any more, and nobody got anything whole by it."""
ID_ROOM = 2**32
"""Above every id there is."""
CURSOR = re.compile(r"([0-3])-([1-9][0-9]{0,9})", re.ASCII)


@dataclass(frozen=True)
class Delivery:
    """One document for one person: their state, and the download that tells most of it, if they began any."""

    state: str
    user_id: int
    name: str
    email: str
    is_admin: bool
    level: int
    """Their permission where the document is shelved; 0 for none."""
    download_id: int | None
    download_state: str | None
    intervals: list[list[int]] | None
    number: int | None
    """The version of that download; a person who has one whole has no newer one whole."""
    size: int | None
    at: datetime | None
    """When it ended, or else when it last moved."""

    @property
    def part(self) -> float:
        """How much of that version has been handed over, 0 to 1."""
        held = sum(stop - start for start, stop in self.intervals or [])
        return held / self.size if self.size else 1.0


@dataclass(frozen=True)
class LinkDelivery:
    """One document through one link: ``number`` is the newest version that somebody got whole by it, 0 for none."""

    state: str
    link_id: int
    label: str
    token_hint: str
    number: int
    completed: int
    unfinished: int
    last_at: datetime | None
    """When a download by it last moved."""


def get_published(actor: Actor, ref: Ref | None) -> Edition:
    """The current version of a document, for who may publish there. Raises DocumentNotFound for everybody else."""
    edition = find_readable(actor, ref) if ref is not None else None
    if edition is None or access.permission_on(actor, edition.category_id) < PUBLISH:
        raise DocumentNotFound
    return edition


def find_downloaders(actor: Actor, query: str, limit: int = PAGE) -> list[User]:
    """People whose name or address contains this and who began a download that ``actor`` may see in the ledger.

    These are downloads of documents the person may publish, and their own. By name; nobody for an empty ``query``.
    """
    if not email_key(query):
        return []
    begun = select(Download.id).join(Document, Document.id == Download.document_id).where(Download.user_id == User.id)
    if not actor.is_admin:
        reach = access.reachable(actor)
        published = select(reach.c.category_id).where(reach.c.level >= PUBLISH)
        begun = begun.where(or_(Document.category_id.in_(published), User.id == literal(actor.user_id, Integer)))
    statement = select(User).where(is_called(query), begun.exists()).order_by(User.name_key, User.id).limit(limit)
    return list(db.session.scalars(statement))


def list_deliveries(
    edition: Edition, *, state: str | None = None, query: str = "", after: str | None = None, limit: int = PAGE
) -> tuple[list[Delivery], str | None]:
    """People with what they have of the document: those without it first, by name; with the place to go on after.

    Without a ``state`` everybody it is for, and publishers who have it. ``query`` narrows to names and addresses that
    contain it. Raises BadRequest for an ``after`` of no page.
    """
    found = _everybody(edition.document_id)
    rank = _rank(edition, found)
    at = func.coalesce(Download.closed_at, Download.active_at, type_=Download.active_at.type)
    person, download = (User.id, User.name, User.email, User.is_admin), (Download.id, state_now())
    version = (Download.intervals, Version.number, Version.size, at)
    statement: Select[*tuple[Any, ...]] = (
        select(rank, *person, found.c.level, *download, *version)
        .join_from(found, User, User.id == found.c.user_id)
        .outerjoin(Download, Download.id == found.c.worth % ID_ROOM)
        .outerjoin(Version, Version.id == Download.version_id)
        .where(_in_state(rank, state), is_called(query))
    )
    if after:
        statement = statement.where(beyond(rank, after))
    statement = statement.order_by(rank, User.name_key, User.id).limit(limit + 1)
    rows = [Delivery(STATES[row[0]], *row[1:]) for row in db.session.execute(statement)]
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], f"{STATES.index(last.state)}-{last.user_id}" if last is not None else None


def count_deliveries(edition: Edition, *, query: str = "") -> dict[str, int]:
    """How many people the same list has in each state, and ``all`` of those who may read it now."""
    found = _everybody(edition.document_id)
    rank = _rank(edition, found)
    people = select(rank).join_from(found, User, User.id == found.c.user_id)
    by_rank = counted(people.where(rank.is_not(None), is_called(query)))
    counts = {name: by_rank.get(number, 0) for number, name in enumerate(STATES)}
    return {"all": counts["none"] + counts["old"] + counts["has"], **counts}


def list_by_link(
    edition: Edition, *, after: int | None = None, limit: int = PAGE
) -> tuple[list[LinkDelivery], int | None]:
    """The links to the document with what was got by each, the newest first, with the id to go on after."""
    got = _got(edition)
    statement = (
        select(
            _link_state(edition, got),
            ShareLink.id,
            ShareLink.label,
            ShareLink.token_hint,
            func.coalesce(got.c.number, 0),
            func.coalesce(got.c.completed, 0),
            func.coalesce(got.c.unfinished, 0),
            got.c.last_at,
        )
        .outerjoin(got, got.c.link_id == ShareLink.id)
        .where(ShareLink.document_id == edition.document_id)
        .order_by(ShareLink.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        statement = statement.where(ShareLink.id < after)
    rows = [LinkDelivery(*row) for row in db.session.execute(statement)]
    return rows[:limit], rows[limit - 1].link_id if len(rows) > limit else None


def count_by_link(edition: Edition) -> dict[str, int]:
    """How many links the same list has in each state, and ``all``."""
    got = _got(edition)
    statement = select(_link_state(edition, got)).select_from(ShareLink).outerjoin(got, got.c.link_id == ShareLink.id)
    found = counted(statement.where(ShareLink.document_id == edition.document_id))
    return {"all": sum(found.values()), **{name: found.get(name, 0) for name in LINK_STATES}}


def _everybody(document_id: int) -> Subquery:
    """Everybody who may read a document or began to download it: their ``level``, 0 for none, and ``worth``.

    ``worth`` packs two numbers: the newest version they have whole, 0 for none, times ``ID_ROOM``, and the id of their
    last download of it, or of any. Grouped, and looked up by primary keys from here: SQLite, which does not know how
    many people there will be, would look through a joined subquery once for each of them.
    """
    readers = access.readers(document_id).subquery("readers")
    worth = case((Download.state == "completed", Version.number), else_=0) * literal(ID_ROOM, BigInteger) + Download.id
    begun = select(Download.user_id, literal(0, Integer).label("level"), worth.label("worth"))
    begun = begun.join(Version, Version.id == Download.version_id).where(Download.document_id == document_id)
    may_read = select(readers.c.user_id, readers.c.level, literal(0, BigInteger).label("worth"))
    rows = union_all(may_read, begun.where(Download.user_id.is_not(None))).subquery()
    level, most = func.max(rows.c.level).label("level"), func.max(rows.c.worth).label("worth")
    return select(rows.c.user_id, level, most).group_by(rows.c.user_id).subquery("everybody")


def _rank(edition: Edition, found: Subquery) -> ColumnElement[int]:
    """The place of a person's state in ``STATES``; NULL for who is no part of the list.

    These have nothing whole, and either may not read it or may publish it.
    """
    may_read = and_(found.c.level > 0, User.disabled_at.is_(None))
    has_any = found.c.worth >= ID_ROOM
    rank = case(
        (and_(may_read, found.c.worth >= edition.number * ID_ROOM), STATES.index("has")),
        (and_(may_read, has_any), STATES.index("old")),
        (and_(may_read, found.c.level < PUBLISH), STATES.index("none")),
        (has_any, STATES.index("former")),
    )
    return rank.label("rank")


def counted(statement: Select[*tuple[Any, ...]]) -> dict[Any, int]:
    """How many rows have each value of the one column."""
    rows = statement.subquery()
    (value,) = rows.c
    return dict(db.session.execute(select(value, func.count()).group_by(value)).all())


def _in_state(rank: ColumnElement[int], state: str | None) -> ColumnElement[bool]:
    return rank == STATES.index(state) if state in STATES else rank < STATES.index("former")


def beyond(rank: ColumnElement[int], cursor: str) -> ColumnElement[bool]:
    """What comes after a person in the list. They may have moved to another state meanwhile: their old place counts."""
    parts = CURSOR.fullmatch(cursor)
    user_id = parse_id(parts[2]) if parts is not None else None
    last = db.session.get(User, user_id) if user_id is not None else None
    if parts is None or last is None:
        raise BadRequest("This page of the list does not exist.")
    number = int(parts[1])
    is_later = or_(User.name_key > last.name_key, and_(User.name_key == last.name_key, User.id > last.id))
    return or_(rank > number, and_(rank == number, is_later))


def _got(edition: Edition) -> Subquery:
    is_whole = Download.state == "completed"
    statement = (
        select(
            Download.link_id,
            func.max(Version.number).filter(is_whole).label("number"),
            func.count().filter(is_whole).label("completed"),
            func.count().filter(~is_whole).label("unfinished"),
            func.max(Download.active_at, type_=Download.active_at.type).label("last_at"),
        )
        .join(Version, Version.id == Download.version_id)
        .where(Download.document_id == edition.document_id, Download.link_id.is_not(None))
        .group_by(Download.link_id)
    )
    return statement.subquery("got")


def _link_state(edition: Edition, got: Subquery) -> ColumnElement[str]:
    return case(
        (got.c.number >= edition.number, "has"), (got.c.number.is_not(None), "old"), (is_live(), "none"), else_="closed"
    ).label("state")
