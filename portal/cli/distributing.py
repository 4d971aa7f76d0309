"""A directory of files, each for its own person: looked at, and put where nobody else may read it."""

from contextlib import suppress
from pathlib import Path

import click

from portal import deliveries
from portal.cli.inputs import get_category
from portal.cli.installation import opened
from portal.cli.output import as_json, counted, print_json, progress, say
from portal.errors import BadInput, Conflict
from portal.extensions import settings
from portal.uploads import distributing
from portal.uploads.distributing import Plan
from portal.uploads.distributing.looking import WORDS

DRY = {
    "added": "new",
    "versioned": "a new version",
    "unchanged": "there already",
    "ambiguous": "could be for several",
    "unmatched": "for nobody known",
    "refused": "refused",
}


@click.command("distribute")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--into", required=True, metavar="PATH", help="The category below which each person has their own.")
@click.option(
    "--lines",
    "lines_file",
    metavar="CSV",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Whose each file is: columns filename and person, and if you like title, category and expiry.",
)
@click.option("--pattern", default="", help="What the names of files say: {reference}_*.pdf, or with {email}.")
@click.option("--title", default="", help="What this is, such as “Payslips March 2027”; else the name of DIR.")
@click.option("--no-notice", is_flag=True, help="Write nobody a mail.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@as_json
def distribute(
    *,
    directory: Path,
    into: str,
    lines_file: Path | None,
    pattern: str,
    title: str,
    no_notice: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put each file of DIR into the own category of its person or group, which only they may read.

    A second run changes nothing: what is there already stays as it is, and it says how many people downloaded theirs.
    """
    if bool(lines_file) == bool(pattern):
        raise BadInput("Say whose the files are: by --lines or by --pattern, one of the two.")
    with opened():
        category = get_category(into)
        table = _read(lines_file)
        if dry_run:
            plan = _foresee(directory, category.id, pattern, table, lines_file)
            _show(plan.counts, DRY, as_json=as_json, is_dry=True, lines=_lines_of(plan))
            return
        made = distributing.add_distribution(
            None, category.id, title or directory.absolute().name, wants_notice=not no_notice
        )
        try:
            _take(made.id, directory, pattern, table, lines_file)
            seal = distributing.plan_distribution(None, made.id).seal
            distributing.start_distribution(None, made.id, seal)
        except BaseException:
            with suppress(Conflict):  # it was begun by then, and the worker goes on with it
                distributing.drop_distribution(None, made.id)
            raise
        distributing.finish(made.id)
        _report(made.id, as_json=as_json)


def _read(file: Path | None) -> bytes:
    if file is None:
        return b""
    try:
        return file.read_bytes()
    except OSError as problem:
        raise BadInput(f"{file} cannot be read: {problem.strerror}.") from problem


def _foresee(directory: Path, category_id: int, pattern: str, table: bytes, lines_file: Path | None) -> Plan:
    lines = distributing.read_lines(table, settings().timezone) if table else []
    return distributing.foresee_directory(directory, category_id, pattern=pattern, lines=lines, without=lines_file)


def _take(distribution_id: int, directory: Path, pattern: str, table: bytes, lines_file: Path | None) -> None:
    """First what says whose they are: that may be wrong, and is found out before anything is copied."""
    if lines_file is not None:
        distributing.set_lines(None, distribution_id, table, settings().timezone)
    else:
        distributing.set_pattern(None, distribution_id, pattern)
    with progress("Reading") as bar:
        distributing.take_directory(None, distribution_id, directory, without=lines_file, progress=bar)


def _report(distribution_id: int, *, as_json: bool) -> None:
    found = distributing.get_distribution(None, distribution_id)
    rows, after = distributing.list_files(None, distribution_id, "refused")
    lines = [f"{row.filename}: {row.reason}" for row in rows]
    while after is not None:
        rows, after = distributing.list_files(None, distribution_id, "refused", after=after)
        lines += [f"{row.filename}: {row.reason}" for row in rows]
    people = deliveries.count_receptions(None, distribution_id)
    _show(found.counts, WORDS, as_json=as_json, is_dry=False, lines=lines, people=people)
    if lines:
        raise click.exceptions.Exit(1)


def _lines_of(plan: Plan) -> list[str]:
    without = [f"Line {line.number}: there is no file {line.filename}." for line in plan.lines_without_file]
    return [f"{one.file.filename}: {one.reason}" for one in plan.files if not one.is_filed] + without


def _show(
    counts: dict[str, int],
    words: dict[str, str],
    *,
    as_json: bool,
    is_dry: bool,
    lines: list[str],
    people: dict[str, int] | None = None,
) -> None:
    if as_json:
        has = {"people": people["all"], "people_with_theirs": people["has"]} if people is not None else {}
        print_json({"files": sum(counts.values()), **{name: counts.get(name, 0) for name in words}, **has})
    else:
        parts = [f"{counts[name]:,} {said}" for name, said in words.items() if counts.get(name)]
        summary = ", ".join([counted(sum(counts.values()), "file", "files"), *parts])
        click.echo(("Nothing was changed. It would be: " if is_dry else "") + f"{summary}.")
        if people is not None and counts.get("unchanged"):  # what is new was downloaded by nobody yet
            click.echo(f"{people['has']:,} of {counted(people['all'], 'person', 'people')} downloaded theirs.")
    for line in lines:
        say(line)
