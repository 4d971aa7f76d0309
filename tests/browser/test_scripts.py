"""What pages do with scripts that they do not do without, in a real browser."""

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect

from portal.models import User
from portal.settings import Settings
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


def lines(page: Page) -> list[str]:
    return page.locator("#chosen li").all_inner_texts()


def test_chosen_files_are_listed_by_name_and_size(chromium: Browser, portal: Flask, server: Server) -> None:
    with portal.app_context():
        makers.category("reports")
        context = signed_in(chromium, server, makers.person("Ada", is_admin=True))
    with context:
        page = context.new_page()
        page.goto("/admin/upload")
        expect(page.locator("#chosen")).to_be_hidden()
        files = page.locator("#files")
        chosen = (("annual.pdf", b"x" * 1234), (HOSTILE, b""))
        files.set_input_files([FilePayload(name=name, mimeType="", buffer=content) for name, content in chosen])
        assert [line.split("\n") for line in lines(page)] == [["annual.pdf", "1 KB"], [HOSTILE, "0 bytes"]]
        assert page.locator("#chosen img").count() == 0

        files.set_input_files([])
        expect(page.locator("#chosen")).to_be_hidden()
