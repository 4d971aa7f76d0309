"""What a CSV says of the documents of a directory: a row for each file, a column for each thing to say. Pure.

The file is one that spreadsheets write: UTF-8, or UTF-16 with its mark; commas, semicolons or tabs; names of columns in
the first line. What stands in a cell is text and nothing else: no formula is ever worked out.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from portal import filenames
from portal.cells import read_cell
from portal.errors import BadInput

DELIMITERS = ",;\t"
COLUMNS = {
    "path": "path",
    "file": "path",
    "filename": "path",
    "title": "title",
    "description": "description",
    "tags": "tags",
    "reference": "reference",
    "responsible": "responsible",
    "published": "published_at",
    "expires": "expires_at",
}
"""Names of columns that mean something by themselves; any other is a field of the category."""
DRAFT = "draft"
BYTES = 200_000_000
MOST_CELL = 100_000
LISTED = 20
"""How many problems are told one by one."""


@dataclass(frozen=True)
class Row:
    """What is said of one file. None means: nothing; an empty cell takes nothing away."""

    line: int
    path: str
    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    reference: str | None = None
    responsible: str | None = None
    published_at: datetime | None = None
    is_draft: bool = False
    expires_at: datetime | None = None
    fields: dict[str, str] = field(default_factory=dict)
    """By the name of the column."""


@dataclass(frozen=True)
class Metadata:
    """The rows by the path of their file, and the names of the columns that are fields."""

    rows: dict[str, Row]
    fields: tuple[str, ...]


NOTHING = Metadata({}, ())


def read_metadata(content: bytes, zone: tzinfo = UTC) -> Metadata:
    """Read a CSV; moments without a zone are read in ``zone``.

    Raises BadInput for a file that is no such CSV, and for one with broken rows: its sentences name the lines.
    """
    text = _text(content)
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns = _columns(next(reader, []))
    problems: list[str] = []
    rows: dict[str, Row] = {}
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            line = reader.line_num
            try:
                row = _row(line, columns, cells, zone)
                if row.path in rows:
                    raise BadInput(f"{row.path} has a row already, in line {rows[row.path].line}.")
            except BadInput as problem:
                problems.append(f"Line {line}: {problem.sentence}")
            else:
                rows[row.path] = row
    except csv.Error as problem:
        raise BadInput(f"Line {reader.line_num} is no line of a CSV: {problem}.") from problem
    if problems:
        raise BadInput(listed(problems))
    return Metadata(rows, tuple(name for name in columns if name and name not in COLUMNS.values()))


def listed(problems: list[str]) -> str:
    """The first problems, one a line, and how many more there are."""
    more = [f"… and {len(problems) - LISTED:,} more."] if len(problems) > LISTED else []
    return "\n".join(problems[:LISTED] + more)


def path_key(path: str) -> str:
    """A path as files are compared with rows: NFC, forward slashes, nothing in front."""
    return filenames.normal(path.replace("\\", "/").removeprefix("./").strip("/"))


def _text(content: bytes) -> str:
    if len(content) > BYTES:
        raise BadInput(f"The file with the metadata is larger than {BYTES // 1_000_000} MB. Import in parts.")
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as problem:
        line = content[: problem.start].count(b"\n") + 1
        raise BadInput(f"The file with the metadata is no text in UTF-8: look at line {line}.") from problem
    if "\0" in text:
        raise BadInput("The file with the metadata is no text: there are zero bytes in it.")
    return text


def _columns(names: list[str]) -> list[str]:
    """For each column what it is: a word of ``COLUMNS``, the name of a field, "" for a column without a name."""
    given = [" ".join(read_cell(name).split()) for name in names]
    columns = [COLUMNS.get(name.casefold(), name) for name in given]
    if "path" not in columns:
        raise BadInput(
            "The first line must name the columns, and one of them must be “path”: the file, as in sub/a.pdf."
        )
    twice = [name for name, count in Counter(name.casefold() for name in columns if name).items() if count > 1]
    if twice:
        raise BadInput(f"The column “{twice[0]}” is there more than once.")
    return columns


def _row(line: int, columns: list[str], cells: list[str], zone: tzinfo) -> Row:
    if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
        raise BadInput(f"There are {len(cells)} cells, and {len(columns)} columns.")
    if any(len(cell) > MOST_CELL for cell in cells):
        raise BadInput("A cell is far too long.")
    said = {name: read_cell(cell).strip() for name, cell in zip(columns, cells, strict=False) if name}
    path = path_key(said.pop("path", ""))
    if not path:
        raise BadInput("There is no path.")
    published = said.pop("published_at", "")
    is_draft = published.casefold() == DRAFT
    own = {name: said.pop(name, "") or None for name in ("title", "description", "reference", "responsible")}
    tags = tuple(tag.strip() for tag in said.pop("tags", "").split(";") if tag.strip())
    return Row(
        line,
        path,
        **own,
        tags=tags or None,
        published_at=None if is_draft else read_moment(published, zone),
        is_draft=is_draft,
        expires_at=read_moment(said.pop("expires_at", ""), zone, is_end=True),
        fields={name: text for name, text in said.items() if text},
    )


def read_moment(text: str, zone: tzinfo, *, is_end: bool = False) -> datetime | None:
    """A date or a moment; a date alone begins that day, or for an end is over with it."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if is_end and len(text) <= len("2026-01-31"):
            moment += timedelta(days=1)
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    except (ValueError, OverflowError) as problem:
        raise BadInput(f"“{_cut(text)}” is no date. Write 2027-01-31 or 2027-01-31T18:00.") from problem


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"


def rows_without_file(metadata: Metadata, paths: Iterator[str]) -> list[Row]:
    """Rows of files that are not there."""
    there = {path_key(path) for path in paths}
    return [row for path, row in metadata.rows.items() if path not in there]
