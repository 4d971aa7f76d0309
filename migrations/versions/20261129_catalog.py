"""A catalog for a million documents: tags and fields, an index of words, what people follow, edits of many at once.

The index itself is made here too; it is derived, and the worker fills it. Every document waits for that.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261129_catalog"
down_revision = "20261128_people"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
KEPT = {"sqlite_autoincrement": True}
TABLES = (
    "bulk_edits",
    "bulk_items",
    "category_fields",
    "field_values",
    "follows",
    "import_runs",
    "imported_files",
    "saved_searches",
    "search_changes",
    "search_terms",
    "seen",
    "tags",
    "document_tags",
)

Indexes = tuple[tuple[str, list[str], str], ...]
FORMER_LISTS: Indexes = (
    ("ix_documents_category_published", ["category_id", "published_at", "id"], ""),
    ("ix_documents_published", ["published_at", "id"], ""),
    ("ix_documents_trashed_at", ["trashed_at"], "trashed_at IS NOT NULL"),
)
LISTS: Indexes = (
    ("ix_documents_category_published", ["category_id", "published_at", "id", "trashed_at", "expires_at"], ""),
    ("ix_documents_published", ["published_at", "id", "category_id", "trashed_at", "expires_at"], ""),
    ("ix_documents_category_expires", ["category_id", "expires_at", "id", "trashed_at"], "expires_at IS NOT NULL"),
    ("ix_documents_expires", ["expires_at", "id", "category_id", "trashed_at"], "expires_at IS NOT NULL"),
    ("ix_documents_category_trashed", ["category_id", "trashed_at", "id"], "trashed_at IS NOT NULL"),
    ("ix_documents_trashed_at", ["trashed_at", "id", "category_id"], "trashed_at IS NOT NULL"),
)
"""The orders of lists, with what decides who sees a document in them, so that none is looked at that is not shown."""

INDEX_SQLITE = (
    """
    CREATE VIRTUAL TABLE document_words USING fts5(
        facts, title, filename, reference, tags, fields, description, body,
        tokenize = "ascii tokenchars '='", prefix = '2 3 4'
    )
    """,
    """
    CREATE VIRTUAL TABLE search_term_grams USING fts5(
        grams, content = 'search_terms', content_rowid = 'id', detail = none, columnsize = 0, tokenize = 'ascii'
    )
    """,
)
INDEX_POSTGRESQL = (
    "CREATE TABLE document_words (key bigint PRIMARY KEY, document_id integer NOT NULL UNIQUE, words tsvector NOT NULL)",
    "CREATE INDEX ix_document_words_words ON document_words USING gin (words) WITH (fastupdate = off)",
    """
    CREATE INDEX ix_search_terms_grams ON search_terms
    USING gin (array_to_tsvector(string_to_array(grams, ' '))) WITH (fastupdate = off)
    """,
)
QUEUE = "INSERT INTO search_changes (document_id, created_at) SELECT id, created_at FROM documents"


def upgrade() -> None:
    _extend()
    _add_descriptions()
    _add_bulk()
    _add_search()
    _add_following()


def downgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if is_sqlite:
        op.execute("DROP TABLE search_term_grams")
    op.execute("DROP TABLE document_words")
    for table in reversed(TABLES):
        op.drop_table(table)
    with op.batch_alter_table("versions", table_kwargs=KEPT) as versions:
        versions.drop_index("ix_versions_sha256")
        versions.drop_index("ix_versions_created_at")
        versions.drop_constraint("fk_versions_restored_from_id", type_="foreignkey")
        versions.drop_column("restored_from_id")
    op.drop_column("sources", "ignored")
    with op.batch_alter_table("documents", table_kwargs=KEPT) as documents:
        documents.drop_index("ix_documents_reference")
        documents.drop_index("ix_documents_responsible_id")
        documents.drop_constraint("fk_documents_responsible_id", type_="foreignkey")
        for name in ("reference", "responsible_id", "search_key"):
            documents.drop_column(name)
    _replace_indexes(LISTS, FORMER_LISTS)
    _part_paths()
    with op.batch_alter_table("categories", table_kwargs=KEPT) as categories:
        for name in ("uq_categories_live_path", "ix_categories_parent_id", "ix_categories_trashed_at"):
            categories.drop_index(name)
        categories.drop_constraint(op.f("ck_categories_expiry_days"), type_="check")
        for name in ("allowed_types", "expiry_days", "trashed_at"):
            categories.drop_column(name)
        categories.create_unique_constraint("uq_categories_path", ["path"])
        categories.create_unique_constraint("uq_categories_parent_id_name", ["parent_id", "name"])


def _part_paths() -> None:
    """Categories in the trash come out of it; one whose path another has by now gets its id behind its name."""
    connection = op.get_bind()
    clashing = sa.text(
        "SELECT id, path, name FROM categories c WHERE trashed_at IS NOT NULL AND EXISTS"
        " (SELECT 1 FROM categories o WHERE o.path = c.path AND o.id <> c.id) ORDER BY depth, id LIMIT 1"
    )
    rename = sa.text("UPDATE categories SET name = :name, path = :path WHERE id = :id")
    repath = sa.text(
        "UPDATE categories SET path = :path || substr(path, :length) WHERE id <> :id AND lineage LIKE"
        " (SELECT lineage FROM categories WHERE id = :id) || '%'"
    )
    while (row := connection.execute(clashing).first()) is not None:
        ending = f" ({row.id})"
        name = row.name[: 100 - len(ending)] + ending
        path = row.path[: len(row.path) - len(row.name)] + name
        connection.execute(rename, {"id": row.id, "name": name, "path": path})
        connection.execute(repath, {"id": row.id, "path": path, "length": len(row.path) + 1})


def _extend() -> None:
    with op.batch_alter_table("categories", table_kwargs=KEPT) as categories:
        categories.add_column(sa.Column("allowed_types", sa.Text(), nullable=True))
        categories.add_column(sa.Column("expiry_days", sa.Integer(), nullable=True))
        categories.add_column(sa.Column("trashed_at", MOMENT, nullable=True))
        categories.drop_constraint("uq_categories_parent_id_name", type_="unique")
        categories.drop_constraint("uq_categories_path", type_="unique")
        categories.create_check_constraint(op.f("ck_categories_expiry_days"), "expiry_days >= 0")
    _index("uq_categories_live_path", "categories", ["path"], "trashed_at IS NULL", unique=True)
    _index("ix_categories_parent_id", "categories", ["parent_id"])
    _index("ix_categories_trashed_at", "categories", ["trashed_at"], "trashed_at IS NOT NULL")
    op.add_column("documents", sa.Column("reference", sa.String(length=100), nullable=False, server_default=""))
    with op.batch_alter_table("documents", table_kwargs=KEPT) as documents:
        documents.alter_column("reference", existing_type=sa.String(length=100), server_default=None)
        documents.add_column(sa.Column("responsible_id", sa.Integer(), nullable=True))
        documents.add_column(sa.Column("search_key", sa.BigInteger(), nullable=True))
        documents.create_foreign_key("fk_documents_responsible_id", "users", ["responsible_id"], ["id"])
    _index("ix_documents_reference", "documents", ["reference"], "reference <> ''")
    _index("ix_documents_responsible_id", "documents", ["responsible_id"], "responsible_id IS NOT NULL")
    _replace_indexes(FORMER_LISTS, LISTS)
    op.add_column("sources", sa.Column("ignored", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("sources", table_kwargs=KEPT) as sources:
        sources.alter_column("ignored", existing_type=sa.Text(), server_default=None)
    with op.batch_alter_table("versions", table_kwargs=KEPT) as versions:
        versions.add_column(sa.Column("restored_from_id", sa.Integer(), nullable=True))
        versions.create_foreign_key("fk_versions_restored_from_id", "versions", ["restored_from_id"], ["id"])
    _index("ix_versions_sha256", "versions", ["sha256"])
    _index("ix_versions_created_at", "versions", ["created_at"])


def _add_descriptions() -> None:
    op.create_table(
        "tags",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("name_key", sa.String(length=240), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tags"),
        sa.UniqueConstraint("name_key", name="uq_tags_name_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "document_tags",
        sa.Column("document_id", sa.Integer(), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_document_tags_document_id"),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name="fk_document_tags_tag_id"),
        sa.PrimaryKeyConstraint("document_id", "tag_id", name="pk_document_tags"),
    )
    _index("ix_document_tags_tag_id", "document_tags", ["tag_id", "document_id"])
    op.create_table(
        "category_fields",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("name_key", sa.String(length=240), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("choices", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("removed_at", MOMENT, nullable=True),
        sa.CheckConstraint("kind IN ('text', 'date', 'number', 'choice')", name=op.f("ck_category_fields_kind")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name="fk_category_fields_category_id"),
        sa.PrimaryKeyConstraint("id", name="pk_category_fields"),
        sqlite_autoincrement=True,
    )
    named = ["category_id", "name_key"]
    _index("uq_category_fields_name_key", "category_fields", named, "removed_at IS NULL", unique=True)
    op.create_table(
        "field_values",
        sa.Column("document_id", sa.Integer(), nullable=False),
        sa.Column("field_id", sa.Integer(), nullable=False),
        sa.Column("value", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_field_values_document_id"),
        sa.ForeignKeyConstraint(["field_id"], ["category_fields.id"], name="fk_field_values_field_id"),
        sa.PrimaryKeyConstraint("document_id", "field_id", name="pk_field_values"),
    )
    _index("ix_field_values_field_id", "field_values", ["field_id", "value"])


def _add_bulk() -> None:
    op.create_table(
        "bulk_edits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.CheckConstraint("state IN ('planned', 'running', 'done', 'stopped')", name=op.f("ck_bulk_edits_state")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name="fk_bulk_edits_created_by_id"),
        sa.PrimaryKeyConstraint("id", name="pk_bulk_edits"),
        sqlite_autoincrement=True,
    )
    _index("ix_bulk_edits_created_by_id", "bulk_edits", ["created_by_id"])
    _index("ix_bulk_edits_running", "bulk_edits", ["id"], "state = 'running'")
    op.create_table(
        "bulk_items",
        sa.Column("bulk_edit_id", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("outcome IN ('changed', 'unchanged', 'refused')", name=op.f("ck_bulk_items_outcome")),
        sa.ForeignKeyConstraint(["bulk_edit_id"], ["bulk_edits.id"], name="fk_bulk_items_bulk_edit_id"),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_bulk_items_document_id"),
        sa.PrimaryKeyConstraint("bulk_edit_id", "document_id", name="pk_bulk_items"),
    )
    _index("ix_bulk_items_open", "bulk_items", ["bulk_edit_id", "document_id"], "outcome IS NULL")
    op.create_table(
        "import_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("directory", sa.Text(), nullable=False),
        sa.Column("into_path", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_import_runs"),
        sa.UniqueConstraint("into_path", "directory", name="uq_import_runs_into_path_directory"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "imported_files",
        sa.Column("import_run_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("ctime_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["import_run_id"], ["import_runs.id"], name="fk_imported_files_import_run_id"),
        sa.PrimaryKeyConstraint("import_run_id", "path", name="pk_imported_files"),
    )


def _add_search() -> None:
    op.create_table(
        "search_terms",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("term", sa.String(length=100), nullable=False),
        sa.Column("grams", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_search_terms"),
        sa.UniqueConstraint("term", name="uq_search_terms_term"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "search_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_search_changes_document_id"),
        sa.PrimaryKeyConstraint("id", name="pk_search_changes"),
        sqlite_autoincrement=True,
    )
    _index("ix_search_changes_document_id", "search_changes", ["document_id"])
    op.create_table(
        "saved_searches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("wants_notice", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("looked_at", MOMENT, nullable=False),
        sa.Column("told_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_saved_searches_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_saved_searches"),
        sqlite_autoincrement=True,
    )
    _index("ix_saved_searches_user_id", "saved_searches", ["user_id"])
    for statement in INDEX_SQLITE if op.get_bind().dialect.name == "sqlite" else INDEX_POSTGRESQL:
        op.execute(statement)
    op.execute(QUEUE)


def _add_following() -> None:
    op.create_table(
        "seen",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_seen_document_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_seen_user_id"),
        sa.PrimaryKeyConstraint("user_id", "document_id", name="pk_seen"),
    )
    _index("ix_seen_document_id", "seen", ["document_id"])
    op.create_table(
        "follows",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("told_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name="fk_follows_category_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_follows_user_id"),
        sa.PrimaryKeyConstraint("user_id", "category_id", name="pk_follows"),
    )
    _index("ix_follows_category_id", "follows", ["category_id"])
    _index("ix_follows_told_at", "follows", ["told_at"])


def _replace_indexes(former: Indexes, new: Indexes) -> None:
    for name, _, _ in former:
        op.drop_index(name, "documents")
    for name, columns, only in new:
        _index(name, "documents", columns, only)


def _index(name: str, table: str, columns: list[str], only: str = "", *, unique: bool = False) -> None:
    where = sa.text(only) if only else None
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)
