"""Fresh sign-in: who does something dangerous proves once more who they are, in the session they have."""

from sqlalchemy import select, update

from portal import audit
from portal.accounts.passwords import check_password
from portal.accounts.sessions import SignedIn
from portal.accounts.throttle import clear_try, record_guess
from portal.errors import Busy, Forbidden, NotFound
from portal.extensions import db, transaction
from portal.models import Session, User, db_now

WRONG_PASSWORD = "This is not your password. Nothing was changed."  # noqa: S105 - a sentence


def confirm_by_password(person: SignedIn, password: str) -> None:
    """Take the session for fresh when this is the password of its person.

    Tries are counted before any hashing, and together with those at sign-in. Raises Forbidden and TooManyTries.
    """
    tries = record_guess(person.email, person.network)
    stored = db.session.scalar(select(User.password_hash).where(User.id == person.user_id))
    try:
        is_right = check_password(stored, password)
    except Busy:
        clear_try(tries)  # nothing was guessed
        raise
    if not is_right:
        raise Forbidden(WRONG_PASSWORD, field="password")
    clear_try(tries)
    make_fresh(person, password_hash=stored)


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
