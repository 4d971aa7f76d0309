"""Coming in: a session for whoever proved enough, a wait of ten minutes for whoever has a second factor to give."""

import pytest
from sqlalchemy import func, select

from portal.accounts import (
    Entered,
    SecondFactorDue,
    disable_user,
    enter,
    find_pending,
    find_session,
    set_password,
    sign_in,
)
from portal.errors import SignInFailed
from portal.extensions import db, transaction
from portal.models import Group, HouseRule, PendingSignIn, Session, User
from portal.tokens import token_hash
from tests.factors import with_app
from tests.makers import NETWORK, PASSWORD, change, group, now, person, release

pytestmark = pytest.mark.usefixtures("context")


def come_in(user: User, method: str = "password", *, is_two_factor: bool = False) -> Entered | SecondFactorDue:
    outcome = enter(user.id, method, network=NETWORK, agent="tests", is_two_factor=is_two_factor)
    release()
    return outcome


def having_app(name: str = "Ada", password: str | None = None) -> User:
    """A person who has an app that shows codes."""
    user = person(name, password=password)
    with_app(user)
    return user


def ask_for_second_factor(of: str) -> None:
    """Set the rule of the house, past the verbs."""
    with transaction() as session:
        session.add(HouseRule(name="second_factor", value=of))


def sessions() -> int:
    count = db.session.scalars(select(func.count()).select_from(Session)).one()
    release()
    return count


@pytest.mark.parametrize("method", ["password", "passkey", "provider", "address"])
def test_who_has_no_second_factor_and_needs_none_is_in(method: str) -> None:
    outcome = come_in(person(), method)
    assert isinstance(outcome, Entered)
    assert find_session(outcome.token) is not None
    row = db.session.scalars(select(Session)).one()
    assert (row.method, row.second_factor_at) == (method, None)


@pytest.mark.parametrize("method", ["password", "passkey", "provider", "address"])
def test_who_has_a_second_factor_has_no_session_until_it_is_given(method: str) -> None:
    outcome = come_in(having_app(), method)
    assert isinstance(outcome, SecondFactorDue)
    assert sessions() == 0
    assert find_session(outcome.token) is None
    pending = find_pending(outcome.token)
    assert pending is not None
    assert pending.method == method


def test_who_gave_two_factors_at_once_is_in() -> None:
    outcome = come_in(having_app(), "passkey", is_two_factor=True)
    assert isinstance(outcome, Entered)
    assert db.session.scalars(select(Session)).one().second_factor_at is not None


@pytest.mark.parametrize(
    ("rule", "reader", "admin"),
    [
        ("nobody", Entered, Entered),
        ("administrators", Entered, SecondFactorDue),
        ("everybody",) + (SecondFactorDue,) * 2,
    ],
)
def test_the_rule_of_the_house_says_who_waits(rule: str, reader: type, admin: type) -> None:
    ask_for_second_factor(rule)
    assert type(come_in(person())) is reader
    assert type(come_in(person("Bob", is_admin=True))) is admin


def test_a_group_may_ask_its_people() -> None:
    ada, bob = person(), person("Bob")
    made = group("Board", ada)
    group("Clients", bob)
    with transaction() as session:
        session.get_one(Group, made.id).second_factor_since = now()
    assert isinstance(come_in(ada), SecondFactorDue)
    assert isinstance(come_in(bob), Entered)


def test_a_sign_in_by_password_waits_too() -> None:
    ada = having_app(password=PASSWORD)
    outcome = sign_in(ada.email, PASSWORD, network=NETWORK, agent="tests")
    assert isinstance(outcome, SecondFactorDue)
    assert sessions() == 0


def test_nobody_waits_longer_than_ten_minutes() -> None:
    outcome = come_in(having_app())
    change(db.session.scalars(select(PendingSignIn)).one(), expires_at=now())
    assert find_pending(outcome.token) is None


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "\x00" * 43])
def test_what_is_no_token_waits_for_nothing(token: str) -> None:
    come_in(having_app())
    assert find_pending(token) is None


def test_only_the_hash_of_a_token_is_kept_and_it_is_good_for_nothing_else() -> None:
    outcome = come_in(having_app())
    stored = db.session.scalars(select(PendingSignIn.token_hash)).one()
    assert stored == token_hash("pending", outcome.token)
    assert stored != token_hash("session", outcome.token)


def test_whoever_was_disabled_is_not_let_in() -> None:
    ada = person()
    disable_user(None, ada.id)
    with pytest.raises(SignInFailed):
        come_in(ada)


def test_a_password_that_was_changed_since_it_was_checked_lets_nobody_in() -> None:
    ada = person(password=PASSWORD)
    checked = ada.password_hash
    set_password(None, ada.id, "another four good words")
    with pytest.raises(SignInFailed):
        enter(ada.id, "password", network=NETWORK, agent="", password_hash=checked)
    assert sessions() == 0


def test_one_person_waits_in_twenty_places_at_most_and_old_waits_are_cleared_away() -> None:
    ada, bob = having_app(), having_app("Bob")
    come_in(bob)
    change(db.session.scalars(select(PendingSignIn)).one(), expires_at=now())
    outcomes = [come_in(ada) for _ in range(22)]
    assert [find_pending(outcome.token) is not None for outcome in outcomes] == [False] * 2 + [True] * 20
    assert db.session.scalars(select(func.count()).select_from(PendingSignIn)).one() == 20
