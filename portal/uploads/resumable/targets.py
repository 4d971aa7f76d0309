"""Where an upload goes: a category and names of folders below it, a document, or a distribution."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from portal import access, catalog, filenames
from portal.actors import Actor
from portal.catalog import OnConflict, parse_ref
from portal.catalog.categories import require_category_name
from portal.catalog.neighbours import find_live
from portal.catalog.paths import LONGEST_PATH, require_depth
from portal.errors import (
    BadInput,
    CategoryNotFound,
    DocumentNotFound,
    Forbidden,
    NameTaken,
    NotFound,
)
from portal.extensions import db, settings
from portal.models import PUBLISH, READ, Category, Distribution
from portal.uploads.distributing.making import require_manager
from portal.uploads.kinds import require_fitting

ONLY_READ = "You may read this category, but not publish in it."


@dataclass(frozen=True)
class Target:
    """Exactly one of the three ids; ``folder`` are names below the category, with slashes between."""

    category_id: int | None = None
    document_id: int | None = None
    distribution_id: int | None = None
    folder: str = ""


def find_target(actor: Actor, kind: str, name: str, folder: str) -> Target:
    """What ``actor`` may send something to: ``category`` by its path, ``document`` by its ref, ``distribution``.

    Raises the kind of NotFound it is, Forbidden for who may only read there, BadInput for names of folders that cannot
    be categories or would be too deep.
    """
    if kind == "category":
        category = _find_category(actor, name)
        names = folder_names(folder)
        require_depth(category.depth + len(names))
        return Target(category_id=category.id, folder="/".join(names))
    if folder:
        raise BadInput("Only what goes to a category has a folder.", field="folder")
    if kind == "document":
        return Target(document_id=_find_document(actor, name))
    return Target(distribution_id=_find_distribution(actor, name))


def folder_names(folder: str) -> list[str]:
    """The names of the categories that folders become, as an import calls them. Raises BadInput."""
    if len(folder) > LONGEST_PATH:
        raise BadInput("This folder is too long a path.", field="folder")
    parts = [filenames.normal(part) for part in folder.split("/") if part]
    try:
        return [require_category_name("download_" if part == "download" else part) for part in parts]
    except BadInput as problem:
        raise BadInput(problem.sentence, field="folder") from problem


def require_takes(actor: Actor, target: Target, filename: str, on_conflict: OnConflict) -> None:
    """Refuse before the first byte what can be refused by its name. Raises UploadTypeRejected, NameTaken.

    A folder may lead to a category that ``actor`` may not publish in, where nothing is told of what is in it: raises
    CategoryNotFound and Forbidden.
    """
    require_fitting(filename, b"", settings().allowed_types)
    if target.distribution_id is not None:
        return
    if target.document_id is not None:
        shelf = catalog.get_category(catalog.get_live(target.document_id).category_id)
        catalog.rules_of(shelf).require(filename)
        return
    category = catalog.get_category(target.category_id or 0)
    whole = catalog.find_category(f"{category.path}/{target.folder}") if target.folder else category
    if whole is not None:
        access.require_permission(actor, whole.id, PUBLISH)
    catalog.rules_of(whole or category).require(filename)
    if on_conflict == "refuse" and whole is not None and find_live(whole.id, filename) is not None:
        raise NameTaken(f"There is already a document called {filename} here.")


def _find_category(actor: Actor, path: str) -> Category:
    category = catalog.find_category(path)
    level = access.level_on(actor, category)
    if category is None or level < READ:
        raise CategoryNotFound(field="category")
    if level < PUBLISH:
        raise Forbidden(ONLY_READ, field="category")
    return category


def _find_document(actor: Actor, ref: str) -> int:
    named = parse_ref(ref)
    edition = catalog.find_readable(actor, named) if named is not None else None
    if edition is None:
        raise DocumentNotFound(field="document")
    access.require_permission(actor, edition.category_id, PUBLISH)
    return edition.document_id


def _find_distribution(actor: Actor, ref: str) -> int:
    named = parse_ref(ref)
    if not isinstance(named, UUID):
        raise NotFound(field="distribution")
    found = db.session.scalar(select(Distribution).where(Distribution.uuid == named))
    if found is None or found.state != "collecting" or not (actor.is_admin or found.created_by_id == actor.user_id):
        raise NotFound(field="distribution")
    require_manager(actor, found.category_id)
    return found.id
