"""Categories into the trash with all that is in them, and back; and what becomes of them when their time is over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import aliased

from portal import access, filenames, search
from portal.actors import PORTAL, Actor
from portal.catalog.categories import (
    TREE,
    lock_all_shelves,
    lock_shelves,
    record_category,
    refuse_source,
    require_manage,
    require_whole,
)
from portal.catalog.paths import forget_paths, is_live, is_taken, remember_paths, repath, spelled, within
from portal.catalog.removing import erase_category, hand_on_purged, is_purged
from portal.catalog.tree import below, get_category
from portal.errors import CategoryNotFound, Conflict
from portal.extensions import db, lock_on, run, settings, transaction
from portal.models import MANAGE, Category, Document, Grant, ShareLink, db_later, db_now

PAGE = 50
DAY_SECONDS = 86_400
AFTER = timedelta(microseconds=1)


def trash_category(actor: Actor | None, category_id: int) -> Category:
    """Put a category into the trash with all below it and the documents there: gone for readers at once.

    Names and paths are free at once; grants, fields and old paths stay with the categories. Raises Conflict where a
    directory is shown in place, and where something below is sealed against who asks.
    """
    with transaction() as session:
        lock_on(TREE)
        lock_all_shelves()
        category = require_may_go(actor, category_id)
        going = and_(within(category), is_live())
        moment = _moment_for(category)
        ids = select(Category.id).where(going)
        search.queue_shelves(going)
        remember_paths(going)
        papers = and_(Document.category_id.in_(ids), Document.trashed_at.is_(None))
        search.hold_all(papers)
        documents = run(update(Document).where(papers).values(trashed_at=moment)).rowcount
        shelves = update(Category).where(going).values(trashed_at=moment, document_count=0)
        categories = run(shelves).rowcount
        session.expire_all()
        record_category(actor, "category.trashed", category, documents=documents, categories=categories - 1)
    return category


def require_may_go(actor: Actor | None, category_id: int) -> Category:
    """The category that ``trash_category`` would put into the trash now; nothing is changed. Raises like it."""
    require_manage(actor, category_id)
    category = get_category(category_id)
    refuse_source(category, "put into the trash")
    require_whole(actor, category)
    return category


def restore_category(actor: Actor | None, category_id: int) -> Category:
    """Bring a category back with exactly what went with it; under a number where its path was taken meanwhile.

    What was in the trash before it stays there. Raises CategoryNotFound for one that is not in the trash, Conflict
    while the category above it is, and when its time is over.
    """
    with transaction() as session:
        lock_on(TREE)
        lock_all_shelves()
        category = get_trashed(actor, category_id)
        parent = session.get(Category, category.parent_id) if category.parent_id else None
        if parent is not None and parent.trashed_at is not None:
            raise Conflict(f"It was in {parent.path}, which is in the trash, too. Bring that back first.")
        if session.scalar(select(Category.id).where(Category.id == category_id, ~_can_come_back())) is not None:
            raise Conflict("Its time in the trash is over; it cannot come back.")
        path = category.path
        if is_taken(path):
            repath(category, parent, _free_name(category, parent))
        documents = _bring_back(category)
        forget_paths(and_(within(category), is_live()))
        search.queue_shelves(within(category))
        was = {"from_path": path} if path != category.path else {}
        record_category(actor, "category.restored", category, documents=documents, **was)
    return category


def get_trashed(actor: Actor | None, category_id: int) -> Category:
    """A category in the trash that the person managed, and manages again once it is back. Raises CategoryNotFound."""
    mine = [Category.id == category_id, Category.trashed_at.is_not(None)]
    if actor is not None:
        mine.append(access.level_in_trash(Category.id, actor) >= MANAGE)
    category = db.session.scalar(select(Category).where(*mine))
    if category is None:
        raise CategoryNotFound
    return category


def find_trashed(path: str) -> Category | None:
    """The category at this path that went into the trash last and could come back."""
    there = select(Category).where(Category.path == spelled(path), Category.trashed_at.is_not(None), _can_come_back())
    return db.session.scalar(there.order_by(Category.trashed_at.desc(), Category.id.desc()).limit(1))


@dataclass(frozen=True)
class TrashedCategory:
    """A category in the trash, with how many documents and how many categories below it would come back with it."""

    category: Category
    documents: int
    categories: int


def list_trashed(
    actor: Actor, limit: int = PAGE, *, after: int | None = None
) -> tuple[list[TrashedCategory], int | None]:
    """Categories the person could bring back, the last trashed first, with the id to go on after.

    What is below another one in the trash comes after that: it is listed once that is back.
    """
    above = aliased(Category)
    statement = (
        select(Category)
        .outerjoin(above, above.id == Category.parent_id)
        .where(Category.trashed_at.is_not(None), above.trashed_at.is_(None), _can_come_back())
        .where(access.level_in_trash(Category.id, actor) >= MANAGE)
        .order_by(Category.trashed_at.desc(), Category.id.desc())
        .limit(limit + 1)
    )
    last = db.session.get(Category, after) if after is not None else None
    if last is not None and last.trashed_at is not None:
        same = and_(Category.trashed_at == last.trashed_at, Category.id < last.id)
        statement = statement.where(or_(Category.trashed_at < last.trashed_at, same))
    found = list(db.session.scalars(statement))
    return _counted(found[:limit]), found[limit - 1].id if len(found) > limit else None


def remove_long_trashed() -> int:
    """Remove categories whose time in the trash is over and whose documents are gone for good; how many.

    The deepest first. Documents that are only a name by now count to the category above, as when an empty category is
    removed. A row that something still names, a share link or at the top such a document, stays where nobody sees it;
    what was given on it ends all the same.
    """
    over = select(Category.id).where(Category.trashed_at.is_not(None), ~_can_come_back())
    ids = db.session.scalars(over.order_by(Category.depth.desc(), Category.id)).all()
    return sum(map(_remove_if_unnamed, ids))


def _remove_if_unnamed(category_id: int) -> bool:
    with transaction() as session:
        lock_on(TREE)
        lock_shelves(category_id)
        category = session.get(Category, category_id, populate_existing=True)
        if category is None or category.trashed_at is None:
            return False
        session.execute(delete(Grant).where(Grant.category_id == category_id))
        naming = (
            select(Category.id).where(below(category_id)),
            select(Document.id).where(Document.category_id == category_id, ~is_purged()),
            select(ShareLink.id).where(ShareLink.category_id == category_id),
        )
        if any(session.scalar(one.limit(1)) is not None for one in naming) or not hand_on_purged(category):
            return False
        record_category(PORTAL, "category.removed", category)
        erase_category(category)
    return True


def _can_come_back() -> ColumnElement[bool]:
    """Whether the time of a category in the trash is not over; one that is not there has none."""
    return Category.trashed_at >= db_later(-settings().trash_days * DAY_SECONDS)


def _moment_for(category: Category) -> datetime:
    """Now, and later than anything below it went into the trash: what goes with it is known by the moment."""
    session = db.session()
    now = session.scalars(select(db_now())).one()
    papers = (
        select(func.max(Document.trashed_at)).select_from(Document).join(Category, Category.id == Document.category_id)
    )
    before = (papers.where(within(category)), select(func.max(Category.trashed_at)).where(within(category)))
    latest = [moment for moment in map(session.scalar, before) if moment is not None]
    return max([now, *(moment + AFTER for moment in latest)])


def _bring_back(category: Category) -> int:
    """Take what has the moment of the category out of the trash; how many documents."""
    session = db.session()
    moment = category.trashed_at
    coming = and_(within(category), Category.trashed_at == moment)
    here = Document.category_id.in_(select(Category.id).where(coming))
    papers = and_(here, Document.trashed_at == moment, ~is_purged())
    search.hold_all(papers)
    documents = run(update(Document).where(papers).values(trashed_at=None)).rowcount
    live = select(func.count()).where(Document.category_id == Category.id, Document.trashed_at.is_(None))
    counted = live.correlate(Category).scalar_subquery()
    shelves = update(Category).where(coming).values(trashed_at=None, document_count=counted)
    run(shelves)
    session.expire_all()
    return documents


def _free_name(category: Category, parent: Category | None) -> str:
    """The name with the smallest number that no neighbour has."""
    number = 2
    while is_taken(_path(parent, filenames.numbered_category(category.name, number))):
        number += 1
    return filenames.numbered_category(category.name, number)


def _path(parent: Category | None, name: str) -> str:
    return f"{parent.path}/{name}" if parent is not None else name


def _counted(categories: Sequence[Category]) -> list[TrashedCategory]:
    """With what comes back with each; without those that are back since they were found."""
    root = aliased(Category)
    with_it = (
        select(root.id, func.count(Category.id.distinct()), func.count(Document.id))
        .join(Category, and_(Category.lineage.startswith(root.lineage), Category.trashed_at == root.trashed_at))
        .outerjoin(Document, and_(Document.category_id == Category.id, Document.trashed_at == root.trashed_at))
        .where(root.id.in_([category.id for category in categories]))
        .group_by(root.id)
    )
    counts = {root_id: (documents, shelves - 1) for root_id, shelves, documents in db.session.execute(with_it)}
    return [TrashedCategory(one, *counts[one.id]) for one in categories if one.id in counts]
