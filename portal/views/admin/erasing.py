"""Erasing a person for good: what goes and what stays is said before."""

from flask import Blueprint, Response
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts, catalog
from portal.errors import Conflict
from portal.views import forms
from portal.views.admin import house
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("erasing", __name__, url_prefix="/admin/people/<user_id>/erase")


@bp.get("")
@allow("administrator", fresh=True)
def ask(user_id: str) -> Response:
    """What goes, what stays, and the button."""
    return _page(user_id)


@bp.post("")
@allow("administrator", fresh=True)
def erase(user_id: str) -> AnyResponse:
    """Erase the person."""
    try:
        catalog.erase_person(person(), forms.path_id(user_id))
    except Conflict as problem:
        return _page(user_id, problem)
    return done("person-erased", "people.show")


def _page(user_id: str, problem: Conflict | None = None) -> Response:
    user = accounts.get_user(forms.path_id(user_id))
    name = accounts.erased_name(user.id)
    return house.show("admin/person_erase.html", user=user, new_name=name, problem=problem)
