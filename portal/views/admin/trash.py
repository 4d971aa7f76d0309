"""The trash: documents and categories that are gone for readers and can come back."""

from datetime import date, datetime, time, timedelta

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from portal import catalog, search
from portal.catalog import trash
from portal.catalog.trash import Sought
from portal.errors import Conflict, PortalError
from portal.extensions import settings
from portal.models import Category
from portal.views import forms
from portal.views.admin import house
from portal.views.clock import from_local
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("trash", __name__, url_prefix="/admin/trash")

NARROWING = ("q", "category", "by", "from", "to")


@bp.get("")
@allow("publisher")
def show() -> Response:
    """What the person could bring back, the last trashed first.

    Narrowed by words (``?q=``), a category (its id), a part of the name of who put it there (``?by=``), and the days
    ``?from=`` and ``?to=``.
    """
    return _page()


@bp.post("/<document_id>/restore")
@allow("publisher")
def restore(document_id: str) -> AnyResponse:
    """Bring a document back to where it was."""
    try:
        document = catalog.restore_document(person(), forms.path_id(document_id))
    except Conflict as problem:
        return _page(problem)
    return done("document-restored", "documents.show", ref=document.id)


@bp.post("/categories/<category_id>/restore")
@allow("publisher")
def restore_category(category_id: str) -> AnyResponse:
    """Bring a category back, with what went into the trash with it."""
    try:
        category = catalog.restore_category(person(), forms.path_id(category_id))
    except Conflict as problem:
        return _page(problem)
    return done("category-restored", "categories.edit", category_id=category.id)


def _page(problem: PortalError | None = None) -> Response:
    places = trash.list_places(person())
    rows, after = trash.list_trash(person(), sought(places), after=request.args.get("after"))
    shelves, more_shelves = catalog.list_trashed(person(), after=forms.query_id("categories"))
    return house.show(
        "admin/trash.html",
        rows=rows,
        after=after,
        places=places,
        shelves=shelves,
        more_shelves=more_shelves,
        query={name: value for name, value in request.args.items() if name in NARROWING and value},
        kept=timedelta(days=settings().trash_days),
        problem=problem,
    )


def sought(places: list[Category]) -> Sought:
    """What the address narrows the trash to; of a category nothing of which is there any more, to nothing."""
    until, wanted = _day("to"), forms.query_id("category")
    category = next((one for one in places if one.id == wanted), None)
    return Sought(
        words=request.args.get("q", "")[: search.MOST_CHARACTERS],
        category=category,
        is_nothing=wanted is not None and category is None,
        person=request.args.get("by", "")[: search.MOST_CHARACTERS].strip(),
        since=_midnight(_day("from")),
        until=_midnight(until + timedelta(days=1) if until is not None and until < date.max else None),
    )


def _day(name: str) -> date | None:
    """A day of the address; None for anything else."""
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None


def _midnight(day: date | None) -> datetime | None:
    """The moment a day begins where the person is; None where no calendar has it."""
    try:
        return from_local(datetime.combine(day, time())) if day is not None else None
    except OverflowError:
        return None
