"""Prepared statements: the same answer as SQLAlchemy's own execution, on both databases, and the same errors."""

import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    LargeBinary,
    String,
    bindparam,
    cast,
    func,
    insert,
    literal,
    select,
    table,
)
from sqlalchemy.exc import IntegrityError, OperationalError, TimeoutError

from portal import extensions
from portal.extensions import close_connections, db, find_one, transaction, write_one
from portal.models import Category, SignInAttempt, User
from portal.models.base import Moment
from portal.prepared import Prepared
from portal.settings import Settings
from tests import makers
from tests.databases import POSTGRESQL_ONLY, SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")

FIND = Prepared(
    select(Category.id, Category.uuid, Category.name, Category.is_sealed, Category.created_at, literal("and a word"))
    .where(Category.uuid == bindparam("uuid"), Category.is_sealed == bindparam("sealed"))
    .where(func.coalesce(Category.document_count, 7) == 0)
)
ADD = Prepared(insert(SignInAttempt).values(key=bindparam("key")).returning(SignInAttempt.id))


def keys() -> list[str]:
    makers.release()
    return list(db.session.scalars(select(SignInAttempt.key).order_by(SignInAttempt.id)))


def end_the_one_kept_ready() -> None:
    """As a server does that is started anew."""
    used_last = find_one(Prepared(select(func.pg_backend_pid())))
    assert used_last is not None
    assert db.session.scalar(select(func.pg_terminate_backend(used_last[0], 10_000)))
    makers.release()


def test_values_and_columns_are_converted_as_sqlalchemy_does() -> None:
    made = makers.category("reports", is_sealed=True)

    row = find_one(FIND, uuid=made.uuid, sealed=True)

    assert row == (made.id, made.uuid, "reports", True, made.created_at, "and a word")
    assert isinstance(row[1], uuid.UUID)
    assert isinstance(row[4], datetime)


def test_a_value_of_every_kind_goes_there_and_comes_back() -> None:
    given = {
        "text": "Ωmega, 100 % “sure”\n",
        "number": 2**40,
        "pairs": [[0, 2**33]],
        "at": datetime(2026, 11, 27, 23, 59, 59, 123000, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        "octets": bytes(range(256)),
        "is_so": True,
    }
    columns: list[ColumnElement[Any]] = [
        bindparam("text", type_=String),
        bindparam("number", type_=BigInteger),
        bindparam("pairs", type_=JSON),
        bindparam("at", type_=Moment),
        cast(bindparam("octets"), LargeBinary),
        cast(bindparam("is_so"), Boolean),
    ]
    same = Prepared(select(*columns))

    assert find_one(same, **given) == tuple(given.values())
    assert find_one(same, **dict.fromkeys(given)) == (None,) * len(given)


def test_nothing_found_is_none() -> None:
    assert find_one(FIND, uuid=uuid.uuid4(), sealed=False) is None


def test_inside_a_transaction_it_sees_what_is_not_committed_yet() -> None:
    with transaction():
        made = makers.category("reports")
        assert find_one(FIND, uuid=made.uuid, sealed=False) is not None


def test_what_it_writes_is_committed_at_once() -> None:
    row = write_one(ADD, key="written")

    assert row is not None
    assert keys() == ["written"]


def test_a_refused_row_is_the_error_that_sqlalchemy_raises_and_leaves_nothing() -> None:
    ada = makers.person("Ada")
    other = {"name": "Other", "name_key": "other", "uuid": uuid.uuid4()}
    same = insert(User).values(email=ada.email, email_key=ada.email_key, **other)

    with pytest.raises(IntegrityError):
        write_one(Prepared(same.returning(User.id)))

    makers.release()
    assert db.session.scalars(select(func.count()).select_from(User)).one() == 1
    assert write_one(ADD, key="afterwards") is not None


@POSTGRESQL_ONLY
def test_the_server_prepares_a_statement_once() -> None:
    names = Prepared(select(func.count()).select_from(table("pg_prepared_statements")))
    find_one(FIND, uuid=uuid.uuid4(), sealed=False)
    find_one(names)
    before = find_one(names)

    find_one(FIND, uuid=uuid.uuid4(), sealed=True)

    assert before == (2,)
    assert find_one(names) == before


@POSTGRESQL_ONLY
def test_a_server_that_ended_the_connection_is_asked_again() -> None:
    assert find_one(FIND, uuid=uuid.uuid4(), sealed=False) is None
    end_the_one_kept_ready()

    assert find_one(FIND, uuid=uuid.uuid4(), sealed=False) is None


@POSTGRESQL_ONLY
def test_what_is_written_to_a_server_that_ended_the_connection_is_an_operational_error() -> None:
    """It may be there or not, so it is not written again."""
    assert write_one(ADD, key="before") is not None
    end_the_one_kept_ready()

    with pytest.raises(OperationalError):
        write_one(ADD, key="never")

    assert write_one(ADD, key="afterwards") is not None
    assert keys() == ["before", "afterwards"]


@SQLITE_ONLY
def test_a_database_that_stays_locked_is_an_operational_error() -> None:
    with db.engine.connect() as other:
        other.execution_options(sqlite_begin="IMMEDIATE")
        with other.begin():
            makers.release()
            with db.engine.connect() as pooled:
                pooled.exec_driver_sql("PRAGMA busy_timeout=10")
            with pytest.raises(OperationalError):
                write_one(ADD, key="never")
    assert keys() == []


@SQLITE_ONLY
def test_who_waits_for_another_writer_is_told_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extensions, "LINE_SECONDS", 0.01)
    with extensions._line, pytest.raises(TimeoutError):
        write_one(ADD, key="never")


@SQLITE_ONLY
def test_a_database_that_is_not_there_is_an_operational_error(context: Flask, sqlite_settings: Settings) -> None:
    makers.release()
    close_connections(context)
    database = Path(sqlite_settings.database_url.partition("///")[2])
    database.rename(database.with_suffix(".away"))
    database.mkdir()

    with pytest.raises(OperationalError):
        find_one(FIND, uuid=uuid.uuid4(), sealed=False)
