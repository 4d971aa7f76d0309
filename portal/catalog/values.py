"""What stands in the fields that categories ask for: checked by kind, and hidden where nobody asks for it any more."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date

from sqlalchemy import ColumnElement, String, cast, delete, insert, literal, select
from sqlalchemy.orm import aliased

from portal import search
from portal.catalog.texts import require_line
from portal.errors import BadInput
from portal.extensions import db
from portal.models import Category, CategoryField, Document, FieldValue

VALUE_LENGTH = 500
LONGEST_NUMBER = 40
NOT_ASKED = "The category of this document does not ask for this."
AMBIGUOUS = "This may be read in two ways. Write the number with a point and nothing between thousands, such as 1234.5."
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PLAIN = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?")
_WITH_COMMA = re.compile(r"([+-]?)([0-9]+),([0-9]+)")
_GROUPED = re.compile(
    r"([+-]?)([0-9]{1,3}(?P<mark>[.,' ])[0-9]{3}(?:(?P=mark)[0-9]{3})*)(?:(?!(?P=mark))[.,]([0-9]+))?"
)


def name_of_field(field_id: int) -> str:
    """How forms and refusals call a field."""
    return f"field-{field_id}"


def list_fields(category: Category) -> list[CategoryField]:
    """What a category asks for: what those above it do first, then its own, each in their order."""
    above = [int(part) for part in (category.lineage or "").strip("/").split("/")]
    asked = (CategoryField.category_id.in_(above), CategoryField.removed_at.is_(None))
    statement = select(CategoryField).join(Category, Category.id == CategoryField.category_id).where(*asked)
    statement = statement.order_by(Category.depth, CategoryField.position, CategoryField.id)
    return list(db.session.scalars(statement))


def require_value(field: CategoryField, text: str) -> str:
    """What a field takes, as stored; "" for nothing. Raises BadInput, with ``name_of_field``, for what it does not."""
    text = text.strip()
    return _KINDS[field.kind](field, text) if text else ""


def write_values(document: Document, values: Mapping[int, str]) -> list[str]:
    """Write texts into fields by their ids, "" to empty one; gives the names of the fields that changed.

    What stands there already is never refused, though the field may take it no more. Inside a transaction that holds
    the document.
    """
    if not values:
        return []
    asked = {field.id: field for field in list_fields(db.session.get_one(Category, document.category_id))}
    stored = dict(_stored(document.id))
    changed: dict[int, str] = {}
    for field_id, text in values.items():
        if field_id not in asked:
            raise BadInput(NOT_ASKED, field=name_of_field(field_id))
        had = stored.get(field_id, "")
        value = had if text.strip() == had else require_value(asked[field_id], text)
        if value != had:
            changed[field_id] = value
    _store(document.id, changed)
    return [asked[field_id].name for field_id in changed]


def list_values(document_ids: Iterable[int]) -> dict[int, list[tuple[CategoryField, str]]]:
    """Document to what stands in its fields, in their order; only what its category asks for now."""
    asking = aliased(Category)
    statement = (
        select(FieldValue.document_id, CategoryField, FieldValue.value)
        .join(CategoryField, CategoryField.id == FieldValue.field_id)
        .join(asking, asking.id == CategoryField.category_id)
        .join(Document, Document.id == FieldValue.document_id)
        .join(Category, Category.id == Document.category_id)
        .where(FieldValue.document_id.in_(list(document_ids)), is_asked())
    )
    found: dict[int, list[tuple[CategoryField, str]]] = defaultdict(list)
    statement = statement.order_by(asking.depth, CategoryField.position, CategoryField.id)
    for document_id, field, value in db.session.execute(statement):
        found[document_id].append((field, value))
    return dict(found)


def is_asked() -> ColumnElement[bool]:
    """Whether a field is one of ``Category`` or of one above it, and was not removed."""
    step = literal("/", String) + cast(CategoryField.category_id, String) + "/"
    return Category.lineage.contains(step) & CategoryField.removed_at.is_(None)


def _stored(document_id: int) -> Iterable[tuple[int, str]]:
    statement = select(FieldValue.field_id, FieldValue.value).where(FieldValue.document_id == document_id)
    return [(field_id, value) for field_id, value in db.session.execute(statement)]


def _store(document_id: int, changed: Mapping[int, str]) -> None:
    if changed:
        here = (FieldValue.document_id == document_id, FieldValue.field_id.in_(changed))
        db.session.execute(delete(FieldValue).where(*here))
    rows = [{"document_id": document_id, "field_id": one, "value": value} for one, value in changed.items() if value]
    if rows:
        db.session.execute(insert(FieldValue), rows)


def _text(field: CategoryField, text: str) -> str:
    return require_line(text, VALUE_LENGTH, name_of_field(field.id))


def _date(field: CategoryField, text: str) -> str:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise BadInput("This is not a date. Write it as 2026-11-30.", field=name_of_field(field.id))


def _number(field: CategoryField, text: str) -> str:
    """With a point, and without zeros that say nothing. A lone point never parts thousands; a lone comma may do."""
    bare = unicodedata.normalize("NFKC", text[:LONGEST_NUMBER]).replace("−", "-").replace("’", "'")
    parts = _PLAIN.fullmatch(bare) or _WITH_COMMA.fullmatch(bare) or _GROUPED.fullmatch(bare)
    if parts is None or len(text) > LONGEST_NUMBER:
        raise BadInput("This is not a number. Write it as 1234.5.", field=name_of_field(field.id))
    if parts.re is _WITH_COMMA and _GROUPED.fullmatch(bare) and not parts[2].startswith("0"):
        raise BadInput(AMBIGUOUS, field=name_of_field(field.id))
    sign, whole, fraction = parts[1], re.sub("[^0-9]", "", parts[2]).lstrip("0") or "0", parts[parts.re.groups] or ""
    value = f"{whole}.{fraction}".rstrip("0").rstrip(".") if fraction else whole
    return f"-{value}" if sign == "-" and value != "0" else value


def _choice(field: CategoryField, text: str) -> str:
    offered = {search.folded(choice): choice for choice in choices_of(field)}
    chosen = offered.get(search.folded(text[:VALUE_LENGTH]))
    if chosen is None:
        raise BadInput("Choose one of what is offered here.", field=name_of_field(field.id))
    return chosen


def choices_of(field: CategoryField) -> list[str]:
    """What may be chosen, in the order it was written down."""
    return [line for line in field.choices.splitlines() if line.strip()]


_KINDS: dict[str, Callable[[CategoryField, str], str]] = {
    "text": _text,
    "date": _date,
    "number": _number,
    "choice": _choice,
}
