"""Directories taken in, and those shown in place looked through again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

import click

from portal import uploads
from portal.cells import cell
from portal.cli.inputs import path_of, warn_of_twin
from portal.cli.installation import opened
from portal.cli.output import as_json, counted, print_json, progress, say
from portal.errors import BadInput, PortalError
from portal.extensions import settings
from portal.uploads import FileLine, Ignored, Options, Report

WORDS = {
    "added": "new",
    "versioned": "new version",
    "unchanged": "unchanged",
    "resumed": "taken before",
    "vanished": "gone from disk",
    "refused": "not taken",
}

_WITHIN = (
    "{} lies in DIR. It is left out now; a later run that does not name it, and a rescan, take it for a document: keep"
    " it elsewhere, or name it to --ignore as well."
)


@click.command("import")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--into", required=True, metavar="PATH", help="The category that takes the contents; made when missing.")
@click.option(
    "--in-place", is_flag=True, help="Copy nothing: index the directory where it is, and serve it from there."
)
@click.option(
    "--metadata",
    "metadata_file",
    metavar="CSV",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What to say of the documents: a row for each file, with its path below DIR. Keep the CSV outside of DIR.",
)
@click.option(
    "--ignore",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help="Leave out what this means, as in a .gitignore; may be given several times.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option(
    "--report",
    "report_file",
    metavar="CSV",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a line for each file: what became of it, as which document, and why not.",
)
@as_json
def import_documents(
    *,
    directory: Path,
    into: str,
    in_place: bool,
    metadata_file: Path | None,
    patterns: tuple[str, ...],
    dry_run: bool,
    report_file: Path | None,
    as_json: bool,
) -> None:
    """Take in the contents of DIR: subfolders become categories, files documents.

    A second run takes in only what is new or changed, and goes on where the first broke off. Dot names, links and
    special files are left out.
    """
    with opened(), _lines(report_file) as tell, progress(_label(in_place, dry_run)) as bar:
        options = Options(
            ignored=Ignored(patterns),
            metadata=_metadata(metadata_file),
            metadata_file=metadata_file,
            tell=tell,
        )
        path = path_of(into)
        warn_of_twin(path)
        if dry_run:
            report = uploads.foresee_import(directory, path, options, in_place=in_place, progress=bar)
        else:
            take_in = uploads.index_directory if in_place else uploads.import_directory
            report = take_in(None, directory, path, options=options, progress=bar)
    for file in options.without(directory):
        if not options.ignored.has(file):
            say(_WITHIN.format(file))
    _show(report, path, as_json=as_json, dry_run=dry_run)


@click.command("rescan")
@click.argument("path", default="")
@as_json
def rescan(path: str, as_json: bool) -> None:
    """Look through the directories that are shown in place again: the one of PATH, or all of them.

    A directory in which there is nothing at all any more changes nothing: perhaps its disk is not mounted.
    """
    with opened():
        sources = uploads.list_sources(path_of(path))
        if path and not sources:
            raise BadInput(f"{path} shows no directory in place.")
        reports = [_rescan_one(source.path, Path(source.directory)) for source in sources]
    if as_json:
        print_json([{"path": source.path, **asdict(one)} for source, one in zip(sources, reports, strict=True)])
    else:
        for source, one in zip(sources, reports, strict=True):
            click.echo(_summary(one, source.path))
    _end([problem for one in reports for problem in one.problems])


def _rescan_one(path: str, directory: Path) -> Report:
    try:
        with progress(f"Looking through {path}") as bar:
            return uploads.index_directory(None, directory, path, progress=bar, is_cautious=True)
    except PortalError as refusal:
        return Report(problems=[f"{path}: {refusal.sentence}"])


def _label(in_place: bool, dry_run: bool) -> str:
    if dry_run:
        return "Looking"
    return "Indexing" if in_place else "Importing"


def _metadata(file: Path | None) -> uploads.Metadata:
    if file is None:
        return uploads.NOTHING
    try:
        content = file.read_bytes()
    except OSError as problem:
        raise BadInput(f"{file} cannot be read: {problem.strerror}.") from problem
    return uploads.read_metadata(content, settings().timezone)


@contextmanager
def _lines(file: Path | None) -> Iterator[Callable[[FileLine], None] | None]:
    """Somebody who writes each line down at once, so that a report of what broke off says how far it came."""
    if file is None:
        yield None
        return
    with _created(file) as out:
        out.write("path,outcome,document,problem\r\n")

        def write(line: FileLine) -> None:
            document = "" if line.document_id is None else str(line.document_id)
            cells = (cell(line.path), WORDS[line.outcome], document, cell(line.problem))
            out.write(",".join(cells) + "\r\n")

        yield write


def _created(file: Path) -> TextIO:
    try:
        return file.open("x", encoding="utf-8", newline="", buffering=1)
    except FileExistsError as problem:
        raise BadInput(f"{file} is there already. Name a new file for the report.") from problem
    except OSError as problem:
        raise BadInput(f"{file} cannot be written: {problem.strerror}.") from problem


def _show(report: Report, path: str, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print_json(asdict(report))
    else:
        click.echo(("Nothing was changed. It would be: " if dry_run else "") + _summary(report, path))
    _end(report.problems)


def _end(problems: list[str]) -> None:
    for problem in problems:
        say(problem)
    if problems:
        raise click.exceptions.Exit(1)


def _summary(report: Report, into: str) -> str:
    figures = {
        "new": report.added,
        "in a new version": report.versioned,
        "unchanged": report.unchanged,
        "taken by the import before": report.resumed,
        "described anew": report.described,
        "gone from disk and now in the trash": report.vanished,
        "left out by a pattern": report.ignored,
        "skipped": report.skipped,
        "not taken": len(report.problems),
    }
    parts = [f"{count:,} {words}" for words, count in figures.items() if count]
    return f"{into}: {', '.join([counted(report.documents, 'document', 'documents'), *parts])}."
