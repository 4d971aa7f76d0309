"""What people say of themselves: their name and the zone they read moments in."""

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.errors import BadInput
from portal.views import forms
from portal.views.guard import allow, person
from portal.views.notices import done
from portal.views.pages import render

bp = Blueprint("profile", __name__, url_prefix="/account")


@bp.get("/profile")
@allow("signed in")
def edit() -> Response:
    """The form for one's own name and time zone."""
    return _page()


@bp.post("/profile")
@allow("signed in")
def change() -> AnyResponse:
    """Change them."""
    try:
        accounts.change_profile(person(), name=forms.text("name"), timezone=forms.text("timezone"))
    except BadInput as problem:
        return _page(problem)
    return done("profile-changed", "account.show")


def _page(problem: BadInput | None = None) -> Response:
    who = person()
    typed = request.form if problem else {"name": who.name, "timezone": who.timezone or ""}
    page = render("account/profile.html", typed=typed, zones=accounts.list_zones(), problem=problem)
    return Response(page, problem.status if problem else 200)
