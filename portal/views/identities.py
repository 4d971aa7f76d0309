"""The accounts at a provider that people are linked with: theirs to see and to remove, an administrator's to remove."""

from flask import Blueprint, Response
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.errors import Conflict
from portal.views import forms
from portal.views.guard import allow, person
from portal.views.notices import done
from portal.views.pages import answer, render

bp = Blueprint("identities", __name__)


@bp.get("/account/identities")
@allow("signed in")
def show() -> Response:
    """What the person is linked with."""
    return _page()


@bp.post("/account/identities/<identity_id>/remove")
@allow("signed in", fresh=True, page="identities.show")
def unlink(identity_id: str) -> AnyResponse:
    """Remove one of one's own."""
    try:
        accounts.unlink_identity(person(), forms.path_id(identity_id))
    except Conflict as problem:
        return _page(problem)
    return done("identity-removed", "identities.show")


@bp.post("/admin/people/<user_id>/identities/<identity_id>/remove")
@allow("administrator", fresh=True, page="people.edit")
def remove(user_id: str, identity_id: str) -> AnyResponse:
    """Remove one of somebody else's."""
    user = accounts.get_user(forms.path_id(user_id))
    accounts.remove_identity(person(), user.id, forms.path_id(identity_id))
    return done("identity-removed", "people.edit", user_id=user.id)


def _page(problem: Conflict | None = None) -> Response:
    user_id = person().user_id or 0
    page = render(
        "account/identities.html",
        identities=accounts.list_identities(user_id),
        is_linked=accounts.has_identity(user_id),
        problem=problem,
    )
    return answer(page, problem)
