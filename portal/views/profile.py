"""What people say of themselves: their name, the zone they read moments in, and their address."""

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.errors import BadInput, Conflict, PortalError, TooManyTries
from portal.views import forms
from portal.views.guard import allow, person
from portal.views.notices import done
from portal.views.pages import answer, render
from portal.zones import list_zones

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


@bp.get("/email")
@allow("signed in", fresh=True)
def edit_email() -> Response:
    """The form for another address."""
    return _email_page()


@bp.post("/email")
@allow("signed in", fresh=True)
def change_email() -> AnyResponse:
    """Have the new address confirmed by whoever reads its mail."""
    try:
        accounts.request_email_change(person(), forms.text("email"))
    except (BadInput, Conflict, TooManyTries) as problem:
        return _email_page(problem)
    return done("email-asked", "account.show")


def _email_page(problem: PortalError | None = None) -> Response:
    page = render("account/email.html", sends_mail=accounts.sends_mail(), problem=problem)
    return answer(page, problem)


def _page(problem: BadInput | None = None) -> Response:
    who = person()
    typed = request.form if problem else {"name": who.name, "timezone": who.timezone or ""}
    page = render("account/profile.html", typed=typed, zones=list_zones(), problem=problem)
    return answer(page, problem)
