"""Categories people want to hear of, with what is below them. Following changes nothing for anybody else: no log."""

from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select

from portal import access
from portal.actors import Actor
from portal.catalog.categories import lock_shelves
from portal.catalog.tree import get_category
from portal.errors import Conflict
from portal.extensions import db, lock_on, transaction
from portal.models import READ, Category, Follow

MOST_FOLLOWS = 50


@dataclass(frozen=True)
class Followed:
    """A category somebody follows; without a permission nothing is told of it, and only its end can be chosen."""

    category: Category
    is_visible: bool


def follow(actor: Actor, category_id: int) -> None:
    """Hear of what comes out in a category and below it, from now on. Twice is once.

    Raises CategoryNotFound when it is not theirs to see, Conflict when they follow fifty.
    """
    with transaction() as session:
        lock_on(f"follows:{actor.user_id}")
        lock_shelves(category_id)  # a merger that is taking it away comes first, or takes this along
        access.require_permission(actor, category_id, READ)
        if is_followed(actor, category_id):
            return
        mine = select(func.count()).select_from(Follow).where(Follow.user_id == actor.user_id)
        if session.scalars(mine).one() >= MOST_FOLLOWS:
            raise Conflict(f"More than {MOST_FOLLOWS} categories are too many to follow. End one first.")
        get_category(category_id)
        session.execute(insert(Follow).values(user_id=actor.user_id, category_id=category_id))


def unfollow(actor: Actor, category_id: int) -> None:
    """Hear of it no more, also when it is not theirs to see any longer."""
    with transaction() as session:
        this = (Follow.user_id == actor.user_id, Follow.category_id == category_id)
        session.execute(delete(Follow).where(*this))


def is_followed(actor: Actor, category_id: int) -> bool:
    """Whether the person follows exactly this category."""
    this = (Follow.user_id == actor.user_id, Follow.category_id == category_id)
    return db.session.scalar(select(Follow.category_id).where(*this)) is not None


def list_followed(actor: Actor) -> list[Followed]:
    """What the person follows, by path; never the name of a category that they may not see now."""
    shown = access.shown_categories(actor).subquery()
    statement = (
        select(Category, shown.c.category_id.is_not(None))
        .join(Follow, Follow.category_id == Category.id)
        .outerjoin(shown, shown.c.category_id == Category.id)
        .where(Follow.user_id == actor.user_id)
        .order_by(Category.path)
    )
    return [Followed(category, bool(is_visible)) for category, is_visible in db.session.execute(statement)]
