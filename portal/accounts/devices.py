"""Browsers that have signed in before: strangers who guess elsewhere cannot lock them out, and a new one is told of."""

from collections.abc import Iterable

from sqlalchemy import delete, literal, select, update

from portal.accounts.letters import tell
from portal.accounts.sessions import PURPOSE as OF_SESSION
from portal.accounts.spelling import email_key
from portal.extensions import db, transaction
from portal.models import KnownDevice, Session, User, db_now
from portal.programs import device
from portal.tokens import is_token, make_token, token_hash

PURPOSE = "device"
DEVICES_EACH = 20


def find_device(email: str, tokens: Iterable[str]) -> int | None:
    """The browser with one of these tokens, if the person of this address has signed in with it; asks nothing of a
    database when it has none.
    """
    hashes = _hashes(tokens)
    if not hashes:
        return None
    mine = (User.email_key == email_key(email), KnownDevice.token_hash.in_(hashes))
    return db.session.scalar(select(KnownDevice.id).join(User, User.id == KnownDevice.user_id).where(*mine))


def note_device(session_token: str, tokens: Iterable[str]) -> str | None:
    """Know the browser again in which somebody has just signed in; None when it is known, else its new token.

    Who signs in on one more device is told by mail. The one used longest ago beyond twenty is forgotten.
    """
    with transaction() as session:
        this = Session.token_hash == token_hash(OF_SESSION, session_token)
        found = session.execute(select(Session, User).join(User, User.id == Session.user_id).where(this)).first()
        if found is None:
            return None
        entered, user = found
        session.get_one(User, user.id, with_for_update=True)
        mine = KnownDevice.user_id == user.id
        known = update(KnownDevice).where(mine, KnownDevice.token_hash.in_(_hashes(tokens))).values(used_at=db_now())
        if session.execute(known.returning(KnownDevice.id)).first() is not None:
            return None
        if session.scalar(select(literal(1)).select_from(KnownDevice).where(mine).limit(1)) is not None:
            values = {"program": device(entered.agent), "network": entered.network, "moment": entered.created_at}
            tell(user, "session_new_device", **values)
        token = make_token()
        session.add(KnownDevice(user_id=user.id, token_hash=token_hash(PURPOSE, token)))
        session.flush()
        kept = select(KnownDevice.id).where(mine).order_by(KnownDevice.used_at.desc(), KnownDevice.id.desc())
        session.execute(delete(KnownDevice).where(mine, KnownDevice.id.not_in(kept.limit(DEVICES_EACH))))
    return token


def _hashes(tokens: Iterable[str]) -> list[bytes]:
    return [token_hash(PURPOSE, token) for token in tokens if is_token(token)]
