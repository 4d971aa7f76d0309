"""The tree of categories as one person sees it."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, func, literal, or_, select

from portal import access
from portal.actors import Actor
from portal.catalog.paths import is_live
from portal.extensions import db
from portal.models import MANAGE, PUBLISH, READ, Category
from portal.reach import ME

_OPEN = bindparam("open", expanding=True, type_=Integer)


@dataclass
class Branch:
    """A category in the tree at the side, with those below it that are open."""

    category: Category
    level: int
    label: str
    new: int = 0
    children: list["Branch"] = field(default_factory=list)

    @property
    def is_managed(self) -> bool:
        """Whether the person may change the category."""
        return self.level >= MANAGE

    @property
    def is_published_to(self) -> bool:
        """Whether the person may put documents into it."""
        return self.level >= PUBLISH


def list_shown(actor: Actor, permission: int = READ) -> list[tuple[Category, int]]:
    """Every category on which the person has this permission, by path, with the permission they have."""
    shown = access.shown_categories(actor).subquery()
    statement = select(Category, shown.c.level).join(shown, shown.c.category_id == Category.id)
    statement = statement.where(shown.c.level >= permission).order_by(Category.path)
    return [(category, level) for category, level in db.session.execute(statement)]


def tree(actor: Actor, current: Category | None = None) -> list[Branch]:
    """The categories to show at the side: the topmost ones of the person, and the branch that leads to ``current``.

    A category whose parent the person may not see stands at the top, labelled with its whole path.
    """
    return look_round(actor, current)[0]


def look_round(actor: Actor, current: Category | None = None) -> tuple[list[Branch], bool]:
    """The same with whether the person may publish anywhere at all, for one query."""
    open_ids = [int(part) for part in (current.lineage or "").strip("/").split("/")] if current else []
    around = _AROUND_ADMIN if actor.is_admin else _around(db.session.get_bind().dialect.name)
    rows = db.session.execute(around, {"me": actor.user_id, "open": open_ids}).all()
    branches = {category.id: Branch(category, level, category.name) for category, level, _ in rows}
    roots: list[Branch] = []
    for branch in branches.values():
        parent = branches.get(branch.category.parent_id or 0)
        if parent is not None:
            parent.children.append(branch)
        else:
            branch.label = branch.category.path if branch.category.parent_id else branch.category.name
            roots.append(branch)
    return roots, actor.is_admin or any(is_publisher for _, _, is_publisher in rows)


@cache
def _around(dialect: str) -> Select[*tuple[Any, ...]]:
    """The topmost categories of somebody and those right below the open ones."""
    if dialect != "sqlite":
        return _down()
    # Up from each that may be one of them: there are few, however many somebody reaches.
    level = access.level_of(Category.id, ME)
    above = access.level_of(func.coalesce(Category.parent_id, access.NO_CATEGORY), ME)
    topmost = and_(Category.id.in_(access.given_on(ME)), above < READ)
    publishes = access.given_on(ME, PUBLISH).exists()
    return _in_order(select(Category, level, publishes), topmost).where(is_live(), level >= READ)


def _down() -> Select[*tuple[Any, ...]]:
    """On PostgreSQL, which would read all grants for each category: down from them, once for all."""
    shown = access.reached(ME)
    parents = shown.alias("parents")
    topmost = or_(Category.parent_id.is_(None), Category.parent_id.not_in(select(parents.c.category_id)))
    publishes = access.given_on(ME, PUBLISH).exists()
    found = select(Category, shown.c.level, publishes).join(shown, shown.c.category_id == Category.id)
    return _in_order(found, topmost)


def _in_order(statement: Select[*tuple[Any, ...]], topmost: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return statement.where(or_(topmost, Category.parent_id.in_(_OPEN))).order_by(func.lower(Category.name), Category.id)


_AROUND_ADMIN = _in_order(
    select(Category, literal(MANAGE, Integer), literal(1, Integer)), Category.parent_id.is_(None)
).where(is_live())
"""What is above a category that is not in the trash is not there either."""
