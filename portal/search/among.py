"""Many ids in one statement."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, SQLColumnExpression, bindparam


def among(column: SQLColumnExpression[int], ids: Collection[int]) -> ColumnElement[bool]:
    """Whether a column is one of these ids, written into the statement: a thousand values each on its own take longer
    than what is asked of them."""
    return column.in_(bindparam("ids", sorted(ids), unique=True, expanding=True, literal_execute=True))
