"""The guard: closed by default, forms only from our own pages, sessions that end when they end."""

import re
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal import create_app
from portal.extensions import db
from portal.models import AuditEvent, Session
from portal.search import LONGEST_QUERY
from portal.settings import Settings
from portal.views import guard
from portal.views.guard import permission_of, safe_next
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.views.desk import Desk

PUBLIC = {
    "auth.login",
    "auth.sign_in",
    "auth.setup",
    "auth.finish_setup",
    "health.alive",
    "health.ready",
    "health.metrics",
    "passkeys.enter",
    "passkeys.finish",
    "passkeys.options_to_enter",
    "passkeys.options_to_finish",
    "reset.ask",
    "reset.show",
    "second.give",
    "second.go_on",
    "second.set_up",
    "second.show",
    "requesting.landing",
    "requesting.receipt",
    "requesting.send",
    "shares.landing",
    "shares.spend",
    "shares.ticket",
    "static",
}
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


def test_a_view_without_a_permission_does_not_start(sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with makers.running(sqlite_settings) as app:
        init = guard.init_app

        def with_forgotten_view(app: Flask) -> None:
            init(app)
            app.add_url_rule("/forgotten", "forgotten", lambda: "open to all")

        monkeypatch.setattr(guard, "init_app", with_forgotten_view)
        with pytest.raises(LookupError, match="forgotten"):
            create_app(app.config["PORTAL"])


@SQLITE_ONLY
def test_the_log_has_a_hundred_refused_pages_of_one_person_in_a_minute_and_no_more(app: Flask) -> None:
    with app.app_context():
        desks = [Desk(app, makers.person(name)) for name in ("Ada", "Eve")]
    ada, eve = desks
    for _ in range(103):
        ada.read("/admin/people", 404)
    eve.read("/admin/people", 404)
    with app.app_context():
        refused = select(func.count()).where(AuditEvent.action == "access.denied")
        assert db.session.scalars(refused).one() == 100 + 1


def test_the_list_of_public_endpoints_is_this_one(sqlite_settings: Settings) -> None:
    with makers.running(sqlite_settings) as app:
        endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
        assert {endpoint for endpoint in endpoints if permission_of(app, endpoint) == "anyone"} == PUBLIC


def test_every_form_without_its_token_changes_nothing(sqlite_settings: Settings) -> None:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            admin = makers.signed_in(app, makers.person("Ada", is_admin=True))
        for rule in app.url_map.iter_rules():
            methods = (rule.methods or set()) & UNSAFE
            path = re.sub(r"<[^>]+>", "1", rule.rule)
            for method in methods:
                answer = admin.open(path, method=method, data={"anything": "1"})
                # What has room for files is asked before a byte of the form is read.
                status = 404 if rule.endpoint == "requesting.send" else 400
                assert answer.status_code == status, (rule.endpoint, answer.status_code)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_form_from_elsewhere_is_refused_whatever_its_token(
    sqlite_settings: Settings, headers: dict[str, str]
) -> None:
    with makers.running(sqlite_settings) as app:
        answer = app.test_client().post("/login", headers=headers)

    assert answer.status_code == 403


@pytest.mark.parametrize("target", ["/", "/documents/1?x=1", "/categories/a%20b", "/search?q=%E2%82%AC"])
def test_next_keeps_paths_of_the_portal(target: str) -> None:
    assert safe_next(target) == target


@pytest.mark.parametrize(
    "target",
    ["", "documents", "//evil.example", "///evil.example", "\\\\evil.example", "/\\evil.example", "\t//evil.example",
     "/\t/evil.example", " /login", "/\r\nLocation: //evil", "https:evil.example", "javascript:alert(1)", "/\u00e9"],
)  # fmt: skip
def test_next_leads_nowhere_else(target: str) -> None:
    assert safe_next(target) == "/"


def form_token(page: str) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found is not None
    return found[1]


@SQLITE_ONLY
def test_signing_in_leads_to_where_the_person_wanted(app: Flask) -> None:
    with app.app_context():
        makers.person("Ada", password=makers.PASSWORD)
    browser = app.test_client()
    fields = {"email": "ADA@Example.org ", "password": makers.PASSWORD, "next": "/search?q=x"}

    answer = browser.post("/login", data=fields | {"csrf_token": form_token(browser.get("/login").text)})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/search?q=x")
    assert browser.get("/search?q=x").status_code == 200


@SQLITE_ONLY
def test_where_somebody_wanted_is_not_said_in_an_address_too_long_to_be_asked_for(app: Flask) -> None:
    browser = app.test_client()

    assert browser.get("/search", query_string={"q": "a"}).location == "/login?next=/search%3Fq%3Da"
    assert browser.get("/search", query_string={"q": "東" * LONGEST_QUERY}).location == "/login"


@SQLITE_ONLY
def test_unknown_address_and_wrong_password_get_the_same_page(app: Flask) -> None:
    with app.app_context():
        makers.person("Ada", password=makers.PASSWORD)
    browser = app.test_client()
    token = form_token(browser.get("/login").text)
    pages = []
    for email in ("ada@example.org", "eda@example.org"):
        answer = browser.post("/login", data={"email": email, "password": "wrong", "csrf_token": token})
        pages.append((answer.status_code, re.sub(r'value="[^"]*"', "", answer.text)))

    assert pages[0] == pages[1]
    assert pages[0][0] == 401


def test_too_many_failures_are_told_to_wait(sqlite_settings: Settings) -> None:
    with makers.running(replace(sqlite_settings, login_tries=2)) as app:
        browser = app.test_client()
        token = form_token(browser.get("/login").text)
        fields = {"email": "ada@example.org", "password": "wrong", "csrf_token": token}
        statuses = [browser.post("/login", data=fields).status_code for _ in range(3)]
        last = browser.post("/login", data=fields)

    assert statuses == [401, 401, 429]
    assert last.headers["Retry-After"] == "900"


@SQLITE_ONLY
def test_a_cookie_copied_before_the_sign_out_is_dead_after_it(app: Flask) -> None:
    with app.app_context():
        browser = makers.signed_in(app, makers.person("Ada"))
    cookie = browser.get_cookie("portal")
    assert cookie is not None
    page = browser.get("/account")

    left = browser.post("/logout", data={"csrf_token": form_token(page.text)})

    assert (left.status_code, left.headers["Location"]) == (303, "/login")
    thief = app.test_client()
    thief.set_cookie("portal", cookie.value)
    assert thief.get("/account").status_code == 302


@SQLITE_ONLY
def test_a_form_token_of_another_session_is_refused(app: Flask) -> None:
    with app.app_context():
        ada, bob = makers.person("Ada"), makers.person("Bob")
        browsers = makers.signed_in(app, ada), makers.signed_in(app, bob)
    foreign = form_token(browsers[0].get("/account").text)

    assert browsers[1].post("/logout", data={"csrf_token": foreign}).status_code == 400


@SQLITE_ONLY
def test_a_form_token_from_before_the_sign_in_is_refused_after_it(app: Flask) -> None:
    with app.app_context():
        ada = makers.person("Ada")
        browser = makers.signed_in(app, ada)
    before = form_token(app.test_client().get("/login").text)

    assert browser.post("/logout", data={"csrf_token": before}).status_code == 400


@pytest.mark.parametrize(("base_url", "name"), [("http://localhost", "portal"), ("https://localhost", "__Host-portal")])
def test_the_session_cookie_is_as_strict_as_the_address_allows(
    sqlite_settings: Settings, base_url: str, name: str
) -> None:
    with makers.running(replace(sqlite_settings, base_url=base_url)) as app:
        with app.app_context():
            makers.person("Ada", password=makers.PASSWORD)
        browser = app.test_client()
        token = form_token(browser.get("/login", base_url=base_url).text)
        fields = {"email": "ada@example.org", "password": makers.PASSWORD, "csrf_token": token}
        answer = browser.post("/login", data=fields, base_url=base_url)

    cookie = next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith(f"{name}="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert ("Secure" in cookie) == base_url.startswith("https")
    assert ("Strict-Transport-Security" in answer.headers) == base_url.startswith("https")


@SQLITE_ONLY
@pytest.mark.parametrize("cookie", ["", "x", "A" * 43, "A" * 8000, "=__Host-portal", "ä" * 43, "../../x"])
def test_a_cookie_that_is_no_session_is_nobody(app: Flask, cookie: str) -> None:
    browser = app.test_client(use_cookies=False)

    assert browser.get("/", headers={"Cookie": f"portal={cookie}".encode().decode("latin-1")}).status_code == 302


@SQLITE_ONLY
def test_a_disabled_person_is_out_on_the_next_request(app: Flask) -> None:
    with app.app_context():
        ada = makers.person("Ada")
        browser = makers.signed_in(app, ada)
        assert browser.get("/account").status_code == 200
        makers.change(ada, disabled_at=makers.now())

    assert browser.get("/account").status_code == 302


@SQLITE_ONLY
def test_an_expired_session_is_out(app: Flask) -> None:
    with app.app_context():
        browser = makers.signed_in(app, makers.person("Ada"))
        makers.change(db.session.scalars(select(Session)).one(), expires_at=makers.now())

    assert browser.get("/account").status_code == 302


@SQLITE_ONLY
@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "PUT", "DELETE"])
def test_other_methods_are_refused_with_those_allowed(app: Flask, method: str) -> None:
    answer = app.test_client().open("/login", method=method)

    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


@SQLITE_ONLY
def test_the_not_found_page_is_constant(app: Flask) -> None:
    with app.app_context():
        browser = makers.signed_in(app, makers.person("Ada"))
    pages = [app.test_client().get("/nowhere"), browser.get("/nowhere-else"), browser.get("/documents/1")]

    assert len({page.data for page in pages}) == 1
    assert all("Set-Cookie" not in page.headers for page in pages)


@SQLITE_ONLY
def test_a_page_has_its_headers(app: Flask) -> None:
    headers = app.test_client().get("/login").headers

    assert headers["Cache-Control"] == "private, no-store"
    assert "script-src 'self';" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert set(headers["Vary"].split(", ")) == {"Cookie", "Authorization"}


def test_the_health_page_says_one_word(app: Flask) -> None:
    browser = app.test_client()

    assert (browser.get("/healthz").text, browser.get("/readyz").text) == ("ok\n", "ready\n")


def test_metrics_are_for_the_holder_of_the_token(sqlite_settings: Settings) -> None:
    with makers.running(replace(sqlite_settings, metrics_token="for the collector")) as app:
        browser = app.test_client()
        bearer = {"Authorization": "Bearer for the collector"}

        assert browser.get("/metrics").status_code == 404
        assert browser.get("/metrics", headers={"Authorization": "Bearer other"}).status_code == 404
        assert "portal_documents" in browser.get("/metrics", headers=bearer).text


@SQLITE_ONLY
def test_the_portal_is_not_ready_without_its_storage(app: Flask, settings: Settings) -> None:
    (settings.storage / "tmp").chmod(0o500)
    (settings.storage / "tmp").rename(settings.storage / "gone")
    try:
        assert app.test_client().get("/readyz").text == "degraded\n"
    finally:
        (settings.storage / "gone").rename(settings.storage / "tmp")
        (settings.storage / "tmp").chmod(0o700)
