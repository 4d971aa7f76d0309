"""Share links for people without an account: looking spends nothing, the button spends one download."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from portal import shares
from portal.errors import ContentUnavailable, ShareGone, ShareNotFound, SharePasswordWrong
from portal.shares import Opened
from portal.views import forms
from portal.views.delivery import deliver
from portal.views.guard import agent, allow, network

bp = Blueprint("shares", __name__)


@bp.get("/s/<token>")
@allow("anyone")
def landing(token: str) -> Response:
    """The page of a link; for a program that asks for no page, and a link that is open, the bytes themselves."""
    try:
        opened = shares.open_link(token, network())
    except ShareGone as gone:
        return _closed(gone)
    if opened.is_open and _wants_bytes():
        return deliver(opened.edition, shares.claim_of_link(opened.link.id, network(), agent()))
    if request.method == "GET" and not shares.is_scanner(agent()):
        shares.note_opened(opened.link.id)
    return _page(token, opened)


@bp.post("/s/<token>/download")
@allow("anyone")
def spend(token: str) -> AnyResponse:
    """Spend one download and go on to a ticket, which resumes for a day."""
    try:
        password = forms.text("password") or None
        ticket = shares.reserve(token, password, network=network(), agent=agent())
    except ShareGone as gone:
        return _closed(gone)
    except SharePasswordWrong as wrong:
        return _page(token, shares.open_link(token, network()), wrong)
    return redirect(url_for("shares.ticket", token=ticket), 303)


@bp.get("/t/<token>")
@allow("anyone")
def ticket(token: str) -> Response:
    """The bytes a ticket is for, whole or in ranges, as often as its day lasts."""
    try:
        found = shares.find_ticket(token, network(), agent())
    except ShareGone as gone:
        return _closed(gone)
    if found is None:
        raise ShareNotFound
    edition, claim = found
    try:
        return deliver(edition, claim)
    except ContentUnavailable:
        if claim.ticket_id is not None:
            shares.refund(claim.ticket_id)
        raise


def _wants_bytes() -> bool:
    """No ``Accept`` that names HTML, and no known link scanner: ``curl -OJ``, ``wget``, a script."""
    return "text/html" not in request.headers.get("Accept", "") and not shares.is_scanner(agent())


def _page(token: str, opened: Opened, problem: SharePasswordWrong | None = None) -> Response:
    page = render_template("shares/landing.html", token=token, opened=opened, problem=problem)
    return Response(page, problem.status if problem else 200)


def _closed(gone: ShareGone) -> Response:
    return Response(render_template("shares/closed.html", gone=gone), gone.status)
