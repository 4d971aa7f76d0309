"""What the rows say about each other: the database's own checks, and every derived value against its truth."""

from collections.abc import Iterator

from sqlalchemy import cast, func, or_, select, text, union
from sqlalchemy.orm import aliased
from sqlalchemy.types import Text

from portal import search
from portal.extensions import db
from portal.integrity.reading import in_pages, take_time
from portal.models import Blob, Category, Document, User, Version


def database_problems() -> Iterator[str]:
    """What SQLite finds wrong with its own file. PostgreSQL keeps its constraints itself; see its pg_amcheck."""
    if db.engine.dialect.name != "sqlite":
        return
    for found in db.session.scalars(text("PRAGMA integrity_check")):
        if found != "ok":
            yield f"The database file is damaged: {found}."
    for found in db.session.execute(text("PRAGMA foreign_key_check")).mappings():
        yield f"Row {found['rowid']} of {found['table']} refers to a row of {found['parent']} that is not there."


def category_problems() -> Iterator[str]:
    """Counters against the documents, paths against the tree."""
    take_time()
    here = (Document.category_id == Category.id, Document.trashed_at.is_(None))
    live = select(func.count(Document.id)).where(*here).scalar_subquery()
    miscounted = select(Category.id, Category.document_count, live).where(Category.document_count != live)
    for category, counted, real in db.session.execute(miscounted):
        yield f"Category {category} counts {counted} live documents and has {real}."
    above = aliased(Category)
    derived = select(Category.id).outerjoin(above, above.id == Category.parent_id)
    astray = or_(
        Category.path != func.coalesce(above.path + "/", "") + Category.name,
        func.coalesce(Category.lineage, "") != func.coalesce(above.lineage, "/") + cast(Category.id, Text) + "/",
        Category.depth != func.coalesce(above.depth, 0) + 1,
    )
    for category in db.session.scalars(derived.where(astray)):
        yield f"Category {category} has a path, lineage or depth that does not follow from where it stands."
    left = derived.where(above.trashed_at.is_not(None), Category.trashed_at.is_(None))
    filled = select(Category.id).where(Category.trashed_at.is_not(None), live > 0)
    for category in db.session.scalars(union(left, filled)):
        yield f"Category {category} is in the trash in part: what is in it has to be in the trash with it."


def document_problems() -> Iterator[str]:
    """Counters against the versions, and the current version against the document."""
    take_time()
    its_own = Version.document_id == Document.id
    had = select(func.count(Version.id)).where(its_own).scalar_subquery()
    highest = select(func.coalesce(func.max(Version.number), 0)).where(its_own).scalar_subquery()
    miscounted = or_(Document.version_count != had, Document.version_count != highest)
    statement = select(Document.id, Document.version_count, had, highest).where(miscounted)
    for document, counted, real, last in db.session.execute(statement):
        yield f"Document {document} counts {counted} versions, has {real}, and the last has the number {last}."
    current = select(Document.id).outerjoin(Version, Version.id == Document.current_version_id)
    stray = or_(Version.id.is_(None), Version.document_id != Document.id)
    for document in db.session.scalars(current.where(stray)):
        yield f"Document {document} has no current version of its own."
    emptied = (Document.trashed_at.is_(None), Version.purged_at.is_not(None))
    for document in db.session.scalars(current.where(*emptied)):
        yield f"Document {document} is not in the trash, but the bytes of its current version were given up."


def version_problems() -> Iterator[str]:
    """Versions against the blobs they use."""
    take_time()
    differs = or_(Version.sha256 != Blob.sha256, Version.size != Blob.size, Version.crc32 != Blob.crc32)
    statement = select(Version.number, Version.document_id, Blob.id).join(Blob, Blob.id == Version.blob_id)
    for number, document, blob in db.session.execute(statement.where(differs)):
        yield f"Version {number} of document {document} says other things of its bytes than blob {blob}."


def people_problems() -> Iterator[str]:
    """What people are said to have put in against the versions that are there."""
    take_time()
    there = (Version.created_by_id.is_not(None), Version.purged_at.is_(None))
    sums = select(Version.created_by_id, func.sum(Version.size).label("size")).where(*there)
    put_in = sums.group_by(Version.created_by_id).subquery()
    real = func.coalesce(put_in.c.size, 0)
    statement = select(User.id, User.used_bytes, real).outerjoin(put_in, put_in.c.created_by_id == User.id)
    for user, counted, size in db.session.execute(statement.where(User.used_bytes != real)):
        yield f"Person {user} counts {counted} bytes put in, and the versions they put in have {size}."


def search_problems() -> Iterator[str]:
    """What words are looked up in and the index of words, against the same made anew."""
    statement = select(Document.id, Document.title, Document.filename, Document.search_text)
    for page in in_pages(statement, Document.id):
        for row in page:
            if row.search_text != search.text_of(row.title, row.filename):
                yield f"Document {row.id} is not found by the words of its title and filename."
    differing = search.count_differing()
    if differing:
        yield f"The index of words says other things than the catalog of {differing:,} documents: run `portal reindex`."
