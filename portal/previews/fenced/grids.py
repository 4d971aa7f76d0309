"""The first rows of a table, cut to what is shown. Pure."""

from collections.abc import Iterable, Sequence
from itertools import islice

from portal.previews.fenced.making import Desk, Refusal

ROWS, COLUMNS, CHARACTERS = 50, 30, 200
"""How much is shown; the header is a row besides."""


def put_rows(desk: Desk, rows: Iterable[Sequence[str]]) -> int:
    """Give the first of some rows away, as a table and as a text to be found; how many they were. Raises Refusal for
    none.

    What is missing at the end of a row is empty, and rows of nothing at the end are left out.
    """
    found = [list(row) for row in islice(rows, ROWS + 1)]
    while found and not any(cell.strip() for cell in found[-1]):
        found.pop()
    if not found:
        raise Refusal("empty")
    columns = max(len(row) for row in found)
    shown = min(columns, COLUMNS)
    desk.put_table([[_cut(cell) for cell in row[:shown]] + [""] * (shown - len(row)) for row in found], columns)
    return len(found)


def _cut(cell: str) -> str:
    return cell if len(cell) <= CHARACTERS else f"{cell[: CHARACTERS - 1]}…"
