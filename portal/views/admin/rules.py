"""Rules of the sign-in: of whom a second factor is asked; and help for people who lost theirs."""

from typing import cast

from flask import Blueprint, Response
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.accounts.rules import OF, Of, ask_group, change_second_factor_rule, reset_factors, second_factor_rule
from portal.errors import BadInput, Conflict, PortalError
from portal.models import User
from portal.views import forms
from portal.views.admin import house
from portal.views.admin.groups import group_page
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("rules", __name__, url_prefix="/admin")


@bp.get("/security")
@allow("administrator", fresh=True)
def show() -> Response:
    """The rule of the house."""
    return _page()


@bp.post("/security")
@allow("administrator", fresh=True)
def change() -> AnyResponse:
    """Ask a second factor of nobody, of administrators, or of everybody."""
    try:
        change_second_factor_rule(person(), cast("Of", forms.choice("of", OF)))
    except (BadInput, Conflict) as problem:
        return _page(problem)
    return done("rule-changed", "rules.show")


@bp.post("/groups/<group_id>/second-factor")
@allow("administrator", fresh=True, page="groups.edit")
def ask_of_group(group_id: str) -> AnyResponse:
    """Ask one of everybody in a group, or no more."""
    group, asks = accounts.get_group(forms.path_id(group_id)), forms.flag("asks")
    try:
        ask_group(person(), group.id, asks=asks)
    except Conflict as problem:
        return group_page(group, problem)
    return done("group-asks" if asks else "group-asks-not", "groups.edit", group_id=group.id)


@bp.get("/people/<user_id>/factors")
@allow("administrator", fresh=True)
def ask_reset(user_id: str) -> Response:
    """What removing the second factors of a person means."""
    return _reset_page(_get(user_id))


@bp.post("/people/<user_id>/factors")
@allow("administrator", fresh=True)
def reset(user_id: str) -> AnyResponse:
    """Remove them."""
    user = _get(user_id)
    try:
        reset_factors(person(), user.id)
    except Conflict as problem:
        return _reset_page(user, problem)
    return done("factors-reset", "people.edit", user_id=user.id)


def _get(user_id: str) -> User:
    return accounts.get_user(forms.path_id(user_id))


def _page(problem: PortalError | None = None) -> Response:
    return house.show("admin/rules.html", rule=second_factor_rule(), problem=problem)


def _reset_page(user: User, problem: PortalError | None = None) -> Response:
    return house.show("admin/factors_reset.html", user=user, problem=problem)
