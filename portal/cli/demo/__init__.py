"""`portal demo`: a portal with people, documents, links and a past, in a directory of its own."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import click

from portal import schema, settings
from portal.addresses import share_address
from portal.cli.demo.names import HOUSE
from portal.cli.demo.story import Notes, tell
from portal.cli.failures import Refusal
from portal.cli.installation import opened
from portal.cli.output import print_columns, say
from portal.cli.serve import host_option, port_option, run

DIRECTORY = settings.ROOT / "storage" / "demo"
NOTES, CONFIG = "demo.json", "portal.toml"
KEPT = ("PORTAL_BASE_URL",)
"""Of the environment: nothing else of a real portal may reach the demonstration."""


@click.command
@host_option
@port_option
def demo(host: str, port: int) -> None:
    """Serve a portal with sample people and documents, made at the first start in storage/demo (or PORTAL_DATA)."""
    directory = Path(os.environ.get("PORTAL_DATA") or DIRECTORY).absolute()
    if not (directory / NOTES).exists():
        say("Making sample people and documents.")
        _make(directory)
    notes = Notes(**json.loads((directory / NOTES).read_text(encoding="utf-8")))
    _use(directory)
    schema.migrate(settings.load().database_url)
    run(host, port, greet=lambda base_url: _print(notes, base_url))


def _make(directory: Path) -> None:
    """Make it aside and move it into place, so that a start that broke off leaves nothing half made.

    Raises Refusal when something else is there already.
    """
    if directory.exists() and any(directory.iterdir()):
        raise Refusal(f"{directory} is not empty and holds no demonstration. Name another directory with PORTAL_DATA.")
    making = directory.with_name(f".{directory.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700, parents=True)
    (making / CONFIG).write_text(f'name = "{HOUSE}"\n', encoding="utf-8")
    chosen = settings.load({"PORTAL_CONFIG": str(making / CONFIG)}, data=str(making))
    schema.migrate(chosen.database_url)
    with opened(chosen):
        notes = tell()
    (making / NOTES).write_text(json.dumps(asdict(notes), indent=1), encoding="utf-8")
    making.rename(directory)


def _use(directory: Path) -> None:
    for name in [name for name in os.environ if name.startswith("PORTAL_") and name not in KEPT]:
        del os.environ[name]
    os.environ["PORTAL_CONFIG"] = str(directory / CONFIG)
    os.environ["PORTAL_DATA"] = str(directory)


def _print(notes: Notes, base_url: str) -> None:
    people = [(one["name"], one["role"], one["email"], one["password"]) for one in notes.people]
    print_columns(("Who", "What", "Address", "Password"), people)
    for link in notes.links:
        click.echo(f"{link['about']}: {share_address(base_url, link['token'])}")
        if link["password"]:
            click.echo(f"  its password: {link['password']}")
