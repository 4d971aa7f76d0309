"""Groups: named sets of people that grants are given to."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select

from portal import audit
from portal.accounts.factors import end_weak_sessions, hold_rules
from portal.accounts.people import get_account, get_user
from portal.accounts.spelling import EMAIL_LENGTH, email_key, require_name
from portal.actors import Actor
from portal.errors import BadInput, GroupNotFound, NameTaken, UnknownAddresses
from portal.extensions import db, lock_on, transaction
from portal.models import Category, Grant, Group, Membership, User

PAGE = 50
NAME_LENGTH = 100
MOST_AT_ONCE = 10_000
CHUNK = 500
"""How many addresses are looked up by one statement."""
NAMED = 3
"""How many unknown addresses a refusal names in its sentence; it has the list of all."""


@dataclass(frozen=True)
class GroupPage:
    """One page of groups by name; ``after`` is the id to ask the next page with, None at the end."""

    groups: list[Group]
    after: int | None


def find_group(name: str) -> Group | None:
    """The group of this name, whatever its capitals."""
    return db.session.scalar(select(Group).where(Group.name_key == email_key(name)))


def get_group(group_id: int) -> Group:
    """The group with this id. Raises GroupNotFound."""
    group = db.session.get(Group, group_id)
    if group is None:
        raise GroupNotFound
    return group


def list_all_groups() -> list[Group]:
    """Every group by name."""
    return list(db.session.scalars(select(Group).order_by(Group.name_key)))


def list_group_page(query: str = "", after: int | None = None, limit: int = PAGE) -> GroupPage:
    """Groups by name, 50 a page, narrowed to those whose name contains ``query``."""
    needle = email_key(query)
    statement = select(Group).where(Group.name_key.contains(needle, autoescape=True)).order_by(Group.name_key)
    last = db.session.get(Group, after) if after else None
    if last is not None:
        statement = statement.where(Group.name_key > last.name_key)
    groups = list(db.session.scalars(statement.limit(limit + 1)))
    return GroupPage(groups[:limit], groups[limit - 1].id if len(groups) > limit else None)


def list_groups() -> list[tuple[Group, int]]:
    """Every group by name, with how many people are in it."""
    members = func.count(Membership.user_id)
    statement = select(Group, members).outerjoin(Membership).group_by(Group.id).order_by(Group.name_key)
    return [(group, count) for group, count in db.session.execute(statement)]


def list_groups_of(user_id: int) -> list[Group]:
    """The groups a person is in by name."""
    statement = select(Group).join(Membership, Membership.group_id == Group.id).where(Membership.user_id == user_id)
    return list(db.session.scalars(statement.order_by(Group.name_key)))


def add_group(actor: Actor | None, name: str) -> Group:
    """Add a group. Raises BadInput for a name that cannot be, NameTaken when there is one of this name."""
    name = require_group_name(name)
    with transaction() as session:
        _require_free_name(name)
        group = Group(name=name, name_key=email_key(name))
        session.add(group)
        session.flush()
        audit.record_event("group.added", actor=actor, thing=("group", group.id), label=name)
    return group


def change_group(actor: Actor | None, group_id: int, name: str) -> Group:
    """Rename a group. Raises like ``add_group``, and GroupNotFound."""
    name = require_group_name(name)
    with transaction():
        group = get_group(group_id)
        if group.name == name:
            return group
        if group.name_key != email_key(name):
            _require_free_name(name)
        group.name, group.name_key = name, email_key(name)
        audit.record_event("group.changed", actor=actor, thing=("group", group.id), label=name)
    return group


def remove_group(actor: Actor | None, group_id: int) -> None:
    """Remove a group, its grants with it; its people stay, and may see what else they were given. GroupNotFound."""
    with transaction() as session:
        group = get_group(group_id)
        lock_on(f"group:{group.name_key}")
        given = select(Category).join(Grant, Grant.category_id == Category.id).where(Grant.group_id == group_id)
        gone = {"group": group_id, "group_name": group.name}
        for category in session.scalars(given).all():
            thing, path = ("category", category.id), audit.told_path(category)
            audit.record_event("grant.removed", actor=actor, thing=thing, label=path, **gone)
        session.execute(delete(Grant).where(Grant.group_id == group_id))
        session.execute(delete(Membership).where(Membership.group_id == group_id))
        audit.record_event("group.removed", actor=actor, thing=("group", group_id), label=group.name)
        session.execute(delete(Group).where(Group.id == group_id))


def join_group(actor: Actor | None, group_id: int, user_id: int) -> bool:
    """Put a person into a group; False when they are in it already."""
    with transaction() as session:
        hold_rules()
        lock_on(f"members:{group_id}")
        group, user = get_group(group_id), get_account(user_id)
        if session.get(Membership, (group_id, user_id)) is not None:
            return False
        session.execute(insert(Membership).values(group_id=group.id, user_id=user.id))
        _record(actor, "group.joined", group, user)
        _sign_in_anew(group)
    return True


def add_members(actor: Actor | None, group_id: int, emails: Sequence[str], *, skip_unknown: bool = False) -> int:
    """Put everybody with one of these addresses into a group, all or none; how many were not in it before.

    Raises UnknownAddresses with those nobody has an account with; with ``skip_unknown`` they are left out instead, but
    not all of them. Raises BadInput for none or more than 10,000.
    """
    if not emails or len(emails) > MOST_AT_ONCE:
        raise BadInput(f"Write 1 to {MOST_AT_ONCE:,} addresses, one on each line.", field="emails")
    with transaction():
        hold_rules()
        group = get_group(group_id)
        people = _find_users({email_key(email): email for email in emails})
        unknown = [email for email, user_id in people.items() if user_id is None]
        if unknown and not (skip_unknown and len(unknown) < len(people)):
            raise UnknownAddresses(unknown, _refusal(unknown), field="emails")
        return put_in(actor, group, {user_id for user_id in people.values() if user_id is not None})


def put_in(actor: Actor | None, group: Group, user_ids: Set[int]) -> int:
    """Put these people into a group, inside the transaction of whoever says so; how many were not in it before.

    The transaction called ``hold_rules`` first.
    """
    lock_on(f"members:{group.id}")
    members = set(db.session.scalars(select(Membership.user_id).where(Membership.group_id == group.id)))
    new = sorted(user_ids - members)
    if new:
        db.session.execute(insert(Membership), [{"group_id": group.id, "user_id": user_id} for user_id in new])
        _record_all(actor, group, new)
        _sign_in_anew(group)
    return len(new)


def _sign_in_anew(group: Group) -> None:
    """Whoever came into a group that asks for a second factor, and passed none in a session, signs in anew."""
    if group.second_factor_since is not None:
        end_weak_sessions()


def leave_group(actor: Actor | None, group_id: int, user_id: int) -> bool:
    """Take a person out of a group; False when they are not in it."""
    with transaction() as session:
        group, user = get_group(group_id), get_user(user_id)
        row = (Membership.group_id == group_id, Membership.user_id == user_id)
        left = session.execute(delete(Membership).where(*row).returning(Membership.user_id)).first()
        if left is not None:
            _record(actor, "group.left", group, user)
    return left is not None


def require_group_name(name: str) -> str:
    """The name as stored. Raises BadInput when it cannot be one."""
    name = require_name(name)
    if max(len(name), len(email_key(name))) > NAME_LENGTH:
        raise BadInput(f"The name of a group has at most {NAME_LENGTH} characters.", field="name")
    return name


def _find_users(emails: Mapping[str, str]) -> dict[str, int | None]:
    """Each address, as it was written, with the id of its account; ``emails`` are by their keys."""
    keys = list(emails)
    found: dict[str, int] = {}
    for start in range(0, len(keys), CHUNK):
        these = select(User.email_key, User.id).where(User.email_key.in_(keys[start : start + CHUNK]))
        found.update((key, user_id) for key, user_id in db.session.execute(these))
    return {email: found.get(key) for key, email in emails.items()}


def _refusal(unknown: Sequence[str]) -> str:
    named = ", ".join(email[:EMAIL_LENGTH] for email in unknown[:NAMED])
    more = f" and {len(unknown) - NAMED:,} more" if len(unknown) > NAMED else ""
    return f"Nobody was added. There is no account for {named}{more}."


def _require_free_name(name: str) -> None:
    lock_on(f"group:{email_key(name)}")
    if find_group(name) is not None:
        raise NameTaken(f"There is already a group called {name}.", field="name")


def _record_all(actor: Actor | None, group: Group, user_ids: Sequence[int]) -> None:
    hashes = audit.person_hashes(user_ids)
    things = [("group", group.id, group.name)] * len(user_ids)
    audit.record_events(
        "group.joined", actor=actor, things=things, details=[{"person": hashes[one]} for one in user_ids]
    )


def _record(actor: Actor | None, action: str, group: Group, user: User) -> None:
    who = audit.person_hash(user.id)
    audit.record_event(action, actor=actor, thing=("group", group.id), label=group.name, person=who)
