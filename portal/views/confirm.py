"""Fresh sign-in: before something dangerous, the person proves once more who they are."""

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.accounts import passkeys
from portal.errors import Forbidden, PortalError, TooManyTries
from portal.views.guard import allow, person, safe_next
from portal.views.pages import render

bp = Blueprint("confirm", __name__, url_prefix="/account/confirm")


@bp.get("")
@allow("signed in")
def show() -> AnyResponse:
    """The page that asks; who has just proved it goes on at once."""
    target = safe_next(request.args.get("next", "/account"))
    return redirect(target) if person().is_fresh else _page(target)


@bp.post("")
@allow("signed in")
def prove() -> AnyResponse:
    """Take the password, and go on."""
    target = safe_next(request.form.get("next", "/account"))
    try:
        accounts.confirm_by_password(person(), request.form.get("password", ""))
    except (Forbidden, TooManyTries) as problem:
        return _page(target, problem)
    return redirect(target, 303)


def _page(target: str, problem: PortalError | None = None) -> Response:
    user = accounts.get_user(person().user_id or 0)
    has_password = user.password_hash is not None
    has_passkey = passkeys.is_possible() and bool(passkeys.list_passkeys(user.id))
    values = {"target": target, "has_password": has_password, "has_passkey": has_passkey, "problem": problem}
    has_identity = accounts.has_identity(user.id)
    page = render("account/confirm.html", category=None, has_identity=has_identity, **values)
    response = Response(page, problem.status if problem else 200)
    if problem is not None and problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response
