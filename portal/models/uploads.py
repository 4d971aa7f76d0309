"""Bytes on their way in: uploads, and what outsiders are asked for and send."""

import uuid as uuids
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, db_now


class Upload(Base):
    """One file on its way in, resumable; kept for a while afterwards to say what became of it."""

    __tablename__ = "uploads"
    __table_args__ = (
        CheckConstraint("state IN ('receiving', 'arrived', 'done', 'refused', 'cancelled', 'expired')", name="state"),
        CheckConstraint(
            "(user_id IS NULL OR submission_id IS NULL)"
            " AND (user_id IS NOT NULL OR submission_id IS NOT NULL OR distribution_id IS NOT NULL)",
            name="one_sender",
        ),
        CheckConstraint(
            "(CASE WHEN category_id IS NOT NULL THEN 1 ELSE 0 END) + (CASE WHEN document_id IS NOT NULL THEN 1 ELSE 0"
            " END) + (CASE WHEN distribution_id IS NOT NULL THEN 1 ELSE 0 END)"
            " BETWEEN (CASE WHEN closed_at IS NULL THEN 1 ELSE 0 END) AND 1",
            name="one_target",
        ),
        CheckConstraint("size >= 0 AND received >= 0 AND received <= size", name="received"),
        CheckConstraint("state <> 'arrived' OR blob_id IS NOT NULL", name="arrived_with_bytes"),
        Index("ix_uploads_user_id", "user_id", "state"),
        Index("ix_uploads_submission_id", "submission_id"),
        Index("ix_uploads_sent", "version_id", sqlite_where=text("submission_id IS NOT NULL"),
              postgresql_where=text("submission_id IS NOT NULL")),
        Index("ix_uploads_distribution_id", "distribution_id", "state"),
        Index("ix_uploads_blob_id", "blob_id", sqlite_where=text("blob_id IS NOT NULL"),
              postgresql_where=text("blob_id IS NOT NULL")),
        Index("ix_uploads_receiving", "expires_at", sqlite_where=text("state = 'receiving'"),
              postgresql_where=text("state = 'receiving'")),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[uuids.UUID] = mapped_column(unique=True, insert_default=uuids.uuid4)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """Who sends it; None for an outsider, whose ``submission_id`` is there instead, and for a distribution that an
    operator makes on the command line."""
    submission_id: Mapped[int | None] = mapped_column(ForeignKey("submissions.id"))
    category_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))
    document_id: Mapped[int | None] = mapped_column(ForeignKey("documents.id"))
    """The document it is to be a new version of."""
    distribution_id: Mapped[int | None] = mapped_column(ForeignKey("distributions.id"))
    """Exactly one of the last three says where it goes; none any more once that category was removed for good."""
    folder: Mapped[str] = mapped_column(Text, default="")
    """Names of categories below ``category_id``, with slashes between; made when they are missing."""
    filename: Mapped[str] = mapped_column(String(255))
    size: Mapped[int] = mapped_column(BigInteger)
    """Bytes, as announced."""
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    """So many of them are on the disk."""
    sha256: Mapped[str | None] = mapped_column(String(64))
    """Of all of them, once they are there: by it they are found again when the file has become a blob already."""
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What is said about the document, as ``portal.uploads`` reads and writes it."""
    announced: Mapped[str] = mapped_column(Text, default="")
    """The ``Upload-Metadata`` it was announced with, which is repeated to who asks."""
    state: Mapped[str] = mapped_column(String(10), default="receiving")
    """``arrived``: whole and kept as a blob, not in the catalog, as files of a distribution are at first."""
    temp: Mapped[str] = mapped_column(String(60))
    """The name of its temp file."""
    blob_id: Mapped[int | None] = mapped_column(ForeignKey("blobs.id"))
    version_id: Mapped[int | None] = mapped_column(ForeignKey("versions.id"))
    """What it became."""
    outcome: Mapped[str | None] = mapped_column(String(10))
    """``added``, ``versioned`` or ``unchanged``, once it is done."""
    reason: Mapped[str] = mapped_column(Text, default="")
    """The sentence that says why it was refused."""
    refused_as: Mapped[int | None]
    """The HTTP status of that."""
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    active_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    """When bytes last came."""
    expires_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class FileRequest(Base):
    """A link by which outsiders put files into a category, for publishers to look at."""

    __tablename__ = "file_requests"
    __table_args__ = (
        CheckConstraint("files >= 0 AND (max_files IS NULL OR files <= max_files)", name="files"),
        CheckConstraint("bytes >= 0 AND (max_bytes IS NULL OR bytes <= max_bytes)", name="bytes"),
        Index("ix_file_requests_category_id", "category_id"),
        Index("ix_file_requests_created_by_id", "created_by_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[uuids.UUID] = mapped_column(unique=True, insert_default=uuids.uuid4)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    token_hint: Mapped[str] = mapped_column(String(6))
    """The first six characters, by which people tell links apart."""
    category_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))
    """Where the documents land; None once it was removed for good, and the request with it revoked."""
    title: Mapped[str] = mapped_column(String(200))
    message: Mapped[str] = mapped_column(Text, default="")
    max_files: Mapped[int | None]
    max_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Of all files together."""
    max_file_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Of each file."""
    allowed_types: Mapped[str] = mapped_column(Text, default="")
    """Endings without dots and with spaces between; "" for every one the category takes."""
    files: Mapped[int] = mapped_column(default=0)
    """Sent, as are ``bytes``; counted in the transaction that puts them into the catalog."""
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """None when an operator made it on the command line."""


class Submission(Base):
    """What one outsider sends by a file request in one go, and the receipt they get for it."""

    __tablename__ = "submissions"
    __table_args__ = (
        Index("ix_submissions_file_request_id", "file_request_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[uuids.UUID] = mapped_column(unique=True, insert_default=uuids.uuid4)
    file_request_id: Mapped[int] = mapped_column(ForeignKey("file_requests.id"))
    sender: Mapped[str] = mapped_column(String(200))
    """What they call themselves."""
    receipt_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    """Of the token in the address of their receipt."""
    email: Mapped[str | None] = mapped_column(String(254))
    """Where the receipt goes; None when they gave none."""
    note: Mapped[str] = mapped_column(Text, default="")
    network: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    reviewed_at: Mapped[datetime | None]
    reviewed_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
