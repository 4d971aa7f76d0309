"""Distributions on the command line."""

import json
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.extensions import db, transaction
from portal.models import Document, Download, Mail, Upload, User, Version
from tests import makers
from tests.cli.conftest import Command
from tests.databases import SQLITE_ONLY
from tests.uploads.dropping import PDF, employee, papers, shelves

pytestmark = SQLITE_ONLY


@pytest.fixture
def slips(context: Flask, tmp_path: Path) -> Path:
    """Two payslips and a note, for a person who is known by 4711."""
    employee("Ada Byron", "4711")
    makers.category("payroll")
    directory = tmp_path / "March 2027"
    directory.mkdir()
    for name in ("4711_march.pdf", "4711_bonus.pdf", "note.pdf"):
        directory.joinpath(name).write_bytes(PDF + name.encode())
    return directory


def by_pattern(command: Command, slips: Path, *more: str) -> tuple[int, str, str]:
    result = command("distribute", str(slips), "--into", "payroll", "--pattern", "{reference}_*.pdf", *more)
    makers.release()
    return result.exit_code, result.stdout, result.stderr


def test_a_directory_is_distributed_and_what_is_nobodys_is_named(command: Command, slips: Path) -> None:
    assert by_pattern(command, slips) == (
        1,
        "3 files, 2 new, 1 left out.\n",
        "note.pdf: Its name does not follow the pattern.\n",
    )
    assert set(papers(shelves(makers.category("payroll"))["Ada Byron"])) == {"4711_march.pdf", "4711_bonus.pdf"}
    assert db.session.scalars(select(Mail.kind)).all() == ["distributed"]


def test_a_second_run_changes_nothing(command: Command, slips: Path) -> None:
    slips.joinpath("note.pdf").unlink()
    by_pattern(command, slips)

    assert by_pattern(command, slips)[:2] == (0, "2 files, 2 there already.\n0 of 1 person downloaded theirs.\n")
    assert db.session.scalar(select(func.count()).select_from(Mail)) == 1


def test_a_second_run_says_who_downloaded_theirs(command: Command, slips: Path) -> None:
    slips.joinpath("4711_bonus.pdf").unlink()
    by_pattern(command, slips)
    ada = db.session.scalars(select(User).where(User.reference == "4711")).one()
    version_id, document_id = db.session.execute(select(Version.id, Version.document_id)).one()
    has = {"version_id": version_id, "document_id": document_id, "state": "completed", "closed_at": makers.now()}
    with transaction() as session:
        session.add(Download(actor_key=f"u:{ada.id}", user_id=ada.id, intervals=[], **has))

    assert "1 of 1 person downloaded theirs." in by_pattern(command, slips)[1]


def test_a_dry_run_says_the_same_and_keeps_nothing(command: Command, slips: Path) -> None:
    code, said, problems = by_pattern(command, slips, "--dry-run")

    assert (code, said) == (0, "Nothing was changed. It would be: 3 files, 2 new, 1 for nobody known.\n")
    assert problems == "note.pdf: Its name does not follow the pattern.\n"
    assert db.session.scalar(select(func.count()).select_from(Upload)) == 0
    assert shelves(makers.category("payroll")) == {}


def test_lines_may_lie_beside_the_files(command: Command, slips: Path) -> None:
    lines = slips / "lines.csv"
    lines.write_text("filename,person,title\nnote.pdf,ada.byron@example.org,A note\ngone.pdf,4711,\n")
    arguments = ("distribute", str(slips), "--into", "payroll", "--lines", str(lines), "--no-notice", "--json")

    dry = command(*arguments, "--dry-run")
    result = command(*arguments)
    makers.release()

    assert json.loads(dry.stdout)["unmatched"] == 2
    assert dry.stderr.splitlines()[-1] == "Line 3: there is no file gone.pdf."
    assert json.loads(result.stdout) == {
        "files": 3, "added": 1, "versioned": 0, "unchanged": 0, "refused": 2, "waiting": 0, "cancelled": 0,
        "people": 1, "people_with_theirs": 0,
    }  # fmt: skip
    assert db.session.scalars(select(Document.title)).all() == ["A note"]
    assert db.session.scalar(select(func.count()).select_from(Mail)) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--into", "payroll"], "Say whose the files are: by --lines or by --pattern, one of the two."),
        (["--into", "nowhere", "--pattern", "{reference}.pdf"], "There is no category nowhere."),
        (["--into", "payroll", "--pattern", "*.pdf"], "Write {reference} or {email} once, as in {reference}_*.pdf."),
        (["--into", "payroll", "--pattern", "x{reference}.pdf"], "None of the files would go to anybody."),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing_open(
    command: Command, slips: Path, arguments: list[str], sentence: str
) -> None:
    result = command("distribute", str(slips), *arguments)
    makers.release()

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"{sentence}\n")
    assert db.session.scalar(select(func.count()).select_from(Upload).where(Upload.state == "arrived")) == 0
