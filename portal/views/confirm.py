"""Fresh sign-in: before something dangerous, the person proves once more who they are."""

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.accounts import passkeys
from portal.accounts.apps import find_app
from portal.accounts.confirming import confirm_by_code
from portal.errors import CodeWrong, Forbidden, PortalError, TooManyTries
from portal.views.entering import device_tokens
from portal.views.guard import allow, person, safe_next
from portal.views.pages import answer, render

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
    """Take the password, or a code of the app of somebody who has no password, and go on."""
    target = safe_next(request.form.get("next", "/account"))
    try:
        if "code" in request.form:
            confirm_by_code(person(), request.form["code"], device_tokens())
        else:
            accounts.confirm_by_password(person(), request.form.get("password", ""), device_tokens())
    except (CodeWrong, Forbidden, TooManyTries) as problem:
        return _page(target, problem)
    return redirect(target, 303)


def _page(target: str, problem: PortalError | None = None) -> Response:
    user = accounts.get_user(person().user_id or 0)
    has_password, has_app = user.password_hash is not None, find_app(user.id) is not None
    has_passkey = passkeys.is_possible() and bool(passkeys.list_passkeys(user.id))
    means = {"has_password": has_password, "has_app": has_app, "has_passkey": has_passkey}
    means |= {"has_identity": accounts.has_identity(user.id)}
    page = render("account/confirm.html", category=None, target=target, problem=problem, **means)
    return answer(page, problem)
