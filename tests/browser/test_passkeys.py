"""Passkeys in a real browser, by virtual authenticators: one of the platform, and one that is plugged in."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, CDPSession, Page, expect
from sqlalchemy import delete, update

from portal.accounts.passkeys import list_passkeys
from portal.errors import PasskeyRefused
from portal.extensions import transaction
from portal.models import Passkey, Session, User
from tests import makers
from tests.attacks.oracle import session_of
from tests.browser.conftest import as_installed
from tests.browser.looking import look_at
from tests.databases import SqliteTemplate
from tests.servers import serving

PLATFORM, ROAMING = "internal", "usb"
NAMES = {PLATFORM: "Chrome on Linux", ROAMING: "Security key"}
_numbers = count(1)


@dataclass
class House:
    """The portal by its name, as browsers need it."""

    app: Flask
    address: str


@pytest.fixture(scope="module")
def house(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """It is served where the base URL says; every test brings people of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://localhost:{port}"
    settings = replace(as_installed(sqlite_template, tmp_path_factory.mktemp("named")), base_url=address)
    serve = serving(settings, "--port", str(port), extra={"PORTAL_BASE_URL": address})
    with makers.running(settings) as app, serve:
        yield House(app, address)


@dataclass
class Desk:
    """A page of a browser, what is plugged in there, and who sits before it: somebody without a passkey yet."""

    page: Page
    cdp: CDPSession
    user: User

    def plug_in(self, transport: str) -> str:
        """A virtual authenticator that answers at once; what the browser calls it."""
        options = {
            "protocol": "ctap2",
            "transport": transport,
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        made: dict[str, Any] = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return str(made["authenticatorId"])

    def refuse(self, authenticator: str) -> None:
        """From now on it is touched by somebody it does not know; browsers say the same when a question is closed."""
        verified = {"authenticatorId": authenticator, "isUserVerified": False}
        self.cdp.send("WebAuthn.setUserVerified", verified)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name).click()


@pytest.fixture
def desk(chromium: Browser, house: House) -> Iterator[Desk]:
    """A browser at that portal in which nobody is signed in.

    It offers no passkeys in the field for the email, which a virtual authenticator would take without being asked.
    """
    with chromium.new_context(base_url=house.address) as context:
        page = context.new_page()
        page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = async () => false")
        cdp = context.new_cdp_session(page)
        cdp.send("WebAuthn.enable")
        with house.app.app_context():
            user = makers.person(f"Ada {next(_numbers)}", password=makers.PASSWORD)
        yield Desk(page, cdp, user)


def sign_in(house: House, desk: Desk, *, is_fresh: bool = True) -> None:
    """As that person, just now or a while ago."""
    with house.app.app_context():
        token = session_of(desk.user.id)
        if not is_fresh:
            with transaction() as session:
                session.execute(update(Session).values(fresh_at=makers.now(minutes=-11)))
    desk.page.context.add_cookies([{"name": "portal", "value": token, "url": house.address}])


def add(desk: Desk, name: str = "") -> None:
    desk.page.goto("/account/passkeys/new")
    desk.page.get_by_label("Name").fill(name)
    desk.press("Add a passkey")
    expect(desk.page.get_by_text("The passkey is added.")).to_be_visible()


@pytest.mark.parametrize("transport", [PLATFORM, ROAMING])
def test_a_passkey_is_added_and_signs_in_where_the_person_wanted_to_go(
    house: House, desk: Desk, transport: str
) -> None:
    sign_in(house, desk)
    desk.plug_in(transport)
    add(desk)
    expect(desk.page.get_by_role("rowheader")).to_have_text(
        {PLATFORM: "Chrome on Linux", ROAMING: "Security key"}[transport]
    )
    desk.page.context.clear_cookies()

    desk.page.goto("/account/downloads")
    desk.press("Sign in with a passkey")
    expect(desk.page.locator("h1")).to_have_text("Your downloads")


def test_after_the_password_a_passkey_is_the_second_factor(house: House, desk: Desk) -> None:
    sign_in(house, desk)
    desk.plug_in(PLATFORM)
    add(desk)
    desk.page.context.clear_cookies()

    desk.page.goto("/login?next=/account/downloads")
    desk.page.get_by_label("Email").fill(desk.user.email)
    desk.page.get_by_label("Password", exact=True).fill(makers.PASSWORD)
    desk.page.get_by_role("button", name="Sign in", exact=True).click()
    expect(desk.page.locator("h1")).to_have_text("One more step")
    look_at(desk.page, "/login/second?next=/account/downloads")
    desk.press("Use a passkey")
    expect(desk.page.locator("h1")).to_have_text("Your downloads")


def test_a_passkey_offered_in_the_field_for_the_email_signs_in(house: House, desk: Desk, chromium: Browser) -> None:
    sign_in(house, desk)
    authenticator = desk.plug_in(PLATFORM)
    add(desk)
    [kept] = desk.cdp.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
    with chromium.new_context(base_url=house.address) as context:
        page = context.new_page()
        other = Desk(page, context.new_cdp_session(page), desk.user)
        other.cdp.send("WebAuthn.enable")
        taken = {"authenticatorId": other.plug_in(PLATFORM), "credential": kept}
        other.cdp.send("WebAuthn.addCredential", taken)
        page.goto("/login?next=/account/downloads")  # the virtual authenticator chooses for the person
        expect(page.locator("h1")).to_have_text("Your downloads")


def test_a_passkey_proves_who_is_there_before_another_is_added(house: House, desk: Desk) -> None:
    sign_in(house, desk)
    desk.plug_in(PLATFORM)
    add(desk)
    sign_in(house, desk, is_fresh=False)

    desk.page.goto("/account/passkeys")
    desk.page.get_by_role("link", name="Add a passkey").click()
    expect(desk.page.locator("h1")).to_have_text("Is it you?")
    desk.press("Use a passkey")
    expect(desk.page.locator("h1")).to_have_text("Add a passkey")


def test_who_is_no_longer_fresh_is_led_to_prove_it_by_the_button_too(house: House, desk: Desk) -> None:
    sign_in(house, desk)
    desk.plug_in(PLATFORM)
    desk.page.goto("/account/passkeys/new")
    with house.app.app_context(), transaction() as session:
        session.execute(update(Session).values(fresh_at=makers.now(minutes=-11)))
    desk.press("Add a passkey")
    expect(desk.page.locator("h1")).to_have_text("Is it you?")
    desk.page.get_by_label("Password", exact=True).fill(makers.PASSWORD)
    desk.press("Go on")
    expect(desk.page.locator("h1")).to_have_text("Add a passkey")


def test_a_device_makes_no_second_passkey_and_says_so(house: House, desk: Desk) -> None:
    sign_in(house, desk)
    desk.plug_in(PLATFORM)
    add(desk)
    desk.page.goto("/account/passkeys/new")
    desk.press("Add a passkey")
    expect(desk.page.get_by_role("alert")).to_have_text("This device holds a passkey for your account already.")


def test_a_question_that_was_closed_leaves_a_sentence(house: House, desk: Desk) -> None:
    sign_in(house, desk)
    authenticator = desk.plug_in(PLATFORM)
    add(desk)
    desk.refuse(authenticator)
    desk.page.context.clear_cookies()
    desk.page.goto("/login")
    expect(desk.page.get_by_role("alert")).to_have_count(0)
    desk.press("Sign in with a passkey")
    expect(desk.page.get_by_role("alert")).to_contain_text("Nothing was done")
    desk.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": True})
    desk.press("Sign in with a passkey")
    expect(desk.page).to_have_url(f"{house.address}/")


def test_what_the_portal_refuses_is_said(house: House, desk: Desk) -> None:
    sign_in(house, desk)
    desk.plug_in(PLATFORM)
    add(desk)
    with house.app.app_context(), transaction() as session:
        session.execute(delete(Passkey).where(Passkey.user_id == desk.user.id))
    desk.page.context.clear_cookies()
    desk.page.goto("/login")
    desk.press("Sign in with a passkey")
    expect(desk.page.get_by_role("alert")).to_have_text(PasskeyRefused.sentence)


def test_a_passkey_is_renamed_and_removed(house: House, desk: Desk) -> None:
    sign_in(house, desk)
    desk.plug_in(ROAMING)
    add(desk, "Blue key")
    desk.page.get_by_role("link", name="Blue key", exact=True).click()
    desk.page.get_by_label("Name").fill("Green key")
    desk.press("Rename")
    expect(desk.page.get_by_text("The passkey has its new name.")).to_be_visible()
    desk.page.get_by_role("link", name="Green key", exact=True).click()
    desk.page.get_by_role("link", name="Remove").click()
    desk.press("Remove the passkey")
    expect(desk.page.get_by_text("You have no passkey yet")).to_be_visible()

    desk.page.context.clear_cookies()
    desk.page.goto("/login")
    desk.press("Sign in with a passkey")
    expect(desk.page.get_by_role("alert")).to_have_text(PasskeyRefused.sentence)


@pytest.mark.parametrize("kind", ["without scripts", "that knows no passkeys"])
def test_a_browser_shows_no_button(chromium: Browser, house: House, desk: Desk, kind: str) -> None:
    with chromium.new_context(base_url=house.address, java_script_enabled=kind != "without scripts") as context:
        page = context.new_page()
        page.add_init_script("delete window.PublicKeyCredential")
        page.goto("/login")
        expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
        expect(page.get_by_role("button", name="passkey")).to_have_count(0)
        page.get_by_label("Email").fill(desk.user.email)
        page.get_by_label("Password", exact=True).fill(makers.PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page).to_have_url(f"{house.address}/")
        page.goto("/account/passkeys/new")
        expect(page.get_by_text("This one cannot make any.")).to_be_visible()
        expect(page.get_by_role("button", name="Add a passkey")).to_have_count(0)


def test_the_pages_look_right(house: House, desk: Desk) -> None:
    sign_in(house, desk)
    desk.plug_in(PLATFORM)
    for path in ("/account/passkeys", "/account/passkeys/new"):
        look_at(desk.page, path)
    add(desk, "A phone with a rather long name, so that we see where_it_may_be_broken_when_there_is_no_room")
    with house.app.app_context():
        [passkey] = list_passkeys(desk.user.id)
    for path in ("", f"/{passkey.id}", f"/{passkey.id}/remove"):
        look_at(desk.page, f"/account/passkeys{path}")
    sign_in(house, desk, is_fresh=False)
    look_at(desk.page, "/account/confirm")
    desk.page.context.clear_cookies()
    look_at(desk.page, "/login")
