"""What forms say about documents beside titles and dates: as values, and as what stands in their fields."""

from typing import Any

from flask import request

from portal import accounts, catalog
from portal.models import CategoryField, Document, User
from portal.views import forms
from portal.views.guard import person


def typed(document: Document) -> dict[str, Any]:
    """What the form says, for ``catalog.change_document``; a field that did not come with it leaves its fact alone."""
    category = catalog.get_category(document.category_id)
    names = {field.id: catalog.name_of_field(field.id) for field in catalog.list_fields(category)}
    found: dict[str, Any] = {"fields": {one: forms.text(name) for one, name in names.items() if name in request.form}}
    if "reference" in request.form:
        found["reference"] = forms.text("reference")
    if "tags" in request.form:
        found["tags"] = catalog.split_tags(forms.text("tags"))
    if "responsible" in request.form:
        found["responsible_id"] = _responsible_id(document)
    return found


def shown(document: Document) -> dict[str, Any]:
    """What the fields of the form stand with, and what they offer."""
    category = catalog.get_category(document.category_id)
    stored = {field.id: value for field, value in catalog.list_values([document.id]).get(document.id, [])}
    return {
        "tags": ", ".join(tag.name for tag in catalog.list_tags([document.id]).get(document.id, [])),
        "offered_tags": catalog.list_offered_tags(person(), category.id),
        "responsible": _responsible(document),
        "people": catalog.list_offered_people(category.id),
        "shelf": category,
        "rules": catalog.rules_of(category),
        "asked": [_asked(field, stored.get(field.id, "")) for field in catalog.list_fields(category)],
    }


def _asked(field: CategoryField, stored: str) -> tuple[CategoryField, str, list[tuple[str, str]]]:
    """A field, what stands in it, and what it offers; also what it once did, while that stands there."""
    offered = catalog.choices_of(field)
    if stored and stored not in offered:
        offered = [stored, *offered]
    return field, stored, [("", "Not said"), *((choice, choice) for choice in offered)]


def _responsible(document: Document) -> User | None:
    return accounts.get_user(document.responsible_id) if document.responsible_id is not None else None


def _responsible_id(document: Document) -> int | None:
    """Whoever is named there. A name that was left as it is means whom it meant, whoever else is called so by now."""
    text, so_far = " ".join(forms.text("responsible").split()), _responsible(document)
    if so_far is not None and text == so_far.name:
        return so_far.id
    found = catalog.find_responsible(text)
    return found.id if found is not None else None
