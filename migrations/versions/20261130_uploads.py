"""Bytes come in resumably, are looked at, and are shown: uploads, what outsiders send, distributions, previews, quotas."""

import sqlalchemy as sa
from alembic import op

revision = "20261130_uploads"
down_revision = "20261129_catalog"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
PUBLIC_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
KEPT = {"sqlite_autoincrement": True}
TABLES = (
    "previews",
    "file_requests",
    "submissions",
    "distributions",
    "distribution_lines",
    "uploads",
)
NOW = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
    "postgresql": "now()",
}
WANT = """
INSERT INTO previews (sha256, state, tries, maker, images, reason, created_at)
SELECT DISTINCT sha256, 'waiting', 0, 0, 0, '', {now} FROM versions WHERE purged_at IS NULL
"""
"""Everything that is there already wants a preview."""
COUNT = """
UPDATE users SET used_bytes = COALESCE(
    (SELECT SUM(size) FROM versions WHERE created_by_id = users.id AND purged_at IS NULL), 0)
"""


def upgrade() -> None:
    _extend()
    _add_previews()
    _add_file_requests()
    _add_distributions()
    _add_uploads()


def downgrade() -> None:
    """What was under way is lost; what had come into the catalog stays."""
    for table in reversed(TABLES):
        op.drop_table(table)
    with op.batch_alter_table("users", table_kwargs=KEPT) as users:
        users.drop_index("ix_users_reference")
        for name in ("reference", "quota_bytes", "used_bytes"):
            users.drop_column(name)
    op.drop_column("groups", "quota_bytes")
    op.drop_index("ix_categories_recipient", "categories")
    op.drop_column("categories", "recipient_key")
    with op.batch_alter_table("blobs", table_kwargs=KEPT) as blobs:
        for name in ("ix_blobs_infected", "ix_blobs_scan_waiting"):
            blobs.drop_index(name)
        for name in ("scan_state", "finding"):
            blobs.drop_constraint(op.f(f"ck_blobs_{name}"), type_="check")
        for name in ("finding", "scanned_at", "scan_state"):
            blobs.drop_column(name)


def _extend() -> None:
    with op.batch_alter_table("blobs", table_kwargs=KEPT) as blobs:
        blobs.add_column(sa.Column("scan_state", sa.String(length=10), nullable=True))
        blobs.add_column(sa.Column("scanned_at", MOMENT, nullable=True))
        blobs.add_column(sa.Column("finding", sa.String(length=200), nullable=True))
        blobs.create_check_constraint(op.f("ck_blobs_scan_state"), "scan_state IN ('waiting', 'clean', 'infected')")
        blobs.create_check_constraint(
            op.f("ck_blobs_finding"),
            "(finding IS NOT NULL) = (scan_state IS NOT NULL AND scan_state = 'infected')",
        )
    _index("ix_blobs_scan_waiting", "blobs", ["id"], "scan_state = 'waiting'")
    _index("ix_blobs_infected", "blobs", ["id"], "scan_state = 'infected'")
    op.add_column("groups", sa.Column("quota_bytes", sa.BigInteger(), nullable=True))
    op.add_column("categories", sa.Column("recipient_key", sa.String(length=20), nullable=True))
    _index("ix_categories_recipient", "categories", ["parent_id", "recipient_key"], "recipient_key IS NOT NULL")
    op.add_column("users", sa.Column("used_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("users", sa.Column("quota_bytes", sa.BigInteger(), nullable=True))
    op.add_column("users", sa.Column("reference", sa.String(length=100), nullable=False, server_default=""))
    with op.batch_alter_table("users", table_kwargs=KEPT) as users:
        users.alter_column("used_bytes", existing_type=sa.BigInteger(), server_default=None)
        users.alter_column("reference", existing_type=sa.String(length=100), server_default=None)
    _index("ix_users_reference", "users", ["reference"], "reference <> ''", unique=True)
    op.execute(COUNT)


def _add_previews() -> None:
    op.create_table(
        "previews",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("leased_until", MOMENT, nullable=True),
        sa.Column("maker", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=True),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("sizes", sa.Text(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("table_rows", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("made_at", MOMENT, nullable=True),
        sa.CheckConstraint("kind IN ('pages', 'image', 'table', 'text')", name=op.f("ck_previews_kind")),
        sa.CheckConstraint("state IN ('waiting', 'made', 'none', 'parked')", name=op.f("ck_previews_state")),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_previews_sha256")),
        sa.PrimaryKeyConstraint("id", name="pk_previews"),
        sa.UniqueConstraint("sha256", name="uq_previews_sha256"),
        sqlite_autoincrement=True,
    )
    _index("ix_previews_waiting", "previews", ["leased_until", "id"], "state = 'waiting'")
    op.execute(WANT.format(now=NOW[op.get_bind().dialect.name]))


def _add_file_requests() -> None:
    op.create_table(
        "file_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", PUBLIC_ID, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("token_hint", sa.String(length=6), nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("max_files", sa.Integer(), nullable=True),
        sa.Column("max_bytes", sa.BigInteger(), nullable=True),
        sa.Column("max_file_bytes", sa.BigInteger(), nullable=True),
        sa.Column("allowed_types", sa.Text(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "bytes >= 0 AND (max_bytes IS NULL OR bytes <= max_bytes)", name=op.f("ck_file_requests_bytes")
        ),
        sa.CheckConstraint(
            "files >= 0 AND (max_files IS NULL OR files <= max_files)", name=op.f("ck_file_requests_files")
        ),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name="fk_file_requests_category_id"),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name="fk_file_requests_created_by_id"),
        sa.PrimaryKeyConstraint("id", name="pk_file_requests"),
        sa.UniqueConstraint("token_hash", name="uq_file_requests_token_hash"),
        sa.UniqueConstraint("uuid", name="uq_file_requests_uuid"),
        sqlite_autoincrement=True,
    )
    _index("ix_file_requests_category_id", "file_requests", ["category_id"])
    _index("ix_file_requests_created_by_id", "file_requests", ["created_by_id"])
    op.create_table(
        "submissions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", PUBLIC_ID, nullable=False),
        sa.Column("file_request_id", sa.Integer(), nullable=False),
        sa.Column("sender", sa.String(length=200), nullable=False),
        sa.Column("receipt_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("reviewed_at", MOMENT, nullable=True),
        sa.Column("reviewed_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["file_request_id"], ["file_requests.id"], name="fk_submissions_file_request_id"),
        sa.ForeignKeyConstraint(["reviewed_by_id"], ["users.id"], name="fk_submissions_reviewed_by_id"),
        sa.PrimaryKeyConstraint("id", name="pk_submissions"),
        sa.UniqueConstraint("receipt_hash", name="uq_submissions_receipt_hash"),
        sa.UniqueConstraint("uuid", name="uq_submissions_uuid"),
        sqlite_autoincrement=True,
    )
    _index("ix_submissions_file_request_id", "submissions", ["file_request_id"])


def _add_distributions() -> None:
    op.create_table(
        "distributions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", PUBLIC_ID, nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=True),
        sa.Column("pattern", sa.String(length=200), nullable=False),
        sa.Column("wants_notice", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("confirmed_at", MOMENT, nullable=True),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("told_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "state IN ('collecting', 'running', 'done', 'stopped')", name=op.f("ck_distributions_state")
        ),
        sa.CheckConstraint("told_at IS NULL OR closed_at IS NOT NULL", name=op.f("ck_distributions_told_afterwards")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name="fk_distributions_category_id"),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name="fk_distributions_created_by_id"),
        sa.PrimaryKeyConstraint("id", name="pk_distributions"),
        sa.UniqueConstraint("uuid", name="uq_distributions_uuid"),
        sqlite_autoincrement=True,
    )
    _index("ix_distributions_category_id", "distributions", ["category_id"])
    _index("ix_distributions_created_by_id", "distributions", ["created_by_id"])
    _index("ix_distributions_due", "distributions", ["id"], "state <> 'collecting' AND told_at IS NULL")
    op.create_table(
        "distribution_lines",
        sa.Column("distribution_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["distribution_id"], ["distributions.id"], name="fk_distribution_lines_distribution_id"
        ),
        sa.PrimaryKeyConstraint("distribution_id", "number", name="pk_distribution_lines"),
    )
    _index("ix_distribution_lines_filename", "distribution_lines", ["distribution_id", "filename"])


def _add_uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", PUBLIC_ID, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("submission_id", sa.Integer(), nullable=True),
        sa.Column("category_id", sa.Integer(), nullable=True),
        sa.Column("document_id", sa.Integer(), nullable=True),
        sa.Column("distribution_id", sa.Integer(), nullable=True),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("announced", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("temp", sa.String(length=60), nullable=False),
        sa.Column("blob_id", sa.Integer(), nullable=True),
        sa.Column("version_id", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("refused_as", sa.Integer(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("active_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.CheckConstraint("state <> 'arrived' OR blob_id IS NOT NULL", name=op.f("ck_uploads_arrived_with_bytes")),
        sa.CheckConstraint(
            "state IN ('receiving', 'arrived', 'done', 'refused', 'cancelled', 'expired')",
            name=op.f("ck_uploads_state"),
        ),
        sa.CheckConstraint(
            "(CASE WHEN category_id IS NOT NULL THEN 1 ELSE 0 END) + (CASE WHEN document_id IS NOT NULL THEN 1 ELSE 0"
            " END) + (CASE WHEN distribution_id IS NOT NULL THEN 1 ELSE 0 END)"
            " BETWEEN (CASE WHEN closed_at IS NULL THEN 1 ELSE 0 END) AND 1",
            name=op.f("ck_uploads_one_target"),
        ),
        sa.CheckConstraint(
            "(user_id IS NULL OR submission_id IS NULL)"
            " AND (user_id IS NOT NULL OR submission_id IS NOT NULL OR distribution_id IS NOT NULL)",
            name=op.f("ck_uploads_one_sender"),
        ),
        sa.CheckConstraint("size >= 0 AND received >= 0 AND received <= size", name=op.f("ck_uploads_received")),
        sa.ForeignKeyConstraint(["blob_id"], ["blobs.id"], name="fk_uploads_blob_id"),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name="fk_uploads_category_id"),
        sa.ForeignKeyConstraint(["distribution_id"], ["distributions.id"], name="fk_uploads_distribution_id"),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_uploads_document_id"),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name="fk_uploads_submission_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_uploads_user_id"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_uploads_version_id"),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
        sa.UniqueConstraint("uuid", name="uq_uploads_uuid"),
        sqlite_autoincrement=True,
    )
    _index("ix_uploads_blob_id", "uploads", ["blob_id"], "blob_id IS NOT NULL")
    _index("ix_uploads_distribution_id", "uploads", ["distribution_id", "state"])
    _index("ix_uploads_receiving", "uploads", ["expires_at"], "state = 'receiving'")
    _index("ix_uploads_sent", "uploads", ["version_id"], "submission_id IS NOT NULL")
    _index("ix_uploads_submission_id", "uploads", ["submission_id"])
    _index("ix_uploads_user_id", "uploads", ["user_id", "state"])


def _index(name: str, table: str, columns: list[str], only: str = "", *, unique: bool = False) -> None:
    where = sa.text(only) if only else None
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)
