"""The pages of a forgotten password and of a new address, as browsers meet them."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from portal import accounts
from portal.extensions import db, transaction
from portal.models import Mail, ResetRequest, Session
from portal.settings import Settings
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.factors import code_of, with_app
from tests.views.desk import TOKEN, Desk, said, tokenless

pytestmark = SQLITE_ONLY

NEW = "another four good words"
BASE = "https://portal.example.org"


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    with makers.running(replace(settings, mail_url="smtp://127.0.0.1:1")) as app:
        yield app


@pytest.fixture
def ada(app: Flask) -> Desk:
    with app.app_context():
        return Desk(app, makers.person("Ada", password=makers.PASSWORD))


def guest(app: Flask, path: str) -> tuple[FlaskClient, str]:
    """A browser nobody is signed in in, and the secret of its forms."""
    client = app.test_client()
    found = TOKEN.search(client.get(path).text)
    assert found is not None
    return client, found[1]


def mail(app: Flask, kind: str) -> str:
    """What the newest mail of a kind says."""
    with app.app_context():
        return db.session.scalars(select(Mail.text).where(Mail.kind == kind).order_by(Mail.id.desc())).first() or ""


def resolve(app: Flask) -> None:
    with app.app_context():
        accounts.resolve_resets(lambda: False)


def address_in(text: str) -> str:
    found = re.search(r"https?://[^/]+(/setup/[A-Za-z0-9_-]{43})", text)
    assert found is not None, text
    return found[1]


def test_the_answer_is_the_same_for_known_unknown_and_disabled_addresses(app: Flask, ada: Desk) -> None:
    with app.app_context():
        bo = makers.person("Bo", password=makers.PASSWORD)
        accounts.disable_user(None, bo.id)
    pages = set()
    for email in ("ada@example.org", "nobody@example.org", "bo@example.org"):
        client, token = guest(app, "/reset")
        answer = client.post("/reset", data={"csrf_token": token, "email": email})
        headers = sorted((name, value) for name, value in answer.headers if name not in ("Set-Cookie", "Date"))
        page = client.get(answer.location)
        pages.add((answer.status_code, answer.location, repr(headers), tokenless(page.text)))
    assert len(pages) == 1
    assert "If this address has an account, a mail is on its way." in pages.pop()[3]


def test_after_the_request_there_is_the_answer_and_no_empty_form(app: Flask, ada: Desk) -> None:
    page = app.test_client().get("/reset?done=reset-asked").text
    assert 'name="email"' not in page
    assert '<a href="/reset">Another address</a>' in page


def test_without_mails_there_is_nothing_to_press_and_nothing_is_asked_for(settings: Settings) -> None:
    with makers.running(settings) as app:
        page, client = app.test_client().get("/reset").text, app.test_client()
        found = TOKEN.search(client.get("/login").text)
        assert found is not None
        answer = client.post("/reset", data={"csrf_token": found[1], "email": "ada@example.org"})
        with app.app_context():
            assert db.session.scalars(select(ResetRequest)).all() == []

    assert "This portal sends no mails. Ask an administrator" in page
    assert "<button" not in page
    assert answer.status_code == 409


def test_the_page_to_sign_in_leads_to_it(app: Flask, ada: Desk) -> None:
    assert '<a href="/reset">Forgotten your password?</a>' in app.test_client().get("/login").text


def test_a_reset_from_the_mail_sets_a_password_and_signs_in(app: Flask, ada: Desk) -> None:
    client, token = guest(app, "/reset")
    client.post("/reset", data={"csrf_token": token, "email": "ada@example.org"})
    resolve(app)
    path = address_in(mail(app, "reset"))
    answer = client.get(path)
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "no-store" in answer.headers["Cache-Control"]
    assert ada.client.get("/account").status_code == 200
    client, token = guest(app, path)
    assert client.post(path, data={"csrf_token": token, "password": NEW}).status_code == 303
    assert client.get("/account").status_code == 200
    assert ada.client.get("/account").status_code == 302
    assert client.get(path).status_code == 410


def test_a_second_factor_is_asked_for_after_a_reset_too(app: Flask, ada: Desk) -> None:
    with app.app_context():
        user = accounts.find_user("ada@example.org")
        assert user is not None
        secret = with_app(user)
        accounts.request_reset("ada@example.org", makers.NETWORK)
    resolve(app)
    path = address_in(mail(app, "reset"))
    client, token = guest(app, path)
    answer = client.post(path, data={"csrf_token": token, "password": NEW})
    assert answer.location.startswith("/login/second")
    assert client.get("/account").status_code == 302
    found = TOKEN.search(client.get(answer.location).text)
    assert found is not None
    with app.app_context():
        code = code_of(secret)
    client.post(answer.location, data={"csrf_token": found[1], "code": code})
    assert client.get("/account").status_code == 200


def test_a_get_of_the_address_spends_nothing(app: Flask, ada: Desk) -> None:
    with app.app_context():
        accounts.request_reset("ada@example.org", makers.NETWORK)
    resolve(app)
    path = address_in(mail(app, "reset"))
    assert [app.test_client().get(path).status_code for _ in range(3)] == [200, 200, 200]
    assert app.test_client().head(path).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Host": "evil.example"},
        {"Forwarded": "host=evil.example"},
        {"X-Forwarded-Proto": "https", "X-Forwarded-Server": "evil.example"},
    ],
)
def test_the_mail_leads_to_the_portal_whatever_a_request_says(settings: Settings, headers: dict[str, str]) -> None:
    with makers.running(replace(settings, mail_url="smtp://127.0.0.1:1", base_url=BASE)) as app:
        with app.app_context():
            makers.person("Ada", password=makers.PASSWORD)
        client = app.test_client()
        page = client.get("/reset", base_url=BASE)
        found = TOKEN.search(page.text)
        assert found is not None
        form = {"csrf_token": found[1], "email": "ada@example.org"}
        answer = client.post("/reset", data=form, headers={**headers, "Origin": BASE}, base_url=BASE)
        assert answer.status_code == 303
        assert answer.location == "/reset?done=reset-asked"
        resolve(app)
        text = mail(app, "reset")
        assert f"{BASE}/setup/" in text
        assert "evil" not in text


def test_another_host_is_refused_and_nothing_written_down(app: Flask, ada: Desk) -> None:
    client, token = guest(app, "/reset")
    form = {"csrf_token": token, "email": "ada@example.org"}
    answer = client.post("/reset", data=form, headers={"Host": "evil.example"})
    assert answer.status_code == 400
    with app.app_context():
        assert db.session.scalars(select(ResetRequest)).all() == []


@pytest.mark.parametrize("email", ["", "null", "[]", "ada@example.org\r\nBcc: evil@example.org"])
def test_what_is_no_address_is_said_so(app: Flask, ada: Desk, email: str) -> None:
    client, token = guest(app, "/reset")
    answer = client.post("/reset", data={"csrf_token": token, "email": email})
    assert answer.status_code == 422
    assert "This is not an email address." in answer.text


def test_too_many_requests_are_429_with_the_time_to_wait(app: Flask, ada: Desk) -> None:
    client, token = guest(app, "/reset")
    for _ in range(30):
        client.post("/reset", data={"csrf_token": token, "email": "nobody@example.org"})
    answer = client.post("/reset", data={"csrf_token": token, "email": "ada@example.org"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "900")


def test_a_request_from_another_site_is_refused(app: Flask, ada: Desk) -> None:
    client, token = guest(app, "/reset")
    form = {"csrf_token": token, "email": "ada@example.org"}
    assert client.post("/reset", data=form, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post("/reset", data={"email": "ada@example.org"}).status_code == 400


@pytest.mark.parametrize("token", ["", "null", "x" * 43, "%00", "a" * 5000])
def test_what_never_was_a_token_opens_nothing(app: Flask, ada: Desk, token: str) -> None:
    assert app.test_client().get(f"/setup/{token}").status_code == 404


def test_a_new_address_is_confirmed_by_a_press_of_the_button_behind_the_mail(app: Flask, ada: Desk) -> None:
    asked = ada.send("/account/email", email="countess@example.net")
    assert said(ada, asked) == (
        "A mail is on its way to the new address: confirm it there within a day. Nothing is changed yet."
    )
    path = address_in(mail(app, "email_confirm"))
    assert "countess@<wbr>example.net" in app.test_client().get(path).text
    assert "ada@example.org" in ada.read("/account").replace("<wbr>", "")
    assert said(ada, ada.send(path)).startswith("Your address is changed.")
    assert "countess@example.net" in ada.read("/account").replace("<wbr>", "")


def test_confirmed_in_another_browser_it_says_so_on_the_page_to_sign_in(app: Flask, ada: Desk) -> None:
    ada.send("/account/email", email="countess@example.net")
    path = address_in(mail(app, "email_confirm"))
    client, token = guest(app, path)
    answer = client.post(path, data={"csrf_token": token})
    assert "Sign in with the new one." in client.get(answer.location).text
    assert client.get("/account").status_code == 302
    assert ada.client.get("/account").status_code == 302


def test_a_taken_address_gets_the_same_answer(app: Flask, ada: Desk) -> None:
    with app.app_context():
        makers.person("Bo")
    answers = [ada.send("/account/email", email=email) for email in ("bo@example.org", "free@example.org")]
    assert len({(answer.status_code, answer.location) for answer in answers}) == 1


def test_a_new_address_asks_for_a_fresh_sign_in(app: Flask, ada: Desk) -> None:
    token = ada.token()
    with app.app_context(), transaction() as session:
        session.execute(update(Session).values(fresh_at=makers.now(minutes=-11)))
    answer = ada.client.post("/account/email", data={"csrf_token": token, "email": "x@example.net"})
    assert answer.location == "/account/confirm?next=/account/email%3Fdone%3Dproved"
    assert mail(app, "email_confirm") == ""


def test_without_mail_the_page_says_whom_to_ask(settings: Settings) -> None:
    with makers.running(settings) as app:
        with app.app_context():
            ada = Desk(app, makers.person("Ada"))
        page = ada.read("/account/email")
        assert "An administrator can change it." in page
        assert 'name="email"' not in page
        assert ada.send("/account/email", email="x@example.net").status_code == 409
        assert "Ask an administrator of it" in app.test_client().get("/reset").text
