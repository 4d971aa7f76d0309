"""A real Chromium against a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from portal.settings import Settings
from tests import makers
from tests.databases import SqliteTemplate
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


def as_installed(template: SqliteTemplate, directory: Path) -> Settings:
    """An installation as `make run` leaves it: migrated, and nobody has an account."""
    (directory / "data").mkdir()
    return makers.settings_for(template.copy(directory / "data" / "portal.db"), directory)


@pytest.fixture
def empty_house(sqlite_template: SqliteTemplate, tmp_path: Path) -> Settings:
    """One for this test alone."""
    return as_installed(sqlite_template, tmp_path)


@pytest.fixture
def server(empty_house: Settings) -> Iterator[Server]:
    """`portal serve` on it."""
    with serving(empty_house) as running:
        yield running
