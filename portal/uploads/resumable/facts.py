"""What a sender says of a document while its bytes are still coming: checked at once, kept as plain values of JSON."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, get_args

from portal.catalog import Facts, OnConflict, require_tags, split_tags
from portal.catalog.moments import require_order
from portal.catalog.texts import require_reference, require_text, require_title
from portal.errors import BadInput

TEXTS = frozenset({"title", "description", "reference", "note"})
MOMENTS = frozenset({"published_at", "expires_at"})
KEYS = TEXTS | MOMENTS | {"tags", "draft", "on_conflict"}
DRAFT_WITH_MOMENT = "A draft is seen from no moment on. Leave out one of the two."
MOST_CHARACTERS = 20_000
"""More than any text may have; bounded before it is normalised, which takes quadratic time."""


def read_facts(said: Mapping[str, str], zone: tzinfo) -> dict[str, Any]:
    """What is kept of what was said, empty values left out; moments without an offset are read in ``zone``.

    Raises BadInput with the field.
    """
    for key, value in said.items():
        if key not in KEYS:
            raise BadInput(f"Nothing called {key[:40]} can be said of a document here.", field=key[:40])
        if len(value) > MOST_CHARACTERS:
            raise BadInput(f"A text has at most {MOST_CHARACTERS:,} characters here.", field=key)
    given = {key: value.strip() for key, value in said.items() if value.strip()}
    kept: dict[str, Any] = {key: _text(key, given[key]) for key in sorted(TEXTS & given.keys())}
    if "tags" in given:
        kept["tags"] = list(require_tags(split_tags(given["tags"])).values())
    if given.get("draft", "0") != "0":
        kept["draft"] = True
    if given.get("on_conflict", "version") not in get_args(OnConflict):
        raise BadInput("On a conflict there is version, rename and refuse.", field="on_conflict")
    if "on_conflict" in given:
        kept["on_conflict"] = given["on_conflict"]
    moments = {key: _moment(key, given[key], zone) for key in sorted(MOMENTS & given.keys())}
    if "draft" in kept and "published_at" in moments:
        raise BadInput(DRAFT_WITH_MOMENT, field="published_at")
    require_order(moments.get("published_at"), moments.get("expires_at"))
    return kept | {key: moment.isoformat() for key, moment in moments.items()}


def facts_of(kept: Mapping[str, Any]) -> Facts:
    """The same as the catalog takes it."""
    moments = {key: datetime.fromisoformat(kept[key]) for key in MOMENTS & kept.keys()}
    return Facts(
        title=kept.get("title"),
        description=kept.get("description", ""),
        note=kept.get("note", ""),
        is_draft=kept.get("draft", False),
        published_at=moments.get("published_at"),
        expires_at=moments.get("expires_at"),
        reference=kept.get("reference", ""),
        tags=tuple(kept.get("tags", ())),
    )


def on_conflict_of(kept: Mapping[str, Any]) -> OnConflict:
    """What to do where a document of this name is already."""
    found: OnConflict = kept.get("on_conflict", "version")
    return found


def _text(key: str, value: str) -> str:
    if key == "title":
        return require_title(value)
    return require_reference(value) if key == "reference" else require_text(value, key)


def _moment(key: str, value: str, zone: tzinfo) -> datetime:
    try:
        typed = datetime.fromisoformat(value)
        return (typed if typed.tzinfo is not None else typed.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as problem:
        raise BadInput("This is not a date and time.", field=key) from problem
