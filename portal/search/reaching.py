"""From the keys the index gives to the documents somebody may read: the one predicate decides, about each of them."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, select

from portal import access
from portal.actors import Actor
from portal.extensions import db
from portal.models import Document, db_now
from portal.search.among import among
from portal.search.asking import Question
from portal.search.rows import IDS, first_key
from portal.search.walking import count_seen, walk_of

SLACK = 8
"""One in so many more is asked of the index than is needed, for drafts and what has expired."""
LONGEST_SEARCH = 1000
"""When more than so many would have to be looked at for a page, the tokens of who may see are asked for, too."""
LARGEST_WINDOW = 1000


def find_keys(
    actor: Actor,
    question: Question,
    most: int,
    *,
    below: int | None = None,
    only_out: bool = False,
    more: ColumnElement[bool] | None = None,
    most_looked_at: int | None = None,
) -> list[int]:
    """At most so many keys of documents that meet the question and that the person may read now, the newest first.

    After ``most_looked_at`` of those that meet it, it gives what it has.
    """
    if question.is_hopeless:
        return []
    last = question.last if below is None else min(question.last, below)
    if only_out or question.is_reader:  # what is scheduled is for those who publish, and would all be met first
        last = min(last, first_key(db.session.scalars(select(db_now())).one()) + IDS + 1)
    walk = walk_of(question, lambda: count_seen(actor))
    found: list[int] = []
    looked, size = 0, most + most // SLACK + 1
    needed = size
    while True:
        keys = walk.look(last, size)
        for start in range(0, len(keys), needed):
            some = keys[start : start + needed]
            seen = _readable(actor, some, only_out=only_out, more=more)
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


def _readable(actor: Actor, keys: Sequence[int], *, only_out: bool, more: ColumnElement[bool] | None) -> set[int]:
    statement = select(Document.id).where(among(Document.id, [key & IDS for key in keys]))
    statement = _narrowed(statement, actor)
    if only_out:
        statement = statement.where(access.is_out())
    if more is not None:
        statement = statement.where(more)
    return set(db.session.scalars(statement))


def _narrowed(statement: Select[int], actor: Actor) -> Select[int]:
    """The one predicate, in the form that each database is quick with: SQLite goes up from each document, PostgreSQL
    down from the grants, once for all."""
    if db.engine.dialect.name == "sqlite":
        return statement.where(access.visible(access.level_at(Document.category_id, actor)))
    return access.readable(statement, actor)
