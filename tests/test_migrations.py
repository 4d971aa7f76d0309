"""Revisions: one line of them, equal to the models, each run once and wholly, none losing a row."""

import hashlib
import re
import shutil
import subprocess
import sys
import textwrap
import uuid as uuids
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Uuid,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from portal import schema
from portal.errors import SchemaMismatch
from portal.models import INDEX_TABLES, Base
from tests.databases import PostgresServer, connected, sqlite_url

ROWS = 3
VERSIONING = "alembic_version"
SCRIPTS = ScriptDirectory(str(schema.MIGRATIONS))
REVISIONS = [script.revision for script in reversed(list(SCRIPTS.walk_revisions()))]
MOMENT = datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)

DIGESTS = [hashlib.sha256(bytes([number])).hexdigest() for number in range(ROWS)]
NOWHERE: dict[str, Any] = {"blob_id": None, "source_id": None, "source_path": None, "source_mtime_ns": None}
NO_TARGET: dict[str, Any] = {"document_id": None, "category_id": None, "pack_id": None, "version_id": None}
NOBODY: dict[str, Any] = {"group_id": None, "user_id": None, "is_everyone": False}

# What the kind of a column does not tell: the values of three rows where a CHECK wants something of them.
# Columns an older revision does not have are left out, so this follows the newest.
VALUES: dict[str, list[dict[str, Any]]] = {
    "audit_events": [{"seal_seq": None}, {"seal_seq": 1}, {"seal_seq": 2}],
    "blobs": [
        {"sha256": DIGESTS[0], "scan_state": None, "finding": None},
        {"sha256": DIGESTS[1], "scan_state": "clean", "finding": None},
        {"sha256": DIGESTS[2], "scan_state": "infected"},
    ],
    "bulk_edits": [{"state": "planned"}, {"state": "running"}, {"state": "done"}],
    "bulk_items": [{"outcome": None}, {"outcome": "changed"}, {"outcome": "refused"}],
    "categories": [
        {"parent_id": None, "depth": 1, "trashed_at": None},
        {"parent_id": 1, "depth": 2, "expiry_days": None},
        {"parent_id": 2, "depth": 3, "allowed_types": None},
    ],
    "category_fields": [{"kind": "text"}, {"kind": "date"}, {"kind": "choice"}],
    "challenges": [{"purpose": "add"}, {"purpose": "enter", "user_id": None}, {"purpose": "prove"}],
    "delegations": [{"start": 0, "stop": 1}, {"start": 1, "stop": 2}, {"start": 2, "stop": 3}],
    "distributions": [{"state": "collecting"}, {"state": "running"}, {"state": "done"}],
    "documents": [{"trashed_at": None}, {"published_at": None}, {"expires_at": None}],
    "downloads": [
        {"state": "started", "is_confirmed": False, "closed_at": None},
        {"state": "completed", "is_confirmed": True},
        {"state": "aborted", "is_confirmed": False},
    ],
    "grants": [NOBODY | {"group_id": 1}, NOBODY | {"user_id": 2}, NOBODY | {"is_everyone": True}],
    "mails": [{"state": "waiting"}, {"state": "sent", "text": None, "html": None}, {"state": "parked"}],
    "one_time_tokens": [{"purpose": "setup", "user_id": None}, {"purpose": "invitation"}, {"purpose": "reset"}],
    "previews": [
        {"sha256": DIGESTS[0], "state": "waiting", "kind": None},
        {"sha256": DIGESTS[1], "state": "made", "kind": "pages"},
        {"sha256": DIGESTS[2], "state": "parked", "kind": None},
    ],
    "share_links": [
        NO_TARGET | {"document_id": 1, "version_id": 1},
        NO_TARGET | {"category_id": 2, "max_downloads": None},
        NO_TARGET | {"pack_id": 3, "used": 0},
    ],
    "tickets": [{"user_id": None, "pack_id": None}] * ROWS,
    "uploads": [
        {"state": "receiving", "submission_id": None, "document_id": None, "distribution_id": None, "blob_id": None},
        {"state": "arrived", "user_id": None, "document_id": None, "category_id": None},
        {"state": "done", "submission_id": None, "category_id": None, "distribution_id": None},
    ],
    "versions": [
        NOWHERE | {"sha256": DIGESTS[0], "blob_id": 1, "purged_at": None},
        NOWHERE | {"sha256": DIGESTS[1], "source_id": 2, "source_path": "a", "source_mtime_ns": 2, "purged_at": None},
        NOWHERE | {"sha256": DIGESTS[2]},
    ],
}  # fmt: skip

Columns = dict[str, list[str]]
"""Names of columns by table."""
Picture = dict[str, tuple[int, str]]
"""Rows and checksum by table."""


PROTECTION = "TRIGGER|FUNCTION"
WORDS = f"^({'|'.join(INDEX_TABLES)})|ix_search_terms_grams"
POSTGRESQL_SCHEMA = """
SELECT table_name, concat_ws(' ', column_name, data_type, character_maximum_length, is_nullable, column_default)
  FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT conrelid::regclass::text, concat_ws(' ', 'CONSTRAINT', conname, pg_get_constraintdef(oid))
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'functions', pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


def tables_of(connection: Connection) -> list[Table]:
    """The tables as the database has them, parents before children, without the one the revisions are kept in."""
    found = MetaData()
    found.reflect(connection, only=lambda name, _: name != VERSIONING and not is_of_the_index(name))
    waiting = {table.name: table for table in found.tables.values()}
    ordered: list[Table] = []
    while waiting:
        ready = [table for table in waiting.values() if not (parents_of(table) & waiting.keys())]
        assert ready, f"{sorted(waiting)} refer to each other in a circle that cannot be begun with NULL"
        ordered += ready
        waiting = {name: table for name, table in waiting.items() if table not in ready}
    return ordered


def is_of_the_index(name: str) -> bool:
    """Whether a table or index is part of the index of words, which is derived and no model."""
    return name.startswith(INDEX_TABLES) or name == "ix_search_terms_grams"


def parents_of(table: Table) -> set[str]:
    """The other tables whose rows must be there first."""
    keys = [key for key in table.foreign_keys if not is_closed_later(key.parent)]
    return {key.column.table.name for key in keys} - {table.name}


def is_closed_later(column: Column[Any]) -> bool:
    """The one column that closes a circle: it is filled in when both tables have their rows."""
    return (column.table.name, column.name) == ("documents", "current_version_id")


def fill(connection: Connection) -> list[Table]:
    """Put three rows into every table the database has, ids 1 to 3, each row referring to those of its number."""
    tables = tables_of(connection)
    for table in tables:
        for number in range(1, ROWS + 1):
            connection.execute(insert(table).values(row_of(table, number)))
    for table in tables:
        for column in filter(is_closed_later, table.columns):
            connection.execute(update(table).values({column.name: table.c.id}))
    connection.commit()
    return tables


def row_of(table: Table, number: int) -> dict[str, Any]:
    """Values for every column but a counted id."""
    wanted = VALUES.get(table.name, [{}] * ROWS)[number - 1]
    columns = [column for column in table.columns if not is_counted(column) and not is_closed_later(column)]
    return {
        column.name: wanted[column.name] if column.name in wanted else value_of(column, number) for column in columns
    }


def is_counted(column: Column[Any]) -> bool:
    """Whether the database gives the number itself."""
    return column.name == "id" and column.primary_key


def value_of(column: Column[Any], number: int) -> Any:
    """A value of the column's kind, another one for each row (but booleans)."""
    digest = hashlib.sha256(f"{column}{number}".encode()).digest()[:16]
    values: list[tuple[type[TypeEngine[Any]], Any]] = [
        (Boolean, False),
        (Integer, number),  # moments on SQLite too, and keys, which refer to the row of the same number
        (DateTime, MOMENT.replace(microsecond=number)),
        (LargeBinary, digest),
        (Uuid, uuids.UUID(bytes=digest)),
        (JSON, {"numbers": [number]}),
        (String, f"ü{number}{column.name}"[: getattr(column.type, "length", None)]),
    ]
    return next(value for kind, value in values if isinstance(column.type, kind))


def columns_of(tables: Iterable[Table]) -> Columns:
    """The names of the columns by table."""
    return {table.name: sorted(table.columns.keys()) for table in tables}


def rows_of(connection: Connection, columns: Columns) -> Picture:
    """How many rows each table has, and a checksum over these columns of all of them."""
    found: Picture = {}
    for name, names in columns.items():
        listed = ", ".join(f'"{column}"' for column in names)
        rows = sorted(repr(row) for row in connection.exec_driver_sql(f'SELECT {listed} FROM "{name}"'))  # noqa: S608
        found[name] = (len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest())
    return found


def schema_of(connection: Connection) -> set[str]:
    """Everything the schema consists of, one text for each part, in no order."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql("SELECT type, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        made = [row for row in rows if row.tbl_name not in (VERSIONING, "sqlite_sequence")]
        return {f"{table}: {part}" for kind, table, sql in made for part in parts_of(kind, sql)}
    rows = connection.exec_driver_sql(POSTGRESQL_SCHEMA)
    return {f"{table}: {part}" for table, part in rows if table != VERSIONING}


def parts_of(kind: str, sql: str) -> list[str]:
    """A statement in one spelling; that of a table in pieces, since columns and constraints may stand in any order."""
    sql = " ".join(sql.replace('"', "").split())
    if kind != "table":
        return [sql]
    _, _, rest = sql.partition("(")
    body, _, options = rest.rpartition(")")
    return [*(piece.strip() for piece in split_list(body)), options.strip()]


def split_list(text: str) -> list[str]:
    """The text at its commas, those in parentheses apart."""
    pieces, depth, start = [], 0, 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            pieces.append(text[start:at])
            start = at + 1
    return [*pieces, text[start:]]


def extended(directory: Path, body: str) -> Path:
    """A copy of the migrations with one more revision, ``extra``, whose ``upgrade`` and ``downgrade`` are ``body``."""
    copy = directory / "migrations"
    shutil.copytree(schema.MIGRATIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    head = f'import sqlalchemy as sa\nfrom alembic import op\nrevision = "extra"\ndown_revision = "{schema.head()}"\n'
    (copy / "versions" / "extra.py").write_text(head + textwrap.dedent(body))
    return copy


def sabotage(file: Path, line: str, instead: str) -> None:
    """Replace what must be there exactly once."""
    text = file.read_text()
    assert text.count(line) == 1
    file.write_text(text.replace(line, instead))


def configured(url: str, scripts: Path = schema.MIGRATIONS) -> Config:
    """The portal's configuration, with these scripts."""
    config = schema.config(url)
    config.set_main_option("script_location", str(scripts))
    return config


def parent_of(config: Config, revision: str) -> str:
    """The name of the revision before this one."""
    parent = ScriptDirectory.from_config(config).get_revision(revision).down_revision
    assert parent is None or isinstance(parent, str), "a merge of two lines"
    return parent or "base"


class Steps:
    """Databases of one kind, at each revision one that is copied: made by one step from that before, and only once."""

    def __init__(self, copy: Callable[[str, str], str]) -> None:
        self._copy = copy
        self._made = {"base": ""}

    def at(self, revision: str, name: str) -> str:
        """The URL of a database of this name at a revision."""
        return self._copy(self._step(revision), name)

    def _step(self, revision: str) -> str:
        if revision not in self._made:
            name = f"at_{revision}"
            url = self._copy(self._step(parent_of(configured(""), revision)), name)
            command.upgrade(configured(url), revision)
            self._made[revision] = name
        return self._made[revision]


@pytest.fixture(scope="session")
def sqlite_steps(tmp_path_factory: pytest.TempPathFactory) -> Steps:
    """Files."""
    directory = tmp_path_factory.mktemp("steps")

    def copy(known: str, name: str) -> str:
        if known:
            shutil.copyfile(directory / known, directory / name)
        else:
            (directory / name).unlink(missing_ok=True)
        return sqlite_url(directory / name)

    return Steps(copy)


@pytest.fixture(scope="session")
def postgresql_steps(postgres_server: PostgresServer) -> Steps:
    """Databases of the one server."""
    return Steps(lambda known, name: postgres_server.create(name, known or "template0"))


@pytest.fixture(params=["sqlite", "postgresql"])
def before(request: pytest.FixtureRequest, revision: str) -> Iterator[str]:
    """The URL of a database as it is before a revision, with no rows, once of each kind."""
    steps: Steps = request.getfixturevalue(f"{request.param}_steps")
    yield steps.at(parent_of(configured(""), revision), "before")
    if request.param == "postgresql":
        request.getfixturevalue("postgres_server").drop("before")


def require_kept_on_the_way_up(url: str, config: Config, revision: str) -> None:
    """Of a database before the revision, every row is there after it, with every value."""
    with connected(url) as connection:
        columns = columns_of(fill(connection))
        before = rows_of(connection, columns)
    command.upgrade(config, revision)
    with connected(url) as connection:
        assert rows_of(connection, columns) == before


def require_kept_down_and_up(url: str, config: Config, revision: str) -> None:
    """Of a database before the revision: down is the opposite of up, and what there is room for below comes up again
    unchanged.
    """
    with connected(url) as connection:
        columns, below = columns_of(tables_of(connection)), schema_of(connection)
    command.upgrade(config, revision)
    with connected(url) as connection:
        fill(connection)
        above = schema_of(connection)
        before = rows_of(connection, columns)
    command.downgrade(config, parent_of(config, revision))
    with connected(url) as connection:
        assert schema_of(connection) == below
        assert rows_of(connection, columns) == before
    command.upgrade(config, revision)
    with connected(url) as connection:
        assert schema_of(connection) == above
        assert rows_of(connection, columns) == before


def test_there_is_one_line_of_revisions() -> None:
    assert len(SCRIPTS.get_heads()) == len(SCRIPTS.get_bases()) == 1
    assert schema.head() == REVISIONS[-1]


def test_every_revision_is_named_by_its_date_and_what_it_does() -> None:
    for script in SCRIPTS.walk_revisions():
        assert re.fullmatch(r"20\d{6}_[a-z_]+", script.revision)
        assert Path(script.path).stem == script.revision
        assert script.doc


def test_the_models_equal_the_newest_revision(database: str) -> None:
    with connected(database) as connection:
        options = {
            "compare_type": True,
            "compare_server_default": True,
            "include_object": lambda _object, name, *_: not is_of_the_index(name or ""),
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_constraints_and_indexes_are_those_of_the_models(kind: str, request: pytest.FixtureRequest) -> None:
    with connected(request.getfixturevalue(f"{kind}_database")) as connection:
        migrated = {part for part in schema_of(connection) if not re.search(f"{PROTECTION}|{WORDS}", part)}
    with connected(request.getfixturevalue(f"empty_{kind}_database")) as connection:
        Base.metadata.create_all(connection)
        assert migrated == schema_of(connection)


def test_no_table_is_left_empty_by_the_rows_that_revisions_are_tried_with(database: str) -> None:
    with connected(database) as connection:
        rows = rows_of(connection, columns_of(fill(connection)))
        assert {name: number for name, (number, _) in rows.items()} == dict.fromkeys(Base.metadata.tables, ROWS)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_revision_loses_no_row_on_the_way_up(before: str, revision: str) -> None:
    require_kept_on_the_way_up(before, configured(before), revision)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_revision_can_be_taken_back_and_made_again(before: str, revision: str) -> None:
    require_kept_down_and_up(before, configured(before), revision)


def test_migrating_again_changes_nothing(database: str) -> None:
    with connected(database) as connection:
        columns, parts = columns_of(fill(connection)), schema_of(connection)
        before = rows_of(connection, columns)
    schema.migrate(database)
    with connected(database) as connection:
        assert (rows_of(connection, columns), schema_of(connection)) == (before, parts)


def test_the_revision_of_name_keys_folds_names_in_every_script(empty_database: str) -> None:
    config = configured(empty_database)
    command.upgrade(config, "20261122_first")
    names = {1: "Østergård", 2: "STRASSE", 3: "\uff21\uff4c"}
    with connected(empty_database) as connection:
        users = next(table for table in fill(connection) if table.name == "users")
        for number, name in names.items():
            connection.execute(update(users).where(users.c.id == number).values(name=name))
        connection.commit()
    command.upgrade(config, "20261125_name_keys")
    with connected(empty_database) as connection:
        keys = {row.id: row.name_key for row in connection.execute(text("SELECT id, name_key FROM users"))}
    assert keys == {1: "østergård", 2: "strasse", 3: "al"}


REBUILD = """
def upgrade():
    with op.batch_alter_table("documents", recreate=RECREATE, table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.add_column(sa.Column("language", sa.String(10)))

def downgrade():
    with op.batch_alter_table("documents", recreate=RECREATE, table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_column("language")
"""
REBUILD_ON_SQLITE = REBUILD.replace("RECREATE", '"always" if op.get_bind().dialect.name == "sqlite" else "auto"')


def test_rebuilding_documents_loses_none_of_their_versions_and_links(database: str, tmp_path: Path) -> None:
    config = configured(database, extended(tmp_path, REBUILD_ON_SQLITE))
    require_kept_on_the_way_up(database, config, "extra")


def test_rebuilding_documents_can_be_taken_back(database: str, tmp_path: Path) -> None:
    config = configured(database, extended(tmp_path, REBUILD_ON_SQLITE))
    require_kept_down_and_up(database, config, "extra")


def test_rebuilding_documents_fails_while_foreign_keys_are_looked_at(sqlite_database: str, tmp_path: Path) -> None:
    scripts = extended(tmp_path, REBUILD_ON_SQLITE)
    sabotage(scripts / "env.py", "PRAGMA foreign_keys=OFF", "PRAGMA foreign_keys=ON")
    config = configured(sqlite_database, scripts)
    with pytest.raises(DBAPIError, match="FOREIGN KEY"):
        require_kept_on_the_way_up(sqlite_database, config, "extra")


def test_a_rebuilt_table_does_not_give_the_id_of_a_removed_row_again(sqlite_database: str, tmp_path: Path) -> None:
    config = configured(sqlite_database, extended(tmp_path, REBUILD_ON_SQLITE))
    with connected(sqlite_database) as connection:
        documents = next(table for table in fill(connection) if table.name == "documents")
        another = insert(documents).values(row_of(documents, 1) | {"uuid": b"another", "filename": "another"})
        connection.execute(another)
        connection.execute(delete(documents).where(documents.c.filename == "another"))
        connection.commit()
    command.upgrade(config, "extra")
    with connected(sqlite_database) as connection:
        assert connection.scalars(another.returning(documents.c.id)).one() == ROWS + 2


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("a row", "op.execute('DELETE FROM sign_in_attempts WHERE id = 2')"),
        ("a value", "op.execute(\"UPDATE packs SET title = 'other' WHERE id = 1\")"),
        ("a column", "op.drop_column('packs', 'title')"),
    ],
)
def test_a_revision_that_loses_something_is_found_out(database: str, tmp_path: Path, what: str, body: str) -> None:
    config = configured(database, extended(tmp_path, f"def upgrade():\n    {body}\n"))
    with pytest.raises((AssertionError, DBAPIError)):
        require_kept_on_the_way_up(database, config, "extra")


def test_a_way_down_that_leaves_something_behind_is_found_out(database: str, tmp_path: Path) -> None:
    body = "def upgrade():\n    op.create_table('extra', sa.Column('a', sa.Text()))\ndef downgrade():\n    pass\n"
    config = configured(database, extended(tmp_path, body))
    with pytest.raises(AssertionError):
        require_kept_down_and_up(database, config, "extra")


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param("raise RuntimeError('halfway')", id="an exception"),
        pytest.param("op.execute('DELETE FROM documents')", id="rows that would refer to nothing"),
    ],
)
def test_a_revision_that_fails_halfway_leaves_all_as_it_was(database: str, tmp_path: Path, failure: str) -> None:
    body = """
    def upgrade():
        op.create_table("extra", sa.Column("a", sa.Text()))
        op.execute("INSERT INTO extra VALUES ('a')")
        op.execute("UPDATE packs SET title = 'other'")
        FAILURE
    """
    config = configured(database, extended(tmp_path, body.replace("FAILURE", failure)))
    with connected(database) as connection:
        columns, parts = columns_of(fill(connection)), schema_of(connection)
        before = rows_of(connection, columns)
    with pytest.raises((RuntimeError, DBAPIError)):
        command.upgrade(config, "extra")
    with connected(database) as connection:
        assert schema.current(connection) == schema.head()
        assert (rows_of(connection, columns), schema_of(connection)) == (before, parts)


# Imports once, then as many processes as asked for go at the same moment: when the last end of the pipe is closed.
STARTERS = """
import logging, os, sys, traceback
from portal import schema

def start():
    try:
        schema.migrate(sys.argv[1])
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

logging.basicConfig(level=logging.INFO)
reading, writing = os.pipe()
children = []
for _ in range(int(sys.argv[2])):
    children.append(os.fork())
    if children[-1] == 0:
        os.close(writing)
        os.read(reading, 1)
        start()
os.close(writing)
print([os.waitpid(child, 0)[1] for child in children])
"""


def test_eight_starters_at_once_run_each_revision_once(empty_database: str) -> None:
    line = [sys.executable, "-c", STARTERS, empty_database, "8"]
    starters = subprocess.run(line, check=True, capture_output=True, text=True, timeout=100)
    assert starters.stdout == f"{[0] * 8}\n", starters.stderr
    assert starters.stderr.count("Running upgrade") == len(REVISIONS)
    schema.require_head(empty_database)


def test_a_database_is_empty_until_it_is_migrated(empty_database: str) -> None:
    assert schema.is_empty(empty_database)
    schema.migrate(empty_database)
    assert not schema.is_empty(empty_database)


@pytest.mark.parametrize("found", [None, "20991231_later"])
def test_a_database_of_another_version_is_refused_with_the_command_to_run(
    empty_database: str, found: str | None
) -> None:
    if found is not None:
        schema.migrate(empty_database)
        with connected(empty_database) as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :found"), {"found": found})
            connection.commit()
    with pytest.raises(SchemaMismatch, match="portal migrate"):
        schema.require_head(empty_database)


def test_a_migrated_database_is_accepted(database: str) -> None:
    schema.require_head(database)


def test_the_id_of_a_removed_row_is_never_given_again(database: str) -> None:
    with connected(database) as connection:
        counted = [table for table in fill(connection) if "id" in table.c]
        assert len(counted) > 10
        for table in counted:
            row = remove_newest(connection, table)
            new_id = connection.scalars(insert(table).values(row).returning(table.c.id)).one()
            assert new_id == ROWS + 1, table.name
            connection.rollback()


def remove_newest(connection: Connection, table: Table) -> dict[str, Any]:
    """Remove the row with the highest id past keys and triggers; gives its other columns."""
    if connection.dialect.name == "sqlite":
        connection.commit()
        connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
        connection.execute(text("DROP TRIGGER IF EXISTS audit_events_no_delete"))
    else:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
    row = connection.execute(select(table).order_by(table.c.id.desc()).limit(1)).mappings().one()
    connection.execute(delete(table).where(table.c.id == row["id"]))
    return {name: value for name, value in row.items() if name != "id"}
