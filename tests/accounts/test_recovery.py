"""Recovery codes: ten, shown once, kept as hashes, each gone with its one use."""

import re

import pytest
from flask import Flask
from sqlalchemy import select

from portal.accounts.recovery import (
    count_recovery_codes,
    forget_recovery_codes,
    issue_recovery_codes,
    take_recovery_code,
)
from portal.extensions import db, transaction
from portal.models import AuditEvent, Mail, RecoveryCode, User
from portal.tokens import token_hash
from tests.makers import actor, at_once, person, release

pytestmark = pytest.mark.usefixtures("context")


def issue(user: User) -> list[str]:
    return issue_recovery_codes(actor(user), user.id)


def take(user: User, code: str) -> bool:
    with transaction():
        return take_recovery_code(actor(user), user.id, code)


def mails() -> list[str]:
    found = [mail.text or "" for mail in db.session.scalars(select(Mail).order_by(Mail.id))]
    release()
    return found


def test_there_are_ten_of_eighty_bits_and_all_are_different() -> None:
    codes = issue(person())
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"([0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}", code) for code in codes)


def test_only_their_hashes_are_kept() -> None:
    codes = issue(person())
    stored = set(db.session.scalars(select(RecoveryCode.code_hash)))
    assert stored == {token_hash("recovery", code.replace("-", "")) for code in codes}


def test_each_works_once() -> None:
    ada = person()
    codes = issue(ada)
    assert take(ada, codes[3])
    assert not take(ada, codes[3])
    assert take(ada, codes[4])
    assert count_recovery_codes(ada.id) == 8


def test_fifty_uses_of_one_code_at_once_are_one_use(context: Flask) -> None:
    ada = person()
    code, who, ada_id = issue(ada)[0], actor(ada), ada.id

    def use() -> bool:
        with transaction():
            return take_recovery_code(who, ada_id, code)

    assert sorted(map(str, at_once(context, *[use] * 50))) == ["False"] * 49 + ["True"]
    assert count_recovery_codes(ada_id) == 9


def test_a_code_may_be_typed_as_people_type() -> None:
    ada = person()
    code = issue(ada)[0]
    assert take(ada, f" {code.upper().replace('-', ' ').replace('0', 'O').replace('1', 'l')} ")


@pytest.mark.parametrize("code", ["", "-", "0000-0000-0000-0000", "x" * 5000, "\0", "%", "ä" * 16])
def test_what_is_none_of_them_opens_nothing(code: str) -> None:
    ada = person()
    issue(ada)
    assert not take(ada, code)
    assert count_recovery_codes(ada.id) == 10


def test_those_of_one_person_are_worth_nothing_for_another() -> None:
    ada, bob = person(), person("Bob")
    codes = issue(ada)
    issue(bob)
    assert not take(bob, codes[0])
    assert take(ada, codes[0])


def test_new_ones_take_the_place_of_those_before() -> None:
    ada = person()
    before, after = issue(ada), issue(ada)
    assert not any(take(ada, code) for code in before)
    assert all(take(ada, code) for code in after)


def test_whoever_has_forgotten_them_has_none() -> None:
    ada = person()
    codes = issue(ada)
    with transaction():
        assert forget_recovery_codes(ada.id) is True
        assert forget_recovery_codes(ada.id) is False
    assert not take(ada, codes[0])


def test_using_one_mails_how_many_are_left() -> None:
    ada = person()
    codes = issue(ada)
    for code in codes:
        take(ada, code)
    told = mails()[1:]
    assert "nine are left" in told[0]
    assert "one is left" in told[8]
    assert "none is left" in told[9]


def test_new_codes_are_told_by_mail_and_logged_and_never_written_down() -> None:
    ada = person()
    issue(ada)
    codes = issue(ada)
    assert ["Ten recovery codes were made" in mail for mail in mails()] == [True, True]
    events = db.session.scalars(select(AuditEvent).where(AuditEvent.action == "recovery.issued")).all()
    assert len(events) == 2
    assert not any(code in repr(event.details) + "".join(mails()) for code in codes for event in events)
