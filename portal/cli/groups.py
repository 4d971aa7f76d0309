"""Groups: added, filled, listed, and how much their people may put in."""

import click

from portal import accounts
from portal.accounts.quotas import change_quota_of_group, room_of_group
from portal.cli.inputs import get_group, get_user
from portal.cli.installation import opened
from portal.cli.output import as_json, at_most, counted, print_columns, print_json_array
from portal.sizes import read_size, size_text


@click.group
def group() -> None:
    """Add groups and put people into them."""


@group.command("add")
@click.argument("name")
def add_group(name: str) -> None:
    """Add a group, to give permissions to several people at once."""
    with opened():
        added = accounts.add_group(None, name)
        click.echo(f"{added.name} is a group now.")


@group.command("join")
@click.argument("group_name", metavar="GROUP")
@click.argument("emails", metavar="EMAIL...", nargs=-1, required=True)
def join_group(group_name: str, emails: tuple[str, ...]) -> None:
    """Put people into a group: all of them, or nobody when one is not known."""
    with opened():
        found, people = get_group(group_name), [get_user(email) for email in emails]
        for person in people:
            joined = accounts.join_group(None, found.id, person.id)
            click.echo(f"{person.name} is in {found.name}{'' if joined else ' already'}.")


@group.command("quota")
@click.argument("group_name", metavar="GROUP")
@click.argument("size")
def limit_group(group_name: str, size: str) -> None:
    """Let the people of a group put in at most SIZE together, or none for no limit. What is there already stays."""
    with opened():
        found, quota = get_group(group_name), read_size(size)
        change_quota_of_group(None, found.id, quota)
        used = size_text(room_of_group(found.id).used)
        click.echo(f"The people of {found.name} have put in {used}{at_most(quota)}.")


@group.command("list")
@as_json
def list_groups(as_json: bool) -> None:
    """List the groups with how many people are in each."""
    with opened():
        groups = accounts.list_groups()
    if as_json:
        print_json_array({"id": one.id, "name": one.name, "members": count} for one, count in groups)
        return
    print_columns(("Group", "Members"), [(one.name, counted(count, "person", "people")) for one, count in groups])
