"""Editions: a document with one of its versions, as the download line needs them, found by one query."""

import base64
import uuid as uuids
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import Any

from sqlalchemy import ColumnElement, Integer, Row, Select, bindparam, func, literal, select

from portal import access
from portal.actors import Actor
from portal.catalog.paths import is_live, spelled, within
from portal.catalog.refs import Ref, parse_ref
from portal.catalog.soundness import Kept, stamp_in
from portal.errors import ContentUnavailable
from portal.extensions import db, find_one
from portal.models import MANAGE, Blob, Category, Document, SourceDirectory, Version
from portal.prepared import Prepared
from portal.storage import Stamp


@dataclass(frozen=True)
class Edition:
    """One version of one document: what it is called, what it is, and where its bytes are."""

    document_id: int
    uuid: uuids.UUID
    title: str
    category_id: int
    current_version_id: int
    version_id: int
    number: int
    filename: str
    content_type: str
    size: int
    sha256: str
    created_at: datetime
    source_directory: str | None
    source_path: str | None
    source_mtime_ns: int | None
    blob_id: int | None
    damage: str | None
    scan_state: str | None
    """What is known of viruses in the blob; None for bytes that nobody was to look at."""
    seen: Stamp | None

    @property
    def kept(self) -> Kept:
        """The row that answers for the bytes."""
        source = (self.source_directory, self.source_path, self.source_mtime_ns)
        table, row_id = (Version, self.version_id) if self.blob_id is None else (Blob, self.blob_id)
        return Kept(table, row_id, self.sha256, self.size, self.seen, self.damage, *source)

    @property
    def is_current(self) -> bool:
        """Whether no newer version has replaced it."""
        return self.version_id == self.current_version_id

    @property
    def etag(self) -> str:
        """The strong validator: the same bytes have the same one on every worker, for ever."""
        return f'"sha256-{self.sha256}"'

    @cached_property
    def digest(self) -> str:
        """For ``Repr-Digest`` (RFC 9530): the SHA-256 as base64 between colons. Raises ContentUnavailable for none."""
        try:
            binary = bytes.fromhex(self.sha256)
        except ValueError as problem:
            raise ContentUnavailable from problem
        return f"sha-256=:{base64.b64encode(binary).decode()}:"


def find_readable(actor: Actor, ref: Ref, number: int | None = None) -> Edition | None:
    """What ``actor`` may download under this ref: the current version, or the pinned ``number``; else None.

    Unknown and forbidden are the same empty result of the same query.
    """
    statement = _find_readable(actor.is_admin, isinstance(ref, int), number is not None)
    row = find_one(statement, ref=ref, user_id=actor.user_id, number=number)
    return edition_in(row) if row is not None else None


def find_in_door(actor: Actor, root: str, name: str, ending: str) -> Edition | None:
    """What one string of an old address names in a top category.

    In this order: a filename directly in it, that filename plus the door's ending, then an id or uuid of a document
    anywhere below it.
    """
    category = db.session.scalar(select(Category).where(Category.path == root, is_live()))
    if category is None:
        return None
    visible = access.visible(access.level_at(Document.category_id, actor))
    for filename in (name, name + ending) if ending else (name,):
        here = (Document.category_id == category.id, Document.filename == spelled(filename))
        found = _first(editions().where(*here, visible))
        if found is not None:
            return found
    ref = parse_ref(name)
    if ref is None:
        return None
    named = Document.id == ref if isinstance(ref, int) else Document.uuid == ref
    below = select(Category.id).where(within(category))
    return _first(editions().where(named, Document.category_id.in_(below), visible))


def find_at_path(actor: Actor, path: str) -> Edition | None:
    """What ``actor`` may download at a category path plus filename, such as ``reports/2018/feb/weather.csv``."""
    shelf, _, filename = spelled(path).rpartition("/")
    visible = access.visible(access.level_at(Document.category_id, actor))
    statement = editions().join(Category, Category.id == Document.category_id)
    return _first(statement.where(Category.path == shelf, Document.filename == filename, visible))


def find_edition(document_id: int, version_id: int | None) -> Edition | None:
    """The current version of a live document, or the one named, without asking who may: for links and tickets."""
    wanted = Version.id == (version_id or Document.current_version_id)
    statement = _placed(_select().join(Version, Version.document_id == Document.id))
    live = (Document.id == document_id, Document.trashed_at.is_(None), Version.purged_at.is_(None))
    return _first(statement.where(wanted, *live))


def list_editions(version_ids: Sequence[int]) -> dict[int, Edition]:
    """The editions of these versions by the version's id, without asking who may; one that was purged is left out."""
    rows = db.session.execute(_list_editions(), {"versions": list(version_ids)})
    found = [edition_in(row) for row in rows]
    return {edition.version_id: edition for edition in found}


def find_ref(text: str) -> Document | None:
    """The live document an operator means: an id, a uuid, or a path."""
    ref = parse_ref(text)
    if ref is None:
        shelf, _, filename = spelled(text).rpartition("/")
        statement = select(Document).join(Category, Category.id == Document.category_id)
        statement = statement.where(Category.path == shelf, Document.filename == filename)
    else:
        statement = select(Document).where(Document.id == ref if isinstance(ref, int) else Document.uuid == ref)
    return db.session.scalar(statement.where(Document.trashed_at.is_(None)))


@cache
def _find_readable(is_admin: bool, is_id: bool, is_pinned: bool) -> Prepared:
    """The statement of the download line, prepared once for each of its eight forms."""
    named = Document.id == bindparam("ref") if is_id else Document.uuid == bindparam("ref")
    anybody = access.level_of(Document.category_id, bindparam("user_id", type_=Integer))
    level = literal(MANAGE, Integer) if is_admin else anybody
    number = bindparam("number", type_=Integer) if is_pinned else None
    return Prepared(editions(number).where(named, access.visible(level)))


@cache
def _list_editions() -> Select[*tuple[Any, ...]]:
    """Built once: naming the versions one by one costs more than finding them."""
    statement = _placed(_select().join(Version, Version.document_id == Document.id))
    return statement.where(Version.id.in_(bindparam("versions", expanding=True)), Version.purged_at.is_(None))


def _select() -> Select[*tuple[Any, ...]]:
    return select(
        Document.id,
        Document.uuid,
        Document.title,
        Document.category_id,
        Document.current_version_id,
        Version.id,
        Version.number,
        Version.filename,
        Document.filename,
        Version.content_type,
        Version.size,
        Version.sha256,
        Version.created_at,
        SourceDirectory.directory,
        Version.source_path,
        Version.source_mtime_ns,
        Blob.id,
        func.coalesce(Blob.damage, Version.damage),
        Blob.scan_state,
        func.coalesce(Blob.seen_inode, Version.seen_inode),
        func.coalesce(Blob.seen_mtime_ns, Version.seen_mtime_ns),
        func.coalesce(Blob.seen_ctime_ns, Version.seen_ctime_ns),
    )


def editions(number: ColumnElement[int] | None = None) -> Select[*tuple[Any, ...]]:
    """The columns of ``edition_in``, of documents in their current version or in the one of this number."""
    version = Version.id == Document.current_version_id
    if number is not None:
        version = (Version.document_id == Document.id) & (Version.number == number)
    return _placed(_select().join(Version, version)).where(Version.purged_at.is_(None))


def _placed(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """With the one place that a version has: a blob, which answers for its bytes, or a source."""
    statement = statement.outerjoin(SourceDirectory, SourceDirectory.id == Version.source_id)
    return statement.outerjoin(Blob, Blob.id == Version.blob_id)


def _first(statement: Select[*tuple[Any, ...]]) -> Edition | None:
    row: Row[Any] | None = db.session.execute(statement).first()
    return edition_in(row) if row is not None else None


def edition_in(row: Sequence[Any]) -> Edition:
    """What stands in the columns of ``editions``.

    The current version goes by the document's filename, an older one by the name it came with.
    """
    *values, inode, mtime_ns, ctime_ns = row  # what is left stands in the order of the fields
    pinned_name, document_name, size = values[7], values[8], values[10]
    is_current = values[4] == values[5]
    values[7:9] = [document_name if is_current else pinned_name]
    values.append(stamp_in(size, inode, mtime_ns, ctime_ns))
    return Edition(*values)
