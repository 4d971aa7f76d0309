"""The second factor, on a page of its own, and only when it is due."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.accounts import passkeys
from portal.accounts.apps import find_app
from portal.accounts.entering import SET_UP_SECONDS
from portal.accounts.second import (
    enter_by_code,
    enter_by_recovery_code,
    enter_set_up,
    require_pending,
    set_up_app,
)
from portal.errors import CodeWrong, Conflict, PortalError, RecoveryCodeWrong, SignInOver, TooManyTries
from portal.extensions import settings
from portal.models import PendingSignIn
from portal.views import appcodes
from portal.views.auth import login_page
from portal.views.cookies import give_pending, pending_cookie, take_pending
from portal.views.entering import device_tokens, entered
from portal.views.guard import allow, safe_next
from portal.views.pages import answer
from portal.views.requests import agent, network

bp = Blueprint("second", __name__, url_prefix="/login/second")


@bp.get("")
@allow("anyone")
def show() -> AnyResponse:
    """The page that asks for it, or leads through setting one up; without a sign-in that waits, the sign-in page."""
    target = safe_next(request.args.get("next", "/"))
    pending = accounts.find_pending(pending_token())
    return redirect(url_for("auth.login", next=target)) if pending is None else _page(pending, target)


@bp.post("")
@allow("anyone")
def give() -> AnyResponse:
    """Take a code of the app and let the person in; with a recovery code, to the page where a lost app is replaced."""
    target = safe_next(request.form.get("next", "/"))
    is_recovery = "recovery" in request.form
    prove = enter_by_recovery_code if is_recovery else enter_by_code
    code = request.form.get("recovery", request.form.get("code", ""))
    try:
        outcome = prove(pending_token(), code, network=network(), agent=agent(), devices=device_tokens())
    except (CodeWrong, TooManyTries, SignInOver) as problem:
        return refused(problem, target)
    return entered(outcome, url_for("security.show", recovered=1, next=target) if is_recovery else target)


@bp.post("/app")
@allow("anyone")
def set_up() -> AnyResponse:
    """Take the first code of a new app and show the recovery codes, once. Nobody is in yet."""
    target = safe_next(request.form.get("next", "/"))
    try:
        pending = require_pending(pending_token())
        secret = appcodes.offered(accounts.get_user(pending.user_id))
        codes = set_up_app(pending_token(), secret, request.form.get("code", ""), network=network())
    except (CodeWrong, Conflict, SignInOver) as problem:
        return refused(problem, target)
    response = Response(render_template("auth/second_codes.html", target=target, codes=codes))
    give_pending(response, settings(), pending_token(), SET_UP_SECONDS)
    return response


@bp.post("/kept")
@allow("anyone")
def go_on() -> AnyResponse:
    """Let the person in who has set a second factor up and kept the recovery codes."""
    target = safe_next(request.form.get("next", "/"))
    try:
        outcome = enter_set_up(pending_token(), network=network(), agent=agent())
    except SignInOver as problem:
        return refused(problem, target)
    return entered(outcome, target)


def pending_token() -> str:
    """The token of the sign-in that waits in this browser, "" for none."""
    return request.cookies.get(pending_cookie(settings()), "")


def refused(problem: PortalError, target: str) -> AnyResponse:
    """The page once more, with the reason; the sign-in page when the sign-in is over."""
    pending = accounts.find_pending(pending_token())
    if pending is not None and not isinstance(problem, SignInOver):
        return _page(pending, target, problem)
    response = login_page(target, problem=problem if isinstance(problem, SignInOver) else SignInOver())
    take_pending(response, settings())
    return response


def _page(pending: PendingSignIn, target: str, problem: PortalError | None = None) -> Response:
    user = accounts.get_user(pending.user_id)
    has_one = accounts.has_second_factor(user.id)
    if pending.passed_at is not None:
        page = render_template("auth/second_codes.html", target=target, codes=[])
    elif has_one:
        values = {"target": target, "user": user, "problem": problem}
        has_app = find_app(user.id) is not None
        has_passkey = passkeys.is_possible() and accounts.has_passkey(user.id)
        is_recovery = isinstance(problem, RecoveryCodeWrong) or (problem is not None and not has_app)
        means = {"has_app": has_app, "has_passkey": has_passkey, "is_recovery": is_recovery}
        page = render_template("auth/second.html", **values, **means)
    else:
        offer = appcodes.offer(user, request.form.get("sealed", ""))
        page = render_template("auth/second_set_up.html", target=target, offer=offer, problem=problem)
    return answer(page, problem)
