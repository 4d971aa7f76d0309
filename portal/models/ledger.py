"""What happened: the ledger of downloads and the log of events."""

import uuid as uuids
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, db_now

STATES = ("started", "completed", "aborted", "interrupted", "delegated")


class Download(Base):
    """One logical fetch of one version by one actor; its ranges are merged, however many connections carry them."""

    __tablename__ = "downloads"
    __table_args__ = (
        CheckConstraint("state IN ('started', 'completed', 'aborted', 'interrupted', 'delegated')", name="state"),
        CheckConstraint("bytes_sent >= 0", name="bytes_sent"),
        CheckConstraint("NOT is_confirmed OR state = 'completed'", name="confirmed"),
        Index("uq_downloads_open", "actor_key", "version_id", unique=True,
              sqlite_where=text("closed_at IS NULL"), postgresql_where=text("closed_at IS NULL")),
        Index("ix_downloads_document_id", "document_id", "id"),
        Index("ix_downloads_user_id", "user_id", "id",
              sqlite_where=text("user_id IS NOT NULL"), postgresql_where=text("user_id IS NOT NULL")),
        Index("ix_downloads_link_id", "link_id", "id",
              sqlite_where=text("link_id IS NOT NULL"), postgresql_where=text("link_id IS NOT NULL")),
        Index("ix_downloads_actor_version", "actor_key", "version_id", "id"),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[uuids.UUID] = mapped_column(unique=True, insert_default=uuids.uuid4)
    actor_key: Mapped[str] = mapped_column(String(200))
    """``u:<user>``, ``t:<ticket>``, or ``l:<link>:<network>:<agent hash>``."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    link_id: Mapped[int | None] = mapped_column(ForeignKey("share_links.id"))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id"))
    version_id: Mapped[int] = mapped_column(ForeignKey("versions.id"))
    state: Mapped[str] = mapped_column(String(12))
    intervals: Mapped[list[list[int]]] = mapped_column(JSON)
    """Merged ``[start, stop)`` pairs handed over so far."""
    repeated: Mapped[list[list[int]] | None] = mapped_column(JSON)
    """Pairs that were handed over once more than ``intervals`` says, one for each time, in no order; NULL for none."""
    bytes_sent: Mapped[int] = mapped_column(BigInteger, default=0)
    """Everything handed over, repeated bytes counted each time."""
    is_confirmed: Mapped[bool] = mapped_column(default=False)
    """The kernel accepted every byte; a completed but unconfirmed row over-claims at most its last block."""
    believed_at: Mapped[datetime | None]
    """When bytes were last added that somebody who went on must have got, see ``downloads.belief``: from then on the
    row is never confirmed."""
    network: Mapped[str] = mapped_column(String(64), default="")
    agent: Mapped[str] = mapped_column(String(300), default="")
    started_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    active_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    """The last time bytes moved."""
    closed_at: Mapped[datetime | None]


class Transfer(Base):
    """An answer on its way that nobody has written down yet, with all that it offers. The row goes when it ends.

    One whose worker is dead tells what a client may hold.
    """

    __tablename__ = "transfers"
    __table_args__ = (Index("ix_transfers_download_id", "download_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    download_id: Mapped[int] = mapped_column(ForeignKey("downloads.id"))
    worker: Mapped[str] = mapped_column(String(200))
    """The process that sends it, see ``downloads.workers``."""
    spans: Mapped[list[list[int]]] = mapped_column(JSON)
    """``[start, stop)`` pairs, in the order in which they are sent."""


class Delegation(Base):
    """Bytes of a download that a proxy was told to send. The row goes when its log tells what became of them."""

    __tablename__ = "delegations"
    __table_args__ = (
        CheckConstraint("start >= 0 AND start < stop", name="span"),
        Index("ix_delegations_download_id", "download_id"),
    )

    uuid: Mapped[uuids.UUID] = mapped_column(primary_key=True)
    """How the log names it: random, seen by nobody else."""
    download_id: Mapped[int] = mapped_column(ForeignKey("downloads.id"))
    start: Mapped[int] = mapped_column(BigInteger)
    stop: Mapped[int] = mapped_column(BigInteger)
    made_at: Mapped[datetime] = mapped_column(insert_default=db_now())


class FollowedLog(Base):
    """How far a log of a proxy has been read. A file is known by its first line, whatever it is called by now."""

    __tablename__ = "followed_logs"

    first_line: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Hex SHA-256."""
    position: Mapped[int] = mapped_column(BigInteger)
    read_at: Mapped[datetime] = mapped_column(insert_default=db_now())


class AuditEvent(Base):
    """One row of the insert-only log; a trigger refuses change and removal. Personal values stand in audit_people."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_at", "at"),
        Index("ix_audit_events_action", "action", "id"),
        Index("ix_audit_events_object", "object_type", "object_id", "id"),
        Index("ix_audit_events_actor_hash", "actor_hash", "id"),
        Index("uq_audit_events_seal_seq", "seal_seq", unique=True,
              sqlite_where=text("seal_seq IS NOT NULL"), postgresql_where=text("seal_seq IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(insert_default=db_now())
    action: Mapped[str] = mapped_column(String(60))
    """Such as ``document.added``."""
    actor_hash: Mapped[str | None] = mapped_column(String(64))
    """Who did it, as in audit_people; None for the portal itself and the command line."""
    actor_kind: Mapped[str] = mapped_column(String(10))
    """``person``, ``link``, ``operator`` or ``portal``."""
    object_type: Mapped[str | None] = mapped_column(String(20))
    object_id: Mapped[int | None] = mapped_column(BigInteger)
    object_label: Mapped[str] = mapped_column(Text, default="")
    """What the thing was called when it happened; never a person's name."""
    network: Mapped[str] = mapped_column(String(64), default="")
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    seal_seq: Mapped[int | None] = mapped_column(BigInteger)
    prev_hash: Mapped[str | None] = mapped_column(String(64))
    row_hash: Mapped[str | None] = mapped_column(String(64))
