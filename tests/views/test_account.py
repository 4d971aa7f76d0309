"""The account of a person: who they are, a new password for whoever knows the old one, and where they are signed in."""

import re
from dataclasses import dataclass
from itertools import pairwise

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal import accounts
from portal.accounts.sessions import start_session
from portal.errors import SignInFailed
from portal.models import User
from portal.programs import device
from tests import makers
from tests.databases import SQLITE_ONLY

NEW = "an even longer row of words"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class Someone:
    """A person with a password, and a browser in which they are signed in."""

    app: Flask
    user_id: int
    email: str
    browser: FlaskClient

    def page(self, path: str = "/account") -> str:
        answer = self.browser.get(path)
        assert answer.status_code == 200
        return " ".join(re.sub(r"<[^>]+>", " ", re.sub("<wbr>", "", answer.text)).split())

    def post(self, path: str, **values: str) -> TestResponse:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.browser.get("/account").text)
        assert found is not None
        return self.browser.post(path, data={"csrf_token": found[1], **values})

    def change(self, current: str, password: str) -> TestResponse:
        return self.post("/account/password", current=current, password=password)

    def can_sign_in_with(self, password: str) -> bool:
        with self.app.app_context():
            stored = accounts.get_user(self.user_id).password_hash
            return accounts.check_password(stored, password)

    def elsewhere(self, agent: str = FIREFOX, network: str = "192.0.2.0/24") -> FlaskClient:
        """The same person in another browser."""
        with self.app.app_context():
            token = start_session(self.user_id, network=network, agent=agent)
        client = self.app.test_client()
        client.set_cookie("portal", token)
        return client


def _someone(app: Flask, name: str) -> Someone:
    with app.app_context():
        user: User = makers.person(name, password=makers.PASSWORD)
        return Someone(app, user.id, user.email, makers.signed_in(app, user))


@pytest.fixture
def ada(app: Flask) -> Someone:
    return _someone(app, "Ada Byron")


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


@SQLITE_ONLY
def test_the_page_says_who_one_is(ada: Someone) -> None:
    page = ada.page()

    assert "Ada Byron" in page
    assert "ada.byron@example.org" in page
    assert "Administrator" not in page


@SQLITE_ONLY
def test_the_page_is_for_nobody_else(app: Flask) -> None:
    answer = app.test_client().get("/account")

    assert answer.status_code == 302
    assert answer.headers["Location"] == "/login?next=/account"


@SQLITE_ONLY
def test_a_new_password_takes_the_place_of_the_old_one(ada: Someone) -> None:
    answer = ada.change(makers.PASSWORD, NEW)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/account?done=password-changed")
    assert ada.can_sign_in_with(NEW)
    assert not ada.can_sign_in_with(makers.PASSWORD)
    assert "Your password is changed." in ada.page("/account?done=password-changed")


@SQLITE_ONLY
def test_a_new_password_ends_every_other_session(ada: Someone) -> None:
    other = ada.elsewhere()
    assert is_signed_in(other)

    ada.change(makers.PASSWORD, NEW)

    assert not is_signed_in(other)
    assert is_signed_in(ada.browser)


@SQLITE_ONLY
@pytest.mark.parametrize("current", ["wrong", "", NEW, "x" * 5000])
def test_without_the_password_in_force_nothing_changes(ada: Someone, current: str) -> None:
    other = ada.elsewhere()
    answer = ada.change(current, NEW)

    assert answer.status_code == 403
    assert "This is not your password. Nothing was changed." in answer.text
    assert ada.can_sign_in_with(makers.PASSWORD)
    assert is_signed_in(other)


@SQLITE_ONLY
@pytest.mark.parametrize("password", ["short", "", "aaaaaaaaaaaaaaaaaaaa", "x" * 1025, "ada.byron@example.org"])
def test_a_weak_password_is_refused_with_the_reason(ada: Someone, password: str) -> None:
    answer = ada.change(makers.PASSWORD, password)

    assert answer.status_code == 422
    assert re.search(r'class="wrong" id="password-wrong">[^<]*password', answer.text, re.IGNORECASE)
    assert ada.can_sign_in_with(makers.PASSWORD)


@SQLITE_ONLY
def test_no_password_is_ever_written_back_into_the_page(ada: Someone) -> None:
    answer = ada.change("a wrong but telling one", NEW)

    assert "a wrong but telling one" not in answer.text
    assert NEW not in answer.text


@SQLITE_ONLY
def test_guessing_the_password_in_an_open_session_is_throttled(ada: Someone) -> None:
    allowed = ada.app.config["PORTAL"].login_tries
    answers = [ada.change(f"wrong {number}", NEW).status_code for number in range(allowed)]
    refused = ada.change(makers.PASSWORD, NEW)

    assert answers == [403] * allowed
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert "Too many tries." in refused.text
    assert ada.can_sign_in_with(makers.PASSWORD)


@SQLITE_ONLY
def test_right_passwords_are_no_tries(ada: Someone) -> None:
    words = [makers.PASSWORD, *(f"{NEW} {number}" for number in range(ada.app.config["PORTAL"].login_tries + 2))]

    answers = [ada.change(old, new).status_code for old, new in pairwise(words)]

    assert set(answers) == {303}


@SQLITE_ONLY
def test_the_page_lists_where_one_is_signed_in(ada: Someone) -> None:
    ada.elsewhere(FIREFOX, "2001:db8:1:2::/64")
    page = ada.page()

    assert "Firefox on Linux" in page
    assert "2001:db8:1:2::/64" in page
    assert page.count("this one") == 1
    assert "Sign out everywhere else" in page


@SQLITE_ONLY
def test_alone_there_is_nothing_to_sign_out(ada: Someone) -> None:
    page = ada.page()

    assert "this one" in page
    assert "Sign out everywhere else" not in page


def _ends(browser: FlaskClient) -> list[str]:
    return re.findall(r'action="(/account/sessions/\d+/end)"', browser.get("/account").text)


@SQLITE_ONLY
def test_another_browser_can_be_signed_out(ada: Someone) -> None:
    other = ada.elsewhere()
    (end,) = _ends(ada.browser)

    assert ada.post(end).status_code == 303
    assert not is_signed_in(other)
    assert is_signed_in(ada.browser)


@SQLITE_ONLY
def test_the_history_of_sign_ins_is_ones_own_with_those_that_were_refused(app: Flask, ada: Someone) -> None:
    ada.elsewhere()
    with app.app_context():
        makers.signed_in(app, makers.person("Bob"))
        with pytest.raises(SignInFailed):
            accounts.sign_in(ada.email, "wrong", network="203.0.113.0/24", agent="curl/8.0")
    page = ada.page("/account/sign-ins")

    assert "Refused Password curl 203.0.113.0/24" in page
    assert page.count("Signed in") == 2
    assert "Firefox on Linux 192.0.2.0/24" in page
    assert 'href="/account/sign-ins"' in ada.browser.get("/account").text


@SQLITE_ONLY
def test_the_session_of_somebody_else_cannot_be_ended(app: Flask, ada: Someone) -> None:
    eve = _someone(app, "Eve")
    ada.elsewhere()
    (end,) = _ends(ada.browser)
    answer = eve.post(end)

    assert answer.status_code == 404
    assert answer.data == eve.browser.get("/nothing").data
    assert _ends(ada.browser) == [end]


@SQLITE_ONLY
def test_every_other_browser_can_be_signed_out_at_once(app: Flask, ada: Someone) -> None:
    eve = _someone(app, "Eve")
    others = [ada.elsewhere(), ada.elsewhere()]

    assert ada.post("/account/sessions/end-others").status_code == 303
    assert not any(is_signed_in(other) for other in others)
    assert is_signed_in(ada.browser)
    assert is_signed_in(eve.browser)


@SQLITE_ONLY
@pytest.mark.parametrize("done", ["nothing", "<script>", "password", ""])
def test_the_address_says_nothing_we_did_not_write(ada: Someone, done: str) -> None:
    answer = ada.browser.get("/account", query_string={"done": done})

    assert "<script>" not in answer.text
    assert 'class="notice' not in answer.text


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605 Version/18 Safari/605", "Safari on Mac"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/140 Mobile Safari/604", "Chrome on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.5.0", "curl"),
        ("<script>", "Another program"),
        ("", "Another program"),
    ],
)
def test_a_program_is_called_as_people_call_it(agent: str, words: str) -> None:
    assert device(agent) == words


@SQLITE_ONLY
def test_each_session_says_how_it_began(ada: Someone) -> None:
    with ada.app.app_context():
        for method, is_two_factor in (("passkey", True), ("password", True), ("password", False), ("address", False)):
            start_session(
                ada.user_id, network=makers.NETWORK, agent=FIREFOX, method=method, is_two_factor=is_two_factor
            )

    page = ada.page()

    assert "with a passkey" in page
    assert "with the password, with a second factor" in page
    assert "by a one-time address" in page
    assert page.count("with a second factor") == 1
