"""Passwords: what may be one, how it is hashed, and that checking none costs as much as checking one."""

import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from itertools import islice

import pytest
from argon2 import PasswordHasher, extract_parameters
from flask import Flask
from sqlalchemy import select

from portal.accounts import (
    check_password,
    get_user,
    hash_password,
    issue_token,
    require_good_password,
    set_password,
    sign_in,
    spend_setup_token,
    spend_token,
)
from portal.accounts.passwords import AT_ONCE, MAXIMUM, WAITING, needs_rehash
from portal.errors import BadInput, Busy
from portal.extensions import db
from portal.models import User
from portal.settings import Settings
from tests.databases import SQLITE_ONLY
from tests.factors import with_app
from tests.makers import NETWORK, PASSWORD, person, release, running

PLACES, TOO_MANY = AT_ONCE + WAITING, 5

pytestmark = [SQLITE_ONLY, pytest.mark.usefixtures("context")]


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "x7" * 8 + "abc",
        "Passwörter dürfen alles enthalten",
        "密码可以用任何文字写成的十五个字",
        "abcdf" * (MAXIMUM // 5),
        "\U0001f600\U0001f601\U0001f602\U0001f603\U0001f604" * 3,
    ],
)
def test_a_long_password_of_any_characters_is_taken(password: str) -> None:
    require_good_password(password)
    assert check_password(hash_password(password), password)


@pytest.mark.parametrize(
    "password",
    ["éöüâêîôû", "한국어비밀번호암", ("\ufeff\u200b\u2060" * 5) + "x"],
    ids=["accents", "syllables", "unseen"],
)
def test_a_password_is_as_long_however_it_is_typed(password: str) -> None:
    for form in ("NFC", "NFD"):
        with pytest.raises(BadInput, match="at least 15"):
            require_good_password(unicodedata.normalize(form, password))


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "at least 15"),
        ("correct horse b", None),
        ("correct horse ", "at least 15"),
        ("abcd" * (MAXIMUM // 4) + "e", "at most 1024"),
        ("a" * 20, "too easy"),
        ("ababababababababab", "too easy"),
        ("aaaaaaaaaaaaaaabc", "too easy"),
        ("123456789012345", "too easy"),
        ("abcdefghijklmnopqrs", "too easy"),
        ("QwertyUiopAsdfghjkl", "too easy"),
        ("passwordpassword", "too easy"),
        ("PASSWORDpassword", "too easy"),
        ("administrator1234567", "too easy"),
        ("\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44passwordpassword", "too easy"),
    ],
)
def test_a_password_that_is_short_endless_or_easy_is_refused_with_the_reason(password: str, reason: str | None) -> None:
    if reason is None:
        require_good_password(password)
        return
    with pytest.raises(BadInput, match=reason):
        require_good_password(password)


@pytest.mark.parametrize("password", ["ada.byron@example.org", "ADA.BYRON@example.org", "Ada ByronAda Byron"])
def test_a_name_or_an_address_alone_is_no_password(password: str) -> None:
    with pytest.raises(BadInput, match="more than your name"):
        require_good_password(password, "Ada Byron", "ada.byron@example.org")
    require_good_password(f"{password} and three words", "Ada Byron", "ada.byron@example.org")


def test_length_is_counted_in_characters_as_they_were_typed() -> None:
    with pytest.raises(BadInput, match="at least 15"):
        require_good_password("\ufdfa")  # one character that normalises to eighteen


@pytest.mark.parametrize(
    ("chosen", "typed"),
    [
        ("gr\u00f6\u00dfere W\u00f6rter f\u00fcr alle", "gro\u0308\u00dfere Wo\u0308rter fu\u0308r alle"),
        ("four words of full width", "\uff46our words of full width"),
        ("the \ufb01nal four words", "the final four words"),
    ],
)
def test_a_password_is_the_same_however_the_keyboard_composes_it(chosen: str, typed: str) -> None:
    assert check_password(hash_password(chosen), typed)
    assert check_password(hash_password(typed), chosen)


@pytest.mark.parametrize(
    "typed", [PASSWORD.upper(), f"{PASSWORD} ", f" {PASSWORD}", PASSWORD[:-1], "", "\x00", "\ud800"]
)
def test_another_password_is_not_the_same(typed: str) -> None:
    assert not check_password(hash_password(PASSWORD), typed)


@pytest.mark.parametrize("stored", [None, "", "!", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=8"])
def test_nothing_belongs_to_no_hash_or_a_damaged_one(stored: str | None) -> None:
    assert not check_password(stored, PASSWORD)
    assert not check_password(stored, "nobody has this password")


def test_two_hashes_of_one_password_differ() -> None:
    assert hash_password(PASSWORD) != hash_password(PASSWORD)


def test_hashes_are_argon2id_with_the_cost_in_force() -> None:
    found = extract_parameters(hash_password(PASSWORD))
    assert (found.type.name, found.memory_cost, found.time_cost, found.parallelism) == ("ID", 8, 1, 1)


def test_an_endless_password_is_refused_without_hashing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_verifications(monkeypatch)
    assert not check_password(hash_password(PASSWORD), "x" * (MAXIMUM + 1))
    assert calls == []


def test_checking_without_a_hash_does_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = hash_password(PASSWORD)
    calls = count_verifications(monkeypatch)
    check_password(stored, "not the password at all")
    check_password(None, "not the password at all")
    costs = [extract_parameters(hashed) for hashed in calls]
    assert len(costs) == 2
    assert costs[0] == costs[1]


class Gate:
    """Where argon2 waits until ``opened``; ``most`` is how many were there at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = threading.Event()
        self.most = 0
        self._present = 0
        self._lock = threading.Lock()
        verify = PasswordHasher.verify

        def held(hasher: PasswordHasher, hashed: str | bytes, password: str | bytes) -> bool:
            self._count(+1)
            self.opened.wait(timeout=60)
            self._count(-1)
            return verify(hasher, hashed, password)

        monkeypatch.setattr(PasswordHasher, "verify", held)

    def _count(self, change: int) -> None:
        with self._lock:
            self._present += change
            self.most = max(self.most, self._present)


def count_verifications(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes argon2 verifies something against, from now on."""
    calls: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, hashed: str | bytes, password: str | bytes) -> bool:
        calls.append(str(hashed))
        return verify(self, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    return calls


def count_connections(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many connections of the pool are in use each time argon2 hashes or verifies, from now on."""
    held: list[int] = []
    for name in ("hash", "verify"):
        monkeypatch.setattr(PasswordHasher, name, counting(getattr(PasswordHasher, name), held))
    return held


def counting(work: Callable[..., str | bool], held: list[int]) -> Callable[..., str | bool]:
    def counted(*arguments: object) -> str | bool:
        held.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]
        return work(*arguments)

    return counted


def by_setup() -> object:
    return spend_setup_token(issue_token(None, "setup"), "root@example.org", "Root", PASSWORD)


def by_invitation() -> object:
    return spend_token(issue_token(None, "invitation", person().id), PASSWORD)


def by_change() -> None:
    set_password(None, person().id, PASSWORD)


def by_sign_in() -> object:
    return sign_in(person(password=PASSWORD).email, PASSWORD, network=NETWORK, agent="")


@pytest.mark.parametrize("act", [by_setup, by_invitation, by_change, by_sign_in])
def test_no_connection_is_held_while_argon2_runs(act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    held = count_connections(monkeypatch)
    act()
    assert held
    assert set(held) == {0}


def test_signing_in_replaces_a_hash_of_another_cost(context: Flask, settings: Settings) -> None:
    ada = person(password=PASSWORD)
    old = ada.password_hash
    release()
    with running(replace(settings, password_memory=16)) as other, other.app_context():
        assert old is not None
        assert needs_rehash(old)
        sign_in(ada.email, PASSWORD, network=NETWORK, agent="")
        new = db.session.scalars(select(User.password_hash)).one()
        assert new is not None
        assert extract_parameters(new).memory_cost == 16
        sign_in(ada.email, PASSWORD, network=NETWORK, agent="")
        assert db.session.scalars(select(User.password_hash)).one() == new


def test_no_more_than_two_hash_at_once_and_beyond_sixteen_waiting_nobody_is_let_in(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = hash_password(PASSWORD)
    gate = Gate(monkeypatch)

    def check() -> bool:
        with context.app_context():
            return check_password(stored, PASSWORD)

    with ThreadPoolExecutor(PLACES + TOO_MANY) as pool:
        asked = [pool.submit(check) for _ in range(PLACES + TOO_MANY)]
        turned_away = list(islice(as_completed(asked, timeout=60), TOO_MANY))
        gate.opened.set()
    assert [type(answer.exception()) for answer in turned_away] == [Busy] * TOO_MANY
    assert [answer.result() for answer in asked if answer not in turned_away] == [True] * PLACES
    assert gate.most == AT_ONCE
    assert check()


@pytest.mark.parametrize("password", ["kT4#w9!z", "kT4#w9!zQ2-m7x", "four wor!"])
def test_beside_a_second_factor_eight_characters_are_enough(password: str) -> None:
    ada = person(password=PASSWORD)
    with pytest.raises(BadInput):
        set_password(None, ada.id, password)
    with_app(ada)
    set_password(None, ada.id, password)
    assert check_password(get_user(ada.id).password_hash, password)
    with pytest.raises(BadInput, match="at least 8"):
        set_password(None, ada.id, password[:7])


@pytest.mark.parametrize(
    "password", ["password", "12345678", "qwertyui", "letmein1", "welcome123", "abcdefgh", "aabbaabb"]
)
def test_but_not_eight_that_everybody_tries_first(password: str) -> None:
    ada = person()
    with_app(ada)
    with pytest.raises(BadInput, match="too easy"):
        set_password(None, ada.id, password)


def test_a_one_time_address_takes_a_short_one_from_whoever_has_a_second_factor() -> None:
    ada = person(password=PASSWORD)
    with_app(ada)
    spend_token(issue_token(None, "reset", ada.id), "kT4#w9!z")
    assert check_password(get_user(ada.id).password_hash, "kT4#w9!z")
