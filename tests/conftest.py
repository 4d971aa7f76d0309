"""Fixtures of all tests: a fresh database of each kind, the settings for it, and the application on top."""

import gc
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import hypothesis
import pytest
from flask import Flask

from portal.extensions import db
from portal.schema import migrate
from portal.settings import Settings
from tests import properties
from tests.databases import TEMPLATE, EmptiedDatabase, PostgresServer, SqliteTemplate, memory, sqlite_url, watched
from tests.makers import core, running, settings_for
from tests.plans import Asked, asking

properties.register()
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or every server and command of a test would compile the portal anew

if in_memory := memory():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(in_memory))  # where ``tmp_path`` is, here and in every worker

pytest_plugins = ("tests.uploads.dropping",)  # its fixtures are those of two directories
_numbers = count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Try properties at length where it is asked for."""
    if is_soak(config):
        hypothesis.settings.load_profile("soak")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Properties belong to a soak as well as to every other run."""
    for item in items if is_soak(config) else []:
        if isinstance(item, pytest.Function) and hypothesis.is_hypothesis_test(item.obj):
            item.add_marker(pytest.mark.soak)
            item.add_marker(pytest.mark.timeout(3600))


def is_soak(config: pytest.Config) -> bool:
    """Whether this is `make soak`."""
    return bool(config.getoption("markexpr") == "soak")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Let the garbage collector look no more through what is there for good: thousands of tests and every module."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplate:
    """The migrated SQLite file all others are copied from."""
    return SqliteTemplate(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The one PostgreSQL server of this worker, started by the first test that needs it."""
    server = PostgresServer()
    try:
        migrate(server.create(TEMPLATE))
        yield server
    finally:
        server.stop()


@pytest.fixture
def sqlite_database(sqlite_template: SqliteTemplate, tmp_path: Path) -> str:
    """The URL of a fresh, migrated, empty SQLite database."""
    return sqlite_template.copy(tmp_path / "portal.db")


@pytest.fixture(scope="session")
def emptied_database(postgres_server: PostgresServer) -> Iterator[EmptiedDatabase]:
    """The one PostgreSQL database of this worker; tests take ``postgresql_database``."""
    database = EmptiedDatabase(postgres_server, "test")
    yield database
    database.drop()


@pytest.fixture
def postgresql_database(emptied_database: EmptiedDatabase) -> Iterator[str]:
    """The URL of a migrated, empty PostgreSQL database in which nothing ever was."""
    yield emptied_database.url
    emptied_database.empty()


@pytest.fixture
def empty_sqlite_database(tmp_path: Path) -> str:
    """The URL of a SQLite database without any table."""
    return sqlite_url(tmp_path / "empty.db")


@pytest.fixture
def empty_postgresql_database(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a PostgreSQL database without any table."""
    name = f"empty_{next(_numbers)}"
    yield postgres_server.create(name)
    postgres_server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh, migrated, empty database, once of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_database")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest) -> str:
    """The URL of a database without any table, once of each kind."""
    url: str = request.getfixturevalue(f"empty_{request.param}_database")
    return url


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Settings:
    """The settings of an installation, once on each database."""
    return settings_for(database, tmp_path)


@pytest.fixture
def sqlite_settings(sqlite_database: str, tmp_path: Path) -> Settings:
    """The settings of an installation on SQLite, for tests that do not depend on the database."""
    return settings_for(sqlite_database, tmp_path)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The application, without a context; an exception nobody handles reaches the test."""
    with running(settings) as app:
        yield app


@pytest.fixture
def context(settings: Settings) -> Iterator[Flask]:
    """The core, which has no pages, with its context pushed; ``db.session`` is the test's own.

    A transaction that only reads sees what was there when it began: call ``makers.release()`` before looking at what
    somebody else (a client, a thread) wrote.
    """
    with core(settings) as app:
        yield app


@pytest.fixture
def statements(context: Flask) -> Iterator[list[str]]:
    """Every SQL statement but BEGIN, as the driver runs it; ``clear()`` it before what is to be counted."""
    db.session.commit()  # the connection it holds was given out before anybody watched
    with watched(db.engine) as seen:
        yield seen


@pytest.fixture
def asked(context: Flask) -> Iterator[Asked]:
    """Every statement that is sent, with its values, for ``plans.plan``."""
    with asking(db.engine) as seen:
        yield seen
