"""Where categories are looked up: by their path, their id, and by what is above and below them."""

from sqlalchemy import ColumnElement, func, select, true

from portal import access
from portal.actors import Actor
from portal.catalog.paths import is_live, lineage_ids, spelled, within
from portal.errors import CategoryNotFound
from portal.extensions import db
from portal.models import MANAGE, Category, CategoryAlias


def find_category(path: str) -> Category | None:
    """The category at this path, spelled exactly so; not one in the trash."""
    return db.session.scalar(select(Category).where(Category.path == spelled(path), is_live()))


def find_alike(path: str) -> Category | None:
    """A category at another path that differs from this one in capitals only."""
    path = spelled(path)
    alike = select(Category).where(func.lower(Category.path) == path.lower(), Category.path != path, is_live())
    return db.session.scalar(alike.order_by(Category.id).limit(1))


def find_moved(path: str) -> Category | None:
    """The category that once was at this path and is elsewhere now."""
    statement = select(Category).join(CategoryAlias, CategoryAlias.category_id == Category.id)
    return db.session.scalar(statement.where(CategoryAlias.path == spelled(path), is_live()))


def find_child(parent_id: int | None, name: str) -> Category | None:
    """The category of this name directly below one, or at the top for None; not one in the trash."""
    parent = Category.parent_id.is_(None) if parent_id is None else below(parent_id)
    return db.session.scalar(select(Category).where(parent, Category.name == name, is_live()))


def get_category(category_id: int) -> Category:
    """The category with this id, not in the trash. Raises CategoryNotFound."""
    category = db.session.get(Category, category_id)
    if category is None or category.trashed_at is not None:
        raise CategoryNotFound
    return category


def list_ancestors(category: Category) -> list[Category]:
    """From the root down to the category itself."""
    above = Category.id.in_(lineage_ids(category))
    return list(db.session.scalars(select(Category).where(above).order_by(Category.depth)))


def counting_ids(category: Category) -> list[int]:
    """The ids of the categories whose grants count on this one: itself and those above, up to the first seal."""
    ids: list[int] = []
    for step in reversed(list_ancestors(category)):
        ids.append(step.id)
        if step.is_sealed:
            break
    return ids


def list_children(category_id: int | None) -> list[Category]:
    """The categories directly below one, or the top ones for None, by name; none in the trash."""
    here = Category.parent_id.is_(None) if category_id is None else below(category_id)
    statement = select(Category).where(here, is_live())
    return list(db.session.scalars(statement.order_by(func.lower(Category.name), Category.id)))


def below(category_id: int) -> ColumnElement[bool]:
    """The condition that a category is directly below this one."""
    return Category.parent_id == category_id


def count_below(category: Category, actor: Actor | None = None) -> tuple[int, int]:
    """How many live documents are in a category and below it, and how many categories are below it.

    For somebody of those they manage: there may be others, sealed against them.
    """
    theirs = access.level_at(Category.id, actor) >= MANAGE if actor is not None else true()
    total = select(func.coalesce(func.sum(Category.document_count), 0), func.count())
    documents, categories = db.session.execute(total.where(within(category), is_live(), theirs)).one()
    return int(documents), categories - 1
