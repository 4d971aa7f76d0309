"""The insert-only log: one sentence-worthy fact per row, in the transaction of the change it tells of."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, SQLColumnExpression, and_, insert, or_, select, union_all

from portal.actors import Actor
from portal.errors import Forbidden
from portal.extensions import db, release_connection, transaction
from portal.models import PERSON, ApiToken, AuditEvent, AuditPerson, Category, Session, ShareLink, User

PAGE = 50
CHUNK = 500
"""How many people are looked up by one statement."""
NAMING = ("grant.added", "grant.removed", "group.joined", "group.left")
"""Actions whose details say whom they were done to; of all others a person is the thing itself, or nobody is."""
DISORDER = 10_000
"""By how much the ids of two events may be the other way round than their moments."""
Reader = Callable[[int | None], tuple[list["EventRow"], int | None]]
"""A page of the log after this id, and the id to go on after."""
CHANGED = "Your account was changed meanwhile, and you may not do this any more. Nothing was changed."
ENDED = "You were signed out meanwhile. Nothing was changed; sign in, and do it again."


@dataclass(frozen=True)
class Named:
    """Somebody the log names; the name is None once it was erased."""

    user_id: int | None
    name: str | None


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


def record_event(
    action: str,
    *,
    actor: Actor | None,
    thing: tuple[str, int] | None = None,
    label: str = "",
    **details: Any,
) -> None:
    """Add a row to the log. Call it inside the transaction that makes the change.

    ``action`` is ``noun.verb_in_the_past`` (``document.added``), ``actor`` None is the operator at the command line,
    ``thing`` a table-like word and an id. No secrets, and no personal values: people go in as their hash. Who looks at
    the portal as somebody else is who did it, with ``viewing_as`` in the details.
    Raises Forbidden for a person who was disabled, or was an administrator and is none, since they asked; and when the
    session or token they asked with has ended since.
    """
    record_events(action, actor=actor, things=[(*(thing or (None, None)), label)], details=[details])


def record_events(
    action: str,
    *,
    actor: Actor | None,
    things: Sequence[tuple[str | None, int | None, str]],
    details: Sequence[dict[str, Any]],
) -> None:
    """``record_event`` for many things at once: type, id and label of each, and its details."""
    who: dict[str, Any] = {
        "action": action,
        "actor_kind": actor.kind if actor else "operator",
        "actor_hash": _hash_of(actor) if actor and actor.user_id else None,
        "network": actor.network if actor else "",
    }
    seen = {"viewing_as": person_hash(actor.user_id)} if actor and actor.viewer_id and actor.user_id else {}
    rows = [
        {**who, "object_type": kind, "object_id": thing_id, "object_label": label, "details": {**told, **seen}}
        for (kind, thing_id, label), told in zip(things, details, strict=True)
    ]
    db.session.execute(insert(AuditEvent), rows)


def told_path(category: Category) -> str:
    """What the log says of where a category is: its path, but of a person's own category and what is in it no more than
    what that is in. Such a category is called after them, and nothing in the log is ever changed.
    """
    lineage = [int(part) for part in (category.lineage or "").strip("/").split("/")]
    own = select(Category.parent_id).where(Category.id.in_(lineage), Category.recipient_key.startswith(PERSON))
    found = db.session.execute(own.order_by(Category.depth).limit(1)).one_or_none()
    if found is None:
        return category.path
    parent = db.session.get(Category, found.parent_id) if found.parent_id else None
    return f"{parent.path}/…" if parent is not None else "…"


def person_hash(user_id: int) -> str:
    """How the log names this person; raises LookupError for somebody never introduced with ``introduce``."""
    found = db.session.scalar(select(AuditPerson.person_hash).where(AuditPerson.user_id == user_id))
    if found is None:
        raise LookupError(f"user {user_id} is not known to the log")
    return found


def person_hashes(user_ids: Sequence[int]) -> dict[int, str]:
    """Person to how the log names them, for many; raises LookupError like ``person_hash``."""
    found: dict[int, str] = {}
    for start in range(0, len(user_ids), CHUNK):
        these = AuditPerson.user_id.in_(user_ids[start : start + CHUNK])
        rows = db.session.execute(select(AuditPerson.user_id, AuditPerson.person_hash).where(these))
        found.update((user_id, person_hash) for user_id, person_hash in rows if user_id is not None)
    if len(found) < len(set(user_ids)):
        raise LookupError("one of these people is not known to the log")
    return found


def _hash_of(actor: Actor) -> str:
    """How the log names who acts, whose account stays as it is until the transaction is over.

    Grants are read in the transaction of the change; the role came with the request, and may be gone by now.
    """
    acting, is_admin = actor.viewer_id or actor.user_id, actor.is_admin or actor.viewer_id is not None
    known = select(AuditPerson.person_hash, User.is_admin, User.disabled_at).join(User, User.id == AuditPerson.user_id)
    this = known.where(User.id == acting).with_for_update(read=True, of=User)
    found = db.session.execute(this).first()
    if found is None:
        raise LookupError(f"user {acting} is not known to the log")
    if found.disabled_at is not None or (is_admin and not found.is_admin):
        raise Forbidden(CHANGED)
    if (actor.session_id or actor.token_id) and not _comes_still(actor):
        raise Forbidden(ENDED)
    return str(found.person_hash)


def _comes_still(actor: Actor) -> bool:
    """Whether the session or token of whoever acts is still there; it stays until the transaction is over.

    The rest of a form may come long after its head, by which the guard knew them.
    """
    if actor.session_id:
        whose = Session.user_id == (actor.viewer_id or actor.user_id)
        mine = select(Session.id).where(Session.id == actor.session_id, whose)
        # Only from being deleted: other requests of the session go on to note that it is used.
        return db.session.scalar(mine.with_for_update(read=True, key_share=True)) is not None
    token = select(ApiToken.id).where(ApiToken.id == actor.token_id, ApiToken.revoked_at.is_(None))
    return db.session.scalar(token.with_for_update(read=True)) is not None


def introduce(user_id: int, name: str, email: str) -> str:
    """Make a new person known to the log under a salted hash of their address; the values can be erased later."""
    return introduce_many([(user_id, name, email)])[0]


def introduce_many(people: Sequence[tuple[int, str, str]]) -> list[str]:
    """``introduce`` for many at once: id, name and address of each, at least one."""
    rows = []
    for user_id, name, email in people:
        salt = os.urandom(16)
        digest = hashlib.sha256(b"audit-person-v1\0" + salt + email.encode()).hexdigest()
        rows.append({"person_hash": digest, "salt": salt, "user_id": user_id, "name": name, "email": email})
    db.session.execute(insert(AuditPerson), rows)
    return [str(row["person_hash"]) for row in rows]


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


def find_named(user_id: int) -> Named | None:
    """What the log may say of a person; None for somebody it does not know."""
    found = db.session.scalar(select(AuditPerson).where(AuditPerson.user_id == user_id))
    return Named(found.user_id, found.name) if found is not None else None


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
