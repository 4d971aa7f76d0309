"""Viewing as: an administrator sees the portal as somebody else does, in one session, and changes nothing."""

from sqlalchemy import update

from portal import audit
from portal.accounts.sessions import SignedIn, record_view_ended
from portal.errors import Conflict, Forbidden, NotFound
from portal.extensions import transaction
from portal.models import Session, User

OWN = "This is your own account: you see the portal as you do."
ADMINISTRATOR = "An administrator sees everything, as you do."
DISABLED = "The account is disabled: this person sees nothing of the portal."


def start_viewing(admin: SignedIn, user_id: int) -> None:
    """From the next request of this session on, show the portal as that person sees it.

    Raises Conflict for oneself, for administrators and for disabled accounts, and Forbidden outside of a session.
    """
    with transaction() as session:
        user = session.get_one(User, user_id, with_for_update={"read": True})
        reason = _refusal(admin, user)
        if reason:
            raise Conflict(reason)
        mine = (Session.id == admin.session_id, Session.user_id == admin.user_id)
        seen = update(Session).where(*mine).values(viewing_as_id=user_id).returning(Session.id)
        if session.execute(seen).first() is None:
            raise Forbidden
        audit.record_event("view.started", actor=admin, thing=("user", user_id))


def stop_viewing(person: SignedIn) -> int:
    """End it; the id of whose portal it was. Raises NotFound when nobody is viewed."""
    if person.viewer_id is None or person.user_id is None:
        raise NotFound
    with transaction() as session:
        session.execute(update(Session).where(Session.id == person.session_id).values(viewing_as_id=None))
        record_view_ended(person)
    return person.user_id


def _refusal(admin: SignedIn, user: User) -> str:
    if user.id == admin.user_id:
        return OWN
    if user.disabled_at is not None:
        return DISABLED
    return ADMINISTRATOR if user.is_admin else ""
