"""Filenames beside one another: no two documents of a category that are not in the trash share one."""

from sqlalchemy import select

from portal import filenames
from portal.extensions import db
from portal.models import Document


def find_live(category_id: int, filename: str) -> Document | None:
    """The document of this filename in a category, unless it is in the trash."""
    here = (Document.category_id == category_id, Document.filename == filename, Document.trashed_at.is_(None))
    return db.session.scalar(select(Document).where(*here))


def free_filename(category_id: int, filename: str) -> str:
    """The filename with the smallest number that no neighbour has."""
    number = 2
    while find_live(category_id, filenames.numbered(filename, number)) is not None:
        number += 1
    return filenames.numbered(filename, number)


def fit_extension(document: Document, filename: str) -> str:
    """A version of another type gets the document's name with its own ending, if that is free."""
    ending = filenames.extension(document.filename)
    stem = document.filename[: len(document.filename) - len(ending)]
    renamed = filenames.clean(stem + filenames.extension(filename))
    other = find_live(document.category_id, renamed)
    return free_filename(document.category_id, renamed) if other and other.id != document.id else renamed
