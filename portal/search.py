"""Words in, a condition out: every word must stand in the title or the filename, whatever its capitals."""

import unicodedata
from collections.abc import Iterable

from sqlalchemy import ColumnElement, and_, true

from portal.models import Document

MOST_WORDS = 10
MOST_CHARACTERS = 200


def text_of(title: str, filename: str) -> str:
    """What the words are looked up in, kept beside every document."""
    return unicodedata.normalize("NFKC", f"{title}\n{filename}").casefold()


def words_of(query: str) -> list[str]:
    """The words looked for: NFKC, casefolded, at most ten; what cannot be seen is left out."""
    text = unicodedata.normalize("NFKC", query[:MOST_CHARACTERS]).casefold()
    words = "".join(character if _is_seen(character) else " " for character in text).split()
    return list(dict.fromkeys(words))[:MOST_WORDS]


def matches(words: Iterable[str]) -> ColumnElement[bool]:
    """The condition that a document has every word; signs that SQL would read as wildcards are letters here."""
    return and_(true(), *(Document.search_text.contains(word, autoescape=True) for word in words))


def _is_seen(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs")
