"""The first rows of the first sheet of an XLSX workbook, as it would be read aloud."""

from collections.abc import Iterator
from datetime import datetime, time

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from portal.previews.fenced.grids import put_rows
from portal.previews.fenced.making import MOST_TEXT, Desk, Refusal
from portal.previews.fenced.packed import unpacking

MOST_ROWS = 5_000
"""So many are read for the search."""
WIDEST = 1_000
"""Cells of a row that are read: some programs write rows of sixteen thousand empty ones."""
ROWS_SHARE = 0.5
"""So much of the time may pass until no more rows are read."""


def make(desk: Desk) -> None:
    """The rows, what stands in them for the search, and how many there are when all were read."""
    with unpacking(desk) as archive:
        try:
            book = load_workbook(archive.fp, read_only=True, data_only=True, keep_links=False)  # type: ignore[arg-type]
            sheet = next(iter(book.worksheets), None)
            if sheet is None:
                raise Refusal("empty")
            sheet.reset_dimensions()  # what is said of it may be wrong
            rows, is_whole = _read(desk, sheet.iter_rows(max_col=WIDEST, values_only=True))
        except (InvalidFileException, ValueError, TypeError, AttributeError, IndexError, SyntaxError) as problem:
            raise Refusal("damaged") from problem
    shown = put_rows(desk, rows)
    desk.put_text("\n".join("\t".join(cell for cell in row if cell) for row in rows)[:MOST_TEXT])
    desk.finish(max(len(rows), shown) - 1 if is_whole else None)


def _read(desk: Desk, found: Iterator[tuple[object, ...]]) -> tuple[list[list[str]], bool]:
    """The first rows, without those at the end in which nothing stands; and whether these are all."""
    rows: list[list[str]] = []
    is_whole = True
    for row in found:
        if len(rows) == MOST_ROWS or desk.is_late(ROWS_SHARE):
            is_whole = False
            break
        texts = [text_of(cell) for cell in row]
        while texts and not texts[-1]:
            texts.pop()
        rows.append(texts)
    while rows and not rows[-1]:
        rows.pop()
    return rows, is_whole


def text_of(value: object) -> str:
    """What stands in a cell, for people."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if value.time() == time() else f"{value:%Y-%m-%d %H:%M}"
    return str(value)
