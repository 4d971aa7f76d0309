"""Invitations: an account, its groups and the one-time address to set a password at, all or nothing."""

from collections.abc import Iterable

from sqlalchemy import select

from portal.accounts.factors import hold_rules
from portal.accounts.groups import join_group
from portal.accounts.letters import send_address
from portal.accounts.listing import state_of_person
from portal.accounts.people import add_user, change_user, get_account
from portal.accounts.references import change_reference
from portal.accounts.tokens import expiry_of, issue_token
from portal.actors import Actor
from portal.errors import Conflict
from portal.extensions import transaction
from portal.models import User

OWN = "This is your own account. Change your password on your account page, or ask another administrator."


def invite_user(
    actor: Actor | None, email: str, name: str, *, is_admin: bool = False, group_ids: Iterable[int] = ()
) -> tuple[User, str]:
    """Add an account in these groups, and the token of its invitation, which goes out by mail, too.

    Raises like ``add_user``, and GroupNotFound.
    """
    with transaction():
        hold_rules()
        user = add_user(actor, email, name, is_admin=is_admin)
        for group_id in group_ids:
            join_group(actor, group_id, user.id)
        token = _issue(actor, "invitation", user)
    return user, token


def correct_user(
    actor: Actor | None, user_id: int, *, name: str, is_admin: bool, email: str, reference: str | None = None
) -> tuple[User, str | None]:
    """Change an account like ``change_user``, and its reference unless it is None; invite who has no way in yet once
    more, at their new address.

    Gives the token of that invitation, None when there is none: the address is the old one, or they have a way in.
    """
    with transaction() as session:
        old_email = session.scalar(select(User.email).where(User.id == user_id))
        user = change_user(actor, user_id, name=name, is_admin=is_admin, email=email)
        if reference is not None:
            change_reference(actor, user_id, reference)
        is_waiting = state_of_person(user) == "waiting"
        return user, _issue(actor, "invitation", user) if is_waiting and user.email != old_email else None


def issue_address(actor: Actor | None, user_id: int) -> str:
    """The token of a new one-time address: an invitation for who never set a password, else one to set a new one.

    It goes out by mail, too. Older ones stop working. Raises Conflict for a disabled account, where it would open
    nothing, and for one's own: whoever finds a session left open would be signed in anew, and stay.
    """
    if actor is not None and user_id in (actor.user_id, actor.viewer_id):
        raise Conflict(OWN)
    with transaction():
        user = get_account(user_id)
        if user.disabled_at is not None:
            raise Conflict("This account is disabled. Enable it first, then make an address.")
        return _issue(actor, "reset" if user.password_hash else "invitation", user)


def _issue(actor: Actor | None, purpose: str, user: User) -> str:
    token = issue_token(actor, purpose, user.id)
    send_address(user, purpose, token, expiry_of(purpose, token))
    return token
