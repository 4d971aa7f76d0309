"""What people prove who they are with beside a password, and sign-ins that wait for it."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, db_now


class AuthenticatorApp(Base):
    """An app that shows codes (RFC 6238): one for each person, there once a code of it was typed back."""

    __tablename__ = "authenticator_apps"
    __table_args__ = (
        UniqueConstraint("user_id", name="uq_authenticator_apps_user_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    secret: Mapped[str] = mapped_column(String(64))
    """Base32, 160 bits: it has to be read again for every code, so no hash will do."""
    last_counter: Mapped[int] = mapped_column(BigInteger, default=0)
    """The time step of the last code that was taken: none is taken twice."""
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())


class RecoveryCode(Base):
    """One code for the day a phone is lost; used by deleting the row."""

    __tablename__ = "recovery_codes"
    __table_args__ = (
        UniqueConstraint("user_id", "code_hash", name="uq_recovery_codes_user_id_code_hash"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())


class Passkey(Base):
    """A passkey (WebAuthn): its public key, and what was last seen of it."""

    __tablename__ = "passkeys"
    __table_args__ = (
        Index("ix_passkeys_user_id", "user_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(100))
    credential_id: Mapped[bytes] = mapped_column(LargeBinary(1023), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    transports: Mapped[list[Any]] = mapped_column(JSON)
    is_backed_up: Mapped[bool]
    """Whether it lives in an account that syncs it, so that losing the device does not lose it."""
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    used_at: Mapped[datetime | None]


class Challenge(Base):
    """What a passkey is to sign, once: used by deleting the row."""

    __tablename__ = "challenges"
    __table_args__ = (
        CheckConstraint("purpose IN ('add', 'enter', 'prove')", name="purpose"),
        Index("ix_challenges_expires_at", "expires_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    challenge: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    purpose: Mapped[str] = mapped_column(String(20))
    """``add`` a passkey, ``enter`` with one, ``prove`` with one who is in already or has given the password."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """Whose passkey it must be; None while nobody knows who comes."""
    expires_at: Mapped[datetime]


class PendingSignIn(Base):
    """A sign-in whose first factor was right and whose second is due. Deleted when it is over, either way."""

    __tablename__ = "pending_sign_ins"
    __table_args__ = (
        Index("ix_pending_sign_ins_user_id", "user_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    method: Mapped[str] = mapped_column(String(20))
    """The first factor, as in ``sessions``."""
    password_hash: Mapped[str | None] = mapped_column(String(255))
    """That of the account when it was checked: a password changed meanwhile ends the sign-in."""
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    expires_at: Mapped[datetime]
    passed_at: Mapped[datetime | None]
    """When a second factor was set up in it; what is left is to keep the recovery codes, which are shown once."""


class KnownDevice(Base):
    """A browser that has signed in as this person before: strangers cannot lock it out by guessing elsewhere."""

    __tablename__ = "known_devices"
    __table_args__ = (
        Index("ix_known_devices_user_id", "user_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    used_at: Mapped[datetime] = mapped_column(insert_default=db_now())
