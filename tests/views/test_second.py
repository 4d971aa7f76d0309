"""The page of the second factor: only when it is due, for the browser that gave the first; no session before it."""

import re
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from portal.accounts import find_user, issue_token, set_password
from portal.extensions import db, transaction
from portal.models import HouseRule, Mail, Session, User
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.factors import code_of, with_app, with_recovery_codes, wrong
from tests.makers import PASSWORD, release

pytestmark = SQLITE_ONLY

DOCUMENTS = "/documents?q=rain"
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
KEY = re.compile(r'<code class="break">([A-Z2-7 ]+)</code>')
CODE = re.compile(r"<li><code>([^<]+)</code></li>")


class Guest:
    """A browser of somebody who is not signed in yet."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client: FlaskClient = app.test_client()

    def read(self, path: str = "/login/second") -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.location)
        return unescape(answer.text)

    def send(self, path: str, **fields: str) -> TestResponse:
        """Post a form of the sign-in pages with its token."""
        found = TOKEN.search(self.client.get("/login").text)
        assert found is not None
        return self.client.post(path, data={"csrf_token": found[1], **fields})

    def sign_in(self, email: str = "ada@example.org", password: str = PASSWORD, target: str = "/") -> TestResponse:
        return self.send("/login", email=email, password=password, next=target)

    def cookie(self, name: str = "portal") -> str:
        found = self.client.get_cookie(name)
        return found.value if found else ""

    def set_up(self, **fields: str) -> TestResponse:
        """Send the form of the page that offers an app, with what the app shows."""
        page = self.read()
        key, sealed = KEY.search(page), re.search(r'name="sealed" value="([^"]+)"', page)
        assert key is not None
        assert sealed is not None
        with self.app.app_context():
            code = code_of(key[1].replace(" ", ""))
        return self.send("/login/second/app", **{"sealed": sealed[1], "code": code, "next": DOCUMENTS, **fields})

    def is_in(self) -> bool:
        return self.client.get("/account").status_code == 200


@pytest.fixture
def guest(app: Flask) -> Guest:
    return Guest(app)


@pytest.fixture
def secret(app: Flask) -> str:
    """The secret of Ada's app."""
    with app.app_context():
        return with_app(makers.person(password=PASSWORD))


def now_shown(app: Flask, secret: str, steps: int = 0) -> str:
    with app.app_context():
        return code_of(secret, steps)


def ask_everybody(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        session.add(HouseRule(name="second_factor", value="everybody"))


def count_sessions(app: Flask) -> int:
    with app.app_context():
        return db.session.scalars(select(func.count()).select_from(Session)).one()


def test_after_the_password_a_code_is_asked_and_leads_where_one_wanted_to_go(guest: Guest, secret: str) -> None:
    answer = guest.sign_in(target=DOCUMENTS)
    assert (answer.status_code, answer.location) == (303, "/login/second?next=/documents?q%3Drain")
    assert not guest.cookie()
    assert not guest.is_in()
    assert "Six digits" in guest.read(answer.location)
    entered = guest.send("/login/second", code=now_shown(guest.app, secret), next=DOCUMENTS)
    assert (entered.status_code, entered.location) == (303, DOCUMENTS)
    assert guest.is_in()


def test_the_cookie_of_the_wait_never_becomes_that_of_the_session(guest: Guest, secret: str) -> None:
    guest.sign_in()
    waiting = guest.cookie("portal-pending")
    assert waiting
    other = guest.app.test_client()
    other.set_cookie("portal", waiting)
    assert other.get("/account").status_code == 302
    guest.send("/login/second", code=now_shown(guest.app, secret))
    assert not guest.cookie("portal-pending")
    assert guest.cookie() not in ("", waiting)


def test_its_cookie_is_out_of_reach_of_scripts_and_other_sites(guest: Guest, secret: str) -> None:
    cookies = guest.sign_in().headers.getlist("Set-Cookie")
    (waiting,) = (cookie for cookie in cookies if cookie.startswith("portal-pending="))
    assert "HttpOnly" in waiting
    assert "SameSite=Lax" in waiting
    assert "Path=/" in waiting


def test_a_session_somebody_planted_before_is_not_the_one_after(guest: Guest, secret: str) -> None:
    planted = "x" * 43
    guest.client.set_cookie("portal", planted)
    guest.client.set_cookie("portal-pending", planted)
    guest.sign_in()
    guest.send("/login/second", code=now_shown(guest.app, secret))
    assert guest.is_in()
    assert planted not in (guest.cookie(), guest.cookie("portal-pending"))


@pytest.mark.parametrize("path", ["/login/second", "/login/second?next=/documents"])
def test_without_a_sign_in_that_waits_the_page_is_that_of_the_sign_in(guest: Guest, path: str) -> None:
    answer = guest.client.get(path)
    assert answer.status_code == 302
    assert answer.location.startswith("/login?next=/")


@pytest.mark.parametrize("path", ["/login/second", "/login/second/app", "/login/second/kept"])
@pytest.mark.parametrize("waiting", ["", "x" * 43])
def test_nobody_gets_in_without_one(guest: Guest, secret: str, path: str, waiting: str) -> None:
    guest.client.set_cookie("portal-pending", waiting)
    answer = guest.send(path, code=now_shown(guest.app, secret))
    assert answer.status_code == 401
    assert "This sign-in is over" in answer.text
    assert not guest.is_in()


def test_the_wait_of_one_person_is_useless_to_another(app: Flask, guest: Guest, secret: str) -> None:
    with app.app_context():
        of_bob = with_app(makers.person("Bob", password=PASSWORD))
    guest.sign_in("bob@example.org")
    assert guest.send("/login/second", code=now_shown(app, secret)).status_code == 401
    thief = Guest(app)
    thief.sign_in()
    thief.client.set_cookie("portal-pending", guest.cookie("portal-pending"))
    assert thief.send("/login/second", code=now_shown(app, secret)).status_code == 401
    assert thief.send("/login/second", code=now_shown(app, of_bob)).status_code == 303
    assert "Bob" in thief.client.get("/account").text


def test_a_code_works_once(guest: Guest, secret: str) -> None:
    code = now_shown(guest.app, secret)
    guest.sign_in()
    guest.send("/login/second", code=code)
    again = Guest(guest.app)
    again.sign_in()
    answer = again.send("/login/second", code=code)
    assert answer.status_code == 401
    assert "was used already" in answer.text
    assert not again.is_in()


def test_a_recovery_code_lets_in_without_any_script(app: Flask, guest: Guest) -> None:
    with app.app_context():
        ada = makers.person(password=PASSWORD)
        with_app(ada)
        codes = with_recovery_codes(ada)
    guest.sign_in()
    assert "Use a recovery code" in guest.read()
    refused = guest.send("/login/second", recovery="7777-7777-7777-7777")
    assert refused.status_code == 401
    assert '<details class="fold" open>' in refused.text
    assert guest.send("/login/second", recovery=codes[0], next=DOCUMENTS).status_code == 303
    assert guest.is_in()
    with app.app_context():
        assert "nine are left" in "".join(db.session.scalars(select(Mail.text)))


def test_after_five_wrong_codes_one_begins_anew(guest: Guest, secret: str) -> None:
    with guest.app.app_context():
        guess = wrong(secret)
    guest.sign_in()
    assert [guest.send("/login/second", code=guess).status_code for _ in range(5)] == [401] * 5
    assert not guest.cookie("portal-pending")
    assert guest.send("/login/second", code=now_shown(guest.app, secret)).status_code == 401
    assert not guest.is_in()


def test_too_many_tries_say_when_to_come_back(guest: Guest, secret: str) -> None:
    with guest.app.app_context():
        guess = wrong(secret)
    for _ in range(2):
        guest.sign_in()
        for _ in range(5):
            guest.send("/login/second", code=guess)
    answer = guest.sign_in()
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "900"


def test_a_password_changed_meanwhile_ends_the_wait(guest: Guest, secret: str) -> None:
    guest.sign_in()
    with guest.app.app_context():
        ada = db.session.scalars(select(User)).one()
        release()
        set_password(None, ada.id, "another four good words")
    answer = guest.send("/login/second", code=now_shown(guest.app, secret))
    assert answer.status_code == 401
    assert "This sign-in is over" in answer.text


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "\t//evil.example"])
def test_nobody_is_led_elsewhere(guest: Guest, secret: str, target: str) -> None:
    assert guest.sign_in(target=target).location == "/login/second?next=/"
    assert target not in guest.read(f"/login/second?next={target}")
    assert guest.send("/login/second", code=now_shown(guest.app, secret), next=target).location == "/"


def test_a_one_time_address_asks_for_the_second_factor_too(guest: Guest, secret: str) -> None:
    with guest.app.app_context():
        ada = db.session.scalars(select(User)).one()
        release()
        token = issue_token(None, "reset", ada.id)
    answer = guest.send(f"/setup/{token}", password="another four good words")
    assert answer.location == "/login/second?next=/&done=password-set"
    assert "Your password is set." in guest.read(answer.location)
    assert not guest.is_in()
    assert guest.send("/login/second", code=now_shown(guest.app, secret)).status_code == 303
    assert guest.is_in()


def test_the_page_of_a_one_time_address_says_what_comes_after_it(app: Flask, guest: Guest) -> None:
    def after(email: str) -> str:
        with app.app_context():
            user = find_user(email)
            token = issue_token(None, "invitation", user.id if user else 0)
        return guest.read(f"/setup/{token}").partition("This page works once. ")[2].partition("</p>")[0]

    with app.app_context():
        makers.person()
        with_app(makers.person("Bo"))
    assert after("ada@example.org") == "Afterwards you are signed in."
    assert after("bo@example.org") == "Then you show your second factor."
    ask_everybody(app)
    assert after("ada@example.org") == "Then you set up a second factor, which your account needs."


def test_the_rule_leads_through_setting_one_up_before_there_is_a_session(app: Flask, guest: Guest) -> None:
    ask_everybody(app)
    with app.app_context():
        makers.person(password=PASSWORD)
    guest.sign_in(target=DOCUMENTS)
    page = guest.read()
    assert "Set up a second factor" in page
    assert 'src="data:image/svg+xml' in page
    shown = guest.set_up()
    assert shown.status_code == 200
    codes = CODE.findall(shown.text)
    assert len(codes) == 10
    assert count_sessions(app) == 0
    assert not guest.is_in()
    assert codes[0] not in guest.read(), "they are shown once"
    entered = guest.send("/login/second/kept", next=DOCUMENTS)
    assert (entered.status_code, entered.location) == (303, DOCUMENTS)
    assert guest.is_in()
    with app.app_context():
        assert db.session.scalars(select(Session)).one().second_factor_at is not None


def test_a_wrong_code_leaves_the_same_picture(app: Flask, guest: Guest) -> None:
    ask_everybody(app)
    with app.app_context():
        makers.person(password=PASSWORD)
    guest.sign_in()
    page = guest.read()
    key, sealed = KEY.findall(page), re.findall(r'name="sealed" value="([^"]+)"', page)
    answer = guest.send("/login/second/app", sealed=sealed[0], code="12")
    assert answer.status_code == 401
    assert KEY.findall(answer.text) == key
    assert guest.send("/login/second/kept").status_code == 401
    assert not guest.is_in()


def test_only_a_secret_of_ours_made_for_this_person_is_taken(app: Flask, guest: Guest) -> None:
    ask_everybody(app)
    with app.app_context():
        makers.person(password=PASSWORD)
        makers.person("Bob", password=PASSWORD)
    bob = Guest(app)
    bob.sign_in("bob@example.org")
    (of_bob,) = re.findall(r'name="sealed" value="([^"]+)"', bob.read())
    guest.sign_in()
    for sealed in ("", "nonsense", of_bob, of_bob[:-1] + "x"):
        assert guest.set_up(sealed=sealed).status_code == 409
    assert not guest.is_in()


def test_who_has_a_factor_cannot_make_another_instead_of_giving_it(guest: Guest, secret: str) -> None:
    guest.sign_in()
    assert guest.send("/login/second/app", sealed="", code=now_shown(guest.app, secret)).status_code == 409
    assert guest.send("/login/second/kept").status_code == 401
    assert not guest.is_in()


def test_a_browser_is_known_after_the_first_sign_in_and_a_new_one_is_told_of(app: Flask, guest: Guest) -> None:
    with app.app_context():
        makers.person(password=PASSWORD)
        makers.person("Bob", password=PASSWORD)
    guest.sign_in()
    first = guest.cookie("portal-device")
    assert first
    guest.client.delete_cookie("portal")
    guest.sign_in()
    assert guest.cookie("portal-device") == first
    guest.client.delete_cookie("portal")
    guest.sign_in("bob@example.org")
    assert guest.cookie("portal-device").split(".")[1:] == [first]
    assert len(guest.cookie("portal-device").split(".")) == 2
    Guest(app).sign_in()
    with app.app_context():
        mails = db.session.scalars(select(Mail).where(Mail.kind == "session_new_device")).all()
        assert [mail.email for mail in mails] == ["ada@example.org"]


def test_a_known_browser_is_not_kept_out_by_whoever_guesses_beside_it(app: Flask, guest: Guest) -> None:
    with app.app_context():
        makers.person(password=PASSWORD)
    guest.sign_in()
    guest.client.delete_cookie("portal")
    stranger = Guest(app)
    assert [stranger.sign_in(password="not the password").status_code for _ in range(11)] == [401] * 10 + [429]
    assert stranger.sign_in().status_code == 429
    assert guest.sign_in().status_code == 303


@pytest.mark.parametrize("value", ["x" * 4000, "..", ".".join(["x" * 43] * 40), "\x7f", "ä"])
def test_whatever_stands_in_the_cookie_of_the_browser_one_gets_in(app: Flask, guest: Guest, value: str) -> None:
    with app.app_context():
        makers.person(password=PASSWORD)
    guest.client.set_cookie("portal-device", value)
    assert guest.sign_in().status_code == 303
    assert guest.is_in()


def test_every_page_of_it_is_kept_by_nobody(app: Flask, guest: Guest) -> None:
    ask_everybody(app)
    with app.app_context():
        makers.person(password=PASSWORD)
    answers = [guest.sign_in(), guest.client.get("/login/second"), guest.set_up()]
    answers += [guest.client.get("/login/second"), guest.send("/login/second/kept")]
    assert {answer.headers["Cache-Control"] for answer in answers} == {"private, no-store"}


def test_a_recovery_code_leads_to_where_a_lost_app_is_replaced(app: Flask, guest: Guest) -> None:
    with app.app_context():
        ada = makers.person(password=PASSWORD)
        with_app(ada)
        codes = with_recovery_codes(ada)
    guest.sign_in()

    target = guest.send("/login/second", recovery=codes[0], next=DOCUMENTS).location

    assert target.startswith("/account/security?")
    page = guest.read(target)
    assert "You signed in with a recovery code, which is used up now." in page
    assert "Nine of ten are left. If your phone or key is lost" in page
    assert f'href="{DOCUMENTS}">Go on</a>' in page
    assert "with the password and a recovery code" in guest.read("/account")
    assert '<span class="sub">with a recovery code</span>' in guest.read("/account/sign-ins")


def test_nobody_else_is_told_of_a_recovery_code(app: Flask, guest: Guest) -> None:
    with app.app_context():
        secret = with_app(makers.person(password=PASSWORD))
        code = code_of(secret)
    guest.sign_in()
    guest.send("/login/second", code=code)

    assert "You signed in with a recovery code" not in guest.read("/account/security?recovered=1")
    assert "with the password and a code of the app" in guest.read("/account")
    assert '<span class="sub">with a code of the app</span>' in guest.read("/account/sign-ins")


def test_the_recovery_codes_can_be_copied_together(app: Flask, guest: Guest) -> None:
    with app.app_context():
        makers.person(password=PASSWORD)
        with transaction() as session:
            session.add(HouseRule(name="second_factor", value="everybody"))
    guest.sign_in()

    page = unescape(guest.set_up().text)

    codes = CODE.findall(page)
    assert len(codes) == 10
    assert 'data-copy="{}"'.format("\n".join(codes)) in page
