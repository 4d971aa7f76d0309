"""Quotas of people and groups, on their pages."""

from flask import Blueprint
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.accounts.quotas import change_quota_of_group, change_quota_of_person
from portal.errors import BadInput, Conflict
from portal.sizes import read_size
from portal.views import forms
from portal.views.admin.groups import group_page
from portal.views.admin.people import person_page
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("quotas", __name__, url_prefix="/admin")


@bp.post("/people/<user_id>/quota")
@allow("administrator")
def change_of_person(user_id: str) -> AnyResponse:
    """How many bytes one person may have put in; an empty field for no limit."""
    user = accounts.get_user(forms.path_id(user_id))
    try:
        change_quota_of_person(person(), user.id, read_size(forms.text("quota")))
    except (BadInput, Conflict) as problem:
        return person_page(user, problem)
    return done("quota-changed", "people.edit", user_id=user.id)


@bp.post("/groups/<group_id>/quota")
@allow("administrator")
def change_of_group(group_id: str) -> AnyResponse:
    """The same of all people of a group together."""
    group = accounts.get_group(forms.path_id(group_id))
    try:
        change_quota_of_group(person(), group.id, read_size(forms.text("quota")))
    except BadInput as problem:
        return group_page(group, problem)
    return done("quota-changed", "groups.edit", group_id=group.id)
