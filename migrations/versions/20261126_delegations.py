"""What a proxy was told to send, and how far its log has been read."""

import sqlalchemy as sa
from alembic import op

revision = "20261126_delegations"
down_revision = "20261126_tickets_of_packs"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
PUBLIC_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def upgrade() -> None:
    op.create_table(
        "delegations",
        sa.Column("uuid", PUBLIC_ID, nullable=False),
        sa.Column("download_id", sa.Integer(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("stop", sa.BigInteger(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.CheckConstraint("start >= 0 AND start < stop", name=op.f("ck_delegations_span")),
        sa.ForeignKeyConstraint(["download_id"], ["downloads.id"], name="fk_delegations_download_id"),
        sa.PrimaryKeyConstraint("uuid", name="pk_delegations"),
    )
    op.create_index("ix_delegations_download_id", "delegations", ["download_id"], unique=False)
    op.create_table(
        "followed_logs",
        sa.Column("first_line", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("read_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("first_line", name="pk_followed_logs"),
    )


def downgrade() -> None:
    op.drop_table("followed_logs")
    op.drop_table("delegations")
