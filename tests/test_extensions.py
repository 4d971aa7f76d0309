"""The one transaction: whole or not at all, one writer at a time, nothing held longer than needed."""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Integer, bindparam, create_engine, func, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError

from portal import engine_options
from portal.extensions import after_commit, ask, db, lock_on, release_connection, transaction
from portal.models import Category, Group, SignInAttempt
from tests.databases import POSTGRESQL_ONLY, SQLITE_ONLY, connected
from tests.makers import category

THREADS, TURNS = 8, 10


def add_attempt(key: str) -> None:
    db.session.add(SignInAttempt(key=key))
    db.session.flush()


def keys_elsewhere(url: str) -> list[str]:
    """The keys that somebody else sees: what is committed."""
    with connected(url) as connection:
        return list(connection.scalars(select(SignInAttempt.key).order_by(SignInAttempt.id)))


@pytest.mark.usefixtures("context")
def test_what_is_written_is_there_for_others_when_the_block_is_left(database: str) -> None:
    with transaction():
        add_attempt("a")
        assert keys_elsewhere(database) == []
    assert keys_elsewhere(database) == ["a"]


@pytest.mark.usefixtures("context")
def test_an_inner_transaction_joins_the_outer_one(database: str) -> None:
    with transaction():
        with transaction():
            add_attempt("inner")
        assert keys_elsewhere(database) == []
        add_attempt("outer")
    assert keys_elsewhere(database) == ["inner", "outer"]


@pytest.mark.usefixtures("context")
def test_an_exception_takes_back_the_inner_and_the_outer_part(database: str) -> None:
    def fail() -> None:
        with transaction():
            add_attempt("outer")
            with transaction():
                add_attempt("inner")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert keys_elsewhere(database) == []


@pytest.mark.usefixtures("context")
def test_after_a_failure_the_next_transaction_begins_anew(database: str) -> None:
    def collide() -> None:
        with transaction() as session:
            session.add_all([Group(name="a", name_key="a"), Group(name="b", name_key="a")])

    with pytest.raises(IntegrityError):
        collide()
    with transaction():
        add_attempt("a")
    assert keys_elsewhere(database) == ["a"]


@pytest.mark.usefixtures("context")
def test_a_callback_runs_once_after_the_outermost_commit(database: str) -> None:
    seen: list[list[str]] = []
    with transaction():
        with transaction():
            after_commit(lambda: seen.append(keys_elsewhere(database)))
        add_attempt("a")
        assert seen == []
    assert seen == [["a"]]
    with transaction():
        add_attempt("b")
    assert seen == [["a"]]


@pytest.mark.usefixtures("context")
def test_a_callback_of_what_was_taken_back_never_runs() -> None:
    seen: list[str] = []

    def fail() -> None:
        with transaction():
            after_commit(lambda: seen.append("ran"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with transaction():
        add_attempt("a")
    assert seen == []


@pytest.mark.usefixtures("context")
def test_a_callback_registered_twice_runs_once() -> None:
    seen: list[str] = []

    def tell() -> None:
        seen.append("ran")

    with transaction():
        after_commit(tell)
        after_commit(tell)
        add_attempt("a")
    assert seen == ["ran"]


@pytest.mark.usefixtures("context")
def test_a_callback_may_write_in_a_transaction_of_its_own(database: str) -> None:
    def write() -> None:
        with transaction():
            add_attempt("later")

    with transaction():
        after_commit(write)
        add_attempt("first")
    assert keys_elsewhere(database) == ["first", "later"]


@pytest.mark.usefixtures("context")
def test_a_change_made_outside_is_refused_instead_of_slipping_in() -> None:
    shelf = category()
    shelf.description = "slipped in"
    with pytest.raises(RuntimeError, match="outside"), transaction():
        pass


@pytest.mark.usefixtures("context")
def test_what_was_read_before_is_read_again_inside(database: str) -> None:
    shelf = category()
    assert shelf.description == ""
    with connected(database) as connection:
        connection.execute(update(Category).values(description="meanwhile"))
        connection.commit()
    with transaction():
        assert shelf.description == "meanwhile"


def count_up(app: Flask, step: Callable[[], None]) -> int:
    """Let eight threads take ten turns each at ``step``; gives what the counter of the one category shows then."""
    together = threading.Barrier(THREADS, timeout=60)

    def take_turns(_: int) -> None:
        with app.app_context():
            together.wait()
            for _turn in range(TURNS):
                step()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(take_turns, range(THREADS)))
    db.session.commit()
    return db.session.scalars(select(Category.document_count)).one()


def test_no_update_is_lost_between_reading_and_writing(context: Flask) -> None:
    category()

    def step() -> None:
        with transaction() as session:
            lock_on("counter")  # SQLite does without: its writers stand in line from the beginning
            seen = session.scalars(select(Category.document_count)).one()
            session.execute(update(Category).values(document_count=seen + 1))

    assert count_up(context, step) == THREADS * TURNS


@SQLITE_ONLY
def test_on_sqlite_a_transaction_alone_loses_no_update(context: Flask) -> None:
    category()

    def step() -> None:
        with transaction() as session:
            seen = session.scalars(select(Category.document_count)).one()
            session.execute(update(Category).values(document_count=seen + 1))

    assert count_up(context, step) == THREADS * TURNS


@POSTGRESQL_ONLY
@pytest.mark.usefixtures("context")
def test_different_keys_do_not_wait_for_each_other_and_equal_ones_do(database: str) -> None:
    with connected(database) as other:
        taken = func.pg_try_advisory_xact_lock(func.hashtextextended("a", 0))
        free = func.pg_try_advisory_xact_lock(func.hashtextextended("b", 0))
        with transaction():
            lock_on("a")
            assert other.execute(select(taken, free)).one() == (False, True)
        assert other.execute(select(taken)).scalar_one() is True


@POSTGRESQL_ONLY
@pytest.mark.usefixtures("context")
def test_what_was_read_before_a_lock_is_read_again_behind_it(database: str) -> None:
    shelf = category()
    with transaction(), connected(database) as other:
        assert shelf.description == ""
        other.execute(update(Category).values(description="theirs"))
        other.commit()
        lock_on("a")
        assert shelf.description == "theirs"


@pytest.mark.usefixtures("context")
def test_what_was_changed_before_a_lock_is_kept() -> None:
    shelf = category()
    with transaction():
        shelf.description = "mine"
        lock_on("a")
    assert db.session.scalars(select(Category.description)).one() == "mine"


@SQLITE_ONLY
@pytest.mark.usefixtures("context")
def test_writers_on_sqlite_stand_in_line_before_they_read(database: str) -> None:
    with connected(database) as other:
        other.connection.cursor().execute("PRAGMA busy_timeout=0")
        with transaction(), pytest.raises(OperationalError, match="locked"):
            other.execution_options(sqlite_begin="IMMEDIATE").execute(text("SELECT 1"))


@pytest.mark.usefixtures("context")
def test_readers_go_on_while_somebody_writes(database: str) -> None:
    category()
    with transaction():
        add_attempt("a")
        with connected(database) as other:
            assert other.scalar(select(func.count()).select_from(Category)) == 1


@pytest.mark.usefixtures("context")
def test_a_connection_given_back_leaves_what_was_read_usable() -> None:
    category()
    shelf = db.session.scalars(select(Category)).one()
    assert checked_out() == 1
    release_connection()
    assert checked_out() == 0
    assert shelf.path == "reports"
    assert checked_out() == 0


@pytest.mark.usefixtures("context")
def test_a_connection_is_not_given_back_in_the_middle_of_a_change(database: str) -> None:
    with transaction():
        add_attempt("a")
        release_connection()
        assert keys_elsewhere(database) == []
    assert keys_elsewhere(database) == ["a"]


def test_no_connection_is_held_once_the_context_is_left(app: Flask) -> None:
    with app.app_context():
        category()
        db.session.scalars(select(Category)).all()
        assert checked_out() == 1
    with app.app_context():
        assert checked_out() == 0


@POSTGRESQL_ONLY
def test_postgresql_keeps_what_is_asked_again_and_again_and_nothing_else(app: Flask) -> None:
    for number in range(8):
        with app.app_context():
            ask(select(Category.id).where(Category.id == bindparam("wanted", type_=Integer)), wanted=number).all()
            db.session.execute(select(Category.path).where(Category.id == number)).all()

    assert kept(app) == [("categories.id", 8)]


@POSTGRESQL_ONLY
def test_what_is_kept_is_lost_with_what_is_taken_back_and_made_again(app: Flask) -> None:
    for _ in range(2):
        with app.app_context():
            ask(select(Category.id)).all()
            db.session.rollback()
            assert ask(select(Category.id)).all() == []

    assert kept(app) == [("categories.id", 1)]


def kept(app: Flask) -> list[tuple[str, int]]:
    """The columns of what the database has prepared on the connection in use, and how often it was asked."""
    statement = text("SELECT statement, generic_plans + custom_plans FROM pg_prepared_statements")
    with app.app_context():
        return [(row[0].split()[1], row[1]) for row in db.session.execute(statement)]


def test_what_is_changed_outside_of_a_transaction_is_taken_back_at_the_end(app: Flask) -> None:
    with app.app_context():
        category()
        db.session.execute(update(Category).values(description="other"))
    with app.app_context():
        assert db.session.scalars(select(Category.description)).one() == ""


def test_what_is_changed_in_one_stays_though_the_same_context_reads_on(app: Flask) -> None:
    with app.app_context():
        category()
        with transaction() as session:
            session.execute(update(Category).values(description="other"))
        db.session.scalars(select(Category.id)).all()
    with app.app_context():
        assert db.session.scalars(select(Category.description)).one() == "other"


@pytest.mark.usefixtures("context")
def test_a_change_that_is_made_outside_is_refused_where_the_connection_is_given_back() -> None:
    category().name = "other"
    with pytest.raises(RuntimeError, match="outside transaction"):
        release_connection()
    db.session.rollback()


def checked_out() -> int:
    """Connections of the pool that are in use."""
    pool: Any = db.engine.pool
    used: int = pool.checkedout()
    return used


@SQLITE_ONLY
@pytest.mark.usefixtures("context")
@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("busy_timeout", 5000),
        ("trusted_schema", 0),
        ("cell_size_check", 1),
    ],
)
def test_every_connection_to_sqlite_is_set_up_alike(pragma: str, value: object) -> None:
    assert db.session.execute(text(f"PRAGMA {pragma}")).scalar_one() == value


@POSTGRESQL_ONLY
@pytest.mark.usefixtures("context")
@pytest.mark.parametrize(
    ("option", "value"),
    [("statement_timeout", "10s"), ("lock_timeout", "5s"), ("idle_in_transaction_session_timeout", "15s")],
)
def test_no_statement_on_postgresql_waits_for_ever(option: str, value: str) -> None:
    assert db.session.execute(text(f"SHOW {option}")).scalar_one() == value


@POSTGRESQL_ONLY
@pytest.mark.usefixtures("context")
@pytest.mark.parametrize(("name", "value"), [("tcp_user_timeout", "15000"), ("keepalives_idle", "10")])
def test_a_dead_line_to_postgresql_is_noticed(name: str, value: str) -> None:
    with db.engine.connect() as connection:
        assert connection.connection.dbapi_connection.info.get_parameters()[name] == value  # type: ignore[union-attr]


def test_a_server_that_takes_a_connection_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"postgresql+psycopg://portal@127.0.0.1:{mute.getsockname()[1]}/portal"
        engine = create_engine(url, **engine_options(url))
        with pytest.raises(OperationalError, match="timeout"):
            engine.connect()


def test_what_the_url_says_about_patience_counts() -> None:
    arguments = engine_options("postgresql://portal@127.0.0.1/portal?connect_timeout=60")["connect_args"]
    assert isinstance(arguments, dict)
    assert "connect_timeout" not in arguments


@pytest.mark.usefixtures("context")
def test_rows_that_refer_to_nothing_are_refused() -> None:
    def refer() -> None:
        with transaction() as session:
            session.add(Category(name="a", path="a", depth=2, parent_id=99))

    with pytest.raises(IntegrityError):
        refer()
