"""What an edit would come to for one document: asked for every one before anything is done, and again when it is."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Literal

from portal.catalog.bulk_edits.changes import Changes
from portal.catalog.inherited import Rules
from portal.catalog.tags import MOST_TAGS
from portal.models import PUBLISH, READ

Outcome = Literal["changed", "unchanged", "refused"]

GONE = "It is not there any more for whoever asked."
IN_TRASH = "It is in the trash."
NOT_IN_TRASH = "It is not in the trash any more."
NO_SHELF = "Its category is in the trash, and comes back first."
NO_BYTES = "Its bytes were removed; it cannot come back."
ONLY_READ = "Whoever asked may read it, and not change it."
NO_TARGET = "Whoever asked may not publish in the category it should go to."
WRONG_TYPE = "The category it should go to does not take documents of its type."
NAME_TAKEN = "The category it should go to has a document of its filename."
NO_FIELD = "Its category does not have this field."
WRONG_ORDER = "It would expire before it is published."
TOO_MANY_TAGS = f"It would have more than {MOST_TAGS} tags."
RENAMED = "Its filename is taken by now: it comes back under another one."


@dataclass(frozen=True)
class Ground:
    """What is the same for every document of an edit."""

    changes: Changes
    now: datetime
    problem: str = ""
    """Why it can be done to none of them."""
    rules: Rules = field(default_factory=Rules)
    """Of the category they go to."""
    value: str = ""
    """What the field is to say, as it is stored."""
    add_keys: frozenset[str] = frozenset()
    remove_keys: frozenset[str] = frozenset()
    """The tags to add and remove, as they are compared."""


@dataclass(frozen=True)
class Standing:
    """How things are with one document, as far as an edit may ask."""

    document_id: int
    title: str
    filename: str
    category_id: int
    level: int
    """What whoever asked may do with it: 0 when it is not there for them."""
    is_trashed: bool
    is_shelf_trashed: bool
    is_purged: bool
    published_at: datetime | None
    expires_at: datetime | None
    responsible_id: int | None
    tags: frozenset[str] = frozenset()
    """All it has, as they are compared; not looked up for an edit that is not about tags."""
    value: str = ""
    has_field: bool = False
    """Whether the category it is going to be in asks for the field."""
    is_name_taken: bool = False
    """Whether another document has its filename where it is going to be."""


@dataclass(frozen=True)
class Verdict:
    """What became or would become of one document; the reason is a sentence, "" where there is nothing to say."""

    outcome: Outcome
    reason: str = ""


def judge(ground: Ground, standing: Standing) -> Verdict:
    """What the changes come to for this document: all of them, or none because one cannot be."""
    if ground.changes.place == "back":
        return _judge_return(standing)
    reason = _refusal(ground, standing)
    if reason:
        return Verdict("refused", reason)
    return Verdict("changed" if _differs(ground, standing) else "unchanged")


def dates(ground: Ground, standing: Standing) -> tuple[datetime | None, datetime | None]:
    """From when and until when readers see it afterwards."""
    changes, published_at, expires_at = ground.changes, standing.published_at, standing.expires_at
    if changes.visible == "now" and (published_at is None or published_at > ground.now):
        published_at = ground.now
    elif changes.visible in ("at", "draft"):
        published_at = changes.published_at
    if changes.ends:
        expires_at = changes.expires_at
    return published_at, expires_at


def responsible(changes: Changes, standing: Standing) -> int | None:
    """Whom readers may ask afterwards."""
    return changes.responsible_id if changes.asked else standing.responsible_id


def is_moved(changes: Changes, standing: Standing) -> bool:
    """Whether it goes to another category."""
    return changes.category_id is not None and changes.category_id != standing.category_id


def _judge_return(standing: Standing) -> Verdict:
    if standing.level < PUBLISH:
        return Verdict("refused", GONE)
    if not standing.is_trashed:
        return Verdict("unchanged", NOT_IN_TRASH)
    if standing.is_shelf_trashed:
        return Verdict("refused", NO_SHELF)
    if standing.is_purged:
        return Verdict("refused", NO_BYTES)
    return Verdict("changed", RENAMED if standing.is_name_taken else "")


def _refusal(ground: Ground, standing: Standing) -> str:
    """Why nothing can be done to it; of several reasons the first, "" for none."""
    return next(
        chain(_about_rights(ground, standing), _about_place(ground, standing), _about_facts(ground, standing)), ""
    )


def _about_rights(ground: Ground, standing: Standing) -> Iterator[str]:
    if standing.level < READ:
        yield GONE
    elif standing.level < PUBLISH:
        yield ONLY_READ
    if standing.is_trashed:
        yield IN_TRASH
    if ground.problem:
        yield ground.problem


def _about_place(ground: Ground, standing: Standing) -> Iterator[str]:
    if is_moved(ground.changes, standing):
        if not ground.rules.takes(standing.filename):
            yield WRONG_TYPE
        if standing.is_name_taken:
            yield NAME_TAKEN


def _about_facts(ground: Ground, standing: Standing) -> Iterator[str]:
    changes, (published_at, expires_at) = ground.changes, dates(ground, standing)
    if changes.field_id is not None and not standing.has_field:
        yield NO_FIELD
    if ground.add_keys - standing.tags and len(standing.tags - ground.remove_keys | ground.add_keys) > MOST_TAGS:
        yield TOO_MANY_TAGS
    if (changes.visible or changes.ends) and published_at and expires_at and expires_at <= published_at:
        yield WRONG_ORDER


def _differs(ground: Ground, standing: Standing) -> bool:
    changes = ground.changes
    return (
        changes.place == "trash"
        or is_moved(changes, standing)
        or not ground.add_keys <= standing.tags
        or bool(ground.remove_keys & standing.tags)
        or (changes.field_id is not None and ground.value != standing.value)
        or responsible(changes, standing) != standing.responsible_id
        or dates(ground, standing) != (standing.published_at, standing.expires_at)
    )
