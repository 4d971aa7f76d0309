"""Text into the tokens of the index, the same for both databases and for what is asked. Pure.

A token is a run of letters and digits, casefolded and without accents; a character of a script that has no spaces
between words is a token by itself. What people type becomes the same tokens, one after the other: a phrase.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

LONGEST = 64
"""Characters of a token; what is beyond them is cut, in the index as in what is asked."""

_PLAIN = re.compile(r"[a-z0-9]+")
_ALONE = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_VOICED = (7, 8, 9)
"""Combining classes of marks that make another letter of one, not the same letter with an accent."""


def tokens(text: str, most: int | None = None) -> list[str]:
    """The tokens of a text in their order, at most ``most`` of them."""
    if text.isascii():
        found = (match[0][:LONGEST] for match in _PLAIN.finditer(text.lower()))
    else:
        found = (token for token, _, _ in spans(unicodedata.normalize("NFC", text)))
    return list(islice(found, most))


def spans(text: str) -> Iterator[tuple[str, int, int]]:
    """The tokens of a text with where each begins and ends in it."""
    run: list[str] = []
    start = end = 0
    for where, character in enumerate(text):
        letters = _letters(character)
        if not letters:
            end = where + 1  # an accent belongs to the letter before it
        for letter in letters:
            is_alone = _is_alone(letter)
            if run and (is_alone or letter == " "):
                yield "".join(run)[:LONGEST], start, end
                run.clear()
            if is_alone:
                yield letter, where, where + 1
            elif letter != " ":
                start = start if run else where
                end = where + 1
                run.append(letter)
    if run:
        yield "".join(run)[:LONGEST], start, end


@lru_cache(maxsize=4096)
def _letters(character: str) -> str:
    """What a character is in the index: nothing, letters, or a space for what parts tokens."""
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", character).casefold())
    kept = "".join(one for one in parts if (unicodedata.combining(one) or 7) in _VOICED)
    return "".join(map(_letter, unicodedata.normalize("NFC", kept)))


def _letter(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    return character.lower() if category[0] in "LNM" else " "


def _is_alone(letter: str) -> bool:
    code = ord(letter)
    return code >= _ALONE[0][0] and any(first <= code <= last for first, last in _ALONE)
