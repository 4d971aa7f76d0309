"""Whose each file is: said by a line that names it, or read off its name by a pattern. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from portal.catalog.recipients import Recipient
from portal.errors import BadInput
from portal.uploads.distributing.lines import Line

PLACES = ("reference", "email")
PATTERN_LENGTH = 200
MOST_READINGS = 1000
"""In so many ways the name of a file is read at most."""
NO_LINE = "No line names it."
NO_MATCH = "Its name does not follow the pattern."
NOBODY = "Its name follows the pattern, and nobody here is known by what stands in it."
UNKNOWN = "Line {} gives it to “{}”, whom nobody here is known as."
SEVERAL = "It could be for any of these: {}."
LIKE_IT = "Several lines name it with other capitals: {}."
TOO_MANY = "Its name can be read in too many ways."

Known = Callable[[str], Sequence[Recipient]]
"""Who is known as what somebody wrote."""


@dataclass(frozen=True)
class Match:
    """Whose a file is, or the sentence that says why that is not known."""

    recipient: Recipient | None = None
    line: Line | None = None
    reason: str = ""
    is_ambiguous: bool = False


@dataclass(frozen=True)
class Pattern:
    """What the names of files look like: ``{reference}`` or ``{email}`` once, ``*`` for anything, all else as it is.

    Capitals make no difference.
    """

    place: str
    before: tuple[str, ...]
    """What stands before the place, in pieces between which anything may stand."""
    after: tuple[str, ...]

    def read(self, filename: str) -> list[str] | None:
        """What may stand at the place, in small letters; none when the name does not follow, None for too many."""
        name = filename.casefold()
        starts = _ends(self.before, name)
        ends = [len(name) - end for end in _ends(tuple(one[::-1] for one in reversed(self.after)), name[::-1])]
        if len(starts) * len(ends) > MOST_READINGS:
            return None
        return [name[start:end] for start in starts for end in ends if start < end]


def read_pattern(text: str) -> Pattern:
    """The pattern somebody wrote. Raises BadInput with a sentence."""
    text = text.strip()
    places = re.findall(r"\{([^{}]*)\}", text)
    if len(text) > PATTERN_LENGTH or "/" in text or not text.isprintable():
        raise BadInput(f"A pattern has at most {PATTERN_LENGTH} characters, and no slash.", field="pattern")
    if len(places) != 1 or places[0] not in PLACES:
        raise BadInput("Write {reference} or {email} once, as in {reference}_*.pdf.", field="pattern")
    before, _, after = text.casefold().partition(f"{{{places[0]}}}")
    if before.endswith("*") and after.startswith("*"):
        raise BadInput(f"Anything could be the {places[0]}: write what stands before or after it.", field="pattern")
    return Pattern(places[0], tuple(before.split("*")), tuple(after.split("*")))


def match_lines(filenames: Sequence[str], lines: Sequence[Line], known: Known) -> list[Match]:
    """For each file whose it is by a line of its name, or else by the only one of its name in other capitals."""
    exact = {line.filename: line for line in lines}
    folded: dict[str, list[Line]] = {}
    for line in lines:
        folded.setdefault(line.filename.casefold(), []).append(line)
    return [_by_line(name, exact.get(name), folded.get(name.casefold(), []), known) for name in filenames]


def match_pattern(filenames: Sequence[str], pattern: Pattern, known: Known) -> list[Match]:
    """For each file whose it is by what stands in its name."""
    return [_by_pattern(pattern.read(name), known) for name in filenames]


def _by_line(filename: str, line: Line | None, alike: Sequence[Line], known: Known) -> Match:
    if line is None and len(alike) > 1:
        numbers = ", ".join(str(one.number) for one in alike)
        return Match(reason=LIKE_IT.format(numbers), is_ambiguous=True)
    line = line or next(iter(alike), None)
    if line is None:
        return Match(reason=NO_LINE)
    found = known(line.recipient)
    if not found:
        return Match(line=line, reason=UNKNOWN.format(line.number, line.recipient))
    return _of(found, line)


def _by_pattern(readings: Sequence[str] | None, known: Known) -> Match:
    if readings is None:
        return Match(reason=TOO_MANY, is_ambiguous=True)
    if not readings:
        return Match(reason=NO_MATCH)
    found = {one.key: one for reading in readings for one in known(reading)}
    return _of(list(found.values())) if found else Match(reason=NOBODY)


def _of(found: Sequence[Recipient], line: Line | None = None) -> Match:
    if len(found) > 1:
        names = sorted(f"{one.name} ({one.reference})" if one.reference else one.name for one in found)
        return Match(line=line, reason=SEVERAL.format(", ".join(names)), is_ambiguous=True)
    return Match(found[0], line)


def _ends(pieces: Sequence[str], name: str) -> list[int]:
    """Where in a name these pieces may end that stand at its beginning, with anything between them."""
    if not name.startswith(pieces[0]):
        return []
    at = len(pieces[0])
    if len(pieces) == 1:
        return [at]
    for piece in pieces[1:-1]:
        found = name.find(piece, at)
        if found < 0:
            return []
        at = found + len(piece)
    last = pieces[-1]
    return [end for end in range(at + len(last), len(name) + 1) if name.startswith(last, end - len(last))]
