"""The documents that have the places files would go to."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select, tuple_

from portal.extensions import db
from portal.models import Category, Document, Version

Place = tuple[str, str]
"""The path of a category, and a filename in it."""


@dataclass(frozen=True)
class Placed:
    """The live document that has a place, with what is known of its newest bytes."""

    document_id: int
    size: int
    sha256: str


def list_placed(places: Collection[Place]) -> dict[Place, Placed]:
    """The live documents at these places; a place without one is left out."""
    paths = {path for path, _ in places}
    shelves = select(Category.path, Category.id).where(Category.path.in_(paths), Category.trashed_at.is_(None))
    ids = dict(db.session.execute(shelves).all())
    names = {category_id: path for path, category_id in ids.items()}
    # By the ids of the categories: asked for by their paths, SQLite would look at all that is in each.
    wanted = [(ids[path], filename) for path, filename in places if path in ids]
    statement = (
        select(Document.category_id, Document.filename, Document.id, Version.size, Version.sha256)
        .join(Version, Version.id == Document.current_version_id)
        .where(Document.trashed_at.is_(None), tuple_(Document.category_id, Document.filename).in_(wanted))
    )
    return {
        (names[category_id], filename): Placed(document_id, size, sha256)
        for category_id, filename, document_id, size, sha256 in db.session.execute(statement)
    }
