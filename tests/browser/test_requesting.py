"""Files from somebody without an account, in a real browser: asked for, sent on a phone, and looked at."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from portal.models import PUBLISH
from portal.settings import Settings
from tests import makers
from tests.browser.looking import look
from tests.browser.test_scripts import signed_in
from tests.servers import Server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PDF = b"%PDF-1.7 proof of "


class Both(NamedTuple):
    """Who asks, and who sends without an account and without scripts."""

    publisher: Page
    sender: Page


@pytest.fixture
def both(chromium: Browser, empty_house: Settings, server: Server) -> Iterator[Both]:
    with makers.running(empty_house) as app, app.app_context():
        pia = makers.person("Pia Publisher")
        makers.grant(makers.category("clients/inbox"), user=pia, permission=PUBLISH)
        house = signed_in(chromium, server, pia)
    phone = chromium.new_context(viewport={"width": 375, "height": 800}, java_script_enabled=False)
    with house, phone:
        pages = Both(house.new_page(), phone.new_page())
        for page in pages:
            page.set_default_timeout(15_000)
        yield pages


@pytest.mark.timeout(240)
def test_files_come_by_a_link_and_wait_for_whoever_asked(both: Both) -> None:
    page = both.publisher
    page.goto("/admin/requests")
    look(page, "nobody asked yet")
    page.get_by_role("link", name="Ask for files").click()
    page.get_by_label("What you ask for").fill("Proofs of income 2027")
    page.get_by_label("A few words").fill("The last three payslips, please.\nThank you!")
    page.get_by_label("Files", exact=False).first.fill("5")
    page.get_by_label("Size of each").fill("2 MB")
    page.get_by_label("Types").fill("pdf jpg")
    look(page, "a new request")
    page.get_by_role("button", name="Make the link").click()
    expect(page.get_by_role("heading", name=re.compile("is ready"))).to_be_visible()
    address = page.locator(".once code").inner_text()
    look(page, "a link that is ready")

    receipt = send(both.sender, address)
    page.goto(address)
    expect(page.get_by_text("up to three files")).to_be_visible()
    look(page, "the page of a request")
    page.goto(receipt)
    look(page, "a receipt")
    review(page)


def send(page: Page, address: str) -> str:
    """By a phone, without scripts; the address of the receipt."""
    page.goto(address)
    page.get_by_label("Choose files, or drop them on the field").set_input_files(
        [FilePayload(name=f"{name}.pdf", mimeType="application/pdf", buffer=PDF + name.encode()) for name in ("a", "b")]
    )
    page.get_by_label("Your name").fill("Bea Miller")
    page.get_by_label("Your email").fill("bea@elsewhere.example")
    page.get_by_label("A note").fill("As agreed on the phone.")
    page.get_by_role("button", name="Send the files").click()
    expect(page.get_by_role("heading", name="Your two files have arrived")).to_be_visible()
    return page.url


def review(page: Page) -> None:
    page.goto("/admin/requests")
    expect(page.get_by_text("1 to review")).to_be_visible()
    look(page, "one to review")
    page.get_by_role("link", name="Proofs of income 2027").click()
    expect(page.get_by_text("As agreed on the phone.")).to_be_visible()
    look(page, "what came")
    page.get_by_role("button", name="Reviewed what Bea Miller sent").click()
    expect(page.get_by_text("It is marked as reviewed.")).to_be_visible()
    page.get_by_role("link", name="Revoke").click()
    look(page, "before a link is revoked")
    page.get_by_role("button", name="Revoke the link").click()
    expect(page.get_by_text("It takes no more files; what came stays.")).to_be_visible()
