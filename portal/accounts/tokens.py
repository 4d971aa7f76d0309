"""One-time addresses: the first setup, an invitation, a new password, a new email. Each works once."""

from datetime import datetime

from sqlalchemy import select, update

from portal import audit
from portal.accounts.passwords import hash_password, require_good_password
from portal.accounts.people import actor_of, add_first_user, get_user, has_users, shortest_password, store_password
from portal.actors import PORTAL, Actor
from portal.errors import TokenGone, TokenNotFound
from portal.extensions import db, lock_on, transaction
from portal.models import OneTimeToken, User, db_later, db_now
from portal.tokens import is_token, make_token, token_hash

LIFETIME = {"setup": 3600, "invitation": 7 * 86400, "reset": 24 * 3600, "email": 24 * 3600}
"""Seconds an address works, by purpose, where nothing else was said."""
SETS_PASSWORD = ("invitation", "reset")
USED = "This address was used already, or a newer one took its place. Sign in, or ask an administrator for a new one."
SET_UP = "The portal is set up already. Sign in."
NOT_SET_UP = "This address has expired. Start the portal again: it prints a new one."


def issue_token(
    actor: Actor | None,
    purpose: str,
    user_id: int | None = None,
    *,
    seconds: int | None = None,
    email: str | None = None,
) -> str:
    """A new one-time token; older ones of the same purpose and person stop working, all or those the portal sent.

    ``seconds`` is how long it works, if not as ``LIFETIME`` says, and ``email`` the address it is to confirm.
    """
    token = make_token()
    with transaction() as session:
        lock_on(f"token:{purpose}:{user_id}")
        older = [OneTimeToken.purpose == purpose, OneTimeToken.user_id == user_id, OneTimeToken.used_at.is_(None)]
        if actor is PORTAL:  # anybody can have it send one: what an administrator handed out goes on
            older.append(OneTimeToken.created_by_id.is_(None))
        session.execute(update(OneTimeToken).where(*older).values(used_at=db_now()))
        session.add(
            OneTimeToken(
                token_hash=token_hash(purpose, token),
                purpose=purpose,
                user_id=user_id,
                created_by_id=actor.user_id if actor else None,
                expires_at=session.scalars(select(db_later(seconds or LIFETIME[purpose]))).one(),
                email=email,
            )
        )
        thing = ("user", user_id) if user_id else None
        audit.record_event("token.issued", actor=actor, thing=thing, purpose=purpose)
    return token


def expiry_of(purpose: str, token: str) -> datetime:
    """Until when a token that was just issued works."""
    return db.session.scalars(
        select(OneTimeToken.expires_at).where(OneTimeToken.token_hash == token_hash(purpose, token))
    ).one()


def find_token(token: str) -> OneTimeToken | None:
    """The token if it still works. A setup token works only while nobody has an account."""
    if not is_token(token):
        return None
    live = (OneTimeToken.used_at.is_(None), OneTimeToken.expires_at > db_now())
    found = db.session.scalar(select(OneTimeToken).where(OneTimeToken.token_hash.in_(_hashes(token)), *live))
    if found is None or (found.purpose == "setup" and has_users()):
        return None
    if found.user_id is not None and get_user(found.user_id).disabled_at is not None:
        return None
    return found


def require_token(token: str) -> OneTimeToken:
    """The token, which still works. Raises TokenNotFound for one that never was, TokenGone for one that was."""
    found = find_token(token)
    if found is None:
        raise _refusal(token)
    return found


def spend_setup_token(token: str, email: str, name: str, password: str) -> User:
    """Make the first administrator. Of any number at once exactly one succeeds; the others get TokenGone."""
    require_good_password(password, name, email)
    hashed = hash_password(password)
    with transaction():
        lock_on("setup")  # two addresses may have been issued at once
        spend(token, "setup")
        if has_users():
            raise TokenGone(SET_UP)
        return add_first_user(email, name, hashed)


def spend_token(token: str, password: str) -> User:
    """Set the password of the person an invitation or reset was made for. Raises like ``require_token``."""
    found = require_token(token)
    if found.user_id is None or found.purpose not in SETS_PASSWORD:
        raise TokenNotFound
    user = get_user(found.user_id)
    require_good_password(password, user.name, user.email, shortest=shortest_password(user.id))
    hashed = hash_password(password)
    with transaction():
        spend(token, found.purpose)
        store_password(actor_of(user), user.id, hashed)
    return user


def spend(token: str, purpose: str) -> None:
    """Use the token up, inside the transaction of what it is for. Raises like ``require_token``."""
    open_ones = (OneTimeToken.token_hash == token_hash(purpose, token), OneTimeToken.used_at.is_(None))
    statement = update(OneTimeToken).where(*open_ones, OneTimeToken.expires_at > db_now()).values(used_at=db_now())
    if db.session.execute(statement.returning(OneTimeToken.id)).first() is None:
        raise _refusal(token)


def _hashes(token: str) -> list[bytes]:
    return [token_hash(purpose, token) for purpose in LIFETIME]


def _refusal(token: str) -> TokenNotFound:
    """Why a token does not work."""
    known = db.session.scalar(select(OneTimeToken).where(OneTimeToken.token_hash.in_(_hashes(token))))
    if known is None:
        return TokenNotFound()
    if known.purpose == "setup":
        return TokenGone(SET_UP if has_users() else NOT_SET_UP)
    return TokenGone(USED if known.used_at is not None else None)
