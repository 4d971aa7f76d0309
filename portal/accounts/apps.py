"""Apps that show codes (TOTP, RFC 6238): six digits, another each half minute, and none is taken twice."""

import hmac
import re
import unicodedata
from datetime import datetime

import pyotp
from sqlalchemy import delete, select, update

from portal import audit
from portal.accounts.letters import tell
from portal.accounts.people import get_user
from portal.actors import Actor
from portal.errors import CodeWrong
from portal.extensions import db, settings, transaction
from portal.models import AuthenticatorApp, User, db_now

STEP_SECONDS = 30
DRIFT = (0, -1, 1)
"""Steps a clock may be off."""
SECRET_LENGTH = 32
"""Characters of base32: 160 bits, as RFC 4226 recommends."""
CODE = re.compile(r"[0-9]{6}", re.ASCII)
SET_UP = "An app that shows codes was set up. From now on your sign-in asks for one of them."
REPLACED = "The app that shows codes was replaced by another one. The one before opens nothing any more."
REMOVED = "The app that shows codes was removed. Its codes open nothing any more."


def make_secret() -> str:
    """A new secret for an app; it counts for nothing until a code of it was given back to ``add_app``."""
    return pyotp.random_base32(SECRET_LENGTH)


def app_address(user: User, secret: str) -> str:
    """What an app reads from the picture: the secret, and what it is for."""
    return pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=settings().name)


def find_app(user_id: int) -> AuthenticatorApp | None:
    """The app of a person."""
    return db.session.scalar(select(AuthenticatorApp).where(AuthenticatorApp.user_id == user_id))


def add_app(actor: Actor, user_id: int, secret: str, code: str) -> bool:
    """Let codes of an app with this secret count for a person, in place of one they have; False when they had none.

    ``secret`` is one of ``make_secret``. Raises CodeWrong unless the code is what the app shows now.
    """
    with transaction() as session:
        user = session.get_one(User, user_id, with_for_update=True)
        counter = _counter_of(secret, code)
        if counter is None:
            raise CodeWrong
        before = delete(AuthenticatorApp).where(AuthenticatorApp.user_id == user_id)
        is_another = session.scalar(before.returning(AuthenticatorApp.user_id)) is not None
        session.add(AuthenticatorApp(user_id=user_id, secret=secret, last_counter=counter))
        audit.record_event("app.replaced" if is_another else "app.added", actor=actor, thing=("user", user_id))
        tell(user, "second_factor_changed", what=REPLACED if is_another else SET_UP)
    return is_another


def remove_app(actor: Actor | None, user_id: int) -> bool:
    """Let the app of a person open nothing any more; False when there is none. What hangs on it is the caller's."""
    with transaction() as session:
        removed = delete(AuthenticatorApp).where(AuthenticatorApp.user_id == user_id).returning(AuthenticatorApp.id)
        if session.execute(removed).first() is None:
            return False
        audit.record_event("app.removed", actor=actor, thing=("user", user_id))
        tell(get_user(user_id), "second_factor_changed", what=REMOVED)
    return True


def take_code(user_id: int, code: str) -> bool:
    """Whether the app of the person shows this code, which is used up with it; inside a transaction.

    Of any number at once one succeeds: the step of the last code is raised by one conditional statement.
    """
    app = find_app(user_id)
    counter = _counter_of(app.secret, code) if app is not None else None
    if app is None or counter is None:
        return False
    unused = (AuthenticatorApp.id == app.id, AuthenticatorApp.last_counter < counter)
    taken = update(AuthenticatorApp).where(*unused).values(last_counter=counter).returning(AuthenticatorApp.id)
    return db.session.execute(taken).first() is not None


def _counter_of(secret: str, code: str) -> int | None:
    """The step whose code this is, by the clock of the database; None for one that is not shown about now."""
    typed = "".join(unicodedata.normalize("NFKC", code[:40]).split())
    if CODE.fullmatch(typed) is None:
        return None
    now: datetime = db.session.scalars(select(db_now())).one()
    present, totp = int(now.timestamp()) // STEP_SECONDS, pyotp.TOTP(secret)
    steps = [present + drift for drift in DRIFT]
    matching = [step for step in steps if hmac.compare_digest(totp.generate_otp(step), typed)]
    return matching[0] if matching else None
