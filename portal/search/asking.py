"""A query into the tokens of the index that must be there, for the one who asks; and these in each database's words."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select

from portal import access
from portal.actors import Actor
from portal.extensions import ask, db
from portal.filenames import normal
from portal.models import PUBLISH, Category, CategoryAlias, Grant, Tag, User
from portal.reach import ME as MINE
from portal.search.parsing import Part, Query
from portal.search.rows import ending_fact, first_key, person_fact, place_fact, scope_fact, tag_fact, tag_of
from portal.search.terms import begun, containing
from portal.search.texts import folded

ME = "me"
MOST_PEOPLE = 100
"""How many people one name may mean."""
ALTERNATIVES = ("type", "in")
"""Operators of which a document has only one: of two, either will do."""
LONGEST_BEGINNING = 4
"""SQLite: so many letters that begin a word are in its index; what is longer it puts together from all such words."""
MOST_BEGUN = 200
LAST = 2**63 - 1
_GRANTED = select(Grant.category_id, Grant.permission).where(access.is_for(MINE), access.in_force())
ANYTHING = "=t"
"""Every document has a fact that begins like this."""


@dataclass(frozen=True)
class Phrase:
    """Tokens one after the other; the last may go on when it is a prefix. ``is_name``: in title or filename."""

    tokens: tuple[str, ...]
    is_prefix: bool = False
    is_name: bool = False


@dataclass(frozen=True)
class Clause:
    """One of these phrases must be there, or none of them."""

    phrases: tuple[Phrase, ...]
    is_excluded: bool = False


@dataclass(frozen=True)
class Question:
    """What to ask the index: every clause, and the keys to look at, the last one not included."""

    clauses: tuple[Clause, ...]
    scope: Clause | None
    """What narrows to those the person may see, as far as the index knows; None for an administrator."""
    is_reader: bool = False
    """Whether the person publishes nowhere, and sees only what is out."""
    first: int = 0
    last: int = LAST

    @property
    def is_hopeless(self) -> bool:
        """Whether nothing can be found, such as by a tag that is not there."""
        every = (*self.clauses, self.scope) if self.scope else self.clauses
        return self.first >= self.last or any(not clause.phrases and not clause.is_excluded for clause in every)

    @property
    def only_tag(self) -> int | None:
        """The tag, if it asks for what has one and for nothing else."""
        phrases = [phrase for clause in self.clauses if not clause.is_excluded for phrase in clause.phrases]
        if len(self.clauses) != 1 or len(phrases) != 1:
            return None
        return tag_of(phrases[0].tokens[0])

    @property
    def has_prefix(self) -> bool:
        """Whether it asks for the beginning of a word."""
        return any(phrase.is_prefix for clause in self.clauses for phrase in clause.phrases)


def resolve(actor: Actor, query: Query, *, is_name: bool = False) -> Question:
    """What this query asks for when this person asks; ``is_name`` looks for words in titles and filenames only."""
    scope, is_reader = _scope(actor)
    return Question(
        tuple(_clauses(actor, query, is_name=is_name)),
        scope,
        is_reader,
        first_key(query.since) if query.since else 0,
        first_key(query.until) if query.until else LAST,
    )


def fts5(question: Question) -> str:
    """As SQLite's FTS5 reads it; "" for everything."""
    wanted, unwanted = _parted(question)
    texts = [" OR ".join(map(_fts5_phrase, clause.phrases)) for clause in wanted]
    if unwanted and not texts:
        texts = [f'"{ANYTHING}" *']
    found = " AND ".join(f"({text})" for text in texts)
    excluded = " OR ".join(_fts5_phrase(phrase) for clause in unwanted for phrase in clause.phrases)
    return f"({found}) NOT ({excluded})" if excluded else found


def tsquery(question: Question) -> str:
    """As PostgreSQL's tsquery is written; "" for everything."""
    wanted, unwanted = _parted(question)
    texts = [_tsquery_clause(clause) for clause in wanted] + [f"!{_tsquery_clause(clause)}" for clause in unwanted]
    return " & ".join(texts)


def _parted(question: Question) -> tuple[list[Clause], list[Clause]]:
    scope = [question.scope] if question.scope else []
    wanted = [clause for clause in question.clauses if not clause.is_excluded]
    return scope + wanted, [clause for clause in question.clauses if clause.is_excluded and clause.phrases]


def _fts5_phrase(phrase: Phrase) -> str:
    column = "{title filename} : " if phrase.is_name else ""
    return f'{column}"{" ".join(phrase.tokens)}"{" *" if phrase.is_prefix else ""}'


def _tsquery_clause(clause: Clause) -> str:
    return f"({' | '.join(map(_tsquery_phrase, clause.phrases))})"


def _tsquery_phrase(phrase: Phrase) -> str:
    weight = "A" if phrase.is_name else ""
    marks = [weight] * (len(phrase.tokens) - 1) + [("*" if phrase.is_prefix else "") + weight]
    words = [f"'{token}'{mark and ':' + mark}" for token, mark in zip(phrase.tokens, marks, strict=True)]
    return f"({' <-> '.join(words)})"


def _clauses(actor: Actor, query: Query, *, is_name: bool) -> Iterator[Clause]:
    either: dict[str, list[Phrase]] = defaultdict(list)
    for part in query.parts:
        phrases = list(_phrases(actor, part, is_name=is_name))
        if part.kind in ALTERNATIVES and not part.is_excluded:
            either[part.kind] += phrases
        else:
            yield Clause(tuple(phrases), part.is_excluded)
    for found in either.values():
        yield Clause(tuple(found))


def _phrases(actor: Actor, part: Part, *, is_name: bool) -> Iterable[Phrase]:
    if part.is_inside:
        return [Phrase((term,), is_name=True) for term in containing(part.tokens[0])]
    if part.kind == "words":
        return _begun(part) if is_name and part.is_prefix else [Phrase(part.tokens, part.is_prefix, is_name)]
    if part.kind == "type":
        facts: Iterable[str] = [ending_fact(part.value)]
    elif part.kind == "in":
        facts = map(place_fact, _categories(part.value))
    elif part.kind == "tag":
        named = select(Tag.id).where(Tag.name_key == folded(" ".join(part.value.split())))
        facts = map(tag_fact, db.session.scalars(named))
    else:
        facts = map(person_fact, _people(actor, part.value))
    return [Phrase((fact,)) for fact in facts]


def _begun(part: Part) -> list[Phrase]:
    """A word that is only begun, in titles and filenames: on SQLite the words it may become, where there are few."""
    *before, last = part.tokens
    terms: list[str] = []
    if db.engine.dialect.name == "sqlite" and len(last) > LONGEST_BEGINNING and not last.isdigit():
        terms = begun(last, MOST_BEGUN + 1)
    if not terms or len(terms) > MOST_BEGUN:
        return [Phrase(part.tokens, is_prefix=True, is_name=True)]
    return [Phrase((*before, term), is_name=True) for term in terms]


def _categories(path: str) -> list[int]:
    """The categories at this path, whatever the capitals in it, else the one that once was there."""
    path = normal(path)
    once = select(CategoryAlias.category_id).where(CategoryAlias.path == path)
    return _live_at(path) or list(db.session.scalars(once))


def _live_at(path: str) -> list[int]:
    """SQLite knows capitals of ASCII letters alone: where there are others, what is as long is compared here."""
    similar = func.lower(Category.path) == path.lower() if path.isascii() else func.length(Category.path) == len(path)
    live = (Category.trashed_at.is_(None), or_(Category.path == path, similar))
    found = db.session.execute(select(Category.id, Category.path).where(*live))
    return [category_id for category_id, there in found if there.lower() == path.lower()]


def _people(actor: Actor, value: str) -> list[int]:
    """Who is meant: oneself, who has this name or one that begins so, or this address.

    By the beginning of an address only those find who see addresses anyway.
    """
    wanted = folded(" ".join(value.split()))
    if wanted == ME:
        return [actor.user_id] if actor.user_id is not None else []
    by_address: ColumnElement[bool] = User.email_key == wanted
    if access.publishes_somewhere(actor):
        by_address = User.email_key.startswith(wanted, autoescape=True)
    named = or_(
        User.name_key.startswith(wanted, autoescape=True),
        User.name_key.contains(f" {wanted}", autoescape=True),
        by_address,
    )
    return list(db.session.scalars(select(User.id).where(named).order_by(User.id).limit(MOST_PEOPLE)))


def _scope(actor: Actor) -> tuple[Clause | None, bool]:
    """What narrows to what the person may see, and whether they publish nowhere."""
    if actor.is_admin:
        return None, False
    granted = ask(_GRANTED, me=actor.user_id).all()
    facts = [Phrase((scope_fact(category_id),)) for category_id in sorted({row.category_id for row in granted})]
    return Clause(tuple(facts)), all(row.permission < PUBLISH for row in granted)
