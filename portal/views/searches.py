"""The searches a person saved: at hand under their account, each with what it finds anew."""

from typing import Any

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.catalog import saved
from portal.errors import BadInput, Conflict, PortalError
from portal.views import forms, narrowing
from portal.views.guard import allow, person
from portal.views.notices import done
from portal.views.pages import answer, render

bp = Blueprint("searches", __name__, url_prefix="/account/searches")


@bp.get("")
@allow("signed in", is_shown=True)
def show() -> Response:
    """The searches of the person, by name."""
    return _page()


@bp.post("")
@allow("signed in")
def add() -> AnyResponse:
    """Save one more."""
    try:
        saved.add_search(person(), forms.text("name"), forms.text("q"), wants_notice=forms.flag("wants_notice"))
    except (BadInput, Conflict) as problem:
        return _page(problem)
    return done("search-saved", "searches.show")


@bp.get("/<search_id>")
@allow("signed in", is_shown=True)
def show_found(search_id: str) -> AnyResponse:
    """On to what it finds. What is there is not new any more, unless somebody only sees what the person sees."""
    who, wanted = person(), forms.path_id(search_id)
    found = saved.get_search(who, wanted)
    if who.viewer_id is None and request.method == "GET":
        saved.note_look(who, wanted)
    return redirect(narrowing.address(found.query), 303)


@bp.get("/<search_id>/edit")
@allow("signed in")
def edit(search_id: str) -> Response:
    """The form for its name, and whether the mail of the day tells of it."""
    return _edit_page(forms.path_id(search_id))


@bp.post("/<search_id>/edit")
@allow("signed in")
def change(search_id: str) -> AnyResponse:
    """Change them."""
    wanted = forms.path_id(search_id)
    try:
        saved.change_search(person(), wanted, name=forms.text("name"), wants_notice=forms.flag("wants_notice"))
    except BadInput as problem:
        return _edit_page(wanted, problem)
    return done("search-changed", "searches.show")


@bp.post("/<search_id>/remove")
@allow("signed in")
def remove(search_id: str) -> AnyResponse:
    """Forget it."""
    saved.remove_search(person(), forms.path_id(search_id))
    return done("search-removed", "searches.show")


def _page(problem: PortalError | None = None) -> Response:
    searches, sends_mail = saved.list_with_news(person()), accounts.sends_mail()
    return answer(render("account/searches.html", searches=searches, sends_mail=sends_mail, problem=problem), problem)


def _edit_page(search_id: int, problem: PortalError | None = None) -> Response:
    found = saved.get_search(person(), search_id)
    is_wanted = forms.flag("wants_notice") if problem else found.wants_notice
    name = request.form.get("name", "") if problem else found.name
    shown: dict[str, Any] = {"saved": found, "name": name, "is_wanted": is_wanted}
    page = render("account/search_edit.html", sends_mail=accounts.sends_mail(), problem=problem, **shown)
    return answer(page, problem)
