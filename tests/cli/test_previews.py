"""`portal previews`: how far they are, and made anew."""

import json

from flask import Flask
from sqlalchemy import select

from portal.extensions import db
from portal.models import Preview
from tests import makers
from tests.cli.conftest import Command
from tests.databases import SQLITE_ONLY

pytestmark = SQLITE_ONLY


def fill(app: Flask) -> None:
    with app.app_context():
        makers.preview(makers.document(makers.category("reports"), "a.pdf", b"%PDF-1"))
        makers.document(makers.category("other"), "b.pdf", b"%PDF-2")
        parked = db.session.scalars(select(Preview).where(Preview.state == "waiting")).one()
        makers.change(parked, state="parked", reason="It took too long to be made.")


def test_status_says_how_many_there_are_and_which_failed(app: Flask, command: Command) -> None:
    fill(app)
    result = command("previews", "status")
    assert (result.exit_code, result.stderr) == (0, "b.pdf: It took too long to be made.\n")
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["State", "Kind", "Count"],
        ["made", "pages", "1"],
        ["failed", "1"],
    ]
    assert json.loads(command("previews", "status", "--json").stdout) == {
        "previews": [
            {"state": "made", "kind": "pages", "count": 1},
            {"state": "parked", "kind": None, "count": 1},
        ],
        "failed": [{"filename": "b.pdf", "reason": "It took too long to be made."}],
    }


def test_rebuild_takes_a_path_or_what_failed_or_everything(app: Flask, command: Command) -> None:
    fill(app)
    assert command("previews", "rebuild", "--failed").stdout == "1 preview to be made anew.\n"
    assert command("previews", "rebuild", "reports/").stdout == "1 preview to be made anew.\n"
    assert command("previews", "rebuild").stdout == "0 previews to be made anew.\n"


def test_rebuild_of_a_path_that_is_none_says_so(command: Command) -> None:
    result = command("previews", "rebuild", "nowhere")
    assert (result.exit_code, result.stderr) == (1, "There is no category nowhere.\n")
