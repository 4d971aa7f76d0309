"""The tree at the side, which is a drawer on phones: one element for both, and no script is needed for it."""

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from portal.settings import Settings
from tests import makers
from tests.attacks.oracle import session_of
from tests.servers import Server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with scripts", "without"])
def test_the_tree_is_at_the_side_and_in_the_drawer_of_a_phone(
    chromium: Browser, empty_house: Settings, server: Server, has_scripts: bool
) -> None:
    with makers.running(empty_house) as app, app.app_context():
        ada = makers.person("Ada")
        makers.grant(makers.category("reports"), user=ada)
        token = session_of(ada.id)
    address = f"http://127.0.0.1:{server.port}"
    context: BrowserContext = chromium.new_context(base_url=address, java_script_enabled=has_scripts)
    with context:
        context.add_cookies([{"name": "portal", "value": token, "url": address}])
        page = context.new_page()
        menu, category = page.get_by_role("button", name="Menu"), page.get_by_role("link", name="reports")
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto("/")
        expect(category).to_be_visible()
        expect(menu).to_be_hidden()

        page.set_viewport_size({"width": 375, "height": 800})
        expect(category).to_be_hidden()
        menu.click()
        expect(category).to_be_visible()
        menu.click()
        expect(category).to_be_hidden()
        menu.click()
        category.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("reports")
        expect(menu).to_be_visible()
