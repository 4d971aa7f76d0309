"""What a person has seen of the catalog, and which categories they want to hear of."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, db_now


class Seen(Base):
    """A document whose page somebody has opened, and its newest version then."""

    __tablename__ = "seen"
    __table_args__ = (Index("ix_seen_document_id", "document_id"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id"), primary_key=True)
    number: Mapped[int]
    seen_at: Mapped[datetime] = mapped_column(insert_default=db_now())


class Follow(Base):
    """A category somebody wants to hear of, with what is below it: one quiet mail a day, when there is something."""

    __tablename__ = "follows"
    __table_args__ = (Index("ix_follows_category_id", "category_id"), Index("ix_follows_told_at", "told_at"))

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id"), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    told_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    """What was published after this has not been told yet."""
