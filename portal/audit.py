"""The insert-only log: one sentence-worthy fact per row, in the transaction of the change it tells of."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select

from portal.actors import Actor
from portal.errors import Forbidden
from portal.extensions import db
from portal.models import AuditEvent, AuditPerson, ShareLink, User

PAGE = 50
CHUNK = 500
"""How many people are looked up by one statement."""
CHANGED = "Your account was changed meanwhile, and you may not do this any more. Nothing was changed."


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
    ``thing`` a table-like word and an id. No secrets, and no personal values: people go in as their hash.
    Raises Forbidden for a person who was disabled, or was an administrator and is none, since they asked.
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
    rows = [
        {**who, "object_type": kind, "object_id": thing_id, "object_label": label, "details": told}
        for (kind, thing_id, label), told in zip(things, details, strict=True)
    ]
    db.session.execute(insert(AuditEvent), rows)


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
    known = select(AuditPerson.person_hash, User.is_admin, User.disabled_at).join(User, User.id == AuditPerson.user_id)
    this = known.where(User.id == actor.user_id).with_for_update(read=True, of=User)
    found = db.session.execute(this).first()
    if found is None:
        raise LookupError(f"user {actor.user_id} is not known to the log")
    if found.disabled_at is not None or (actor.is_admin and not found.is_admin):
        raise Forbidden(CHANGED)
    return str(found.person_hash)


def introduce(user_id: int, name: str, email: str) -> str:
    """Make a new person known to the log under a salted hash of their address; the values can be erased later."""
    salt = os.urandom(16)
    digest = hashlib.sha256(b"audit-person-v1\0" + salt + email.encode()).hexdigest()
    row = {"person_hash": digest, "salt": salt, "user_id": user_id, "name": name, "email": email}
    db.session.execute(insert(AuditPerson).values(row))
    return digest


def list_events(
    *,
    action: str | None = None,
    user_id: int | None = None,
    thing: tuple[str, int] | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> tuple[list[EventRow], int | None]:
    """The log, the newest first, with the id to go on after.

    Narrowed to one action, to what one person did, or to what was done to one thing.
    """
    statement = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(limit + 1)
    if action is not None:
        statement = statement.where(AuditEvent.action == action)
    if user_id is not None:
        mine = select(AuditPerson.person_hash).where(AuditPerson.user_id == user_id)
        statement = statement.where(AuditEvent.actor_hash == mine.scalar_subquery())
    if thing is not None:
        statement = statement.where(AuditEvent.object_type == thing[0], AuditEvent.object_id == thing[1])
    if after is not None:
        statement = statement.where(AuditEvent.id < after)
    events = list(db.session.scalars(statement))
    return _with_names(events[:limit]), events[limit - 1].id if len(events) > limit else None


def _with_names(events: Iterable[AuditEvent]) -> list[EventRow]:
    events = list(events)
    hashes = {found for event in events for found in (event.actor_hash, event.details.get("person")) if found}
    ids = {event.object_id for event in events if event.object_type == "user"}
    known = select(AuditPerson).where(AuditPerson.person_hash.in_(hashes) | AuditPerson.user_id.in_(ids))
    people = list(db.session.scalars(known))
    by_hash = {person.person_hash: Named(person.user_id, person.name) for person in people}
    by_id = {person.user_id: Named(person.user_id, person.name) for person in people}
    links = _names_of_links(event.object_id for event in events if event.object_type == "share")
    return [
        EventRow(event, by_hash.get(event.actor_hash or ""), _whom(event, by_id, by_hash), _link(event, links))
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
