"""The databases tests share are as good as new for each of them, or other tests could pass by what was left there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests import makers
from tests.databases import EmptiedDatabase, PostgresServer, connected

CHANGES = [
    "CREATE TABLE more (id integer)",
    "ALTER TABLE users ADD COLUMN more integer",
    "ALTER TABLE users ADD CONSTRAINT more CHECK (id > 0)",
    "ALTER TABLE versions DROP CONSTRAINT fk_versions_document_id",
    "ALTER TABLE audit_events DISABLE TRIGGER USER",
    "DROP TRIGGER audit_events_no_change ON audit_events",
    "CREATE INDEX more ON users (name)",
    "CREATE SCHEMA more",
    "CREATE FUNCTION more() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "UPDATE alembic_version SET version_num = 'more'",
]


@pytest.fixture
def emptied(postgres_server: PostgresServer) -> Iterator[EmptiedDatabase]:
    database = EmptiedDatabase(postgres_server, "emptied")
    yield database
    database.drop()


def fill(url: str, directory: Path) -> tuple[int, int]:
    """Put something of everything in, as tests do; the ids of a document and of a person."""
    with makers.core(makers.settings_for(url, directory)):
        ada = makers.person("Ada")
        document = makers.document(makers.category("reports/2018"))
        makers.grant(makers.category(), group=makers.group("Clients", ada))
        makers.link(document)
        return document.id, ada.id


def counts(url: str) -> list[int]:
    """How many rows each table has."""
    with connected(url) as connection:
        names = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        return [connection.scalars(text(f"SELECT count(*) FROM {name}")).one() for name in names]  # noqa: S608


def identity(url: str) -> int:
    """The number of the database itself: another one when it was made anew."""
    with connected(url) as connection:
        return int(connection.scalars(text("SELECT oid FROM pg_database WHERE datname = current_database()")).one())


def test_nothing_of_a_test_is_left_and_ids_begin_anew(emptied: EmptiedDatabase, tmp_path: Path) -> None:
    before, made = counts(emptied.url), identity(emptied.url)
    first = fill(emptied.url, tmp_path)
    assert counts(emptied.url) != before
    emptied.empty()
    assert counts(emptied.url) == before
    assert fill(emptied.url, tmp_path) == first
    assert identity(emptied.url) == made


def test_the_log_is_protected_again(emptied: EmptiedDatabase, tmp_path: Path) -> None:
    emptied.empty()
    fill(emptied.url, tmp_path)
    with connected(emptied.url) as connection, pytest.raises(DBAPIError, match="insert-only"):
        connection.execute(text("DELETE FROM audit_events"))


def test_who_is_still_connected_is_not_waited_for(emptied: EmptiedDatabase) -> None:
    with connected(emptied.url) as connection:
        connection.execute(text("LOCK TABLE users"))
        emptied.empty()
        connection.invalidate()


def test_after_a_change_of_the_schema_the_database_is_another_one(emptied: EmptiedDatabase) -> None:
    kept = {change for change in CHANGES if not is_made_anew_after(emptied, change)}

    assert kept == set()


def is_made_anew_after(emptied: EmptiedDatabase, change: str) -> bool:
    made = identity(emptied.url)
    with connected(emptied.url) as connection:
        connection.execute(text(change))
        connection.commit()
    emptied.empty()
    return identity(emptied.url) != made
