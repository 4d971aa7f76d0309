"""Share links: every one the person may change, what became of it, its terms, and its end."""

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from portal import catalog, shares
from portal.errors import BadInput, Conflict, PortalError
from portal.shares import LinkRow
from portal.views import forms
from portal.views.admin import house
from portal.views.editing import terms
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("links", __name__, url_prefix="/admin/links")

STATES = {"live": "live", "soon": "expire soon", "unused": "never used", "closed": "closed"}
"""State of a list to the words of its tally."""


@bp.get("")
@allow("publisher")
def show() -> Response:
    """Every link, narrowed to a state by ``?state=``."""
    state = request.args.get("state", "")
    state = state if state in STATES else ""
    rows, after = shares.list_links(person(), state=state or None, after=forms.query_id("after"))
    counts = shares.count_links(person())
    return house.show("admin/links.html", rows=rows, after=after, counts=counts, states=STATES, state=state)


@bp.get("/<link_id>")
@allow("publisher")
def edit(link_id: str) -> Response:
    """One link: its story and its terms."""
    return _page(_get(link_id))


@bp.post("/<link_id>")
@allow("publisher")
def change(link_id: str) -> AnyResponse:
    """Change the terms; the address stays the same."""
    row = _get(link_id)
    try:
        password, drop = forms.text("password") or None, forms.flag("drop_password")
        given = terms(row.link.expires_at)
        shares.change_link(person(), row.link.id, given, password=password, drop_password=drop)
    except (BadInput, Conflict) as problem:
        return _page(row, problem)
    return done("link-changed", "links.edit", link_id=row.link.id)


@bp.get("/<link_id>/revoke")
@allow("publisher")
def ask_revoke(link_id: str) -> Response:
    """What revoking means."""
    return house.show("admin/link_revoke.html", row=_get(link_id))


@bp.post("/<link_id>/revoke")
@allow("publisher")
def revoke(link_id: str) -> AnyResponse:
    """Revoke a link for good."""
    row = _get(link_id)
    shares.revoke_link(person(), row.link.id)
    return done("link-revoked", "links.edit", link_id=row.link.id)


def _get(link_id: str) -> LinkRow:
    return shares.get_row(person(), forms.path_id(link_id))


def _page(row: LinkRow, problem: PortalError | None = None) -> Response:
    live = catalog.find_readable(person(), row.link.document_id) if row.link.document_id else None
    return house.show("admin/link.html", row=row, is_live=live is not None, problem=problem)
