"""The second factor, on a page of its own, and only when it is due."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.extensions import settings
from portal.views.cookies import pending_cookie
from portal.views.guard import allow, safe_next

bp = Blueprint("second", __name__, url_prefix="/login/second")


@bp.get("")
@allow("anyone")
def show() -> AnyResponse:
    """The page that asks for it; without a sign-in that waits, the sign-in page."""
    target = safe_next(request.args.get("next", "/"))
    pending = accounts.find_pending(request.cookies.get(pending_cookie(settings()), ""))
    if pending is None:
        return redirect(url_for("auth.login", next=target))
    return Response(render_template("auth/second.html", target=target))
