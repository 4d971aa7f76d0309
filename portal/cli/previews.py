"""What is made of documents for people to look at: how far it is, and made anew."""

import click

from portal.cli.inputs import get_category, path_of
from portal.cli.installation import opened
from portal.cli.output import as_json, counted, print_columns, print_json, say
from portal.previews import count_states, list_failed, rebuild

NAMED = 20
"""So many of those that failed are named."""
WORDS = {"waiting": "waiting", "made": "made", "none": "nothing to show", "parked": "failed"}


@click.group
def previews() -> None:
    """Look after thumbnails, page images, tables and texts of documents, which the worker makes."""


@previews.command
@as_json
def status(as_json: bool) -> None:
    """Say how many there are and how many wait, and which failed and why."""
    with opened():
        found, failed = count_states(), list_failed(NAMED)
    if as_json:
        rows = [{"state": state, "kind": kind or None, "count": count} for (state, kind), count in found.items()]
        print_json({"previews": rows, "failed": [{"filename": name, "reason": reason} for name, reason in failed]})
        return
    print_columns(("State", "Kind", "Count"), [(WORDS[state], kind, f"{n:,}") for (state, kind), n in found.items()])
    for name, reason in failed:
        say(f"{name}: {reason}")


@previews.command("rebuild")
@click.argument("path", default="")
@click.option("--failed", is_flag=True, help="Only those whose tries came to nothing.")
def make_anew(path: str, failed: bool) -> None:
    """Have the previews of all documents, or of those at and below PATH, made anew by the worker."""
    with opened():
        count = rebuild(get_category(path) if path_of(path) else None, only_failed=failed)
    click.echo(f"{counted(count, 'preview', 'previews')} to be made anew.")
