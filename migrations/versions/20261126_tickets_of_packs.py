"""Tickets for a person's choice of documents beside those of links."""

import sqlalchemy as sa
from alembic import op

revision = "20261126_tickets_of_packs"
down_revision = "20261125_name_keys"
branch_labels = None
depends_on = None

HOLDER = (
    "(link_id IS NULL) = (version_id IS NULL) AND (user_id IS NULL) = (pack_id IS NULL)"
    " AND (link_id IS NULL) <> (user_id IS NULL)"
)


def upgrade() -> None:
    """A ticket has a link and a version, or a person and a pack."""
    with op.batch_alter_table("tickets", table_kwargs={"sqlite_autoincrement": True}) as tickets:
        tickets.alter_column("link_id", existing_type=sa.Integer(), nullable=True)
        tickets.alter_column("version_id", existing_type=sa.Integer(), nullable=True)
        tickets.add_column(sa.Column("user_id", sa.Integer(), nullable=True))
        tickets.add_column(sa.Column("pack_id", sa.Integer(), nullable=True))
        tickets.create_foreign_key("fk_tickets_user_id", "users", ["user_id"], ["id"])
        tickets.create_foreign_key("fk_tickets_pack_id", "packs", ["pack_id"], ["id"])
        tickets.create_check_constraint(op.f("ck_tickets_one_holder"), HOLDER)
    op.create_index("ix_tickets_user_id", "tickets", ["user_id"], unique=False)
    op.create_index("ix_tickets_pack_id", "tickets", ["pack_id"], unique=False)


def downgrade() -> None:
    """The tickets of people go; they last a day and nothing refers to them."""
    op.execute("DELETE FROM tickets WHERE link_id IS NULL")
    op.drop_index("ix_tickets_pack_id", table_name="tickets")
    op.drop_index("ix_tickets_user_id", table_name="tickets")
    with op.batch_alter_table("tickets", table_kwargs={"sqlite_autoincrement": True}) as tickets:
        tickets.drop_constraint(op.f("ck_tickets_one_holder"), type_="check")
        tickets.drop_constraint("fk_tickets_pack_id", type_="foreignkey")
        tickets.drop_constraint("fk_tickets_user_id", type_="foreignkey")
        tickets.drop_column("pack_id")
        tickets.drop_column("user_id")
        tickets.alter_column("version_id", existing_type=sa.Integer(), nullable=False)
        tickets.alter_column("link_id", existing_type=sa.Integer(), nullable=False)
