"""Lists of people as they come: a CSV with names of columns, or addresses as mail programs write them. Pure."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from portal.cells import read_cell
from portal.errors import BadInput

MOST_ENTRIES = 10_000
LONGEST_ENTRY = 1_000
SHOWN = 80
"""How much of an entry that cannot be read stands in its row."""
COLUMNS = {"email": "email", "e-mail": "email", "mail": "email", "name": "name", "groups": "groups", "group": "groups",
           "state": "state", "reference": "reference"}  # fmt: skip
"""Names of columns that mean something; any other is left alone."""
DELIMITERS = ",;\t"
NO_ADDRESS = "There is no email address here."
NOT_CSV = "The quotes do not fit together."
TOO_LONG = "This is too long for one person."
DISABLED = "Is disabled where the list comes from."
ODD = (
    "This line is read as {} parts, and which is which is not clear; begin the list with a line that names the columns:"
    " email, name, groups."
)
MISPLACED = "These are names of columns: they belong into the first line."
_WORD = re.compile(r"""[^\s,;<>"]+""")
_PIECE = re.compile(r'"[^"]*"|<[^<>]*>|[^,;\t"<]+|.', re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """One person of a list. ``line`` counts from 1; with a ``problem`` the email is what stands there instead."""

    line: int
    email: str
    name: str = ""
    groups: tuple[str, ...] = ()
    reference: str = ""
    problem: str = ""


def read_people(text: str) -> list[Entry]:
    """Everybody in a list, in its order. Raises BadInput for an empty one and for more than ten thousand.

    Lines are read one by one, so that a broken one breaks no other.
    """
    lines = [(number, line.strip()) for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line]
    header = _header(lines[0][1]) if lines else None
    found: list[Entry] = []
    for number, line in lines[1:] if header else lines:
        found += _headed(number, line, *header) if header else _loose(number, line)
        if len(found) > MOST_ENTRIES:
            raise BadInput(f"A list has at most {MOST_ENTRIES:,} people. Take it in parts.", field="people")
    if not found:
        raise BadInput("There is nobody in this list. Write one address on each line.", field="people")
    return found


def _header(line: str) -> tuple[str, dict[str, int]] | None:
    """Delimiter, and column to its place; None when the first line is a person already."""
    if "@" in line:
        return None
    for delimiter in DELIMITERS:
        names = [COLUMNS.get(name.strip().casefold(), "") for name in _cells(line, delimiter) or []]
        if "email" in names:
            return delimiter, {name: names.index(name) for name in names if name}
    return None


def _headed(number: int, line: str, delimiter: str, places: dict[str, int]) -> list[Entry]:
    cells = _cells(line, delimiter)
    if cells is None:
        return [Entry(number, line[:SHOWN], problem=NOT_CSV)]
    if len(line) > LONGEST_ENTRY:
        return [Entry(number, line[:SHOWN], problem=TOO_LONG)]
    row = {name: read_cell(cells[place]).strip() for name, place in places.items() if place < len(cells)}
    found = _entry(number, row.get("email", ""), row.get("name", ""), row.get("groups", ""), row.get("state", ""))
    return [replace(found, reference=row.get("reference", ""))]


def _loose(number: int, line: str) -> list[Entry]:
    """A line without names of columns: one person, or any number of ``Name <email>`` and bare addresses."""
    if sum("@" in word for word in _WORD.findall(line)) <= 1:
        return [_one(number, line)]
    entries = [entry for piece in _pieces(line) if piece for entry in _piece(number, piece)]
    complaints = [entry for entry in entries if entry.problem]
    return complaints[:1] + [entry for entry in entries if not entry.problem]


def _one(number: int, line: str) -> Entry:
    """A line with one address at most: beside the cell with it stand the name and, last, the groups."""
    if len(line) > LONGEST_ENTRY:
        return Entry(number, line[:SHOWN], problem=TOO_LONG)
    if "@" not in line:
        return Entry(number, line[:SHOWN], problem=MISPLACED if _header(line) else NO_ADDRESS)
    delimiter = next((part for part in _PIECE.findall(line) if part in DELIMITERS), ",")
    cells = [read_cell(cell).strip() for cell in _cells(line, delimiter) or _pieces(line, delimiter)]
    place = next(place for place, cell in enumerate(cells) if "@" in cell)
    found = _piece(number, cells[place])[0]
    others = cells[:place] + cells[place + 1 :]
    while others and not others[-1]:
        others.pop()
    has_name = bool(found.name)
    is_odd = len(others) + has_name > 2 or (has_name and any(cells[:place])) or len(list(_pieces(cells[place]))) > 1
    if is_odd and not found.problem:
        return Entry(number, line[:SHOWN], problem=ODD.format(len(cells)))
    name, groups, *_ = [found.name, *others, "", ""] if has_name else [*others, "", ""]
    return replace(found, name=name, groups=_group_names(groups))


def _pieces(line: str, delimiters: str = DELIMITERS) -> Iterator[str]:
    """What stands between these delimiters, but for those in quotes and angle brackets."""
    parts: list[str] = []
    for part in [*_PIECE.findall(line), delimiters[0]]:
        if part in delimiters:
            yield "".join(parts).strip()
            parts = []
        else:
            parts.append(part)


def _piece(number: int, piece: str) -> list[Entry]:
    if len(piece) > LONGEST_ENTRY:
        return [Entry(number, piece[:SHOWN], problem=TOO_LONG)]
    if "@" not in piece:
        return [Entry(number, piece[:SHOWN], problem=NO_ADDRESS)]
    name, bracket, rest = piece.partition("<")
    if bracket:
        return [_entry(number, rest.partition(">")[0].strip(), name.strip().strip('"').strip())]
    words = piece.split()
    emails = [word for word in words if "@" in word]
    if len(emails) == 1:  # with the name around it, as people write by hand
        return [_entry(number, emails[0], " ".join(word.strip('"') for word in words if word != emails[0]))]
    if len(emails) == len(words):
        return [_entry(number, email) for email in emails]
    return [Entry(number, piece[:SHOWN], problem=NO_ADDRESS)]


def _entry(number: int, email: str, name: str = "", groups: str = "", state: str = "") -> Entry:
    if "@" not in email:
        return Entry(number, email[:SHOWN] or name[:SHOWN], problem=NO_ADDRESS)
    problem = DISABLED if state.casefold() in ("disabled", "erased") else ""
    return Entry(number, email, name, _group_names(groups), problem=problem)


def _group_names(text: str) -> tuple[str, ...]:
    return tuple(group.strip() for group in text.split(";") if group.strip())


def _cells(line: str, delimiter: str) -> list[str] | None:
    """The cells of one line; None when its quotes do not fit together."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True), [])
    except csv.Error:
        return None
