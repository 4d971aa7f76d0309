"""What is said about a document: its words and dates, its tags, and what its category asks for."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Final, Literal

from sqlalchemy import select

from portal import filenames, search
from portal.actors import Actor
from portal.catalog.documents import hold_live
from portal.catalog.inherited import rules_of
from portal.catalog.moments import require_order
from portal.catalog.neighbours import find_live
from portal.catalog.responsible import require_live
from portal.catalog.tags import require_tags, write_tags
from portal.catalog.telling import record_changes, said_of
from portal.catalog.texts import require_reference, require_text, require_title
from portal.catalog.tree import get_category
from portal.catalog.values import write_values
from portal.errors import NameTaken
from portal.extensions import transaction
from portal.models import Document, db_now


class Kept(Enum):
    """Of a fact that is not changed: None would empty it."""

    KEEP = "keep"


KEEP: Final = Kept.KEEP
Keep = Literal[Kept.KEEP]


def change_document(
    actor: Actor | None,
    document_id: int,
    *,
    title: str | Keep = KEEP,
    filename: str | Keep = KEEP,
    description: str | Keep = KEEP,
    reference: str | Keep = KEEP,
    responsible_id: int | Keep | None = KEEP,
    published_at: datetime | Keep | None = KEEP,
    expires_at: datetime | Keep | None = KEEP,
    tags: Sequence[str] | Keep = KEEP,
    fields: Mapping[int, str] | None = None,
) -> bool:
    """Change what is said about a document; what is left out stays as it is. ``fields`` is field to what stands in it.

    Whether that changed anything. A draft that comes out with no word of its end gets the one that new documents of its
    category have. Raises NameTaken when a neighbour has the filename, BadInput for a value that cannot be. The log gets
    an event for each kind of change, and none when all stays as it is.
    """
    columns: dict[str, object] = {"published_at": published_at, "expires_at": expires_at}
    columns["title"] = title if title is KEEP else require_title(title)
    columns["filename"] = filename if filename is KEEP else filenames.clean(filename)
    columns["description"] = description if description is KEEP else require_text(description, "description")
    columns["reference"] = reference if reference is KEEP else require_reference(reference)
    columns["responsible_id"] = responsible_id
    wanted = None if tags is KEEP else require_tags(tags)
    with transaction():
        return _describe(actor, hold_live(actor, document_id), columns, wanted, fields or {})


def publish_document(actor: Actor | None, document_id: int) -> Document:
    """Let readers see a draft or a scheduled document from now on; what was published already keeps its date.

    A draft of which nobody said when it expires gets the end that new documents of its category have.
    """
    with transaction() as session:
        document = hold_live(actor, document_id)
        now = session.scalars(select(db_now())).one()
        if document.published_at is None or document.published_at > now:
            _describe(actor, document, {"published_at": now})
    return document


def _describe(
    actor: Actor | None,
    document: Document,
    columns: Mapping[str, Any] | None = None,
    tags: dict[str, str] | None = None,
    fields: Mapping[int, str] | None = None,
) -> bool:
    """Change a document that is held, have the log say what, and the index follow; whether anything changed."""
    with transaction() as session:
        now = session.scalars(select(db_now())).one()
        given = {key: value for key, value in (columns or {}).items() if value is not KEEP}
        before, found = said_of(document), _with_end(document, given)
        _write_columns(document, {key: value for key, value in found.items() if value != getattr(document, key)})
        is_tagged = tags is not None and write_tags(document.id, tags)
        names = write_values(document, fields or {})
        has_changed = record_changes(actor, document, before, now, is_tagged=is_tagged, fields=names)
        if has_changed:
            search.index_documents([document.id])
    return has_changed


def _with_end(document: Document, columns: dict[str, Any]) -> dict[str, Any]:
    """The same with the end that the category has for a draft that comes out, unless somebody said when it expires."""
    comes_out = document.published_at is None and columns.get("published_at") is not None
    if not comes_out or "expires_at" in columns or document.expires_at is not None:
        return columns
    end = rules_of(get_category(document.category_id)).end_of(columns["published_at"])
    return {**columns, "expires_at": end}


def _write_columns(document: Document, changed: Mapping[str, Any]) -> None:
    if "responsible_id" in changed:
        require_live(changed["responsible_id"])
    if "filename" in changed and find_live(document.category_id, changed["filename"]) is not None:
        raise NameTaken(f"There is already a document called {changed['filename']} here.", field="filename")
    for name, value in changed.items():
        setattr(document, name, value)
    if "published_at" in changed or "expires_at" in changed:
        require_order(document.published_at, document.expires_at)
    document.search_text = search.text_of(document.title, document.filename)
