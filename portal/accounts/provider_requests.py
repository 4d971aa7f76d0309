"""People on their way to the provider and back: each way is a row that is spent by deleting it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from portal.accounts.throttle import record_try
from portal.errors import ProviderRequestGone
from portal.extensions import settings, transaction
from portal.models import ProviderRequest, db_later, db_now
from portal.tokens import is_token, make_token, token_hash

REQUEST_SECONDS = 600
"""How long somebody may take to sign in at the provider."""
TARGET_LENGTH = 2000
PURPOSES = ("enter", "link", "prove")
"""To come in; to link the account there with the one somebody is signed in with here; to prove they are still there."""


@dataclass(frozen=True)
class Begun:
    """What goes along to the provider: ``state`` by the browser and in its cookie, ``nonce`` back in the token, and
    ``verifier`` (PKCE) from the portal alone."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Returned:
    """Somebody who came back: what for, from when on, and what they brought along then."""

    purpose: str
    nonce: str
    verifier: str
    target: str
    user_id: int | None
    begun_at: datetime


def begin_request(purpose: str, target: str, *, network: str, user_id: int | None = None) -> Begun:
    """Send somebody to the provider. Raises TooManyTries for a network that sends too many in a minute.

    ``target`` is the path to go on to, one that ``guard.safe_next`` has seen.
    """
    record_try((f"provider:{network}", settings().unknown_tries, 60))
    begun = Begun(state=make_token(), nonce=make_token(), verifier=make_token())
    with transaction() as session:
        session.execute(delete(ProviderRequest).where(ProviderRequest.expires_at <= db_now()))
        session.add(
            ProviderRequest(
                state_hash=_hash(purpose, begun.state),
                nonce=begun.nonce,
                verifier=begun.verifier,
                target=target if len(target) <= TARGET_LENGTH else "/",
                user_id=user_id,
                expires_at=session.scalars(select(db_later(REQUEST_SECONDS))).one(),
            )
        )
    return begun


def spend_request(state: str) -> Returned:
    """Whoever comes back with this state, once. Raises ProviderRequestGone."""
    if not is_token(state):
        raise ProviderRequestGone
    # The purpose is hashed in, so whoever was sent to prove something comes back for nothing else.
    hashes = {_hash(purpose, state): purpose for purpose in PURPOSES}
    columns = (ProviderRequest.state_hash, ProviderRequest.nonce, ProviderRequest.verifier, ProviderRequest.target)
    with transaction() as session:
        mine = (ProviderRequest.state_hash.in_(list(hashes)), ProviderRequest.expires_at > db_now())
        spent = delete(ProviderRequest).where(*mine)
        row = session.execute(spent.returning(*columns, ProviderRequest.user_id, ProviderRequest.expires_at)).first()
    if row is None:
        raise ProviderRequestGone
    state_hash, nonce, verifier, target, user_id, expires_at = row
    begun_at = expires_at - timedelta(seconds=REQUEST_SECONDS)
    return Returned(hashes[bytes(state_hash)], nonce, verifier, target, user_id, begun_at)


def _hash(purpose: str, state: str) -> bytes:
    return token_hash(f"provider-{purpose}", state)
