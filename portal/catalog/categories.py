"""The tree of categories: added, renamed, moved; paths and lineages follow in the same transaction."""

from collections.abc import Iterable, Sequence

from sqlalchemy import or_, select

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
    within,
)
from portal.catalog.texts import require_text
from portal.catalog.tree import find_category, find_child, get_category
from portal.errors import BadInput, CategoryNotFound, Conflict, Forbidden
from portal.extensions import db, lock_on, transaction
from portal.models import (
    MANAGE,
    PUBLISH,
    Category,
    SourceDirectory,
)

MOST_DAYS = 36_500
TREE = "category-tree"
"""What writers of the tree queue on, so that two moves cannot tie a loop."""
SHELVES = "documents"
"""What writers of documents share, and whoever trashes or merges whole branches has alone."""


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


def record_category(actor: Actor | None, action: str, category: Category, **details: str | int) -> None:
    """Write down one thing that was done to a category; of a person's own, not by what path it came (``from_path``)."""
    path = audit.told_path(category)
    if path != category.path:
        details.pop("from_path", None)
    audit.record_event(action, actor=actor, thing=("category", category.id), label=path, **details)
