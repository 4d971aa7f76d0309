"""What goes over the line for a page, its static files included, and how often the database is asked for it."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from portal.settings import Settings
from tests import full, makers
from tests.databases import SqliteTemplate, traced

LIGHT = 60_000
REQUESTS = 6
QUERIES = {"reader": (30, 5, 10, 22, 5), "publisher": (31, 6, 14, 17, 5)}
"""Of each page, who is asking included. Of those for home four are for each of the five saved searches, of those for a
search most are for what narrows it."""
AS_BROWSERS = {"Accept-Encoding": "gzip, deflate, br, zstd"}
LINKED = re.compile(r'(?:href|src)="(/static/[^"#]+)')


class House:
    """The full house, with whoever is signed in there."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        with app.app_context():
            people, self.pages = full.fill()
            self.browsers = {name: makers.signed_in(app, user) for name, user in people.items()}


@pytest.fixture(scope="module")
def house(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all of these tests, which only look."""
    directory = tmp_path_factory.mktemp("full")
    settings: Settings = makers.settings_for(sqlite_template.copy(directory / "portal.db"), directory)
    with makers.running(settings) as app:
        yield House(app)


@pytest.mark.parametrize("who", ["reader", "publisher"])
@pytest.mark.parametrize("number", range(5), ids=["home", "documents", "category", "search", "document"])
def test_a_full_page_is_light_at_the_first_visit(house: House, who: str, number: int) -> None:
    page = house.browsers[who].get(house.pages[number], headers=AS_BROWSERS)
    files = [house.browsers[who].get(address, headers=AS_BROWSERS) for address in set(LINKED.findall(page.text))]

    assert page.status_code == 200
    assert "Content-Encoding" not in page.headers
    assert all(file.status_code == 200 for file in files)
    assert 1 + len(files) <= REQUESTS
    assert len(page.data) + sum(len(file.data) for file in files) <= LIGHT


@pytest.mark.parametrize("who", ["reader", "publisher"])
@pytest.mark.parametrize("number", range(5), ids=["home", "documents", "category", "search", "document"])
def test_a_full_page_asks_the_database_a_few_times(house: House, who: str, number: int) -> None:
    house.browsers[who].get(house.pages[number])
    with traced(house.app) as statements:
        house.browsers[who].get(house.pages[number])

    assert 0 < len(statements) <= QUERIES[who][number], "\n\n".join(statements)
