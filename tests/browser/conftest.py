"""A real Chromium against a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from portal import schema
from portal.settings import Settings
from tests import makers
from tests.databases import sqlite_url
from tests.parts import program
from tests.servers import Server, serving

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, driven by Playwright."""
    path = program("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def empty_house(tmp_path: Path) -> Settings:
    """An installation as `make run` leaves it: migrated, and nobody has an account."""
    (tmp_path / "data").mkdir()
    settings = makers.settings_for(sqlite_url(tmp_path / "data" / "portal.db"), tmp_path)
    schema.migrate(settings.database_url)
    return settings


@pytest.fixture
def server(empty_house: Settings) -> Iterator[Server]:
    """`portal serve` on it."""
    with serving(empty_house) as running:
        yield running
