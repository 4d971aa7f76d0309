"""What was perhaps meant when a word stands nowhere that the person sees: a part of a word, or one with a slip in it.

Only words of documents that the person may read are ever put in the place of one: the others are nobody's to know.
"""

from collections.abc import Sequence
from dataclasses import replace

from portal.actors import Actor
from portal.reach import Reach
from portal.search.among import ask_of
from portal.search.asking import Clause, Phrase, resolve
from portal.search.parsing import Part, Query
from portal.search.ranking import names
from portal.search.reaching import find_keys
from portal.search.rows import IDS
from portal.search.terms import SHORTEST, containing, near
from portal.search.tokens import tokens

TRIED = (8, 100)
"""So many of the nearest words are tried, and only where nobody may read them, the rest up to so many."""
MOST_READ = 20
"""The nearest word is taken that one of so many documents has."""


def corrected(actor: Actor, query: Query, reach: Reach, *, only_out: bool = False) -> Query | None:
    """A query that finds nothing with other words in the place of those to blame; None where that leads nowhere.

    ``reach`` is that of the person.
    """
    asking = _Asking(actor, reach, only_out=only_out)
    is_to_blame = len(query.parts) == 1 and query.since is None and query.until is None
    changed: dict[Part, Part] = {}
    for part in query.parts:
        if _is_correctable(part) and (is_to_blame or not asking.find([Phrase(part.tokens, part.is_prefix)], 1)):
            instead = asking.instead_of(part)
            if instead is None:
                return None
            changed[part] = instead
    if not changed:
        return None
    text = query.text
    for part in sorted(changed, key=lambda part: -part.start):
        text = text[: part.start] + changed[part].value + text[part.end :]
    return replace(query, text=text, parts=tuple(changed.get(part, part) for part in query.parts))


def _is_correctable(part: Part) -> bool:
    is_word = part.kind == "words" and len(part.tokens) == 1 and len(part.tokens[0]) >= SHORTEST
    return is_word and not (part.is_excluded or part.is_inside)


class _Asking:
    """What one person may read, asked more than once."""

    def __init__(self, actor: Actor, reach: Reach, *, only_out: bool) -> None:
        self._actor, self._reach, self._only_out = actor, reach, only_out
        self._anything = resolve(actor, Query(""))

    def instead_of(self, part: Part) -> Part | None:
        """What to look for in the place of a word that finds nothing."""
        (word,) = part.tokens
        longer = [Phrase((term,), is_name=True) for term in containing(word)]
        if self.find(longer, 1):
            return replace(part, value=f"*{word}*", is_inside=True, is_prefix=False)
        terms = near(word)
        few, many = TRIED
        term = self._first_seen(terms[:few]) or self._first_seen(terms[few:many])
        return replace(part, value=term, tokens=(term,), is_prefix=False) if term is not None else None

    def _first_seen(self, terms: Sequence[str]) -> str | None:
        """The first of these words that is in the name of a document of theirs, of the newest that have any."""
        if not terms:
            return None
        keys = self.find([Phrase((term,), is_name=True) for term in terms], MOST_READ)
        named = ask_of(names, [key & IDS for key in keys]).all() if keys else []
        there = {token for row in named for text in (row.title, row.filename) for token in tokens(text)}
        return next((term for term in terms if term in there), None)

    def find(self, phrases: Sequence[Phrase], most: int) -> list[int]:
        """Keys of the newest documents that have any of these."""
        question = replace(self._anything, clauses=(Clause(tuple(phrases)),))
        return find_keys(self._actor, question, most, reach=self._reach, only_out=self._only_out)
