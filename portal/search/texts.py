"""Words in, a condition out: every word must stand in the title or the filename, whatever its capitals."""

import unicodedata
from collections.abc import Iterable

from sqlalchemy import ColumnElement, and_, true

from portal.models import Document

MOST_WORDS = 10
MOST_CHARACTERS = 200


def text_of(title: str, filename: str) -> str:
    """What the words are looked up in, kept beside every document."""
    return folded(f"{title}\n{filename}")


def words_of(query: str) -> list[str]:
    """The words looked for, at most ten, as they stand in what ``text_of`` gives; what no text can have parts them."""
    text = folded(query[:MOST_CHARACTERS])
    words = "".join(" " if unicodedata.category(character) in ("Cc", "Cs") else character for character in text).split()
    return list(dict.fromkeys(words))[:MOST_WORDS]


def matches(words: Iterable[str]) -> ColumnElement[bool]:
    """The condition that a document has every word; signs that SQL would read as wildcards are letters here."""
    return and_(true(), *(Document.search_text.contains(word, autoescape=True) for word in words))


def folded(text: str) -> str:
    """NFKC and casefolded, without soft hyphens, joiners and the like, which nobody sees and few type."""
    normal = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in normal if unicodedata.category(character) != "Cf")
