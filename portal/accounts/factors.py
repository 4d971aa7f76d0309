"""Second factors: who has one, and of whom the house asks one."""

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select

from portal.errors import Conflict
from portal.extensions import db, lock_on
from portal.models import AuthenticatorApp, Group, HouseRule, Membership, Passkey, Session, User

RULE = "second_factor"
"""The name of the rule among those of the house."""


def has_second_factor(user_id: int) -> bool:
    """Whether the person has an app that shows codes, or a passkey."""
    app = exists().where(AuthenticatorApp.user_id == user_id)
    return has_passkey(user_id) or bool(db.session.scalar(select(app)))


def has_passkey(user_id: int) -> bool:
    """Whether the person has a passkey."""
    return bool(db.session.scalar(select(exists().where(Passkey.user_id == user_id))))


def is_protected() -> ColumnElement[bool]:
    """Whether the ``User`` of the statement has a second factor, as ``has_second_factor`` says of one."""
    kinds = (AuthenticatorApp, Passkey)
    return or_(*(exists().where(kind.user_id == User.id).correlate(User) for kind in kinds))


def must_have_second_factor(user_id: int) -> bool:
    """Whether the rule of the house, or a group they are in, asks the person for a second factor."""
    return db.session.scalar(select(User.id).where(User.id == user_id, is_asked())) is not None


def hold_rules(*, is_shared: bool = False) -> None:
    """Let nobody come in without a second factor while it is decided who needs one; shared by all who come in.

    Inside a transaction, and before it touches any row of a person or waits for anybody else: whoever comes in holds
    this and waits for their row. Whoever puts people into groups calls it too, for a group may be asking.
    """
    lock_on("second factor", is_shared=is_shared)


def end_weak_sessions() -> int:
    """End every session without a second factor of people who must have one; how many that were.

    Call it inside the transaction that asks one of more people than before, which has called ``hold_rules``.
    """
    asked = select(User.id).where(is_asked())
    weak = (Session.second_factor_at.is_(None), Session.user_id.in_(asked))
    return len(db.session.execute(delete(Session).where(*weak).returning(Session.id)).all())


def is_asked() -> ColumnElement[bool]:
    """Whether a second factor is asked of the ``User`` of the statement."""
    rule = select(func.max(HouseRule.value)).where(HouseRule.name == RULE).scalar_subquery()
    asking = select(Membership.user_id).join(Group, Group.id == Membership.group_id)
    asking = asking.where(Membership.user_id == User.id, Group.second_factor_since.is_not(None)).correlate(User)
    return or_(rule == "everybody", and_(rule == "administrators", User.is_admin), asking.exists())


def require_not_asked(user_id: int) -> None:
    """Raise Conflict when a person who must have a second factor has none left; in the transaction that took it."""
    if must_have_second_factor(user_id) and not has_second_factor(user_id):
        raise Conflict("You need a second factor here, and this is your last one. Set up another first.")
