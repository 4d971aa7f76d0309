"""Everything by which a person is in, or is about to come in: it ends where their account does."""

from sqlalchemy import delete, update

from portal.accounts.tickets import end_tickets
from portal.extensions import db
from portal.models import Challenge, KnownDevice, OneTimeToken, PendingSignIn, ProviderRequest, Session, db_now

HELD = (Session, PendingSignIn, Challenge, ProviderRequest, KnownDevice)
"""Rows that are worth something only while they are there."""


def close_entrances(user_id: int) -> None:
    """Sign a person out everywhere and let nothing they have begun lead in; inside the transaction that closes them.

    Sessions, sign-ins that wait for a second factor or a provider, one-time addresses and tickets are over; browsers
    that were known are strangers again. Password, second factors and passkeys stay as they are.
    """
    for kind in HELD:
        db.session.execute(delete(kind).where(kind.user_id == user_id))
    end_views(user_id)
    end_tickets(user_id)
    spend_open_tokens(user_id)


def end_views(user_id: int) -> None:
    """Let no administrator see the portal as this person any more; inside the transaction that makes them another."""
    db.session.execute(update(Session).where(Session.viewing_as_id == user_id).values(viewing_as_id=None))


def spend_open_tokens(user_id: int) -> None:
    """Make every one-time address of this person useless; inside the transaction that changes their standing."""
    unused = (OneTimeToken.user_id == user_id, OneTimeToken.used_at.is_(None))
    db.session.execute(update(OneTimeToken).where(*unused).values(used_at=db_now()))
