"""Mails to people about their account: one for every change of it, and those that carry a one-time address."""

from datetime import datetime

from portal import notices
from portal.addresses import setup_address
from portal.extensions import settings
from portal.models import User
from portal.settings import last_address


def tell(user: User, kind: str, **values: object) -> None:
    """Write to a person at the address they have now, inside the transaction of what the mail tells of."""
    notices.add_mail(kind, user_id=user.id, email=user.email, **values)


def send_address(user: User, kind: str, token: str, until: datetime, *, email: str | None = None) -> None:
    """Write a one-time address to a person, or to the ``email`` that is to become theirs; inside the transaction.

    That one may be anybody's, and gets no word that the person chose.
    """
    values: dict[str, object] = {"address": setup_address(last_address(settings()), token), "until": until}
    if email is None:
        values["name"] = user.name
    notices.add_mail(kind, user_id=user.id, email=email or user.email, **values)


def masked(email: str) -> str:
    """An address for somebody who knows it already, and whom it tells nothing otherwise: ``a…@example.org``."""
    local, _, host = email.rpartition("@")
    return f"{local[:1]}…@{host}"
