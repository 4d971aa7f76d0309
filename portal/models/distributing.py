"""Many files, each for its own person: what was dropped, who gets what, and how far it has come."""

import uuid as uuids
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, db_now


class Distribution(Base):
    """Files dropped together, of which each goes into its person's or group's own sealed category.

    Its files are uploads; who gets which is said by lines of a CSV, or by a pattern their names follow.
    """

    __tablename__ = "distributions"
    __table_args__ = (
        CheckConstraint("state IN ('collecting', 'running', 'done', 'stopped')", name="state"),
        Index("ix_distributions_category_id", "category_id"),
        Index("ix_distributions_created_by_id", "created_by_id"),
        CheckConstraint("told_at IS NULL OR closed_at IS NOT NULL", name="told_afterwards"),
        Index("ix_distributions_due", "id",
              sqlite_where=text("state <> 'collecting' AND told_at IS NULL"),
              postgresql_where=text("state <> 'collecting' AND told_at IS NULL")),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[uuids.UUID] = mapped_column(unique=True, insert_default=uuids.uuid4)
    title: Mapped[str] = mapped_column(String(200))
    category_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))
    """Below it lie the categories of the people and groups; None once it was removed for good."""
    pattern: Mapped[str] = mapped_column(String(200), default="")
    """Such as ``{reference}_*.pdf``; "" when lines say who gets what."""
    wants_notice: Mapped[bool] = mapped_column(default=True)
    """Whether each person gets one mail."""
    state: Mapped[str] = mapped_column(String(10), default="collecting")
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """None when an operator made it on the command line."""
    confirmed_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    """When its mails were written, or it was found that nobody is to get one; its lines are gone then."""


class DistributionLine(Base):
    """One line of the CSV of a distribution, as it was read."""

    __tablename__ = "distribution_lines"
    __table_args__ = (Index("ix_distribution_lines_filename", "distribution_id", "filename"),)

    distribution_id: Mapped[int] = mapped_column(ForeignKey("distributions.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """Of the line in the file, from 2 on."""
    filename: Mapped[str] = mapped_column(String(255))
    recipient: Mapped[str] = mapped_column(String(254))
    """The address or reference of a person, or the name of a group, as it stands there."""
    title: Mapped[str] = mapped_column(String(300), default="")
    category: Mapped[str] = mapped_column(Text, default="")
    """Names of categories inside that of the recipient, with slashes between."""
    expires_at: Mapped[datetime | None]
