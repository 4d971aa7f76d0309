"""The tree of categories as one person sees it."""

from dataclasses import dataclass, field
from functools import cache
from typing import TypeVarTuple

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, union_all

from portal import access
from portal.actors import Actor
from portal.catalog.paths import is_live
from portal.extensions import KEPT, db
from portal.models import MANAGE, PUBLISH, READ, Category
from portal.prepared import is_one_of
from portal.reach import ME, Reach, given

Columns = TypeVarTuple("Columns")


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


def look_round(
    actor: Actor, current: Category | None = None, *, reach: Reach | None = None
) -> tuple[list[Branch], bool]:
    """The categories to show at the side: the topmost ones of the person, and the branch that leads to ``current``; and
    whether the person may publish anywhere at all.

    A category whose parent the person may not see stands at the top, labelled with its whole path. ``reach`` is that of
    the person where more is asked for.
    """
    open_ids = [int(part) for part in (current.lineage or "").strip("/").split("/")] if current else []
    shown, is_publisher = _shown(actor, open_ids, reach or Reach(actor))
    branches = {category.id: Branch(category, level, category.name) for category, level in shown}
    roots: list[Branch] = []
    for branch in branches.values():
        parent = branches.get(branch.category.parent_id or 0)
        if parent is not None:
            parent.children.append(branch)
        else:
            branch.label = branch.category.path if branch.category.parent_id else branch.category.name
            roots.append(branch)
    return roots, is_publisher


def _shown(actor: Actor, open_ids: list[int], reach: Reach) -> tuple[list[tuple[Category, int]], bool]:
    """Categories with the permission on each, and whether there is any to publish to."""
    dialect = db.session.get_bind().dialect.name
    if actor.is_admin:
        everything = db.session.scalars(_around_admin(dialect), {"open": open_ids}, execution_options=KEPT)
        return [(category, MANAGE) for category in everything], True
    if dialect == "sqlite":
        rows = db.session.execute(_up(), {"me": actor.user_id, "open": open_ids}).all()
        return [(category, level) for category, level, _ in rows], any(publishes for _, _, publishes in rows)
    mine = reach.at(READ)
    values = {"me": actor.user_id, "open": open_ids, **(mine.values or {})}
    mine_here = db.session.execute(_down(dialect), values, execution_options=KEPT)
    return [(category, level) for category, level in mine_here], mine.highest >= PUBLISH


@cache
def _up() -> Select[Category, int, bool]:
    """The topmost categories of somebody and those right below the open ones: up from each that may be one of them, for
    there are few, however many somebody reaches.
    """
    level = access.level_of(Category.id, ME)
    above = access.level_of(func.coalesce(Category.parent_id, access.NO_CATEGORY), ME)
    topmost = and_(Category.id.in_(access.given_on(ME)), above < READ)
    publishes = access.given_on(ME, PUBLISH).exists()
    return _in_order(select(Category, level, publishes), topmost, "sqlite").where(is_live(), level >= READ)


@cache
def _down(dialect: str) -> Select[Category, int]:
    """The same on PostgreSQL, which would read all grants for each category: of those they were found to reach, and of
    these the few that were given by themselves or are right below an open one.
    """
    mine = given(dialect)
    others = mine.alias("others")
    topmost = or_(Category.parent_id.is_(None), Category.parent_id.not_in(select(others.c.category_id)))
    opened = select(Category.id).where(is_one_of(Category.parent_id, "open", dialect))
    few = union_all(access.given_on(ME), opened).subquery()
    found = select(Category, mine.c.level).join(mine, mine.c.category_id == Category.id)
    return _in_order(found.where(Category.id.in_(select(few))), topmost, dialect)


@cache
def _around_admin(dialect: str) -> Select[Category]:
    """What is above a category that is not in the trash is not there either."""
    return _in_order(select(Category), Category.parent_id.is_(None), dialect).where(is_live())


def _in_order(statement: Select[*Columns], topmost: ColumnElement[bool], dialect: str) -> Select[*Columns]:
    statement = statement.where(or_(topmost, is_one_of(Category.parent_id, "open", dialect)))
    return statement.order_by(func.lower(Category.name), Category.id)
