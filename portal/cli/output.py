"""How commands say things: sentences and columns for people, JSON for programs, progress on a terminal's stderr."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from itertools import chain, islice

import click
from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from portal.sizes import size_text

BLOCK = 2000

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def print_json(value: object) -> None:
    """One JSON value on one line, in ASCII, so that no terminal's encoding can spoil it."""
    click.echo(json.dumps(value))


def print_json_array(rows: Iterable[dict[str, object]]) -> None:
    """One JSON array, a row per line, printed as the rows come: a long list needs no memory."""
    print_texts(chain("[", _separated(map(json.dumps, rows)), "]\n"))


def print_texts(texts: Iterable[str]) -> None:
    """Many small texts, none ended for them, printed some thousand at a time: each printing is a call of the system."""
    iterator = iter(texts)
    while block := "".join(islice(iterator, BLOCK)):
        click.echo(block, nl=False)


def print_columns(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns below their names, as wide as they need to be: nothing is cut."""
    lines = [names, *rows]
    widths = [max(cell_len(line[column]) for line in lines) for column in range(len(names))]
    for line in lines:
        cells = (text + " " * (width - cell_len(text)) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def moment_text(moment: datetime | None) -> str:
    """A moment for people, in UTC to the minute; a dash for none."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "-"


def moment_json(moment: datetime | None) -> str | None:
    """A moment for programs: ISO 8601 with its zone."""
    return moment.isoformat() if moment else None


def counted(number: int, one: str, several: str) -> str:
    """A number with its noun: 1 document, 1,200 documents."""
    return f"{number:,} {one if number == 1 else several}"


def _separated(texts: Iterable[str]) -> Iterator[str]:
    separator = ""
    for text in texts:
        yield separator + text
        separator = ",\n "


def say(sentence: str) -> None:
    """A remark for the person at the terminal, beside what the command prints."""
    click.echo(sentence, err=True)


def progress(label: str) -> AbstractContextManager[Callable[[int, int], None]]:
    """A bar on stderr while something long runs, told how many are done and of how many; nothing off a terminal."""
    return _bar(label, MofNCompleteColumn())


def byte_progress(label: str) -> AbstractContextManager[Callable[[int, int], None]]:
    """The same, told bytes."""
    return _bar(label, DownloadColumn())


@contextmanager
def _bar(label: str, amount: ProgressColumn) -> Iterator[Callable[[int, int], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def at_most(quota: int | None) -> str:
    """How a sentence about what was put in ends: with the quota, or that there is none."""
    return " and may put in any number of bytes" if quota is None else f" of {size_text(quota)}"
