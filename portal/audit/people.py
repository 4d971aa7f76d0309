"""The people in the log: each a salted hash, beside which their name and address are kept, and can be erased."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select

from portal.extensions import db
from portal.models import AuditPerson

CHUNK = 500
"""How many people are looked up by one statement."""


@dataclass(frozen=True)
class Named:
    """Somebody the log names; the name is None once it was erased."""

    user_id: int | None
    name: str | None


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


def find_named(user_id: int) -> Named | None:
    """What the log may say of a person; None for somebody it does not know."""
    found = db.session.scalar(select(AuditPerson).where(AuditPerson.user_id == user_id))
    return Named(found.user_id, found.name) if found is not None else None
