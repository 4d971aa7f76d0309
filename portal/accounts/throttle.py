"""The throttle on guessing: only failures stay counted, and they are counted before any work is done."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import delete, func, insert, select

from portal.accounts.spelling import email_key
from portal.errors import Busy, TooManyTries
from portal.extensions import lock_on, settings, transaction
from portal.models import SignInAttempt, db_later
from portal.tokens import token_hash

DAY, QUARTER = 24 * 3600, 15 * 60
KEEP_SECONDS = DAY
TRIES_A_DAY = 100
"""On one account, from wherever: many networks at work on a single one are held up as well."""

Limit = tuple[str, int, int]
"""What is counted, how many are allowed, within how many seconds."""


def record_try(*limits: Limit) -> list[int]:
    """Count one try under each limit, or raise TooManyTries when one is reached. Gives the ids of what was counted.

    Counting and checking are one transaction, so fifty tries at once are fifty tries, not one.
    """
    with transaction() as session:
        for key, allowed, seconds in limits:
            lock_on(key)
            recent = (SignInAttempt.key == key, SignInAttempt.at > db_later(-seconds))
            if session.scalars(select(func.count()).where(*recent)).one() >= allowed:
                raise TooManyTries(retry_after=seconds)
        session.execute(delete(SignInAttempt).where(SignInAttempt.at < db_later(-KEEP_SECONDS)))
        rows = [{"key": key} for key, _, _ in limits]
        return list(session.scalars(insert(SignInAttempt).returning(SignInAttempt.id), rows))


@contextmanager
def one_try(*limits: Limit) -> Iterator[None]:
    """Count one try before anything is looked at, and take it back when it turned out right, or could not be looked at.

    Whatever is raised inside was wrong, but for Busy. Raises TooManyTries.
    """
    tries = record_try(*limits)
    try:
        yield
    except Busy:
        _clear(tries)  # nothing was guessed
        raise
    _clear(tries)


def guess_limits(email: str, network: str, device: int | None = None, *, is_second: bool = False) -> list[Limit]:
    """What a try to prove to be the person of this address counts towards, whatever the means: passwords and codes
    together, by account and network, and by network alone; beside that by account in a day, from wherever.

    On a browser that has signed in as this person before (see ``find_device``) it counts there and nowhere else, so
    that nobody who guesses keeps it out. What ``is_second``, after a first factor that was right, has a day's tries of
    its own: who guesses passwords closes neither the way by a one-time address nor that by the provider.
    """
    limits, account = settings(), token_hash("account", email_key(email)).hex()
    if device is not None:
        return [(f"login:{account}:device-{device}", limits.login_tries, QUARTER)]
    return [
        (f"login:{account}:{network}", limits.login_tries, QUARTER),
        (f"login-network:{network}", limits.network_tries, QUARTER),
        (f"{'codes' if is_second else 'login'}-account:{account}", TRIES_A_DAY, DAY),
    ]


def _clear(ids: list[int]) -> None:
    """Take back tries that turned out right."""
    with transaction() as session:
        session.execute(delete(SignInAttempt).where(SignInAttempt.id.in_(ids)))
