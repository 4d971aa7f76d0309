"""Share links, the tickets they hand out, and packs."""

import uuid as uuids
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, db_now

ONE_TARGET = (
    "(CASE WHEN document_id IS NOT NULL THEN 1 ELSE 0 END) + (CASE WHEN category_id IS NOT NULL THEN 1 ELSE 0 END)"
    " + (CASE WHEN pack_id IS NOT NULL THEN 1 ELSE 0 END) = 1"
)


class Pack(Base):
    """An ordered choice of documents behind one link or one zip."""

    __tablename__ = "packs"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[uuids.UUID] = mapped_column(unique=True, insert_default=uuids.uuid4)
    title: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class PackItem(Base):
    """One document at its place in a pack."""

    __tablename__ = "pack_items"
    __table_args__ = (
        CheckConstraint("position >= 0", name="position"),
        Index("uq_pack_items_pack_document", "pack_id", "document_id", unique=True),
        Index("ix_pack_items_document_id", "document_id"),
    )

    pack_id: Mapped[int] = mapped_column(ForeignKey("packs.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id"))


class ShareLink(Base):
    """A labelled, revocable link, bound to ids. Its token is shown once; only its hash is stored."""

    __tablename__ = "share_links"
    __table_args__ = (
        CheckConstraint(ONE_TARGET, name="one_target"),
        CheckConstraint("version_id IS NULL OR document_id IS NOT NULL", name="pinned_version"),
        CheckConstraint("used >= 0", name="used"),
        CheckConstraint("max_downloads IS NULL OR (max_downloads >= 0 AND used <= max_downloads)", name="limit"),
        Index("ix_share_links_document_id", "document_id"),
        Index("ix_share_links_category_id", "category_id"),
        Index("ix_share_links_pack_id", "pack_id"),
        Index("ix_share_links_created_by_id", "created_by_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[uuids.UUID] = mapped_column(unique=True, insert_default=uuids.uuid4)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    token_hint: Mapped[str] = mapped_column(String(6))
    """The first six characters, by which people tell links apart."""
    document_id: Mapped[int | None] = mapped_column(ForeignKey("documents.id"))
    category_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))
    pack_id: Mapped[int | None] = mapped_column(ForeignKey("packs.id"))
    version_id: Mapped[int | None] = mapped_column(ForeignKey("versions.id"))
    """A pinned version; None means the current one."""
    label: Mapped[str] = mapped_column(String(200), default="")
    message: Mapped[str] = mapped_column(Text, default="")
    password_hash: Mapped[str | None] = mapped_column(String(255))
    max_downloads: Mapped[int | None]
    used: Mapped[int] = mapped_column(default=0)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """None when an operator made it on the command line."""
    opened_at: Mapped[datetime | None]
    """When its page was last looked at."""
    used_at: Mapped[datetime | None]


class Ticket(Base):
    """The short-lived, resumable permit for one download: of a version by a link, or of a pack by a person."""

    __tablename__ = "tickets"
    __table_args__ = (
        CheckConstraint(
            "(link_id IS NULL) = (version_id IS NULL) AND (user_id IS NULL) = (pack_id IS NULL)"
            " AND (link_id IS NULL) <> (user_id IS NULL)",
            name="one_holder",
        ),
        Index("ix_tickets_link_id", "link_id"),
        Index("ix_tickets_user_id", "user_id"),
        Index("ix_tickets_pack_id", "pack_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    link_id: Mapped[int | None] = mapped_column(ForeignKey("share_links.id"))
    version_id: Mapped[int | None] = mapped_column(ForeignKey("versions.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    pack_id: Mapped[int | None] = mapped_column(ForeignKey("packs.id"))
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    expires_at: Mapped[datetime]
    refunded_at: Mapped[datetime | None]
    network: Mapped[str] = mapped_column(String(64))
