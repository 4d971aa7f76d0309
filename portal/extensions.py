"""The shared objects of the application: the database, its transactions, and CSRF."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from typing import Any

from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import Connection, CursorResult, Engine, Executable, event, func, select
from sqlalchemy.engine import ExecutionContext
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError, TimeoutError
from sqlalchemy.orm import Session

from portal.models import Base
from portal.prepared import Connections, Prepared
from portal.settings import Settings
from portal.storage import LocalStorage

db = SQLAlchemy(model_class=Base, disable_autonaming=True, session_options={"expire_on_commit": False})
csrf = CSRFProtect()

BUSY_MILLISECONDS = 5000
LINE_SECONDS = 10
LONGEST_PAUSE = 0.1
KEPT = {"is_kept": True}
"""The options of what ``ask`` asks, for statements that give objects of the ORM."""
_line = threading.Lock()
PRAGMAS = (
    f"busy_timeout={BUSY_MILLISECONDS}",
    "synchronous=FULL",  # NORMAL may lose the last commits when the power goes
    "foreign_keys=ON",
    "trusted_schema=OFF",
    "cell_size_check=ON",
    "secure_delete=ON",  # what is erased is overwritten, or its words stay in the file for whoever reads that
)


@event.listens_for(Engine, "connect")
def _prepare_connection(connection: Any, _record: Any) -> None:
    """Take the transaction out of the driver's hands: its default mode silently loses updates."""
    if isinstance(connection, sqlite3.Connection):
        connection.isolation_level = None
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        _keep_a_journal(connection)


def _keep_a_journal(connection: sqlite3.Connection) -> None:
    """Write-ahead logging, which stays with the file once it is set.

    While several start at once on a new file, SQLite refuses some of them without asking the busy handler.
    """
    patience = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > patience:
                raise
            time.sleep(0.01)


@event.listens_for(Engine, "begin")
def _begin(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        # Straight to the driver: twenty times cheaper than a statement, and every request pays for it.
        try:
            connection.connection.cursor().execute(f"BEGIN {mode}")
        except sqlite3.OperationalError as problem:
            raise OperationalError(f"BEGIN {mode}", {}, problem) from problem


class MadeOutside(RuntimeError):
    """Something was changed outside of ``transaction``, and will be taken back: a mistake in the code."""

    def __init__(self) -> None:
        super().__init__("a change was made outside transaction()")


def _keep_plan(cursor: Any, statement: str, values: Any, context: ExecutionContext | None) -> bool:
    """Have psycopg prepare what ``ask`` asks, on the connection it is asked on; whether that was done."""
    if context is None or not context.execution_options.get("is_kept"):
        if isinstance(context, DefaultExecutionContext) and context.is_crud and db.session.registry.has():
            db.session().info["has_written"] = True
        return False
    cursor.execute(statement, values, prepare=True)
    return True


@contextmanager
def transaction() -> Iterator[Session]:
    """The one transaction of a writing verb; re-entrant, all or nothing.

    The outermost begins (``BEGIN IMMEDIATE`` on SQLite, so that what is read is what is written), commits once and
    then runs what was registered with ``after_commit``. An inner one joins. An exception rolls everything back.
    Objects read before are read again, because they may be stale by now.
    """
    session = db.session()
    if "writing" in session.info:
        yield session
        return
    _end_reading(session)
    callbacks: dict[Callable[[], None], None] = {}
    session.info |= {"writing": callbacks, "held": set()}
    with _turn(session.get_bind().dialect.name):
        try:
            session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            for name in ("writing", "held", "has_written"):
                session.info.pop(name, None)
    for callback in callbacks:
        callback()


def _turn(dialect: str) -> AbstractContextManager[object]:
    """SQLite lets one write at a time, and those who wait sleep and ask again; in one process they stand in line."""
    return _in_line() if dialect == "sqlite" else nullcontext()


@contextmanager
def _in_line() -> Iterator[None]:
    """Raises sqlalchemy.exc.TimeoutError after a while: who locks the database from outside must not hold us all."""
    if not _line.acquire(timeout=LINE_SECONDS):
        raise TimeoutError(f"nobody could write to the database for {LINE_SECONDS} seconds")
    try:
        yield
    finally:
        _line.release()


def _is_writing() -> bool:
    """Whether a transaction of ours is open; asks without making a session where there is none."""
    return db.session.registry.has() and "writing" in db.session().info


def after_commit(callback: Callable[[], None]) -> None:
    """Run ``callback`` once the running transaction is committed; never if it is rolled back.

    The same one runs once, however often it was registered.
    """
    db.session().info["writing"][callback] = None


def empty_journal() -> None:
    """Bring SQLite's journal into the file and empty it: it holds what was erased as it was before. After a commit.

    Whoever still reads what is in it keeps it from being emptied; then it stays until a later time.
    """
    if db.engine.dialect.name == "sqlite":
        with suppress(DBAPIError, sqlite3.Error), closing(db.engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


def run(statement: Executable, **values: Any) -> CursorResult[*tuple[Any, ...]]:
    """Execute a statement that was built once inside the running transaction, past the ORM."""
    return db.session.connection().execute(statement, values)


def ask(statement: Executable, **values: Any) -> CursorResult[*tuple[Any, ...]]:
    """The same for one that only reads, and whose plan is good whatever the values are: PostgreSQL keeps it.

    Planning takes it as long as finding what a list shows. With each value unknown it has to be written so that nothing
    hangs on them: see ``catalog.lines``.
    """
    return db.session.connection().execute(statement, values, execution_options=KEPT)


def find_one(statement: Prepared, **values: Any) -> tuple[Any, ...] | None:
    """The first row of a prepared statement: for what every request pays for. Inside a transaction it is part of it."""
    if _is_writing():
        return statement.first(db.session.connection().connection, db.engine.dialect, values)
    connections = _connections()
    try:
        return connections.first(statement, values)
    except DBAPIError as problem:
        if not problem.connection_invalidated:
            raise
    connections.close()  # the server has gone and come back: the others ended with it
    return connections.first(statement, values)


def write_one(statement: Prepared, **values: Any) -> tuple[Any, ...] | None:
    """Execute one prepared writing statement, a transaction by itself or part of the running one; its first row."""
    if _is_writing():
        return find_one(statement, **values)
    connections = _connections()
    with _turn(connections.dialect.name):
        return connections.first(statement, values)


def lock_on(key: str, *, is_shared: bool = False) -> None:
    """Let one transaction at a time pass here for the same key; SQLite's writers already stand in line.

    Those that share it pass together, while nobody else does. Objects read before are read again: whoever had the lock
    may have written them.
    """
    session = db.session()
    held: set[tuple[str, bool]] = session.info["held"]
    if session.get_bind().dialect.name != "postgresql" or (key, is_shared) in held:
        return
    session.flush()  # or what was changed in them until now would be forgotten
    lock = func.pg_advisory_xact_lock_shared if is_shared else func.pg_advisory_xact_lock
    session.execute(select(lock(func.hashtextextended(key, 0))))
    session.expire_all()
    held.add((key, is_shared))


def give_way(seconds: float) -> None:
    """After so many seconds of writing, where one turn follows another: on SQLite, which lets one write at a time, half
    of the time is left to those who wait.
    """
    if db.engine.dialect.name == "sqlite":
        time.sleep(min(seconds, LONGEST_PAUSE))


def release_connection() -> None:
    """Give the pooled connection back before request or response bytes flow; what was read stays usable."""
    if db.session.registry.has() and not _is_writing():
        _commit_reading(db.session())


def init_database(app: Flask) -> None:
    """Set the database of the application up; nothing is connected yet."""
    db.init_app(app)
    with app.app_context():
        app.extensions["portal.connections"] = Connections(db.engine)
        if db.engine.dialect.name == "postgresql":
            event.listen(db.engine, "do_execute", _keep_plan)
            app.teardown_appcontext(_end)


def _end(_problem: BaseException | None) -> None:
    """End what was only read by a commit, before Flask-SQLAlchemy takes it back: psycopg forgets with every rollback
    what it has prepared. What was changed outside of ``transaction`` is taken back.
    """
    if db.session.registry.has() and "has_written" not in db.session().info:
        with suppress(SQLAlchemyError, MadeOutside):
            release_connection()


def close_connections(app: Flask) -> None:
    """Close what is kept ready and what the pools hold; a connection still in use is closed when it comes back."""
    with app.app_context():
        _connections().close()
        for engine in db.engines.values():
            engine.dispose()


def application_context() -> Callable[[], AbstractContextManager[object]]:
    """The way back into the running application, for when bytes flow and the request's own context is gone."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return app.app_context


def settings() -> Settings:
    """The settings of the running application."""
    found: Settings = current_app.config["PORTAL"]
    return found


def storage() -> LocalStorage:
    """The storage of the running application."""
    found: LocalStorage = current_app.extensions["portal.storage"]
    return found


def _connections() -> Connections:
    found: Connections = current_app.extensions["portal.connections"]
    return found


def _end_reading(session: Session) -> None:
    """End a reading transaction, whose snapshot must not decide what is written."""
    _commit_reading(session)
    session.expire_all()


def _commit_reading(session: Session) -> None:
    if session.new or session.dirty or session.deleted:
        raise MadeOutside
    if session.in_transaction():
        session.commit()
