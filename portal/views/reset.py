"""A forgotten password: one answer for everybody, with an account or without."""

from flask import Blueprint, Response, render_template
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.errors import BadInput, PortalError, TooManyTries
from portal.views import forms
from portal.views.guard import allow, network
from portal.views.notices import done
from portal.views.pages import answer

bp = Blueprint("reset", __name__, url_prefix="/reset")


@bp.get("")
@allow("anyone")
def show() -> Response:
    """Ask for the address."""
    return _page()


@bp.post("")
@allow("anyone")
def ask() -> AnyResponse:
    """Write down what was typed; the worker sees whose it is."""
    try:
        accounts.request_reset(forms.text("email"), network())
    except (BadInput, TooManyTries) as problem:
        return _page(problem)
    return done("reset-asked" if accounts.sends_mail() else "reset-printed", "reset.show")


def _page(problem: PortalError | None = None) -> Response:
    page = render_template("auth/reset.html", sends_mail=accounts.sends_mail(), problem=problem)
    return answer(page, problem)
