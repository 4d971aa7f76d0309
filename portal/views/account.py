"""What a person sees of themself: the account, its password, where they are signed in, and what they downloaded."""

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts, downloads
from portal.accounts import SignedIn
from portal.accounts.confirming import require_password
from portal.errors import BadInput, Forbidden, NotFound, PortalError, TooManyTries
from portal.programs import device
from portal.views.entering import device_tokens
from portal.views.forms import path_id, query_id
from portal.views.guard import allow, person
from portal.views.notices import done
from portal.views.pages import answer, render

bp = Blueprint("account", __name__)

METHODS = {
    "password": "with the password",
    "passkey": "with a passkey",
    "provider": "through another account",
    "address": "by a one-time address",
}
"""How somebody came in, by what stands in ``sessions``."""
SECONDS = {"code": "and a code of the app", "recovery": "and a recovery code", "passkey": "and a passkey"}
"""What they gave beside it."""


@bp.get("/account")
@allow("signed in", is_shown=True)
def show() -> Response:
    """The account of the person signed in."""
    return _page()


@bp.get("/account/downloads")
@allow("signed in", is_shown=True)
def own_downloads() -> str:
    """What the person downloaded, newest first: theirs alone, whatever else they may see."""
    who, after = person(), query_id("after")
    rows, further = downloads.list_downloads(who, user_id=who.user_id, after=after)
    return render("account/downloads.html", rows=rows, is_first=after is None, after=further)


@bp.get("/account/sign-ins")
@allow("signed in")
def sign_ins() -> str:
    """How the person came in, and who was refused as them, the newest first."""
    after = query_id("after")
    rows, further = accounts.list_sign_ins(person().user_id or 0, after)
    return render("account/sign_ins.html", rows=rows, is_first=after is None, after=further)


@bp.post("/account/password")
@allow("signed in")
def change_password() -> AnyResponse:
    """Set a new password for whoever knows the one in force; every other session ends."""
    who = person()
    try:
        _change_password(who, request.form.get("current", ""), request.form.get("password", ""))
    except (Forbidden, BadInput, TooManyTries) as problem:
        return _page(problem)
    return done("password-changed", "account.show")


@bp.post("/account/sessions/<session_id>/end")
@allow("signed in")
def end_session(session_id: str) -> AnyResponse:
    """Sign one other browser out."""
    if not accounts.end_session(person(), path_id(session_id)):
        raise NotFound
    return done("session-ended", "account.show")


@bp.post("/account/sessions/end-others")
@allow("signed in")
def end_others() -> AnyResponse:
    """Sign every browser out but this one."""
    accounts.end_other_sessions(person())
    return done("others-ended", "account.show")


def _change_password(who: SignedIn, current: str, password: str) -> None:
    """Tries count together with those at sign-in: a session left open must not be a way to guess."""
    if who.user_id is None:
        raise NotFound
    require_password(who, current, device_tokens())
    accounts.set_password(who, who.user_id, password, keep_session=who.session_id)


def _page(problem: PortalError | None = None) -> Response:
    who = person()
    sessions = [(row, device(row.agent)) for row in accounts.list_sessions(who.user_id or 0)]
    page = render(
        "account/show.html",
        sessions=sessions,
        here=who.session_id,
        methods=METHODS,
        seconds=SECONDS,
        tokens=accounts.count_api_tokens(who.user_id or 0),
        shortest=accounts.shortest_password(who.user_id or 0),
        problem=problem,
    )
    return answer(page, problem)
