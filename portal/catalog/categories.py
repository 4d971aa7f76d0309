"""The tree of categories: added, renamed, moved; paths and lineages follow in the same transaction."""

import re

from sqlalchemy import ColumnElement, and_, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from portal import access, audit, filenames
from portal.actors import Actor
from portal.catalog.texts import require_text
from portal.errors import BadInput, CategoryNotFound, Conflict, Forbidden, NameTaken
from portal.extensions import db, lock_on, transaction
from portal.models import MANAGE, Category, CategoryAlias, Document, Grant, ShareLink, SourceDirectory, Version

DEEPEST = 64
NAMED_AT_THE_TOP = (
    "The ledger still names documents that were in this category and are gone for good, and there is no category above"
    " to hand them to. Move it into another category first; then it can be removed."
)
TREE = "category-tree"
"""What writers of the tree queue on, so that two moves cannot tie a loop."""
LONGEST_PATH = 10_000
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def spelled(path: str) -> str:
    """A path that somebody asks for, as the database can compare it, in NFC.

    What no database takes (PostgreSQL refuses NUL, both refuse lone surrogates) becomes a control character, which
    no stored name has.
    """
    return filenames.normal(UNSTORABLE.sub("\x01", path[:LONGEST_PATH]))


def find_category(path: str) -> Category | None:
    """The category at this path, spelled exactly so."""
    return db.session.scalar(select(Category).where(Category.path == spelled(path)))


def find_moved(path: str) -> Category | None:
    """The category that once was at this path and is elsewhere now."""
    statement = select(Category).join(CategoryAlias, CategoryAlias.category_id == Category.id)
    return db.session.scalar(statement.where(CategoryAlias.path == spelled(path)))


def get_category(category_id: int) -> Category:
    """The category with this id. Raises CategoryNotFound."""
    category = db.session.get(Category, category_id)
    if category is None:
        raise CategoryNotFound
    return category


def list_ancestors(category: Category) -> list[Category]:
    """From the root down to the category itself."""
    return list(db.session.scalars(select(Category).where(Category.id.in_(_ids(category))).order_by(Category.depth)))


def list_children(category_id: int | None) -> list[Category]:
    """The categories directly below one, or the top ones for None, by name."""
    statement = select(Category).where(Category.parent_id.is_(None) if category_id is None else below(category_id))
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
            category = _find_child(parent_id, name) or add_category(actor, parent_id, name)
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
    with transaction() as session:
        lock_on(TREE)
        _require_manage(actor, parent_id)
        parent = get_category(parent_id) if parent_id is not None else None
        path, depth = (f"{parent.path}/{name}", parent.depth + 1) if parent else (name, 1)
        if depth > DEEPEST:
            raise BadInput(f"Categories go at most {DEEPEST} deep.")
        _require_free_path(path, name)
        category = Category(
            parent_id=parent_id, name=name, path=path, depth=depth, description=description, is_sealed=is_sealed
        )
        session.add(category)
        session.flush()
        category.lineage = f"{parent.lineage if parent else '/'}{category.id}/"
        session.execute(delete(CategoryAlias).where(CategoryAlias.path == path))
        _record(actor, "category.added", category)
        if is_sealed:
            _record(actor, "category.sealed", category)
    return category


def change_category(actor: Actor | None, category_id: int, *, name: str, description: str, is_sealed: bool) -> Category:
    """Rename, describe, seal or unseal. Old paths go on leading here. The log hears of nothing that stays as it is."""
    name, description = require_category_name(name), require_text(description, "description")
    with transaction() as session:
        lock_on(TREE)
        _require_manage(actor, category_id)
        category = get_category(category_id)
        path, described = category.path, category.description
        if name != category.name:
            _refuse_source(category, "renamed")
            parent = get_category(category.parent_id) if category.parent_id else None
            _repath(category, parent, name)
        category.description = description
        sealing = category.is_sealed != is_sealed
        category.is_sealed = is_sealed
        session.flush()
        if (category.path, category.description) != (path, described):
            _record(actor, "category.changed", category, **({"from_path": path} if path != category.path else {}))
        if sealing:
            _record(actor, "category.sealed" if is_sealed else "category.unsealed", category)
    return category


def move_category(actor: Actor | None, category_id: int, parent_id: int | None) -> Category:
    """Hang a category, with all below it, under another parent. Raises Conflict when that is below itself."""
    with transaction() as session:
        lock_on(TREE)
        _require_manage(actor, category_id)
        _require_manage(actor, parent_id)
        category = get_category(category_id)
        parent = get_category(parent_id) if parent_id is not None else None
        if category.parent_id == parent_id:
            return category
        _refuse_source(category, "moved")
        path = category.path
        if parent is not None and (parent.lineage or "").startswith(category.lineage or "/"):
            raise Conflict("A category cannot be moved below itself.")
        deepest = select(func.max(Category.depth)).where(within(category))
        if (parent.depth if parent else 0) + 1 + session.scalars(deepest).one() - category.depth > DEEPEST:
            raise BadInput(f"Categories go at most {DEEPEST} deep.")
        _repath(category, parent, category.name)
        _record(actor, "category.moved", category, from_path=path)
    return category


def remove_category(actor: Actor | None, category_id: int) -> None:
    """Remove an empty category with its grants. Raises Conflict while anything is in it or refers to it.

    Documents whose bytes were given up for good are still named by the ledger: they go on to the category above.
    """
    with transaction() as session:
        lock_on(TREE)
        lock_shelves(category_id)
        lock_on(f"grants:{category_id}")
        _require_manage(actor, category_id)
        category = get_category(category_id)
        _require_empty(category_id)
        _hand_on_purged(category)
        session.execute(delete(Grant).where(Grant.category_id == category_id))
        session.execute(delete(CategoryAlias).where(CategoryAlias.category_id == category_id))
        _record(actor, "category.removed", category)
        session.execute(delete(Category).where(Category.id == category_id))


def lock_shelves(*category_ids: int) -> None:
    """Let one writer at a time at the documents of these categories; by id, so that no two wait for each other."""
    for category_id in sorted(set(category_ids)):
        lock_on(f"documents:{category_id}")


def within(category: Category) -> ColumnElement[bool]:
    """The condition that a category is this one or below it; by ids, so that ``reports`` is not ``reports2``."""
    return Category.lineage.startswith(category.lineage or "/", autoescape=True)


def require_category_name(name: str) -> str:
    """The name as stored. Raises BadInput with the reason when it cannot be one."""
    problem = filenames.category_name_problem(name)
    if problem is not None:
        raise BadInput(problem, field="name")
    return filenames.normal(name)


def _ids(category: Category) -> list[int]:
    return [int(part) for part in (category.lineage or "").strip("/").split("/")]


def _find_child(parent_id: int | None, name: str) -> Category | None:
    parent = Category.parent_id.is_(None) if parent_id is None else Category.parent_id == parent_id
    return db.session.scalar(select(Category).where(parent, Category.name == name))


def _require_manage(actor: Actor | None, category_id: int | None) -> None:
    if actor is None or actor.is_admin:
        return
    if category_id is None:
        raise Forbidden("Only administrators add and move categories at the top.")
    access.require_permission(actor, category_id, MANAGE)


def _require_free_path(path: str, name: str) -> None:
    if find_category(path) is not None:
        raise NameTaken(f"There is already a category called {name} here.", field="name")


def _refuse_source(category: Category, what: str) -> None:
    """What a directory shows has the names it has on disk, and settings name its category by its path."""
    shown = select(SourceDirectory.id).join(Category, Category.id == SourceDirectory.category_id)
    if db.session.scalar(shown.where(or_(within(category), Category.id.in_(_ids(category)))).limit(1)):
        raise Conflict(f"This category shows a directory in place and cannot be {what}.")


def _require_empty(category_id: int) -> None:
    for what in (
        select(Category.id).where(Category.parent_id == category_id),
        select(Document.id).where(Document.category_id == category_id, ~_is_purged()),
        select(ShareLink.id).where(ShareLink.category_id == category_id),
        select(SourceDirectory.id).where(SourceDirectory.category_id == category_id),
    ):
        if db.session.scalar(what.limit(1)) is not None:
            raise Conflict("Only an empty category can be removed; documents in the trash count.")


def _is_purged() -> ColumnElement[bool]:
    """Whether a document has given up its bytes for good and only its name is left."""
    has_bytes = select(Version.id).where(Version.document_id == Document.id, Version.purged_at.is_(None))
    return and_(Document.trashed_at.is_not(None), ~has_bytes.exists())


def _hand_on_purged(category: Category) -> None:
    here = Document.category_id == category.id
    if category.parent_id is not None:
        db.session.execute(update(Document).where(here).values(category_id=category.parent_id))
    elif db.session.scalar(select(Document.id).where(here).limit(1)) is not None:
        raise Conflict(NAMED_AT_THE_TOP)


def _repath(category: Category, parent: Category | None, name: str) -> None:
    """Give the category and all below it the paths and lineages that follow from a new parent or name."""
    old_path, old_lineage, old_depth = category.path, category.lineage or "/", category.depth
    new_path = f"{parent.path}/{name}" if parent else name
    new_lineage = f"{parent.lineage if parent else '/'}{category.id}/"
    if new_path != old_path:
        _require_free_path(new_path, name)
    session = db.session()
    subtree = within(category)
    _remember_paths(subtree)
    category.parent_id, category.name = (parent.id if parent else None), name
    session.flush()
    session.execute(
        update(Category)
        .where(Category.lineage.startswith(old_lineage, autoescape=True))
        .values(
            path=literal(new_path) + func.substr(Category.path, len(old_path) + 1),
            lineage=literal(new_lineage) + func.substr(Category.lineage, len(old_lineage) + 1),
            depth=Category.depth + ((parent.depth if parent else 0) + 1 - old_depth),
        ),
        execution_options={"synchronize_session": False},
    )
    session.expire_all()
    live = select(Category.path).where(Category.path == CategoryAlias.path).correlate(CategoryAlias).exists()
    session.execute(delete(CategoryAlias).where(live))


def _remember_paths(subtree: ColumnElement[bool]) -> None:
    """Old addresses lead on; a path that was somebody else's before now belongs to the last who had it."""
    session = db.session()
    rows = [
        {"path": path, "category_id": category_id}
        for category_id, path in session.execute(select(Category.id, Category.path).where(subtree))
    ]
    make = insert_sqlite if session.get_bind().dialect.name == "sqlite" else insert_postgresql
    statement = make(CategoryAlias)
    statement = statement.on_conflict_do_update(
        index_elements=["path"], set_={"category_id": statement.excluded.category_id}
    )
    session.execute(statement, rows)


def _record(actor: Actor | None, action: str, category: Category, **details: str) -> None:
    audit.record_event(action, actor=actor, thing=("category", category.id), label=category.path, **details)
