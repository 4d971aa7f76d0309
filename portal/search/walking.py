"""The keys of the index that meet a question, newest first, some at a time, as each database finds them fastest."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from sqlalchemy import text

from portal.extensions import ask, db
from portal.search.asking import Question, fts5, tsquery

FEW_CATEGORIES = 16
"""So many are looked for together with the words."""
AHEAD = 2000
"""SQLite: of words that are only begun so many are found at once."""
FIRST_WALK = 1000
"""PostgreSQL: so many of the newest documents are looked at one by one, before the index is asked."""
WALKED_FOR_ONE, WALKED_FOR_BEGUN = 4, 12
"""So many can be looked at in their order in the time in which the index finds one, and one with a word that is only
begun, which it puts together from many."""
LONGEST_WALK = 10_000
MOST_INDEXED = 20_000
"""PostgreSQL: so many of what the index finds are kept at once."""
NARROW = 20_000
"""PostgreSQL: who sees more than this has lists that are longer than what is found."""
FEW = 3000
"""PostgreSQL: of somebody who sees no more than this all is looked at where a word is only begun, which the index would
have to put together from many."""

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
_TAGGED = text(
    "SELECT search_key FROM document_tags WHERE tag_id = :tag AND search_key >= :first AND search_key < :last"
    " ORDER BY search_key DESC LIMIT :most"
)
_WALK = text(
    "SELECT (array_agg(key ORDER BY key DESC) FILTER (WHERE words @@ asked))[1 : :most], min(key), count(*)"
    " FROM (SELECT key, words FROM document_words WHERE key >= :first AND key < :last ORDER BY key DESC LIMIT :walk)"
    " AS newest, CAST(:asked AS tsquery) AS asked"
)
_COUNT = text("SELECT reltuples FROM pg_class WHERE oid = 'document_words'::regclass")
# Without the 0 the keys would be looked up, too: nearly all of them, for nothing.
_INDEXED = text(
    "WITH found AS MATERIALIZED (SELECT key FROM document_words"
    " WHERE words @@ CAST(:asked AS tsquery) AND key + 0 >= :first AND key + 0 < :last)"
    " SELECT key FROM found ORDER BY key DESC LIMIT :most"
)
_SCOPED = text(
    "WITH seen AS MATERIALIZED (SELECT key, words FROM document_words"
    " WHERE words @@ CAST(:scope AS tsquery) AND key + 0 >= :first AND key + 0 < :last)"
    " SELECT key FROM seen WHERE words @@ CAST(:asked AS tsquery) ORDER BY key DESC LIMIT :most"
)


class Walk(Protocol):
    """The keys that meet one question, as one database finds them."""

    def look(self, last: int, most: int) -> Sequence[int]:
        """At most so many keys below ``last``, the newest first."""

    def narrow(self) -> None:
        """Too much of what was found is nothing the person may read: look at less of that."""


def walk_of(question: Question, count: Callable[[], int]) -> Walk:
    """The way to the answers of a question, in the database there is; ``count`` says about how much the person sees."""
    return _Sqlite(question) if db.engine.dialect.name == "sqlite" else _Postgresql(question, count)


def _is_wide(question: Question) -> bool:
    """Whether to look at what is found first: each category somebody was granted is one more list to go through."""
    return question.scope is not None and len(question.scope.phrases) > FEW_CATEGORIES


class _Sqlite:
    """FTS5 gives rows in their order as they are met, but for words that are only begun: then they are put together
    first, and many cost no more than one.
    """

    def __init__(self, question: Question) -> None:
        self._question = question
        self._asked = fts5(replace(question, scope=None) if _is_wide(question) else question)
        self._ahead: Sequence[int] = ()
        self._is_all = False

    def look(self, last: int, most: int) -> Sequence[int]:
        if not self._question.has_prefix:
            return self._find(last, most)
        ahead: Sequence[int] = [key for key in self._ahead if key < last]
        if len(ahead) < most and not self._is_all:
            asked = max(most, AHEAD)
            ahead = self._ahead = self._find(last, asked)
            self._is_all = len(ahead) < asked
        return ahead[:most]

    def narrow(self) -> None:
        self._asked = fts5(self._question)  # what is ahead is looked at first, for it is there already

    def _find(self, last: int, most: int) -> Sequence[int]:
        values: dict[str, Any] = {"first": self._question.first, "last": last, "most": most}
        if not self._asked:
            return db.session.scalars(_ALL_SQLITE, values).all()
        return db.session.scalars(_MATCHING, values | {"asked": self._asked}).all()


class _Postgresql:
    """GIN knows no order: it gives all that is found, and then they are sorted. What is frequent is met soon anyway.

    Of what has a tag the order is kept, and it is looked at as it stands there, whoever may read it.
    """

    def __init__(self, question: Question, count: Callable[[], int]) -> None:
        self._question, self._count = question, count
        self._is_open = _is_wide(question)
        self._tag, self._tagged = question.only_tag, 0
        if self._tag is not None and question.scope is not None and count() <= NARROW:
            self._tag = None
        self._ask(replace(question, scope=None) if self._is_open else question)

    def look(self, last: int, most: int) -> Sequence[int]:
        values: dict[str, Any] = {"asked": self._asked, "first": self._question.first, "most": most}
        if self._tag is not None:
            self._tagged += most
            return ask(_TAGGED, tag=self._tag, first=self._question.first, last=last, most=most).scalars().all()
        if not self._asked:
            return db.session.scalars(_ALL_POSTGRESQL, values | {"last": last}).all()
        found: list[int] = []
        walk, walked = 0 if self._rest else FIRST_WALK, 0
        while walk:
            near, end, count = db.session.execute(_WALK, values | {"last": last, "walk": walk}).one()
            found += near or []
            if len(found) >= most or count < walk:
                return found[:most]
            last, walked = end, walked + count
            walk = self._next_walk(len(found), most, walked)
        found += self._indexed(last, most - len(found))
        return found[:most]

    def narrow(self) -> None:
        """Of somebody who sees much, the lists of all they were granted are longer than what there is to look at."""
        if self._is_open and self._count() <= NARROW:
            self._is_open = False
            self._ask(self._question)
        if self._tagged > LONGEST_WALK and self._question.scope is not None and not self._is_open:
            self._tag = None  # however much has it, perhaps none of that is theirs

    def _ask(self, question: Question) -> None:
        self._asked = tsquery(question)
        self._only_excludes = not question.scope and all(clause.is_excluded for clause in question.clauses)
        self._rest: Sequence[int] = ()
        self._is_all = False

    def _next_walk(self, found: int, most: int, walked: int) -> int:
        """How many more to look at one by one; 0 when the index is to be asked, which gives all that is found."""
        if self._only_excludes:
            return LONGEST_WALK
        if not found:
            return 0
        needed = (most - found) * walked // found * 5 // 4
        is_short = self._is_scoped() or not self._question.has_prefix
        worth = WALKED_FOR_ONE if is_short else WALKED_FOR_BEGUN
        return needed if needed <= worth * count_rows() * found // walked else 0

    def _is_scoped(self) -> bool:
        """Whether a word is only begun, and all that the person sees is less to look at."""
        return self._question.scope is not None and self._question.has_prefix and self._count() <= FEW

    def _indexed(self, last: int, most: int) -> Sequence[int]:
        rest: Sequence[int] = [key for key in self._rest if key < last]
        if len(rest) < most and not self._is_all:
            asked = max(most, MOST_INDEXED)
            rest = self._rest = self._ask_index(last, asked)
            self._is_all = len(rest) < asked
        return rest

    def _ask_index(self, last: int, most: int) -> Sequence[int]:
        values = {"asked": self._asked, "first": self._question.first, "last": last, "most": most}
        scope = self._question.scope
        if scope is not None and self._is_scoped():
            return db.session.scalars(_SCOPED, values | {"scope": tsquery(Question((), scope))}).all()
        return db.session.scalars(_INDEXED, values).all()


def count_rows() -> int:
    """About how many documents PostgreSQL has in the index."""
    return max(int(db.session.scalars(_COUNT).one()), 0)
