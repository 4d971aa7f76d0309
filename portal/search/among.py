"""Many ids in one statement, given as one value: a thousand values each on its own take longer than what is asked."""

import json
from collections.abc import Callable, Collection
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, CTE, CursorResult, Integer, Select, String, bindparam, cast, func, select

from portal.extensions import ask, db

_IDS = bindparam("ids", type_=String)


@cache
def wanted(dialect: str) -> CTE:
    """The ids that ``values_of`` gives, as a table with one column, ``id``, to be joined: each is looked up then, where
    PostgreSQL would go through an index that is sorted by something else.
    """
    if dialect == "sqlite":
        each = func.json_each(_IDS).table_valued("value", name="each").c.value
    else:
        each = func.unnest(cast(_IDS, ARRAY(Integer))).column_valued("each")
    return select(cast(each, Integer).label("id")).cte("wanted")


def values_of(ids: Collection[int], dialect: str) -> dict[str, str]:
    """The ids as a statement with ``wanted`` takes them."""
    return {"ids": json.dumps(list(ids)) if dialect == "sqlite" else f"{{{','.join(map(str, ids))}}}"}


def ask_of(
    statement: Callable[[str], Select[*tuple[Any, ...]]], ids: Collection[int]
) -> CursorResult[*tuple[Any, ...]]:
    """What a statement with ``wanted``, made once for each database, says of these ids."""
    dialect = db.engine.dialect.name
    return ask(statement(dialect), **values_of(ids, dialect))
