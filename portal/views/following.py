"""Categories a person follows: begun and ended on their pages, and listed with the account."""

from flask import Blueprint, Response
from werkzeug.wrappers import Response as AnyResponse

from portal import access, accounts, catalog
from portal.errors import Conflict, PortalError
from portal.models import READ
from portal.views import forms
from portal.views.guard import allow, person
from portal.views.notices import done
from portal.views.pages import answer, render

bp = Blueprint("following", __name__)


@bp.get("/account/following")
@allow("signed in", is_shown=True)
def show() -> Response:
    """What the person follows."""
    return _page()


@bp.post("/account/following")
@allow("signed in")
def follow() -> AnyResponse:
    """Follow a category; back to its page."""
    category_id = forms.identifier("category")
    try:
        catalog.follow(person(), category_id)
    except Conflict as problem:
        return _page(problem)
    notice = "followed" if accounts.sends_mail() else "followed-without-mail"
    return done(notice, "browse.category", path=catalog.get_category(category_id).path)


@bp.post("/account/following/end")
@allow("signed in")
def end() -> AnyResponse:
    """Follow a category no more; back to the list, or to its page."""
    category_id = forms.identifier("category")
    who = person()
    catalog.unfollow(who, category_id)
    if forms.flag("from_list") or access.permission_on(who, category_id) < READ:
        return done("unfollowed", "following.show")
    return done("unfollowed", "browse.category", path=catalog.get_category(category_id).path)


def _page(problem: PortalError | None = None) -> Response:
    page = render(
        "account/following.html",
        followed=catalog.list_followed(person()),
        sends_mail=accounts.sends_mail(),
        problem=problem,
    )
    return answer(page, problem)
