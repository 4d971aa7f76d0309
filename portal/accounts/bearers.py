"""Who comes with a token in the ``Authorization`` header: a program that acts for a person."""

from datetime import datetime

from sqlalchemy import bindparam, select, update

from portal.accounts.api_tokens import PURPOSE
from portal.accounts.sessions import SEEN_EVERY, SignedIn
from portal.accounts.throttle import record_try
from portal.errors import BearerRefused
from portal.extensions import find_one, settings, transaction
from portal.models import ApiToken, User, db_now
from portal.prepared import Prepared
from portal.tokens import is_token, token_hash

MINUTE = 60

_FIND = Prepared(
    select(ApiToken.id, ApiToken.scopes, ApiToken.used_at, db_now())
    .add_columns(User.id, User.is_admin, User.name, User.email, User.visited_at, User.timezone)
    .join(User, User.id == ApiToken.user_id)
    .where(ApiToken.token_hash == bindparam("token_hash"), User.disabled_at.is_(None))
    .where(ApiToken.revoked_at.is_(None), ApiToken.expires_at > db_now())
)


def require_bearer(token: str, network: str) -> SignedIn:
    """The person a program acts for, by one query; that it was used is written at most every five minutes.

    Their own visits are left alone: what a program fetches was not seen by anybody. Raises BearerRefused for a token
    that is unknown, over or of a disabled account (and counts it against the network: TooManyTries).
    """
    row = find_one(_FIND, token_hash=token_hash(PURPOSE, token)) if is_token(token) else None
    if row is None:
        record_try((f"unknown:{network}", settings().unknown_tries, MINUTE))
        raise BearerRefused
    token_id, scopes, used_at, now, user_id, is_admin, name, email, visited_at, timezone = row
    _note_use(token_id, used_at, now)
    return SignedIn(
        user_id=user_id,
        is_admin=is_admin,
        network=network,
        token_id=token_id,
        name=name,
        email=email,
        visited_at=visited_at,
        timezone=timezone,
        scopes=frozenset(scopes.split()),
    )


def _note_use(token_id: int, used_at: datetime | None, now: datetime) -> None:
    if used_at is None or now - used_at >= SEEN_EVERY:
        with transaction() as session:
            session.execute(update(ApiToken).where(ApiToken.id == token_id).values(used_at=db_now()))
