"""What pages do with scripts that they do not do without, in a real browser."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, FilePayload, expect

from portal.models import User
from portal.settings import Settings
from portal.shares import reserve
from tests import makers
from tests.attacks.oracle import session_of
from tests.servers import Server

HOSTILE = '<img src=x onerror="document.title=1">.pdf'


@pytest.fixture
def portal(empty_house: Settings) -> Iterator[Flask]:
    """The house itself, to furnish it while it is served."""
    with makers.running(empty_house) as app:
        yield app


def signed_in(chromium: Browser, server: Server, user: User) -> BrowserContext:
    """A browser with a session of this person, within the context of the application."""
    address = f"http://127.0.0.1:{server.port}"
    context = chromium.new_context(base_url=address)
    context.add_cookies([{"name": "portal", "value": session_of(user.id), "url": address}])
    return context


def test_chosen_files_are_listed_by_name_and_size(chromium: Browser, portal: Flask, server: Server) -> None:
    with portal.app_context():
        makers.category("reports")
        context = signed_in(chromium, server, makers.person("Ada", is_admin=True))
    with context:
        page = context.new_page()
        page.goto("/admin/upload")
        rows = page.locator(".uploads > li")
        expect(page.locator("#uploads")).to_be_hidden()
        chosen = (("annual.pdf", b"x" * 1234), (HOSTILE, b""), ("one.txt", b"x"))
        page.locator("#files").set_input_files(
            [FilePayload(name=name, mimeType="", buffer=content) for name, content in chosen]
        )
        for row, (name, size) in enumerate((("annual.pdf", "1 KB"), (HOSTILE, "0 bytes"), ("one.txt", "1 byte"))):
            expect(rows.nth(row).locator(".name")).to_have_text(name)
            expect(rows.nth(row).locator(".meta")).to_have_text(size)
        assert rows.locator("img").count() == 0

        for name in ("annual.pdf", HOSTILE, "one.txt"):
            page.get_by_role("button", name=f"Cancel {name}").click()
        expect(page.locator("#uploads")).to_be_hidden()


@pytest.mark.parametrize("limit", [None, 1])
def test_what_was_incomplete_is_not_called_so_any_more_once_it_was_gone_on_with(
    chromium: Browser, portal: Flask, server: Server, limit: int | None
) -> None:
    with portal.app_context():
        document = makers.document(makers.category("reports"), "annual.pdf", bytes(3_000_000))
        _, token = makers.link(document, max_downloads=limit, label="The bank")
        ticket = reserve(token, None, network=makers.NETWORK, agent="")
    context = chromium.new_context(base_url=f"http://127.0.0.1:{server.port}")
    address = f"http://127.0.0.1:{server.port}/s/{token}"
    context.add_cookies([{"name": "portal-ticket", "value": ticket, "url": address}])
    with context:
        page = context.new_page()
        page.goto(f"/s/{token}")
        expect(page.get_by_text("Your download is not complete")).to_be_visible()
        with page.expect_download() as coming:
            page.get_by_role("link", name="Go on").click()
        coming.value.path()

        expect(page.get_by_text("Your download is not complete")).to_be_hidden(timeout=10_000)
        expect(page.locator("h1")).to_have_text("All downloads of this link are used" if limit else "annual")


def test_the_page_of_a_link_says_how_many_downloads_are_left_after_one(
    chromium: Browser, portal: Flask, server: Server
) -> None:
    with portal.app_context():
        document = makers.document(makers.category("reports"), "annual.pdf")
        link, token = makers.link(document, max_downloads=2, label="The bank")
        maker, path = signed_in(chromium, server, makers.person("Ada", is_admin=True)), f"/admin/links/{link.id}"
    outside = chromium.new_context(base_url=f"http://127.0.0.1:{server.port}")
    with maker, outside:
        own, page = maker.new_page(), outside.new_page()
        own.goto(path)
        expect(own.locator("#used")).to_have_text("0 of 2")
        page.goto(f"/s/{token}")
        for left in ("1 of 2 downloads left", "All downloads of this link are used"):
            with page.expect_download() as coming:
                page.get_by_role("button", name="Download").click()
            coming.value.path()
            expect(page.locator("#left")).to_contain_text(left, timeout=10_000)

        own.evaluate("dispatchEvent(new Event('focus'))")
        expect(own.locator("#used")).to_contain_text("2 of 2, last Today")
        expect(own.locator("#state")).to_have_text("Used up")


def test_the_page_of_a_document_says_that_it_arrived(chromium: Browser, portal: Flask, server: Server) -> None:
    with portal.app_context():
        ada, shelf = makers.person("Ada"), makers.category("reports")
        makers.grant(shelf, user=ada)
        document = makers.document(shelf, "annual.pdf")
        path = f"/documents/{document.uuid}"
        context = signed_in(chromium, server, ada)
    with context:
        page = context.new_page()
        page.goto(path)
        expect(page.locator("#mine")).to_have_text("You do not have it yet.")
        with page.expect_download() as coming:
            page.get_by_role("link", name="Download", exact=False).first.click()
        coming.value.path()

        expect(page.locator("#mine")).to_contain_text("You have it", timeout=10_000)
        expect(page.locator("#version-rows")).to_contain_text("Downloaded")


def test_a_page_whose_session_has_ended_is_left_as_it_was(chromium: Browser, portal: Flask, server: Server) -> None:
    with portal.app_context():
        ada, shelf = makers.person("Ada"), makers.category("reports")
        makers.grant(shelf, user=ada)
        document = makers.document(shelf, "annual.pdf")
        path, context = f"/documents/{document.uuid}", signed_in(chromium, server, ada)
    with context:
        page = context.new_page()
        page.goto(path)
        with page.expect_download():
            page.get_by_role("link", name="Download", exact=False).first.click()
        context.clear_cookies()
        with page.expect_response(re.compile("/login")):
            page.evaluate("dispatchEvent(new Event('focus'))")

        expect(page.locator("#mine")).to_have_text("You do not have it yet.")
