"""From the button to the reader's home by a real provider, a process of its own, in a real Chromium."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from portal.settings import Settings
from tests import makers, providers
from tests.browser.looking import look, look_at
from tests.providers import Mock
from tests.servers import Server, serving

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

NAME = "the house account"
BUTTON = f"Sign in with {NAME}"


@pytest.fixture(scope="module")
def mock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mock]:
    with providers.mocking(tmp_path_factory.mktemp("provider")) as mock:
        mock.put("ada", email="ada@example.org", email_verified=True, name="Ada Byron")
        mock.put("eve", email="eve@example.org", email_verified=False)
        yield mock


@pytest.fixture
def portal(empty_house: Settings, mock: Mock) -> Iterator[Server]:
    """A portal in which Ada and Eve have accounts, and Ada a password."""
    with makers.running(empty_house) as app, app.app_context():
        ada = makers.person(password=makers.PASSWORD)
        makers.person("Eve")
        makers.document(makers.category("reports"), "annual.pdf")
        makers.grant(makers.category("reports"), user=ada)
    extra = {"PORTAL_OIDC_ISSUER": mock.address, "PORTAL_OIDC_CLIENT_ID": "portal", "PORTAL_OIDC_NAME": NAME}
    with serving(empty_house, extra=extra | {"PORTAL_OIDC_CLIENT_SECRET": "secret"}) as server:
        yield server


def open_context(chromium: Browser, server: Server, **options: bool) -> BrowserContext:
    context = chromium.new_context(base_url=f"http://127.0.0.1:{server.port}", **options)  # type: ignore[arg-type]
    context.set_default_timeout(15_000)
    return context


def sign_in_there(page: Page, mock: Mock, subject: str) -> None:
    """On the page of the provider, which asks who somebody is and believes everything."""
    page.wait_for_url(f"{mock.address}/**")
    page.locator("input[name=sub]").fill(subject)
    page.get_by_role("button", name="Authorize", exact=True).click()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_from_the_button_to_the_home(chromium: Browser, portal: Server, mock: Mock, scripts: bool) -> None:
    with open_context(chromium, portal, java_script_enabled=scripts) as context:
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto("/documents?sort=new")
        page.get_by_role("button", name=BUTTON).click()
        sign_in_there(page, mock, "ada")
        expect(page).to_have_url(re.compile(r"/documents\?sort=new$"))
        expect(page.get_by_role("link", name="annual").first).to_be_visible()
        assert [text for text in said if "Content Security Policy" in text] == []
        page.go_back()
        expect(page).to_have_url(re.compile(re.escape(mock.address)))
        page.go_back()  # past the page that led there, which would lead there again
        expect(page).to_have_url(re.compile(r"/documents\?sort=new$"))


@pytest.mark.timeout(240)
def test_who_thinks_better_of_it_or_is_not_known_reads_why(chromium: Browser, portal: Server, mock: Mock) -> None:
    with open_context(chromium, portal) as context:
        page = context.new_page()
        page.goto("/login")
        page.get_by_role("button", name=BUTTON).click()
        page.wait_for_url(f"{mock.address}/**")
        page.get_by_role("button", name="Deny").click()
        expect(page.get_by_text("Begin again here")).to_be_visible()  # this provider forgets the state when it says no
        page.get_by_role("button", name=BUTTON).click()
        sign_in_there(page, mock, "eve")
        expect(page.get_by_text("there is no account here that is open to you")).to_be_visible()
        look(page, "/login/provider/callback")


@pytest.mark.timeout(240)
def test_the_pages_of_it_are_fit_to_be_read(chromium: Browser, portal: Server, mock: Mock) -> None:
    with open_context(chromium, portal) as context:
        page = context.new_page()
        look_at(page, "/login")
        context.route(f"{mock.address}/**", lambda route: route.fulfill(status=204))
        page.goto("/login")
        page.get_by_role("button", name=BUTTON).click()
        expect(page.get_by_role("link", name="Go on now")).to_be_visible()
        look(page, "/login/provider")
        context.unroute_all()
        page.get_by_role("link", name="Go on now").click()
        sign_in_there(page, mock, "ada")
        expect(page).to_have_url(re.compile(r"/$"))
        look_at(page, "/account/identities")
        page.get_by_role("button", name="Remove").click()
        expect(page.get_by_text("The link is removed")).to_be_visible()
        page.get_by_role("button", name=f"Link with {NAME}").click()
        sign_in_there(page, mock, "eve")
        expect(page.get_by_text("The two accounts are linked")).to_be_visible()
        look_at(page, "/account/identities")
