"""Many ids in one statement."""

import json
from collections.abc import Collection

from sqlalchemy import ARRAY, CTE, ColumnElement, Integer, SQLColumnExpression, String, bindparam, cast, func, select

from portal.extensions import db


def among(column: SQLColumnExpression[int], ids: Collection[int]) -> ColumnElement[bool]:
    """Whether a column is one of these ids, written into the statement: a thousand values each on its own take longer
    than what is asked of them."""
    return column.in_(bindparam("ids", sorted(ids), unique=True, expanding=True, literal_execute=True))


def listed(ids: Collection[int]) -> CTE:
    """These ids as a table with one column, ``id``, to be joined: each is looked up then, where PostgreSQL would go
    through an index that is sorted by something else."""
    if db.engine.dialect.name == "sqlite":
        text = bindparam("listed", json.dumps(list(ids)), String, unique=True)
        return select(cast(func.json_each(text).table_valued("value").c.value, Integer).label("id")).cte("listed")
    text = bindparam("listed", f"{{{','.join(map(str, ids))}}}", String, unique=True)
    return select(func.unnest(cast(text, ARRAY(Integer))).column_valued("value").label("id")).cte("listed")
