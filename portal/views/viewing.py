"""Viewing as: an administrator sees the portal as somebody else does, until they stop."""

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.errors import Conflict
from portal.views import forms
from portal.views.admin.people import person_page
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("viewing", __name__)


@bp.post("/admin/people/<user_id>/view")
@allow("administrator", fresh=True, page="people.edit")
def start(user_id: str) -> AnyResponse:
    """See the portal as this person does, from its first page on."""
    user = accounts.get_user(forms.path_id(user_id))
    try:
        accounts.start_viewing(person(), user.id)
    except Conflict as problem:
        return person_page(user, problem)
    return redirect(url_for("browse.home"), 303)


@bp.post("/viewing/stop")
@allow("signed in", is_shown=True)
def stop() -> AnyResponse:
    """Be oneself again, on the page of the person."""
    return done("viewing-stopped", "people.edit", user_id=accounts.stop_viewing(person()))
