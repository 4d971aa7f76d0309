"""PostgreSQL's part in backup and restore: every table as COPY text, read in one snapshot, loaded into a schema aside.

Not pg_dump: that is a program of its own, which a machine with only the portal on it does not have and which refuses a
server newer than itself; and what it writes is restored by executing it. Here a backup needs what the portal needs
anyway, is loaded by servers of any version, and is data only: nothing in it is ever executed. The file has the shape
of ``pg_dump --data-only``; psql loads it too, into a migrated database with ``session_replication_role = replica``.
"""

# ruff: noqa: S608  # the statements are put together from names of tables and columns, never from values

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import schema
from portal.extensions import db
from portal.integrity.archive import BackupUnusable
from portal.integrity.snapshot import LOG, VERSIONING, Snapshot, describe, listed, quoted
from portal.models import Base

ASIDE = "portal_restoring"
"""The schema a backup is loaded into before it is moved in."""
PLAIN = ("statement_timeout = 0", "client_encoding = 'UTF8'", "datestyle = 'ISO, YMD'", "bytea_output = 'hex'")
"""Whatever server or role say: no time limit, and the same text everywhere."""
QUEUE = "jobs_"
"""How the tables of the queue begin, which a worker makes for itself and which hold nothing."""
COLUMNS = f"""
SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables
USING (table_schema, table_name)
WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND is_generated = 'NEVER'
AND table_name <> '{VERSIONING}' AND NOT starts_with(table_name, '{QUEUE}') ORDER BY table_name, ordinal_position
"""
SEQUENCES = f"""
SELECT sequencename FROM pg_sequences WHERE schemaname = {{schema}} AND NOT starts_with(sequencename, '{QUEUE}')
ORDER BY sequencename
"""
FOREIGN_KEYS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'f' AND connamespace = current_schema()::text::regnamespace ORDER BY conname
"""

END = b"\\.\n"
_NAME = rb'"([a-z_][a-z0-9_]*)"'
_COPY = re.compile(rb"COPY " + _NAME + rb' \(((?:"[a-z_][a-z0-9_]*"(?:, )?)+)\) FROM stdin;\n')
_SETVAL = re.compile(rb"SELECT pg_catalog\.setval\('" + _NAME + rb"', ([0-9]{1,19}), (true|false)\);\n")


def dump(file: Path) -> Snapshot:
    """Copy the rows of all tables as they are at one moment, while others go on writing."""
    with _connected(db.engine.url) as connection, file.open("wb") as out:
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            _set_plain(connection)
            columns = _columns(connection)
            for table, names in columns.items():
                _write_table(connection, out, table, names)
            _write_sequences(connection, out)
            return _describe(connection, file, columns)


def stage(file: Path, revision: str) -> "StagedPostgresql":
    """Load a database that came in a backup into a schema aside and bring it to this program's. Raises BackupUnusable.

    The role must be allowed to create a schema.
    """
    staged = StagedPostgresql(db.engine.url)
    _execute(db.engine.url, f"CREATE SCHEMA {ASIDE}")
    schema.migrate(staged.address, revision)
    staged.load(file)
    schema.migrate(staged.address)
    return staged


def discard(url: URL) -> None:
    """Remove the schema aside, if there is one."""
    _execute(url, f"DROP SCHEMA IF EXISTS {ASIDE} CASCADE")


class StagedPostgresql:
    """A schema beside the one in use."""

    snapshot: Snapshot

    def __init__(self, url: URL) -> None:
        options = f"{url.query.get('options', '')} -csearch_path={ASIDE}".strip()
        self._aside = url.update_query_dict({"options": options})

    @property
    def address(self) -> str:
        """The database with the schema aside as the only one: what is done there cannot touch the one in use."""
        return self._aside.render_as_string(hide_password=False)

    def load(self, file: Path) -> None:
        """Fill the empty tables with the rows in the file. Raises BackupUnusable when they do not fit."""
        with _connected(self._aside) as connection, file.open("rb") as lines:
            failures = (connection.dialect.loaded_dbapi.Error, IntegrityError)
            try:
                with connection.begin():
                    _set_plain(connection)
                    with _foreign_keys_aside(connection):
                        _load(connection, lines)
                    self.snapshot = _describe(connection, file, _columns(connection))
            except failures as problem:
                raise BackupUnusable from problem

    def move_in(self, session: Session) -> None:
        """Replace all rows, keys between tables and triggers of the log set aside meanwhile."""
        connection = session.connection()
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql(f"ALTER TABLE {LOG} DISABLE TRIGGER USER")
        with _foreign_keys_aside(connection):
            connection.exec_driver_sql(f"TRUNCATE {listed(Base.metadata.tables)}")
            for table in Base.metadata.tables.values():
                names = listed(column.name for column in table.columns)
                rows = f"SELECT {names} FROM {ASIDE}.{quoted(table.name)}"
                connection.exec_driver_sql(f"INSERT INTO {quoted(table.name)} ({names}) {rows}")
        for (name,) in connection.exec_driver_sql(SEQUENCES.format(schema=f"'{ASIDE}'")).all():
            state = f"SELECT last_value, is_called FROM {ASIDE}.{quoted(name)}"
            _set_sequence(connection, name, *connection.exec_driver_sql(state).one())
        connection.exec_driver_sql(f"ALTER TABLE {LOG} ENABLE TRIGGER USER")


@contextmanager
def _connected(url: URL) -> Iterator[Connection]:
    """A connection without the time limits of the application's own."""
    engine: Engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _execute(url: URL, statement: str) -> None:
    with _connected(url) as connection, connection.begin():
        connection.exec_driver_sql("SET LOCAL client_min_messages = warning")
        connection.exec_driver_sql(statement)


def _set_plain(connection: Connection) -> None:
    for setting in PLAIN:
        connection.exec_driver_sql(f"SET LOCAL {setting}")


def _columns(connection: Connection) -> dict[str, list[str]]:
    """The columns of every table with rows of ours, both by name and in their order."""
    found: dict[str, list[str]] = {}
    for table, column in connection.exec_driver_sql(COLUMNS):
        found.setdefault(table, []).append(column)
    return found


def _describe(connection: Connection, file: Path, columns: dict[str, list[str]]) -> Snapshot:
    def query(statement: str) -> Any:
        return connection.exec_driver_sql(statement, execution_options={"stream_results": True})

    return describe(file, query, columns, 'sha256 COLLATE "C"')


def _write_table(connection: Connection, out: BinaryIO, table: str, names: Sequence[str]) -> None:
    target = f"{quoted(table)} ({listed(names)})"
    out.write(f"COPY {target} FROM stdin;\n".encode())
    with _cursor(connection) as cursor, cursor.copy(f"COPY {target} TO STDOUT") as rows:
        for block in rows:
            out.write(block)
    out.write(END + b"\n")


def _write_sequences(connection: Connection, out: BinaryIO) -> None:
    for (name,) in connection.exec_driver_sql(SEQUENCES.format(schema="current_schema()")).all():
        state = f"SELECT last_value, is_called FROM {quoted(name)}"
        last, is_called = connection.exec_driver_sql(state).one()
        out.write(f"SELECT pg_catalog.setval('{quoted(name)}', {last}, {str(is_called).lower()});\n".encode())


def _load(connection: Connection, lines: BinaryIO) -> None:
    """Take the two kinds of statement that ``dump`` writes, and nothing else."""
    missing = _columns(connection)
    for line in lines:
        if copy := _COPY.fullmatch(line):
            table, names = copy[1].decode(), re.findall('"(.+?)"', copy[2].decode())
            if sorted(names) != sorted(missing.pop(table, [])):
                raise BackupUnusable
            _load_table(connection, lines, f"{quoted(table)} ({listed(names)})")
        elif setval := _SETVAL.fullmatch(line):
            _set_sequence(connection, setval[1].decode(), int(setval[2]), setval[3] == b"true")
        elif line != b"\n":
            raise BackupUnusable
    if missing:
        raise BackupUnusable


def _load_table(connection: Connection, lines: BinaryIO, target: str) -> None:
    with _cursor(connection) as cursor, cursor.copy(f"COPY {target} FROM STDIN") as rows:
        for line in lines:
            if line == END:
                return
            rows.write(line)
        raise BackupUnusable


def _set_sequence(connection: Connection, name: str, last: int, is_called: bool) -> None:
    connection.exec_driver_sql("SELECT setval(%s::regclass, %s, %s)", (quoted(name), last, is_called))


def _cursor(connection: Connection) -> Any:
    """A cursor of the driver itself: SQLAlchemy knows no COPY."""
    return connection.connection.driver_connection.cursor()  # type: ignore[union-attr]


@contextmanager
def _foreign_keys_aside(connection: Connection) -> Iterator[None]:
    """Let rows come in any order, for documents and versions refer to each other; all are looked at in the end."""
    keys = connection.exec_driver_sql(FOREIGN_KEYS).all()
    for table, name, _ in keys:
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {quoted(name)}")
    yield
    for table, name, definition in keys:
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT {quoted(name)} {definition}")
