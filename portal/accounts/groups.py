"""Groups: named sets of people that grants are given to."""

from sqlalchemy import delete, func, insert, select

from portal import audit
from portal.accounts.people import email_key, get_user, require_name
from portal.actors import Actor
from portal.errors import BadInput, GroupNotFound, NameTaken
from portal.extensions import db, lock_on, transaction
from portal.models import Group, Membership, User

NAME_LENGTH = 100


def find_group(name: str) -> Group | None:
    """The group of this name, whatever its capitals."""
    return db.session.scalar(select(Group).where(Group.name_key == email_key(name)))


def get_group(group_id: int) -> Group:
    """The group with this id. Raises GroupNotFound."""
    group = db.session.get(Group, group_id)
    if group is None:
        raise GroupNotFound
    return group


def list_groups() -> list[tuple[Group, int]]:
    """Every group by name, with how many people are in it."""
    members = func.count(Membership.user_id)
    statement = select(Group, members).outerjoin(Membership).group_by(Group.id).order_by(Group.name_key)
    return [(group, count) for group, count in db.session.execute(statement)]


def list_members(group_id: int) -> list[User]:
    """The people in a group by name."""
    statement = select(User).join(Membership, Membership.user_id == User.id).where(Membership.group_id == group_id)
    return list(db.session.scalars(statement.order_by(func.lower(User.name), User.id)))


def list_groups_of(user_id: int) -> list[Group]:
    """The groups a person is in by name."""
    statement = select(Group).join(Membership, Membership.group_id == Group.id).where(Membership.user_id == user_id)
    return list(db.session.scalars(statement.order_by(Group.name_key)))


def add_group(actor: Actor | None, name: str) -> Group:
    """Add a group. Raises BadInput for a name that cannot be, NameTaken when there is one of this name."""
    name = require_name(name)
    if max(len(name), len(email_key(name))) > NAME_LENGTH:
        raise BadInput(f"The name of a group has at most {NAME_LENGTH} characters.")
    with transaction() as session:
        lock_on(f"group:{email_key(name)}")
        if find_group(name) is not None:
            raise NameTaken(f"There is already a group called {name}.")
        group = Group(name=name, name_key=email_key(name))
        session.add(group)
        session.flush()
        audit.record_event("group.added", actor=actor, thing=("group", group.id), label=name)
    return group


def join_group(actor: Actor | None, group_id: int, user_id: int) -> bool:
    """Put a person into a group; False when they are in it already."""
    with transaction() as session:
        lock_on(f"membership:{group_id}:{user_id}")
        group, user = get_group(group_id), get_user(user_id)
        if session.get(Membership, (group_id, user_id)) is not None:
            return False
        session.execute(insert(Membership).values(group_id=group.id, user_id=user.id))
        _record(actor, "group.joined", group, user)
    return True


def leave_group(actor: Actor | None, group_id: int, user_id: int) -> bool:
    """Take a person out of a group; False when they are not in it."""
    with transaction() as session:
        group, user = get_group(group_id), get_user(user_id)
        row = (Membership.group_id == group_id, Membership.user_id == user_id)
        left = session.execute(delete(Membership).where(*row).returning(Membership.user_id)).first()
        if left is not None:
            _record(actor, "group.left", group, user)
    return left is not None


def _record(actor: Actor | None, action: str, group: Group, user: User) -> None:
    who = audit.person_hash(user.id)
    audit.record_event(action, actor=actor, thing=("group", group.id), label=group.name, person=who)
