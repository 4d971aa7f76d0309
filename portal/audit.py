"""The insert-only log: one sentence-worthy fact per row, in the transaction of the change it tells of."""

import hashlib
import os
from typing import Any

from sqlalchemy import insert, select

from portal.actors import Actor
from portal.extensions import db
from portal.models import AuditEvent, AuditPerson


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
    """
    db.session.execute(
        insert(AuditEvent).values(
            action=action,
            actor_kind=actor.kind if actor else "operator",
            actor_hash=person_hash(actor.user_id) if actor and actor.user_id else None,
            object_type=thing[0] if thing else None,
            object_id=thing[1] if thing else None,
            object_label=label,
            network=actor.network if actor else "",
            details=details,
        )
    )


def person_hash(user_id: int) -> str:
    """How the log names this person; raises LookupError for somebody never introduced with ``introduce``."""
    found = db.session.scalar(select(AuditPerson.person_hash).where(AuditPerson.user_id == user_id))
    if found is None:
        raise LookupError(f"user {user_id} is not known to the log")
    return found


def introduce(user_id: int, name: str, email: str) -> str:
    """Make a new person known to the log under a salted hash of their address; the values can be erased later."""
    salt = os.urandom(16)
    digest = hashlib.sha256(b"audit-person-v1\0" + salt + email.encode()).hexdigest()
    row = {"person_hash": digest, "salt": salt, "user_id": user_id, "name": name, "email": email}
    db.session.execute(insert(AuditPerson).values(row))
    return digest
