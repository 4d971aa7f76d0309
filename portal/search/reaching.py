"""From the keys the index gives to the documents somebody may read: the one predicate decides, about each of them."""

import json
from collections.abc import Sequence
from enum import Enum
from functools import cache

from sqlalchemy import ARRAY, ColumnElement, Integer, Select, String, bindparam, cast, func, select

from portal import access
from portal.actors import Actor
from portal.extensions import db
from portal.models import READ, Document, db_now
from portal.reach import ME, Reach, given
from portal.search.asking import Question
from portal.search.rows import IDS, first_key
from portal.search.walking import walk_of

SLACK = 8
"""One in so many more is asked of the index than is needed, for drafts and what has expired."""
LONGEST_SEARCH = 1000
"""When more than so many would have to be looked at for a page, the tokens of who may see are asked for, too."""
LARGEST_WINDOW = 1000
_WANTED = bindparam("ids", type_=String)


class _Whose(Enum):
    """Who asks: it is decided by what they may do, by what they were found to reach, or up from each document."""

    ADMINISTRATOR = "administrator"
    FEW = "few"
    MANY = "many"


def find_keys(
    actor: Actor,
    question: Question,
    most: int,
    *,
    reach: Reach | None = None,
    below: int | None = None,
    only_out: bool = False,
    more: ColumnElement[bool] | None = None,
    most_looked_at: int | None = None,
) -> list[int]:
    """At most so many keys of documents that meet the question and that the person may read now, the newest first.

    After ``most_looked_at`` of those that meet it, it gives what it has. ``reach`` is that of the person where there is
    more than one question.
    """
    if question.is_hopeless:
        return []
    last = _last(question, below, only_out=only_out)
    reach = reach or Reach(actor)
    walk = walk_of(question, reach.count_documents)
    found: list[int] = []
    looked, size = 0, most + most // SLACK + 1
    needed = size
    while True:
        keys = walk.look(last, size)
        for start in range(0, len(keys), needed):
            some = keys[start : start + needed]
            seen = _readable(actor, reach, some, only_out=only_out, more=more)
            found += [key for key in some if key & IDS in seen]
            looked += len(some)
            if len(found) >= most or (most_looked_at is not None and looked >= most_looked_at):
                return found[:most]
        if len(keys) < size:
            return found
        needed = (most - len(found)) * looked // max(len(found), 1)
        if needed > LONGEST_SEARCH:
            walk.narrow()
        needed = min(needed + needed // SLACK + 1, LARGEST_WINDOW)
        last, size = keys[-1], min(max(2 * needed, size), LARGEST_WINDOW)


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
    ids = [key & IDS for key in keys]
    wanted = json.dumps(ids) if dialect == "sqlite" else f"{{{','.join(map(str, ids))}}}"
    values = {"me": actor.user_id, "ids": wanted, **((mine and mine.values) or {})}
    return set(db.session.connection().execute(statement, values).scalars())


@cache
def _deciding(dialect: str, whose: _Whose, *, is_out: bool) -> Select[int]:
    """Those of some documents that somebody may read: the one predicate."""
    if dialect == "sqlite":
        ids = select(func.json_each(_WANTED).table_valued("value", name="wanted").c.value)
    else:
        ids = select(func.unnest(cast(_WANTED, ARRAY(Integer))).column_valued("wanted"))
    statement = select(Document.id).where(Document.id.in_(ids))
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
