"""Of whom a second factor is asked: whoever is asked keeps no session without one, and nobody locks themself out."""

import pytest
from flask import Flask
from sqlalchemy import select

from portal.accounts import (
    Entered,
    SecondFactorDue,
    SignedIn,
    add_members,
    change_user,
    enter,
    find_session,
    has_second_factor,
    join_group,
    leave_group,
    must_have_second_factor,
)
from portal.accounts.recovery import count_recovery_codes
from portal.accounts.rules import OF, Of, ask_group, change_second_factor_rule, reset_factors, second_factor_rule
from portal.accounts.sessions import start_session
from portal.errors import Conflict
from portal.extensions import db
from portal.models import AuditEvent, Mail, Session, User
from tests.factors import with_app, with_recovery_codes
from tests.makers import NETWORK, PASSWORD, actor, at_once, group, person, release

pytestmark = pytest.mark.usefixtures("context")


def begin(user: User, *, is_two_factor: bool = False) -> str:
    return start_session(user.id, network=NETWORK, agent="tests", is_two_factor=is_two_factor)


def signed_in(user: User, *, is_two_factor: bool = True) -> SignedIn:
    found = find_session(begin(user, is_two_factor=is_two_factor))
    release()
    assert found is not None
    return found


def is_in(token: str) -> bool:
    found = find_session(token) is not None
    release()
    return found


@pytest.fixture
def admin() -> SignedIn:
    """An administrator who gave a second factor in their session."""
    return signed_in(person("Boss", is_admin=True, password=PASSWORD))


@pytest.mark.parametrize(
    ("of", "reader_stays", "admin_stays"),
    [("nobody", True, True), ("administrators", True, False), ("everybody", False, False)],
)
def test_setting_the_rule_ends_sessions_without_a_second_factor_of_those_it_asks(
    admin: SignedIn, of: Of, reader_stays: bool, admin_stays: bool
) -> None:
    reader, other = begin(person()), begin(person("Bob", is_admin=True))
    strong = begin(person("Eve"), is_two_factor=True)
    change_second_factor_rule(admin, of)
    assert second_factor_rule() == of
    assert [is_in(token) for token in (reader, other, strong)] == [reader_stays, admin_stays, True]


def test_a_group_asks_its_people_and_nobody_else(admin: SignedIn) -> None:
    ada, bob = person(), person("Bob")
    board = group("Board", ada)
    of_ada, of_bob = begin(ada), begin(bob)
    ask_group(admin, board.id, asks=True)
    assert [is_in(of_ada), is_in(of_bob)] == [False, True]
    assert must_have_second_factor(ada.id)
    ask_group(admin, board.id, asks=False)
    assert not must_have_second_factor(ada.id)


@pytest.mark.parametrize("way", ["join", "add"])
def test_whoever_comes_into_such_a_group_signs_in_anew(admin: SignedIn, way: str) -> None:
    ada, board = person(), group("Board")
    ask_group(admin, board.id, asks=True)
    token, strong = begin(ada), begin(ada, is_two_factor=True)
    if way == "join":
        join_group(None, board.id, ada.id)
    else:
        add_members(None, board.id, [ada.email])
    assert [is_in(token), is_in(strong)] == [False, True]
    leave_group(None, board.id, ada.id)
    assert not must_have_second_factor(ada.id)


def test_whoever_becomes_an_administrator_signs_in_anew_where_these_need_one(admin: SignedIn) -> None:
    ada = person()
    token = begin(ada)
    change_user(None, ada.id, name=ada.name, is_admin=True)
    assert is_in(token)
    change_user(None, ada.id, name=ada.name, is_admin=False)
    change_second_factor_rule(admin, "administrators")
    token = begin(ada)
    change_user(None, ada.id, name=ada.name, is_admin=True)
    assert not is_in(token)


def test_nobody_sets_a_rule_they_do_not_keep_themselves() -> None:
    weak, board = signed_in(person("Boss", is_admin=True), is_two_factor=False), group("Board")
    for of in OF[1:]:
        with pytest.raises(Conflict):
            change_second_factor_rule(weak, of)
    with pytest.raises(Conflict):
        ask_group(weak, board.id, asks=True)
    assert second_factor_rule() == "nobody"
    assert db.session.scalars(select(Session)).one().id == weak.session_id


def test_a_rule_may_be_taken_back_by_any_administrator(admin: SignedIn) -> None:
    change_second_factor_rule(admin, "everybody")
    change_second_factor_rule(signed_in(person("Bob", is_admin=True), is_two_factor=False), "nobody")
    assert second_factor_rule() == "nobody"


def test_both_are_in_the_log_and_only_when_something_changed(admin: SignedIn) -> None:
    board = group("Board")
    for _ in range(2):
        change_second_factor_rule(admin, "everybody")
        ask_group(admin, board.id, asks=True)
    ask_group(admin, board.id, asks=False)
    events = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
    told = [(event.action, event.details.get("of")) for event in events if event.action != "session.started"]
    assert told[-3:] == [("rule.changed", "everybody"), ("group.asks", None), ("group.asks_not", None)]


def test_nobody_slips_in_while_the_rule_is_set(context: Flask, admin: SignedIn) -> None:
    people = [person(f"Person {number}").id for number in range(8)]
    jobs = [lambda user_id=user_id: enter(user_id, "password", network=NETWORK, agent="") for user_id in people]
    results = at_once(context, *jobs, lambda: change_second_factor_rule(admin, "everybody"))
    assert {type(result) for result in results} <= {Entered, SecondFactorDue, type(None)}
    assert db.session.scalars(select(Session).where(Session.second_factor_at.is_(None))).all() == []


def test_nobody_slips_in_while_they_join_a_group_that_asks(context: Flask, admin: SignedIn) -> None:
    board = group("Board").id
    ask_group(admin, board, asks=True)
    people = [person(f"Person {number}").id for number in range(6)]
    enters = [lambda user_id=user_id: enter(user_id, "password", network=NETWORK, agent="") for user_id in people]
    joins = [lambda user_id=user_id: join_group(None, board, user_id) for user_id in people]
    results = at_once(context, *enters, *joins)
    assert {type(result) for result in results} <= {Entered, SecondFactorDue, bool}
    assert db.session.scalars(select(Session).where(Session.second_factor_at.is_(None))).all() == []


def test_whoever_lost_their_factors_starts_again_without(admin: SignedIn) -> None:
    ada = person()
    with_app(ada)
    with_recovery_codes(ada)
    token = begin(ada, is_two_factor=True)
    assert reset_factors(admin, ada.id) is True
    assert not has_second_factor(ada.id)
    assert count_recovery_codes(ada.id) == 0
    assert not is_in(token)
    mail = db.session.scalars(select(Mail).order_by(Mail.id.desc())).first()
    assert mail is not None
    assert "removed your second factors" in (mail.text or "")
    event = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert event is not None
    assert (event.action, event.object_id) == ("factor.reset", ada.id)
    release()
    assert reset_factors(admin, ada.id) is False


def test_nobody_removes_their_own_in_this_way() -> None:
    boss = person("Boss", is_admin=True)
    with_app(boss)
    with pytest.raises(Conflict):
        reset_factors(actor(boss), boss.id)
    assert has_second_factor(boss.id)
