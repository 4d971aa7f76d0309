"""Documents and their versions: put in, changed, moved, trashed and brought back."""

import unicodedata
import uuid as uuids
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, func, select, update

from portal import access, audit, filenames, search
from portal.actors import Actor
from portal.catalog.categories import get_category
from portal.errors import BadInput, Conflict, DocumentNotFound, NameTaken
from portal.extensions import db, lock_on, transaction
from portal.models import PUBLISH, Blob, Category, Document, Version, db_now

TITLE_LENGTH = 300
TEXT_LENGTH = 10_000

OnConflict = Literal["version", "rename", "refuse"]
Kind = Literal["added", "versioned", "unchanged"]


@dataclass(frozen=True)
class Content:
    """The bytes of a version to be: what they are, and their one place (a blob unless a source is named)."""

    sha256: str
    crc32: int
    size: int
    content_type: str
    source_id: int | None = None
    source_path: str | None = None
    source_mtime_ns: int | None = None


@dataclass(frozen=True)
class Facts:
    """What people say about a document when it is put in; None means: made from the filename, published now."""

    title: str | None = None
    description: str = ""
    note: str = ""
    is_draft: bool = False
    published_at: datetime | None = None


@dataclass(frozen=True)
class Outcome:
    """What putting a document in came to."""

    document_id: int
    uuid: uuids.UUID
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
    raises NameTaken for ``refuse``.
    """
    facts = facts or Facts()
    filename = filenames.clean(filename)
    with transaction():
        lock_on(f"documents:{category_id}")
        category = _require(actor, category_id, PUBLISH)
        existing = _find_live(category_id, filename)
        if existing is not None and on_conflict == "refuse":
            raise NameTaken(f"There is already a document called {filename} here.")
        if existing is not None and on_conflict == "version":
            return _put_version(actor, existing, filename, content, facts.note)
        if existing is not None:
            filename = _free_filename(category_id, filename)
        return _put_new(actor, category, filename, content, facts)


def add_version(actor: Actor | None, document_id: int, filename: str, content: Content, note: str = "") -> Outcome:
    """A new version of a document, whose filename stays; ``unchanged`` when the bytes are those it has."""
    with transaction():
        document = get_live(document_id)
        _require(actor, document.category_id, PUBLISH)
        lock_on(f"documents:{document.category_id}")
        if filenames.extension(filename) != filenames.extension(document.filename):
            filename = _fit_extension(document, filename)
        else:
            filename = document.filename
        return _put_version(actor, document, filename, content, note)


def change_document(
    actor: Actor | None,
    document_id: int,
    *,
    title: str,
    filename: str,
    description: str,
    published_at: datetime | None,
    expires_at: datetime | None,
) -> Document:
    """Change what is said about a document. Raises NameTaken when a neighbour has the filename."""
    title, filename = require_title(title), filenames.clean(filename)
    if published_at and expires_at and expires_at <= published_at:
        raise BadInput("A document cannot expire before it is published.", field="expires_at")
    with transaction():
        document = get_live(document_id)
        lock_on(f"documents:{document.category_id}")
        _require(actor, document.category_id, PUBLISH)
        other = _find_live(document.category_id, filename)
        if other is not None and other.id != document_id:
            raise NameTaken(f"There is already a document called {filename} here.", field="filename")
        document.title, document.filename = title, filename
        document.description = require_text(description, "description")
        document.published_at, document.expires_at = published_at, expires_at
        document.search_text = search.text_of(title, filename)
        _record(actor, "document.changed", document)
    return document


def move_document(actor: Actor | None, document_id: int, category_id: int) -> Document:
    """Shelve a document elsewhere; links and tickets follow it, for they know its id. Needs ``publish`` on both."""
    with transaction():
        document = get_live(document_id)
        source, target = document.category_id, category_id
        for locked in sorted({source, target}):
            lock_on(f"documents:{locked}")
        _require(actor, source, PUBLISH)
        _require(actor, target, PUBLISH)
        if source == target:
            return document
        if _find_live(target, document.filename) is not None:
            raise NameTaken(f"There is already a document called {document.filename} there.")
        document.category_id = target
        _count(source, -1)
        _count(target, +1)
        _record(actor, "document.moved", document, category=target)
    return document


def trash_document(actor: Actor | None, document_id: int) -> None:
    """Put a document into the trash: gone for readers at once, its name free again, its bytes kept."""
    with transaction() as session:
        document = get_live(document_id)
        lock_on(f"documents:{document.category_id}")
        _require(actor, document.category_id, PUBLISH)
        document.trashed_at = session.scalars(select(db_now())).one()
        _count(document.category_id, -1)
        _record(actor, "document.trashed", document)


def restore_document(actor: Actor | None, document_id: int) -> Document:
    """Bring a document back from the trash; under another filename when its own was taken meanwhile."""
    with transaction():
        document = db.session.get(Document, document_id)
        if document is None or document.trashed_at is None:
            raise DocumentNotFound
        _require(actor, document.category_id, PUBLISH)
        lock_on(f"documents:{document.category_id}")
        if document.current_version_id is None or get_version(document.current_version_id).purged_at is not None:
            raise Conflict("The bytes of this document were removed; it cannot come back.")
        if _find_live(document.category_id, document.filename) is not None:
            document.filename = _free_filename(document.category_id, document.filename)
            document.search_text = search.text_of(document.title, document.filename)
        document.trashed_at = None
        _count(document.category_id, +1)
        _record(actor, "document.restored", document)
    return document


def get_live(document_id: int) -> Document:
    """The document with this id, not in the trash. Raises DocumentNotFound."""
    document = db.session.get(Document, document_id)
    if document is None or document.trashed_at is not None:
        raise DocumentNotFound
    return document


def get_version(version_id: int) -> Version:
    """The version with this id. Raises DocumentNotFound."""
    version = db.session.get(Version, version_id)
    if version is None:
        raise DocumentNotFound
    return version


def require_title(title: str) -> str:
    """The title as stored. Raises BadInput when it is empty, too long or has control characters."""
    title = " ".join(unicodedata.normalize("NFC", title).split())
    if not title or len(title) > TITLE_LENGTH or not _is_clean(title):
        raise BadInput(f"A title has 1 to {TITLE_LENGTH} characters that can be seen.", field="title")
    return title


def require_text(text: str, field: str) -> str:
    """A description, note or message as stored, line breaks kept. Raises BadInput when it is too long."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    if len(text) > TEXT_LENGTH or not _is_clean(text.replace("\n", "").replace("\t", "")):
        raise BadInput(f"A text has at most {TEXT_LENGTH:,} characters that can be seen.", field=field)
    return text


def _is_clean(text: str) -> bool:
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def _require(actor: Actor | None, category_id: int, permission: int) -> Category:
    if actor is not None:
        access.require_permission(actor, category_id, permission)
    return get_category(category_id)


def _find_live(category_id: int, filename: str) -> Document | None:
    here = (Document.category_id == category_id, Document.filename == filename, Document.trashed_at.is_(None))
    return db.session.scalar(select(Document).where(*here))


def _free_filename(category_id: int, filename: str) -> str:
    ending = filenames.extension(filename)
    stem = filename[: len(filename) - len(ending)]
    number = 2
    while _find_live(category_id, f"{stem} ({number}){ending}") is not None:
        number += 1
    return f"{stem} ({number}){ending}"


def _fit_extension(document: Document, filename: str) -> str:
    """A version of another type gets the document's name with its own ending, if that is free."""
    ending = filenames.extension(document.filename)
    renamed = document.filename[: len(document.filename) - len(ending)] + filenames.extension(filename)
    other = _find_live(document.category_id, renamed)
    return _free_filename(document.category_id, renamed) if other and other.id != document.id else renamed


def _put_new(actor: Actor | None, category: Category, filename: str, content: Content, facts: Facts) -> Outcome:
    session = db.session()
    title = require_title(facts.title or filenames.title_of(filename))
    now = session.scalars(select(db_now())).one()
    document = Document(
        category_id=category.id,
        title=title,
        filename=filename,
        description=require_text(facts.description, "description"),
        search_text=search.text_of(title, filename),
        published_at=None if facts.is_draft else facts.published_at or now,
        created_by_id=actor.user_id if actor else None,
    )
    session.add(document)
    session.flush()
    _attach(actor, document, filename, content, facts.note)
    _count(category.id, +1)
    _record(actor, "document.added", document, sha256=content.sha256)
    return _outcome(document, "added")


def _put_version(actor: Actor | None, document: Document, filename: str, content: Content, note: str) -> Outcome:
    current = get_version(document.current_version_id) if document.current_version_id else None
    if current is not None and current.sha256 == content.sha256:
        _follow_source(current, content)
        return _outcome(document, "unchanged")
    document.filename = filename
    document.search_text = search.text_of(document.title, filename)
    _attach(actor, document, filename, content, note)
    _record(actor, "version.added", document, sha256=content.sha256, number=document.version_count)
    return _outcome(document, "versioned")


def _follow_source(version: Version, content: Content) -> None:
    """The same bytes, touched or renamed on disk: the version's place in the source follows."""
    if version.source_id is not None and content.source_id is not None:
        version.source_path, version.source_mtime_ns = content.source_path, content.source_mtime_ns


def _attach(actor: Actor | None, document: Document, filename: str, content: Content, note: str) -> None:
    version = Version(
        document_id=document.id,
        number=document.version_count + 1,
        filename=filename,
        note=require_text(note, "note"),
        content_type=content.content_type,
        size=content.size,
        sha256=content.sha256,
        crc32=content.crc32,
        blob_id=_blob(content).id if content.source_id is None else None,
        source_id=content.source_id,
        source_path=content.source_path,
        source_mtime_ns=content.source_mtime_ns,
        created_by_id=actor.user_id if actor else None,
    )
    session = db.session()
    session.add(version)
    session.flush()
    document.version_count += 1
    document.current_version_id = version.id
    session.flush()


def _blob(content: Content) -> Blob:
    """The row of these bytes: the one there is, touched so that gc leaves it alone, or a new one."""
    session = db.session()
    lock_on(f"blob:{content.sha256}")
    blob = session.scalar(select(Blob).where(Blob.sha256 == content.sha256).with_for_update())
    if blob is None:
        blob = Blob(sha256=content.sha256, size=content.size, crc32=content.crc32)
        session.add(blob)
        session.flush()
    else:
        session.execute(update(Blob).where(Blob.id == blob.id).values(touched_at=db_now()))
    return blob


def _count(category_id: int, change: int) -> None:
    changed: ColumnElement[int] = Category.document_count + change
    db.session.execute(update(Category).where(Category.id == category_id).values(document_count=changed))


def count_live(category_id: int) -> int:
    """Live documents directly in a category, counted row by row; what ``document_count`` must equal."""
    live = (Document.category_id == category_id, Document.trashed_at.is_(None))
    return db.session.scalars(select(func.count()).select_from(Document).where(*live)).one()


def _outcome(document: Document, kind: Kind) -> Outcome:
    return Outcome(document.id, document.uuid, document.version_count, kind, document.title, document.filename)


def _record(actor: Actor | None, action: str, document: Document, **details: object) -> None:
    audit.record_event(action, actor=actor, thing=("document", document.id), label=document.title, **details)
