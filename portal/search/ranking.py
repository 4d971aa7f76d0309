"""The best of the newest hits first: how much of what was looked for is what a document is called."""

from collections.abc import Sequence
from functools import cache

from sqlalchemy import Select, select

from portal.models import Document
from portal.search.among import ask_of, wanted
from portal.search.parsing import Part, Query
from portal.search.rows import IDS
from portal.search.tokens import tokens

IN_TITLE, IN_FILENAME, TOGETHER = 4.0, 2.0, 3.0


def ranked(query: Query, keys: Sequence[int]) -> list[int]:
    """These keys, the best first, and the newest first of those that are as good."""
    parts = [part for part in query.parts if part.kind == "words" and not part.is_excluded]
    named = ask_of(names, [key & IDS for key in keys])
    scores = {row.id: _score(parts, tokens(row.title), tokens(row.filename)) for row in named}
    return sorted(keys, key=lambda key: (-scores.get(key & IDS, 0.0), -key))


@cache
def names(dialect: str) -> Select[int, str, str]:
    """What documents are called: id, title and filename."""
    these = wanted(dialect)
    return select(Document.id, Document.title, Document.filename).join(these, these.c.id == Document.id)


def _score(parts: Sequence[Part], title: Sequence[str], filename: Sequence[str]) -> float:
    score = sum(max(_has(part, title) * IN_TITLE, _has(part, filename) * IN_FILENAME) for part in parts)
    asked = [token for part in parts for token in part.tokens]
    if len(asked) > 1 and _stands_in(asked, title):
        score += TOGETHER
    covered = sum(1 for token in title if token in asked)
    return score + covered / (len(title) or 1)


def _has(part: Part, found: Sequence[str]) -> float:
    """1 for all of a part, less where a word only begins or holds it."""
    if _stands_in(part.tokens, found):
        return 1.0
    last = part.tokens[-1]
    if part.is_prefix and any(token.startswith(last) for token in found):
        return 0.7
    return 0.5 if part.is_inside and any(last in token for token in found) else 0.0


def _stands_in(asked: Sequence[str], found: Sequence[str]) -> bool:
    size = len(asked)
    return any(list(found[at : at + size]) == list(asked) for at in range(len(found) - size + 1))
