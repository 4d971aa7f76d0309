"""What was perhaps meant when a word stands nowhere that the person sees: a part of a word, or one with a slip in it.

Only words of documents that the person may read are ever put in the place of one: the others are nobody's to know.
"""

from dataclasses import replace

from portal.actors import Actor
from portal.search.asking import Clause, resolve
from portal.search.parsing import Part, Query
from portal.search.reaching import find_keys
from portal.search.terms import SHORTEST, near

MOST_TRIED = 8


def corrected(actor: Actor, query: Query, *, only_out: bool = False) -> Query | None:
    """The query with other words in the place of those that find nothing; None where that leads nowhere."""
    changed: dict[Part, Part] = {}
    for part in query.parts:
        if _is_correctable(part) and not _finds(actor, part, only_out=only_out):
            instead = _instead_of(actor, part, only_out=only_out)
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


def _instead_of(actor: Actor, part: Part, *, only_out: bool) -> Part | None:
    (word,) = part.tokens
    inside = replace(part, value=f"*{word}*", is_inside=True, is_prefix=False)
    if _finds(actor, inside, only_out=only_out):
        return inside
    others = [replace(part, value=term, tokens=(term,), is_prefix=False) for term in near(word)[:MOST_TRIED]]
    if others and _finds(actor, *others, only_out=only_out):
        return next((other for other in others if _finds(actor, other, only_out=only_out)), None)
    return None


def _finds(actor: Actor, *parts: Part, only_out: bool) -> bool:
    """Whether the person may read a document that has any of these."""
    questions = [resolve(actor, Query(part.value, (part,))) for part in parts]
    phrases = tuple(phrase for question in questions for clause in question.clauses for phrase in clause.phrases)
    question = replace(questions[0], clauses=(Clause(phrases),))
    return bool(find_keys(actor, question, 1, only_out=only_out))
