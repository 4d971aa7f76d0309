"""Other ways to be somebody here: tokens of programs, and accounts at a provider (OpenID Connect)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, db_now


class ApiToken(Base):
    """What a program sends in its ``Authorization`` header to act for a person, within its scopes."""

    __tablename__ = "api_tokens"
    __table_args__ = (
        Index("ix_api_tokens_user_id", "user_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(100))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    token_hint: Mapped[str] = mapped_column(String(6))
    scopes: Mapped[str] = mapped_column(String(60))
    """Of ``read``, ``publish`` and ``admin``, in this order, with a space between."""
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    """Written at most every five minutes."""
    revoked_at: Mapped[datetime | None]


class Identity(Base):
    """Who a person is at a provider: its issuer and the subject there, never an address, which may change hands."""

    __tablename__ = "identities"
    __table_args__ = (
        UniqueConstraint("issuer", "subject", name="uq_identities_issuer_subject"),
        Index("ix_identities_user_id", "user_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))
    email: Mapped[str] = mapped_column(String(254))
    """What the provider said at the last sign-in, for people to recognise it."""
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    used_at: Mapped[datetime | None]


class ProviderRequest(Base):
    """Somebody who was sent to the provider and is to come back in the same browser, once: used by deleting the row."""

    __tablename__ = "provider_requests"
    __table_args__ = (
        Index("ix_provider_requests_expires_at", "expires_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    state_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    nonce: Mapped[str] = mapped_column(String(64))
    verifier: Mapped[str] = mapped_column(String(128))
    """The secret of PKCE (RFC 7636), which the provider compares with what it was told before."""
    target: Mapped[str] = mapped_column(String(2000))
    """Where the person wanted to go: a path of ours."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """Who is signed in and links the account or proves to be there still; None for a sign-in."""
    expires_at: Mapped[datetime]
