"""The life of an account in a browser, with a real mail server and the worker of `portal serve`."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from portal.settings import Settings
from tests import makers
from tests.browser.looking import look, look_at
from tests.postbox import Postbox, postbox
from tests.servers import Server, serving

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

NEW = "another four good words"
REPORT = b"%PDF-1.4\n% a report that only this test knows\n%%EOF\n"


@pytest.fixture
def box() -> Iterator[Postbox]:
    with postbox() as found:
        yield found


@pytest.fixture
def portal(empty_house: Settings, box: Postbox) -> Iterator[Server]:
    """A portal that sends mails, with Ada, who administers it, and a document for the group Clients."""
    house = replace(empty_house, mail_url=box.url)
    with makers.running(house) as app, app.app_context():
        makers.person("Ada", is_admin=True, password=makers.PASSWORD)
        makers.document(makers.category("reports"), "annual.pdf", REPORT)
        makers.grant(makers.category("reports"), group=makers.group("Clients"))
    with serving(house, has_worker=True) as server:
        yield server


def open_context(chromium: Browser, server: Server) -> BrowserContext:
    context = chromium.new_context(base_url=f"http://127.0.0.1:{server.port}")
    context.set_default_timeout(15_000)
    return context


def sign_in(page: Page, email: str, password: str = makers.PASSWORD) -> None:
    page.goto("/login")
    page.locator("input[name=email]").fill(email)
    page.locator("input[name=password]").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile(r"/$"))


def set_password(page: Page, address: str) -> None:
    """Open the address of a mail and choose a password there."""
    page.goto(address)
    page.locator("input[name=password]").fill(NEW)
    page.locator("form button.primary").click()
    expect(page).to_have_url(re.compile(r"/$"))


@pytest.mark.timeout(240)
def test_from_a_pasted_list_by_the_mail_to_the_first_download(chromium: Browser, portal: Server, box: Postbox) -> None:
    with open_context(chromium, portal) as staff:
        page = staff.new_page()
        sign_in(page, "ada@example.org")
        page.goto("/admin/people")
        page.get_by_role("link", name="Import").click()
        page.get_by_label("People", exact=True).fill("Bob Rider <bob@example.org>\nnobody\nada@example.org")
        page.get_by_label("Clients").check()
        page.get_by_role("button", name="See what it would do").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("1 person would be invited")
        expect(page.get_by_role("row", name="There is no email address here.")).to_be_visible()
        page.get_by_role("button", name="Invite 1 person").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("1 person is invited")
    (mail,) = box.wait_for(1)
    assert mail.recipients == ["bob@example.org"]
    (address,) = [one for one in mail.addresses if "/setup/" in one]

    with open_context(chromium, portal) as reader:
        page = reader.new_page()
        set_password(page, address)
        page.get_by_role("link", name="annual").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("annual")
        with page.expect_download() as waiting:
            page.locator("main .button.primary").click()
        assert Path(waiting.value.path()).read_bytes() == REPORT
        page.goto(address)
        expect(page.get_by_text("This address was used already")).to_be_visible()


@pytest.mark.timeout(240)
def test_a_forgotten_password_is_set_from_the_mail_and_other_browsers_are_out(
    chromium: Browser, portal: Server, box: Postbox
) -> None:
    with open_context(chromium, portal) as elsewhere, open_context(chromium, portal) as here:
        other = elsewhere.new_page()
        sign_in(other, "ada@example.org")
        page = here.new_page()
        page.goto("/login")
        page.get_by_role("link", name="Forgotten your password?").click()
        expect(page).to_have_url(re.compile("/reset"))
        page.locator("input[name=email]").fill("ada@example.org")
        page.get_by_role("button", name="Send the mail").click()
        expect(page.get_by_text("If this address has an account, a mail is on its way.")).to_be_visible()
        (mail,) = box.wait_for(1)
        (address,) = [one for one in mail.addresses if "/setup/" in one]
        set_password(page, address)
        other.reload()
        expect(other).to_have_url(re.compile("/login"))
        assert box.wait_for(2)[1].message["Subject"] == "Your password at Portal was changed"


@pytest.mark.timeout(240)
def test_a_browser_that_was_left_signed_in_is_signed_out_from_another_one(chromium: Browser, portal: Server) -> None:
    with open_context(chromium, portal) as elsewhere, open_context(chromium, portal) as here:
        other, page = elsewhere.new_page(), here.new_page()
        sign_in(other, "ada@example.org")
        sign_in(page, "ada@example.org")
        page.goto("/account")
        page.get_by_role("button", name="Sign out Chrome", exact=False).click()
        expect(page.get_by_text("That browser is signed out.")).to_be_visible()
        other.reload()
        expect(other).to_have_url(re.compile("/login"))
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text("Your account")


@pytest.mark.timeout(240)
def test_a_new_address_is_confirmed_from_its_mail_and_the_old_one_is_told(
    chromium: Browser, portal: Server, box: Postbox
) -> None:
    with open_context(chromium, portal) as context:
        page = context.new_page()
        sign_in(page, "ada@example.org")
        page.goto("/account")
        page.get_by_role("link", name="Change email").click()
        page.get_by_label("New email").fill("countess@example.org")
        page.get_by_role("button", name="Send the mail").click()
        expect(page.get_by_text("A mail is on its way to the new address")).to_be_visible()
        (mail,) = box.wait_for(1)
        assert mail.recipients == ["countess@example.org"]
        (address,) = [one for one in mail.addresses if "/setup/" in one]
        look_at(page, address)
        page.get_by_role("button", name="Confirm the address").click()
        expect(page.get_by_text("Your address is changed.")).to_be_visible()
        assert box.wait_for(2)[1].recipients == ["ada@example.org"]


@pytest.mark.timeout(240)
def test_the_pages_of_it_are_fit_to_be_read(chromium: Browser, portal: Server) -> None:
    with open_context(chromium, portal) as context:
        page = context.new_page()
        look_at(page, "/reset")
        sign_in(page, "ada@example.org")
        for path in ("/account", "/account/profile", "/account/email", "/admin/people/import", "/admin/people/1/erase"):
            look_at(page, path)
        page.goto("/admin/people/import")
        page.get_by_label("People", exact=True).fill("Bob <bob@example.org>\nnobody\nada@example.org\nbob@example.org")
        page.get_by_role("button", name="See what it would do").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("1 person would be invited")
        look(page, "what it would do")
        page.get_by_role("button", name="Invite 1 person").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("1 person is invited")
        look(page, "what was done")
