"""File requests on the command line."""

import json
from datetime import timedelta

import pytest
from flask import Flask

from portal.errors import RequestRevoked
from portal.models import Category
from portal.uploads import requesting
from tests import makers
from tests.cli.conftest import Command
from tests.databases import SQLITE_ONLY
from tests.makers import NETWORK

pytestmark = SQLITE_ONLY


@pytest.fixture
def inbox(context: Flask) -> Category:
    return makers.category("clients/inbox")


def test_a_link_is_printed_once_and_takes_what_it_was_told(command: Command, inbox: Category) -> None:
    terms = ("--title", "Proofs", "--expires", "14d", "--max-files", "3", "--max-size", "20MB", "--types", "pdf,jpg")

    result = command("request", "add", "/clients/inbox/", *terms, "--max-total", "1 GB", "--message", "Please.")
    makers.release()

    assert (result.exit_code, result.stderr) == (0, "")
    token = result.stdout.strip().removeprefix("http://localhost/r/")
    opened = requesting.open_request(token, NETWORK)
    asked = opened.request
    assert (opened.category_id, opened.author, opened.types) == (inbox.id, None, ("jpg", "pdf"))
    assert (asked.title, asked.message, asked.max_files) == ("Proofs", "Please.", 3)
    assert (asked.max_file_bytes, asked.max_bytes) == (20_000_000, 1_000_000_000)
    assert asked.expires_at is not None
    assert timedelta(days=13) < asked.expires_at - makers.now() <= timedelta(days=14)


def test_requests_are_listed_and_revoked(command: Command, inbox: Category) -> None:
    token = command("request", "add", inbox.path, "--title", "Proofs").stdout.strip().rpartition("/")[2]

    (listed,) = json.loads(command("request", "list", "--json").stdout)
    assert (listed["title"], listed["state"], listed["category"], listed["files"]) == ("Proofs", "open", inbox.path, 0)
    assert token not in command("request", "list").stdout
    assert command("request", "revoke", "1").stdout == "Request 1 is revoked.\n"
    makers.release()

    with pytest.raises(RequestRevoked):
        requesting.open_request(token, NETWORK)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add", "nowhere", "--title", "x"), "There is no category nowhere."),
        (("add", "clients/inbox", "--title", " "), "Say what is asked for: it stands on top of the page."),
        (("add", "clients/inbox", "--title", "x", "--max-size", "big"), "Write a size such as 500 MB or 1.5 GB."),
        (("revoke", "7"), "There is no such link."),
    ],
)
def test_what_cannot_be_is_one_sentence(
    command: Command, inbox: Category, arguments: tuple[str, ...], sentence: str
) -> None:
    result = command("request", *arguments)

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"{sentence}\n")
