"""Branches of the tree: moved, merged, sealed, put into the trash. What it comes to is shown before it is done."""

from typing import Any

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from portal import access, catalog
from portal.catalog import Shift
from portal.errors import BadInput, CategoryNotFound, Conflict, Forbidden
from portal.extensions import settings
from portal.models import MANAGE, Category
from portal.views import forms
from portal.views.admin import house
from portal.views.admin.categories import AT_THE_TOP, after_change, managed_category, managed_ids, show_category
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("branches", __name__, url_prefix="/admin/categories")

REFUSALS = (BadInput, CategoryNotFound, Conflict, Forbidden)
MOST_LISTED = 10
"""Lines of a list on a page that asks; of the others there is a number."""


@bp.get("/<category_id>/move")
@allow("publisher")
def ask_move(category_id: str) -> Response:
    """What hanging it under ``?parent=`` would come to."""
    category = managed_category(category_id)
    try:
        parent = _chosen("parent")
        catalog.plan_move(person(), category.id, parent.id if parent else None)
    except REFUSALS as problem:
        return show_category(category, problem)
    return _ask("move", category, catalog.shift_of_move(category, parent), parent=parent)


@bp.post("/<category_id>/move")
@allow("publisher")
def move(category_id: str) -> AnyResponse:
    """Hang it under another parent, with all below it."""
    category = managed_category(category_id)
    try:
        parent = _chosen("parent")
        catalog.move_category(person(), category.id, parent.id if parent else None)
    except REFUSALS as problem:
        return show_category(category, problem)
    return after_change("category-moved", category.id)


@bp.get("/<category_id>/merge")
@allow("publisher")
def ask_merge(category_id: str) -> Response:
    """What merging it into ``?into=`` would come to."""
    return _merge_page(managed_category(category_id))


@bp.post("/<category_id>/merge")
@allow("publisher")
def merge(category_id: str) -> AnyResponse:
    """Make it part of another category."""
    category = managed_category(category_id)
    try:
        into = catalog.merge_category(person(), category.id, _other("into").id)
    except REFUSALS as problem:
        return show_category(category, problem)
    return after_change("category-merged", into.id)


@bp.get("/<category_id>/seal")
@allow("publisher")
def ask_seal(category_id: str) -> Response:
    """What sealing it, or opening its seal, would come to."""
    category = managed_category(category_id)
    return _ask("seal", category, catalog.shift_of_seal(category, not category.is_sealed))


@bp.post("/<category_id>/seal")
@allow("publisher")
def seal(category_id: str) -> AnyResponse:
    """Seal it, or open its seal."""
    category = managed_category(category_id)
    is_sealed = forms.choice("seal", ("close", "open")) == "close"
    catalog.seal_category(person(), category.id, is_sealed)
    return after_change("category-sealed" if is_sealed else "category-unsealed", category.id)


@bp.get("/<category_id>/trash")
@allow("publisher")
def ask_trash(category_id: str) -> Response:
    """What putting it into the trash means."""
    category = managed_category(category_id)
    try:
        catalog.require_may_go(person(), category.id)
    except REFUSALS as problem:
        return show_category(category, problem)
    return _ask("trash", category, None, days=settings().trash_days)


@bp.post("/<category_id>/trash")
@allow("publisher")
def trash(category_id: str) -> AnyResponse:
    """Put it into the trash with all that is in it."""
    category = managed_category(category_id)
    try:
        catalog.trash_category(person(), category.id)
    except REFUSALS as problem:
        return show_category(category, problem)
    return done("category-trashed", "trash.show")


def _merge_page(category: Category) -> Response:
    try:
        plan = catalog.plan_merger(person(), category.id, _other("into").id)
    except REFUSALS as problem:
        return show_category(category, problem)
    shift = catalog.shift_of_merge(plan.pairs)
    return _ask("merge", category, shift, plan=plan, into=plan.pairs[0][1], most=MOST_LISTED)


def _ask(what: str, category: Category, shift: Shift | None, **more: Any) -> Response:
    documents, categories = catalog.count_below(category, person())
    return house.show(
        f"admin/category_{what}.html",
        category=category,
        above=catalog.list_ancestors(category)[:-1],
        managed=managed_ids(),
        shift=shift,
        documents=documents,
        categories=categories,
        **more,
    )


def _chosen(field: str) -> Category | None:
    """The category of a choice, None for the top. Raises BadInput and CategoryNotFound."""
    return None if request.values.get(field) == AT_THE_TOP else _other(field)


def _other(field: str) -> Category:
    """The category that was chosen, among those the person manages."""
    found = catalog.parse_id(request.values.get(field, ""))
    if found is None:
        raise BadInput("Something has to be chosen here.", field=field)
    if access.permission_on(person(), found) < MANAGE:
        raise CategoryNotFound(field=field)
    return catalog.get_category(found)
