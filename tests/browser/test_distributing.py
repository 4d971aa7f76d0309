"""Payslips given out in a real browser: dropped, looked at, confirmed, and found by the one person each is for."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from portal.models import MANAGE
from portal.settings import Settings
from tests import makers
from tests.browser.looking import look
from tests.browser.test_scripts import signed_in
from tests.servers import Server
from tests.uploads.dropping import PDF, employee

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

TABLE = """filename;person;title;category;expiry
march_ada.pdf;4711;Payslip of March;2027;2099-12-31
march_bob.pdf;bob.brown@example.org;Payslip of March;2027;
board.pdf;Board;Minutes;;
missing.pdf;4711;;;
"""


class Desks(NamedTuple):
    """Whoever gives out, and one of those who are given something."""

    manager: Page
    reader: Page


@pytest.fixture
def desks(chromium: Browser, empty_house: Settings, server: Server) -> Iterator[Desks]:
    with makers.running(empty_house) as app, app.app_context():
        mia, ada, bob = makers.person("Mia Manager"), employee("Ada Byron", "4711"), employee("Bob Brown", "4712")
        makers.grant(makers.category("payroll"), user=mia, permission=MANAGE)
        makers.group("Board", ada, bob)
        house, street = signed_in(chromium, server, mia), signed_in(chromium, server, ada)
    with house, street:
        pages = Desks(house.new_page(), street.new_page())
        for page in pages:
            page.set_default_timeout(15_000)
        yield pages


@pytest.mark.timeout(240)
def test_payslips_go_from_a_table_to_the_one_person_each_is_for(desks: Desks) -> None:
    page = desks.manager
    page.goto("/admin/upload")
    page.get_by_role("link", name="distributed").click()
    expect(page.get_by_role("heading", name="Distributions", exact=True)).to_be_visible()
    look(page, "no distribution yet")
    page.get_by_role("link", name="Begin a distribution").click()
    page.get_by_label("What it is").fill("Payslips March 2027")
    look(page, "a new distribution")
    page.get_by_role("button", name="Go on to the files").click()
    expect(page.get_by_role("heading", name="Payslips March 2027")).to_be_visible()
    look(page, "nothing dropped yet")

    page.get_by_label("Choose files, or drop them on the field").set_input_files(files())
    table = FilePayload(name="lines.csv", mimeType="text/csv", buffer=TABLE.encode())
    page.get_by_label("Or a table").set_input_files([table])
    page.get_by_role("button", name="See whose they are").click()
    expect(page.get_by_role("heading", name="4 files are here")).to_be_visible()  # chosen for the other button
    expect(page.get_by_text("A table with 4 lines says it.")).to_be_visible()
    expect(page.get_by_text("3 files go to 2 people and 1 group")).to_be_visible()
    look(page, "a dry run")
    page.get_by_role("link", name=re.compile("lines without a file")).click()
    expect(page.get_by_role("rowheader", name="missing.pdf")).to_be_visible()

    page.get_by_role("button", name="Give out 3 files").click()
    expect(page.get_by_role("heading", name="Payslips March 2027 is given out")).to_be_visible()
    look(page, "a report")
    page.get_by_role("link", name="Everybody").click()
    expect(page.get_by_role("heading", name="Everybody")).to_be_visible()
    look(page, "who has theirs")
    only_her_own_is_there(desks.reader)


def only_her_own_is_there(page: Page) -> None:
    page.goto("/documents")
    expect(page.get_by_role("link", name="Payslip of March", exact=True)).to_have_count(1)
    expect(page.get_by_role("link", name="Minutes", exact=True)).to_have_count(1)
    expect(page.get_by_text("payroll / Ada Byron / 2027")).to_be_visible()


def files() -> list[FilePayload]:
    names = ("march_ada.pdf", "march_bob.pdf", "board.pdf", "unknown.pdf")
    return [FilePayload(name=name, mimeType="application/pdf", buffer=PDF + name.encode()) for name in names]
