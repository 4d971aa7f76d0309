"""For every test of integrity: further installations of the same kind, empty, to restore into."""

import dataclasses
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from flask import Flask

from portal.settings import Settings
from tests.databases import TEMPLATE, PostgresServer, SqliteTemplate
from tests.makers import running

_numbers = count(1)

Install = Callable[[], Settings]
"""Makes settings of one more installation whose database is migrated and empty."""


@pytest.fixture
def install(settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Install]:
    """Of the same kind of database as ``settings``, with everything else in a directory of its own."""
    made: list[str] = []

    def install_one() -> Settings:
        name = f"elsewhere_{next(_numbers)}"
        (tmp_path / name).mkdir()
        (tmp_path / name / "portal.toml").touch()
        data = tmp_path / name / "data"
        if settings.database_url.startswith("sqlite"):
            template: SqliteTemplate = request.getfixturevalue("sqlite_template")
            url = template.copy(tmp_path / name / "portal.db")
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = server.create(name, TEMPLATE)
            made.append(name)
        return dataclasses.replace(settings, data=data, storage=data, database_url=url)

    yield install_one
    for name in made:
        request.getfixturevalue("postgres_server").drop(name)


@pytest.fixture
def elsewhere(install: Install) -> Settings:
    """Settings of a second installation."""
    return install()


@pytest.fixture
def other(elsewhere: Settings) -> Iterator[Flask]:
    """The application of the second installation, without a context."""
    with running(elsewhere) as app:
        yield app
