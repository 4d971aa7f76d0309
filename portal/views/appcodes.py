"""Setting up an app that shows codes: its secret as a picture and as text, before it counts for anything."""

from dataclasses import dataclass

import segno
from flask import current_app, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from portal.accounts.apps import app_address, make_secret
from portal.errors import Conflict
from portal.models import User

SECONDS = 3600
"""How long a page with a new secret may stay open."""
GROUP = 4
TOO_OLD = "The page was open too long. Scan the new picture and type the code that the app shows then."


@dataclass(frozen=True)
class Offer:
    """A new secret as a page shows it."""

    sealed: str
    """The secret and whose it is to be, signed: the form carries it, and nothing is kept until a code was right."""
    address: str
    """What opens an app on the same device (``otpauth:``)."""
    picture: str
    """The address of an SVG image that apps read: it is in the page itself."""
    words: str
    """The secret for people who type it, in groups of four."""


def offer(user: User, sealed: str = "") -> Offer:
    """A new secret for a person; the one they were shown before, while a form of theirs carries it."""
    secret = _unseal(user, sealed) or make_secret()
    address = app_address(user, secret)
    code = segno.make(address, error="m", micro=False)
    picture = code.svg_data_uri(scale=4, border=4, dark="#000", light="#fff")
    words = " ".join(secret[at : at + GROUP] for at in range(0, len(secret), GROUP))
    return Offer(_signer().dumps([user.id, secret]), address, picture, words)


def offered(user: User) -> str:
    """The secret that the form sent here was made with. Raises Conflict for one of somebody else, or too old."""
    secret = _unseal(user, request.form.get("sealed", ""))
    if not secret:
        raise Conflict(TOO_OLD)
    return secret


def _unseal(user: User, sealed: str) -> str:
    """The secret this person was offered; "" when it is none of ours."""
    try:
        user_id, secret = _signer().loads(sealed, max_age=SECONDS)
    except BadSignature:
        return ""
    return str(secret) if user_id == user.id else ""


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="app-offer-v1")
