"""The keys of the index that meet a question, newest first, some at a time, as each database finds them fastest."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from sqlalchemy import func, select, text

from portal import access
from portal.actors import Actor
from portal.extensions import db
from portal.models import Category
from portal.search.asking import Question, fts5, tsquery

FEW_CATEGORIES = 16
"""SQLite: so many are looked for together with the words."""
FIRST_WALK = 1000
"""PostgreSQL: so many of the newest documents are looked at one by one, before the index is asked."""
LONGEST_WALK = 10_000
"""So many more, when that many are likely to fill the page: the index gives all that is found, in no order."""
SMALL = 3000
"""Of somebody who sees no more than this the index is asked at once: it finds no more."""
MODERATE = 20_000
"""The same where a word is only begun, which the index would have to put together from many."""

_MATCHING = text(
    "SELECT rowid FROM document_words WHERE document_words MATCH :asked AND rowid >= :first AND rowid < :last"
    " ORDER BY rowid DESC LIMIT :most"
)
_ALL_SQLITE = text(
    "SELECT rowid FROM document_words WHERE rowid >= :first AND rowid < :last ORDER BY rowid DESC LIMIT :most"
)
_ALL_POSTGRESQL = text(
    "SELECT key FROM document_words WHERE key >= :first AND key < :last ORDER BY key DESC LIMIT :most"
)
_WALK = text(
    "SELECT (array_agg(key ORDER BY key DESC) FILTER (WHERE words @@ asked))[1 : :most], min(key), count(*)"
    " FROM (SELECT key, words FROM document_words WHERE key >= :first AND key < :last ORDER BY key DESC LIMIT :walk)"
    " AS newest, CAST(:asked AS tsquery) AS asked"
)
_INDEXED = text(
    "WITH found AS MATERIALIZED (SELECT key FROM document_words"
    " WHERE words @@ CAST(:asked AS tsquery) AND key >= :first AND key < :last)"
    " SELECT key FROM found ORDER BY key DESC LIMIT :most"
)
_SCOPED = text(
    "WITH seen AS MATERIALIZED (SELECT key, words FROM document_words"
    " WHERE words @@ CAST(:scope AS tsquery) AND key >= :first AND key < :last)"
    " SELECT key FROM seen WHERE words @@ CAST(:asked AS tsquery) ORDER BY key DESC LIMIT :most"
)


class Walk(Protocol):
    """The keys that meet one question, as one database finds them."""

    def look(self, last: int, most: int) -> Sequence[int]:
        """At most so many keys below ``last``, the newest first."""

    def narrow(self) -> None:
        """Too much of what was found is nothing the person may read: look at less of that."""


def walk_of(actor: Actor, question: Question) -> Walk:
    """The way to the answers of a question, in the database there is."""
    return _Sqlite(question) if db.engine.dialect.name == "sqlite" else _Postgresql(actor, question)


class _Sqlite:
    """FTS5 gives rows in their order as they are met. Each category somebody was granted is one more list to go
    through: of many it is better to look at what is found first."""

    def __init__(self, question: Question) -> None:
        self._question = question
        is_wide = question.scope is not None and len(question.scope.phrases) > FEW_CATEGORIES
        self._asked = fts5(replace(question, scope=None) if is_wide else question)

    def look(self, last: int, most: int) -> Sequence[int]:
        values: dict[str, Any] = {"first": self._question.first, "last": last, "most": most}
        if not self._asked:
            return db.session.scalars(_ALL_SQLITE, values).all()
        return db.session.scalars(_MATCHING, values | {"asked": self._asked}).all()

    def narrow(self) -> None:
        self._asked = fts5(self._question)


class _Postgresql:
    """GIN knows no order: it gives all that is found, and then they are sorted. What is frequent is met soon anyway."""

    def __init__(self, actor: Actor, question: Question) -> None:
        self._first = question.first
        self._asked = tsquery(question)
        self._scope = tsquery(Question((), question.scope))
        self._has_prefix = question.has_prefix
        self._only_excludes = not question.scope and all(clause.is_excluded for clause in question.clauses)
        self._seen = count_seen(actor) if self._scope else None

    def narrow(self) -> None:
        """Nothing to do: it is narrow from the start."""

    def look(self, last: int, most: int) -> Sequence[int]:
        values: dict[str, Any] = {"asked": self._asked, "first": self._first, "most": most}
        if not self._asked:
            return db.session.scalars(_ALL_POSTGRESQL, values | {"last": last}).all()
        if self._seen is not None and self._seen <= SMALL:
            return self._scoped(values, last)
        found: list[int] = []
        walk = FIRST_WALK
        while True:
            near, end, count = db.session.execute(_WALK, values | {"last": last, "walk": walk}).one()
            found += near or []
            if len(found) >= most or count < walk:
                return found[:most]
            last = end
            walk = self._next_walk(len(found), most, walk)
            if not walk:
                return found + list(self._indexed(values, last))[: most - len(found)]

    def _next_walk(self, found: int, most: int, walked: int) -> int:
        """How many more to look at one by one; 0 when the index is to be asked."""
        if self._only_excludes:
            return LONGEST_WALK
        needed = (most - found) * walked // found if found else LONGEST_WALK + 1
        return needed * 5 // 4 if walked == FIRST_WALK and needed <= LONGEST_WALK else 0

    def _indexed(self, values: dict[str, Any], last: int) -> Sequence[int]:
        if self._has_prefix and self._seen is not None and self._seen <= MODERATE:
            return self._scoped(values, last)
        return db.session.scalars(_INDEXED, values | {"last": last}).all()

    def _scoped(self, values: dict[str, Any], last: int) -> Sequence[int]:
        if not self._has_prefix:
            return db.session.scalars(_INDEXED, values | {"last": last}).all()
        return db.session.scalars(_SCOPED, values | {"last": last, "scope": self._scope}).all()


def count_seen(actor: Actor) -> int:
    """About how many documents are in the categories this person sees."""
    reach = access.reachable(actor)
    counted = select(func.coalesce(func.sum(Category.document_count), 0))
    return int(db.session.scalar(counted.join(reach, reach.c.category_id == Category.id)) or 0)
