"""Lists of people for administrators: narrowed, counted, with their groups and what became of their invitation.

Each page is read off an index in the order of names, so that it costs the same however many people there are. A search
looks for a part of a name or address wherever it stands, along the same index: one that finds nobody reads all of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true, tuple_

from portal.accounts.factors import is_protected
from portal.accounts.spelling import email_key
from portal.extensions import db
from portal.models import Group, Membership, OneTimeToken, User

PAGE = 50
STATES = ("active", "waiting", "disabled", "erased")
"""Everybody is in one of these. ``waiting``: was invited, has no password and never was here. ``erased``: disabled for
good, without name and address."""
TRAITS = ("administrators", "never_here", "unprotected")
"""``never_here``: nobody ever came in with the account. ``unprotected``: without a second factor."""
MOST_COUNTED = 1000
"""How far people in a state are counted; beyond it, “1,000+” is all that anybody needs."""
MOST_MEMBERS_COUNTED = 10_000
LARGE_GROUP = 1000
"""From so many members on, a page is sooner full by walking along the names than by sorting all members."""


@dataclass(frozen=True)
class PeoplePage:
    """One page of people by name; ``after`` is the id to ask the next page with, None at the end."""

    people: list[User]
    after: int | None


def list_people(
    query: str = "",
    after: int | None = None,
    limit: int = PAGE,
    *,
    state: str | None = None,
    trait: str | None = None,
    group_id: int | None = None,
    with_erased: bool = False,
) -> PeoplePage:
    """People by name, 50 a page, narrowed to those whose name or address contains ``query``, to a state and so on.

    Who was erased is in the list of that state alone, unless they are to be ``with_erased``.
    """
    conditions = [*_narrowed(trait, group_id), true() if with_erased else _in_state(state)]
    statement = select(User).where(*conditions, is_called(query))
    statement = statement.order_by(User.name_key, User.id).limit(limit + 1)
    last = db.session.get(User, after) if after else None
    if last is not None:
        statement = statement.where(tuple_(User.name_key, User.id) > tuple_(last.name_key, last.id))
    people = list(db.session.scalars(statement))
    return PeoplePage(people[:limit], people[limit - 1].id if len(people) > limit else None)


def is_called(query: str) -> ColumnElement[bool]:
    """Whether the name or address of a person contains this, whatever its capitals; nothing is contained in all."""
    needle = email_key(query)
    if not needle:
        return true()
    return or_(User.email_key.contains(needle, autoescape=True), User.name_key.contains(needle, autoescape=True))


def count_people(most: int = MOST_COUNTED) -> dict[str, int]:
    """How many people each state has, and ``all`` without those erased; counting stops at one more than ``most``."""
    counted = [select(User.id).where(_in_state(state)).limit(most + 1) for state in (None, *STATES)]
    counts = db.session.execute(select(*(_count(statement).label(None) for statement in counted))).one()
    return dict(zip(("all", *STATES), counts, strict=True))


def count_members(group_ids: Iterable[int], most: int = MOST_MEMBERS_COUNTED) -> dict[int, int]:
    """Group to how many people are in it; counting stops at one more than ``most``."""
    members = {one: select(Membership.user_id).where(Membership.group_id == one) for one in group_ids}
    if not members:
        return {}
    counts = [_count(statement.limit(most + 1)).label(None) for statement in members.values()]
    return dict(zip(members, db.session.execute(select(*counts)).one(), strict=True))


def state_of_person(user: User) -> str:
    """One of ``STATES``."""
    if user.erased_at is not None:
        return "erased"
    if user.disabled_at is not None:
        return "disabled"
    return "waiting" if user.password_hash is None and user.seen_at is None else "active"


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


def _narrowed(trait: str | None, group_id: int | None) -> list[ColumnElement[bool]]:
    conditions = [_with_trait(trait)]
    return conditions if group_id is None else [*conditions, _in_group(group_id)]


def _in_state(state: str | None) -> ColumnElement[bool]:
    """As the indexes of ``User`` have it: another way to say the same would not be known for it by every database."""
    has_come_in = or_(User.password_hash.is_not(None), User.seen_at.is_not(None))
    conditions = {
        "active": and_(User.disabled_at.is_(None), has_come_in),
        "waiting": and_(User.disabled_at.is_(None), User.password_hash.is_(None), User.seen_at.is_(None)),
        "disabled": and_(User.disabled_at.is_not(None), User.erased_at.is_(None)),
        "erased": User.erased_at.is_not(None),
    }
    return conditions.get(state or "", User.erased_at.is_(None))


def _with_trait(trait: str | None) -> ColumnElement[bool]:
    if trait == "administrators":
        return and_(User.is_admin)  # as its index has it; IS TRUE would be another condition
    if trait == "never_here":
        return and_(User.seen_at.is_(None), User.erased_at.is_(None))
    return and_(User.erased_at.is_(None), ~is_protected()) if trait == "unprotected" else true()


def _in_group(group_id: int) -> ColumnElement[bool]:
    members = select(Membership.user_id).where(Membership.group_id == group_id)
    size = db.session.scalars(select(_count(members.limit(LARGE_GROUP)))).one()
    if size < LARGE_GROUP:
        return User.id.in_(members)
    return members.where(Membership.user_id == User.id).exists()


def _count(statement: Select[*tuple[int]]) -> ColumnElement[int]:
    return select(func.count()).select_from(statement.subquery()).scalar_subquery()
