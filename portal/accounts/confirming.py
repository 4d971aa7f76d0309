"""Fresh sign-in: who does something dangerous proves once more who they are, in the session they have."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from sqlalchemy import select, update

from portal import audit
from portal.accounts.apps import take_code
from portal.accounts.devices import find_device
from portal.accounts.history import record_refusal
from portal.accounts.passwords import check_password
from portal.accounts.sessions import SignedIn
from portal.accounts.throttle import guess_limits, one_try
from portal.errors import CodeWrong, Forbidden, NotFound
from portal.extensions import db, transaction
from portal.models import Session, User, db_now

WRONG_PASSWORD = "This is not your password. Nothing was changed."  # noqa: S105 - a sentence


def confirm_by_password(person: SignedIn, password: str, devices: Sequence[str] = ()) -> None:
    """Take the session for fresh when this is the password of its person. Raises Forbidden and TooManyTries."""
    make_fresh(person, password_hash=require_password(person, password, devices))


def require_password(person: SignedIn, password: str, devices: Sequence[str] = ()) -> str:
    """The hash of the person's password, if this is it.

    Tries are counted before any hashing, and together with those at sign-in. Raises Forbidden and TooManyTries.
    """
    with one_guess(person, devices):
        stored = db.session.scalar(select(User.password_hash).where(User.id == person.user_id))
        if not check_password(stored, password) or stored is None:
            record_refusal(person.user_id, "password", network=person.network, agent="")
            raise Forbidden(WRONG_PASSWORD, field="password")
    return stored


def confirm_by_code(person: SignedIn, code: str, devices: Sequence[str] = ()) -> None:
    """The same with a code that the person's app shows. Raises CodeWrong and TooManyTries."""
    with one_guess(person, devices):
        try:
            with transaction() as session:
                session.get(User, person.user_id, with_for_update=True)
                if person.user_id is None or not take_code(person.user_id, code):
                    raise CodeWrong(field="code")
                make_fresh(person)
        except CodeWrong:
            record_refusal(person.user_id, "code", network=person.network, agent="")
            raise


def one_guess(person: SignedIn, devices: Sequence[str]) -> AbstractContextManager[None]:
    """Count a try to prove who they are of somebody in a session, with those at sign-in; like ``one_try``."""
    return one_try(*guess_limits(person.email, person.network, find_device(person.email, devices)))


def make_fresh(person: SignedIn, *, password_hash: str | None = None) -> None:
    """Note that the person has just proved who they are, by whatever means; token and rights stay as they are.

    ``password_hash`` is the hash a password was checked against. Raises NotFound when the session has ended meanwhile,
    and Forbidden when the password is another one by now.
    """
    with transaction() as session:
        user = session.get(User, person.user_id, with_for_update=True)
        if user is None or (password_hash is not None and user.password_hash != password_hash):
            raise Forbidden(WRONG_PASSWORD, field="password")
        mine = (Session.id == person.session_id, Session.user_id == person.user_id)
        noted = session.execute(update(Session).where(*mine).values(fresh_at=db_now()).returning(Session.id))
        if noted.first() is None:
            raise NotFound
        audit.record_event("session.confirmed", actor=person, thing=("user", user.id))
