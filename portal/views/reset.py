"""A forgotten password: one answer for everybody, with an account or without."""

from flask import Blueprint, Response, render_template
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.errors import BadInput, Conflict, PortalError, TooManyTries
from portal.views import forms
from portal.views.guard import allow
from portal.views.notices import done
from portal.views.pages import answer
from portal.views.requests import network

bp = Blueprint("reset", __name__, url_prefix="/reset")

NO_MAIL = "This portal sends no mails. Ask an administrator of it for a one-time address."


@bp.get("")
@allow("anyone")
def show() -> Response:
    """Ask for the address."""
    return _page()


@bp.post("")
@allow("anyone")
def ask() -> AnyResponse:
    """Write down what was typed; the worker sees whose it is. Without mails there is nothing to ask for."""
    if not accounts.sends_mail():
        return _page(Conflict(NO_MAIL))
    try:
        accounts.request_reset(forms.text("email"), network())
    except (BadInput, TooManyTries) as problem:
        return _page(problem)
    return done("reset-asked", "reset.show")


def _page(problem: PortalError | None = None) -> Response:
    page = render_template("auth/reset.html", sends_mail=accounts.sends_mail(), problem=problem)
    return answer(page, problem)
