"""Many documents put in together: the same rows and the same log as one by one, in a tenth of the statements."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from portal import access, audit, filenames, search
from portal.accounts.quotas import change_used
from portal.actors import Actor
from portal.catalog import scans
from portal.catalog.contents import Content
from portal.catalog.documents import Kind, change_count, put_document, stand_in_line
from portal.catalog.inherited import rules_of_many
from portal.catalog.soundness import UNSEEN, record_healing, seen_as
from portal.catalog.texts import require_title
from portal.catalog.tree import get_category
from portal.catalog.wanting import want_previews
from portal.extensions import db, transaction
from portal.models import PUBLISH, Blob, Document, Version, db_now

_DOCUMENTS = Document.metadata.tables[Document.__tablename__]
_POINT = (
    update(_DOCUMENTS).where(_DOCUMENTS.c.id == bindparam("document")).values(current_version_id=bindparam("version"))
)
_BLOBS = Blob.metadata.tables[Blob.__tablename__]
_SEE = update(_BLOBS).where(_BLOBS.c.id == bindparam("blob")).values({name: bindparam(name) for name in UNSEEN})


@dataclass(frozen=True)
class Item:
    """One document of many: where to, under which filename, with which bytes."""

    category_id: int
    filename: str
    content: Content

    @property
    def name(self) -> tuple[int, str]:
        """What is unique among live documents."""
        return self.category_id, filenames.clean(self.filename)


@dataclass(frozen=True)
class Placed:
    """What became of an item: the document it is now, and how it came to be so."""

    document_id: int
    kind: Kind


def put_documents(actor: Actor | None, items: Sequence[Item]) -> list[Placed]:
    """``put_document`` for each, in one transaction: new names all at once, those that are there one by one.

    Needs ``publish`` on every category; raises CategoryNotFound for one that is gone.
    """
    with transaction():
        categories = sorted({item.category_id for item in items})
        stand_in_line(categories, (item.content for item in items))
        for category_id in categories:
            if actor is not None:
                access.require_permission(actor, category_id, PUBLISH)
            get_category(category_id)
        taken = _find_taken(items)
        new: dict[tuple[int, str], Item] = {}
        for item in items:
            if item.name not in taken:
                new.setdefault(item.name, item)
        made = dict(zip(new, _put_new(actor, list(new.values())), strict=True))
        return [
            Placed(made[item.name], "added") if new.get(item.name) is item else _put_one(actor, item) for item in items
        ]


def _put_one(actor: Actor | None, item: Item) -> Placed:
    outcome = put_document(actor, item.category_id, item.filename, item.content)
    return Placed(outcome.document_id, outcome.kind)


def _find_taken(items: Sequence[Item]) -> set[tuple[int, str]]:
    here = Document.category_id.in_({item.category_id for item in items})
    named = Document.filename.in_({item.name[1] for item in items})
    statement = select(Document.category_id, Document.filename).where(here, named, Document.trashed_at.is_(None))
    return {(category_id, filename) for category_id, filename in db.session.execute(statement)}


def _put_new(actor: Actor | None, items: list[Item]) -> list[int]:
    """The ids of the documents, in the order of the items."""
    if not items:
        return []
    session = db.session()
    author = actor.user_id if actor else None
    now = session.scalars(select(db_now())).one()
    blobs = _ensure_blobs(actor, [item.content for item in items if item.content.source_id is None], now)
    rules = rules_of_many([get_category(category_id) for category_id in {item.category_id for item in items}])
    rows = [_document(item, author, now, rules[item.category_id].end_of(now)) for item in items]
    put = insert(Document).returning(Document.id, sort_by_parameter_order=True)
    document_ids = list(session.scalars(put, rows))
    versions = [
        _version(item, document_id, author, blobs, now) for item, document_id in zip(items, document_ids, strict=True)
    ]
    made = insert(Version).returning(Version.id, sort_by_parameter_order=True)
    version_ids = list(session.scalars(made, versions))
    pointers = [{"document": one, "version": other} for one, other in zip(document_ids, version_ids, strict=True)]
    session.connection().execute(_POINT, pointers)
    if author is not None:
        change_used(author, sum(version["size"] for version in versions))
    for category_id, count in Counter(item.category_id for item in items).items():
        change_count(category_id, count)
    want_previews({item.content.sha256 for item in items})
    search.queue_documents(Document.id.in_(document_ids))
    audit.record_events(
        "document.added",
        actor=actor,
        things=[("document", document_id, row["title"]) for document_id, row in zip(document_ids, rows, strict=True)],
        details=[{"sha256": item.content.sha256} for item in items],
    )
    return document_ids


def _ensure_blobs(actor: Actor | None, contents: list[Content], now: datetime) -> dict[str, int]:
    """SHA-256 to the id of its row: those there are touched, so that gc leaves them alone, the others made."""
    wanted = {content.sha256: content for content in contents}
    session = db.session()
    known = select(Blob.id, Blob.sha256, Blob.damage).where(Blob.sha256.in_(wanted)).with_for_update()
    there = session.execute(known).all()
    found: dict[str, int] = {row.sha256: row.id for row in there}
    again = scans.state_once_more()
    session.execute(update(Blob).where(Blob.id.in_(found.values())).values(touched_at=db_now(), **again))
    written = [row for row in there if wanted[row.sha256].stamp is not None]
    if written:
        session.connection().execute(_SEE, [{"blob": row.id, **_seen(wanted[row.sha256], now)} for row in written])
    for row in written:
        if row.damage is not None:
            record_healing(actor, Blob, row.id, row.sha256)
    state = scans.first_state()
    missing = [
        {"sha256": one.sha256, "size": one.size, "crc32": one.crc32, "scan_state": state, **_seen(one, now)}
        for sha256, one in wanted.items()
        if sha256 not in found
    ]
    if missing:
        made = session.execute(insert(Blob).returning(Blob.sha256, Blob.id), missing)
        found |= dict(made.all())
    return found


def _seen(content: Content, now: datetime) -> dict[str, Any]:
    """What the row that answers for these bytes remembers of them; the same columns for all of a batch."""
    return seen_as(content.stamp, now) if content.stamp is not None else UNSEEN


def _document(item: Item, author: int | None, now: datetime, end: datetime | None) -> dict[str, Any]:
    filename = item.name[1]
    title = require_title(filenames.title_of(filename))
    return {
        "category_id": item.category_id,
        "title": title,
        "filename": filename,
        "description": "",
        "search_text": search.text_of(title, filename),
        "version_count": 1,
        "published_at": now,
        "expires_at": end,
        "created_by_id": author,
    }


def _version(item: Item, document_id: int, author: int | None, blobs: dict[str, int], now: datetime) -> dict[str, Any]:
    content = item.content
    return {
        "document_id": document_id,
        "number": 1,
        "filename": item.name[1],
        "note": "",
        "content_type": content.content_type,
        "size": content.size,
        "sha256": content.sha256,
        "crc32": content.crc32,
        "blob_id": blobs[content.sha256] if content.source_id is None else None,
        "source_id": content.source_id,
        "source_path": content.source_path,
        "source_mtime_ns": content.source_mtime_ns,
        "created_by_id": author,
        **(_seen(content, now) if content.source_id is not None else UNSEEN),
    }
