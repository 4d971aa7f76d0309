"""Documents and their versions: put in, moved, trashed and brought back."""

import uuid as uuids
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, select, update

from portal import access, audit, filenames, search
from portal.actors import Actor
from portal.catalog.categories import lock_shelves
from portal.catalog.contents import Content, attach, follow, get_version, has
from portal.catalog.inherited import rules_of
from portal.catalog.moments import require_order
from portal.catalog.neighbours import find_live, fit_extension, free_filename
from portal.catalog.responsible import require_live
from portal.catalog.tags import require_tags, write_tags
from portal.catalog.telling import record_document
from portal.catalog.texts import require_reference, require_text, require_title
from portal.catalog.tree import get_category
from portal.catalog.values import write_values
from portal.errors import Conflict, DocumentNotFound, NameTaken
from portal.extensions import db, lock_on, transaction
from portal.models import PUBLISH, Category, Document, Version, db_now

OnConflict = Literal["version", "rename", "refuse"]
Kind = Literal["added", "versioned", "unchanged"]


@dataclass(frozen=True)
class Facts:
    """What people say about a document when it is put in; None means: made from the filename, published now."""

    title: str | None = None
    description: str = ""
    note: str = ""
    is_draft: bool = False
    published_at: datetime | None = None
    expires_at: datetime | None = None
    reference: str = ""
    responsible_id: int | None = None
    tags: Sequence[str] = ()
    fields: Mapping[int, str] = field(default_factory=dict)
    """Field to what stands in it, of what the category asks for."""


@dataclass(frozen=True)
class Outcome:
    """What putting a document in came to."""

    document_id: int
    uuid: uuids.UUID
    version_id: int | None
    number: int
    kind: Kind
    title: str
    filename: str


def put_document(
    actor: Actor | None,
    category_id: int,
    filename: str,
    content: Content,
    *,
    facts: Facts | None = None,
    on_conflict: OnConflict = "version",
) -> Outcome:
    """Add a document, or a version of the live one of this name.

    Same name and same bytes: nothing to do. Same name and other bytes: as ``on_conflict`` says. Needs ``publish``;
    raises NameTaken for ``refuse``. Whoever puts in several in one transaction calls ``stand_in_line`` first.
    """
    with transaction():
        lock_shelves(category_id)
        _require(actor, category_id, PUBLISH)
        return place_document(actor, category_id, filename, content, facts=facts, on_conflict=on_conflict)


def place_document(
    actor: Actor | None,
    category_id: int,
    filename: str,
    content: Content,
    *,
    facts: Facts | None = None,
    on_conflict: OnConflict = "version",
) -> Outcome:
    """The same for whoever was allowed it by more than a grant on that category, and has made sure of that.

    That is a distribution, which fills categories nobody may publish in, and an outsider who was asked for files.
    """
    facts = facts or Facts()
    filename = filenames.clean(filename)
    with transaction():
        lock_shelves(category_id)
        category = get_category(category_id)
        existing = find_live(category_id, filename)
        if existing is None:
            return _put_new(actor, category, filename, content, facts)
        if on_conflict == "version" or has(existing, content):
            return put_version(actor, existing, filename, content, facts.note)
        if on_conflict == "refuse":
            raise NameTaken(f"There is already a document called {filename} here.")
        return _put_new(actor, category, free_filename(category_id, filename), content, facts)


def stand_in_line(category_ids: Iterable[int], contents: Iterable[Content]) -> None:
    """Wait once for all that a transaction is going to write, in one order, so that no two wait for each other."""
    lock_shelves(*category_ids)
    for sha256 in sorted({content.sha256 for content in contents}):
        lock_on(f"blob:{sha256}")


def add_version(actor: Actor | None, document_id: int, filename: str, content: Content, note: str = "") -> Outcome:
    """A new version of a document, whose filename stays; ``unchanged`` when the bytes are those it has."""
    filename = filenames.clean(filename)
    with transaction():
        return put_version(actor, hold_live(actor, document_id), filename, content, note)


def move_document(actor: Actor | None, document_id: int, category_id: int) -> Document:
    """Shelve a document elsewhere; links and tickets follow it, for they know its id. Needs ``publish`` on both.

    Raises NameTaken, and UploadTypeRejected for a type the category does not take: the latter not to an operator.
    """
    with transaction():
        document = hold_live(actor, document_id, category_id)
        target = _require(actor, category_id, PUBLISH)
        if document.category_id == category_id:
            return document
        if actor is not None:
            rules_of(target).require(document.filename)
        if find_live(category_id, document.filename) is not None:
            raise NameTaken(f"There is already a document called {document.filename} there.")
        change_count(document.category_id, -1)
        change_count(category_id, +1)
        source = get_category(document.category_id)
        document.category_id = category_id
        way = {"from_path": audit.told_path(source), "to_path": audit.told_path(target)}
        record_document(actor, "document.moved", document, category=category_id, **way)
        search.index_documents([document.id])
    return document


def trash_document(actor: Actor | None, document_id: int) -> None:
    """Put a document into the trash: gone for readers at once, its name free again, its bytes kept."""
    with transaction() as session:
        document = hold_live(actor, document_id)
        document.trashed_at = session.scalars(select(db_now())).one()
        change_count(document.category_id, -1)
        record_document(actor, "document.trashed", document)
        search.index_documents([document.id])


def restore_document(actor: Actor | None, document_id: int) -> Document:
    """Bring a document back from the trash; under another filename when its own was taken meanwhile."""
    with transaction():
        _require_restorer(actor, document_id)
        document = hold(document_id)
        _require_restorer(actor, document_id)  # again, now that nobody can move it
        if document.trashed_at is None:
            raise DocumentNotFound
        shelf = db.session.get_one(Category, document.category_id)
        if shelf.trashed_at is not None:
            raise Conflict(f"It was in {shelf.path}, which is in the trash. Bring that back first.")
        if document.current_version_id is None or get_version(document.current_version_id).purged_at is not None:
            raise Conflict("The bytes of this document were removed; it cannot come back.")
        if find_live(document.category_id, document.filename) is not None:
            document.filename = free_filename(document.category_id, document.filename)
            document.search_text = search.text_of(document.title, document.filename)
        document.trashed_at = None
        change_count(document.category_id, +1)
        record_document(actor, "document.restored", document)
        search.index_documents([document.id])
    return document


def get_live(document_id: int) -> Document:
    """The document with this id, not in the trash. Raises DocumentNotFound."""
    document = db.session.get(Document, document_id)
    if document is None or document.trashed_at is not None:
        raise DocumentNotFound
    return document


def require_publisher(actor: Actor | None, document: Document) -> None:
    """Raise DocumentNotFound when the document is not theirs to see, Forbidden when they may only read it."""
    if actor is not None:
        access.require_read(actor, document.id)
        access.require_permission(actor, document.category_id, PUBLISH)


def _require_restorer(actor: Actor | None, document_id: int) -> None:
    """Raise DocumentNotFound for who may not publish where it is shelved, by the one question asked of any id."""
    if actor is not None:
        level = select(access.level_at(Document.category_id, actor)).where(Document.id == document_id)
        if (db.session.scalar(level) or 0) < PUBLISH:
            raise DocumentNotFound


def hold(document_id: int, *shelves: int) -> Document:
    """The document as it is once nobody else can write to it, to where it is shelved, or to more ``shelves``.

    First the document, so that it stays where it is; only then is it known where that is. Raises DocumentNotFound.
    """
    session = db.session()
    lock_on(f"document:{document_id}")
    shelf = session.scalar(select(Document.category_id).where(Document.id == document_id))
    if shelf is None:
        raise DocumentNotFound
    lock_shelves(shelf, *shelves)
    return session.get_one(Document, document_id, populate_existing=True)


def hold_live(actor: Actor | None, document_id: int, *shelves: int) -> Document:
    """A document that is not in the trash, for somebody who may publish it, once nobody else can write to it."""
    document = hold(document_id, *shelves)
    if document.trashed_at is not None:
        raise DocumentNotFound
    require_publisher(actor, document)
    return document


def _require(actor: Actor | None, category_id: int, permission: int) -> Category:
    if actor is not None:
        access.require_permission(actor, category_id, permission)
    return get_category(category_id)


def _put_new(actor: Actor | None, category: Category, filename: str, content: Content, facts: Facts) -> Outcome:
    session = db.session()
    title, tags = require_title(facts.title or filenames.title_of(filename)), require_tags(facts.tags)
    now = session.scalars(select(db_now())).one()
    published_at = None if facts.is_draft else facts.published_at or now
    require_order(published_at, facts.expires_at)
    document = Document(
        category_id=category.id,
        title=title,
        filename=filename,
        description=require_text(facts.description, "description"),
        reference=require_reference(facts.reference),
        responsible_id=require_live(facts.responsible_id),
        search_text=search.text_of(title, filename),
        published_at=published_at,
        expires_at=facts.expires_at or rules_of(category).end_of(published_at),
        created_by_id=actor.user_id if actor else None,
    )
    session.add(document)
    session.flush()
    attach(actor, document, filename, content, facts.note)
    if tags:
        write_tags(document.id, tags)
    write_values(document, facts.fields)
    change_count(category.id, +1)
    record_document(actor, "document.added", document, sha256=content.sha256)
    search.index_documents([document.id])
    return _outcome(document, "added")


def put_version(
    actor: Actor | None,
    document: Document,
    filename: str,
    content: Content,
    note: str,
    *,
    restored: Version | None = None,
) -> Outcome:
    """Make these bytes the newest version of a document that is held; ``restored`` is the older one they are of.

    The document keeps its filename unless the bytes come with another ending.
    """
    if has(document, content):
        follow(actor, document, content)
        return _outcome(document, "unchanged")
    if filenames.extension(filename) != filenames.extension(document.filename):
        document.filename = fit_extension(document, filename)
        document.search_text = search.text_of(document.title, document.filename)
    attach(actor, document, document.filename, content, note, restored=restored)
    search.index_documents([document.id])
    said = {"sha256": content.sha256, "number": document.version_count}
    if restored is None:
        record_document(actor, "version.added", document, **said)
    else:
        record_document(actor, "version.restored", document, **said, restored=restored.number)
    return _outcome(document, "versioned")


def change_count(category_id: int, change: int) -> None:
    """Keep the number of live documents of a category; inside the transaction that changes it."""
    changed: ColumnElement[int] = Category.document_count + change
    db.session.execute(update(Category).where(Category.id == category_id).values(document_count=changed))


def _outcome(document: Document, kind: Kind) -> Outcome:
    number, version_id = document.version_count, document.current_version_id
    return Outcome(document.id, document.uuid, version_id, number, kind, document.title, document.filename)
