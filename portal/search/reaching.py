"""From the keys the index gives to the documents somebody may read: the one predicate decides, about each of them."""

from collections.abc import Sequence
from enum import Enum
from functools import cache

from sqlalchemy import ColumnElement, Select, select

from portal import access
from portal.actors import Actor
from portal.extensions import ask, db, run
from portal.models import READ, Document, db_now
from portal.reach import ME, Reach, given
from portal.search.among import values_of, wanted
from portal.search.asking import Question
from portal.search.rows import IDS, first_key
from portal.search.walking import walk_of

SLACK = 8
"""One in so many more is asked of the index than is needed, for drafts and what has expired."""
LONGEST_SEARCH = 1000
"""When more than so many would have to be looked at for a page, the tokens of who may see are asked for, too."""
LARGEST_WINDOW = 1200


class _Whose(Enum):
    """Who asks: it is decided by what they may do, by what they were found to reach, or up from each document."""

    ADMINISTRATOR = "administrator"
    FEW = "few"
    MANY = "many"


class Keys:
    """The keys of documents that meet a question and that one person may read now, the newest first: found as far as
    they are asked for, so that whoever wants more of them later need not begin anew.
    """

    def __init__(
        self,
        actor: Actor,
        question: Question,
        *,
        reach: Reach | None = None,
        below: int | None = None,
        only_out: bool = False,
        more: ColumnElement[bool] | None = None,
    ) -> None:
        """``reach`` is that of the person where there is more than one question; ``below`` is a key to begin at;
        ``only_out`` leaves out drafts and what is scheduled or expired; ``more`` is a further condition.
        """
        self._actor, self._reach = actor, reach or Reach(actor)
        self._only_out, self._more = only_out, more
        self._found: list[int] = []
        self._looked = self._size = 0
        self.are_all = question.is_hopeless
        """Whether there are no others than those that were found."""
        if not self.are_all:
            self._last = _last(question, below, only_out=only_out)
            self._walk = walk_of(question, lambda: self._reach.at(READ).documents)

    def first(self, most: int, most_looked_at: int | None = None) -> list[int]:
        """At most so many; after ``most_looked_at`` of those that meet the question, it gives what it has."""
        while not self._is_enough(most, most_looked_at):
            window = self._window(most)
            self._size = max(2 * window, self._size) if self._looked else window
            self._size = min(self._size, LARGEST_WINDOW)
            keys = self._walk.look(self._last, self._size)
            for start in range(0, len(keys), window):
                if not self._is_enough(most, most_looked_at):
                    self._decide(keys[start : start + window])
            is_through = not keys or self._last == keys[-1]
            self.are_all = is_through and len(keys) < self._size
        return self._found[:most]

    def _is_enough(self, most: int, most_looked_at: int | None) -> bool:
        is_patient = most_looked_at is None or self._looked < most_looked_at
        return self.are_all or len(self._found) >= most or not is_patient

    def _window(self, most: int) -> int:
        """How many to decide about at once, by how many of those before could be read."""
        needed = most - len(self._found)
        if self._looked:
            needed = needed * self._looked // max(len(self._found), 1)
            if needed > LONGEST_SEARCH:
                self._walk.narrow()
        return min(needed + needed // SLACK + 1, LARGEST_WINDOW)

    def _decide(self, keys: Sequence[int]) -> None:
        seen = _readable(self._actor, self._reach, keys, only_out=self._only_out, more=self._more)
        self._found += [key for key in keys if key & IDS in seen]
        self._looked += len(keys)
        self._last = keys[-1]


def find_keys(
    actor: Actor,
    question: Question,
    most: int,
    *,
    reach: Reach | None = None,
    only_out: bool = False,
    more: ColumnElement[bool] | None = None,
) -> list[int]:
    """At most so many of them, for whoever wants no more."""
    return Keys(actor, question, reach=reach, only_out=only_out, more=more).first(most)


def _last(question: Question, below: int | None, *, only_out: bool) -> int:
    """Below what key to look: what is scheduled is for those who publish, and would all be met first."""
    last = question.last if below is None else min(question.last, below)
    if only_out or question.is_reader:
        last = min(last, first_key(db.session.scalars(select(db_now())).one()) + IDS + 1)
    return last


def _readable(
    actor: Actor, reach: Reach, keys: Sequence[int], *, only_out: bool, more: ColumnElement[bool] | None
) -> set[int]:
    """The ids of those the person may read; ``reach`` is what they reach now, which is asked for once."""
    mine = None if actor.is_admin else reach.at(READ)
    few = _Whose.FEW if mine is not None and mine.values is not None else _Whose.MANY
    whose = _Whose.ADMINISTRATOR if mine is None else few
    dialect = db.engine.dialect.name
    statement = _deciding(dialect, whose, is_out=only_out)
    if more is not None:
        statement = statement.where(more)
    values = values_of([key & IDS for key in keys], dialect) | {"me": actor.user_id, **((mine and mine.values) or {})}
    return set((run if more is not None else ask)(statement, **values).scalars())


@cache
def _deciding(dialect: str, whose: _Whose, *, is_out: bool) -> Select[int]:
    """Those of some documents that somebody may read: the one predicate."""
    statement = select(Document.id).join(wanted(dialect), wanted(dialect).c.id == Document.id)
    if is_out:
        statement = statement.where(access.is_out())
    if whose is _Whose.ADMINISTRATOR:
        return statement.where(Document.trashed_at.is_(None))
    if whose is _Whose.MANY:
        return statement.where(access.visible(access.level_of(Document.category_id, ME)))
    mine = given(dialect)
    # Without the 0 the documents would be looked up by their categories: nearly all of them, for nothing.
    statement = statement.join(mine, mine.c.category_id == Document.category_id + 0)
    return statement.where(access.visible(mine.c.level))
