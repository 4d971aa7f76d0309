"""The first documents of a line that one person may see, found without looking at many they may not.

The first k can only lie in the k categories whose own first comes first, and each of those is one step into an index:
so it is done for who reaches few categories. Who reaches many meets enough documents of theirs by walking the index
over all documents for a while, or is at the end of the line by then; if not, it is done like the other. Each way says
exactly what ``access`` says.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.orm import InstrumentedAttribute, aliased

from portal import access
from portal.actors import Actor
from portal.extensions import ask, db
from portal.models import MANAGE, READ, Category, Document
from portal.reach import MANY, ME, Reach, given

SOME = 100
"""Who reaches more categories than this walks on PostgreSQL, over a line that it reads off an index alone."""
WALK, LONG_WALK = 300, 1000
"""Over so many documents of the line somebody walks, whether they may be seen or not; further where nothing has to be
looked up and the first walk says that it will be enough. Statements have the number itself: a plan for any number would
be one for many.
"""
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
"""Moments before and after all others."""

_SHELF = bindparam("category_id", type_=Integer)
_LINEAGE = bindparam("lineage", type_=String)
_LIMIT, _LAST_PLACE = bindparam("limit", type_=Integer), bindparam("last_place", type_=Integer)
_TOP = aliased(Document)


class Shelves(Enum):
    """Where the categories come from that are looked at one by one."""

    ALL = "all"
    GIVEN = "given"
    REACHED = "reached"


@dataclass(frozen=True, eq=False)
class Line:
    """Documents in a row, the last first: by ``key``, then by id. Two indexes have that order, one within a category.

    It goes from ``most`` down to ``least``, both included; beside these no condition on the key is read off an index. A
    line by the id alone is of documents without a date, and has no ends.
    Whoever has less than ``permission`` on a category sees none of its documents in this line; ``shows`` says which of
    them somebody sees who has as much. A line is made once: its statements are kept.
    """

    key: InstrumentedAttribute[Any]
    most: ColumnElement[Any] | None
    least: ColumnElement[Any] | None
    where: tuple[ColumnElement[bool], ...] = ()
    permission: int = READ
    shows: Callable[[ColumnElement[int], type[Document]], ColumnElement[bool]] = access.visible
    is_covered: bool = True
    """Whether an index has all that its conditions ask of a document."""

    @property
    def order(self) -> tuple[ColumnElement[Any], ...]:
        """What to sort by, as the indexes have it."""
        key = Document.published_at if self.key is Document.id else self.key
        return (key.desc(), Document.id.desc())

    def ids(self, *conditions: ColumnElement[bool], last: ColumnElement[Any] | None = None) -> Select[int]:
        """Those who meet the conditions too, in order; down to ``last`` if there is such a value."""
        bounds: tuple[ColumnElement[bool], ...] = ()
        if self.most is not None and self.least is not None:
            least = func.coalesce(last, self.least) if last is not None else self.least
            # These two come first: of several conditions that bound a key SQLite takes the first.
            bounds = (self.key <= self.most, self.key >= least)
        return select(Document.id).where(*bounds, *self.where, *conditions).order_by(*self.order)


def list_front(
    actor: Actor,
    line: Line,
    limit: int,
    *,
    reach: Reach | None = None,
    category: Category | None = None,
    directly: bool = False,
    **values: object,
) -> list[int]:
    """The first ids of a line that the person may see, in order; in one category or in it and below it, if given.

    ``reach`` is that of the person where more than one list is asked for; ``values`` are those the conditions of the
    line ask for.
    """
    values |= {"me": actor.user_id, "limit": limit, "last_place": limit - 1}
    if category is not None:
        values |= {"category_id": category.id, "lineage": category.lineage}
        if directly:
            return _found(_directly(line, actor.is_admin), values)
    if actor.is_admin:
        every = _shelf_by_shelf(line, _dialect(), Shelves.ALL, is_below=True) if category is not None else _all(line)
        return _found(every, values)
    mine = (reach or Reach(actor)).at(line.permission)
    if mine.highest < line.permission:
        return []
    values |= mine.values or {}
    is_quick = line.is_covered and _dialect() == "postgresql"
    if category is None and mine.met > (SOME if is_quick else MANY):
        found = _walked(line, limit, (WALK, LONG_WALK) if is_quick else (WALK,), values)
        if found is not None:
            return found
    shelves = Shelves.GIVEN if mine.values is not None else Shelves.REACHED
    return _found(_shelf_by_shelf(line, _dialect(), shelves, is_below=category is not None), values)


def in_order(line_up: Iterable[Line], limit: int, find: Callable[[Line, int], list[int]]) -> list[int]:
    """The first ids of several lines that stand one behind the other."""
    ids: list[int] = []
    for line in line_up:
        if len(ids) < limit:
            ids += find(line, limit - len(ids))
    return ids


def _dialect() -> str:
    return db.session.get_bind().dialect.name


def _found(statement: Select[int], values: dict[str, object]) -> list[int]:
    return list(ask(statement, **values).scalars())


def _walked(line: Line, limit: int, lengths: Sequence[int], values: dict[str, object]) -> list[int] | None:
    """The first ids as far as they are met on a walk; None when that is not enough and there are others behind it."""
    for length in lengths:
        found = _found(_walking(line, _dialect(), length), values)
        if len(found) == limit:
            return found
        if len(found) * lengths[-1] < limit * length:
            break
    return found if not _found(_rest(line, length), values) else None


@cache
def _all(line: Line) -> Select[int]:
    return line.ids(line.shows(literal(MANAGE, Integer), Document)).limit(_LIMIT)


@cache
def _directly(line: Line, is_admin: bool) -> Select[int]:
    level = literal(MANAGE, Integer) if is_admin else access.level_of(_SHELF, ME)
    return line.ids(Document.category_id == _SHELF, line.shows(level, Document)).limit(_LIMIT)


@cache
def _walking(line: Line, dialect: str, length: int) -> Select[int]:
    if dialect != "sqlite":
        return _walking_first(line, dialect, length)
    end = line.ids().with_only_columns(line.key, Document.id).offset(_number(length)).limit(1).cte("walked")
    key, document_id = (select(column).scalar_subquery() for column in end.c)
    is_before = or_(key.is_(None), line.key > key, and_(line.key == key, Document.id > document_id))
    walked = line.ids(is_before, last=key).limit(_LIMIT)
    return walked.where(line.shows(access.level_of(Document.category_id, ME), Document))


def _walking_first(line: Line, dialect: str, length: int) -> Select[int]:
    """PostgreSQL, which would read all grants for each document, walks to the end first and then asks whose they are.

    It must not think of going from the categories to their documents instead, so the walk is not its own to leave out.
    All that is asked of a document stands in the index that is walked over: none is looked up.
    """
    columns = (Document.id, Document.category_id, Document.trashed_at, Document.published_at, Document.expires_at)
    walked = line.ids().with_only_columns(*columns).limit(_number(length)).cte("walked").prefix_with("MATERIALIZED")
    here, reach = aliased(Document, walked), given(dialect)
    mine = (line.shows(reach.c.level, here), reach.c.level >= line.permission)
    found = select(here.id).join(reach, reach.c.category_id == here.category_id).where(*mine)
    return found.order_by(getattr(here, line.key.key).desc(), here.id.desc()).limit(_LIMIT)


@cache
def _rest(line: Line, length: int) -> Select[int]:
    """What comes after those that are walked over."""
    return line.ids().offset(_number(length)).limit(1)


def _number(length: int) -> ColumnElement[int]:
    return literal_column(str(length), Integer)


@cache
def _shelf_by_shelf(line: Line, dialect: str, shelves: Shelves, *, is_below: bool) -> Select[int]:
    best = _best(line, shelves_of(shelves, dialect, line.permission, is_below=is_below), dialect)
    last = select(best.c.key).order_by(best.c.key.desc(), best.c.id.desc()).offset(_LAST_PLACE).limit(1)
    # What comes after the last of so many firsts is not among the first so many.
    inside = (Document.category_id == best.c.category_id, line.shows(best.c.level, Document))
    here = line.ids(*inside, last=last.scalar_subquery()).limit(_LIMIT).correlate(best)
    if dialect == "sqlite":
        found = select(Document.id).select_from(best).join(Document, Document.id.in_(here))
        return found.order_by(*line.order).limit(_LIMIT)
    each = here.with_only_columns(line.key.label("key"), Document.id.label("id")).lateral("each")
    found = select(each.c.id).select_from(best).join(each, true())
    return found.order_by(each.c.key.desc(), each.c.id.desc()).limit(_LIMIT)


def shelves_of(shelves: Shelves, dialect: str, permission: int = READ, *, is_below: bool = True) -> CTE:
    """The categories to look at, those at and below a ``lineage`` if ``is_below``, with the permission on each."""
    here = Category.lineage.startswith(_LINEAGE)
    if shelves is Shelves.ALL:
        every = select(Category.id.label("category_id"), literal(MANAGE, Integer).label("level"))
        return every.where(here).cte("shelves")
    reach = given(dialect) if shelves is Shelves.GIVEN else access.reached(ME, permission)
    found = select(reach.c.category_id, reach.c.level).where(reach.c.level >= permission)
    if is_below:
        found = found.join(Category, Category.id == reach.c.category_id).where(here)
    return found.cte("shelves")


def _best(line: Line, shelves: CTE, dialect: str) -> CTE:
    """The categories whose first document comes first, each with that."""
    top = line.ids(Document.category_id == shelves.c.category_id, line.shows(shelves.c.level, Document)).limit(1)
    top = top.correlate(shelves)
    columns = (shelves.c.category_id, shelves.c.level)
    if dialect != "sqlite":
        first = top.with_only_columns(line.key.label("key"), Document.id.label("id")).lateral("top")
        best = select(*columns, *first.c).select_from(shelves).join(first, true())
        return best.order_by(first.c.key.desc(), first.c.id.desc()).limit(_LIMIT).cte("best")
    tops = select(*columns, top.scalar_subquery().label("top_id")).cte("tops")
    key = getattr(_TOP, line.key.key)
    best = select(tops.c.category_id, tops.c.level, key.label("key"), _TOP.id.label("id"))
    best = best.select_from(tops).join(_TOP, _TOP.id == tops.c.top_id)
    return best.order_by(key.desc(), _TOP.id.desc()).limit(_LIMIT).cte("best")
