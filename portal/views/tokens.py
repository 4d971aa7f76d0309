"""The tokens by which programs act for a person: made, listed and revoked by the person, in a browser."""

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.accounts import DAYS, MOST_DAYS
from portal.errors import BadInput, Conflict, PortalError
from portal.views import forms
from portal.views.guard import allow, person
from portal.views.notices import done
from portal.views.pages import answer, render
from portal.views.requests import base_url

bp = Blueprint("tokens", __name__, url_prefix="/account/tokens")


@bp.get("")
@allow("signed in", is_shown=True)
def show() -> Response:
    """The tokens of the person."""
    return Response(render("account/tokens.html", tokens=accounts.list_api_tokens(person().user_id or 0)))


@bp.get("/new")
@allow("signed in", fresh=True)
def new() -> Response:
    """The form for one more."""
    return _new_page()


@bp.post("/new")
@allow("signed in", fresh=True)
def add() -> Response:
    """Make a token. Its secret stands on this answer and nowhere else."""
    who = person()
    try:
        days = forms.number("days")
        token, secret = accounts.add_api_token(
            who, who.user_id or 0, forms.text("name"), forms.text("scope"), DAYS if days is None else days
        )
    except (BadInput, Conflict) as problem:
        return _new_page(problem)
    return Response(render("account/token_made.html", token=token, secret=secret, base_url=base_url()))


@bp.post("/<token_id>/revoke")
@allow("signed in")
def revoke(token_id: str) -> AnyResponse:
    """Take a token back."""
    who = person()
    accounts.revoke_api_token(who, who.user_id or 0, forms.path_id(token_id))
    return done("token-revoked", "tokens.show")


def _new_page(problem: PortalError | None = None) -> Response:
    who = person()
    page = render(
        "account/token_new.html",
        offered=accounts.offered_scopes(who),
        typed=request.form if problem else {"name": "", "scope": "read", "days": DAYS},
        most_days=MOST_DAYS,
        problem=problem,
    )
    return answer(page, problem)
