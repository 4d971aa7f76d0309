"""The trash: documents that are gone for readers and can come back."""

from datetime import timedelta

from flask import Blueprint, Response
from werkzeug.wrappers import Response as AnyResponse

from portal import catalog
from portal.errors import Conflict, PortalError
from portal.extensions import settings
from portal.views import forms
from portal.views.admin import house
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("trash", __name__, url_prefix="/admin/trash")

PAGE = 50


@bp.get("")
@allow("publisher")
def show() -> Response:
    """What the person could bring back, the last trashed first."""
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


def _page(problem: PortalError | None = None) -> Response:
    rows = catalog.list_trash(person(), limit=PAGE + 1, after=forms.query_id("after"))
    after = rows[PAGE - 1][0].id if len(rows) > PAGE else None
    kept = timedelta(days=settings().trash_days)
    return house.show("admin/trash.html", rows=rows[:PAGE], after=after, kept=kept, problem=problem)
