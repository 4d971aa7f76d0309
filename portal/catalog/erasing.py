"""Erasing a person, and with them the name that distributions gave to their own categories."""

from sqlalchemy import ColumnElement, delete, func, literal, or_, select, update

from portal.accounts import erase_user, erased_name
from portal.actors import Actor
from portal.catalog.categories import TREE, record_category
from portal.catalog.paths import is_taken, repath
from portal.catalog.recipients import SHARED
from portal.extensions import db, lock_on, transaction
from portal.filenames import numbered_category
from portal.models import PERSON, Category, CategoryAlias, Upload


def erase_person(actor: Actor | None, user_id: int) -> str:
    """``accounts.erase_user``, and what is marked as the person's own category is called as they are from then on.

    Addresses with its old names lead nowhere any more. What is in it stays, also what it is called. Raises like
    ``erase_user``.
    """
    with transaction() as session:
        lock_on(TREE)
        name = erased_name(user_id)
        own = select(Category.id).where(Category.recipient_key == f"{PERSON}{user_id}").order_by(Category.id)
        for category_id in session.scalars(own).all():
            _rename(actor, session.get_one(Category, category_id), name)
        return erase_user(actor, user_id)  # last: what it writes down about their permissions names the categories


def _rename(actor: Actor | None, category: Category, name: str) -> None:
    """The old paths are forgotten, with those of what once was below: they would lead on with the name in them."""
    aliases = select(CategoryAlias.path).where(CategoryAlias.category_id == category.id)
    old_paths = [category.path, *db.session.scalars(aliases)]
    parent = db.session.get(Category, category.parent_id) if category.parent_id else None
    repath(category, parent, _free_name(parent, name))
    db.session.execute(delete(CategoryAlias).where(or_(*map(_is_at_or_below, old_paths))))
    for path in old_paths:
        _forget_refusals(path, category.path)
    record_category(actor, "category.changed", category)


def _forget_refusals(path: str, new_path: str) -> None:
    """Why files could not be put there, or below: of ``payroll/Ada`` and not of ``payroll/Ada Byron``."""
    there = Upload.reason == SHARED.format(path)
    db.session.execute(update(Upload).where(there).values(reason=SHARED.format(new_path)))
    below = func.substr(Upload.reason, 1, len(path) + 1) == f"{path}/"
    reason = literal(new_path) + func.substr(Upload.reason, len(path) + 1)
    db.session.execute(update(Upload).where(below).values(reason=reason))


def _is_at_or_below(path: str) -> ColumnElement[bool]:
    below = func.substr(CategoryAlias.path, 1, len(path) + 1) == f"{path}/"
    return or_(CategoryAlias.path == path, below)


def _free_name(parent: Category | None, name: str) -> str:
    """The name, or with the smallest number that no neighbour has: one may be there from another category of theirs."""
    free, number = name, 2
    while is_taken(f"{parent.path}/{free}" if parent is not None else free):
        free, number = numbered_category(name, number), number + 1
    return free
