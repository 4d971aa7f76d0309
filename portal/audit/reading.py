"""The log is read: page by page, the newest first, with the people in it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, CompoundSelect, SQLColumnExpression, and_, or_, select, union_all

from portal.actors import Actor
from portal.audit.people import Named
from portal.audit.recording import record_event
from portal.extensions import db, release_connection, transaction
from portal.models import AuditEvent, AuditPerson, ShareLink

PAGE = 50
NAMING = ("grant.added", "grant.removed", "group.joined", "group.left")
"""Actions whose details say whom they were done to; of all others a person is the thing itself, or nobody is."""
DISORDER = 10_000
"""By how much the ids of two events may be the other way round than their moments."""
Reader = Callable[[int | None], tuple[list["EventRow"], int | None]]
"""A page of the log after this id, and the id to go on after."""


@dataclass(frozen=True)
class EventRow:
    """One event with the people in it: who did it, and whom it was done to, when there are such."""

    event: AuditEvent
    who: Named | None
    whom: Named | None
    seen: Named | None
    """As whom who did it was looking at the portal at that moment; None almost always."""
    link: str
    """What a link is called: its label as it is now, for one may name a person and is not kept here; without one how
    its address begins. "" for an event that is about no link."""


def list_events(
    *,
    actions: Sequence[str] = (),
    user_id: int | None = None,
    whom_id: int | None = None,
    about_id: int | None = None,
    thing: tuple[str, int] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> tuple[list[EventRow], int | None]:
    """The log, the newest first, with the id to go on after.

    Narrowed to any of some actions, to what one person did (``user_id``), to what was done to them
    (``whom_id``) or to both (``about_id``), to what was done to one thing, and to a time, ``until`` itself left out.
    """
    wanted = _in_time(since, until)
    if user_id is not None:
        wanted.append(_done_by(user_id))
    if whom_id is not None:
        wanted.append(_done_to(whom_id))
    if about_id is not None:
        wanted.append(or_(_done_by(about_id), _done_to(about_id)))
    if thing is not None:
        wanted += [AuditEvent.object_type == thing[0], AuditEvent.object_id == thing[1]]
    if after is not None:
        wanted.append(AuditEvent.id < after)
    chosen = list(dict.fromkeys(actions))
    if len(chosen) == 1:
        wanted.append(AuditEvent.action == chosen[0])
    elif chosen:
        wanted = [AuditEvent.id.in_(_newest_of_each(chosen, wanted, limit + 1))]
    statement = select(AuditEvent).where(*wanted).order_by(AuditEvent.id.desc()).limit(limit + 1)
    events = list(db.session.scalars(statement))
    return _with_names(events[:limit]), events[limit - 1].id if len(events) > limit else None


def export_events(actor: Actor, read: Reader) -> Iterator[list[EventRow]]:
    """All that ``read`` gives page by page, the newest first; no connection is held between two pages.

    That it was taken is written down before the first page is read.
    """
    with transaction():
        record_event("log.exported", actor=actor)
    return _pages(read)


def _pages(read: Reader) -> Iterator[list[EventRow]]:
    after: int | None = None
    while True:
        rows, after = read(after)
        release_connection()
        yield rows
        if after is None:
            return


def _done_by(user_id: int) -> ColumnElement[bool]:
    return AuditEvent.actor_hash == _hash_known(user_id)


def _done_to(user_id: int) -> ColumnElement[bool]:
    is_thing = and_(AuditEvent.object_type == "user", AuditEvent.object_id == user_id)
    is_named = AuditEvent.details["person"].as_string() == _hash_known(user_id)
    return or_(is_thing, and_(AuditEvent.action.in_(NAMING), is_named))


def _hash_known(user_id: int) -> SQLColumnExpression[str]:
    return select(AuditPerson.person_hash).where(AuditPerson.user_id == user_id).scalar_subquery()


def _newest_of_each(actions: Iterable[str], wanted: Sequence[ColumnElement[bool]], limit: int) -> CompoundSelect[int]:
    """The ids of the newest events of each action: each is read off the index of actions, however long the log is."""
    newest = [
        select(AuditEvent.id)
        .where(AuditEvent.action == action, *wanted)
        .order_by(AuditEvent.id.desc())
        .limit(limit)
        .subquery()
        for action in actions
    ]
    return union_all(*(select(one.c.id) for one in newest))


def _in_time(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    """Bounds of moments, and of ids beside them, by which a page is found at once wherever it is in the log.

    Ids rise with the moments but for events that were written down at the same time, so they are taken widely.
    """
    wanted: list[ColumnElement[bool]] = []
    if since is not None:
        first = select(AuditEvent.id).where(AuditEvent.at >= since).order_by(AuditEvent.at).limit(1)
        wanted += [AuditEvent.at >= since, AuditEvent.id >= (db.session.scalar(first) or 0) - DISORDER]
    if until is not None:
        last = select(AuditEvent.id).where(AuditEvent.at < until).order_by(AuditEvent.at.desc()).limit(1)
        wanted += [AuditEvent.at < until, AuditEvent.id <= (db.session.scalar(last) or 0) + DISORDER]
    return wanted


def _with_names(events: Iterable[AuditEvent]) -> list[EventRow]:
    events = list(events)
    named = [(event.actor_hash, event.details.get("person"), event.details.get("viewing_as")) for event in events]
    hashes = {one for several in named for one in several if one}
    ids = {event.object_id for event in events if event.object_type == "user"}
    known = select(AuditPerson).where(AuditPerson.person_hash.in_(hashes) | AuditPerson.user_id.in_(ids))
    people = list(db.session.scalars(known))
    by_hash = {person.person_hash: Named(person.user_id, person.name) for person in people}
    by_id = {person.user_id: Named(person.user_id, person.name) for person in people}
    links = _names_of_links(event.object_id for event in events if event.object_type == "share")
    return [
        EventRow(
            event,
            who=by_hash.get(event.actor_hash or ""),
            whom=_whom(event, by_id, by_hash),
            seen=by_hash.get(event.details.get("viewing_as") or ""),
            link=_link(event, links),
        )
        for event in events
    ]


def _names_of_links(ids: Iterable[int | None]) -> dict[int, str]:
    wanted = [one for one in ids if one is not None]
    if not wanted:
        return {}
    found = select(ShareLink.id, ShareLink.label, ShareLink.token_hint).where(ShareLink.id.in_(wanted))
    return {one: label or f"{hint}…" for one, label, hint in db.session.execute(found)}


def _link(event: AuditEvent, links: dict[int, str]) -> str:
    return links.get(event.object_id or 0, "") if event.object_type == "share" else ""


def _whom(event: AuditEvent, by_id: dict[int | None, Named], by_hash: dict[str, Named]) -> Named | None:
    if event.object_type == "user":
        return by_id.get(event.object_id)
    return by_hash.get(event.details.get("person") or "")
