"""The spelling a person's name is looked up and sorted by, in whatever script: SQLite's lower() knows only ASCII."""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "20261125_name_keys"
down_revision = "20261122_first"
branch_labels = None
depends_on = None

BATCH = 500
USERS = sa.table("users", sa.column("id", sa.Integer), sa.column("name", sa.String), sa.column("name_key", sa.Text))


def folded(name: str) -> str:
    """What the program made of a name when this was written: NFKC, casefolded, NFKC again."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()


def fill() -> None:
    """Page by page, so that any number of people fits into memory."""
    connection, last = op.get_bind(), 0
    page = sa.select(USERS.c.id, USERS.c.name).order_by(USERS.c.id).limit(BATCH)
    fill_in = sa.update(USERS).where(USERS.c.id == sa.bindparam("user")).values(name_key=sa.bindparam("key"))
    while rows := connection.execute(page.where(USERS.c.id > last)).all():
        connection.execute(fill_in, [{"user": row.id, "key": folded(row.name)} for row in rows])
        last = rows[-1].id


def upgrade() -> None:
    op.add_column("users", sa.Column("name_key", sa.Text(), nullable=True))
    fill()
    with op.batch_alter_table("users", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.alter_column("name_key", existing_type=sa.Text(), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("users", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_column("name_key")
