"""How a person signs in: an app set up, replaced and removed, recovery codes made; each told by mail and logged."""

import re
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal.accounts import has_second_factor
from portal.accounts.recovery import count_recovery_codes
from portal.extensions import db, transaction
from portal.models import AuditEvent, HouseRule, Mail, Session, User
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.factors import code_of, with_app, with_recovery_codes
from tests.makers import PASSWORD
from tests.views.desk import Desk

KEY = re.compile(r'<code class="break">([A-Z2-7 ]+)</code>')
SEALED = re.compile(r'name="sealed" value="([^"]+)"')
CODE = re.compile(r"<li><code>([^<]+)</code></li>")
SHORT = "kT4#w9!zQ2"


@pytest.fixture
def desk(app: Flask) -> Desk:
    """Ada, who has just signed in with her password."""
    with app.app_context():
        return Desk(app, makers.person(password=PASSWORD))


def ada() -> User:
    found = db.session.scalars(select(User).where(User.email == "ada@example.org")).one()
    makers.release()
    return found


def offered(desk: Desk) -> tuple[str, str]:
    """What a page with a new secret offers: the form's own value, and what the app shows after reading it."""
    page = desk.read("/account/security/app")
    key, sealed = KEY.search(page), SEALED.search(page)
    assert key is not None
    assert sealed is not None
    with desk.app.app_context():
        return sealed[1], code_of(key[1].replace(" ", ""))


def actions(desk: Desk) -> list[str]:
    with desk.app.app_context():
        return list(db.session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))


def mails(desk: Desk) -> list[str]:
    with desk.app.app_context():
        of_factors = select(Mail.text).where(Mail.kind == "second_factor_changed")
        return [text or "" for text in db.session.scalars(of_factors.order_by(Mail.id))]


def ask_everybody(desk: Desk) -> None:
    with desk.app.app_context(), transaction() as session:
        session.add(HouseRule(name="second_factor", value="everybody"))


def test_setting_an_app_up_shows_ten_recovery_codes_once(desk: Desk) -> None:
    assert "Set up an app" in desk.read("/account/security")
    sealed, code = offered(desk)
    answer = desk.send("/account/security/app", sealed=sealed, code=code)
    codes = CODE.findall(answer.text)
    assert len(codes) == 10
    page = desk.read("/account/security")
    assert "Ten of ten are left" in page
    assert not any(code in page for code in codes)
    assert "app.added" in actions(desk)
    assert "was set up" in mails(desk)[0]
    with desk.app.app_context():
        assert db.session.scalars(select(Session)).one().second_factor_at is not None


@SQLITE_ONLY
def test_the_page_with_the_secret_writes_nothing(desk: Desk) -> None:
    before = actions(desk)
    offered(desk)
    assert actions(desk) == before
    with desk.app.app_context():
        assert not has_second_factor(ada().id)


@SQLITE_ONLY
def test_a_wrong_code_leaves_the_same_secret_and_says_so(desk: Desk) -> None:
    page = desk.read("/account/security/app")
    answer = desk.send("/account/security/app", sealed=SEALED.findall(page)[0], code="12")
    assert answer.status_code == 401
    assert KEY.findall(unescape(answer.text)) == KEY.findall(page)
    assert "This is not the code" in answer.text


@SQLITE_ONLY
@pytest.mark.parametrize("sealed", ["", "nonsense", "WzEsIkEiXQ.aaaa.bbbb"])
def test_a_secret_that_is_none_of_ours_is_not_taken(desk: Desk, sealed: str) -> None:
    assert desk.send("/account/security/app", sealed=sealed, code="123456").status_code == 409
    with desk.app.app_context():
        assert not has_second_factor(ada().id)


@SQLITE_ONLY
def test_another_app_takes_the_place_of_the_first_and_the_recovery_codes_stay(desk: Desk) -> None:
    with desk.app.app_context():
        with_app(ada())
        with_recovery_codes(ada())
    sealed, code = offered(desk)
    answer = desk.send("/account/security/app", sealed=sealed, code=code)
    assert answer.location == "/account/security?done=app-replaced"
    with desk.app.app_context():
        assert count_recovery_codes(ada().id) == 10
    assert "was replaced" in mails(desk)[-1]


@SQLITE_ONLY
def test_who_would_be_left_with_a_password_alone_types_it(desk: Desk) -> None:
    with desk.app.app_context():
        with_app(ada())
        with_recovery_codes(ada())
    assert "It stands alone then" in desk.read("/account/security/app/remove")
    assert desk.send("/account/security/app/remove", password="not the password").status_code == 403
    assert desk.send("/account/security/app/remove").status_code == 403
    answer = desk.send("/account/security/app/remove", password=PASSWORD)
    assert answer.location == "/account/security?done=app-removed"
    with desk.app.app_context():
        assert not has_second_factor(ada().id)
        assert count_recovery_codes(ada().id) == 0
    assert "was removed" in mails(desk)[-1]
    assert "app.removed" in actions(desk)


@SQLITE_ONLY
def test_guessing_it_there_is_throttled(desk: Desk) -> None:
    with desk.app.app_context():
        with_app(ada())
    statuses = [desk.send("/account/security/app/remove", password="wrong").status_code for _ in range(11)]
    assert statuses == [403] * 10 + [429]


@SQLITE_ONLY
def test_a_short_password_cannot_stand_alone(desk: Desk) -> None:
    with desk.app.app_context():
        with_app(ada())
    answer = desk.send("/account/password", current=PASSWORD, password=SHORT)
    assert answer.status_code == 303
    answer = desk.send("/account/security/app/remove", password=SHORT)
    assert answer.status_code == 422
    assert "fewer than 15 characters" in answer.text
    with desk.app.app_context():
        assert has_second_factor(ada().id)


@SQLITE_ONLY
def test_without_a_second_factor_a_password_is_long(desk: Desk) -> None:
    answer = desk.send("/account/password", current=PASSWORD, password=SHORT)
    assert answer.status_code == 422
    assert "at least 15 characters" in answer.text


@SQLITE_ONLY
def test_the_last_one_stays_while_the_rule_asks_for_one(desk: Desk) -> None:
    ask_everybody(desk)
    with desk.app.app_context():
        with_app(ada())
    assert "the last one stays until you have another" in desk.read("/account/security")
    answer = desk.send("/account/security/app/remove", password=PASSWORD)
    assert answer.status_code == 409
    assert "this is your last one" in answer.text
    with desk.app.app_context():
        assert has_second_factor(ada().id)


@SQLITE_ONLY
def test_new_recovery_codes_take_the_place_of_the_old(desk: Desk) -> None:
    with desk.app.app_context():
        with_app(ada())
        before = with_recovery_codes(ada())
    answer = desk.send("/account/security/codes")
    codes = CODE.findall(answer.text)
    assert len(codes) == 10
    assert not set(codes) & set(before)
    assert "codes were made" in mails(desk)[-1]


@SQLITE_ONLY
def test_there_are_none_without_a_second_factor(desk: Desk) -> None:
    answer = desk.send("/account/security/codes")
    assert answer.status_code == 409
    assert "Set one up first" in answer.text


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("path", "back"),
    [
        ("/account/security/app", "/account/security/app"),
        ("/account/security/app/remove", "/account/security/app/remove"),
        ("/account/security/codes", "/account/security"),
    ],
)
def test_every_change_asks_for_a_fresh_sign_in(desk: Desk, path: str, back: str) -> None:
    with desk.app.app_context(), transaction() as session:
        session.execute(update(Session).values(fresh_at=makers.now(minutes=-11)))
    answer = desk.send(path)
    assert (answer.status_code, answer.location) == (303, f"/account/confirm?next={back}%3Fdone%3Dproved")


@SQLITE_ONLY
def test_who_has_no_password_confirms_with_a_code(app: Flask) -> None:
    with app.app_context():
        desk = Desk(app, makers.person())
        secret = with_app(ada())
        with transaction() as session:
            session.execute(update(Session).values(fresh_at=makers.now(minutes=-11)))
    assert "Code of your app" in desk.read("/account/confirm")
    assert desk.send("/account/confirm", code="123").status_code == 401
    with app.app_context():
        code = code_of(secret)
    assert desk.send("/account/confirm", code=code, next="/account/security/app").status_code == 303
    assert desk.send("/account/confirm", code=code).status_code == 401, "no code is taken twice"
    assert desk.client.get("/account/security/app").status_code == 200


@SQLITE_ONLY
def test_every_page_of_it_is_kept_by_nobody(desk: Desk) -> None:
    sealed, code = offered(desk)
    answers = [desk.send("/account/security/app", sealed=sealed, code=code), desk.send("/account/security/codes")]
    answers += [desk.client.get(f"/account/security{path}") for path in ("", "/app", "/app/remove")]
    assert {answer.headers["Cache-Control"] for answer in answers} == {"private, no-store"}
    assert {answer.status_code for answer in answers} == {200}
