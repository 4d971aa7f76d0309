"""The second factor: what a sign-in that waits for it can become, and how often one may guess.

A code is used up, the waiting ended and the session started in one transaction, or nothing of it happens.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import delete, func, select, update

from portal.accounts.apps import add_app, take_code
from portal.accounts.devices import find_device
from portal.accounts.entering import SET_UP_SECONDS, Entered, find_pending
from portal.accounts.factors import has_second_factor
from portal.accounts.history import record_refusal
from portal.accounts.recovery import issue_recovery_codes, take_recovery_code
from portal.accounts.sessions import start_session
from portal.accounts.throttle import DAY, guess_limits, one_try
from portal.actors import Actor
from portal.errors import CodeWrong, Conflict, PasskeyRefused, RecoveryCodeWrong, SignInOver
from portal.extensions import db, transaction
from portal.models import PendingSignIn, SignInAttempt, User, db_later, db_now

TRIES_EACH = 5
"""Wrong codes after which a sign-in has to begin anew."""


def require_pending(token: str) -> PendingSignIn:
    """The sign-in that waits for its second factor. Raises SignInOver."""
    pending = find_pending(token)
    if pending is None:
        raise SignInOver
    return pending


def enter_by_code(token: str, code: str, *, network: str, agent: str, devices: Sequence[str] = ()) -> Entered:
    """Finish a sign-in with a code that the person's app shows.

    Raises CodeWrong, also for one that was taken before; TooManyTries; and SignInOver.
    """

    def prove(user: User) -> None:
        if not take_code(user.id, code):
            raise CodeWrong

    with one_second_try(require_pending(token), "code", network=network, agent=agent, devices=devices):
        return enter_proven(token, "code", network=network, agent=agent, prove=prove)


def enter_by_recovery_code(token: str, code: str, *, network: str, agent: str, devices: Sequence[str] = ()) -> Entered:
    """The same with one of the recovery codes, which is gone with it. Raises RecoveryCodeWrong for any other."""

    def prove(user: User) -> None:
        who = Actor(user_id=user.id, is_admin=user.is_admin, network=network)
        # A code stands in for a factor; where there is none, one has to be set up.
        if not has_second_factor(user.id) or not take_recovery_code(who, user.id, code):
            raise RecoveryCodeWrong

    with one_second_try(require_pending(token), "recovery", network=network, agent=agent, devices=devices):
        return enter_proven(token, "recovery", network=network, agent=agent, prove=prove)


def enter_proven(
    token: str, factor: str, *, network: str, agent: str, prove: Callable[[User], None] = lambda user: None
) -> Entered:
    """A session for whoever waits with this token and has given the second factor, or does so by ``prove``.

    ``factor`` is what it was, see ``Session``.
    ``prove`` is called inside the transaction and raises what refuses. Raises SignInOver when the sign-in was used,
    has expired, or the account was disabled or got another password since it began.
    """
    with transaction() as session:
        user, method, _ = _end(token)
        prove(user)
        session.flush()
        return Entered(_start(user, method, factor, network=network, agent=agent))


@contextmanager
def one_second_try(
    pending: PendingSignIn, method: str, *, network: str, agent: str, devices: Sequence[str] = ()
) -> Iterator[None]:
    """Count a try to give the second factor before anything is checked, and take it back when it was right.

    It counts together with passwords, by account and network and by network; beside that by account in a day, and by
    sign-in: after five the sign-in is over. ``method`` is what the history of sign-ins calls it. CodeWrong and
    PasskeyRefused inside are wrong tries. Raises TooManyTries.
    """
    pending_id, user_id = pending.id, pending.user_id
    email = db.session.scalars(select(User.email).where(User.id == user_id)).one()
    device = find_device(email, devices)
    limits = [(_key(pending_id), TRIES_EACH, DAY), *guess_limits(email, network, device, is_second=True)]
    with one_try(*limits):
        try:
            yield
        except (CodeWrong, PasskeyRefused):
            record_refusal(user_id, method, network=network, agent=agent)
            _end_if_guessed(pending_id)
            raise


def set_up_app(token: str, secret: str, code: str, *, network: str) -> list[str]:
    """Give the person who waits a first app, as the rule asks, and their recovery codes, which are shown once.

    They are in with ``enter_set_up``. ``secret`` is one of ``make_secret``. Raises CodeWrong, SignInOver, and Conflict
    when they have a second factor already: it has to be given, not made.
    """
    with transaction() as session:
        user, pending = _hold(token)
        if has_second_factor(user.id):
            raise Conflict("A second factor was set up meanwhile. Sign in with it.")
        who = Actor(user_id=user.id, is_admin=user.is_admin, network=network)
        add_app(who, user.id, secret, code)
        codes = issue_recovery_codes(who, user.id)
        until = session.scalars(select(db_later(SET_UP_SECONDS))).one()
        session.execute(
            update(PendingSignIn).where(PendingSignIn.id == pending.id).values(passed_at=db_now(), expires_at=until)
        )
    return codes


def enter_set_up(token: str, *, network: str, agent: str) -> Entered:
    """A session for who has set up a second factor in this sign-in. Raises SignInOver, also when none was set up."""
    with transaction():
        user, method, has_passed = _end(token)
        if not has_passed:
            raise SignInOver
        return Entered(_start(user, method, "code", network=network, agent=agent))


def _start(user: User, method: str, factor: str, *, network: str, agent: str) -> str:
    client = {"network": network, "agent": agent}
    return start_session(user.id, **client, method=method, is_two_factor=True, second_factor=factor)


def _hold(token: str) -> tuple[User, PendingSignIn]:
    """The person who waits, held until the transaction ends, and what they wait with. Raises SignInOver."""
    pending = require_pending(token)
    user = db.session.get_one(User, pending.user_id, with_for_update=True)
    if user.disabled_at is not None or user.password_hash != pending.password_hash:
        raise SignInOver
    return user, pending


def _end(token: str) -> tuple[User, str, bool]:
    """End the waiting of the person, once; the first factor they gave and whether they set up a second in it."""
    user, pending = _hold(token)
    mine = (PendingSignIn.id == pending.id, PendingSignIn.expires_at > db_now())
    ended = delete(PendingSignIn).where(*mine).returning(PendingSignIn.method, PendingSignIn.passed_at)
    row = db.session.execute(ended).first()
    if row is None:
        raise SignInOver
    return user, row.method, row.passed_at is not None


def _end_if_guessed(pending_id: int) -> None:
    with transaction() as session:
        counted = (SignInAttempt.key == _key(pending_id), SignInAttempt.at > db_later(-DAY))
        if session.scalars(select(func.count()).where(*counted)).one() >= TRIES_EACH:
            session.execute(delete(PendingSignIn).where(PendingSignIn.id == pending_id))


def _key(pending_id: int) -> str:
    return f"pending:{pending_id}"
