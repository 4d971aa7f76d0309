"""What the log says of a change to a document: each thing that changed is one event, and nothing changed is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal import audit
from portal.actors import Actor
from portal.models import Document

WORDS = ("title", "filename", "description", "reference", "responsible_id")
"""What a change of is one event, which names them."""


@dataclass(frozen=True)
class Said:
    """What is said about a document, as it was before a change."""

    words: dict[str, object]
    published_at: datetime | None
    expires_at: datetime | None


def said_of(document: Document) -> Said:
    """What is said about a document now."""
    words = {name: getattr(document, name) for name in WORDS}
    return Said(words, document.published_at, document.expires_at)


def record_changes(
    actor: Actor | None,
    document: Document,
    before: Said,
    now: datetime,
    *,
    is_tagged: bool = False,
    fields: Sequence[str] = (),
) -> bool:
    """Write down what is said otherwise than ``before``; whether anything is.

    ``now`` tells published from scheduled, ``is_tagged`` says that the tags changed, ``fields`` names the fields that
    did. What stands in them is no part of the log: it may be about a person.
    """
    after = said_of(document)
    what = [name for name in WORDS if after.words[name] != before.words[name]] + ["tags"] * is_tagged
    if what or fields:
        record_document(actor, "document.changed", document, what=what, **({"fields": list(fields)} if fields else {}))
    if after.published_at != before.published_at:
        _record_publication(actor, document, now)
    if after.expires_at != before.expires_at:
        _record_end(actor, document)
    return bool(fields) or is_tagged or after != before


def record_document(actor: Actor | None, action: str, document: Document, **details: Any) -> None:
    """Write down one thing that was done to a document."""
    audit.record_event(action, actor=actor, thing=("document", document.id), label=document.title, **details)


def _record_publication(actor: Actor | None, document: Document, now: datetime) -> None:
    published_at = document.published_at
    if published_at is None:
        record_document(actor, "document.withdrawn", document)
    else:
        action = "document.published" if published_at <= now else "document.scheduled"
        record_document(actor, action, document, at=published_at.isoformat())


def _record_end(actor: Actor | None, document: Document) -> None:
    if document.expires_at is None:
        record_document(actor, "document.end_removed", document)
    else:
        record_document(actor, "document.end_set", document, at=document.expires_at.isoformat())
