"""What happened is written down, with who did it, who may still do it at that moment."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select

from portal.actors import Actor
from portal.audit.people import person_hash
from portal.errors import Forbidden
from portal.extensions import db
from portal.models import PERSON, ApiToken, AuditEvent, AuditPerson, Category, Session, User

CHANGED = "Your account was changed meanwhile, and you may not do this any more. Nothing was changed."
ENDED = "You were signed out meanwhile. Nothing was changed; sign in, and do it again."


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
