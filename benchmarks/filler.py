"""A portal full of people, put in past the verbs: a hundred thousand in half a minute."""

import random
from collections.abc import Iterable, Iterator
from datetime import datetime

from sqlalchemy import insert, select, text

from portal.accounts import add_group, add_user
from portal.extensions import db, transaction
from portal.models import AuditPerson, Membership, User, db_now

CHUNK = 5000
SYLLABLES = ("ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "zu", "ber", "gen", "lund", "stein")
WAITING, DISABLED, MEMBER = 10, 1000, 10
"""Of so many people one never came, one is disabled, one is in the group."""


def fill(number: int) -> tuple[int, int]:
    """An administrator and this many others; the ids of the administrator and of a group that has a tenth of them."""
    root = add_user(None, "root@example.org", "Root", is_admin=True)
    group = add_group(None, "Readers")
    chance = random.Random(number)
    with transaction() as session:
        now = session.scalars(select(db_now())).one()
        for start in range(0, number, CHUNK):
            rows = [_person(chance, place, now) for place in range(start, min(start + CHUNK, number))]
            added = session.execute(insert(User).returning(User.id, User.name, User.email), rows)
            made = [(user_id, name, email) for user_id, name, email in added]
            session.execute(insert(AuditPerson), list(_introductions(made)))
            members = [{"group_id": group.id, "user_id": user_id} for user_id, _, _ in made if user_id % MEMBER == 0]
            session.execute(insert(Membership), members)
        session.execute(text(f"UPDATE users SET disabled_at = created_at WHERE id % {DISABLED} = 0"))  # noqa: S608
    _analyse()
    return root.id, group.id


def _person(chance: random.Random, place: int, now: datetime) -> dict[str, object]:
    first, last = (("".join(chance.choices(SYLLABLES, k=3))).title() for _ in range(2))
    email, is_waiting = f"{first}.{last}.{place}@example.org", place % WAITING == 0
    return {
        "email": email,
        "email_key": email.casefold(),
        "name": f"{first} {last}",
        "name_key": f"{first} {last}".casefold(),
        "password_hash": None if is_waiting else f"$argon2id${place:080d}",
        "is_admin": False,
        "seen_at": None if is_waiting else now,
    }


def _introductions(made: Iterable[tuple[int, str, str]]) -> Iterator[dict[str, object]]:
    for user_id, name, email in made:
        yield {"person_hash": f"{user_id:064x}", "salt": b"bench", "user_id": user_id, "name": name, "email": email}


def _analyse() -> None:
    """What PostgreSQL does by itself within a minute."""
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect() as connection:
            connection.execute(text("ANALYZE"))
            connection.commit()
