"""Rows into tables as fast as the database takes them: past keys and triggers, and the indexes are made at the end."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Protocol

import psycopg
from sqlalchemy import Dialect, make_url
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.sqlite import pysqlite

from benchmarks.shelves import Row, Shelves
from portal.models import Base

PART = 20_000
"""So many documents are in memory at a time."""
COLUMNS = {
    "users": "id uuid email email_key name name_key is_admin visited_at created_at reference used_bytes",
    "audit_people": "person_hash salt user_id name email",
    "groups": "id name name_key created_at",
    "memberships": "group_id user_id created_at",
    "categories": "id uuid parent_id name description path lineage depth is_sealed document_count created_at",
    "grants": "category_id group_id user_id is_everyone permission created_at",
    "tags": "id name name_key created_at",
    "blobs": "id sha256 size crc32 created_at touched_at",
    "documents": "id uuid category_id title filename description reference responsible_id search_text "
    "current_version_id version_count published_at expires_at trashed_at created_at created_by_id",
    "versions": "id document_id number filename note content_type size sha256 crc32 blob_id created_at created_by_id",
    "document_tags": "document_id tag_id",
}
LARGE = ("blobs", "documents", "versions", "document_tags")
USED = """
UPDATE users SET used_bytes = COALESCE(
    (SELECT SUM(size) FROM versions WHERE created_by_id = users.id AND purged_at IS NULL), 0)
"""
QUEUE = """
INSERT INTO search_changes (document_id, created_at) SELECT id, created_at FROM documents WHERE trashed_at IS NULL
"""
INDEXES = """
SELECT c.relname, pg_get_indexdef(c.oid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = %s::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid)
"""


class Stack(Protocol):
    """A database that takes rows."""

    dialect: Dialect

    def put(self, table: str, rows: Iterable[Row]) -> None:
        """Add rows whose values are in the order of ``COLUMNS``."""

    def run(self, statement: str, rows: Sequence[Row] = ()) -> None:
        """Run a statement for each of the rows; ``?`` stands for a value."""

    def drop_indexes(self, tables: Sequence[str]) -> list[str]:
        """Drop the indexes that are no constraints; the statements that make them again."""

    def finish(self) -> None:
        """Have what a database that grew slowly would have by itself: statistics, and numbers to go on with."""


def stack(url: str, shelves: Shelves) -> None:
    """Fill an empty, migrated database. What was not on the disk when the power goes is filled anew."""
    with _opened(url) as into:
        small = {
            "users": shelves.people(),
            "audit_people": shelves.introductions(),
            "groups": shelves.groups(),
            "memberships": shelves.memberships(),
            "categories": shelves.categories(),
            "grants": shelves.grants(),
            "tags": shelves.tags(),
        }
        for table, rows in small.items():
            _put(into, table, rows)
        again = into.drop_indexes(LARGE)
        for part in shelves.parts(PART):
            for table, some in part.items():
                _put(into, table, some)
        into.run("UPDATE categories SET document_count = ? WHERE id = ?", list(shelves.counts()))
        into.run(QUEUE)
        for statement in again:
            into.run(statement)
        into.run(USED)
        into.finish()


def _put(into: Stack, table: str, rows: Iterable[Row]) -> None:
    """Each value as the type of its column gives it to the driver."""
    columns = Base.metadata.tables[table].columns
    changes = [
        (place, change)
        for place, name in enumerate(COLUMNS[table].split())
        if (change := columns[name].type.dialect_impl(into.dialect).bind_processor(into.dialect))
    ]
    into.put(table, _changed(rows, changes))


def _changed(rows: Iterable[Row], changes: Sequence[tuple[int, Callable[[Any], Any]]]) -> Iterator[Row]:
    for row in rows:
        values = list(row)
        for place, change in changes:
            values[place] = change(values[place])
        yield tuple(values)


@contextmanager
def _opened(url: str) -> Iterator[Stack]:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(url).database or "", isolation_level=None)) as file:
            yield _Sqlite(file)
    else:
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as server:
            yield _Postgresql(server)


class _Sqlite:
    dialect: Dialect = pysqlite.dialect()

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file
        for pragma in ("foreign_keys=OFF", "synchronous=OFF", "cache_size=-400000", "temp_store=MEMORY"):
            file.execute(f"PRAGMA {pragma}")

    def put(self, table: str, rows: Iterable[Row]) -> None:
        columns = COLUMNS[table].split()
        marks = ", ".join("?" * len(columns))
        self.run(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608

    def run(self, statement: str, rows: Iterable[Row] = ((),)) -> None:
        self._file.execute("BEGIN")
        self._file.executemany(statement, rows or [()])
        self._file.execute("COMMIT")

    def drop_indexes(self, tables: Sequence[str]) -> list[str]:
        named = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ?"
        found = [row for table in tables for row in self._file.execute(named, (table,))]
        for name, _ in found:
            self._file.execute(f"DROP INDEX {name}")
        return [statement for _, statement in found]

    def finish(self) -> None:
        self._file.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class _Postgresql:
    dialect: Dialect = postgresql.psycopg.dialect()  # type: ignore[no-untyped-call]  # it has no types in SQLAlchemy

    def __init__(self, server: psycopg.Connection) -> None:
        self._server = server
        for setting in ("session_replication_role = replica", "synchronous_commit = off",
                        "maintenance_work_mem = '512MB'"):  # fmt: skip
            server.execute(f"SET {setting}".encode())

    def put(self, table: str, rows: Iterable[Row]) -> None:
        columns = ", ".join(COLUMNS[table].split())
        with self._server.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)

    def run(self, statement: str, rows: Sequence[Row] = ()) -> None:
        with self._server.cursor() as cursor:
            if rows:
                cursor.executemany(statement.replace("?", "%s").encode(), rows)
            else:
                cursor.execute(statement.encode())

    def drop_indexes(self, tables: Sequence[str]) -> list[str]:
        found = [row for table in tables for row in self._server.execute(INDEXES, (table,))]
        for name, _ in found:
            self._server.execute(f"DROP INDEX {name}".encode())
        return [statement for _, statement in found]

    def finish(self) -> None:
        for table, columns in COLUMNS.items():
            if columns.startswith("id "):
                last = f"(SELECT max(id) FROM {table})"  # noqa: S608
                self._server.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {last})".encode())
        self._server.execute("VACUUM (ANALYZE)")
