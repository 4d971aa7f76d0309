"""Tokens of programs: made, listed, revoked. The secret is printed once and can never be shown again."""

import click

from portal import accounts
from portal.accounts import DAYS, MOST_DAYS, SCOPES
from portal.cli.inputs import get_user
from portal.cli.installation import opened
from portal.cli.output import as_json, moment_json, moment_text, print_columns, print_json_array, say
from portal.models import ApiToken


@click.group
def token() -> None:
    """Make, list and revoke tokens, by which programs act in somebody's name."""


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


@token.command("list")
@click.argument("email")
@as_json
def list_tokens(email: str, as_json: bool) -> None:
    """List the tokens of a person that were not revoked, the newest first, each with the id that `revoke` takes."""
    with opened():
        tokens = accounts.list_api_tokens(get_user(email).id)
    if as_json:
        print_json_array(_token(one) for one in tokens)
        return
    print_columns(("Id", "Name", "Begins with", "Scopes", "Until", "Last used"), [_columns(one) for one in tokens])


@token.command("revoke")
@click.argument("token_id", metavar="ID", type=int)
def revoke_token(token_id: int) -> None:
    """Let a token be worth nothing from now on. `token list EMAIL` shows its id."""
    with opened():
        found = accounts.get_api_token(token_id)
        accounts.revoke_api_token(None, found.user_id, found.id)
        click.echo(f"The token {found.name} of {accounts.get_user(found.user_id).name} is revoked.")


def _token(one: ApiToken) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "hint": one.token_hint,
        "scopes": one.scopes.split(),
        "created_at": moment_json(one.created_at),
        "expires_at": moment_json(one.expires_at),
        "used_at": moment_json(one.used_at),
    }


def _columns(one: ApiToken) -> tuple[str, ...]:
    return str(one.id), one.name, one.token_hint, one.scopes, moment_text(one.expires_at), moment_text(one.used_at)
