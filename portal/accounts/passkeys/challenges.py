"""Challenges: what a passkey is to sign, each for one answer within five minutes; and what is common to all answers."""

import secrets
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from sqlalchemy import delete, select
from webauthn.helpers import parse_client_data_json

from portal import addresses
from portal.errors import BadInput, ChallengeGone, PasskeyRefused
from portal.extensions import settings, transaction
from portal.models import Challenge, db_later, db_now
from portal.settings import last_address

SECONDS = 300
LENGTH = 32
NOT_HERE = "Browsers allow passkeys only where a portal has a name and is reached by https."

Purpose = Literal["add", "enter", "prove"]
"""See ``Challenge``."""
Result = TypeVar("Result")


def is_possible() -> bool:
    """Whether browsers allow passkeys for the address people use; see ``addresses.passkey_host``."""
    return bool(addresses.passkey_host(last_address(settings())))


def host() -> str:
    """What passkeys belong to (the *relying party id*). Raises BadInput where none are possible."""
    found = addresses.passkey_host(last_address(settings()))
    if not found:
        raise BadInput(NOT_HERE)
    return found


def origin() -> str:
    """Where a browser must have asked for the passkey."""
    return addresses.origin(last_address(settings()))


def issue_challenge(purpose: Purpose, user_id: int | None = None) -> bytes:
    """A new challenge, 256 random bits; for anybody's passkey, or for one of this person alone."""
    challenge = secrets.token_bytes(LENGTH)
    with transaction() as session:
        session.execute(delete(Challenge).where(Challenge.expires_at <= db_now()))
        expires_at = session.scalars(select(db_later(SECONDS))).one()
        session.add(Challenge(challenge=challenge, purpose=purpose, user_id=user_id, expires_at=expires_at))
    return challenge


def spend_challenge(client_data: bytes, purpose: Purpose, user_id: int | None = None) -> bytes:
    """The challenge that was signed, used up by this, whatever else may be wrong with the answer.

    Of any number of answers at once one passes; a challenge of somebody else stays as it is. Raises ChallengeGone, and
    PasskeyRefused for what was signed on another site.
    """
    said = understood(lambda: parse_client_data_json(client_data))
    with transaction() as session:
        whose = Challenge.user_id == user_id if user_id is not None else Challenge.user_id.is_(None)
        this = (Challenge.challenge == said.challenge, Challenge.purpose == purpose, whose)
        live = (*this, Challenge.expires_at > db_now())
        spent = delete(Challenge).where(*live).returning(Challenge.id)
        if session.execute(spent).first() is None:
            raise ChallengeGone
    if said.origin != origin() or said.cross_origin:
        raise PasskeyRefused(f"Passkeys work at {origin()} and nowhere else. Open the portal there.")
    return said.challenge


def understood(read: Callable[[], Result], sentence: str | None = None) -> Result:
    """What ``webauthn`` makes of bytes of strangers. Raises PasskeyRefused whatever it stumbles over.

    It has errors of its own, but lets those of base64, JSON, CBOR and of keys that are none pass.
    """
    try:
        return read()
    except Exception as problem:
        raise PasskeyRefused(sentence) from problem


def fields(answer: object) -> dict[str, Any]:
    """The answer, which must be an object: a text would be read as JSON once more. Raises PasskeyRefused."""
    if not isinstance(answer, dict):
        raise PasskeyRefused
    return answer
