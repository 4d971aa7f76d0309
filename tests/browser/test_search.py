"""Searching in a real browser: documents while one types, facets, and a page that holds at every width."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from portal.settings import Settings
from tests import makers
from tests.attacks.oracle import session_of
from tests.browser.looking import look, look_at
from tests.servers import Server

HOSTILE = "<img src=x onerror=alert(1)> annual"


@pytest.fixture
def reader(chromium: Browser, empty_house: Settings, server: Server) -> Iterator[BrowserContext]:
    """A browser of somebody who may read a few documents, each with a description."""
    address = f"http://127.0.0.1:{server.port}"
    with makers.running(empty_house) as app, app.app_context():
        ada = makers.person("Ada")
        furnish()
        makers.grant(makers.category("reports"), user=ada)
        session = session_of(ada.id)
    context = chromium.new_context(base_url=address)
    context.add_cookies([{"name": "portal", "value": session, "url": address}])
    with context:
        yield context


def furnish() -> None:
    shelf, secret = makers.category("reports/2018"), makers.category("board")
    for into, filename, title in (
        (shelf, "annual.pdf", "Annual report"),
        (shelf, "annual.csv", "Annual figures"),
        (shelf, "hostile.pdf", HOSTILE),
        (secret, "board.pdf", "Annual secrets"),
    ):
        made = makers.document(into, filename, filename.encode())
        makers.change(made, title=title, description="What the annual meeting said.")


def options(page: Page) -> list[str]:
    return page.get_by_role("option").locator(".title").all_inner_texts()


def test_documents_are_offered_while_one_types_and_chosen_by_arrows(reader: BrowserContext) -> None:
    page = reader.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.goto("/")
    field = page.get_by_role("combobox", name="Search documents")
    expect(field).to_have_attribute("aria-expanded", "false")
    field.press_sequentially("annu")
    expect(page.get_by_role("option")).to_have_count(3)
    assert sorted(options(page)) == sorted(["Annual report", "Annual figures", HOSTILE])
    expect(field).to_have_attribute("aria-expanded", "true")
    look(page, "suggestions")

    field.press("Escape")
    expect(page.get_by_role("listbox")).to_have_count(0)
    expect(field).to_have_value("annu")
    field.press_sequentially("al fig")
    expect(page.get_by_role("option")).to_have_count(1)
    field.press("ArrowDown")
    chosen = page.get_by_role("option", selected=True)
    expect(chosen).to_contain_text("Annual figures")
    assert field.get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    field.press("ArrowDown")
    expect(field).not_to_have_attribute("aria-activedescendant", re.compile("."))
    field.press("ArrowUp")
    field.press("Enter")

    expect(page.locator("h1")).to_have_text("Annual figures")
    assert problems == []


def test_enter_without_a_choice_asks_for_the_page_and_facets_narrow_it(reader: BrowserContext) -> None:
    page = reader.new_page()
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("annual")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Three documents mention “annual”")
    expect(page.locator(".docs .title mark").first).to_have_text(re.compile("annual", re.IGNORECASE))
    expect(page.locator(".snippet mark").first).to_have_text("annual")
    page.get_by_role("navigation", name="Narrow down").get_by_role("link", name=re.compile("^CSV")).click()
    expect(page.locator("h1")).to_have_text("One document mentions “annual”")
    expect(page.locator(".docs .title")).to_have_text("Annual figures")
    page.set_viewport_size({"width": 375, "height": 800})
    expect(page.get_by_role("navigation", name="Narrow down")).to_be_hidden()
    page.get_by_text("Narrow down, 1 chosen").click()
    look(page, "narrowed, unfolded")
    page.get_by_role("link", name=re.compile("^CSV.*take it out")).click()
    expect(page.locator("h1")).to_have_text("Three documents mention “annual”")


def test_a_search_is_saved_opened_and_removed(reader: BrowserContext) -> None:
    page = reader.new_page()
    page.goto("/search?q=annual")
    page.get_by_text("Save this search").click()
    page.get_by_label("Name").fill("The year")
    look(page, "saving")
    page.get_by_role("button", name="Save the search").click()
    expect(page.get_by_text("The search is saved.")).to_be_visible()
    look(page, "searches")
    page.get_by_role("link", name="The year", exact=True).click()
    expect(page.get_by_text("You saved this search as “The year”.")).to_be_visible()
    page.get_by_role("link", name="The year", exact=True).click()
    page.get_by_role("link", name="Change The year").click()
    expect(page.locator("h1")).to_have_text("The year")
    page.get_by_role("button", name="Remove the search").click()
    expect(page.get_by_text("You have saved none yet")).to_be_visible()


def test_the_page_that_says_how_to_ask_holds(reader: BrowserContext) -> None:
    look_at(reader.new_page(), "/search")


def test_without_scripts_the_field_is_a_field(chromium: Browser, server: Server, reader: BrowserContext) -> None:
    address, known = f"http://127.0.0.1:{server.port}", reader.storage_state()
    with chromium.new_context(java_script_enabled=False, storage_state=known, base_url=address) as plain:
        page = plain.new_page()
        page.goto("/")
        page.get_by_role("searchbox", name="Search documents").fill("annual")
        page.keyboard.press("Enter")

        expect(page.locator("h1")).to_have_text("Three documents mention “annual”")
