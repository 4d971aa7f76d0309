"""Signing in at a provider, as a browser does it: there and back again. The provider is ours, and lies on request."""

import dataclasses
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal import accounts, create_app
from portal.extensions import db
from portal.models import AuditEvent, Identity, PendingSignIn, ProviderRequest, Session, User
from portal.openid import Proof
from portal.openid.provider import Provider
from portal.settings import Settings
from tests import makers, providers
from tests.providers import ADA, CLIENT_ID, CLIENT_SECRET, OTHER_KEY, Liar

COOKIE = "portal-provider"
LONG_AGO = 1_700_000_000
"""A moment, in seconds since 1970: fixed, for the name of a test must be the same in every process."""


@pytest.fixture
def liar() -> Iterator[Liar]:
    with providers.lying() as liar:
        yield liar


@pytest.fixture
def house(sqlite_settings: Settings, liar: Liar) -> Iterator[Flask]:
    with makers.running(with_provider(sqlite_settings, liar)) as app:
        yield app


def with_provider(settings: Settings, liar: Liar, **other: Any) -> Settings:
    own = {
        "oidc_issuer": liar.address,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "oidc_name": "the <office>",
    }
    return dataclasses.replace(settings, **own | other)


def person(house: Flask, name: str = "Ada", **values: Any) -> User:
    with house.app_context():
        user = makers.person(name, password=values.pop("password", None))
        makers.change(user, **values)
        return user


def csrf(client: FlaskClient, path: str = "/login") -> dict[str, str]:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).text)
    assert found is not None
    return {"csrf_token": found[1]}


def begin(client: FlaskClient, path: str = "/login/provider", page: str = "/login", **fields: str) -> str:
    """Where the portal leads to."""
    response = client.post(path, data=csrf(client, page) | fields)
    assert response.status_code == 200, response.text
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', response.text)
    assert found is not None
    return found[1].replace("&amp;", "&")


def go(address: str) -> str:
    """Where the provider leads back to, as a path."""
    response = requests.get(address, allow_redirects=False, timeout=10)
    parts = urlsplit(response.headers["Location"])
    return f"{parts.path}?{parts.query}"


def enter(client: FlaskClient, **fields: str) -> TestResponse:
    return client.get(go(begin(client, **fields)))


def is_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


def count(house: Flask, model: type[Any]) -> int:
    with house.app_context():
        return len(db.session.scalars(select(model)).all())


def last_event(house: Flask) -> str:
    with house.app_context():
        return db.session.scalars(select(AuditEvent.action).order_by(AuditEvent.id.desc())).first() or ""


def test_somebody_known_comes_in_without_a_password_and_goes_on_to_where_they_wanted(house: Flask) -> None:
    ada = person(house)
    client = house.test_client()
    response = enter(client, next="/account/downloads")
    assert (response.status_code, response.location) == (303, "/account/downloads")
    assert is_in(client)
    with house.app_context():
        row = db.session.scalars(select(Session)).one()
        assert (row.user_id, row.method, row.second_factor_at) == (ada.id, "provider", None)
    assert count(house, ProviderRequest) == 0
    assert client.get_cookie(COOKIE) is None


def test_the_button_says_where_and_only_where_there_is_a_provider(house: Flask, sqlite_settings: Settings) -> None:
    person(house)
    assert "Sign in with the &lt;office&gt;" in house.test_client().get("/login").text
    with makers.running(sqlite_settings) as without:
        client = without.test_client()
        assert "Sign in with the" not in client.get("/login").text
        assert client.get("/login/provider/callback").status_code == 404


def test_a_person_finds_the_page_of_their_links_where_there_is_a_provider(
    house: Flask, sqlite_settings: Settings
) -> None:
    ada = person(house)
    assert 'href="/account/identities"' in makers.signed_in(house, ada).get("/account/security").text
    with makers.running(sqlite_settings) as without:
        assert "/account/identities" not in makers.signed_in(without, ada).get("/account/security").text


def test_nobody_is_led_out_of_the_portal_by_next(house: Flask) -> None:
    person(house)
    assert enter(house.test_client(), next="//evil.example").location == "/"


@pytest.mark.parametrize("path", ["/login/provider", "/account/identities/link", "/account/confirm/provider"])
def test_a_foreign_page_sends_nobody_to_the_provider(house: Flask, path: str) -> None:
    client = makers.signed_in(house, person(house))
    form = csrf(client, "/account/profile")
    assert client.post(path, data=form, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post(path).status_code == 400
    assert count(house, ProviderRequest) == 0


def test_the_way_back_is_open_once(house: Flask) -> None:
    person(house)
    client = house.test_client()
    cookie_of = begin(client)
    back = go(cookie_of)
    state = parse_qs(urlsplit(back).query)["state"][0]
    client.get(back)
    again = house.test_client()
    again.set_cookie(COOKIE, state)
    response = again.get(back)
    assert response.status_code == 400
    assert "Begin again here" in response.text
    assert not is_in(again)


def test_the_way_back_is_closed_to_every_other_browser(house: Flask) -> None:
    person(house)
    client, other = house.test_client(), house.test_client()
    back = go(begin(client))
    begin(other)
    assert other.get(back).status_code == 400
    assert house.test_client().get(back).status_code == 400
    assert not is_in(other)
    assert client.get(back).status_code == 303  # nothing was spent by those who had no right to


@pytest.mark.parametrize("query", ["", "?state=", "?code=x", "?state=x&code=y", "?state=%00", "?error=access_denied"])
def test_who_comes_back_without_having_been_sent_is_told_so(house: Flask, query: str) -> None:
    person(house)
    response = house.test_client().get(f"/login/provider/callback{query}")
    assert response.status_code in (400, 404)


def test_who_thinks_better_of_it_is_told_that_nothing_happened(house: Flask) -> None:
    person(house)
    client = house.test_client()
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    response = client.get(f"/login/provider/callback?error=access_denied&error_description=<b>&state={state}")
    assert response.status_code == 403
    assert "You did not go through with it" in response.text
    assert "<b>" not in response.text
    assert client.get(f"/login/provider/callback?code=x&state={state}").status_code == 400


@pytest.mark.parametrize(("error", "status"), [("server_error", 503), ("login_required", 403), ("x" * 9999, 403)])
def test_other_reasons_of_the_provider_are_told_in_our_words(house: Flask, error: str, status: int) -> None:
    client = house.test_client()
    person(house)
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    response = client.get(f"/login/provider/callback?error={error}&state={state}")
    assert response.status_code == status
    assert error not in response.text


@pytest.mark.parametrize(
    "token",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "somebody else"},
        {"nonce": "another"},
        {"exp": LONG_AGO},
        {"sub": None},
    ],
    ids=str,
)
def test_a_token_that_does_not_hold_lets_nobody_in(
    house: Flask, liar: Liar, token: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    person(house)
    liar.token = token
    client = house.test_client()
    response = enter(client)
    assert response.status_code == 403
    assert "cannot be trusted" in response.text
    assert not is_in(client)
    assert (count(house, Session), count(house, Identity)) == (0, 0)
    assert f"the provider {liar.address}" in caplog.text


def test_a_token_without_signature_or_by_an_unknown_key_lets_nobody_in(house: Flask, liar: Liar) -> None:
    person(house)
    liar.header = {"alg": "none"}
    assert enter(house.test_client()).status_code == 403
    liar.header, liar.key = {}, OTHER_KEY
    assert enter(house.test_client()).status_code == 403
    assert count(house, Session) == 0


def test_a_provider_that_lies_about_itself_or_is_away_leads_nowhere(house: Flask, liar: Liar) -> None:
    person(house)
    client = house.test_client()
    liar.discovery = {"issuer": "https://elsewhere.example"}
    assert client.post("/login/provider", data=csrf(client)).status_code == 403
    liar.answers["/.well-known/openid-configuration"] = lambda: (500, {}, b"")
    response = client.post("/login/provider", data=csrf(client))
    assert (response.status_code, response.headers["Retry-After"]) == (503, "60")
    assert "does not answer just now" in response.text


def test_an_address_nobody_verified_lets_nobody_in(house: Flask, liar: Liar) -> None:
    person(house)
    liar.claims["email_verified"] = False
    client = house.test_client()
    response = enter(client)
    assert response.status_code == 403
    assert "The &lt;office&gt; signed you in, but there is no account here" in response.text
    assert not is_in(client)
    assert last_event(house) == "session.refused"


def test_a_disabled_person_stays_out(house: Flask) -> None:
    ada = person(house)
    client = house.test_client()
    assert enter(client).status_code == 303
    with house.app_context():
        makers.change(db.session.get_one(User, ada.id), disabled_at=makers.now())
    other = house.test_client()
    assert enter(other).status_code == 403
    assert not is_in(other)


def test_an_account_is_made_only_where_that_is_wanted(house: Flask, liar: Liar, sqlite_settings: Settings) -> None:
    person(house, "Boss")
    assert enter(house.test_client()).status_code == 403
    wanted = {"oidc_create_accounts": True, "oidc_allowed_domains": frozenset({"example.org"})}
    with makers.running(with_provider(sqlite_settings, liar, **wanted)) as other:
        client = other.test_client()
        assert enter(client).status_code == 303
        assert "Ada Byron" in client.get("/account").text
        liar.claims |= {"sub": "2", "email": "eve@elsewhere.example"}
        assert enter(other.test_client()).status_code == 403


def test_the_second_factor_is_still_asked_unless_the_provider_says_it_was_given(house: Flask, liar: Liar) -> None:
    ada = person(house)
    with house.app_context():
        makers.group("Careful", db.session.get_one(User, ada.id))
        makers.change(accounts.get_group(1), second_factor_since=makers.now())
    client = house.test_client()
    liar.claims["amr"] = ["pwd"]
    response = enter(client, next="/account")
    assert response.location.startswith("/login/second?next=")
    assert not is_in(client)
    assert count(house, PendingSignIn) == 1
    liar.claims["amr"] = ["pwd", "otp"]
    assert enter(client).location == "/"
    assert is_in(client)
    with house.app_context():
        assert db.session.scalars(select(Session)).one().second_factor_at is not None


def test_somebody_signed_in_links_an_account_there_of_whatever_address(house: Flask, liar: Liar) -> None:
    ada = person(house, password=makers.PASSWORD)
    liar.claims |= {"email": "private@elsewhere.example", "email_verified": False}
    client = makers.signed_in(house, ada)
    back = go(begin(client, "/account/identities/link", "/account/identities"))
    response = client.get(back)
    assert (response.status_code, response.location) == (303, "/account/identities?done=identity-linked")
    page = client.get(response.location).text.replace("<wbr>", "")
    assert "The two accounts are linked" in page
    assert "private@elsewhere.example" in page
    other = house.test_client()
    assert enter(other).status_code == 303
    assert "Ada" in other.get("/account").text


def test_linking_asks_for_somebody_who_has_just_proved_who_they_are(house: Flask) -> None:
    client = makers.signed_in(house, person(house))
    tokens = csrf(client, "/account/identities")
    stale(house)
    response = client.post("/account/identities/link", data=tokens)
    assert response.location == "/account/confirm?next=/account/identities%3Fdone%3Dproved"


def stale(house: Flask) -> None:
    """Let the last proof of everybody be long ago."""
    with house.app_context():
        for row in db.session.scalars(select(Session)).all():
            makers.change(row, fresh_at=makers.now(hours=-1))


def test_an_account_there_of_somebody_else_is_not_linked_twice(house: Flask) -> None:
    ada, eve = person(house), person(house, "Eve")
    enter(house.test_client())
    client = makers.signed_in(house, eve)
    response = client.get(go(begin(client, "/account/identities/link", "/account/identities")))
    assert response.status_code == 409
    with house.app_context():
        assert [one.user_id for one in db.session.scalars(select(Identity))] == [ada.id]


def test_who_began_to_link_and_is_somebody_else_by_now_links_nothing(house: Flask) -> None:
    ada, eve = person(house, "Ada Other"), person(house, "Eve")
    client = makers.signed_in(house, ada)
    back = go(begin(client, "/account/identities/link", "/account/identities"))
    cookie = makers.signed_in(house, eve).get_cookie("portal")
    assert cookie is not None
    client.set_cookie("portal", cookie.value)
    assert client.get(back).status_code == 400
    assert count(house, Identity) == 0


def test_a_way_begun_to_come_in_never_links(house: Flask, liar: Liar) -> None:
    """Else whoever gets a victim to come back by their own begun way would be the victim from then on."""
    eve = person(house, "Eve")
    client = makers.signed_in(house, eve)
    attacker = house.test_client()
    begun = begin(attacker)
    client.set_cookie(COOKIE, parse_qs(urlsplit(begun).query)["state"][0])
    assert client.get(go(begun)).status_code == 403  # nobody here has the address of who is signed in there
    assert count(house, Identity) == 0


def test_a_link_is_removed_on_the_page_but_not_the_last_way_in(house: Flask) -> None:
    ada = person(house)
    client = house.test_client()
    enter(client)
    with house.app_context():
        link = db.session.scalars(select(Identity)).one()
    path = f"/account/identities/{link.id}/remove"
    response = client.post(path, data=csrf(client, "/account/identities"))
    assert response.status_code == 409
    assert "could not sign in any more" in response.text
    with house.app_context():
        accounts.set_password(None, ada.id, makers.PASSWORD)
    client = makers.signed_in(house, ada)
    response = client.post(path, data=csrf(client, "/account/identities"))
    assert response.location == "/account/identities?done=identity-removed"
    assert count(house, Identity) == 0


def linked(house: Flask, liar: Liar) -> FlaskClient:
    """A browser of Ada, who is linked and proved who she is long ago."""
    ada = person(house)
    with house.app_context():
        accounts.link_identity(makers.actor(ada), ada.id, Proof(liar.address, str(ADA["sub"]), "ada@example.org"))
    client = makers.signed_in(house, ada)
    stale(house)
    return client


def prove(client: FlaskClient) -> TestResponse:
    page = "/account/confirm?next=/account/identities"
    address = begin(client, "/account/confirm/provider", page, next="/account/identities")
    assert "prompt=login" in address
    assert "max_age=0" in address
    return client.get(go(address))


def test_somebody_without_a_password_proves_anew_who_they_are_at_the_provider(house: Flask, liar: Liar) -> None:
    client = linked(house, liar)
    assert "Prove it with the &lt;office&gt;" in client.get("/account/confirm").text
    liar.claims["auth_time"] = int(time.time())
    response = prove(client)
    assert (response.status_code, response.location) == (303, "/account/identities")
    assert client.get("/account/confirm?next=/").status_code == 302  # no question any more
    assert last_event(house) == "session.confirmed"


@pytest.mark.parametrize(
    "claims",
    [{"auth_time": LONG_AGO}, {}, {"auth_time": "now"}, {"auth_time": True}, {"sub": "somebody else"}],
    ids=["long ago", "not said", "no number", "no moment", "somebody else"],
)
def test_who_was_not_asked_anew_or_is_somebody_else_has_proved_nothing(
    house: Flask, liar: Liar, claims: dict[str, Any]
) -> None:
    client = linked(house, liar)
    liar.claims |= {"auth_time": int(time.time())} | claims if claims else {}
    assert prove(client).status_code == 403
    assert client.get("/account/confirm").status_code == 200
    assert last_event(house) != "session.confirmed"


def test_a_way_begun_to_come_in_does_not_make_an_old_session_fresh(house: Flask, liar: Liar) -> None:
    client = linked(house, liar)
    liar.claims["auth_time"] = int(time.time())
    form = csrf(client, "/account/profile")
    page = client.post("/login/provider", data=form).text
    found = re.search(r'url=([^"]+)"', page)
    assert found is not None
    response = client.get(go(found[1].replace("&amp;", "&")))
    assert response.status_code == 303
    assert count(house, Session) == 2  # a session of its own, as every sign-in


def test_an_administrator_sees_the_links_of_a_person_and_removes_them(house: Flask) -> None:
    ada, boss = person(house), person(house, "Boss", is_admin=True)
    enter(house.test_client())
    client = makers.signed_in(house, boss)
    path = f"/admin/people/{ada.id}"
    page = client.get(path).text
    assert "Where else they sign in" in page
    with house.app_context():
        link = db.session.scalars(select(Identity)).one()
    other = f"/admin/people/{boss.id}/identities/{link.id}/remove"
    assert client.post(other, data=csrf(client, path)).status_code == 404
    response = client.post(f"{path}/identities/{link.id}/remove", data=csrf(client, path))
    assert response.location == f"{path}?done=identity-removed"
    log = client.get("/admin/log").text
    assert "removed the link of" in log
    assert "linked their account with one at 127.0.0.1" in log


def test_the_portal_holds_no_connection_to_its_database_while_it_waits(house: Flask, liar: Liar) -> None:
    person(house)
    held: list[int] = []

    def watching() -> providers.Answer:
        with house.app_context():
            held.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]
        answers.pop("/token")
        return liar.answer("/token", {}, liar_form, "")

    answers, liar_form = liar.answers, dict[str, str]()
    client = house.test_client()
    back = go(begin(client))
    answers["/token"] = watching
    client.get(back)
    assert held == [0]


def test_without_a_provider_its_libraries_are_not_even_loaded(sqlite_settings: Settings) -> None:
    program = (
        "import sys; from portal import create_app, settings;"
        f"create_app(settings.load(data={str(sqlite_settings.data)!r}, secret_key={sqlite_settings.secret_key!r}));"
        "print([name for name in ('authlib', 'joserfc', 'requests', 'portal.openid.provider') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("missing", ["authlib", "requests"])
def test_with_a_provider_and_without_its_libraries_the_portal_does_not_start(
    sqlite_settings: Settings, missing: str
) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None;"
        "from portal import create_app, settings; from portal.errors import SettingsProblem\n"
        f"chosen = settings.load(data={str(sqlite_settings.data)!r}, secret_key={sqlite_settings.secret_key!r},"
        "oidc_issuer='https://id.example.org', oidc_client_id='portal')\n"
        "try: create_app(chosen)\n"
        "except SettingsProblem as problem: print(problem)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert re.fullmatch(rf"oidc_issuer is set, and {missing}[\w.]* is missing\. Run: .*pip install .*\n", done.stdout)


def test_a_portal_with_a_provider_asks_nobody_when_it_starts(sqlite_settings: Settings, liar: Liar) -> None:
    app = create_app(with_provider(sqlite_settings, liar))
    assert isinstance(app.extensions["portal.provider"], Provider)
    assert liar.asked == {}
