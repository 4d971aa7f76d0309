"""Share links for people without an account: looking spends nothing, the button spends one download."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from portal import shares
from portal.actors import Actor
from portal.catalog import Edition
from portal.downloads import Claim, claim_of, pack_documents
from portal.errors import (
    ContentHeld,
    ContentUnavailable,
    ContentUnverified,
    ShareGone,
    ShareNotFound,
    SharePasswordWrong,
)
from portal.extensions import settings
from portal.models import Pack
from portal.shares import Opened
from portal.views import forms
from portal.views.cookies import give_ticket, ticket_cookie
from portal.views.delivery import deliver, deliver_zip
from portal.views.guard import allow
from portal.views.pages import answer
from portal.views.requests import agent, network

bp = Blueprint("shares", __name__)


@bp.get("/s/<token>")
@allow("anyone")
def landing(token: str) -> Response:
    """The page of a link; for a program that asks for no page, and a link that is open, the bytes themselves."""
    try:
        opened = shares.open_link(token, network())
    except ShareGone as gone:
        return _closed(gone, token)
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
        return _closed(gone, token)
    except SharePasswordWrong as wrong:
        return _page(token, shares.open_link(token, network()), wrong)
    response = redirect(url_for("shares.ticket", token=ticket), 303)
    give_ticket(response, settings(), url_for("shares.landing", token=token), ticket, shares.LIFETIME_SECONDS)
    return response


@bp.get("/t/<token>")
@allow("anyone")
def ticket(token: str) -> Response:
    """The bytes a ticket is for, whole or in ranges, until it is complete or its day is over.

    A known link scanner gets a page: the address is in the list of downloads of a browser, and is pasted into chats.
    """
    try:
        selected = shares.find_selection(token, network())
        if selected is not None:
            return _shown(token) or _deliver_pack(*selected)
        found = shares.find_ticket(token, network(), agent())
        if found is None:
            raise ShareNotFound
        return _shown(token) or _deliver(*found)
    except ShareGone as gone:
        return _closed(gone)


def _deliver(edition: Edition, claim: Claim) -> Response:
    try:
        return deliver(edition, claim)
    except ContentUnavailable as problem:
        # Whoever is asked to come back in a moment still needs the ticket then.
        if claim.ticket_id is not None and not isinstance(problem, (ContentUnverified, ContentHeld)):
            shares.refund(claim.ticket_id)
        raise


def _deliver_pack(who: Actor, pack: Pack) -> Response:
    archive = pack_documents(who, pack.title, shares.list_pack(pack.id))
    return deliver_zip(archive, claim_of(who, agent()))


def _wants_bytes() -> bool:
    """No ``Accept`` that names HTML, and no known link scanner: ``curl -OJ``, ``wget``, a script."""
    return "text/html" not in request.headers.get("Accept", "") and not shares.is_scanner(agent())


def _shown(token: str) -> Response | None:
    """The page a known link scanner gets of a ticket, unless it comes from one of ours: some apps that show previews
    are browsers as well."""
    is_scanned = shares.is_scanner(agent()) and request.headers.get("Sec-Fetch-Site") != "same-origin"
    return Response(render_template("shares/ticket.html", token=token)) if is_scanned else None


def _page(token: str, opened: Opened, problem: SharePasswordWrong | None = None) -> Response:
    ticket, _ = _begun(token)
    page = render_template("shares/landing.html", token=token, opened=opened, problem=problem, ticket=ticket)
    return answer(page, problem)


def _closed(gone: ShareGone, token: str = "") -> Response:
    """Why a link is closed; or, for the browser whose download it was that broke off, how to go on with it."""
    ticket, edition = _begun(token)
    if edition is not None:
        return Response(render_template("shares/unfinished.html", token=token, ticket=ticket, edition=edition))
    return Response(render_template("shares/closed.html", gone=gone), gone.status)


def _begun(token: str) -> tuple[str, Edition | None]:
    """The ticket of a download that this browser began and did not finish, and what it is for; or neither."""
    ticket = request.cookies.get(ticket_cookie(settings()), "")
    edition = shares.find_unfinished(token, ticket) if token and ticket else None
    return (ticket, edition) if edition is not None else ("", None)
