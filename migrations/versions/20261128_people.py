"""People prove who they are in more ways, programs act for them, and mails wait in a table until they are sent."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_people"
down_revision = "20261127_repeated"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
BEFORE = "purpose IN ('setup', 'invitation', 'reset')"
AFTER = "purpose IN ('setup', 'invitation', 'reset', 'email')"
KEPT = {"sqlite_autoincrement": True}
TABLES = (
    "house_rules",
    "api_tokens",
    "authenticator_apps",
    "challenges",
    "identities",
    "known_devices",
    "mails",
    "passkeys",
    "pending_sign_ins",
    "provider_requests",
    "recovery_codes",
    "reset_requests",
)

DATABASES = ("sqlite", "postgresql")
LISTS = {
    "ix_users_administrators": {"sqlite": "is_admin = 1", "postgresql": "is_admin"},
    "ix_users_disabled": dict.fromkeys(DATABASES, "disabled_at IS NOT NULL AND erased_at IS NULL"),
    "ix_users_erased": dict.fromkeys(DATABASES, "erased_at IS NOT NULL"),
    "ix_users_never_here": dict.fromkeys(DATABASES, "seen_at IS NULL"),
}
"""Indexes of people by name, each of those in one list."""


def upgrade() -> None:
    """New tables, new columns that may be empty; sessions and one-time tokens, which are short, are written anew."""
    _extend()
    _add_lists()
    _add_rules_and_mail()
    _add_factors()
    _add_keys()


def downgrade() -> None:
    """Addresses that confirm an email go; they last a day and nothing refers to them."""
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute("DELETE FROM one_time_tokens WHERE purpose = 'email'")
    with op.batch_alter_table("one_time_tokens", table_kwargs=KEPT) as tokens:
        tokens.drop_constraint(op.f("ck_one_time_tokens_purpose"), type_="check")
        tokens.create_check_constraint(op.f("ck_one_time_tokens_purpose"), BEFORE)
        tokens.drop_column("email")
    with op.batch_alter_table("sessions", table_kwargs=KEPT) as sessions:
        sessions.drop_constraint("fk_sessions_viewing_as_id", type_="foreignkey")
        for name in ("viewing_as_id", "second_factor", "second_factor_at", "method"):
            sessions.drop_column(name)
    op.drop_column("groups", "second_factor_since")
    op.drop_column("downloads", "believed_at")
    op.drop_index("ix_audit_events_at", "audit_events")
    for name in ("ix_users_passkey_handle", "ix_users_name", *LISTS):
        op.drop_index(name, "users")
    for name in ("passkey_handle", "erased_at", "timezone"):
        op.drop_column("users", name)


def _extend() -> None:
    op.add_column("users", sa.Column("timezone", sa.String(length=64), nullable=True))
    op.add_column("users", sa.Column("erased_at", MOMENT, nullable=True))
    op.add_column("users", sa.Column("passkey_handle", sa.LargeBinary(length=32), nullable=True))
    op.create_index("ix_users_passkey_handle", "users", ["passkey_handle"], unique=True)
    op.add_column("downloads", sa.Column("believed_at", MOMENT, nullable=True))
    op.add_column("groups", sa.Column("second_factor_since", MOMENT, nullable=True))
    with op.batch_alter_table("sessions", table_kwargs=KEPT) as sessions:
        sessions.add_column(sa.Column("method", sa.String(length=20), nullable=True))
        sessions.add_column(sa.Column("second_factor_at", MOMENT, nullable=True))
        sessions.add_column(sa.Column("second_factor", sa.String(length=20), nullable=True))
        sessions.add_column(sa.Column("viewing_as_id", sa.Integer(), nullable=True))
        sessions.create_foreign_key("fk_sessions_viewing_as_id", "users", ["viewing_as_id"], ["id"])
    with op.batch_alter_table("one_time_tokens", table_kwargs=KEPT) as tokens:
        tokens.add_column(sa.Column("email", sa.String(length=254), nullable=True))
        tokens.drop_constraint(op.f("ck_one_time_tokens_purpose"), type_="check")
        tokens.create_check_constraint(op.f("ck_one_time_tokens_purpose"), AFTER)


def _add_lists() -> None:
    op.create_index("ix_users_name", "users", ["name_key", "id", "email_key"], unique=False)
    for name, only in LISTS.items():
        conditions = {f"{kind}_where": sa.text(only[kind]) for kind in DATABASES}
        op.create_index(name, "users", ["name_key", "id"], **conditions)
    op.create_index("ix_audit_events_at", "audit_events", ["at"], unique=False)


def _add_rules_and_mail() -> None:
    op.create_table(
        "house_rules",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_house_rules"),
    )
    op.create_table(
        "mails",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(length=500), nullable=False),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'parked', 'dropped')", name=op.f("ck_mails_state")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_mails_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_mails"),
        sa.UniqueConstraint("message_id", name="uq_mails_message_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "reset_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reset_requests"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mails_state_due_at", "mails", ["state", "due_at"], unique=False)
    op.create_index("ix_mails_user_id", "mails", ["user_id"], unique=False)


def _add_factors() -> None:
    op.create_table(
        "authenticator_apps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("last_counter", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_authenticator_apps_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_authenticator_apps"),
        sa.UniqueConstraint("user_id", name="uq_authenticator_apps_user_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "challenges",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("challenge", sa.LargeBinary(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.CheckConstraint("purpose IN ('add', 'enter', 'prove')", name=op.f("ck_challenges_purpose")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_challenges_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_challenges"),
        sa.UniqueConstraint("challenge", name="uq_challenges_challenge"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_challenges_expires_at", "challenges", ["expires_at"], unique=False)
    op.create_table(
        "known_devices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_known_devices_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_known_devices"),
        sa.UniqueConstraint("token_hash", name="uq_known_devices_token_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_known_devices_user_id", "known_devices", ["user_id"], unique=False)
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(length=1023), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("transports", sa.JSON(), nullable=False),
        sa.Column("is_backed_up", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_passkeys_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_passkeys"),
        sa.UniqueConstraint("credential_id", name="uq_passkeys_credential_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_passkeys_user_id", "passkeys", ["user_id"], unique=False)
    op.create_table(
        "pending_sign_ins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(length=20), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("passed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_pending_sign_ins_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_pending_sign_ins"),
        sa.UniqueConstraint("token_hash", name="uq_pending_sign_ins_token_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_pending_sign_ins_user_id", "pending_sign_ins", ["user_id"], unique=False)
    op.create_table(
        "recovery_codes",
        "reset_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_recovery_codes_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_recovery_codes"),
        sa.UniqueConstraint("user_id", "code_hash", name="uq_recovery_codes_user_id_code_hash"),
        sqlite_autoincrement=True,
    )


def _add_keys() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("token_hint", sa.String(length=6), nullable=False),
        sa.Column("scopes", sa.String(length=60), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_api_tokens_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_api_tokens_token_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_api_tokens_user_id", "api_tokens", ["user_id"], unique=False)
    op.create_table(
        "identities",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_identities_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_identities"),
        sa.UniqueConstraint("issuer", "subject", name="uq_identities_issuer_subject"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_identities_user_id", "identities", ["user_id"], unique=False)
    op.create_table(
        "provider_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("state_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("verifier", sa.String(length=128), nullable=False),
        sa.Column("target", sa.String(length=2000), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_provider_requests_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_provider_requests"),
        sa.UniqueConstraint("state_hash", name="uq_provider_requests_state_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_provider_requests_expires_at", "provider_requests", ["expires_at"], unique=False)
