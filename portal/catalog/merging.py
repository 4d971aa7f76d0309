"""One category made part of another: documents, categories below it and old paths go over, and nothing is lost."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import aliased

from portal import audit, filenames, search
from portal.actors import Actor
from portal.catalog.categories import (
    TREE,
    lock_all_shelves,
    record_category,
    refuse_source,
    require_manage,
    require_whole,
)
from portal.catalog.fields import hand_over_fields
from portal.catalog.inherited import require_distinct_fields
from portal.catalog.paths import (
    deepest_of,
    forget_paths,
    is_live,
    remember_paths,
    require_depth,
    rewrite,
    within,
)
from portal.catalog.removing import erase_category
from portal.catalog.tree import below, get_category, list_children
from portal.errors import Conflict
from portal.extensions import db, lock_on, transaction
from portal.models import (
    Category,
    CategoryAlias,
    Distribution,
    Document,
    FileRequest,
    Follow,
    Grant,
    ShareLink,
    Upload,
    db_now,
)

Pair = tuple[Category, Category]
"""A category that goes, and the one its documents go to."""


@dataclass(frozen=True)
class Renaming:
    """A document that gets a number, because a neighbour to be has its filename."""

    document_id: int
    path: str
    """Of the category it comes to."""
    before: str
    after: str


@dataclass(frozen=True)
class Merger:
    """What a merger comes to. ``pairs``: what goes, and into what; below the first one where names meet."""

    pairs: list[Pair]
    documents: int
    """Live ones that come to another category."""
    moving: int
    """Categories below that hang elsewhere afterwards, with all below them."""
    renamings: list[Renaming]
    grants: int
    """Permissions that end, because the category they were given on goes."""


def plan_merger(actor: Actor | None, category_id: int, into_id: int) -> Merger:
    """What ``merge_category`` would do now; nothing is changed. Raises like it."""
    require_manage(actor, category_id)
    require_manage(actor, into_id)
    category, into = get_category(category_id), get_category(into_id)
    if (into.lineage or "").startswith(category.lineage or "/"):
        raise Conflict("A category cannot be merged into itself or into what is below it.")
    refuse_source(category, "merged")
    require_whole(actor, category)
    pairs = _pairs(category, into)
    _require_manage_all(actor, pairs)
    gone = [one.id for one, _ in pairs]
    _refuse_links(gone)
    for one, other in pairs:
        deepest = deepest_of(and_(within(one), Category.id.not_in(gone)))
        require_depth(other.depth + max(deepest - one.depth, 0))
    parent = aliased(Category)
    hanging = select(func.count()).select_from(Category).join(parent, parent.id == Category.parent_id)
    hanging = hanging.where(is_live(), parent.id.in_(gone), Category.id.not_in(gone))
    return Merger(
        pairs,
        sum(one.document_count for one, _ in pairs),
        db.session.scalars(hanging).one(),
        [renaming for pair in pairs for renaming in _renamings(*pair)],
        db.session.scalars(select(func.count()).where(Grant.category_id.in_(gone))).one(),
    )


def merge_category(actor: Actor | None, category_id: int, into_id: int) -> Category:
    """Make a category part of another, which it gives back: documents, what is below, old paths. Needs both managed.

    Where names below meet, those categories merge in turn, and filenames that meet get a number. Documents keep their
    ids, so that links to them go on. What was given on a category that goes ends, and with it its description, seal
    and rules for new documents. Raises Conflict while a share link on one that goes lets somebody in, where a
    directory is shown in place, and where fields of one name cannot be one field.
    """
    with transaction() as session:
        lock_on(TREE)
        lock_all_shelves()
        plan = plan_merger(actor, category_id, into_id)
        category, into = plan.pairs[0]
        for one_id in sorted(one.id for one, _ in plan.pairs):
            lock_on(f"grants:{one_id}")
        _record(actor, plan.pairs)
        going = within(category)
        search.queue_shelves(going)
        remember_paths(going)
        _rename(plan.renamings)
        moment = session.scalars(select(db_now())).one()
        leaving = update(Category).where(Category.id.in_([one.id for one, _ in plan.pairs]))
        session.execute(leaving.values(trashed_at=moment))  # their paths are free for those who come
        for one, other in reversed(plan.pairs):  # the deepest first
            _hand_over(one, other)
        for one, _ in reversed(plan.pairs):
            _let_go(one)
        forget_paths(within(into))
        require_distinct_fields(into)
    return into


def _record(actor: Actor | None, pairs: Sequence[Pair]) -> None:
    for one, other in pairs:
        record_category(actor, "category.merged", other, from_path=audit.told_path(one), documents=one.document_count)


def _pairs(category: Category, into: Category) -> list[Pair]:
    """What merges into what: the two, then level by level what hangs in both under one name.

    A name that meets only the category that goes meets nobody.
    """
    pairs = [(category, into)]
    for one, other in pairs:  # grows while it is walked
        theirs = {child.name: child for child in list_children(other.id) if child.id != category.id}
        pairs += [(child, theirs[child.name]) for child in list_children(one.id) if child.name in theirs]
    return pairs


def _require_manage_all(actor: Actor | None, pairs: Sequence[Pair]) -> None:
    for _, other in pairs[1:]:
        require_whole(actor, other)
        require_manage(actor, other.id)


def _refuse_links(category_ids: Sequence[int]) -> None:
    on_one = ShareLink.category_id.in_(category_ids)
    is_over = or_(
        ShareLink.revoked_at.is_not(None),
        ShareLink.expires_at <= db_now(),
        ShareLink.used >= ShareLink.max_downloads,
    )
    link = db.session.scalar(select(ShareLink).where(on_one, func.coalesce(is_over, False).is_(False)).limit(1))
    if link is not None:
        named = link.label or f"{link.token_hint}…"
        raise Conflict(f"The link {named} leads to this category and would open more. Revoke it first.")


def _renamings(one: Category, other: Category) -> list[Renaming]:
    neighbour = aliased(Document)
    meets = select(neighbour.id).where(neighbour.category_id == other.id, neighbour.trashed_at.is_(None))
    mine = (Document.category_id == one.id, Document.trashed_at.is_(None))
    namesake = meets.where(neighbour.filename == Document.filename)
    statement = select(Document.id, Document.filename).where(*mine, namesake.exists())
    met = db.session.execute(statement.order_by(Document.id)).all()
    if not met:
        return []
    both = Document.category_id.in_((one.id, other.id))
    taken = set(db.session.scalars(select(Document.filename).where(both, Document.trashed_at.is_(None))))
    renamings = []
    for document_id, filename in met:
        number = 2
        while (free := filenames.numbered(filename, number)) in taken:
            number += 1
        taken.add(free)
        renamings.append(Renaming(document_id, other.path, filename, free))
    return renamings


def _rename(renamings: Sequence[Renaming]) -> None:
    for renaming in renamings:
        document = db.session.get_one(Document, renaming.document_id)
        document.filename = renaming.after
        document.search_text = search.text_of(document.title, renaming.after)
    db.session.flush()


def _hand_over(one: Category, other: Category) -> None:
    """Documents, fields, old paths, followers and the categories below, each with what is below it."""
    session = db.session()
    session.execute(
        update(Category)
        .where(Category.id == other.id)
        .values(document_count=Category.document_count + one.document_count)
    )
    session.execute(update(Category).where(Category.id == one.id).values(document_count=0))
    search.hold_all(Document.category_id == one.id)
    papers = update(Document).where(Document.category_id == one.id).values(category_id=other.id)
    session.execute(papers, execution_options={"synchronize_session": False})
    hand_over_fields(one, other)
    session.execute(update(CategoryAlias).where(CategoryAlias.category_id == one.id).values(category_id=other.id))
    for kind in (Distribution, FileRequest, Upload):
        session.execute(update(kind).where(kind.category_id == one.id).values(category_id=other.id))
    _hand_over_followers(one, other)
    paths, lineages = (one.path, other.path), (one.lineage or "/", other.lineage or "/")
    depth, moved = other.depth - one.depth, _all_below(one)
    session.execute(update(Category).where(below(one.id)).values(parent_id=other.id))
    rewrite(moved, paths, lineages, depth)


def _all_below(one: Category) -> ColumnElement[bool]:
    return and_(within(one), Category.id != one.id)


def _hand_over_followers(one: Category, other: Category) -> None:
    known = select(Follow.user_id).where(Follow.category_id == other.id)
    mine = Follow.category_id == one.id
    db.session.execute(delete(Follow).where(mine, Follow.user_id.in_(known)))
    db.session.execute(update(Follow).where(mine).values(category_id=other.id))


def _let_go(one: Category) -> None:
    """Delete what has nothing in it any more; where a link that is over names it, it stays in the trash, empty."""
    named = select(ShareLink.id).where(ShareLink.category_id == one.id).limit(1)
    if db.session.scalar(named) is None:
        erase_category(one)
    else:
        db.session.execute(delete(Grant).where(Grant.category_id == one.id))
