"""Tickets of a person end where their sessions do: each is as good as a session for what it leads to."""

from sqlalchemy import update

from portal.extensions import db
from portal.models import Ticket, db_now


def end_tickets(user_id: int | None) -> None:
    """Let no ticket of this person lead anywhere any more; inside the transaction that ends their sessions."""
    live = (Ticket.user_id == user_id, Ticket.expires_at > db_now())
    db.session.execute(update(Ticket).where(*live).values(expires_at=db_now()))
