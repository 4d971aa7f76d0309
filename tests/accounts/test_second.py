"""The second factor: right once, throttled together with passwords, and bound to the sign-in it was asked in."""

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.accounts import SecondFactorDue, disable_user, enter, find_pending, find_session, set_password, sign_in
from portal.accounts.apps import find_app, make_secret
from portal.accounts.recovery import count_recovery_codes
from portal.accounts.second import enter_by_code, enter_by_recovery_code, enter_proven, enter_set_up, set_up_app
from portal.accounts.sessions import end_all_sessions, end_other_sessions, start_session
from portal.accounts.throttle import DAY, guess_limits
from portal.errors import CodeWrong, Conflict, RecoveryCodeWrong, SignInFailed, SignInOver, TooManyTries
from portal.extensions import db, transaction
from portal.models import AuditEvent, HouseRule, PendingSignIn, Session, SignInAttempt, User
from tests.factors import code_of, with_app, with_recovery_codes, wrong
from tests.makers import NETWORK, PASSWORD, actor, at_once, change, now, person, release

pytestmark = pytest.mark.usefixtures("context")

OTHER_NETWORK = "198.51.100.0/24"


def waiting(user: User) -> str:
    """The token of a sign-in of this person that waits for the second factor."""
    outcome = enter(user.id, "password", network=NETWORK, agent="tests")
    release()
    assert isinstance(outcome, SecondFactorDue)
    return outcome.token


def by_code(token: str, code: str, network: str = NETWORK) -> str:
    return enter_by_code(token, code, network=network, agent="tests").token


def by_recovery(token: str, code: str, network: str = NETWORK) -> str:
    return enter_by_recovery_code(token, code, network=network, agent="tests").token


def count(table: type[Session] | type[PendingSignIn] | type[SignInAttempt]) -> int:
    found = db.session.scalars(select(func.count()).select_from(table)).one()
    release()
    return found


def ask_everybody() -> None:
    with transaction() as session:
        session.add(HouseRule(name="second_factor", value="everybody"))


def test_a_code_of_the_app_lets_in() -> None:
    ada = person()
    secret = with_app(ada)
    token = waiting(ada)
    entered = by_code(token, code_of(secret))
    assert find_session(entered) is not None
    row = db.session.scalars(select(Session)).one()
    assert row.method == "password"
    assert row.second_factor_at is not None


def test_the_token_of_the_wait_never_becomes_the_session_and_is_over_with_it() -> None:
    ada = person()
    secret = with_app(ada)
    token = waiting(ada)
    entered = by_code(token, code_of(secret))
    assert entered != token
    assert find_session(token) is None
    assert find_pending(token) is None
    with pytest.raises(SignInOver):
        by_code(token, code_of(secret, 1))


def test_a_recovery_code_lets_in_once() -> None:
    ada = person()
    with_app(ada)
    code = with_recovery_codes(ada)[0]
    assert find_session(by_recovery(waiting(ada), code)) is not None
    release()
    with pytest.raises(RecoveryCodeWrong):
        by_recovery(waiting(ada), code)
    assert count_recovery_codes(ada.id) == 9


def test_fifty_sign_ins_with_one_recovery_code_at_once_are_one(context: Flask) -> None:
    ada = person()
    with_app(ada)
    code = with_recovery_codes(ada)[0]
    tokens = [waiting(ada) for _ in range(10)]
    jobs = [lambda token=token, at=at: by_recovery(token, code, f"10.0.{at}.0/24") for at, token in enumerate(tokens)]
    results = at_once(context, *jobs * 5)
    assert [type(result) for result in results].count(str) == 1
    assert count(Session) == 1
    assert count_recovery_codes(ada.id) == 9


def test_one_code_at_twenty_sign_ins_at_once_lets_one_in(context: Flask) -> None:
    ada = person()
    code = code_of(with_app(ada))
    tokens = [waiting(ada) for _ in range(20)]
    jobs = [lambda token=token, at=at: by_code(token, code, f"10.0.{at}.0/24") for at, token in enumerate(tokens)]
    results = at_once(context, *jobs)
    assert [type(result) for result in results].count(str) == 1
    assert count(Session) == 1


def test_a_code_used_at_one_sign_in_is_worth_nothing_at_the_next() -> None:
    ada = person()
    code = code_of(with_app(ada))
    by_code(waiting(ada), code)
    with pytest.raises(CodeWrong):
        by_code(waiting(ada), code)


def test_a_wait_of_one_person_takes_no_code_of_another() -> None:
    ada, bob = person(), person("Bob")
    of_ada, of_bob = with_app(ada), with_app(bob)
    token = waiting(ada)
    with pytest.raises(CodeWrong):
        by_code(token, code_of(of_bob))
    with pytest.raises(RecoveryCodeWrong):
        by_recovery(token, with_recovery_codes(bob)[0])
    entered = find_session(by_code(token, code_of(of_ada)))
    assert entered is not None
    assert entered.user_id == ada.id


def test_nothing_is_used_up_when_the_wait_is_over() -> None:
    ada = person()
    with_app(ada)
    code = with_recovery_codes(ada)[0]
    token = waiting(ada)
    change(db.session.scalars(select(PendingSignIn)).one(), expires_at=now())
    with pytest.raises(SignInOver):
        by_recovery(token, code)
    assert count_recovery_codes(ada.id) == 10


def test_a_password_changed_meanwhile_ends_the_wait() -> None:
    ada = person(password=PASSWORD)
    secret = with_app(ada)
    token = waiting(ada)
    set_password(None, ada.id, "another four good words")
    with pytest.raises(SignInOver):
        by_code(token, code_of(secret))
    assert count(Session) == 0


def test_a_password_changed_past_the_verbs_ends_it_too() -> None:
    ada = person(password=PASSWORD)
    secret = with_app(ada)
    token = waiting(ada)
    change(ada, password_hash="another")
    with pytest.raises(SignInOver):
        by_code(token, code_of(secret))


@pytest.mark.parametrize("end", ["by an administrator", "by the person"])
def test_being_signed_out_everywhere_ends_the_wait(end: str) -> None:
    ada = person()
    secret = with_app(ada)
    here = find_session(start_session(ada.id, network=NETWORK, agent=""))
    token = waiting(ada)
    assert here is not None
    if end == "by the person":
        end_other_sessions(here)
    else:
        end_all_sessions(actor(person("Boss", is_admin=True)), ada.id)
    with pytest.raises(SignInOver):
        by_code(token, code_of(secret))


def test_somebody_disabled_meanwhile_is_not_let_in() -> None:
    ada = person()
    secret = with_app(ada)
    token = waiting(ada)
    disable_user(None, ada.id)
    with pytest.raises(SignInOver):
        by_code(token, code_of(secret))


def test_after_five_wrong_codes_of_any_kind_the_wait_is_over() -> None:
    ada = person()
    secret = with_app(ada)
    token = waiting(ada)
    for at in range(5):
        with pytest.raises(CodeWrong):
            (by_code if at % 2 else by_recovery)(token, wrong(secret), f"10.0.{at}.0/24")
    assert find_pending(token) is None
    with pytest.raises(SignInOver):
        by_code(token, code_of(secret))
    refused = select(func.count()).where(AuditEvent.action == "session.refused")
    assert db.session.scalars(refused).one() == 5


def test_wrong_codes_and_wrong_passwords_count_together() -> None:
    ada = person(password=PASSWORD)
    secret = with_app(ada)
    guesses = (
        lambda: sign_in(ada.email, "not the password", network=NETWORK, agent=""),
        lambda: by_code(waiting(ada), wrong(secret)),
        lambda: by_recovery(waiting(ada), "0000"),
    )
    for at in range(10):
        with pytest.raises((SignInFailed, CodeWrong)):
            guesses[at % 3]()
    token = waiting(ada)
    for attempt in (
        lambda: by_code(token, code_of(secret)),
        lambda: by_recovery(token, "0000"),
        lambda: sign_in(ada.email, PASSWORD, network=NETWORK, agent=""),
    ):
        with pytest.raises(TooManyTries):
            attempt()
    assert by_code(token, code_of(secret), OTHER_NETWORK)


def test_a_right_password_in_between_gives_no_more_tries() -> None:
    ada = person(password=PASSWORD)
    secret = with_app(ada)
    for _ in range(10):
        outcome = sign_in(ada.email, PASSWORD, network=NETWORK, agent="")
        with pytest.raises(CodeWrong):
            by_code(outcome.token, wrong(secret))
    with pytest.raises(TooManyTries):
        sign_in(ada.email, PASSWORD, network=NETWORK, agent="")


def test_fifty_wrong_codes_at_once_are_counted_before_they_are_looked_at(context: Flask) -> None:
    ada = person()
    guess = wrong(with_app(ada))
    tokens = [waiting(ada) for _ in range(10)]
    jobs = [lambda token=token: by_code(token, guess) for token in tokens * 5]
    results = at_once(context, *jobs)
    kinds = [type(result) for result in results]
    assert kinds.count(CodeWrong) == 10
    assert set(kinds) <= {CodeWrong, TooManyTries, SignInOver}


def test_guessing_from_everywhere_ends_after_a_hundred_tries_a_day() -> None:
    ada = person()
    secret = with_app(ada)
    (key,) = (key for key, _, seconds in guess_limits(ada.email, NETWORK, is_second=True) if seconds == DAY)
    with transaction() as session:
        session.add_all(SignInAttempt(key=key, at=now(hours=-5)) for _ in range(99))
    with pytest.raises(CodeWrong):
        by_code(waiting(ada), wrong(secret), "10.1.0.0/24")
    with pytest.raises(TooManyTries):
        by_code(waiting(ada), code_of(secret), "10.2.0.0/24")


def test_right_codes_are_no_tries() -> None:
    ada = person()
    secret = with_app(ada)
    by_code(waiting(ada), code_of(secret))
    assert count(SignInAttempt) == 0


def test_who_must_have_a_factor_sets_one_up_before_there_is_any_session() -> None:
    ask_everybody()
    ada, secret = person(), make_secret()
    token = waiting(ada)
    with pytest.raises(CodeWrong):
        set_up_app(token, secret, wrong(secret), network=NETWORK)
    assert find_app(ada.id) is None
    with pytest.raises(SignInOver):
        enter_set_up(token, network=NETWORK, agent="")
    codes = set_up_app(token, secret, code_of(secret), network=NETWORK)
    assert len(codes) == 10
    assert count(Session) == 0
    entered = enter_set_up(token, network=NETWORK, agent="tests").token
    assert find_session(entered) is not None
    row = db.session.scalars(select(Session)).one()
    assert row.second_factor_at is not None
    with pytest.raises(SignInOver):
        enter_set_up(token, network=NETWORK, agent="")


def test_who_has_a_factor_cannot_set_up_another_instead_of_giving_it() -> None:
    ada, secret = person(), make_secret()
    before = with_app(ada)
    token = waiting(ada)
    with pytest.raises(Conflict):
        set_up_app(token, secret, code_of(secret), network=NETWORK)
    with pytest.raises(SignInOver):
        enter_set_up(token, network=NETWORK, agent="")
    assert by_code(token, code_of(before))


def test_of_several_set_ups_at_once_one_counts(context: Flask) -> None:
    ask_everybody()
    ada = person()
    tokens, secrets = [waiting(ada) for _ in range(6)], [make_secret() for _ in range(6)]
    codes = [code_of(secret) for secret in secrets]
    jobs = [
        lambda token=token, secret=secret, code=code: set_up_app(token, secret, code, network=NETWORK)
        for token, secret, code in zip(tokens, secrets, codes, strict=True)
    ]
    results = at_once(context, *jobs)
    assert sorted(type(result).__name__ for result in results) == ["Conflict"] * 5 + ["list"]
    assert count_recovery_codes(ada.id) == 10


def test_another_means_may_prove_it() -> None:
    ada = person()
    with_app(ada)
    seen: list[int] = []
    outcome = enter_proven(waiting(ada), "code", network=NETWORK, agent="", prove=lambda user: seen.append(user.id))
    assert find_session(outcome.token) is not None
    assert seen == [ada.id]


@pytest.mark.parametrize("length", [8, 14])
def test_a_short_password_never_lets_in_alone(length: int) -> None:
    ada = person(password=PASSWORD)
    secret = with_app(ada)
    password = "kT4#w9!zQ2-m7x"[:length]
    set_password(None, ada.id, password)
    app = find_app(ada.id)
    with transaction() as session:
        session.delete(session.merge(app))
    outcome = sign_in(ada.email, password, network=NETWORK, agent="")
    assert isinstance(outcome, SecondFactorDue)
    with pytest.raises(CodeWrong):
        by_code(outcome.token, code_of(secret))
