"""What several connections handed over of one download: it stays when one of them breaks off."""

import sqlalchemy as sa
from alembic import op

revision = "20261127_repeated"
down_revision = "20261127_blob_seen"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("downloads", sa.Column("repeated", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("downloads", "repeated")
