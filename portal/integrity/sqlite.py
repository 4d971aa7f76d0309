"""SQLite's part in backup and restore: a copy by its online backup, and rows moved in by one transaction."""

# ruff: noqa: S608  # the statements are put together from names of tables and columns, never from values

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from portal import schema
from portal.extensions import db
from portal.integrity.archive import BackupUnusable
from portal.integrity.reading import BATCH
from portal.integrity.snapshot import LOG, VERSIONING, Snapshot, describe, listed, quoted
from portal.models import Base

TABLES = f"SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('{VERSIONING}', 'sqlite_sequence')"
SEQUENCE = "sqlite_sequence"
"""Where SQLite keeps the highest id each table ever gave."""


def dump(file: Path) -> Snapshot:
    """Copy the database in use while others go on writing: what was committed before the copy began is in it.

    One step, because a copy made in several begins anew with every commit of others.
    """
    with closing(db.engine.raw_connection()) as source, _opened(file) as copy:
        source.driver_connection.backup(copy)  # type: ignore[union-attr]  # a sqlite3.Connection
        copy.execute("PRAGMA journal_mode=DELETE")  # one file without companions
        return _describe(copy, file)


def stage(file: Path, revision: str) -> "StagedSqlite":
    """Check a database that came in a backup and bring it to this program's schema. Raises BackupUnusable."""
    try:
        with _opened(file) as connection:
            _require_whole(connection)
            snapshot = _describe(connection, file)
        if snapshot.revision != revision:
            raise BackupUnusable
        schema.migrate(f"sqlite:///{file}")
        with _opened(file) as connection:
            for table in Base.metadata.tables.values():
                connection.execute(f"SELECT {_columns(table)} FROM {quoted(table.name)} LIMIT 0")
    except (sqlite3.DatabaseError, DBAPIError, ValueError) as problem:
        raise BackupUnusable from problem
    return StagedSqlite(snapshot)


class StagedSqlite:
    """A file beside the one in use. Only rows are taken out of it, never its triggers or views."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def move_in(self, session: Session) -> None:
        """Replace all rows; keys between tables are looked at when the transaction commits."""
        connection = session.connection()
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        with _opened(self.snapshot.file) as staged, _log_open(connection):
            for table in Base.metadata.tables.values():
                _replace(connection, staged, table.name, _columns(table))
            _replace(connection, staged, SEQUENCE, "name, seq")


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
        yield connection


def _describe(connection: sqlite3.Connection, file: Path) -> Snapshot:
    tables = [name for (name,) in connection.execute(f"{TABLES} ORDER BY name")]
    return describe(file, connection.execute, tables, "sha256 COLLATE BINARY")


def _require_whole(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
        raise BackupUnusable("The database in this backup is damaged. Nothing was changed.")
    if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise BackupUnusable("Rows of the database in this backup refer to nothing. Nothing was changed.")


@contextmanager
def _log_open(connection: Connection) -> Iterator[None]:
    """Let the log be replaced: its triggers are taken away and made again in the same transaction."""
    found = f"SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{LOG}'"
    triggers = connection.exec_driver_sql(found).all()
    for name, _ in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {quoted(name)}")
    yield
    for _, sql in triggers:
        connection.exec_driver_sql(sql)


def _replace(connection: Connection, staged: sqlite3.Connection, table: str, columns: str) -> None:
    connection.exec_driver_sql(f"DELETE FROM {quoted(table)}")
    rows = staged.execute(f"SELECT {columns} FROM {quoted(table)}")
    marks = ", ".join("?" for _ in rows.description)
    while page := rows.fetchmany(BATCH):
        connection.exec_driver_sql(f"INSERT INTO {quoted(table)} ({columns}) VALUES ({marks})", page)


def _columns(table: Table) -> str:
    return listed(column.name for column in table.columns)
