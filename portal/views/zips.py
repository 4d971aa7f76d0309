"""Zips for people who are signed in: all of a category, or the documents they chose."""

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from portal import access, catalog, shares
from portal.catalog import parse_id
from portal.downloads import claim_of, pack_category
from portal.errors import BadInput, CategoryNotFound
from portal.extensions import settings
from portal.models import READ
from portal.views import forms
from portal.views.delivery import deliver_zip
from portal.views.guard import allow, person
from portal.views.pages import plural
from portal.views.requests import agent

bp = Blueprint("zips", __name__)

PLACE_LENGTH = 100
"""Of where the documents were chosen, so much stands in the name of the zip."""


@bp.get("/categories/<path:path>/download")
@allow("signed in", scope="read")
def category(path: str) -> Response:
    """Everything in a category and below it that the person may read."""
    who = person()
    found = catalog.find_category(path)
    if access.level_on(who, found) < READ or found is None:
        raise CategoryNotFound
    return deliver_zip(pack_category(who, found), claim_of(who, agent()))


@bp.post("/documents/download")
@allow("signed in")
def choose() -> AnyResponse:
    """The documents that were chosen, by a ticket that resumes for a day."""
    who = person()
    ids = [parse_id(text) for text in request.form.getlist("document")]
    chosen = [found for found in ids if found is not None]
    if len(chosen) != len(ids):
        raise BadInput("One of the documents is none. Open the page again and choose once more.", field="document")
    pack = shares.add_pack(who, _title(forms.text("title"), len(set(chosen))), chosen)
    return redirect(url_for("shares.ticket", token=shares.issue_ticket(who, pack)), 303)


def _title(place: str, count: int) -> str:
    """``reports-selection-3-documents``: no zip of a whole category is called like that."""
    place = place.strip()[:PLACE_LENGTH].strip() or settings().name
    return f"{place}-selection-{count}-{plural(count, 'document', 'documents')}"
