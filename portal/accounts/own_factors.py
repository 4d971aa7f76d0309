"""What people change about their own second factors; the pages ask for a fresh sign-in before."""

from collections.abc import Sequence

from sqlalchemy import update

from portal.accounts.apps import add_app, remove_app
from portal.accounts.confirming import require_password
from portal.accounts.factors import has_passkey, has_second_factor, require_not_asked
from portal.accounts.passwords import MINIMUM, length
from portal.accounts.people import get_user
from portal.accounts.recovery import count_recovery_codes, forget_recovery_codes, issue_recovery_codes
from portal.accounts.sessions import SignedIn
from portal.errors import BadInput, Conflict
from portal.extensions import transaction
from portal.models import Session, User, db_now

TOO_SHORT = (
    f"Your password has fewer than {MINIMUM} characters, which is enough only beside a second factor."
    " Change it first, then remove the app."
)


def set_up_own_app(person: SignedIn, secret: str, code: str) -> list[str]:
    """Give the person in a session an app, or another one; their first recovery codes, or none when they have some.

    From now on the session counts as one in which a second factor was passed. Raises CodeWrong.
    """
    user_id = person.user_id or 0
    with transaction() as session:
        add_app(person, user_id, secret, code)
        passed = update(Session).where(Session.id == person.session_id, Session.user_id == user_id)
        session.execute(passed.values(second_factor_at=db_now()))
        return [] if count_recovery_codes(user_id) else issue_recovery_codes(person, user_id)


def remove_own_app(person: SignedIn, password: str, devices: Sequence[str] = ()) -> None:
    """Remove the person's app. Without any factor left the recovery codes go too, and the password stands alone.

    So it is asked for then, and has to be long enough: raises Forbidden, TooManyTries, and BadInput for a short one.
    Raises Conflict when a second factor is asked of the person and this is the last.
    """
    user_id = person.user_id or 0
    stood_alone = password_stands_alone_without_app(user_id)
    if stood_alone:
        require_password(person, password, devices)
        if length(password) < MINIMUM:
            raise BadInput(TOO_SHORT, field="password")
    with transaction() as session:
        user = session.get_one(User, user_id, with_for_update=True)
        if not remove_app(person, user_id):
            return
        require_not_asked(user_id)
        if not has_second_factor(user_id):
            if user.password_hash is not None and not stood_alone:
                raise Conflict  # the other factor was removed meanwhile, and nobody looked at the password
            forget_recovery_codes(user_id)


def password_stands_alone_without_app(user_id: int) -> bool:
    """Whether nothing but a password would prove who the person is once their app is removed."""
    return get_user(user_id).password_hash is not None and not has_passkey(user_id)


def issue_own_recovery_codes(person: SignedIn) -> list[str]:
    """Ten new recovery codes for somebody who has a second factor; those before stop working. Raises Conflict."""
    user_id = person.user_id or 0
    with transaction() as session:
        session.get_one(User, user_id, with_for_update=True)
        if not has_second_factor(user_id):
            raise Conflict("Recovery codes stand in for a second factor. Set one up first.")
        return issue_recovery_codes(person, user_id)
