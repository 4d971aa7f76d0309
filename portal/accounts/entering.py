"""Coming in: whoever proved who they are gets a session, unless a second factor is due first."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select

from portal.accounts.devices import find_device
from portal.accounts.factors import has_second_factor, hold_rules, must_have_second_factor
from portal.accounts.history import record_refusal
from portal.accounts.passwords import MINIMUM, check_password, length
from portal.accounts.people import refresh_hash
from portal.accounts.sessions import SESSIONS_EACH, start_session
from portal.accounts.spelling import email_key
from portal.accounts.throttle import guess_limits, one_try
from portal.errors import SignInFailed
from portal.extensions import db, transaction
from portal.models import PendingSignIn, User, db_later, db_now
from portal.tokens import is_token, make_token, token_hash

PENDING = "pending"
PENDING_SECONDS, SET_UP_SECONDS = 600, 1800
"""How long somebody may take to find the phone; and to install an app, who has no second factor yet."""


@dataclass(frozen=True)
class Entered:
    """Signed in: the token of the new session."""

    token: str


@dataclass(frozen=True)
class SecondFactorDue:
    """The first factor was right, and a second one is due: the token of the sign-in that waits for it.

    It waits for ten minutes; for half an hour when a second factor is to be set up first.
    """

    token: str


def sign_in(
    email: str, password: str, *, network: str, agent: str, devices: Sequence[str] = ()
) -> Entered | SecondFactorDue:
    """Let a person in by address and password, or as far as the second factor.

    Tries are counted before any hashing; ``devices`` are the tokens of a browser that has signed in before. Raises
    SignInFailed, the same for an unknown address, a wrong password and a disabled account, and TooManyTries.
    """
    with one_try(*guess_limits(email, network, find_device(email, devices))):
        columns = select(User.id, User.password_hash, User.disabled_at).where(User.email_key == email_key(email))
        user_id, password_hash, disabled_at = db.session.execute(columns).first() or (None, None, None)
        stored = password_hash if disabled_at is None else None
        if not check_password(stored, password) or user_id is None or stored is None:
            record_refusal(user_id, "password", network=network, agent=agent)
            raise SignInFailed
    stored = refresh_hash(user_id, stored, password)
    is_short = length(password) < MINIMUM
    return enter(user_id, "password", network=network, agent=agent, password_hash=stored, is_weak=is_short)


def enter(
    user_id: int,
    method: str,
    *,
    network: str,
    agent: str,
    password_hash: str | None = None,
    is_two_factor: bool = False,
    is_weak: bool = False,
) -> Entered | SecondFactorDue:
    """Let a person in whose first factor was right; call it for every way in, and nothing else.

    ``method`` is that factor: ``password``, ``passkey``, ``provider`` or ``address`` (one-time). ``password_hash`` is
    the hash the password was checked against: one that was changed since lets nobody in. ``is_two_factor`` says that
    the method was two factors at once, as a passkey that verified the person is; ``is_weak`` that it may not stand
    alone, as a short password may not: a second factor is due whatever the rule says.

    Raises SignInFailed for an account that is disabled, or a password changed, since the factor was checked.
    """
    with transaction() as session:
        hold_rules(is_shared=True)
        user = session.get(User, user_id, with_for_update=True)
        is_same = user is not None and (password_hash is None or user.password_hash == password_hash)
        if user is None or user.disabled_at is not None or not is_same:
            raise SignInFailed
        has_one = has_second_factor(user_id)
        if is_two_factor or not (has_one or is_weak or must_have_second_factor(user_id)):
            token = start_session(user_id, network=network, agent=agent, method=method, is_two_factor=is_two_factor)
            return Entered(token)
        return SecondFactorDue(_wait(user, method, PENDING_SECONDS if has_one else SET_UP_SECONDS))


def find_pending(token: str) -> PendingSignIn | None:
    """The sign-in that waits for its second factor; None for one that is unknown or over."""
    if not is_token(token):
        return None
    live = (PendingSignIn.token_hash == token_hash(PENDING, token), PendingSignIn.expires_at > db_now())
    return db.session.scalar(select(PendingSignIn).where(*live))


def _wait(user: User, method: str, seconds: int) -> str:
    """The token of a sign-in that waits; inside the transaction that holds the person."""
    token = make_token()
    row = PendingSignIn(
        token_hash=token_hash(PENDING, token),
        user_id=user.id,
        method=method,
        password_hash=user.password_hash,
        expires_at=db.session.scalars(select(db_later(seconds))).one(),
    )
    db.session.add(row)
    db.session.flush()
    mine = PendingSignIn.user_id == user.id
    kept = select(PendingSignIn.id).where(mine).order_by(PendingSignIn.id.desc()).limit(SESSIONS_EACH)
    db.session.execute(delete(PendingSignIn).where(mine, PendingSignIn.id.not_in(kept)))
    db.session.execute(delete(PendingSignIn).where(PendingSignIn.expires_at <= db_now()))
    return token
