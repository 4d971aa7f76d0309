"""Second factors in a real browser: an app set up, signing in with its code and with a recovery code, and the rule."""

import re
from collections.abc import Iterator
from itertools import count

import pyotp
import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from portal.extensions import transaction
from portal.models import AuthenticatorApp, Group
from tests import makers
from tests.browser.conftest import as_installed
from tests.browser.looking import look_at
from tests.databases import SqliteTemplate
from tests.servers import Server, serving

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

_numbers = count(1)


@pytest.fixture(scope="module")
def house(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flask, Server]]:
    """One portal for all; every test brings people of its own."""
    settings = as_installed(sqlite_template, tmp_path_factory.mktemp("factors"))
    with makers.running(settings) as app, serving(settings) as server:
        yield app, server


@pytest.fixture
def page(chromium: Browser, house: tuple[Flask, Server]) -> Iterator[Page]:
    """A page of a fresh browser."""
    context = chromium.new_context(base_url=f"http://127.0.0.1:{house[1].port}")
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def somebody(app: Flask, *, in_group_that_asks: bool = False) -> str:
    """The address of a new person."""
    with app.app_context():
        number = next(_numbers)
        user = makers.person(f"Person {number}", password=makers.PASSWORD)
        if in_group_that_asks:
            makers.change(makers.group(f"Board {number}", user), second_factor_since=makers.now())
        return user.email


def give_password(page: Page, email: str, wanted: str = "/account") -> None:
    page.goto(f"/login?next={wanted}")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(makers.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).not_to_have_url(re.compile(r"/login(\?|$)"))


def sign_out(page: Page) -> None:
    page.goto("/account")
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page).to_have_url(re.compile("/login$"))


def secret_on(page: Page) -> str:
    """The key that the page shows beside its picture."""
    picture = page.get_by_alt_text("The key below")
    assert picture.evaluate("image => image.complete && image.naturalWidth > 100")
    return page.locator("code.break").inner_text().replace(" ", "")


def type_code(page: Page, secret: str) -> None:
    page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).now())


def forget_the_last_code(app: Flask) -> None:
    """As if half a minute had passed: the code that is shown now may be taken."""
    with app.app_context(), transaction() as session:
        session.execute(update(AuthenticatorApp).values(last_counter=0))


def test_an_app_is_set_up_and_asked_for_at_the_next_sign_in(house: tuple[Flask, Server], page: Page) -> None:
    app, _ = house
    email = somebody(app)
    give_password(page, email)
    page.get_by_role("link", name="How you sign in").click()
    look_at(page, "/account/security")
    look_at(page, "/account/security/app")
    secret = secret_on(page)
    type_code(page, secret)
    page.get_by_role("button", name="Set it up").click()
    expect(page.locator("main li code")).to_have_count(10)
    codes = page.locator("main li code").all_inner_texts()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("Ten of ten are left.")).to_be_visible()
    sign_out(page)

    forget_the_last_code(app)
    give_password(page, email, "/account/downloads")
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    look_at(page, "/login/second?next=/account/downloads")
    type_code(page, secret)
    page.get_by_role("button", name="Go on").first.click()
    expect(page).to_have_url(re.compile("/account/downloads$"))
    sign_out(page)

    give_password(page, email)
    page.get_by_text("Use a recovery code").click()
    page.get_by_label("Recovery code").fill(codes[3].upper())
    page.get_by_role("button", name="Go on").last.click()
    expect(page).to_have_url(re.compile("/account$"))
    page.goto("/account/security")
    expect(page.get_by_text("Nine of ten are left.")).to_be_visible()


def test_who_must_have_one_sets_it_up_on_the_way_in(house: tuple[Flask, Server], page: Page) -> None:
    give_password(page, somebody(house[0], in_group_that_asks=True))
    expect(page.get_by_role("heading", name="Set up a second factor")).to_be_visible()
    look_at(page, "/login/second?next=/account")
    type_code(page, secret_on(page))
    page.get_by_role("button", name="Set it up").click()
    expect(page.locator("main li code")).to_have_count(10)
    page.goto("/account")
    expect(page).to_have_url(re.compile("/login"), timeout=15_000)
    page.goto("/login/second?next=/account")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    look_at(page, "/account/security/app/remove")
    page.get_by_label("Password").fill(makers.PASSWORD)
    page.get_by_role("button", name="Remove the app").click()
    expect(page.get_by_text("this is your last one")).to_be_visible()


def test_without_scripts_a_recovery_code_lets_in(chromium: Browser, house: tuple[Flask, Server]) -> None:
    app, server = house
    email = somebody(app)
    context = chromium.new_context(base_url=f"http://127.0.0.1:{server.port}", java_script_enabled=False)
    page = context.new_page()
    give_password(page, email)
    page.goto("/account/security/app")
    type_code(page, page.locator("code.break").inner_text().replace(" ", ""))
    page.get_by_role("button", name="Set it up").click()
    code = page.locator("main li code").first.inner_text()
    sign_out(page)
    give_password(page, email)
    page.get_by_text("Use a recovery code").click()
    page.get_by_label("Recovery code").fill(code)
    page.get_by_role("button", name="Go on").last.click()
    expect(page).to_have_url(re.compile("/account$"))
    context.close()


def test_the_pages_of_administrators_are_well_made(house: tuple[Flask, Server], page: Page) -> None:
    app, _ = house
    with app.app_context():
        boss = makers.person("Boss", is_admin=True, password=makers.PASSWORD)
        ada = makers.person("Ada")
        board: Group = makers.group("The board", ada)
        paths = ["/admin/security", f"/admin/groups/{board.id}", f"/admin/people/{ada.id}/factors"]
        email = boss.email
    give_password(page, email)
    for path in paths:
        look_at(page, path)
