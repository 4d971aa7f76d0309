"""What has a tag is read in the order of lists: each tag of a document knows where the index of words has the document."""

import sqlalchemy as sa
from alembic import op

revision = "20261201_tag_order"
down_revision = "20261130_uploads"
branch_labels = None
depends_on = None

FILL = """
UPDATE document_tags SET search_key =
    (SELECT search_key FROM documents WHERE documents.id = document_tags.document_id)
"""


def upgrade() -> None:
    op.add_column("document_tags", sa.Column("search_key", sa.BigInteger(), nullable=True))
    op.execute(FILL)
    op.drop_index("ix_document_tags_tag_id", "document_tags")
    op.create_index("ix_document_tags_tag_id", "document_tags", ["tag_id", "search_key"])


def downgrade() -> None:
    op.drop_index("ix_document_tags_tag_id", "document_tags")
    op.create_index("ix_document_tags_tag_id", "document_tags", ["tag_id", "document_id"])
    op.drop_column("document_tags", "search_key")
