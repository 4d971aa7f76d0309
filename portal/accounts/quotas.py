"""Quotas: how many bytes a person, the people of a group together, and everybody together may have put in."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, select, true, update

from portal import audit
from portal.accounts.groups import get_group
from portal.accounts.people import get_account
from portal.actors import Actor
from portal.errors import QuotaExceeded
from portal.extensions import db, lock_on, settings, transaction
from portal.models import Group, Membership, Upload, User, Version
from portal.sizes import size_text

EVERYBODY = "all"
RESERVING = ("receiving", "arrived")
"""Uploads in these states are in no version yet and need their room all the same."""


@dataclass(frozen=True)
class Limit:
    """A quota in bytes, and whose it is: ``people`` and ``uploads`` are the rows that count towards it."""

    key: str
    whose: str
    most: int
    people: ColumnElement[bool]
    uploads: ColumnElement[bool]


@dataclass(frozen=True)
class Room:
    """A quota in bytes, whose it is, and how much of it is taken: ``coming`` of it by what is in no document yet."""

    whose: str
    most: int
    used: int
    coming: int = 0

    @property
    def left(self) -> int:
        """So many bytes fit; 0 when there are more by now than a quota that was lowered allows."""
        return max(0, self.most - self.used)


def require_room(user_id: int | None, size: int, *, is_counted: bool = False) -> None:
    """Raise QuotaExceeded unless ``size`` more bytes fit into every quota that holds for a person.

    Inside the transaction that writes them down, and after it holds whatever else it waits for: until its end nobody
    else takes the same room. ``is_counted`` says that it has written them already. None is somebody outside, for whom
    only the quota of everybody holds.
    """
    for limit in _limits(user_id):
        lock_on(f"quota:{limit.key}")
        used = sum(_taken(limit)) - (size if is_counted else 0)
        if used + size > limit.most:
            left, needed = size_text(max(0, limit.most - used)), size_text(size)
            why = f"The quota of {limit.whose} is {size_text(limit.most)}, and {left} of it is left."
            raise QuotaExceeded(why if needed == left else f"{why} This needs {needed}.")


def change_used(user_id: int, change: int) -> None:
    """Keep how many bytes a person has put in; inside the transaction that changes it."""
    changed: ColumnElement[int] = User.used_bytes + change
    db.session.execute(update(User).where(User.id == user_id).values(used_bytes=changed))


def change_quota_of_person(actor: Actor | None, user_id: int, quota: int | None) -> None:
    """Let a person put in so many bytes, None for as many as they like. What is there already stays, in any case."""
    with transaction():
        user = get_account(user_id)
        if user.quota_bytes != quota:
            user.quota_bytes = quota
            audit.record_event("user.quota_changed", actor=actor, thing=("user", user_id), quota=quota)


def change_quota_of_group(actor: Actor | None, group_id: int, quota: int | None) -> None:
    """The same of all people of a group together."""
    with transaction():
        group = get_group(group_id)
        if group.quota_bytes != quota:
            group.quota_bytes = quota
            thing = ("group", group_id)
            audit.record_event("group.quota_changed", actor=actor, thing=thing, label=group.name, quota=quota)


def room_of_person(user_id: int) -> Room:
    """What a person has put in, and their own quota; it is 0 where there is none."""
    limit = _limit_of_person(user_id, get_account(user_id).quota_bytes or 0)
    return _room(limit)


def room_of_group(group_id: int) -> Room:
    """What the people of a group have put in together, and the quota they share; it is 0 where there is none."""
    return _room(_limit_of(get_group(group_id)))


def room_of_all() -> Room:
    """What all people have put in together, and the quota of the settings; it is 0 where there is none."""
    return _room(_limit_of_all())


def list_rooms(user_id: int) -> list[Room]:
    """The quotas that hold for a person, that with the least room first."""
    return sorted(map(_room, _limits(user_id)), key=lambda room: room.left)


def _limits(user_id: int | None) -> list[Limit]:
    """In the order in which everybody waits for them."""
    found: list[Limit] = []
    if user_id is not None:
        own = db.session.scalar(select(User.quota_bytes).where(User.id == user_id))
        if own is not None:
            found.append(_limit_of_person(user_id, own))
        found += [_limit_of(group) for group in db.session.scalars(_groups_of(user_id))]
    if settings().quota:
        found.append(_limit_of_all())
    return found


def _limit_of_person(user_id: int, most: int) -> Limit:
    return Limit(f"u:{user_id}", "your account", most, User.id == user_id, Upload.user_id == user_id)


def _limit_of_all() -> Limit:
    return Limit(EVERYBODY, "all people together", settings().quota, true(), true())


def _groups_of(user_id: int) -> Select[Group]:
    statement = select(Group).join(Membership, Membership.group_id == Group.id)
    return statement.where(Membership.user_id == user_id, Group.quota_bytes.is_not(None)).order_by(Group.id)


def _limit_of(group: Group) -> Limit:
    members = select(Membership.user_id).where(Membership.group_id == group.id)
    whose, most = f"the group {group.name}", group.quota_bytes or 0
    return Limit(f"g:{group.id}", whose, most, User.id.in_(members), Upload.user_id.in_(members))


def _room(limit: Limit) -> Room:
    kept, coming = _taken(limit)
    return Room(limit.whose, limit.most, kept + coming, coming)


def _taken(limit: Limit) -> tuple[int, int]:
    """What is in versions, and what is to come into some.

    By one statement: an upload that comes to its end meanwhile is counted once, as the one or as the other."""
    kept = select(func.coalesce(func.sum(User.used_bytes), 0)).where(limit.people).scalar_subquery()
    coming = select(func.coalesce(func.sum(Upload.size), 0)).where(limit.uploads, Upload.state.in_(RESERVING))
    stored: ColumnElement[int] = kept
    if limit.key == EVERYBODY:
        stored = kept + _sent_from_outside().scalar_subquery()
    found = db.session.execute(select(stored, coming.scalar_subquery())).one()
    return int(found[0]), int(found[1])


def _sent_from_outside() -> Select[int]:
    """What is there of what outsiders sent, who have no row to count it in."""
    sent = (Upload.submission_id.is_not(None), Upload.outcome != "unchanged", Version.purged_at.is_(None))
    statement = select(func.coalesce(func.sum(Version.size), 0)).join(Upload, Upload.version_id == Version.id)
    return statement.where(*sent)
