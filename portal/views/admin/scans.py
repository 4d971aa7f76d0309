"""Viruses: what is quarantined or could not be looked at, and its release by somebody who knows better."""

from flask import Blueprint, Response
from werkzeug.wrappers import Response as AnyResponse

from portal import catalog, uploads
from portal.catalog import scans
from portal.errors import Conflict, PortalError
from portal.extensions import release_connection, settings
from portal.views import forms
from portal.views.admin import house
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("scans", __name__, url_prefix="/admin/storage/viruses")

PATIENCE = 1.0
"""Seconds that the page waits for the scanner to say that it is there."""


@bp.get("")
@allow("administrator")
def show() -> Response:
    """What was found and nobody gets, what waits, and whether the scanner answers."""
    return _page()


@bp.post("/<blob_id>/release")
@allow("administrator", fresh=True, page="scans.show")
def release(blob_id: str) -> AnyResponse:
    """Give it out, whatever the scanner says."""
    try:
        scans.release(person(), forms.path_id(blob_id))
    except Conflict as problem:
        return _page(problem)
    return done("scan-released", "scans.show")


def _page(problem: PortalError | None = None) -> Response:
    rows, after = catalog.list_infected(after=forms.query_id("after"))
    refused, counts = catalog.list_refused(), catalog.count_scans()
    release_connection()  # none is held while the scanner is asked
    return house.show(
        "admin/viruses.html",
        problem=problem,
        rows=rows,
        after=after,
        refused=refused,
        counts=counts,
        has_scanner=bool(settings().clamd),
        answers=bool(settings().clamd) and uploads.is_scanner_alive(PATIENCE),
    )
