"""People, groups, their sessions, one-time tokens and the tries that throttle guessing."""

import uuid as uuids
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, db_now


def _only(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class User(Base):
    """A person with an account. Never deleted: disabled, later erased, because ledger and log name them."""

    __tablename__ = "users"
    __table_args__ = (
        Index("ix_users_passkey_handle", "passkey_handle", unique=True),
        Index("ix_users_reference", "reference", unique=True, **_only("reference <> ''")),
        # Lists are by name, so each index has what is in one list in its order. The first holds the addresses too:
        # a search that finds nobody reads all of it, and no row.
        Index("ix_users_name", "name_key", "id", "email_key"),
        Index("ix_users_administrators", "name_key", "id", sqlite_where=text("is_admin = 1"),
              postgresql_where=text("is_admin")),
        Index("ix_users_disabled", "name_key", "id", **_only("disabled_at IS NOT NULL AND erased_at IS NULL")),
        Index("ix_users_erased", "name_key", "id", **_only("erased_at IS NOT NULL")),
        Index("ix_users_never_here", "name_key", "id", **_only("seen_at IS NULL")),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[uuids.UUID] = mapped_column(unique=True, insert_default=uuids.uuid4)
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(String(254), unique=True)
    """NFKC and casefolded; one account per address whatever its spelling."""
    name: Mapped[str] = mapped_column(String(200))
    name_key: Mapped[str] = mapped_column(Text)
    """NFKC and casefolded: what people are looked up and sorted by. May be longer than the name."""
    password_hash: Mapped[str | None] = mapped_column(String(255))
    """argon2id, or None until the person has set one."""
    is_admin: Mapped[bool] = mapped_column(default=False)
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    seen_at: Mapped[datetime | None]
    """The last request, written at most every five minutes."""
    visited_at: Mapped[datetime | None]
    """When the visit before the present one ended; what came after it is new for the person."""
    timezone: Mapped[str | None] = mapped_column(String(64))
    """The zone the person reads moments in, by its name in the database of time zones; None is that of the portal."""
    erased_at: Mapped[datetime | None]
    """When name and address were made unreadable, for good. The account is disabled then."""
    passkey_handle: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """What passkeys know the person by: random, so that it tells nobody anything (WebAuthn, 14.6.1)."""
    used_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    """Bytes of all versions they put in that are still there, kept by the writers."""
    quota_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """The most they may put in; None for no limit of their own."""
    reference: Mapped[str] = mapped_column(String(100), default="")
    """The code the organisation itself knows the person by, such as a staff number; "" for none."""


class Group(Base):
    """A named set of people."""

    __tablename__ = "groups"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    name_key: Mapped[str] = mapped_column(String(100), unique=True)
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    second_factor_since: Mapped[datetime | None]
    """Since when its people need a second factor; None when the group asks for none."""
    quota_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """The most its people may have put in together; None for no limit."""


class Membership(Base):
    """One person in one group."""

    __tablename__ = "memberships"
    __table_args__ = (Index("ix_memberships_user_id", "user_id"),)

    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())


class Session(Base):
    """One signed-in browser. Deleting the row is what signs it out."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_user_id", "user_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    seen_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    fresh_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    """When the person last proved who they are."""
    expires_at: Mapped[datetime]
    network: Mapped[str] = mapped_column(String(64))
    agent: Mapped[str] = mapped_column(String(300))
    method: Mapped[str | None] = mapped_column(String(20))
    """How they came in: ``password``, ``passkey``, ``provider``, ``address`` (one-time). None: not written down."""
    second_factor_at: Mapped[datetime | None]
    """When a second factor was passed in this session; a passkey that verified the person is both factors at once."""
    second_factor: Mapped[str | None] = mapped_column(String(20))
    """What it was: ``code`` (of the app), ``recovery`` (code), ``passkey``. None: none, or the first was both."""
    viewing_as_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """Whose portal an administrator looks at in this session, changing nothing."""


class OneTimeToken(Base):
    """A one-time address: first setup, invitation, new password, new email. Spent by one conditional UPDATE."""

    __tablename__ = "one_time_tokens"
    __table_args__ = (
        CheckConstraint("purpose IN ('setup', 'invitation', 'reset', 'email')", name="purpose"),
        CheckConstraint("(purpose = 'setup') = (user_id IS NULL)", name="setup_has_no_user"),
        Index("ix_one_time_tokens_user_id", "user_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    purpose: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    email: Mapped[str | None] = mapped_column(String(254))
    """The address that is to be confirmed, for the purpose ``email``."""


class SignInAttempt(Base):
    """One try that counts towards a throttle: a failed sign-in, share password or unknown address."""

    __tablename__ = "sign_in_attempts"
    __table_args__ = (
        Index("ix_sign_in_attempts_key_at", "key", "at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(200))
    """What is counted, such as ``login:<hash of the address>:<network>``."""
    at: Mapped[datetime] = mapped_column(insert_default=db_now())


class AuditPerson(Base):
    """What the log may say about a person. Erasing these values leaves the log whole and nameless."""

    __tablename__ = "audit_people"
    __table_args__ = (
        UniqueConstraint("user_id", name="uq_audit_people_user_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of salt and address: what audit rows carry."""
    salt: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str | None] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(254))
