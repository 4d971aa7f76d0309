"""What large answers that are on their way offer: who goes on after their worker died can be believed that much."""

import sqlalchemy as sa
from alembic import op

revision = "20261126_transfers"
down_revision = "20261126_indexes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "transfers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("download_id", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=200), nullable=False),
        sa.Column("spans", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["download_id"], ["downloads.id"], name="fk_transfers_download_id"),
        sa.PrimaryKeyConstraint("id", name="pk_transfers"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_transfers_download_id", "transfers", ["download_id"], unique=False)


def downgrade() -> None:
    op.drop_table("transfers")
