"""Whom readers may ask about a document: found by what a publisher types, and somebody with an account that is open."""

from sqlalchemy import and_, select

from portal import access
from portal.accounts.spelling import email_key
from portal.errors import BadInput
from portal.extensions import db
from portal.models import PUBLISH, User

FIELD = "responsible"
OFFERED = 25
UNKNOWN = "Nobody with an open account has this name or address. Write all of it."
SEVERAL = "Several people are called {}. Write the address of the one you mean."
CLOSED = "This account is closed. Choose somebody else."

is_open = and_(User.disabled_at.is_(None), User.erased_at.is_(None))


def require_live(user_id: int | None) -> int | None:
    """The id of somebody whose account is open, who stays so until the transaction ends. Raises BadInput."""
    if user_id is None:
        return None
    # Before any row of a document is written: whoever erases a person takes their row first, too.
    statement = select(User.id).where(User.id == user_id, is_open).with_for_update(read=True)
    if db.session.scalar(statement) is None:
        raise BadInput(CLOSED, field=FIELD)
    return user_id


def find_responsible(text: str) -> User | None:
    """The person of a whole name or address; None for an empty text. Raises BadInput for nobody, and for several.

    A part of a name finds nobody: whoever may publish somewhere need not learn who else has an account.
    """
    key = email_key(" ".join(text.split()))
    if not key:
        return None
    named = User.email_key == key if "@" in key else User.name_key == key
    found = list(db.session.scalars(select(User).where(named, is_open).limit(2)))
    if not found:
        raise BadInput(UNKNOWN, field=FIELD)
    if len(found) > 1:
        raise BadInput(SEVERAL.format(found[0].name), field=FIELD)
    return found[0]


def list_offered_people(category_id: int) -> list[User]:
    """Some of those who may publish in a category, by name: who is most likely to be asked about what is in it."""
    held = access.holders(category_id).subquery()
    statement = select(User).join(held, held.c.user_id == User.id).where(held.c.level >= PUBLISH, is_open)
    return list(db.session.scalars(statement.order_by(User.name_key, User.id).limit(OFFERED)))
