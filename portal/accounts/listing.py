"""Lists of people for administrators: narrowed, counted, with their groups and what became of their invitation."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, true

from portal.accounts.people import email_key
from portal.extensions import db
from portal.models import Group, Membership, OneTimeToken, User

PAGE = 50
STATES = ("active", "waiting", "disabled")
"""``waiting``: has an account and never set a password, so cannot have signed in yet."""


@dataclass(frozen=True)
class PeoplePage:
    """One page of people by name; ``after`` is the id to ask the next page with, None at the end."""

    people: list[User]
    after: int | None


def list_people(
    query: str = "", after: int | None = None, limit: int = PAGE, *, state: str | None = None
) -> PeoplePage:
    """People by name, 50 a page, narrowed to those whose name or address contains ``query``, and to a state."""
    statement = select(User).where(_in_state(state), is_called(query))
    statement = statement.order_by(User.name_key, User.id).limit(limit + 1)
    last = db.session.get(User, after) if after else None
    if last is not None:
        is_same = User.name_key == last.name_key
        statement = statement.where(or_(User.name_key > last.name_key, is_same & (User.id > last.id)))
    people = list(db.session.scalars(statement))
    return PeoplePage(people[:limit], people[limit - 1].id if len(people) > limit else None)


def is_called(query: str) -> ColumnElement[bool]:
    """Whether the name or address of a person contains this, whatever its capitals; nothing is contained in all."""
    needle = email_key(query)
    if not needle:
        return true()
    return or_(User.email_key.contains(needle, autoescape=True), User.name_key.contains(needle, autoescape=True))


def count_people() -> dict[str, int]:
    """How many people there are in each state, and ``all``."""
    counts = [func.count().filter(_in_state(state)) for state in STATES]
    row = db.session.execute(select(func.count(), *counts).select_from(User)).one()
    return dict(zip(("all", *STATES), row, strict=True))


def state_of_person(user: User) -> str:
    """``active``, ``waiting`` or ``disabled``."""
    if user.disabled_at is not None:
        return "disabled"
    return "active" if user.password_hash is not None else "waiting"


def groups_of_each(user_ids: Iterable[int]) -> dict[int, list[Group]]:
    """Person to the groups they are in, by name; people without any are left out."""
    statement = (
        select(Membership.user_id, Group)
        .join(Group, Group.id == Membership.group_id)
        .where(Membership.user_id.in_(list(user_ids)))
        .order_by(Group.name_key)
    )
    found: dict[int, list[Group]] = {}
    for user_id, group in db.session.execute(statement):
        found.setdefault(user_id, []).append(group)
    return found


def open_addresses(user_ids: Iterable[int]) -> dict[int, datetime]:
    """Person to the moment until which their unused one-time address works or worked."""
    statement = (
        select(OneTimeToken.user_id, func.max(OneTimeToken.expires_at, type_=OneTimeToken.expires_at.type))
        .where(OneTimeToken.user_id.in_(list(user_ids)), OneTimeToken.used_at.is_(None))
        .group_by(OneTimeToken.user_id)
    )
    return {user_id: expires_at for user_id, expires_at in db.session.execute(statement) if user_id is not None}


def _in_state(state: str | None) -> ColumnElement[bool]:
    if state == "disabled":
        return User.disabled_at.is_not(None)
    if state == "active":
        return and_(User.disabled_at.is_(None), User.password_hash.is_not(None))
    if state == "waiting":
        return and_(User.disabled_at.is_(None), User.password_hash.is_(None))
    return true()
