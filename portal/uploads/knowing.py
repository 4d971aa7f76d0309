"""What need not be sent: of files somebody has, by name and hash, which are where they are to go already.

Told is only what stands, live, in that very category or document, where the person may publish and so reads it anyway.
Whether the portal has the same bytes anywhere else, nobody learns: sending them looks like sending any others.
"""

import uuid as uuids
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select, tuple_

from portal import access, catalog, filenames
from portal.actors import Actor
from portal.errors import BadInput
from portal.extensions import db
from portal.models import PUBLISH, Category, Document, Version
from portal.uploads.resumable.targets import find_target, folder_names

Word = Literal["new", "same", "version"]
"""Not there; there with these bytes; there with others, which these would replace."""


@dataclass(frozen=True)
class Asked:
    """A file as its sender has it; ``folder`` are names below the category it is to go to."""

    filename: str
    sha256: str
    folder: str = ""


@dataclass(frozen=True)
class Known:
    """What is there of it; ``document`` is the one that stands there."""

    word: Word
    document: uuids.UUID | None = None


NEW = Known("new")


def list_known_in_category(actor: Actor, path: str, asked: Sequence[Asked]) -> list[Known]:
    """One for each, in their order. Raises CategoryNotFound and Forbidden as an upload there does."""
    root = catalog.get_category(find_target(actor, "category", path, "").category_id or 0)
    places = [(_path_of(root.path, one.folder), filenames.clean(one.filename)) for one in asked]
    shelves = _publishable(actor, {path for path, _ in places})
    wanted = {(shelves[path], name) for path, name in places if path in shelves}
    there = _standing(wanted)
    found = [there.get((shelves.get(path, access.NO_CATEGORY), name)) for path, name in places]
    return [_compare(one, file) for one, file in zip(found, asked, strict=True)]


def list_known_of_document(actor: Actor, ref: str, asked: Sequence[Asked]) -> list[Known]:
    """The same of a new version of a document. Raises DocumentNotFound and Forbidden as an upload to it does."""
    document = catalog.get_live(find_target(actor, "document", ref, "").document_id or 0)
    version = catalog.get_version(document.current_version_id or 0)
    return [_compare((document.uuid, version.sha256), one) for one in asked]


def _path_of(path: str, folder: str) -> str:
    """The path of the category that a folder becomes; "" for names that no category has."""
    try:
        return "/".join([path, *folder_names(folder)])
    except BadInput:
        return ""


def _publishable(actor: Actor, paths: Iterable[str]) -> dict[str, int]:
    shown = access.shown_categories(actor, PUBLISH).subquery()
    found = select(Category.path, Category.id).join(shown, shown.c.category_id == Category.id)
    rows = db.session.execute(found.where(Category.path.in_(sorted(paths))))
    return {row.path: row.id for row in rows}


def _standing(wanted: Iterable[tuple[int, str]]) -> dict[tuple[int, str], tuple[uuids.UUID, str]]:
    """Category and filename to the live document there, and the hash of what it has."""
    place = tuple_(Document.category_id, Document.filename)
    statement = (
        select(Document.category_id, Document.filename, Document.uuid, Version.sha256)
        .join(Version, Version.id == Document.current_version_id)
        .where(place.in_(sorted(wanted)), Document.trashed_at.is_(None))
    )
    return {(row.category_id, row.filename): (row.uuid, row.sha256) for row in db.session.execute(statement)}


def _compare(there: tuple[uuids.UUID, str] | None, asked: Asked) -> Known:
    if there is None:
        return NEW
    document, sha256 = there
    return Known("same" if sha256 == asked.sha256 else "version", document)
