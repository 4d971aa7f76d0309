"""For every test of integrity: another installation of the same kind, empty, to restore into."""

import dataclasses
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from flask import Flask

from portal.settings import Settings
from tests.databases import TEMPLATE, PostgresServer, SqliteTemplate
from tests.makers import running

_numbers = count(1)


@pytest.fixture
def elsewhere(settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings of a second installation whose database is migrated and empty."""
    other = dataclasses.replace(settings, data=tmp_path / "elsewhere", storage=tmp_path / "elsewhere")
    if settings.database_url.startswith("sqlite"):
        template: SqliteTemplate = request.getfixturevalue("sqlite_template")
        yield dataclasses.replace(other, database_url=template.copy(tmp_path / "elsewhere.db"))
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        name = f"elsewhere_{next(_numbers)}"
        yield dataclasses.replace(other, database_url=server.create(name, TEMPLATE))
        server.drop(name)


@pytest.fixture
def other(elsewhere: Settings) -> Iterator[Flask]:
    """The application of the second installation, without a context."""
    with running(elsewhere) as app:
        yield app
