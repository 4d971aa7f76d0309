"""`portal ledger`: what nginx says of documents it was handed."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from portal.downloads import claim_of, delegate
from portal.extensions import db
from portal.models import Download
from portal.ranges import Span
from tests import makers
from tests.cli.conftest import Command
from tests.databases import SQLITE_ONLY


@pytest.fixture
def line(context: Flask) -> str:
    """What nginx writes down when all of a document was sent, but for its status."""
    edition = makers.edition(makers.document(makers.category(), "a.txt", b"a" * 100))
    delegated = delegate(claim_of(makers.actor(makers.person()), "tests"), edition, Span(0, 100))
    assert delegated is not None
    return f'{delegated.uuid} {{status}} 100 "OK" 2026-11-22T10:00:00+00:00\n'


def test_once_reads_to_the_end_and_stops(command: Command, line: str, tmp_path: Path) -> None:
    log = tmp_path / "handed-over.log"
    log.write_text(line.format(status=200))

    first, second = command("ledger", "follow", "--once", str(log)), command("ledger", "follow", "--once", str(log))

    assert (first.exit_code, first.stdout, first.stderr) == (0, "1 transfer written down.\n", "")
    assert (second.exit_code, second.stdout, second.stderr) == (0, "0 transfers written down.\n", "")
    makers.release()
    assert db.session.scalars(select(Download.state)).one() == "completed"


@SQLITE_ONLY
def test_what_somebody_should_look_at_is_told(command: Command, line: str, tmp_path: Path) -> None:
    log = tmp_path / "handed-over.log"
    log.write_text("nonsense\n" + line.format(status=503))

    result = command("ledger", "follow", "--once", str(log))

    assert (result.exit_code, result.stdout) == (0, "1 transfer written down.\n")
    assert result.stderr == (
        "1 line is not in the format of config/nginx.conf.\n"
        "nginx did not send 1 document it was handed (503). "
        "Its workers must run under the account of the portal, and its paths lead to the portal's blobs.\n"
    )


@SQLITE_ONLY
def test_a_range_that_nginx_would_not_read_is_nothing_to_look_at(command: Command, line: str, tmp_path: Path) -> None:
    log = tmp_path / "handed-over.log"
    log.write_text(line.format(status=416))

    result = command("ledger", "follow", "--once", str(log))

    assert (result.exit_code, result.stdout, result.stderr) == (0, "1 transfer written down.\n", "")
    assert db.session.scalars(select(Download.state)).one() == "aborted"


@SQLITE_ONLY
@pytest.mark.parametrize("once", [["--once"], []])
def test_a_directory_that_is_not_there_is_told_in_one_line(command: Command, tmp_path: Path, once: list[str]) -> None:
    result = command("ledger", "follow", *once, str(tmp_path / "nowhere" / "handed-over.log"))

    assert result.exit_code == 1
    assert result.stderr.endswith(": No such file or directory.\n")
    assert result.stderr.count("\n") == 1


@SQLITE_ONLY
def test_a_log_read_once_must_be_there(command: Command, tmp_path: Path) -> None:
    result = command("ledger", "follow", "--once", str(tmp_path / "handed-over.log"))

    assert result.exit_code == 1
    assert result.stderr == f"{tmp_path / 'handed-over.log'}: No such file or directory.\n"
