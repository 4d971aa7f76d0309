"""Who got a document, and who has not: for those who may publish it."""

from flask import Blueprint, Response, request

from portal import catalog, deliveries, search
from portal.catalog import parse_ref
from portal.deliveries import STATES
from portal.views import forms
from portal.views.admin import house
from portal.views.guard import allow, person

bp = Blueprint("deliveries", __name__)


@bp.get("/documents/<ref>/deliveries")
@allow("publisher")
def show(ref: str) -> Response:
    """Everybody the document is for, narrowed by ``?state=`` and ``?q=``; then what went through its links."""
    edition = deliveries.get_published(person(), parse_ref(ref))
    state, sought = request.args.get("state", ""), request.args.get("q", "")[: search.MOST_CHARACTERS].strip()
    state = state if state in STATES else ""
    rows, after = deliveries.list_deliveries(edition, state=state, query=sought, after=request.args.get("after"))
    links, links_after = deliveries.list_by_link(edition, after=forms.query_id("links"))
    return house.show(
        "admin/deliveries.html",
        edition=edition,
        document=catalog.get_live(edition.document_id),
        rows=rows,
        after=after,
        counts=deliveries.count_deliveries(edition, query=sought),
        links=links,
        links_after=links_after,
        by_link=deliveries.count_by_link(edition),
        state=state,
        sought=sought,
    )
