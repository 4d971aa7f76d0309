"""Statements worked out once and run straight on the driver, for the few that every request or download pays for.

They are written in SQLAlchemy, so they are the same for both databases. What is kept is what SQLAlchemy works out of
them: the text, the order of the values, and how values and columns are converted. Executing them its own way costs
more than the query itself.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from sqlalchemy import ARRAY, ColumnElement, Dialect, Engine, Integer, Select, SQLColumnExpression, any_, bindparam
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, TimeoutError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import ReturningDelete, ReturningInsert, ReturningUpdate
from sqlalchemy.types import TypeEngine

Converter = Callable[[Any], Any]
Row = tuple[Any, ...]
Statement = (
    Select[*tuple[Any, ...]]
    | ReturningInsert[*tuple[Any, ...]]
    | ReturningUpdate[*tuple[Any, ...]]
    | ReturningDelete[*tuple[Any, ...]]
)

MOST_CONNECTIONS = 16
PATIENCE_SECONDS = 10
"""How long a statement waits for one of the connections, as the pool of SQLAlchemy does."""


def is_one_of(column: SQLColumnExpression[Any], name: str, dialect: str) -> ColumnElement[bool]:
    """Whether a column is one of the numbers bound by this name, a list; on PostgreSQL, which keeps statements, one
    statement for any number of them.
    """
    if dialect == "sqlite":
        return column.in_(bindparam(name, expanding=True, type_=Integer))
    return column == any_(bindparam(name, type_=ARRAY(Integer)))


class Cursor(Protocol):
    """What runs a statement on a connection of the driver."""

    def execute(self, text: str, values: Any, /) -> object:
        """Raises the errors of the driver."""

    def fetchall(self) -> Sequence[Any]:
        """The rows of it, to the last one."""


class Prepared:
    """One statement whose values are bound by name and which gives at most one row."""

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._forms: dict[str, _Form] = {}

    def first(
        self, connection: DBAPIConnection, dialect: Dialect, values: Mapping[str, Any], cursor: Cursor | None = None
    ) -> Row | None:
        """Run it on a connection of the driver, with a cursor of it or a new one; the first row, converted, or None.

        Raises what SQLAlchemy would: the driver's own errors come wrapped as sqlalchemy.exc.DBAPIError.
        """
        form = self._forms.get(dialect.paramstyle)
        if form is None:
            form = self._forms[dialect.paramstyle] = _form(self._statement, dialect)
        given = form.values(values)
        if cursor is None:
            cursor = connection.cursor()
        try:
            cursor.execute(form.text, given)
            rows = cursor.fetchall()  # to the end: only then is a statement that writes on its own committed on SQLite
        except dialect.dbapi.Error as problem:  # type: ignore[union-attr]  # a dialect in use has its driver
            is_over = dialect.is_disconnect(problem, connection, None)
            raise DBAPIError.instance(
                form.text, given, problem, Exception, connection_invalidated=is_over, dialect=dialect
            ) from problem
        return form.row(rows[0]) if rows else None


class Connections:
    """A few connections kept ready, on which every statement is a transaction by itself.

    A statement takes one for as long as it runs, the one used last first, for its memory is warm. SQLAlchemy's own
    pool costs more than most of these statements, and on PostgreSQL two more journeys for each.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.dialect, self._cursor = _way(engine.dialect)
        self._idle: deque[tuple[DBAPIConnection, Cursor]] = deque()
        self._room: SimpleQueue[None] = SimpleQueue()  # a semaphore at a tenth of the price of Python's own
        for _ in range(MOST_CONNECTIONS):
            self._room.put(None)

    def first(self, statement: Prepared, values: Mapping[str, Any]) -> Row | None:
        """Run it and give its first row. Raises what ``Prepared.first`` does, and TimeoutError when all stay busy."""
        try:
            self._room.get(timeout=PATIENCE_SECONDS)
        except Empty as problem:
            raise TimeoutError(f"no connection became free within {PATIENCE_SECONDS} seconds") from problem
        try:
            return self._first(statement, values)
        finally:
            self._room.put(None)

    def close(self) -> None:
        """Close those that are idle; the next statement makes a new one."""
        with suppress(IndexError):
            while True:
                self._idle.pop()[0].close()

    def _first(self, statement: Prepared, values: Mapping[str, Any]) -> Row | None:
        try:
            connection, cursor = self._idle.pop()
        except IndexError:
            connection = self._connect()
            cursor = self._cursor(connection)
        try:
            row = statement.first(connection, self.dialect, values, cursor)
        except BaseException:
            connection.close()
            raise
        self._idle.append((connection, cursor))
        return row

    def _connect(self) -> DBAPIConnection:
        """One made as the pool makes them, and taken out of it. Raises sqlalchemy.exc.DBAPIError."""
        try:
            pooled = self._engine.raw_connection()
        except self.dialect.dbapi.Error as problem:  # type: ignore[union-attr]  # a dialect in use has its driver
            raise DBAPIError.instance(None, None, problem, Exception, dialect=self.dialect) from problem
        connection = pooled.dbapi_connection
        pooled.detach()
        if connection is None:
            raise TypeError("a connection of the pool has one of the driver")
        self.dialect.set_isolation_level(connection, "AUTOCOMMIT")
        return connection


def _way(dialect: Dialect) -> tuple[Dialect, Callable[[Any], Cursor]]:
    """How statements are written for connections on which each is a transaction by itself, and what runs them."""
    if dialect.driver != "psycopg":
        return dialect, lambda connection: connection.cursor()
    direct = import_module("portal.direct")  # only here, and by name: it needs psycopg, which is an extra
    return direct.DIALECT, direct.DirectCursor


@dataclass(frozen=True)
class _Form:
    """A statement as one dialect has it."""

    text: str
    is_positional: bool
    fixed: Mapping[str, Any]
    """Values that stand in the statement itself, by the names SQLAlchemy gave them."""
    inward: Sequence[tuple[str, Converter | None]]
    """The names of the values, in their order, each with what makes it the driver's."""
    outward: Sequence[tuple[int, Converter]]
    """The columns that the driver does not give as they should be."""

    def values(self, given: Mapping[str, Any]) -> Any:
        """What the driver takes: a tuple or a mapping."""
        known = {**self.fixed, **given}
        if self.is_positional:
            return tuple([known[name] if to is None else to(known[name]) for name, to in self.inward])
        return {name: known[name] if to is None else to(known[name]) for name, to in self.inward}

    def row(self, found: Sequence[Any]) -> Row:
        """The columns as Python has them."""
        row = list(found)
        for number, convert in self.outward:
            row[number] = convert(row[number])
        return tuple(row)


def _form(statement: Statement, dialect: Dialect) -> _Form:
    compiled = statement.compile(dialect=dialect)
    if not isinstance(compiled, SQLCompiler):
        raise TypeError("only statements can be prepared")
    inward = {name: _inward(bound.type, dialect) for bound, name in compiled.bind_names.items()}
    outward = [_outward(column.type, dialect) for column in statement.exported_columns]
    return _Form(
        text=str(compiled),
        is_positional=compiled.positional,
        fixed=compiled.params,
        inward=[(name, inward[name]) for name in compiled.positiontup or inward],
        outward=[(number, convert) for number, convert in enumerate(outward) if convert is not None],
    )


def _inward(kind: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _outward(kind: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    return kind.dialect_impl(dialect).result_processor(dialect, None)
