"""The tokens of other people's programs: administrators see them on a person's page and take them back."""

from flask import Blueprint
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.views import forms
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("people_tokens", __name__, url_prefix="/admin/people/<user_id>/tokens")


@bp.post("/<token_id>/revoke")
@allow("administrator")
def revoke(user_id: str, token_id: str) -> AnyResponse:
    """Take one token of a person back."""
    user = accounts.get_user(forms.path_id(user_id))
    accounts.revoke_api_token(person(), user.id, forms.path_id(token_id))
    return done("token-revoked", "people.edit", user_id=user.id)


@bp.post("/revoke")
@allow("administrator")
def revoke_all(user_id: str) -> AnyResponse:
    """Take all of them back."""
    user = accounts.get_user(forms.path_id(user_id))
    accounts.revoke_api_tokens(person(), user.id)
    return done("tokens-revoked", "people.edit", user_id=user.id)
