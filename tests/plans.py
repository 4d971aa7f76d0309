"""How a database goes about a statement, which says more than any clock: what is read off an index stays fast."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event, text

from portal.extensions import db

Asked = list[tuple[str, object]]
"""Statements with their values."""


@contextmanager
def asking(engine: Engine) -> Iterator[Asked]:
    """Every statement that is sent meanwhile."""
    seen: Asked = []

    def see(_connection: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        seen.append((statement, values))

    event.listen(engine, "before_cursor_execute", see)
    yield seen
    event.remove(engine, "before_cursor_execute", see)


def plan(asked: Asked) -> str:
    """How the database goes about the last statement; PostgreSQL as it would with more rows than a test has."""
    statement, values = asked[-1]
    connection = db.session.connection()
    if connection.dialect.name == "sqlite":
        return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all())  # type: ignore[arg-type]
    for setting in ("enable_seqscan", "enable_sort", "enable_bitmapscan"):
        connection.execute(text(f"SET LOCAL {setting} = off"))
    return str(connection.exec_driver_sql(f"EXPLAIN {statement}", values).all())  # type: ignore[arg-type]
