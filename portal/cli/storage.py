"""The bytes and their rows: verified, cleared of what nobody needs, backed up and restored."""

import signal
import threading
from dataclasses import asdict, replace
from pathlib import Path

import click

from portal import integrity, schema, settings, uploads
from portal.cli.installation import opened
from portal.cli.output import as_json, byte_progress, counted, moment_text, print_json, progress, say
from portal.errors import SettingsProblem
from portal.extensions import settings as in_force
from portal.settings import Settings
from portal.sizes import size_text
from portal.tokens import make_token

file_argument = click.argument("file", type=click.Path(path_type=Path))


@click.command
@as_json
def verify(as_json: bool) -> None:
    """Read every document and compare it with what the catalog says; list what is wrong.

    Documents found damaged are not given out until they are right again.
    """
    with opened(), byte_progress("Verifying") as tell:
        report = integrity.verify(progress=tell)
    if as_json:
        print_json(asdict(report))
    else:
        click.echo(
            f"{counted(report.documents, 'document', 'documents')}, "
            f"{counted(report.versions, 'version', 'versions')}, {size_text(report.bytes_read)} read: "
            f"{counted(len(report.problems), 'problem', 'problems')}."
        )
    _end(report.problems)


@click.command
@click.option("--once", is_flag=True, help="Finish the pass under way, or do a whole one, at full speed; then end.")
def scrub(once: bool) -> None:
    """Read every document again and again, slowly, until told to stop. A running `portal serve` does this itself."""
    with opened():
        if not once:
            say("Reading every document, slowly, again and again until told to stop; --once does one pass and ends.")
            integrity.keep_scrubbing(_rest_until_told())
            return
        with byte_progress("Scrubbing") as tell:
            done = integrity.scrub(progress=tell)
        click.echo(
            f"{counted(done.files, 'file', 'files')}, {size_text(done.bytes)}, "
            f"read since {moment_text(done.started_at)}: {done.damaged:,} damaged."
        )
    if done.damaged:
        raise click.exceptions.Exit(1)


@click.command
@click.option("--all", "is_all", is_flag=True, help="Everything; it is given out meanwhile.")
def scan(is_all: bool) -> None:
    """Have what waits looked at for viruses now. A running `portal serve` does this itself.

    What a virus was found in is given out no more. Directories shown in place are never looked at.
    """
    with opened():
        if not in_force().clamd:
            raise SettingsProblem("No scanner is set: clamd (PORTAL_CLAMD) names none.")
        if is_all:
            with byte_progress("Scanning") as tell:
                done = uploads.scan_all(tell)
        else:
            done = uploads.scan()
    click.echo(
        f"{counted(done.scanned, 'file', 'files')} looked at, {done.infected:,} with a virus,"
        f" {done.refused:,} that the scanner could not look at."
    )
    if done.infected or done.refused:
        raise click.exceptions.Exit(1)


@click.command
@as_json
def gc(as_json: bool) -> None:
    """Remove what nothing refers to any more and what is over. Never anything younger than a day."""
    with opened(), progress("Collecting") as tell:
        report = integrity.collect(progress=tell)
    if as_json:
        print_json(asdict(report))
        return
    click.echo(
        f"{counted(report.files, 'file', 'files')} removed, {size_text(report.freed_bytes)} freed; "
        f"{counted(report.purged, 'document', 'documents')} and {counted(report.categories, 'category', 'categories')}"
        " from the trash gone for good."
    )


@click.command
@file_argument
def backup(file: Path) -> None:
    """Write everything into FILE, a tar that must not exist yet. It holds the signing key: keep it safe."""
    with opened(), byte_progress("Backing up") as tell:
        report = integrity.backup(file, progress=tell)
    click.echo(f"{counted(report.documents, 'document', 'documents')} in {report.path}, {size_text(report.size)}.")
    for source in report.sources:
        say(f"{source} is indexed in place and is not in the backup.")
    _end(report.problems)


@click.command
@file_argument
def restore(file: Path) -> None:
    """Bring FILE back into an installation without documents; into none at all, it is made first."""
    chosen = settings.load()
    if file.exists():
        _make_database(chosen)
    with opened(_without_new_secret(chosen)), byte_progress("Restoring") as tell:
        report = integrity.restore(file, progress=tell)
    click.echo(f"{counted(report.documents, 'document', 'documents')} brought back, as of {report.made_at}.")
    for source in report.sources:
        say(f"{source} was indexed in place; its documents are given out if it is where it was.")
    for remark in report.remarks:
        say(remark)
    _end(report.problems)


def _rest_until_told() -> integrity.Rest:
    """Resting that SIGTERM and SIGINT end, once and for all."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    return told.wait


def _make_database(chosen: Settings) -> None:
    """What `portal migrate` does, where nothing is there yet; a database of another schema is left to the operator."""
    chosen.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if schema.is_empty(chosen.database_url):
        schema.migrate(chosen.database_url)


def _without_new_secret(chosen: Settings) -> Settings:
    """The settings, such that none is made: a new signing key would stand in the way of the one in the backup."""
    is_fresh = not chosen.secret_key and not chosen.secrets_dir.exists()
    return replace(chosen, secret_key=make_token()) if is_fresh else chosen


def _end(problems: list[str]) -> None:
    """List what is wrong on stderr; with anything wrong the command has failed."""
    for problem in problems:
        say(problem)
    if problems:
        raise click.exceptions.Exit(1)
