"""File requests as publishers see them: made, changed, revoked, and what came by them."""

from datetime import datetime

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts, catalog
from portal.errors import BadInput, CategoryNotFound, Conflict, Forbidden, PortalError
from portal.models import PUBLISH
from portal.sizes import read_size
from portal.uploads import requesting
from portal.uploads.requesting import RequestRow, Terms
from portal.views import forms
from portal.views.admin import house
from portal.views.admin.upload import target_category
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("requests", __name__, url_prefix="/admin/requests")

STATES = {"open": "take files", "waiting": "to review", "closed": "closed"}
"""State of a list to the words of its tally."""
REFUSALS = (BadInput, CategoryNotFound, Conflict, Forbidden)


@bp.get("")
@allow("publisher")
def show() -> Response:
    """Every request that leads to where the person may publish, narrowed to a state by ``?state=``."""
    state = request.args.get("state", "")
    state = state if state in STATES else ""
    rows, after = requesting.list_requests(person(), state=state, after=forms.query_id("after"))
    counts = requesting.count_requests(person())
    return house.show("admin/requests.html", rows=rows, after=after, counts=counts, states=STATES, state=state)


@bp.get("/new")
@allow("publisher")
def choose() -> Response:
    """The form of a new one, with the category of ``?category=PATH`` chosen."""
    return _new()


@bp.post("")
@allow("publisher")
def add() -> Response:
    """Make one. Its address stands on this answer and nowhere else, ever: only a hash of it is stored."""
    try:
        category = target_category(forms.text("category"))
        made, token = requesting.add_request(person(), category.id, _terms())
    except REFUSALS as problem:
        return _new(problem)
    row = requesting.get_row(person(), made.id)
    address, sends_mail = house.request_address(token), accounts.sends_mail()
    return house.show("admin/request_made.html", row=row, address=address, sends_mail=sends_mail)


@bp.get("/<request_id>")
@allow("publisher")
def look(request_id: str) -> Response:
    """What came by one, and its terms."""
    return _page(_get(request_id))


@bp.post("/<request_id>")
@allow("publisher")
def change(request_id: str) -> AnyResponse:
    """Change the terms; the address stays the same."""
    row = _get(request_id)
    try:
        requesting.change_request(person(), row.request.id, _terms(row.request.expires_at))
    except (BadInput, Conflict) as problem:
        return _page(row, problem)
    return done("request-changed", "requests.look", request_id=row.request.id)


@bp.get("/<request_id>/revoke")
@allow("publisher")
def ask_revoke(request_id: str) -> Response:
    """What revoking means."""
    return house.show("admin/request_revoke.html", row=_get(request_id))


@bp.post("/<request_id>/revoke")
@allow("publisher")
def revoke(request_id: str) -> AnyResponse:
    """Revoke one for good."""
    row = _get(request_id)
    requesting.revoke_request(person(), row.request.id)
    return done("request-revoked", "requests.look", request_id=row.request.id)


@bp.post("/<request_id>/submissions/<submission_id>/review")
@allow("publisher")
def review(request_id: str, submission_id: str) -> AnyResponse:
    """Mark what somebody sent as reviewed."""
    row = _get(request_id)
    requesting.review_submission(person(), row.request.id, forms.path_id(submission_id))
    return done("request-reviewed", "requests.look", request_id=row.request.id)


def _get(request_id: str) -> RequestRow:
    return requesting.get_row(person(), forms.path_id(request_id))


def _terms(stored: datetime | None = None) -> Terms:
    return Terms(
        title=forms.text("title"),
        message=forms.text("message"),
        expires_at=forms.moment("expires_at", stored),
        max_files=forms.number("max_files"),
        max_file_bytes=_size("max_file_bytes"),
        max_bytes=_size("max_bytes"),
        types=forms.words("types"),
    )


def _size(name: str) -> int | None:
    try:
        return read_size(forms.text(name))
    except BadInput as problem:
        raise BadInput(problem.sentence, field=name) from problem


def _new(problem: PortalError | None = None) -> Response:
    categories = [category for category, _ in catalog.list_shown(person(), PUBLISH)]
    chosen = request.args.get("category", "")
    return house.show("admin/request_new.html", categories=categories, chosen=chosen, problem=problem)


def _page(row: RequestRow, problem: PortalError | None = None) -> Response:
    sent, after = requesting.list_submissions(person(), row.request.id, after=forms.query_id("after"))
    ids = [file.document_id for one in sent for file in one.files]
    found = {document.id: document for document in catalog.list_by_ids(person(), ids)}
    return house.show(
        "admin/request.html",
        row=row,
        sent=sent,
        after=after,
        documents=found,
        sends_mail=accounts.sends_mail(),
        problem=problem,
    )
