"""How a person signs in: their app, their recovery codes, their passkeys. Every change asks for a fresh sign-in."""

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.accounts.apps import find_app
from portal.accounts.own_factors import (
    issue_own_recovery_codes,
    password_stands_alone_without_app,
    remove_own_app,
    set_up_own_app,
)
from portal.accounts.passkeys import list_passkeys
from portal.accounts.recovery import count_recovery_codes
from portal.errors import BadInput, CodeWrong, Conflict, Forbidden, PortalError, TooManyTries
from portal.models import User
from portal.views import appcodes
from portal.views.entering import device_tokens
from portal.views.guard import allow, person, safe_next
from portal.views.notices import done
from portal.views.pages import answer, render

bp = Blueprint("security", __name__, url_prefix="/account/security")


@bp.get("")
@allow("signed in")
def show() -> Response:
    """What the person signs in with; ``recovered``, after a recovery code, says what to do, and ``next`` leads on."""
    return _page()


@bp.get("/app")
@allow("signed in", fresh=True)
def offer_app() -> Response:
    """A new secret for an app, which counts for nothing yet."""
    return _offer_page()


@bp.post("/app")
@allow("signed in", fresh=True)
def set_up_app() -> AnyResponse:
    """Take the first code of the app; with the first factor the recovery codes are shown, once."""
    try:
        secret = appcodes.offered(_user())
        codes = set_up_own_app(person(), secret, request.form.get("code", ""))
    except (CodeWrong, Conflict) as problem:
        return _offer_page(problem)
    return _codes_page(codes) if codes else done("app-replaced", "security.show")


@bp.get("/app/remove")
@allow("signed in", fresh=True)
def ask_remove_app() -> AnyResponse:
    """What removing the app means; who would be left with a password alone types it."""
    return _remove_page() if find_app(_user().id) else redirect(url_for("security.show"), 303)


@bp.post("/app/remove")
@allow("signed in", fresh=True)
def remove_app() -> AnyResponse:
    """Remove it."""
    try:
        remove_own_app(person(), request.form.get("password", ""), device_tokens())
    except (BadInput, Conflict, Forbidden, TooManyTries) as problem:
        return _remove_page(problem)
    return done("app-removed", "security.show")


@bp.post("/codes")
@allow("signed in", fresh=True, page="security.show")
def make_codes() -> AnyResponse:
    """Show ten new recovery codes, once; those before work no more."""
    try:
        codes = issue_own_recovery_codes(person())
    except Conflict as problem:
        return _page(problem)
    return _codes_page(codes)


def _user() -> User:
    return accounts.get_user(person().user_id or 0)


def _page(problem: PortalError | None = None) -> Response:
    user = _user()
    page = render(
        "account/security.html",
        app=find_app(user.id),
        has_factor=accounts.has_second_factor(user.id),
        must_have=accounts.must_have_second_factor(user.id),
        passkeys=list_passkeys(user.id),
        codes_left=count_recovery_codes(user.id),
        is_recovered="recovered" in request.args and _gave_recovery_code(),
        target=safe_next(request.args.get("next", "/")),
        problem=problem,
    )
    return answer(page, problem)


def _gave_recovery_code() -> bool:
    who = person()
    mine = (row for row in accounts.list_sessions(who.user_id or 0) if row.id == who.session_id)
    return any(row.second_factor == "recovery" for row in mine)


def _offer_page(problem: PortalError | None = None) -> Response:
    user = _user()
    offer = appcodes.offer(user, request.form.get("sealed", ""))
    page = render("account/app.html", offer=offer, has_app=find_app(user.id) is not None, problem=problem)
    return answer(page, problem)


def _remove_page(problem: PortalError | None = None) -> Response:
    user = _user()
    page = render(
        "account/app_remove.html",
        wants_password=password_stands_alone_without_app(user.id),
        is_last=not accounts.has_passkey(user.id),
        problem=problem,
    )
    return answer(page, problem)


def _codes_page(codes: list[str]) -> Response:
    return answer(render("account/recovery_codes.html", codes=codes))
