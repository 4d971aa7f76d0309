"""Known browsers: nobody who guesses elsewhere keeps them out, and people are told of each that is new."""

import pytest
from sqlalchemy import func, select

from portal.accounts import SecondFactorDue, enter, record_try, set_password, sign_in
from portal.accounts.devices import find_device, note_device
from portal.accounts.second import enter_by_code
from portal.accounts.sessions import start_session
from portal.errors import SignInFailed, TooManyTries
from portal.extensions import db, transaction
from portal.models import KnownDevice, Mail, User
from portal.tokens import make_token, token_hash
from tests.factors import code_of, with_app, wrong
from tests.makers import NETWORK, PASSWORD, change, now, person, release

pytestmark = pytest.mark.usefixtures("context")

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def signed_in_on(user: User, *tokens: str) -> str | None:
    """What a browser with these tokens is given after a sign-in of this person."""
    made = note_device(start_session(user.id, network=NETWORK, agent=FIREFOX), tokens)
    release()
    return made


def known(user: User) -> str:
    """The token of a browser that has signed in as this person."""
    token = signed_in_on(user)
    assert token is not None
    return token


def mails() -> list[Mail]:
    found = list(db.session.scalars(select(Mail).where(Mail.kind == "session_new_device")))
    release()
    return found


def fail(email: str, times: int, *devices: str) -> None:
    for _ in range(times):
        with pytest.raises(SignInFailed):
            sign_in(email, "not the password", network=NETWORK, agent="", devices=devices)


def test_a_browser_is_known_by_a_random_token_of_which_only_a_hash_is_kept() -> None:
    ada = person()
    token = known(ada)
    assert db.session.scalars(select(KnownDevice.token_hash)).one() == token_hash("device", token)
    assert find_device(" ADA@example.org", [token]) is not None
    assert find_device("ada@example.org", [make_token(), "", "no token"]) is None


def test_it_is_known_for_the_person_who_signed_in_and_nobody_else() -> None:
    token = known(person())
    bob = person("Bob")
    assert find_device(bob.email, [token]) is None
    of_bob = signed_in_on(bob, token)
    assert of_bob is not None
    assert find_device(bob.email, [token, of_bob]) is not None


def test_it_stays_known_under_its_token() -> None:
    ada = person()
    token = known(ada)
    row = db.session.scalars(select(KnownDevice)).one()
    change(row, used_at=now(days=-30))
    assert signed_in_on(ada, token) is None
    assert db.session.scalars(select(KnownDevice.used_at)).one() > now(minutes=-1)


def test_whoever_guesses_from_the_same_network_does_not_keep_it_out() -> None:
    ada = person(password=PASSWORD)
    token = known(ada)
    fail(ada.email, 10)
    with pytest.raises(TooManyTries):
        sign_in(ada.email, PASSWORD, network=NETWORK, agent="")
    assert sign_in(ada.email, PASSWORD, network=NETWORK, agent="", devices=[token]).token


def test_whoever_uses_up_the_tries_of_the_network_does_not_either() -> None:
    ada = person(password=PASSWORD)
    token = known(ada)
    for _ in range(30):
        record_try((f"login-network:{NETWORK}", 30, 900))
    assert sign_in(ada.email, PASSWORD, network=NETWORK, agent="", devices=[token]).token


def test_its_own_tries_are_counted_and_end() -> None:
    ada = person(password=PASSWORD)
    token = known(ada)
    fail(ada.email, 10, token)
    with pytest.raises(TooManyTries):
        sign_in(ada.email, PASSWORD, network="198.51.100.0/24", agent="", devices=[token])
    assert sign_in(ada.email, PASSWORD, network=NETWORK, agent="").token


def test_a_browser_known_for_one_person_gives_no_more_tries_for_another() -> None:
    token, bob = known(person()), person("Bob", password=PASSWORD)
    fail(bob.email, 10, token)
    with pytest.raises(TooManyTries):
        sign_in(bob.email, PASSWORD, network=NETWORK, agent="", devices=[token])


def test_wrong_codes_are_counted_on_it_too() -> None:
    ada = person(password=PASSWORD)
    secret, token = with_app(ada), known(ada)
    fail(ada.email, 10)
    fail(ada.email, 9, token)
    outcome = enter(ada.id, "password", network=NETWORK, agent="")
    assert isinstance(outcome, SecondFactorDue)
    assert enter_by_code(outcome.token, code_of(secret), network=NETWORK, agent="", devices=[token]).token
    fail(ada.email, 1, token)
    outcome = enter(ada.id, "password", network=NETWORK, agent="")
    with pytest.raises(TooManyTries):
        enter_by_code(outcome.token, wrong(secret), network=NETWORK, agent="", devices=[token])


def test_people_are_told_of_a_new_browser_but_not_of_their_first() -> None:
    ada = person()
    first = known(ada)
    assert mails() == []
    signed_in_on(ada, first)
    assert mails() == []
    signed_in_on(ada)
    assert [mail.email for mail in mails()] == [ada.email]
    assert "Firefox on Linux" in (mails()[0].text or "")
    assert NETWORK in (mails()[0].text or "")


def test_twenty_are_known_and_the_one_used_longest_ago_is_forgotten() -> None:
    ada = person()
    tokens = [known(ada) for _ in range(20)]
    change(db.session.scalars(select(KnownDevice).order_by(KnownDevice.id)).all()[7], used_at=now(days=-1))
    tokens.append(known(ada))
    assert [find_device(ada.email, [token]) is not None for token in tokens] == [True] * 7 + [False] + [True] * 13


def test_a_reset_password_makes_strangers_of_them_all_and_a_change_does_not() -> None:
    ada = person(password=PASSWORD)
    token = known(ada)
    set_password(None, ada.id, "another four good words", keep_session=1)
    assert find_device(ada.email, [token]) is not None
    set_password(None, ada.id, "yet another four good words")
    assert find_device(ada.email, [token]) is None


def test_a_session_that_has_ended_meanwhile_makes_nothing_known() -> None:
    person()
    assert note_device(make_token(), []) is None
    with transaction() as session:
        assert session.scalars(select(func.count()).select_from(KnownDevice)).one() == 0
