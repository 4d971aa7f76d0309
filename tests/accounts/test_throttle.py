"""The throttle: failures count, counting comes first, and it is exact however many try at once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.accounts import confirm_by_password, enter, find_session, hash_password, one_try, record_try, sign_in
from portal.accounts.devices import note_device
from portal.accounts.throttle import KEEP_SECONDS, guess_limits
from portal.errors import Busy, SignInFailed, TooManyTries
from portal.extensions import db, transaction
from portal.models import SignInAttempt
from portal.settings import Settings
from tests.databases import SQLITE_ONLY
from tests.makers import NETWORK, PASSWORD, at_once, person, release, running

ELSEWHERE = "192.0.2.0/24"
QUARTER = 15 * 60
MANY = 50

pytestmark = pytest.mark.usefixtures("context")


def count_tries() -> int:
    number = db.session.scalars(select(func.count()).select_from(SignInAttempt)).one()
    release()
    return number


def age_tries(**by: float) -> None:
    """Move every counted try into the past."""
    with transaction() as session:
        for row in session.scalars(select(SignInAttempt)):
            row.at -= timedelta(**by)


def fail(email: str = "ada@example.org", network: str = NETWORK) -> None:
    with pytest.raises(SignInFailed):
        sign_in(email, "not the password at all", network=network, agent="")


def test_tries_are_counted_up_to_the_limit_and_no_further() -> None:
    for _ in range(3):
        record_try(("a", 3, QUARTER))
    with pytest.raises(TooManyTries) as refused:
        record_try(("a", 3, QUARTER))
    assert refused.value.retry_after == QUARTER
    assert count_tries() == 3


def test_a_try_that_one_limit_refuses_counts_towards_none() -> None:
    record_try(("network", 1, QUARTER))
    with pytest.raises(TooManyTries):
        record_try(("account", 10, QUARTER), ("network", 1, QUARTER))
    assert count_tries() == 1


def test_what_is_counted_under_one_key_is_nothing_to_another() -> None:
    record_try(("a", 1, QUARTER))
    record_try(("b", 1, QUARTER))
    assert count_tries() == 2


def test_fifty_tries_at_once_are_fifty_tries(context: Flask) -> None:
    answers = at_once(context, *[lambda: record_try(("a", 10, QUARTER))] * MANY)
    refused = [answer for answer in answers if isinstance(answer, TooManyTries)]
    assert (len(answers) - len(refused), len(refused)) == (10, MANY - 10)
    assert count_tries() == 10


def test_tries_at_once_under_two_limits_do_not_block_each_other(context: Flask) -> None:
    jobs = [
        lambda account=account: record_try((f"account-{account}", 10, QUARTER), ("network", 30, QUARTER))
        for account in list(range(5)) * 10
    ]
    answers = at_once(context, *jobs)
    assert {type(answer) for answer in answers} == {list, TooManyTries}
    assert len([answer for answer in answers if isinstance(answer, list)]) == 30


def test_a_try_counts_for_a_quarter_of_an_hour() -> None:
    record_try(("a", 1, QUARTER))
    age_tries(seconds=QUARTER - 30)
    with pytest.raises(TooManyTries):
        record_try(("a", 1, QUARTER))
    age_tries(seconds=31)
    record_try(("a", 1, QUARTER))


def test_tries_are_forgotten_after_a_day() -> None:
    record_try(("a", 1, QUARTER))
    age_tries(seconds=KEEP_SECONDS + 1)
    record_try(("b", 1, QUARTER))
    assert count_tries() == 1


def test_a_try_that_turned_out_right_is_taken_back() -> None:
    with one_try(("a", 1, QUARTER), ("b", 1, QUARTER)):
        assert count_tries() == 2
    assert count_tries() == 0


def test_a_try_that_could_not_be_looked_at_is_taken_back() -> None:
    with pytest.raises(Busy), one_try(("a", 1, QUARTER)):
        raise Busy
    assert count_tries() == 0


def test_a_try_that_was_wrong_stays() -> None:
    with pytest.raises(SignInFailed), one_try(("a", 1, QUARTER)):
        raise SignInFailed
    assert count_tries() == 1


def test_the_eleventh_wrong_password_from_one_network_is_not_even_looked_at() -> None:
    person(password=PASSWORD)
    for _ in range(10):
        fail()
    with pytest.raises(TooManyTries):
        sign_in("ada@example.org", PASSWORD, network=NETWORK, agent="")


def test_an_unknown_address_is_throttled_like_a_known_one() -> None:
    for _ in range(10):
        fail("nobody@example.org")
    with pytest.raises(TooManyTries):
        sign_in("nobody@example.org", PASSWORD, network=NETWORK, agent="")


def test_every_spelling_of_an_address_counts_as_the_same() -> None:
    for spelling in ["ada@example.org", "ADA@example.org", " Ada@Example.org "] * 3:
        fail(spelling)
    fail()
    with pytest.raises(TooManyTries):
        sign_in("aDa@example.org", PASSWORD, network=NETWORK, agent="")


def test_a_stranger_cannot_lock_somebody_out_from_elsewhere() -> None:
    person(password=PASSWORD)
    for _ in range(10):
        fail(network=ELSEWHERE)
    assert sign_in("ada@example.org", PASSWORD, network=NETWORK, agent="").token


def test_thirty_failures_of_any_accounts_close_a_network() -> None:
    for number in range(30):
        fail(f"nobody{number}@example.org")
    with pytest.raises(TooManyTries):
        sign_in("another@example.org", PASSWORD, network=NETWORK, agent="")
    fail("another@example.org", network=ELSEWHERE)


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org"])
def test_a_hundred_failures_in_a_day_from_any_networks_close_an_account_known_or_not(email: str) -> None:
    person(password=PASSWORD)
    for number in range(100):
        fail(email, network=f"10.0.{number}.0/24")
    age_tries(seconds=KEEP_SECONDS - 60)
    with pytest.raises(TooManyTries):
        sign_in(email, PASSWORD, network=NETWORK, agent="")
    age_tries(seconds=61)
    fail(email)


def test_an_account_that_is_guessed_from_everywhere_stays_open_to_known_browsers_and_one_time_addresses() -> None:
    ada = person(password=PASSWORD)
    first = sign_in("ada@example.org", PASSWORD, network=NETWORK, agent="")
    known = note_device(first.token, [])
    assert known is not None
    for number in range(100):
        fail(network=f"10.0.{number}.0/24")
    confirming = find_session(first.token, NETWORK)
    assert confirming is not None
    with pytest.raises(TooManyTries):
        confirm_by_password(confirming, PASSWORD)
    confirm_by_password(confirming, PASSWORD, [known])
    assert sign_in("ada@example.org", PASSWORD, network=NETWORK, agent="", devices=[known]).token
    assert enter(ada.id, "address", network=NETWORK, agent="").token


def test_who_guesses_passwords_uses_up_none_of_the_tries_at_a_second_factor() -> None:
    keys = {key for key, _, seconds in guess_limits("ada@example.org", NETWORK) if seconds > QUARTER}
    codes = {key for key, _, seconds in guess_limits("ada@example.org", NETWORK, is_second=True) if seconds > QUARTER}
    assert (len(keys), len(codes)) == (1, 1)
    assert keys.isdisjoint(codes)


def test_signing_in_right_counts_nothing_however_often() -> None:
    person(password=PASSWORD)
    for _ in range(12):
        sign_in("ada@example.org", PASSWORD, network=NETWORK, agent="")
    assert count_tries() == 0


def test_a_right_password_does_not_wipe_out_the_wrong_ones_before_it() -> None:
    person(password=PASSWORD)
    for _ in range(9):
        fail()
    sign_in("ada@example.org", PASSWORD, network=NETWORK, agent="")
    fail()
    with pytest.raises(TooManyTries):
        sign_in("ada@example.org", PASSWORD, network=NETWORK, agent="")


@SQLITE_ONLY
def test_a_try_that_is_turned_away_because_many_wait_is_not_counted(context: Flask, settings: Settings) -> None:
    person(password=PASSWORD)
    with running(replace(settings, login_tries=1000, network_tries=1000)) as patient:
        answers = at_once(
            patient, *[lambda: sign_in("ada@example.org", "not the password", network=NETWORK, agent="")] * MANY
        )
    kinds = [type(answer) for answer in answers]
    assert set(kinds) <= {Busy, SignInFailed}
    assert count_tries() == 3 * kinds.count(SignInFailed)
    assert hash_password(PASSWORD)
