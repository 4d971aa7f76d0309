"""Passwords that everybody tries first are refused, and those nobody would try are not."""

import pytest
from flask import Flask

from portal.accounts import require_good_password
from portal.accounts.guessable import WORDS, is_guessable
from portal.accounts.passwords import MINIMUM, SHORTEST
from portal.errors import BadInput

TRIED = [
    "12345678", "123456789012345", "87654321", "11111111", "12121212", "abcabcabcabc", "abcdefgh", "zyxwvuts",
    "qwertyuiop", "poiuytrewq", "qwertzuiop", "azertyuiop", "1qaz2wsx", "1q2w3e4r5t", "q1w2e3r4t5", "qazwsxedcrfv",
    "password", "password1", "Password123!", "PASSWORD2024", "p4ssw0rd", "P@$$w0rd!!", "pa55word99", "2024password",
    "iloveyou", "iloveyou123456789", "sunshine", "princess1", "football2024!!!", "letmein!letmein!", "welcome2024!!!!",
    "we1come1", "dragon dragon dragon", "trustno1", "monkey123456", "superman99",
    "qwerty123456789", "asdfasdfasdfasdf", "changeme12345678", "administrator!!!", "Sommer2025", "passwort12345678",
    "motdepasse12345", "passwordpasswordpass", "!@#$%^&*()", "a1b2c3d4e5f6g7h8",
]  # fmt: skip
UNTRIED = [
    "four words without meaning", "sunshine over the river", "my password is a long story", "tr0ub4dor&3 and more",
    "correct horse battery staple",
    "8372-9164-5520-7731", "zebra-quilt-mango-57", "Das Rad steht im Hof", "kf83hdk2", "grün wie Gras im Mai",
    "密码可以用任何文字写成的十五个字", "passwordless is the future",
]  # fmt: skip


@pytest.mark.parametrize("password", TRIED)
def test_what_everybody_tries_first_is_refused(password: str) -> None:
    assert is_guessable(password.casefold())


@pytest.mark.parametrize("password", UNTRIED)
def test_what_nobody_would_try_is_taken(password: str) -> None:
    assert not is_guessable(password.casefold())


@pytest.mark.parametrize("password", ["Portal Nord 2024!", "portalnordportalnord", "P0rtal-N0rd-123"])
def test_the_name_of_the_portal_is_a_common_word_here(password: str) -> None:
    assert is_guessable(password.casefold(), "Portal Nord")


def test_every_word_of_the_list_is_written_as_it_is_compared() -> None:
    assert all(word.isascii() and word.isalpha() and word == word.casefold() for word in WORDS)
    assert len(WORDS) > 300


@pytest.mark.parametrize("shortest", [SHORTEST, MINIMUM])
def test_the_refusal_says_what_to_do(context: Flask, shortest: int) -> None:
    with pytest.raises(BadInput, match="Take a few words that do not belong together"):
        require_good_password("Password12345678", shortest=shortest)
