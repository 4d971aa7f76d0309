"""Statements on PostgreSQL without the cursors of psycopg, which take as long over a small one as the server does.

A cursor works out anew each time how every value is sent and every column is read. Here that is kept with the
statement, and libpq is handed no more than its name and its values. Imported only where PostgreSQL is the database, for
psycopg is an extra.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg import abc, adapt, pq
from psycopg.errors import error_from_result
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

DIALECT: Dialect = PGDialect_psycopg(dbapi=psycopg, paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
"""How a statement is written for the server itself: its values are ``$1``, ``$2``."""


class _Known(NamedTuple):
    """A statement that the server knows by this name; its values go there as text."""

    name: bytes
    converter: abc.Transformer
    formats: Sequence[adapt.PyFormat]


class DirectCursor:
    """As much of a cursor as ``Prepared`` needs, one for a whole connection on which nothing else runs.

    It begins no transaction, and who waits for the server cannot be interrupted. The errors are those of psycopg.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._known: dict[str, _Known] = {}
        self._rows: list[tuple[Any, ...]] = []

    def execute(self, text: str, values: Sequence[Any]) -> None:
        """Run a statement that gives rows; the server prepares it when it comes for the first time."""
        known = self._known.get(text) or self._prepare(text, len(values))
        sent: Sequence[Any] = known.converter.dump_sequence(values, known.formats)
        result = self._connection.pgconn.exec_prepared(known.name, sent)
        self._require(result, pq.ExecStatus.TUPLES_OK)
        known.converter.set_pgresult(result)
        self._rows = known.converter.load_rows(0, result.ntuples, tuple)

    def fetchall(self) -> Sequence[tuple[Any, ...]]:
        """The rows of the last one."""
        return self._rows

    def _prepare(self, text: str, count: int) -> _Known:
        name, converter = b"portal_%d" % len(self._known), adapt.Transformer(self._connection)
        result = self._connection.pgconn.prepare(name, text.encode(self._connection.info.encoding))
        self._require(result, pq.ExecStatus.COMMAND_OK)
        self._known[text] = known = _Known(name, converter, [adapt.PyFormat.TEXT] * count)
        return known

    def _require(self, result: pq.abc.PGresult, status: pq.ExecStatus) -> None:
        if result.status == status:
            return
        problem = error_from_result(result, self._connection.info.encoding)
        # Of a server that has gone libpq knows no more than that.
        raise psycopg.OperationalError(str(problem)) if self._connection.broken else problem
