"""Moments that people choose, held against the database's clock, which alone decides about expiry."""

from datetime import datetime

from sqlalchemy import literal, select

from portal.errors import BadInput
from portal.extensions import db
from portal.models import db_now


def require_future(expires_at: datetime | None, sentence: str) -> None:
    """Raise BadInput with this sentence when an end is over already; None is no end."""
    if expires_at is not None and not db.session.scalar(select(literal(expires_at, db_now.type) > db_now())):
        raise BadInput(sentence, field="expires_at")


def require_order(published_at: datetime | None, expires_at: datetime | None) -> None:
    """Raise BadInput for a document that would be over before it comes out."""
    if published_at and expires_at and expires_at <= published_at:
        raise BadInput("A document cannot expire before it is published.", field="expires_at")
