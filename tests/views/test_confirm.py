"""Fresh sign-in: whoever signed in long ago proves once more who they are, and goes on with what they wanted."""

from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal.accounts import sign_in, sign_out
from portal.accounts.sessions import find_session
from portal.errors import SignInFailed
from portal.extensions import db, transaction
from portal.models import AuditEvent, Session
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.views.desk import Desk

pytestmark = SQLITE_ONLY

WANTED = "/account/downloads?after=7"
PAGE = f"/account/confirm?next={WANTED}"


@pytest.fixture
def desk(app: Flask) -> Desk:
    """Ada, who signed in eleven minutes ago."""
    with app.app_context():
        ada = Desk(app, makers.person(password=makers.PASSWORD))
        with transaction() as session:
            session.execute(update(Session).values(fresh_at=makers.now(minutes=-11)))
    return ada


def is_fresh(desk: Desk) -> bool:
    with desk.app.app_context():
        return db.session.scalars(select(Session.fresh_at)).one() > makers.now(minutes=-1)


def test_the_right_password_makes_the_session_fresh_and_leads_on(desk: Desk) -> None:
    assert "Is it you?" in desk.read(PAGE)
    token = desk.client.get_cookie("portal")
    answer = desk.send("/account/confirm", next=WANTED, password=makers.PASSWORD)
    assert (answer.status_code, answer.location) == (303, WANTED)
    assert is_fresh(desk)
    assert desk.client.get_cookie("portal") == token
    with desk.app.app_context():
        actions = db.session.scalars(select(AuditEvent.action).order_by(AuditEvent.id.desc())).first()
    assert actions == "session.confirmed"


def test_a_wrong_password_does_not(desk: Desk) -> None:
    answer = desk.send("/account/confirm", next=WANTED, password="not the password")
    assert answer.status_code == 403
    assert "This is not your password." in answer.text
    assert "not the password" not in answer.text
    assert not is_fresh(desk)


def test_guessing_is_throttled_together_with_sign_in(desk: Desk) -> None:
    with desk.app.app_context(), pytest.raises(SignInFailed):
        sign_in("ada@example.org", "not the password", network=makers.NETWORK, agent="")
    statuses = [desk.send("/account/confirm", password="not the password").status_code for _ in range(9)]
    assert statuses == [403] * 9
    answer = desk.send("/account/confirm", password=makers.PASSWORD)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"]
    assert not is_fresh(desk)


def test_who_is_fresh_is_not_asked(desk: Desk) -> None:
    desk.send("/account/confirm", password=makers.PASSWORD)
    answer = desk.client.get(PAGE)
    assert (answer.status_code, answer.location) == (302, WANTED)


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "\t//evil.example"])
def test_nobody_is_led_elsewhere(desk: Desk, target: str) -> None:
    assert desk.send("/account/confirm", next=target, password=makers.PASSWORD).location == "/"
    assert desk.client.get("/account/confirm", query_string={"next": target}).location == "/"


def test_a_session_that_has_ended_is_not_made_fresh(desk: Desk) -> None:
    cookie = desk.client.get_cookie("portal")
    assert cookie is not None
    token = desk.token()
    with desk.app.app_context():
        person = find_session(cookie.value)
        makers.release()
        assert person is not None
        sign_out(person)
    answer = desk.client.post("/account/confirm", data={"password": makers.PASSWORD, "csrf_token": token})
    assert answer.location.startswith("/login")


def test_the_page_is_kept_by_nobody(desk: Desk) -> None:
    assert desk.client.get(PAGE).headers["Cache-Control"] == "private, no-store"


@pytest.fixture
def admin(app: Flask) -> Desk:
    """Root, an administrator, who signed in eleven minutes ago."""
    with app.app_context():
        root = Desk(app, makers.person("Root", is_admin=True, password=makers.PASSWORD))
        makers.group("Board")
        with transaction() as session:
            session.execute(update(Session).values(fresh_at=makers.now(minutes=-11)))
    return root


@pytest.mark.parametrize(
    "path",
    [
        "/account/email",
        "/account/security/app",
        "/account/security/codes",
        "/account/tokens/new",
        "/admin/groups/1/second-factor",
        "/admin/people/1/address",
        "/admin/security",
    ],
)
def test_a_form_that_was_sent_too_late_says_that_nothing_was_changed(admin: Desk, path: str) -> None:
    asked = admin.send(path, of="everybody", asks="1").location
    target = parse_qs(urlsplit(asked).query)["next"][0]
    assert "Is it you?" in admin.read(asked)

    back = admin.send("/account/confirm", next=target, password=makers.PASSWORD).location

    assert "You have proved who you are. Nothing was changed yet: do it again." in admin.read(back)


def test_a_list_that_was_asked_for_too_late_is_narrowed_as_before(admin: Desk) -> None:
    asked = admin.client.get("/admin/log.csv?action=user.added&_scheme=x").location

    target = parse_qs(urlsplit(asked or "").query)["next"][0]

    assert target == "/admin/log?action=user.added&_scheme=x&done=proved"


def test_the_page_of_the_rule_asks_before_anything_is_chosen(admin: Desk) -> None:
    answer = admin.client.get("/admin/security")
    assert (answer.status_code, answer.location) == (303, "/account/confirm?next=/admin/security")
