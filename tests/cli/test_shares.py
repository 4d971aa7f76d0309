"""Share links on the command line."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from portal import shares
from portal.cli import shares as commands
from portal.cli.inputs import moment_of
from portal.errors import BadInput, ShareRevoked
from portal.models import Document
from tests.cli.conftest import Command
from tests.databases import SQLITE_ONLY
from tests.makers import NETWORK, PASSWORD, category, document, now, release

pytestmark = SQLITE_ONLY


@pytest.fixture
def report(context: Flask) -> Document:
    """The document reports/2018/a b.pdf."""
    return document(category("reports/2018"), "a b.pdf")


def token_in(output: str) -> str:
    return output.strip().rpartition("/")[2]


def links(command: Command) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(command("share", "list", "--json").stdout)
    return listed


@pytest.mark.parametrize("kind", ["id", "uuid", "path"])
def test_a_link_leads_to_the_document_however_it_was_named(command: Command, report: Document, kind: str) -> None:
    ref = {"id": str(report.id), "uuid": str(report.uuid), "path": "/reports/2018/a b.pdf"}[kind]
    result = command("share", "add", ref)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("http://localhost/s/")
    assert result.stdout.count("\n") == 1
    assert shares.open_link(token_in(result.stdout), NETWORK).edition.document_id == report.id


def test_a_link_has_the_terms_it_was_given(command: Command, report: Document) -> None:
    terms = ("--label", "Farah, bank", "--expires", "2h", "--limit", "3", "--password-stdin")
    result = command("share", "add", str(report.id), *terms, stdin=PASSWORD + "\n")
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    link = shares.open_link(token_in(result.stdout), NETWORK).link
    assert (link.label, link.max_downloads) == ("Farah, bank", 3)
    assert link.expires_at is not None
    assert timedelta(minutes=119) < link.expires_at - now() <= timedelta(hours=2)
    assert shares.reserve(token_in(result.stdout), PASSWORD, network=NETWORK, agent="tests")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("reports/2018/b.pdf",), "There is no document reports/2018/b.pdf."),
        (("999",), "There is no document 999."),
        (("1", "--expires", "2020-01-01"), "A link must expire in the future."),
        (("1", "--expires", "soon"), "soon is no moment. Write 14d, 12h, 2027-01-31 or 2027-01-31T18:00."),
        (("1", "--limit", "0"), "A limit is a number from 1 to 1,000,000; leave it empty for none."),
        (("1", "--password-stdin"), "No password came on standard input."),
    ],
)
def test_a_link_that_cannot_be_is_refused_in_one_line(
    command: Command, report: Document, arguments: tuple[str, ...], reason: str
) -> None:
    result = command("share", "add", *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", reason + "\n")
    assert links(command) == []


def test_links_are_listed_the_newest_first_over_all_pages(
    command: Command, report: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "PAGE", 2)
    for label in "abcde":
        command("share", "add", str(report.id), "--label", label)
    assert [link["label"] for link in links(command)] == list("edcba")


def test_a_link_as_json_has_these_keys_and_not_its_token(command: Command, report: Document) -> None:
    token = token_in(command("share", "add", str(report.id), "--limit", "2").stdout)
    link = links(command)[0]
    assert link | {"uuid": "", "created_at": ""} == {
        "id": 1,
        "uuid": "",
        "token_hint": token[:6],
        "state": "live",
        "label": "",
        "document_id": report.id,
        "title": "a b",
        "used": 0,
        "max_downloads": 2,
        "has_password": False,
        "expires_at": None,
        "created_at": "",
    }
    listing = command("share", "list").stdout
    assert "0 of 2" in listing
    assert token not in listing


def test_the_help_says_who_reads_the_label(command: Command) -> None:
    told = " ".join(command("share", "add", "--help").stdout.split())
    assert "For whom it is: the page of the link begins with it, unless there is a password." in told


def test_a_revoked_link_lets_nobody_in(command: Command, report: Document) -> None:
    token = token_in(command("share", "add", str(report.id)).stdout)
    assert command("share", "revoke", "1").stdout == "Link 1 is revoked.\n"
    with pytest.raises(ShareRevoked):
        shares.open_link(token, NETWORK)
    assert links(command)[0]["state"] == "revoked"


def test_a_link_that_never_was_cannot_be_revoked(command: Command) -> None:
    result = command("share", "revoke", "7")
    assert (result.exit_code, result.stderr) == (1, "There is no such link.\n")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-01-31T18:00", datetime(2027, 1, 31, 18, tzinfo=UTC)),
        ("2027-01-31 18:00:30", datetime(2027, 1, 31, 18, 0, 30, tzinfo=UTC)),
        ("2027-01-31T18:00Z", datetime(2027, 1, 31, 18, tzinfo=UTC)),
        ("2027-01-31T18:00+02:00", datetime(2027, 1, 31, 16, tzinfo=UTC)),
        ("2027-01-31", datetime(2027, 2, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_is_utc_unless_it_names_a_zone_and_a_date_lasts_to_its_end(
    context: Flask, text: str, moment: datetime
) -> None:
    assert moment_of(text) == moment


@pytest.mark.parametrize(
    ("text", "later"),
    [("14d", timedelta(days=14)), ("12h", timedelta(hours=12)), ("30m", timedelta(minutes=30))],
)
def test_a_span_counts_from_now(context: Flask, text: str, later: timedelta) -> None:
    before = now()
    moment = moment_of(text)
    release()
    assert before + later <= moment <= now() + later


@pytest.mark.parametrize("text", ["", "d", "14", "14 d", "-1d", "١٤d", "99999999d", "9999-12-31", "2027-13-01"])
def test_what_is_no_moment_is_refused(context: Flask, text: str) -> None:
    with pytest.raises(BadInput):
        moment_of(text)
