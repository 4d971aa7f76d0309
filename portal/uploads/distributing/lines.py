"""The CSV of a distribution: a line for each file, which says whose it is. Pure.

It is one that spreadsheets write: UTF-8, UTF-16 with its mark, or else Windows-1252; commas, semicolons or tabs; names
of columns in the first line. What stands in a cell is text and nothing else: no formula is ever worked out.
"""

import csv
import io
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from portal import filenames
from portal.catalog.texts import require_title
from portal.cells import read_cell
from portal.errors import BadInput
from portal.uploads.metadata import DELIMITERS, listed, read_moment

COLUMNS = {
    "filename": "filename",
    "file": "filename",
    "recipient": "recipient",
    "person": "recipient",
    "person or group": "recipient",
    "group": "recipient",
    "email": "recipient",
    "e-mail": "recipient",
    "reference": "recipient",
    "title": "title",
    "category": "category",
    "expiry": "expires_at",
    "expires": "expires_at",
}
"""Names of columns, in any case, and what they mean."""
BYTES = 10_000_000
MOST_LINES = 10_000
LENGTHS = {"filename": 255, "recipient": 254, "title": 300, "category": 1000, "expires_at": 40}
DEEPEST_INSIDE = 8
CUT = 60
NOTHING = "There is no line in it that names a file."


@dataclass(frozen=True)
class Line:
    """What one line says of one file; "" and None for nothing."""

    number: int
    """Of the line in the file, from 2 on."""
    filename: str
    recipient: str
    """The address or reference of a person, or the name of a group."""
    title: str = ""
    category: str = ""
    """Names of categories inside that of the recipient, with slashes between."""
    expires_at: datetime | None = None


def read_lines(content: bytes, zone: tzinfo = UTC, now: datetime | None = None) -> list[Line]:
    """Read a CSV; moments without a zone are read in ``zone``, and must lie after ``now``.

    Raises BadInput for a file that is no such CSV, and for one with broken lines: its sentence names them.
    """
    text = _text(content)
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines: dict[str, Line] = {}
    problems: list[str] = []
    try:
        columns = _columns(next(reader, []))
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            try:
                line = _line(reader.line_num, columns, cells, zone, now)
                if line.filename in lines:
                    raise BadInput(f"{line.filename} has a line already: line {lines[line.filename].number}.")
                lines[line.filename] = line
            except BadInput as problem:
                problems.append(f"Line {reader.line_num}: {problem.sentence}")
    except csv.Error as problem:
        raise BadInput(f"Line {reader.line_num} is no line of a CSV: {problem}.", field="lines") from problem
    if len(lines) > MOST_LINES:
        problems = [f"These are {len(lines):,} lines, and one distribution takes {MOST_LINES:,}. Make several."]
    if not lines and not problems:
        problems = [NOTHING]
    if problems:
        raise BadInput(listed(problems), field="lines")
    return list(lines.values())


def _text(content: bytes) -> str:
    if len(content) > BYTES:
        raise BadInput(f"The CSV is larger than {BYTES // 1_000_000} MB. Make several distributions.", field="lines")
    is_marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    # Windows-1252 is what Excel writes where nobody chose UTF-8.
    for encoding in ("utf-16",) if is_marked else ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise BadInput("This file is no text. Save the table as “CSV UTF-8”, and choose it again.", field="lines")


def _columns(names: list[str]) -> list[str]:
    """For each column what it is, "" for one without a name. Raises BadInput."""
    given = [" ".join(read_cell(name).split()) for name in names]
    unknown = next((name for name in given if name and name.casefold() not in COLUMNS), None)
    if unknown is not None:
        raise BadInput(
            f"Line 1: there is no use for a column “{_cut(unknown)}”. Name the columns filename, person, title,"
            " category and expiry; the first two must be there.",
            field="lines",
        )
    columns = [COLUMNS.get(name.casefold(), "") for name in given]
    missing = [name for name in ("filename", "recipient") if name not in columns]
    if missing:
        words = " and ".join("person" if name == "recipient" else name for name in missing)
        raise BadInput(f"Line 1: it must name the columns, and there is none called {words}.", field="lines")
    twice = [name for name, count in Counter(name for name in columns if name).items() if count > 1]
    if twice:
        words = "whose a file is" if twice[0] == "recipient" else f"the {twice[0].removesuffix('_at')}"
        raise BadInput(f"Line 1: more than one column says {words}.", field="lines")
    return columns


def _line(number: int, columns: list[str], cells: list[str], zone: tzinfo, now: datetime | None) -> Line:
    if any(cell.strip() for cell in cells[len(columns) :]):
        raise BadInput(f"There are {len(cells)} cells, and {len(columns)} columns.")
    said = {name: read_cell(cell).strip() for name, cell in zip(columns, cells, strict=False) if name}
    for name, text in said.items():
        if len(text) > LENGTHS[name]:
            raise BadInput(f"“{_cut(text)}” is longer than {LENGTHS[name]} characters.")
    if not said.get("filename") or not said.get("recipient"):
        raise BadInput("There is no filename." if not said.get("filename") else "It does not say whose the file is.")
    expires_at = read_moment(said.get("expires_at", ""), zone, is_end=True)
    if expires_at is not None and now is not None and expires_at <= now:
        raise BadInput(f"{said['expires_at']} is over already.")
    title = require_title(said["title"]) if said.get("title") else ""
    filename = filenames.clean(said["filename"])
    return Line(number, filename, " ".join(said["recipient"].split()), title, _inside(said), expires_at)


def _inside(said: dict[str, str]) -> str:
    names = [name.strip() for name in said.get("category", "").split("/") if name.strip()]
    if len(names) > DEEPEST_INSIDE:
        raise BadInput(f"A category inside that of the person is at most {DEEPEST_INSIDE} deep.")
    for name in names:
        problem = filenames.category_name_problem(name)
        if problem is not None:
            raise BadInput(problem)
    return "/".join(filenames.normal(name) for name in names)


def _cut(text: str) -> str:
    return text if len(text) <= CUT else text[:CUT] + "…"
