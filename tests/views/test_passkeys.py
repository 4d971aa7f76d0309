"""Passkeys in the pages: a way in, a proof who is there, a list of one's own; whatever is sent gets a sentence."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from portal.accounts.passkeys.challenges import NOT_HERE
from portal.errors import ChallengeGone, PasskeyRefused
from portal.extensions import db, transaction
from portal.models import HouseRule, Passkey, RecoveryCode, Session, User
from portal.settings import Settings
from portal.views.passkeys import BODY_BYTES, UNREADABLE
from tests import makers
from tests.authenticators import Authenticator
from tests.factors import with_app, with_recovery_codes
from tests.views.desk import NOTICE, TOKEN, Desk

BUTTON = "Sign in with a passkey"
NAME = "Firefox on Linux"


@pytest.fixture
def house(sqlite_settings: Settings) -> Iterator[Flask]:
    """The portal, on the one database: what differs between the two is tested in the core."""
    with makers.running(sqlite_settings) as app:
        yield app


class Stranger:
    """A browser in which nobody is signed in, at the page for that."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()
        found = TOKEN.search(self.client.get("/login").text)
        assert found is not None
        self.token = found[1]

    def send(self, path: str, body: object, **headers: str) -> TestResponse:
        """Post JSON as the script does."""
        return self.client.post(path, json=body, headers={"X-CSRFToken": self.token, **headers})

    def options(self) -> dict[str, Any]:
        """What the portal wants to be signed."""
        answer = self.send("/login/passkey/options", {})
        assert answer.status_code == 200
        return dict(answer.get_json())

    def enter(self, device: Authenticator, **more: object) -> TestResponse:
        """Sign in as the script does."""
        return self.send("/login/passkey", {"credential": device.get(self.options()), **more})

    def is_in(self) -> bool:
        return self.client.get("/account").status_code == 200


@pytest.fixture
def device() -> Authenticator:
    return Authenticator()


@pytest.fixture
def ada(house: Flask, device: Authenticator) -> Desk:
    """Ada, who has one passkey and has signed in just now."""
    with house.app_context():
        user = makers.person("Ada", password=makers.PASSWORD)
        makers.passkey(user, device)
        return Desk(house, user)


def post(desk: Desk, path: str, body: object) -> TestResponse:
    return desk.client.post(path, json=body, headers={"X-CSRFToken": desk.token()})


def make_stale(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        session.execute(update(Session).values(fresh_at=makers.now(minutes=-11)))


def names(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(Passkey.name).order_by(Passkey.id)))


def refused(answer: TestResponse, status: int = 400) -> str:
    """The sentence of a refusal."""
    assert (answer.status_code, answer.mimetype) == (status, "application/json")
    sentence = answer.get_json()["sentence"]
    assert re.fullmatch(r"[A-Z].*\.", sentence)
    return str(sentence)


def test_a_passkey_signs_in_without_a_password_and_leads_on(house: Flask, ada: Desk, device: Authenticator) -> None:
    browser = Stranger(house)
    answer = browser.enter(device, next="/account/downloads?after=7")
    assert answer.get_json() == {"next": "/account/downloads?after=7"}
    assert browser.is_in()


def test_the_token_of_a_session_from_before_is_not_kept(house: Flask, ada: Desk, device: Authenticator) -> None:
    before = ada.client.get_cookie("portal")
    answer = post(ada, "/login/passkey", {"credential": device.get(Stranger(house).options())})
    assert answer.status_code == 200
    assert ada.client.get_cookie("portal") != before


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil", "\t//evil", "javascript:1"])
def test_nobody_is_led_elsewhere(house: Flask, ada: Desk, device: Authenticator, target: str) -> None:
    assert Stranger(house).enter(device, next=target).get_json() == {"next": "/"}
    answer = post(ada, "/account/confirm/passkey", {"credential": confirming(ada, device), "next": target})
    assert answer.get_json() == {"next": "/"}


def test_options_for_whoever_comes_are_the_same_whoever_has_an_account(house: Flask) -> None:
    browser = Stranger(house)
    before = browser.options()
    with house.app_context():
        makers.passkey(makers.person("Ada"))
    after = browser.options()
    assert before.pop("challenge") != after.pop("challenge")
    assert before == after


def test_an_unknown_passkey_and_a_wrong_signature_get_the_same_answer(
    house: Flask, ada: Desk, device: Authenticator
) -> None:
    browser = Stranger(house)
    unknown = browser.enter(Authenticator(handle=device.handle))
    wrong = browser.enter(replace(device, key=Authenticator().key))
    assert refused(unknown) == refused(wrong) == PasskeyRefused.sentence
    assert unknown.data == wrong.data
    assert set(unknown.headers.keys()) == set(wrong.headers.keys())
    assert not browser.is_in()


def test_what_was_signed_once_signs_in_once(house: Flask, ada: Desk, device: Authenticator) -> None:
    browser, thief = Stranger(house), Stranger(house)
    body = {"credential": device.get(browser.options())}
    assert browser.send("/login/passkey", body).status_code == 200
    assert refused(thief.send("/login/passkey", body)) == ChallengeGone.sentence


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe\x00",
        b"[" * 60_000,
        b'{"credential": ' + b"[" * 40_000,
        b"x" * 1_000_000,
        b'{"credential": "' + b"x" * 999_000 + b'"}',
        b'{"next": ["/"], "name": 7}',
        b'{"credential": {}, "next": "/", "name": ""}',
    ],
)
@pytest.mark.parametrize("path", ["/login/passkey", "/account/confirm/passkey", "/account/passkeys"])
def test_junk_gets_a_sentence(ada: Desk, path: str, body: bytes) -> None:
    headers = {"X-CSRFToken": ada.token(), "Content-Type": "application/json"}
    refused(ada.client.post(path, data=body, headers=headers))


def test_more_than_any_form_is_too_large(ada: Desk) -> None:
    headers = {"X-CSRFToken": ada.token(), "Content-Type": "application/json"}
    refused(ada.client.post("/login/passkey", data=b"x" * 2_000_000, headers=headers), 413)


def test_a_browser_may_send_a_large_attestation(ada: Desk) -> None:
    body = {"credential": {}, "filler": "x" * (BODY_BYTES - 100)}
    assert refused(post(ada, "/login/passkey", body)) != UNREADABLE


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_is_not_called_json_is_not_read(ada: Desk, kind: str) -> None:
    headers = {"X-CSRFToken": ada.token(), "Content-Type": kind}
    assert ada.client.post("/login/passkey", data=b"{}", headers=headers).status_code == 415


def test_nothing_is_taken_from_another_site(house: Flask, ada: Desk, device: Authenticator) -> None:
    browser = Stranger(house)
    body = {"credential": device.get(browser.options())}
    assert "another site" in refused(browser.send("/login/passkey", body, Origin="https://evil.example"), 403)
    assert "open too long" in refused(browser.client.post("/login/passkey", json=body))
    assert "open too long" in refused(Stranger(house).send("/login/passkey", body, **{"X-CSRFToken": browser.token}))
    assert not browser.is_in()


def test_too_many_failures_are_told_when_to_come_back(house: Flask, ada: Desk, device: Authenticator) -> None:
    browser = Stranger(house)
    good = {"credential": device.get(browser.options())}
    for _ in range(house.config["PORTAL"].network_tries):
        browser.send("/login/passkey", {})
    answer = browser.send("/login/passkey", good)
    refused(answer, 429)
    assert answer.headers["Retry-After"] == "900"


def confirming(desk: Desk, device: Authenticator) -> dict[str, Any]:
    answer = post(desk, "/account/confirm/passkey/options", {})
    assert answer.status_code == 200
    return device.get(answer.get_json())


def test_a_passkey_proves_once_more_who_is_there(house: Flask, ada: Desk, device: Authenticator) -> None:
    make_stale(house)
    assert "Use a passkey" in ada.read("/account/confirm?next=/account/passkeys/new")
    answer = post(
        ada, "/account/confirm/passkey", {"credential": confirming(ada, device), "next": "/account/passkeys/new"}
    )
    assert answer.get_json() == {"next": "/account/passkeys/new"}
    ada.read("/account/passkeys/new")


def test_a_passkey_of_somebody_else_proves_nothing(house: Flask, ada: Desk) -> None:
    make_stale(house)
    other = Authenticator()
    with house.app_context():
        makers.passkey(makers.person("Bob"), other)
    answer = post(ada, "/account/confirm/passkey", {"credential": confirming(ada, other)})
    assert refused(answer) == PasskeyRefused.sentence
    assert ada.client.get("/account/passkeys/new").status_code == 303


def test_somebody_without_a_password_is_asked_for_the_passkey_alone(house: Flask, device: Authenticator) -> None:
    with house.app_context():
        user = makers.person("Ada")
        makers.passkey(user, device)
        ada = Desk(house, user)
    make_stale(house)
    page = ada.read("/account/confirm")
    assert "Use a passkey" in page
    assert 'type="password"' not in page
    assert post(ada, "/account/confirm/passkey", {"credential": confirming(ada, device)}).status_code == 200


def test_who_has_no_passkey_is_not_asked_for_one(house: Flask) -> None:
    with house.app_context():
        bob = Desk(house, makers.person("Bob", password=makers.PASSWORD))
    make_stale(house)
    page = bob.read("/account/confirm")
    assert "Use a passkey" not in page
    assert "passkeys.js" not in page


def adding(desk: Desk, device: Authenticator, **more: object) -> TestResponse:
    options = post(desk, "/account/passkeys/options", {})
    assert options.status_code == 200
    return post(desk, "/account/passkeys", {"credential": device.create(options.get_json()), **more})


def test_a_passkey_is_added_under_its_name(house: Flask, ada: Desk) -> None:
    answer = adding(ada, Authenticator(), name="My phone")
    assert answer.get_json() == {"next": "/account/passkeys?done=passkey-added"}
    assert names(house) == [NAME, "My phone"]
    page = ada.read("/account/passkeys?done=passkey-added")
    assert "The passkey is added." in page
    assert "My phone" in page


def test_without_a_name_it_is_called_after_the_device(house: Flask, ada: Desk) -> None:
    headers = {"X-CSRFToken": ada.token(), "User-Agent": "Mozilla/5.0 (Macintosh) Version/18 Safari/605"}
    options = post(ada, "/account/passkeys/options", {}).get_json()
    ada.client.post("/account/passkeys", json={"credential": Authenticator().create(options)}, headers=headers)
    assert names(house) == [NAME, "Safari on Mac"]


def test_a_registration_that_fails_is_a_sentence_and_no_passkey(house: Flask, ada: Desk, device: Authenticator) -> None:
    """Must hold 17."""
    refused(adding(ada, Authenticator(rp_id="evil.example")))
    refused(adding(ada, Authenticator(origin="https://evil.example")))
    refused(adding(ada, device))
    refused(adding(ada, Authenticator(), name="a\u202eb"), 422)
    assert names(house) == [NAME]


def test_who_signed_in_long_ago_adds_and_removes_nothing(house: Flask, ada: Desk) -> None:
    options = post(ada, "/account/passkeys/options", {}).get_json()
    make_stale(house)
    for path in ("/account/passkeys/options", "/account/passkeys"):
        answer = post(ada, path, {"credential": Authenticator().create(options)})
        assert answer.status_code == 303
        assert answer.location == "/account/confirm?next=/account/passkeys/new%3Fdone%3Dproved"
    asked = "/account/confirm?next=/account/passkeys/1/remove%3Fdone%3Dproved"
    assert ada.send("/account/passkeys/1/remove").location == asked
    assert names(house) == [NAME]


def test_a_passkey_is_renamed(house: Flask, ada: Desk) -> None:
    answer = ada.send("/account/passkeys/1/rename", name="Old phone")
    assert answer.location == "/account/passkeys?done=passkey-renamed"
    assert names(house) == ["Old phone"]
    refusal = ada.send("/account/passkeys/1/rename", name="a\u202eb")
    assert refusal.status_code == 422
    assert NOTICE.search(refusal.text)
    assert names(house) == ["Old phone"]


def test_a_passkey_is_removed_after_a_question(house: Flask, ada: Desk, device: Authenticator) -> None:
    assert NAME in ada.read("/account/passkeys/1/remove")
    assert ada.send("/account/passkeys/1/remove").location == "/account/passkeys?done=passkey-removed"
    assert names(house) == []
    assert "You have no passkey yet" in ada.read("/account/passkeys")
    assert refused(Stranger(house).enter(device)) == PasskeyRefused.sentence


@pytest.mark.parametrize("path", ["", "/remove", "/rename"])
@pytest.mark.parametrize("number", ["1", "7", "0", "01", "x", "99999999999999999999"])
def test_nobody_sees_those_of_others(house: Flask, ada: Desk, path: str, number: str) -> None:
    with house.app_context():
        bob = Desk(house, makers.person("Bob"))
    if path != "/rename":
        bob.read(f"/account/passkeys/{number}{path}", 404)
    if path:
        assert bob.send(f"/account/passkeys/{number}{path}", name="Mine").status_code == 404
    assert names(house) == [NAME]


def test_names_are_no_markup(house: Flask, ada: Desk) -> None:
    ada.send("/account/passkeys/1/rename", name='<img src=x onerror="alert(1)">')
    for path in ("/account/passkeys", "/account/passkeys/1", "/account/passkeys/1/remove"):
        assert "<img" not in ada.client.get(path).text


def test_the_pages_are_kept_by_nobody(ada: Desk) -> None:
    for path in ("/account/passkeys", "/account/passkeys/new", "/account/passkeys/1", "/account/passkeys/1/remove"):
        assert ada.client.get(path).headers["Cache-Control"] == "private, no-store"


def test_without_a_script_the_page_to_sign_in_is_as_it_was(house: Flask, ada: Desk) -> None:
    page = house.test_client().get("/login").text
    form = re.search(r'<form[^>]*data-passkey="get"[^>]*>', page)
    assert form is not None
    assert form[0].endswith(" hidden>")
    assert 'autocomplete="username webauthn"' in page
    answer = Stranger(house).client.get("/login")
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


def test_where_none_is_possible_pages_say_so_and_have_no_form(sqlite_settings: Settings) -> None:
    with makers.running(replace(sqlite_settings, base_url="http://127.0.0.1:8000")) as app:
        with app.app_context():
            user: User = makers.person("Ada", password=makers.PASSWORD)
            ada = Desk(app, user)
        page = Stranger(app).client.get("/login").text
        assert BUTTON not in page
        assert "passkeys.js" not in page
        assert 'autocomplete="username"' in page
        for path in ("/account/passkeys", "/account/passkeys/new"):
            text = ada.read(path)
            assert "Passkeys cannot be used here." in text
            assert "data-passkey" not in text
            assert "Add a passkey</" not in text.split("<h1")[1].split("</h1>")[1]
        assert refused(post(ada, "/login/passkey/options", {}), 422) == NOT_HERE
        assert refused(post(ada, "/account/passkeys/options", {}), 422) == NOT_HERE


def test_somebody_with_passkeys_whose_portal_lost_its_name_is_asked_for_the_password(
    sqlite_settings: Settings,
) -> None:
    with makers.running(sqlite_settings) as app, app.app_context():
        user = makers.person("Ada", password=makers.PASSWORD)
        makers.passkey(user)
    with makers.running(replace(sqlite_settings, base_url="http://127.0.0.1:8000")) as app:
        with app.app_context():
            ada = Desk(app, db.session.scalars(select(User)).one())
        make_stale(app)
        page = ada.read("/account/confirm")
        assert 'type="password"' in page
        assert "Use a passkey" not in page
        assert NAME in ada.read("/account/passkeys")


def test_answers_are_json_and_hold_no_html(house: Flask, ada: Desk, device: Authenticator) -> None:
    answer = Stranger(house).enter(device)
    assert answer.mimetype == "application/json"
    assert json.loads(answer.data) == {"next": "/"}
    assert answer.headers["Cache-Control"] == "private, no-store"


class Waiting(Stranger):
    """A browser whose person has given the password, and to whom a second factor is due."""

    def __init__(self, app: Flask, email: str = "ada@example.org", target: str = "/") -> None:
        super().__init__(app)
        form = {"csrf_token": self.token, "email": email, "password": makers.PASSWORD, "next": target}
        answer = self.client.post("/login", data=form)
        assert answer.location.startswith("/login/second")

    def page(self) -> str:
        answer = self.client.get("/login/second")
        assert answer.status_code == 200
        return answer.text

    def finish(self, device: Authenticator, **more: object) -> TestResponse:
        options = self.send("/login/second/passkey/options", {})
        assert options.status_code == 200, options.text
        return self.send("/login/second/passkey", {"credential": device.get(options.get_json()), **more})


def test_after_the_password_a_passkey_is_the_second_factor(house: Flask, ada: Desk, device: Authenticator) -> None:
    browser = Waiting(house)
    page = browser.page()
    assert "Use a passkey" in page
    assert 'name="code"' not in page
    assert not browser.is_in()
    assert browser.finish(device, next="/account/downloads").get_json() == {"next": "/account/downloads"}
    assert browser.is_in()
    with house.app_context():
        session = db.session.scalars(select(Session).order_by(Session.id.desc())).first()
        assert session is not None
        assert (session.method, session.second_factor_at is not None) == ("password", True)


def test_who_has_an_app_too_may_use_either(house: Flask, ada: Desk) -> None:
    with house.app_context():
        with_app(db.session.scalars(select(User)).one())
    page = Waiting(house).page()
    assert "Use a passkey" in page
    assert 'name="code"' in page


def test_a_passkey_of_somebody_else_is_no_second_factor(house: Flask, ada: Desk) -> None:
    other = Authenticator()
    with house.app_context():
        makers.passkey(makers.person("Bob"), other)
    browser = Waiting(house)
    assert refused(browser.finish(other)) == PasskeyRefused.sentence
    assert not browser.is_in()


def test_a_challenge_for_the_first_factor_is_none_for_the_second(
    house: Flask, ada: Desk, device: Authenticator
) -> None:
    browser = Waiting(house)
    answer = browser.send("/login/second/passkey", {"credential": device.get(browser.options())})
    assert refused(answer) == ChallengeGone.sentence


def test_after_five_wrong_passkeys_the_sign_in_has_to_begin_anew(
    house: Flask, ada: Desk, device: Authenticator
) -> None:
    browser = Waiting(house)
    wrong = replace(device, key=Authenticator().key)
    for _ in range(5):
        refused(browser.finish(wrong))
    assert browser.send("/login/second/passkey/options", {}).status_code == 401
    assert not browser.is_in()


def test_nobody_is_asked_who_has_given_no_password(house: Flask, ada: Desk, device: Authenticator) -> None:
    browser = Stranger(house)
    refused(browser.send("/login/second/passkey/options", {}), 401)
    body = {"credential": device.get(browser.options())}
    refused(browser.send("/login/second/passkey", body), 401)


def test_where_passkeys_cannot_be_used_any_more_recovery_codes_can(sqlite_settings: Settings) -> None:
    with makers.running(sqlite_settings) as app, app.app_context():
        user = makers.person("Ada", password=makers.PASSWORD)
        makers.passkey(user)
        code = with_recovery_codes(user)[0]
    with makers.running(replace(sqlite_settings, base_url="http://127.0.0.1:8000")) as app:
        browser = Waiting(app)
        page = browser.page()
        assert "cannot be used at this address" in page
        assert "Use a passkey" not in page
        form = {"csrf_token": browser.token, "recovery": code}
        assert browser.client.post("/login/second", data=form).status_code == 303
        assert browser.is_in()


def test_who_has_no_recovery_codes_is_told_of_them(house: Flask, ada: Desk) -> None:
    assert "You have no recovery codes." in ada.read("/account/passkeys")
    with house.app_context():
        with_recovery_codes(db.session.scalars(select(User)).one())
    assert "You have no recovery codes." not in ada.read("/account/passkeys")


def test_with_the_last_second_factor_its_recovery_codes_go(house: Flask, ada: Desk) -> None:
    with house.app_context():
        with_recovery_codes(db.session.scalars(select(User)).one())
    ada.send("/account/passkeys/1/remove")
    with house.app_context():
        assert db.session.scalars(select(RecoveryCode)).all() == []


def test_the_last_second_factor_of_who_must_have_one_stays(house: Flask, ada: Desk) -> None:
    with house.app_context(), transaction() as session:
        session.add(HouseRule(name="second_factor", value="everybody"))
    answer = ada.send("/account/passkeys/1/remove")
    assert answer.status_code == 409
    assert NOTICE.search(answer.text)
    assert names(house) == [NAME]


def test_the_page_of_how_one_signs_in_leads_to_the_passkeys(ada: Desk) -> None:
    page = ada.read("/account/security")
    assert 'href="/account/passkeys"' in page
    assert "You have none. Each lets you in once" in page
