"""The tree of categories: added, renamed, moved; paths and lineages follow in the same transaction."""

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, func, or_, select, true

from portal import access, audit, filenames, search
from portal.actors import Actor
from portal.catalog.inherited import require_distinct_fields, require_endings
from portal.catalog.paths import (
    deepest_of,
    forget_paths,
    is_live,
    lineage_ids,
    repath,
    require_depth,
    require_free_path,
    spelled,
    within,
)
from portal.catalog.texts import require_text
from portal.errors import BadInput, CategoryNotFound, Conflict, Forbidden
from portal.extensions import db, lock_on, transaction
from portal.models import (
    MANAGE,
    PUBLISH,
    Category,
    CategoryAlias,
    SourceDirectory,
)

MOST_DAYS = 36_500
TREE = "category-tree"
"""What writers of the tree queue on, so that two moves cannot tie a loop."""
SHELVES = "documents"
"""What writers of documents share, and whoever trashes or merges whole branches has alone."""


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


def ensure_category(actor: Actor | None, path: str) -> Category:
    """The category at this path, made with every missing one above it."""
    found = find_category(path)
    if found is not None:
        return found
    with transaction():
        lock_on(TREE)
        category: Category | None = None
        for name in map(require_category_name, path.split("/")):
            parent_id = category.id if category else None
            category = find_child(parent_id, name) or add_category(actor, parent_id, name)
    if category is None:
        raise CategoryNotFound
    return category


def add_category(
    actor: Actor | None, parent_id: int | None, name: str, *, description: str = "", is_sealed: bool = False
) -> Category:
    """Add a category; a top one needs an administrator, others ``manage`` on the parent.

    Raises BadInput for a name that cannot be, NameTaken when the parent has one of this name.
    """
    name, description = require_category_name(name), require_text(description, "description")
    with transaction():
        lock_on(TREE)
        require_manage(actor, parent_id)
        return make_category(actor, parent_id, name, description=description, is_sealed=is_sealed)


def ensure_folder(actor: Actor | None, category_id: int, names: Sequence[str]) -> Category:
    """The category these names lead to below one, made with every missing one on the way. Needs ``publish`` there."""
    category = get_category(category_id)
    found = find_category("/".join([category.path, *names]))
    if found is not None:
        return found
    with transaction():
        lock_on(TREE)
        for name in map(require_category_name, names):
            child = find_child(category.id, name)
            if child is None:
                if actor is not None:
                    access.require_permission(actor, category.id, PUBLISH)
                child = make_category(actor, category.id, name)
            category = child
    return category


def make_category(
    actor: Actor | None,
    parent_id: int | None,
    name: str,
    *,
    description: str = "",
    is_sealed: bool = False,
    recipient_key: str | None = None,
) -> Category:
    """``add_category`` of checked values inside the transaction of who has the tree and asked whether ``actor`` may."""
    session = db.session()
    parent = get_category(parent_id) if parent_id is not None else None
    path, depth = (f"{parent.path}/{name}", parent.depth + 1) if parent else (name, 1)
    require_depth(depth)
    require_free_path(path, name)
    category = Category(
        parent_id=parent_id,
        name=name,
        path=path,
        depth=depth,
        description=description,
        is_sealed=is_sealed,
        recipient_key=recipient_key,
    )
    session.add(category)
    session.flush()
    category.lineage = f"{parent.lineage if parent else '/'}{category.id}/"
    forget_paths(Category.id == category.id)
    record_category(actor, "category.added", category)
    if is_sealed:
        record_category(actor, "category.sealed", category)
    return category


def change_category(
    actor: Actor | None, category_id: int, *, name: str, description: str, is_sealed: bool | None = None
) -> Category:
    """Rename, describe, seal or unseal (None leaves the seal as it is).

    Old paths go on leading here. The log hears of nothing that stays as it is.
    """
    name, description = require_category_name(name), require_text(description, "description")
    with transaction() as session:
        lock_on(TREE)
        require_manage(actor, category_id)
        category = get_category(category_id)
        path, described = category.path, category.description
        if name != category.name:
            refuse_source(category, "renamed")
            repath(category, get_category(category.parent_id) if category.parent_id else None, name)
        category.description = description
        session.flush()
        if (category.path, category.description) != (path, described):
            record_category(
                actor, "category.changed", category, **({"from_path": path} if path != category.path else {})
            )
        if is_sealed is not None:
            _seal(actor, category, is_sealed)
    return category


def change_rules(
    actor: Actor | None, category_id: int, *, types: Iterable[str] | None, expiry_days: int | None
) -> Category:
    """Say which endings new documents may have here and below, and after how many days they expire.

    None leaves it to what is further up; no endings are every one, and 0 days are never. Raises BadInput.
    """
    allowed = None if types is None else " ".join(require_endings(types))
    if expiry_days is not None and not 0 <= expiry_days <= MOST_DAYS:
        raise BadInput(f"Write a number of days from 1 to {MOST_DAYS:,}.", field="expiry_days")
    with transaction():
        lock_on(TREE)
        require_manage(actor, category_id)
        category = get_category(category_id)
        if (category.allowed_types, category.expiry_days) != (allowed, expiry_days):
            category.allowed_types, category.expiry_days = allowed, expiry_days
            record_category(actor, "category.rules_changed", category)
    return category


def seal_category(actor: Actor | None, category_id: int, is_sealed: bool) -> Category:
    """Seal a category, so that what is given further up ends here, or open its seal."""
    with transaction():
        lock_on(TREE)
        require_manage(actor, category_id)
        category = get_category(category_id)
        _seal(actor, category, is_sealed)
    return category


def move_category(actor: Actor | None, category_id: int, parent_id: int | None) -> Category:
    """Hang a category, with all below it, under another parent. Raises Conflict when that is below itself."""
    with transaction():
        lock_on(TREE)
        category, parent = plan_move(actor, category_id, parent_id)
        if category.parent_id == parent_id:
            return category
        path = audit.told_path(category)
        repath(category, parent, category.name)
        require_distinct_fields(category)
        search.queue_shelves(within(category))
        record_category(actor, "category.moved", category, from_path=path)
    return category


def plan_move(actor: Actor | None, category_id: int, parent_id: int | None) -> tuple[Category, Category | None]:
    """What ``move_category`` would hang where now; nothing is changed. Raises like it."""
    require_manage(actor, category_id)
    require_manage(actor, parent_id)
    category = get_category(category_id)
    parent = get_category(parent_id) if parent_id is not None else None
    if category.parent_id != parent_id:
        refuse_source(category, "moved")
        if parent is not None and (parent.lineage or "").startswith(category.lineage or "/"):
            raise Conflict("A category cannot be moved below itself.")
        require_depth((parent.depth if parent else 0) + 1 + deepest_of(within(category)) - category.depth)
        require_free_path(f"{parent.path}/{category.name}" if parent else category.name, category.name)
    return category, parent


def lock_shelves(*category_ids: int) -> None:
    """Let one writer at a time at the documents of these categories; by id, so that no two wait for each other."""
    lock_on(SHELVES, is_shared=True)
    for category_id in sorted(set(category_ids)):
        lock_on(f"documents:{category_id}")


def lock_all_shelves() -> None:
    """Let nobody else at any document: one lock, where a branch may have thousands of categories."""
    lock_on(SHELVES)


def require_category_name(name: str) -> str:
    """The name as stored. Raises BadInput with the reason when it cannot be one."""
    problem = filenames.category_name_problem(name)
    if problem is not None:
        raise BadInput(problem, field="name")
    return filenames.normal(name)


def find_child(parent_id: int | None, name: str) -> Category | None:
    """The category of this name directly below one, or at the top for None; not one in the trash."""
    parent = Category.parent_id.is_(None) if parent_id is None else below(parent_id)
    return db.session.scalar(select(Category).where(parent, Category.name == name, is_live()))


def require_manage(actor: Actor | None, category_id: int | None) -> None:
    """Raise CategoryNotFound or Forbidden for who may not manage it; the top (None) is for administrators."""
    if actor is None or actor.is_admin:
        return
    if category_id is None:
        raise Forbidden("Only administrators add and move categories at the top.")
    access.require_permission(actor, category_id, MANAGE)


def require_whole(actor: Actor | None, category: Category) -> None:
    """Raise Conflict when something below a category is sealed against who manages the category itself."""
    if actor is None:
        return
    closed = (within(category), is_live(), Category.is_sealed, access.level_at(Category.id, actor) < MANAGE)
    if db.session.scalar(select(Category.id).where(*closed).limit(1)) is not None:
        raise Conflict("Something below this category is sealed, and not yours to manage. Ask an administrator.")


def refuse_source(category: Category, what: str) -> None:
    """Raise Conflict where a directory is shown in place: its names are those on disk, and settings know its path."""
    shown = select(SourceDirectory.id).join(Category, Category.id == SourceDirectory.category_id)
    if db.session.scalar(shown.where(or_(within(category), Category.id.in_(lineage_ids(category)))).limit(1)):
        raise Conflict(f"This category shows a directory in place and cannot be {what}.")


def _seal(actor: Actor | None, category: Category, is_sealed: bool) -> None:
    if category.is_sealed != is_sealed:
        category.is_sealed = is_sealed
        db.session().flush()
        search.queue_shelves(within(category))
        record_category(actor, "category.sealed" if is_sealed else "category.unsealed", category)


def count_below(category: Category, actor: Actor | None = None) -> tuple[int, int]:
    """How many live documents are in a category and below it, and how many categories are below it.

    For somebody of those they manage: there may be others, sealed against them.
    """
    theirs = access.level_at(Category.id, actor) >= MANAGE if actor is not None else true()
    total = select(func.coalesce(func.sum(Category.document_count), 0), func.count())
    documents, categories = db.session.execute(total.where(within(category), is_live(), theirs)).one()
    return int(documents), categories - 1


def record_category(actor: Actor | None, action: str, category: Category, **details: str | int) -> None:
    """Write down one thing that was done to a category; of a person's own, not by what path it came (``from_path``)."""
    path = audit.told_path(category)
    if path != category.path:
        details.pop("from_path", None)
    audit.record_event(action, actor=actor, thing=("category", category.id), label=path, **details)
