"""A token is made, used and revoked; and an administrator sees the portal as somebody else does, in a browser."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from portal.accounts import add_api_token
from portal.accounts.sessions import start_session
from portal.models import PUBLISH
from portal.settings import Settings
from tests import makers
from tests.browser.looking import look, look_at
from tests.servers import Answer, Caller, serving

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

LONG = "Nightly_backup_of_the_document_server_in_the_cellar_of_the_old_building"


@dataclass
class House:
    """Ada, an administrator signed in on a page, and Eve Adams, who may publish in ``reports``."""

    page: Page
    port: int
    eve: int
    document: int

    def fetch(self, token: str) -> Answer:
        """What a program gets with a token."""
        path = f"/documents/{self.document}/download"
        return Caller(self.port).send("GET", path, b"", {"Authorization": f"Bearer {token}"})


@pytest.fixture
def house(chromium: Browser, empty_house: Settings) -> Iterator[House]:
    with makers.running(empty_house) as app, app.app_context():
        ada, eve = makers.person("Ada Byron", is_admin=True), makers.person("Eve Adams")
        shelf = makers.category("reports")
        makers.grant(shelf, user=eve, permission=PUBLISH)
        document = makers.document(shelf, "annual.pdf")
        makers.document(makers.category("board"), "minutes.pdf", b"%PDF-1.7 minutes")
        for user in (ada, eve):
            add_api_token(None, user.id, LONG, "publish")
        token = start_session(ada.id, network=makers.NETWORK, agent="tests", method="passkey", is_two_factor=True)
        eve_id, document_id = eve.id, document.id
    with serving(empty_house) as server:
        address = f"http://127.0.0.1:{server.port}"
        with chromium.new_context(base_url=address) as context:
            context.set_default_timeout(15_000)
            context.add_cookies([{"name": "portal", "value": token, "url": address}])
            yield House(context.new_page(), server.port, eve_id, document_id)


@pytest.mark.timeout(240)
def test_a_token_is_made_used_and_revoked(house: House) -> None:
    page = house.page
    for path in ("/account", "/account/tokens", "/account/tokens/new"):
        look_at(page, path)
    page.goto("/account")
    page.get_by_role("link", name="API tokens").click()
    page.get_by_role("link", name="Make a token").click()
    page.get_by_label("Name").fill("Backup")
    page.get_by_label("What it may do").select_option("read")
    page.get_by_role("button", name="Make the token").click()
    secret = page.locator(".once code").inner_text()
    look(page, "the page with the token")

    assert house.fetch(secret).status == 200
    page.get_by_role("link", name="All tokens").click()
    expect(page.get_by_text(f"{secret[:6]}…")).to_be_visible()
    assert secret not in page.content()
    page.get_by_role("button", name="Revoke Backup").click()
    expect(page.get_by_text("The token is revoked.")).to_be_visible()
    assert house.fetch(secret).status == 401


@pytest.mark.timeout(240)
def test_an_administrator_sees_the_portal_as_somebody_else_does_until_they_stop(house: House) -> None:
    page = house.page
    look_at(page, f"/admin/people/{house.eve}")
    page.get_by_role("button", name="See the portal as they do").click()
    bar = page.get_by_text("You see the portal as Eve Adams does.")
    expect(bar).to_be_visible()

    for path in ("/", "/documents", "/account", "/account/tokens", "/admin/upload", f"/documents/{house.document}"):
        look_at(page, path)
        expect(bar).to_be_visible()
    page.goto("/documents")
    expect(page.get_by_text("annual").first).to_be_visible()
    expect(page.get_by_text("minutes")).to_have_count(0)
    page.goto(f"/documents/{house.document}")
    page.locator("main .button.primary").click()
    expect(page.get_by_text("it would count as theirs")).to_be_visible()

    page.goto("/")
    page.get_by_role("button", name="Stop").click()
    expect(page).to_have_url(re.compile(rf"/admin/people/{house.eve}\?done=viewing-stopped$"))
    expect(page.get_by_text("You see the portal as yourself again.")).to_be_visible()
    expect(bar).to_have_count(0)
