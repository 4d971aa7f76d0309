"""The first rows of a CSV or TSV, whatever parts its cells, and how many there are."""

import csv
import io
from collections.abc import Iterator

from portal.previews.fenced.decoding import decoded, encoding_of
from portal.previews.fenced.grids import CHARACTERS, put_rows
from portal.previews.fenced.making import MOST_TEXT, Desk, Refusal

HEAD = 1024 * 1024
"""So much of it is read for the rows that are shown."""
BLOCK = 1024 * 1024
COUNT_SHARE = 0.3
"""So much of the time may be spent on counting rows; then nobody knows how many there are."""
DELIMITERS = ",;\t|"
SAMPLE = 20
"""Lines that are looked at to tell what parts the cells."""
WIDE = {"utf-16-le": 2, "utf-16-be": 2}
"""Bytes of a character that has more than one."""


def make(desk: Desk) -> None:
    """The rows, the text as it is written, for the search, and the number of rows."""
    head = desk.read(HEAD)
    if not head:
        raise Refusal("empty")
    encoding = encoding_of(head)
    is_whole = len(head) == desk.task.size
    text = decoded(head, encoding)
    delimiter = "\t" if desk.task.content_type == "text/tab-separated-values" else delimiter_of(text)
    shown = put_rows(desk, _rows(text, delimiter, is_whole=is_whole))
    desk.put_text(text[:MOST_TEXT])
    rows = sum(1 for _ in _rows(text, delimiter, is_whole=True)) if is_whole else _count(desk, encoding)
    desk.finish(None if rows is None else max(rows, shown) - 1)


def delimiter_of(text: str) -> str:
    """What parts the cells of most of the first lines into the same number; a comma where nothing does."""
    lines = [line for line in text[: SAMPLE * CHARACTERS * 10].splitlines()[:SAMPLE] if line.strip()]
    found = ","
    best = (0, 0)
    for delimiter in DELIMITERS:
        counts = [_outside_quotes(line).count(delimiter) for line in lines]
        usual = max(set(counts), key=counts.count, default=0)
        score = (counts.count(usual), usual) if usual else (0, 0)
        if score > best:
            found, best = delimiter, score
    return found


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _rows(text: str, delimiter: str, *, is_whole: bool) -> Iterator[list[str]]:
    """Row by row; the last one is left out when it may be cut, unless there is no other."""
    csv.field_size_limit(2 * HEAD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    before: list[str] | None = None
    is_first = True
    for row in reader:
        if not row:
            continue
        if before is not None:
            yield before
            is_first = False
        before = row
    if before is not None and (is_whole or is_first):
        yield before


def _count(desk: Desk, encoding: str) -> int | None:
    """Rows of all of it, by the line ends outside of quotes; None when there is no time for that."""
    wide = WIDE.get(encoding, 1)
    line_end, quote = ("\n".encode(encoding), '"'.encode(encoding)) if wide > 1 else (b"\n", b'"')
    at, rows, is_quoted, last = 0, 0, False, b""
    while block := desk.read(BLOCK, at):
        if desk.is_late(COUNT_SHARE):
            return None
        at += len(block)
        parts = block.split(quote)
        rows += sum(part.count(line_end) for part in parts[int(is_quoted) :: 2])
        is_quoted ^= len(parts) % 2 == 0
        last = block
    return rows + (not last.endswith(line_end))
