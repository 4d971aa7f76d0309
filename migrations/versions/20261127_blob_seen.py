"""What was seen of a file when its bytes were last verified, what is wrong with it, and the passes of the scrub."""

import sqlalchemy as sa
from alembic import op

revision = "20261127_blob_seen"
down_revision = "20261126_transfers"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
NUMBERS = ("seen_inode", "seen_mtime_ns", "seen_ctime_ns")
MOMENTS = ("verified_at", "wanted_at", "damaged_at")
LOOKED_FOR = ("wanted_at", "damaged_at")
TABLES = ("blobs", "versions")


def upgrade() -> None:
    """Only new columns that may be empty: no table is written anew, however long it is."""
    for table in TABLES:
        for name in NUMBERS:
            op.add_column(table, sa.Column(name, sa.BigInteger(), nullable=True))
        for name in MOMENTS:
            op.add_column(table, sa.Column(name, MOMENT, nullable=True))
        op.add_column(table, sa.Column("damage", sa.String(length=10), nullable=True))
        for name in LOOKED_FOR:
            some = sa.text(f"{name} IS NOT NULL")
            op.create_index(f"ix_{table}_{name}", table, [name], sqlite_where=some, postgresql_where=some)
    op.create_table(
        "scrub_passes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("active_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("blob_id", sa.Integer(), nullable=False),
        sa.Column("last_blob_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("last_version_id", sa.Integer(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("total_bytes", sa.BigInteger(), nullable=False),
        sa.Column("damaged", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_scrub_passes"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("scrub_passes")
    for table in TABLES:
        for name in LOOKED_FOR:
            op.drop_index(f"ix_{table}_{name}", table)
        for name in ("damage", *reversed(MOMENTS), *reversed(NUMBERS)):
            op.drop_column(table, name)
