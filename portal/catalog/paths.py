"""Where categories stand: paths and lineages follow from parents and names, and old paths lead on."""

import re

from sqlalchemy import ColumnElement, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from portal import filenames
from portal.errors import BadInput, NameTaken
from portal.extensions import db
from portal.models import Category, CategoryAlias, db_now

DEEPEST = 64
LONGEST_PATH = 10_000
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def spelled(path: str) -> str:
    """A path that somebody asks for, as the database can compare it, in NFC.

    What no database takes (PostgreSQL refuses NUL, both refuse lone surrogates) becomes a control character, which
    no stored name has.
    """
    return filenames.normal(UNSTORABLE.sub("\x01", path[:LONGEST_PATH]))


def is_live() -> ColumnElement[bool]:
    """Whether a category is not in the trash."""
    return Category.trashed_at.is_(None)


def within(category: Category) -> ColumnElement[bool]:
    """The condition that a category is this one or below it, also one in the trash.

    By ids, so that ``reports`` is not ``reports2``.
    """
    return Category.lineage.startswith(category.lineage or "/", autoescape=True)


def lineage_ids(category: Category) -> list[int]:
    """From the root down to the category itself."""
    return [int(part) for part in (category.lineage or "").strip("/").split("/")]


def require_free_path(path: str, name: str) -> None:
    """Raise NameTaken when a category that is not in the trash is at this path."""
    if is_taken(path):
        raise NameTaken(f"There is already a category called {name} here.", field="name")


def is_taken(path: str) -> bool:
    """Whether a category that is not in the trash is at this path."""
    return db.session.scalar(select(Category.id).where(Category.path == path, is_live())) is not None


def require_depth(deepest: int) -> None:
    """Raise BadInput for a category that would be too deep in the tree."""
    if deepest > DEEPEST:
        raise BadInput(f"Categories go at most {DEEPEST} deep.")


def deepest_of(which: ColumnElement[bool]) -> int:
    """How deep the deepest of these categories is; 0 for none."""
    return db.session.scalars(select(func.coalesce(func.max(Category.depth), 0)).where(which)).one()


def repath(category: Category, parent: Category | None, name: str) -> None:
    """Give the category and all below it the paths and lineages that follow from a new parent or name."""
    old_path, old_lineage, old_depth = category.path, category.lineage or "/", category.depth
    new_path = f"{parent.path}/{name}" if parent else name
    new_lineage = f"{parent.lineage if parent else '/'}{category.id}/"
    if new_path != old_path:
        require_free_path(new_path, name)
    remember_paths(within(category))
    category.parent_id, category.name = (parent.id if parent else None), name
    db.session().flush()
    depth = (parent.depth if parent else 0) + 1 - old_depth
    rewrite(within(category), (old_path, new_path), (old_lineage, new_lineage), depth)
    forget_paths(within(category))


def rewrite(which: ColumnElement[bool], paths: tuple[str, str], lineages: tuple[str, str], depth: int) -> None:
    """Replace how the paths and lineages of these categories begin, old to new, and add to their depths."""
    (old_path, new_path), (old_lineage, new_lineage) = paths, lineages
    session = db.session()
    session.execute(
        update(Category)
        .where(which)
        .values(
            path=literal(new_path) + func.substr(Category.path, len(old_path) + 1),
            lineage=literal(new_lineage) + func.substr(Category.lineage, len(old_lineage) + 1),
            depth=Category.depth + depth,
        ),
        execution_options={"synchronize_session": False},
    )
    session.expire_all()


def remember_paths(which: ColumnElement[bool]) -> None:
    """Old addresses lead on; a path that was somebody else's before now belongs to the last who had it.

    What is in the trash had its path remembered when it went there.
    """
    session = db.session()
    make = insert_sqlite if session.get_bind().dialect.name == "sqlite" else insert_postgresql
    rows = select(Category.path, Category.id, db_now()).where(which, is_live())
    statement = make(CategoryAlias).from_select(["path", "category_id", "created_at"], rows)
    session.execute(
        statement.on_conflict_do_update(index_elements=["path"], set_={"category_id": statement.excluded.category_id})
    )


def forget_paths(which: ColumnElement[bool]) -> None:
    """A path at which one of these categories is now leads to nobody else."""
    here = select(Category.path).where(which, is_live())
    db.session.execute(delete(CategoryAlias).where(CategoryAlias.path.in_(here)))
