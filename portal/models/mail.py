"""Mails that are to be sent, and what became of them; and rules an administrator sets for the whole house."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, db_now


class Mail(Base):
    """One mail to one address. The row is the truth: whoever sends it, and whatever dies meanwhile."""

    __tablename__ = "mails"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'sent', 'parked', 'dropped')", name="state"),
        Index("ix_mails_state_due_at", "state", "due_at"),
        Index("ix_mails_user_id", "user_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(String(100), unique=True)
    """The Message-ID (RFC 5322), the same at every try, so that a second copy can be told for one."""
    kind: Mapped[str] = mapped_column(String(40))
    """What it is about, such as ``invitation``: the name of its template."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    email: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(300))
    text: Mapped[str | None] = mapped_column(Text)
    """None once it was sent: one-time addresses stand in it."""
    html: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    """``parked``: given up for now, with the reason; ``dropped``: nobody wants it sent any more."""
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    due_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    """Not to be tried before; while somebody tries, when that attempt is taken for dead."""
    tries: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str] = mapped_column(String(500), default="")
    """What the server said at the last try; "" when it took the mail, before the first try, and while one is made."""
    sent_at: Mapped[datetime | None]


class ResetRequest(Base):
    """Somebody who wants a new password for an address, which may be nobody's; goes once the worker has seen it."""

    __tablename__ = "reset_requests"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())


class HouseRule(Base):
    """One thing an administrator decided for everybody, by its name."""

    __tablename__ = "house_rules"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))
