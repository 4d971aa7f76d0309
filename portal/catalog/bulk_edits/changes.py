"""What is to be changed of many documents, as people choose it and as a row keeps it."""

import hashlib
import json
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal

Visible = Literal["", "now", "at", "draft"]
Ends = Literal["", "at", "never"]
Asked = Literal["", "person", "nobody"]
Place = Literal["", "trash", "back"]

MOMENTS = ("published_at", "expires_at")
LISTS = ("add_tags", "remove_tags")


@dataclass(frozen=True)
class Changes:
    """Several changes made together to each document; what is "" or None is left as it is.

    Into the trash, and back from it, goes alone.
    """

    category_id: int | None = None
    """Where they are moved."""
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    field_id: int | None = None
    field_value: str = ""
    """What the field is to say; "" empties it."""
    asked: Asked = ""
    """Whom readers may ask: ``person`` is ``responsible_id``."""
    responsible_id: int | None = None
    ends: Ends = ""
    expires_at: datetime | None = None
    visible: Visible = ""
    """From when readers see them: ``at`` is ``published_at``."""
    published_at: datetime | None = None
    place: Place = ""

    @property
    def is_nothing(self) -> bool:
        """Whether nothing was chosen yet."""
        return self == Changes()

    @property
    def is_alone(self) -> bool:
        """Whether there is no more than one way to the trash or back in it."""
        return not self.place or self == Changes(place=self.place)

    @property
    def seal(self) -> str:
        """What tells these changes from others, so that what was looked at is what is done."""
        return hashlib.sha256(json.dumps(written(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Choice:
    """How the documents were chosen, in what a page needs to say it."""

    kind: Literal["selected", "category", "search", "trash"] = "selected"
    words: str = ""
    """The path of the category, or what was searched for."""
    others: int = 0
    """How many were found too and are not for this person to change."""
    is_cut: bool = False
    """Whether there were more than one edit takes; these are the newest."""
    unread: int = 0
    """How many of theirs were changed so lately that the search did not know them as they are: these are left out."""


def written(changes: Changes) -> dict[str, Any]:
    """The changes as JSON holds them, without what is left as it is."""
    found = {field.name: getattr(changes, field.name) for field in fields(changes)}
    found |= {name: found[name].isoformat() for name in MOMENTS if found[name] is not None}
    found |= {name: list(found[name]) for name in LISTS}
    return {name: value for name, value in found.items() if value not in ("", None, [])}


def read(stored: dict[str, Any]) -> Changes:
    """The changes that ``written`` wrote."""
    known = dict(stored)
    known |= {name: datetime.fromisoformat(known[name]) for name in MOMENTS if name in known}
    known |= {name: tuple(known[name]) for name in LISTS if name in known}
    return replace(Changes(), **known)


def pack(choice: Choice, changes: Changes) -> dict[str, Any]:
    """What the row of an edit keeps of both."""
    return {"choice": {field.name: getattr(choice, field.name) for field in fields(choice)}, **written(changes)}


def unpack(stored: dict[str, Any]) -> tuple[Choice, Changes]:
    """Both again."""
    kept = {name: value for name, value in stored.items() if name != "choice"}
    return Choice(**stored.get("choice", {})), read(kept)
