"""Getting an installation ready, and looking whether it is."""

from collections.abc import Callable

import click
from sqlalchemy.exc import DBAPIError

from portal import schema, settings
from portal.cli.failures import first_line
from portal.cli.installation import require_schema
from portal.errors import PortalError, SettingsProblem
from portal.settings import Settings
from portal.sizes import size_text
from portal.storage import LocalStorage


@click.command
def migrate() -> None:
    """Bring the database to the schema of this version; make it when there is none. May be repeated."""
    chosen = settings.load()
    chosen.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    schema.migrate(chosen.database_url)
    click.echo(f"The database is at schema {schema.head()}.")


@click.command
def check() -> None:
    """Look whether the settings can be read, the schema fits and the storage takes and gives back bytes."""
    chosen = settings.load()
    click.echo(f"settings  data in {chosen.data}")
    results = [
        _reported("schema", _check_schema, chosen),
        _reported("storage", _check_storage, chosen),
        _reported("sources", _check_sources, chosen),
    ]
    if not all(results):
        raise click.exceptions.Exit(1)


def _reported(what: str, look: Callable[[Settings], str], chosen: Settings) -> bool:
    """Print one line: what was found, or on stderr why it will not do."""
    try:
        click.echo(f"{what:<8}  {look(chosen)}")
    except PortalError as problem:
        click.echo(f"{what:<8}  {problem.sentence}", err=True)
    except DBAPIError as problem:
        click.echo(f"{what:<8}  The database does not answer: {first_line(problem.orig)}.", err=True)
    else:
        return True
    return False


def _check_schema(chosen: Settings) -> str:
    require_schema(chosen.database_url)
    return f"at {schema.head()}, as this version needs it"


def _check_sources(chosen: Settings) -> str:
    missing = [f"{path} ({directory})" for path, directory in chosen.sources.items() if not directory.is_dir()]
    if missing:
        raise SettingsProblem(f"The directory of {', '.join(missing)} is not there.")
    return ", ".join(chosen.sources) or "none"


def _check_storage(chosen: Settings) -> str:
    storage = LocalStorage(chosen.storage)
    storage.prepare()
    storage.check()
    return f"{size_text(storage.free_bytes())} free in {storage.root}"
