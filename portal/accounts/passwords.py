"""Passwords: argon2id, NFKC, never more than two being hashed at once in a worker, and no connection held meanwhile."""

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from portal.accounts.guessable import is_guessable
from portal.errors import BadInput, Busy
from portal.extensions import release_connection, settings

MINIMUM, MAXIMUM = 15, 1024
"""Characters of a password that stands alone (NIST SP 800-63B-4, 3.1.1.2), counted by ``length``."""
SHORTEST = 8
"""Of one that lets nobody in without a second factor."""
AT_ONCE, WAITING = 2, 16
REPEATED = 4

_running = threading.BoundedSemaphore(AT_ONCE)
_admitted = threading.BoundedSemaphore(AT_ONCE + WAITING)


def require_good_password(password: str, *personal: str, shortest: int = MINIMUM) -> None:
    """Raise BadInput with the reason unless this may be a password; ``personal`` are words it must not consist of.

    ``shortest`` is ``SHORTEST`` for somebody who has a second factor.
    """
    if length(password) < shortest:
        raise BadInput(f"A password needs at least {shortest} characters. A sentence is easy to remember.")
    if len(password) > MAXIMUM:
        raise BadInput(f"A password may have at most {MAXIMUM} characters.")
    folded = _normal(password).casefold()
    if is_guessable(folded, settings().name):
        raise BadInput("This password is too easy to guess. Take a few words that do not belong together.")
    if any(len(word) > REPEATED and folded.replace(word.casefold(), "") == "" for word in personal):
        raise BadInput("A password must be more than your name or address.")


def length(password: str) -> int:
    """How many characters a password has: the same however a keyboard puts accents, and without what nobody sees.

    What is hashed is NFKC, which can make more of one sign than was typed; those do not count.
    """
    typed = password[: MAXIMUM + 1]
    return min(map(_seen, (unicodedata.normalize("NFC", typed), _normal(typed))))


def hash_password(password: str) -> str:
    """The argon2id hash to store, parameters included. Raises Busy when too many wait already."""
    with _place():
        return _hasher().hash(_normal(password))


def check_password(stored: str | None, password: str) -> bool:
    """Whether the password belongs to the hash. Without a hash the same work is done, so that time tells nothing."""
    if len(password) > MAXIMUM:
        return False
    with _place():
        try:
            _hasher().verify(stored or _dummy(), _normal(password))
        except (VerificationError, InvalidHashError):
            return False
        return bool(stored)


def needs_rehash(stored: str) -> bool:
    """Whether the hash was made with other parameters than those in force."""
    return _hasher().check_needs_rehash(stored)


@contextmanager
def _place() -> Iterator[None]:
    if not _admitted.acquire(blocking=False):
        raise Busy
    try:
        release_connection()  # none is held while somebody waits or a hash is computed
        with _running:
            yield
    finally:
        _admitted.release()


def _hasher() -> PasswordHasher:
    return _make_hasher(settings().password_memory, settings().password_passes)


@cache
def _make_hasher(memory: int, passes: int) -> PasswordHasher:
    return PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=1, type=Type.ID)


def _dummy() -> str:
    return _make_dummy(settings().password_memory, settings().password_passes)


@cache
def _make_dummy(memory: int, passes: int) -> str:
    return _make_hasher(memory, passes).hash("nobody has this password")


def _seen(text: str) -> int:
    return sum(unicodedata.category(character) != "Cf" for character in text)


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode()
