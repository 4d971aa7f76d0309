"""Tokens of programs on the command line."""

import json

import pytest
from flask import Flask
from sqlalchemy import select

from portal.accounts import list_api_tokens, require_bearer
from portal.extensions import db
from portal.models import AuditEvent
from portal.tokens import is_token
from tests.cli.conftest import Command
from tests.databases import SQLITE_ONLY
from tests.makers import NETWORK, person, release

pytestmark = SQLITE_ONLY

ADD = ("token", "add", "ada@example.org", "--name", "Backup")


def test_a_token_is_printed_alone_and_what_it_is_stands_beside_it(command: Command, context: Flask) -> None:
    ada = person("Ada", is_admin=True)

    result = command(*ADD, "--scope", "publish", "--days", "7")

    assert result.exit_code == 0
    secret = result.stdout.removesuffix("\n")
    assert is_token(secret)
    assert result.stderr.startswith("A program may act for Ada until ")
    assert result.stderr.endswith(": read publish.\n")
    assert secret not in result.stderr
    who = require_bearer(secret, NETWORK)
    assert (who.user_id, who.scopes) == (ada.id, frozenset({"read", "publish"}))
    event = db.session.scalars(select(AuditEvent).where(AuditEvent.action == "token.added")).one()
    assert (event.actor_kind, event.details["days"]) == ("operator", 7)


def test_reading_for_ninety_days_is_what_is_meant_without_more_words(command: Command, context: Flask) -> None:
    ada = person("Ada")

    assert command(*ADD).exit_code == 0

    token = list_api_tokens(ada.id)[0]
    assert token.scopes == "read"
    assert round((token.expires_at - token.created_at).total_seconds() / 86400) == 90


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--scope", "admin"), "The scope admin is only for administrators.\n"),
        (("--name", " "), "A name has 1 to 100 characters that can be seen.\n"),
    ],
)
def test_a_token_that_cannot_be_is_refused_in_one_line(
    command: Command, context: Flask, more: tuple[str, ...], reason: str
) -> None:
    ada = person("Ada")

    result = command(*ADD, *more)

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", reason)
    assert list_api_tokens(ada.id) == []


@pytest.mark.parametrize("more", [("--scope", "write"), ("--days", "0"), ("--days", "366")])
def test_what_is_no_scope_or_too_many_days_is_no_command(
    command: Command, context: Flask, more: tuple[str, ...]
) -> None:
    person("Ada")

    assert command(*ADD, *more).exit_code != 0


def test_nobody_unknown_gets_a_token(command: Command, context: Flask) -> None:
    result = command(*ADD)

    assert (result.exit_code, result.stderr) == (1, "There is no person with the address ada@example.org.\n")


def test_a_token_is_found_in_the_list_and_revoked_by_its_id(command: Command, context: Flask) -> None:
    ada = person("Ada")
    secret = command(*ADD).stdout.removesuffix("\n")

    listed = json.loads(command("token", "list", "ada@example.org", "--json").stdout)
    assert [(one["name"], one["hint"], one["scopes"]) for one in listed] == [("Backup", secret[:6], ["read"])]
    line = command("token", "list", "ADA@example.org").stdout.splitlines()[1]
    assert line.split()[:4] == [str(listed[0]["id"]), "Backup", secret[:6], "read"]
    assert secret not in line
    revoked = command("token", "revoke", line.split()[0])
    assert (revoked.exit_code, revoked.stdout) == (0, "The token Backup of Ada is revoked.\n")

    release()
    assert list_api_tokens(ada.id) == []
    event = db.session.scalars(select(AuditEvent).where(AuditEvent.action == "token.revoked")).one()
    assert event.actor_kind == "operator"
    again = command("token", "revoke", line.split()[0])
    assert (again.exit_code, again.stderr) == (1, "There is no token 1, or it is revoked already.\n")
