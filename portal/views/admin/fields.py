"""What a category asks of the documents in it: its fields, added, renamed, put in order and removed."""

from flask import Blueprint, Response
from werkzeug.wrappers import Response as AnyResponse

from portal import catalog
from portal.errors import BadInput, Conflict, PortalError
from portal.models import KINDS, Category
from portal.views import forms
from portal.views.admin import house
from portal.views.admin.categories import managed_category, managed_ids
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("fields", __name__, url_prefix="/admin/categories/<category_id>/fields")

WAYS = {"up": -1, "down": 1}


@bp.get("")
@allow("publisher")
def show(category_id: str) -> Response:
    """The fields of the category, and those it has from further up."""
    return _page(managed_category(category_id))


@bp.post("")
@allow("publisher")
def add(category_id: str) -> AnyResponse:
    """Add a field, or bring a removed one back."""
    category = managed_category(category_id)
    try:
        kind = forms.choice("kind", KINDS, KINDS[0])
        catalog.add_field(person(), category.id, forms.text("name"), kind, forms.text("choices").splitlines())
    except (BadInput, Conflict) as problem:
        return _page(category, problem)
    return done("field-added", "fields.show", category_id=category.id)


@bp.get("/<field_id>")
@allow("publisher")
def edit(category_id: str, field_id: str) -> Response:
    """One field: its name and what may be chosen."""
    return _field_page(managed_category(category_id), field_id)


@bp.post("/<field_id>")
@allow("publisher")
def change(category_id: str, field_id: str) -> AnyResponse:
    """Rename it, or offer other choices."""
    category = managed_category(category_id)
    field = catalog.get_field(category.id, forms.path_id(field_id))
    try:
        choices = forms.text("choices").splitlines()
        catalog.change_field(person(), field.id, name=forms.text("name"), choices=choices)
    except (BadInput, Conflict) as problem:
        return _field_page(category, field_id, problem)
    return done("field-changed", "fields.show", category_id=category.id)


@bp.post("/<field_id>/move")
@allow("publisher")
def move(category_id: str, field_id: str) -> AnyResponse:
    """Put it one place up or down."""
    category = managed_category(category_id)
    field = catalog.get_field(category.id, forms.path_id(field_id))
    catalog.move_field(person(), field.id, WAYS[forms.choice("way", WAYS)])
    return done("field-moved", "fields.show", category_id=category.id)


@bp.post("/<field_id>/remove")
@allow("publisher")
def remove(category_id: str, field_id: str) -> AnyResponse:
    """Ask for it no more; what was written into it is kept."""
    category = managed_category(category_id)
    catalog.remove_field(person(), catalog.get_field(category.id, forms.path_id(field_id)).id)
    return done("field-removed", "fields.show", category_id=category.id)


def _page(category: Category, problem: PortalError | None = None) -> Response:
    fields = catalog.list_fields(category)
    above = catalog.list_ancestors(category)[:-1]
    return house.show(
        "admin/category_fields.html",
        category=category,
        above=above,
        managed=managed_ids(),
        own=[field for field in fields if field.category_id == category.id],
        inherited=[field for field in fields if field.category_id != category.id],
        paths={one.id: one.path for one in above},
        problem=problem,
    )


def _field_page(category: Category, field_id: str, problem: PortalError | None = None) -> Response:
    field = catalog.get_field(category.id, forms.path_id(field_id))
    above = catalog.list_ancestors(category)[:-1]
    return house.show(
        "admin/category_field.html", category=category, above=above, managed=managed_ids(), field=field, problem=problem
    )
