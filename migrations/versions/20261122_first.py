"""The first schema: people, catalog, share links, ledger and log."""

import sqlalchemy as sa
from alembic import op

revision = "20261122_first"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
PUBLIC_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
TABLES = [
    "audit_events",
    "blobs",
    "categories",
    "groups",
    "sign_in_attempts",
    "users",
    "audit_people",
    "category_aliases",
    "documents",
    "grants",
    "memberships",
    "one_time_tokens",
    "packs",
    "sessions",
    "sources",
    "pack_items",
    "versions",
    "share_links",
    "tickets",
    "downloads",
]
TO_VERSIONS = "fk_documents_current_version_id"

# The log is insert-only: only the columns of the sealer may be filled in later.
REFUSE_SQLITE = """
CREATE TRIGGER audit_events_no_{what} BEFORE {event}
BEGIN SELECT RAISE(ABORT, 'the log is insert-only'); END
"""
REFUSE_POSTGRESQL = """
CREATE FUNCTION audit_events_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the log is insert-only'; END $$;
CREATE TRIGGER audit_events_no_change BEFORE UPDATE OF {columns} OR DELETE OR TRUNCATE ON audit_events
FOR EACH STATEMENT EXECUTE FUNCTION audit_events_refuse()
"""
FIXED = "id, at, action, actor_hash, actor_kind, object_type, object_id, object_label, network, details"


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def documents_to_versions() -> list[sa.ForeignKeyConstraint]:
    """Documents and versions refer to each other; SQLite takes the key before the table, PostgreSQL after it."""
    return [sa.ForeignKeyConstraint(["current_version_id"], ["versions.id"], name=TO_VERSIONS)] if is_sqlite() else []


def protect_log() -> None:
    if is_sqlite():
        op.execute(REFUSE_SQLITE.format(what="update", event=f"UPDATE OF {FIXED} ON audit_events"))
        op.execute(REFUSE_SQLITE.format(what="delete", event="DELETE ON audit_events"))
        # REPLACE INTO would remove the old row without the trigger above.
        taken = "EXISTS (SELECT 1 FROM audit_events WHERE id = NEW.id OR seal_seq = NEW.seal_seq)"
        op.execute(REFUSE_SQLITE.format(what="replace", event=f"INSERT ON audit_events WHEN {taken}"))
    else:
        op.execute(REFUSE_POSTGRESQL.format(columns=FIXED))


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("actor_hash", sa.String(length=64), nullable=True),
        sa.Column("actor_kind", sa.String(length=10), nullable=False),
        sa.Column("object_type", sa.String(length=20), nullable=True),
        sa.Column("object_id", sa.BigInteger(), nullable=True),
        sa.Column("object_label", sa.Text(), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("seal_seq", sa.BigInteger(), nullable=True),
        sa.Column("prev_hash", sa.String(length=64), nullable=True),
        sa.Column("row_hash", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_events_action", "audit_events", ["action", "id"], unique=False)
    op.create_index("ix_audit_events_actor_hash", "audit_events", ["actor_hash", "id"], unique=False)
    op.create_index("ix_audit_events_object", "audit_events", ["object_type", "object_id", "id"], unique=False)
    op.create_index(
        "uq_audit_events_seal_seq",
        "audit_events",
        ["seal_seq"],
        unique=True,
        sqlite_where=sa.text("seal_seq IS NOT NULL"),
        postgresql_where=sa.text("seal_seq IS NOT NULL"),
    )

    op.create_table(
        "blobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("crc32", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("touched_at", MOMENT, nullable=False),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_blobs_sha256")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_blobs_size")),
        sa.PrimaryKeyConstraint("id", name="pk_blobs"),
        sa.UniqueConstraint("sha256", name="uq_blobs_sha256"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "categories",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", PUBLIC_ID, nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("lineage", sa.Text(), nullable=True),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("is_sealed", sa.Boolean(), nullable=False),
        sa.Column("document_count", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("depth BETWEEN 1 AND 64", name=op.f("ck_categories_depth")),
        sa.CheckConstraint("document_count >= 0", name=op.f("ck_categories_document_count")),
        sa.CheckConstraint("id <> parent_id", name=op.f("ck_categories_not_its_own_parent")),
        sa.ForeignKeyConstraint(["parent_id"], ["categories.id"], name="fk_categories_parent_id"),
        sa.PrimaryKeyConstraint("id", name="pk_categories"),
        sa.UniqueConstraint("lineage", name="uq_categories_lineage"),
        sa.UniqueConstraint("parent_id", "name", name="uq_categories_parent_id_name"),
        sa.UniqueConstraint("path", name="uq_categories_path"),
        sa.UniqueConstraint("uuid", name="uq_categories_uuid"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_key", sa.String(length=100), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_groups"),
        sa.UniqueConstraint("name_key", name="uq_groups_name_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sign_in_attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_attempts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sign_in_attempts_key_at", "sign_in_attempts", ["key", "at"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", PUBLIC_ID, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("email_key", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=True),
        sa.Column("visited_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email_key", name="uq_users_email_key"),
        sa.UniqueConstraint("uuid", name="uq_users_uuid"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit_people",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_hash", sa.String(length=64), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_audit_people_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_people"),
        sa.UniqueConstraint("person_hash", name="uq_audit_people_person_hash"),
        sa.UniqueConstraint("user_id", name="uq_audit_people_user_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "category_aliases",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name="fk_category_aliases_category_id"),
        sa.PrimaryKeyConstraint("path", name="pk_category_aliases"),
    )
    op.create_index("ix_category_aliases_category_id", "category_aliases", ["category_id"], unique=False)

    op.create_table(
        "documents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", PUBLIC_ID, nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("current_version_id", sa.Integer(), nullable=True),
        sa.Column("version_count", sa.Integer(), nullable=False),
        sa.Column("published_at", MOMENT, nullable=True),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("trashed_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("version_count >= 0", name=op.f("ck_documents_version_count")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name="fk_documents_category_id"),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name="fk_documents_created_by_id"),
        *documents_to_versions(),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.UniqueConstraint("uuid", name="uq_documents_uuid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_documents_category_published", "documents", ["category_id", "published_at", "id"], unique=False)
    op.create_index("ix_documents_current_version_id", "documents", ["current_version_id"], unique=False)
    op.create_index("ix_documents_published", "documents", ["published_at", "id"], unique=False)
    op.create_index(
        "ix_documents_trashed_at",
        "documents",
        ["trashed_at"],
        unique=False,
        sqlite_where=sa.text("trashed_at IS NOT NULL"),
        postgresql_where=sa.text("trashed_at IS NOT NULL"),
    )
    op.create_index(
        "uq_documents_category_filename",
        "documents",
        ["category_id", "filename"],
        unique=True,
        sqlite_where=sa.text("trashed_at IS NULL"),
        postgresql_where=sa.text("trashed_at IS NULL"),
    )

    op.create_table(
        "grants",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("is_everyone", sa.Boolean(), nullable=False),
        sa.Column("permission", sa.Integer(), nullable=False),
        sa.Column("granted_by_id", sa.Integer(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "(CASE WHEN group_id IS NOT NULL THEN 1 ELSE 0 END) + (CASE WHEN user_id IS NOT NULL THEN 1 ELSE 0 END) + (CASE WHEN is_everyone THEN 1 ELSE 0 END) = 1",
            name=op.f("ck_grants_one_principal"),
        ),
        sa.CheckConstraint("permission BETWEEN 1 AND 3", name=op.f("ck_grants_permission")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name="fk_grants_category_id"),
        sa.ForeignKeyConstraint(["granted_by_id"], ["users.id"], name="fk_grants_granted_by_id"),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_grants_group_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_grants_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_grants"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_grants_group_id", "grants", ["group_id"], unique=False)
    op.create_index("ix_grants_user_id", "grants", ["user_id"], unique=False)
    op.create_index(
        "uq_grants_category_everyone",
        "grants",
        ["category_id"],
        unique=True,
        sqlite_where=sa.text("is_everyone"),
        postgresql_where=sa.text("is_everyone"),
    )
    op.create_index(
        "uq_grants_category_group",
        "grants",
        ["category_id", "group_id"],
        unique=True,
        sqlite_where=sa.text("group_id IS NOT NULL"),
        postgresql_where=sa.text("group_id IS NOT NULL"),
    )
    op.create_index(
        "uq_grants_category_user",
        "grants",
        ["category_id", "user_id"],
        unique=True,
        sqlite_where=sa.text("user_id IS NOT NULL"),
        postgresql_where=sa.text("user_id IS NOT NULL"),
    )

    op.create_table(
        "memberships",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_memberships_group_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_memberships_user_id"),
        sa.PrimaryKeyConstraint("group_id", "user_id", name="pk_memberships"),
    )
    op.create_index("ix_memberships_user_id", "memberships", ["user_id"], unique=False)

    op.create_table(
        "one_time_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "(purpose = 'setup') = (user_id IS NULL)", name=op.f("ck_one_time_tokens_setup_has_no_user")
        ),
        sa.CheckConstraint("purpose IN ('setup', 'invitation', 'reset')", name=op.f("ck_one_time_tokens_purpose")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name="fk_one_time_tokens_created_by_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_one_time_tokens_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_one_time_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_one_time_tokens_token_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_one_time_tokens_user_id", "one_time_tokens", ["user_id"], unique=False)

    op.create_table(
        "packs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", PUBLIC_ID, nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name="fk_packs_created_by_id"),
        sa.PrimaryKeyConstraint("id", name="pk_packs"),
        sa.UniqueConstraint("uuid", name="uq_packs_uuid"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("fresh_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("token_hash", name="uq_sessions_token_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"], unique=False)

    op.create_table(
        "sources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=False),
        sa.Column("directory", sa.Text(), nullable=False),
        sa.Column("scanned_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name="fk_sources_category_id"),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
        sa.UniqueConstraint("category_id", name="uq_sources_category_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "pack_items",
        sa.Column("pack_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("position >= 0", name=op.f("ck_pack_items_position")),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_pack_items_document_id"),
        sa.ForeignKeyConstraint(["pack_id"], ["packs.id"], name="fk_pack_items_pack_id"),
        sa.PrimaryKeyConstraint("pack_id", "position", name="pk_pack_items"),
    )
    op.create_index("ix_pack_items_document_id", "pack_items", ["document_id"], unique=False)
    op.create_index("uq_pack_items_pack_document", "pack_items", ["pack_id", "document_id"], unique=True)

    op.create_table(
        "versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("content_type", sa.String(length=150), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("crc32", sa.BigInteger(), nullable=False),
        sa.Column("blob_id", sa.Integer(), nullable=True),
        sa.Column("source_id", sa.Integer(), nullable=True),
        sa.Column("source_path", sa.Text(), nullable=True),
        sa.Column("source_mtime_ns", sa.BigInteger(), nullable=True),
        sa.Column("purged_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(CASE WHEN blob_id IS NOT NULL THEN 1 ELSE 0 END) + (CASE WHEN source_id IS NOT NULL THEN 1 ELSE 0 END)"
            " + (CASE WHEN purged_at IS NOT NULL THEN 1 ELSE 0 END) = 1",
            name=op.f("ck_versions_one_place"),
        ),
        sa.CheckConstraint(
            "(source_id IS NULL) = (source_path IS NULL) AND (source_id IS NULL) = (source_mtime_ns IS NULL)",
            name=op.f("ck_versions_whole_place"),
        ),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_versions_sha256")),
        sa.CheckConstraint("number >= 1", name=op.f("ck_versions_number")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_versions_size")),
        sa.ForeignKeyConstraint(["blob_id"], ["blobs.id"], name="fk_versions_blob_id"),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name="fk_versions_created_by_id"),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_versions_document_id"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_versions_source_id"),
        sa.PrimaryKeyConstraint("id", name="pk_versions"),
        sa.UniqueConstraint("document_id", "number", name="uq_versions_document_id_number"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_versions_blob_id", "versions", ["blob_id"], unique=False)
    op.create_index("ix_versions_source_id_path", "versions", ["source_id", "source_path"], unique=False)

    op.create_table(
        "share_links",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", PUBLIC_ID, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("token_hint", sa.String(length=6), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=True),
        sa.Column("category_id", sa.Integer(), nullable=True),
        sa.Column("pack_id", sa.Integer(), nullable=True),
        sa.Column("version_id", sa.Integer(), nullable=True),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("max_downloads", sa.Integer(), nullable=True),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("opened_at", MOMENT, nullable=True),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "(CASE WHEN document_id IS NOT NULL THEN 1 ELSE 0 END) + (CASE WHEN category_id IS NOT NULL THEN 1 ELSE 0 END) + (CASE WHEN pack_id IS NOT NULL THEN 1 ELSE 0 END) = 1",
            name=op.f("ck_share_links_one_target"),
        ),
        sa.CheckConstraint(
            "max_downloads IS NULL OR (max_downloads >= 0 AND used <= max_downloads)", name=op.f("ck_share_links_limit")
        ),
        sa.CheckConstraint("used >= 0", name=op.f("ck_share_links_used")),
        sa.CheckConstraint("version_id IS NULL OR document_id IS NOT NULL", name=op.f("ck_share_links_pinned_version")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name="fk_share_links_category_id"),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name="fk_share_links_created_by_id"),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_share_links_document_id"),
        sa.ForeignKeyConstraint(["pack_id"], ["packs.id"], name="fk_share_links_pack_id"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_share_links_version_id"),
        sa.PrimaryKeyConstraint("id", name="pk_share_links"),
        sa.UniqueConstraint("token_hash", name="uq_share_links_token_hash"),
        sa.UniqueConstraint("uuid", name="uq_share_links_uuid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_share_links_category_id", "share_links", ["category_id"], unique=False)
    op.create_index("ix_share_links_created_by_id", "share_links", ["created_by_id"], unique=False)
    op.create_index("ix_share_links_document_id", "share_links", ["document_id"], unique=False)
    op.create_index("ix_share_links_pack_id", "share_links", ["pack_id"], unique=False)

    op.create_table(
        "tickets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("link_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("refunded_at", MOMENT, nullable=True),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["share_links.id"], name="fk_tickets_link_id"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_tickets_version_id"),
        sa.PrimaryKeyConstraint("id", name="pk_tickets"),
        sa.UniqueConstraint("token_hash", name="uq_tickets_token_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tickets_link_id", "tickets", ["link_id"], unique=False)

    op.create_table(
        "downloads",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", PUBLIC_ID, nullable=False),
        sa.Column("actor_key", sa.String(length=200), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("link_id", sa.Integer(), nullable=True),
        sa.Column("ticket_id", sa.Integer(), nullable=True),
        sa.Column("document_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("intervals", sa.JSON(), nullable=False),
        sa.Column("bytes_sent", sa.BigInteger(), nullable=False),
        sa.Column("is_confirmed", sa.Boolean(), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=300), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("active_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.CheckConstraint("NOT is_confirmed OR state = 'completed'", name=op.f("ck_downloads_confirmed")),
        sa.CheckConstraint(
            "state IN ('started', 'completed', 'aborted', 'interrupted', 'delegated')", name=op.f("ck_downloads_state")
        ),
        sa.CheckConstraint("bytes_sent >= 0", name=op.f("ck_downloads_bytes_sent")),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_downloads_document_id"),
        sa.ForeignKeyConstraint(["link_id"], ["share_links.id"], name="fk_downloads_link_id"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name="fk_downloads_ticket_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_downloads_user_id"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_downloads_version_id"),
        sa.PrimaryKeyConstraint("id", name="pk_downloads"),
        sa.UniqueConstraint("uuid", name="uq_downloads_uuid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_downloads_actor_version", "downloads", ["actor_key", "version_id", "id"], unique=False)
    op.create_index("ix_downloads_document_id", "downloads", ["document_id", "id"], unique=False)
    op.create_index("ix_downloads_link_id", "downloads", ["link_id", "id"], unique=False)
    op.create_index("ix_downloads_user_id", "downloads", ["user_id", "id"], unique=False)
    op.create_index("ix_downloads_version_id", "downloads", ["version_id"], unique=False)
    op.create_index(
        "uq_downloads_open",
        "downloads",
        ["actor_key", "version_id"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    if not is_sqlite():
        op.create_foreign_key(TO_VERSIONS, "documents", "versions", ["current_version_id"], ["id"])
    protect_log()


def downgrade() -> None:
    if is_sqlite():
        op.execute("DROP TRIGGER audit_events_no_update")
        op.execute("DROP TRIGGER audit_events_no_delete")
        op.execute("DROP TRIGGER audit_events_no_replace")
    else:
        op.drop_constraint(TO_VERSIONS, "documents")
    for table in reversed(TABLES):
        op.drop_table(table)
    if not is_sqlite():
        op.execute("DROP FUNCTION audit_events_refuse")
