"""Apps that show codes: only what they show about now is right, and each code is taken once."""

import pyotp
import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.accounts.apps import add_app, app_address, find_app, make_secret, remove_app, take_code
from portal.errors import CodeWrong
from portal.extensions import db, transaction
from portal.models import AuditEvent, AuthenticatorApp, Mail, User
from tests.factors import code_of, with_app
from tests.makers import actor, at_once, now, person, release

pytestmark = pytest.mark.usefixtures("context")


def take(user: User, code: str) -> bool:
    with transaction():
        return take_code(user.id, code)


def test_what_the_app_shows_is_right() -> None:
    ada = person()
    assert take(ada, code_of(with_app(ada)))


def test_a_code_that_was_taken_is_not_taken_again() -> None:
    ada = person()
    code = code_of(with_app(ada))
    assert [take(ada, code) for _ in range(3)] == [True, False, False]


def test_a_code_from_before_the_last_one_is_not_taken() -> None:
    ada = person()
    secret = with_app(ada)
    assert take(ada, code_of(secret, 1))
    assert not take(ada, code_of(secret))
    assert not take(ada, code_of(secret, -1))


@pytest.mark.parametrize(("steps", "is_right"), [(-3, False), (-2, False), (-1, True), (1, True), (2, False)])
def test_a_clock_may_be_half_a_minute_off(steps: int, is_right: bool) -> None:
    ada = person()
    secret = with_app(ada)
    while now().timestamp() % 30 > 25:  # or the step would be another by the time it is looked at
        pass
    assert take(ada, code_of(secret, steps)) is is_right


def test_of_many_at_once_one_code_is_taken_once(context: Flask) -> None:
    ada = person()
    code, ada_id = code_of(with_app(ada)), ada.id

    def try_it() -> bool:
        with transaction():
            return take_code(ada_id, code)

    assert sorted(map(str, at_once(context, *[try_it] * 12))) == ["False"] * 11 + ["True"]


def test_the_code_that_set_the_app_up_is_used_with_it() -> None:
    ada, secret = person(), make_secret()
    code = code_of(secret)
    add_app(actor(ada), ada.id, secret, code)
    assert not take(ada, code)


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "abcdef", "12345\n6\n7", "-12345", "१२३४५", "\0" * 6, "1" * 9000]
)
def test_what_is_no_code_is_never_right(code: str) -> None:
    ada = person()
    with_app(ada)
    assert not take(ada, code)


def test_a_code_may_be_typed_with_blanks_and_in_wide_figures() -> None:
    ada = person()
    code = code_of(with_app(ada))
    wide = "".join(chr(ord("０") + int(figure)) for figure in code)
    assert take(ada, f" {wide[:3]} {wide[3:]} ")


def test_the_code_of_one_person_is_worth_nothing_for_another() -> None:
    ada, bob = person(), person("Bob")
    secret = with_app(ada)
    with_app(bob)
    assert not take(bob, code_of(secret))
    assert not take(person("Eve"), code_of(secret))


def test_an_app_counts_once_a_code_of_it_was_typed_back() -> None:
    ada = person()
    with pytest.raises(CodeWrong):
        add_app(actor(ada), ada.id, make_secret(), code_of(make_secret()))
    assert find_app(ada.id) is None


def test_another_app_takes_the_place_of_the_one_before() -> None:
    ada, after = person(), make_secret()
    before = with_app(ada)
    assert add_app(actor(ada), ada.id, after, code_of(after)) is True
    assert db.session.scalars(select(func.count()).select_from(AuthenticatorApp)).one() == 1
    release()
    assert not take(ada, code_of(before, 1))
    assert take(ada, code_of(after, 1))


def test_a_removed_app_opens_nothing() -> None:
    ada = person()
    secret = with_app(ada)
    assert remove_app(actor(ada), ada.id) is True
    assert not take(ada, code_of(secret))
    assert remove_app(actor(ada), ada.id) is False


def test_every_change_is_in_the_log_and_told_by_mail() -> None:
    ada, secret = person(), make_secret()
    with_app(ada)
    add_app(actor(ada), ada.id, secret, code_of(secret))
    remove_app(actor(ada), ada.id)
    actions = db.session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)).all()
    assert actions[-3:] == ["app.added", "app.replaced", "app.removed"]
    mails = db.session.scalars(select(Mail).order_by(Mail.id)).all()
    assert [(mail.kind, mail.email) for mail in mails] == [("second_factor_changed", ada.email)] * 3
    assert all(secret not in (mail.text or "") + (mail.html or "") for mail in mails)


def test_a_secret_has_160_bits_and_the_picture_says_whose_it_is() -> None:
    ada, secret = person(), make_secret()
    assert len(secret) == 32
    assert secret != make_secret()
    read = pyotp.parse_uri(app_address(ada, secret))
    assert (read.secret, read.name) == (secret, ada.email)
