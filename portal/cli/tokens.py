"""Tokens of programs. The secret is printed once and can never be shown again."""

import click

from portal import accounts
from portal.accounts import DAYS, MOST_DAYS, SCOPES
from portal.cli.inputs import get_user
from portal.cli.installation import opened
from portal.cli.output import moment_text, say


@click.group
def token() -> None:
    """Make tokens, by which programs act in somebody's name."""


@token.command("add")
@click.argument("email")
@click.option("--name", required=True, help="By which its owner knows it again: the program or machine it is for.")
@click.option(
    "--scope", type=click.Choice(SCOPES), default=SCOPES[0], show_default=True, help="Each includes those before it."
)
@click.option("--days", type=click.IntRange(1, MOST_DAYS), default=DAYS, show_default=True, help="How long it works.")
def add_token(email: str, name: str, scope: str, days: int) -> None:
    """Make a token for a person and print it, alone. Programs send it in a header: "Authorization: Bearer TOKEN"."""
    with opened():
        owner = get_user(email)
        added, secret = accounts.add_api_token(None, owner.id, name, scope, days)
        say(f"A program may act for {owner.name} until {moment_text(added.expires_at)}: {added.scopes}.")
        click.echo(secret)
