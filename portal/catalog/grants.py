"""Grants: given on a category, felt below it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, or_, select

from portal import access, audit
from portal.accounts import get_account, get_group
from portal.actors import Actor
from portal.catalog.moments import require_future
from portal.catalog.paths import is_live
from portal.catalog.tree import counting_ids, get_category
from portal.errors import BadInput, GrantNotFound
from portal.extensions import db, lock_on, transaction
from portal.models import MANAGE, PUBLISH, READ, Category, Grant, Group, Membership, User

PERMISSIONS = {"read": READ, "publish": PUBLISH, "manage": MANAGE}
NAMES = {number: name for name, number in PERMISSIONS.items()}


@dataclass(frozen=True)
class Principal:
    """Whom a grant is for: exactly one of a group, a person, everyone signed in."""

    group_id: int | None = None
    user_id: int | None = None
    is_everyone: bool = False


@dataclass(frozen=True)
class GrantRow:
    """One grant as a page shows it."""

    grant: Grant
    category: Category
    group: Group | None
    user: User | None

    @property
    def permission(self) -> str:
        """The word for the permission."""
        return NAMES[self.grant.permission]


def add_grant(
    actor: Actor | None, category_id: int, principal: Principal, permission: str, expires_at: datetime | None = None
) -> Grant:
    """Give a permission, or change the one this principal has here. Needs ``manage`` on the category.

    Raises BadInput for a permission that is none and for an end that is over already.
    """
    if permission not in PERMISSIONS:
        raise BadInput("A permission is read, publish or manage.")
    with transaction() as session:
        lock_on(f"grants:{category_id}")
        category = _require_manage(actor, category_id)
        _require_principal(principal)
        require_future(expires_at, "A permission must end in the future.")
        grant = _find(category_id, principal)
        if grant is None:
            grant = Grant(
                category_id=category_id,
                group_id=principal.group_id,
                user_id=principal.user_id,
                is_everyone=principal.is_everyone,
            )
            session.add(grant)
        grant.permission, grant.expires_at = PERMISSIONS[permission], expires_at
        grant.granted_by_id = actor.user_id if actor else None
        session.flush()
        _record(actor, "grant.added", category, grant)
    return grant


def remove_grant(actor: Actor | None, grant_id: int) -> None:
    """Take a grant back; it counts for nothing from the next request on. Raises GrantNotFound."""
    with transaction() as session:
        category_id = session.scalar(select(Grant.category_id).where(Grant.id == grant_id))
        lock_on(f"grants:{category_id}")
        grant = session.get(Grant, grant_id, populate_existing=True)
        if grant is None:
            raise GrantNotFound
        category = _require_manage(actor, grant.category_id)
        _record(actor, "grant.removed", category, grant)
        session.execute(delete(Grant).where(Grant.id == grant_id))


def list_grants(category: Category) -> list[GrantRow]:
    """The grants that count on a category: its own and those of the ancestors up to the first seal, own ones last."""
    return sorted(
        _rows(Grant.category_id.in_(counting_ids(category))), key=lambda row: (row.category.depth, row.grant.id)
    )


def list_grants_of_group(group_id: int) -> list[GrantRow]:
    """What a group was given, by category."""
    return _rows(Grant.group_id == group_id)


def list_grants_of_person(user_id: int) -> list[GrantRow]:
    """What counts for a person, by category: their own grants, those of their groups, those for everyone."""
    groups = select(Membership.group_id).where(Membership.user_id == user_id)
    return _rows(or_(Grant.user_id == user_id, Grant.group_id.in_(groups), Grant.is_everyone))


def get_grant(category_id: int, grant_id: int) -> GrantRow:
    """One grant given on this very category. Raises GrantNotFound."""
    found = _rows(and_(Grant.id == grant_id, Grant.category_id == category_id))
    if not found:
        raise GrantNotFound
    return found[0]


def _rows(condition: ColumnElement[bool]) -> list[GrantRow]:
    statement = (
        select(Grant, Category, Group, User)
        .join(Category, Category.id == Grant.category_id)
        .outerjoin(Group, Group.id == Grant.group_id)
        .outerjoin(User, User.id == Grant.user_id)
        .where(condition, is_live())
        .order_by(Category.path, Grant.id)
    )
    return [GrantRow(grant, where, group, user) for grant, where, group, user in db.session.execute(statement)]


def _require_manage(actor: Actor | None, category_id: int) -> Category:
    if actor is not None:
        access.require_permission(actor, category_id, MANAGE)
    return get_category(category_id)


def _require_principal(principal: Principal) -> None:
    named = (principal.group_id is not None, principal.user_id is not None, principal.is_everyone)
    if sum(named) != 1:
        raise BadInput("A grant is for one group, one person or everyone.")
    if principal.group_id is not None:
        get_group(principal.group_id)
    if principal.user_id is not None:
        get_account(principal.user_id)


def _find(category_id: int, principal: Principal) -> Grant | None:
    same = (
        Grant.category_id == category_id,
        Grant.is_everyone.is_(principal.is_everyone),
        Grant.group_id.is_not_distinct_from(principal.group_id),
        Grant.user_id.is_not_distinct_from(principal.user_id),
    )
    return db.session.scalar(select(Grant).where(*same))


def _record(actor: Actor | None, action: str, category: Category, grant: Grant) -> None:
    audit.record_event(
        action,
        actor=actor,
        thing=("category", category.id),
        label=audit.told_path(category),
        permission=NAMES[grant.permission],
        group=grant.group_id,
        group_name=get_group(grant.group_id).name if grant.group_id else None,
        person=audit.person_hash(grant.user_id) if grant.user_id else None,
        everyone=grant.is_everyone,
    )
