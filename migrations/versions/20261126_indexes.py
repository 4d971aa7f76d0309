"""Indexes that fit what is asked: one for the grants of a category, and fewer pages to write for a download.

Without the first SQLite makes one of all grants, for each download anew. A download of a person has no link and the
other way round; nothing asks for the downloads of a version alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261126_indexes"
down_revision = "20261126_delegations"
branch_labels = None
depends_on = None

PARTIAL = ("user_id", "link_id")


def upgrade() -> None:
    op.create_index("ix_grants_category_id", "grants", ["category_id"], unique=False)
    op.drop_index("ix_downloads_version_id", "downloads")
    for column in PARTIAL:
        there = sa.text(f"{column} IS NOT NULL")
        op.drop_index(f"ix_downloads_{column}", "downloads")
        op.create_index(
            f"ix_downloads_{column}",
            "downloads",
            [column, "id"],
            unique=False,
            sqlite_where=there,
            postgresql_where=there,
        )


def downgrade() -> None:
    for column in PARTIAL:
        op.drop_index(f"ix_downloads_{column}", "downloads")
        op.create_index(f"ix_downloads_{column}", "downloads", [column, "id"], unique=False)
    op.create_index("ix_downloads_version_id", "downloads", ["version_id"], unique=False)
    op.drop_index("ix_grants_category_id", "grants")
