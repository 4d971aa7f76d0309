"""audit verify: what can be said of a log that is insert-only and not sealed yet."""

import json

import pytest
from flask import Flask
from sqlalchemy import Executable, delete, text, update

from portal.extensions import db
from portal.models import AuditEvent
from tests.cli.conftest import Command
from tests.databases import POSTGRESQL_ONLY, SQLITE_ONLY
from tests.makers import category, group, person, release


@pytest.fixture
def events(context: Flask) -> int:
    """A few events; how many."""
    person("Ada")
    group("Clients")
    category("reports")
    release()
    return 3


def execute(*statements: str | Executable) -> None:
    with db.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement) if isinstance(statement, str) else statement)


def test_a_log_that_is_whole_is_called_whole_and_not_sealed(command: Command, events: int) -> None:
    result = command("audit", "verify")
    assert (result.exit_code, result.stderr) == (0, "")
    first, second, third, last = result.stdout.splitlines()
    assert first == "3 events, the last one number 3."
    assert second == "None is missing."
    assert third == "The database refuses to change or remove any."
    assert "not sealed yet" in last


def test_looking_changes_nothing(command: Command, events: int) -> None:
    first, second = (json.loads(command("audit", "verify", "--json").stdout) for _ in range(2))
    assert first == second
    assert first == {
        "events": events,
        "last_id": events,
        "highest_given": events,
        "sealed": 0,
        "refuses_change": True,
        "refuses_removal": True,
        "missing": 0,
        "problem": None,
    }


def test_an_empty_log_is_whole(command: Command, context: Flask) -> None:
    result = command("audit", "verify")
    assert result.exit_code == 0
    assert result.stdout.startswith("0 events")


@SQLITE_ONLY
@pytest.mark.parametrize("row", [1, 3])
def test_a_row_taken_out_is_missed(command: Command, events: int, row: int) -> None:
    create = db.session.scalar(text("SELECT sql FROM sqlite_master WHERE name = 'audit_events_no_delete'"))
    release()
    taken_out = delete(AuditEvent).where(AuditEvent.id == row)
    execute("DROP TRIGGER audit_events_no_delete", taken_out, str(create))
    result = command("audit", "verify", "--json")
    assert result.exit_code == 1
    assert result.stderr == "1 row of the log is missing.\n"
    assert json.loads(result.stdout)["missing"] == 1


@SQLITE_ONLY
@pytest.mark.parametrize("what", ["update", "delete"])
def test_a_missing_trigger_is_noticed(command: Command, events: int, what: str) -> None:
    execute(f"DROP TRIGGER audit_events_no_{what}")
    result = command("audit", "verify")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "The database lets rows of the log be changed or removed: a trigger is gone.\n"


@POSTGRESQL_ONLY
def test_a_missing_trigger_is_noticed_on_postgresql(command: Command, events: int) -> None:
    execute("DROP TRIGGER audit_events_no_change ON audit_events")
    assert command("audit", "verify").exit_code == 1


@POSTGRESQL_ONLY
def test_numbers_left_out_by_postgresql_are_told_and_are_no_fault(command: Command, events: int) -> None:
    execute("SELECT nextval('audit_events_id_seq')")
    result = command("audit", "verify")
    assert result.exit_code == 0
    assert "1 numbers have no row" in result.stdout


def test_a_seal_nobody_made_is_noticed(command: Command, events: int) -> None:
    if db.engine.dialect.name == "sqlite":
        execute("DROP TRIGGER audit_events_no_update")
    execute(update(AuditEvent).where(AuditEvent.id == 1).values(row_hash="0" * 64))
    result = command("audit", "verify")
    assert result.exit_code == 1
    assert "1 row carries a seal" in result.stderr
