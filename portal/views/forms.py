"""What people typed, as values: each helper raises BadInput with the field and a sentence when it cannot be one."""

import re
from collections.abc import Collection
from datetime import datetime

from flask import request

from portal.catalog import parse_id
from portal.errors import BadInput, BadRequest, NotFound
from portal.views.clock import from_local, local

FIELD = "%Y-%m-%dT%H:%M"
"""What a ``datetime-local`` field holds."""
MOST_CHARACTERS = 20_000
"""More than any text may have; bounded before it is normalised, which takes quadratic time."""
MOST_PASTED = 1_000_000
"""As much of a list of addresses: ten thousand long ones. Each is bounded and normalised by itself."""


def text(name: str, default: str = "", *, most: int = MOST_CHARACTERS) -> str:
    """A text field, line breaks kept. Raises BadInput for characters that no text has, and for far too many."""
    return checked(request.form.get(name, default), name, most)


def checked(value: str, name: str, most: int) -> str:
    """The text, wherever it came from. Raises BadInput as ``text`` does."""
    if len(value) > most:
        raise BadInput(f"A text has at most {most:,} characters here.", field=name)
    if any(character < " " and character not in "\r\n\t" for character in value):
        raise BadInput("A text holds characters that cannot be seen. Type it again.", field=name)
    return value


def json_body() -> object:
    """What a program sent as JSON. Raises BadRequest for what is none, and for one nested too deep to be read."""
    try:
        return request.get_json()
    except RecursionError as problem:
        raise BadRequest("This JSON is nested too deep.") from problem


def words(name: str) -> list[str]:
    """What stands between blanks, line breaks, commas and semicolons: a list of addresses as people paste it."""
    return [word for word in re.split(r"[\s,;]+", text(name, most=MOST_PASTED)) if word]


def choice(name: str, offered: Collection[str], default: str = "") -> str:
    """One of the values that were offered; without the field, the default. Raises BadInput for any other."""
    value = text(name, default)
    if value not in offered:
        raise BadInput("Choose one of what is offered here.", field=name)
    return value


def flag(name: str) -> bool:
    """A checkbox."""
    return name in request.form


def number(name: str) -> int | None:
    """A whole number above zero; None for an empty field."""
    value = text(name).strip()
    if not value:
        return None
    parsed = parse_id(value)
    if parsed is None:
        raise BadInput("This is not a whole number above zero.", field=name)
    return parsed


def identifier(name: str) -> int:
    """The id a choice stands for. Raises BadInput when nothing was chosen."""
    found = number(name)
    if found is None:
        raise BadInput("Something has to be chosen here.", field=name)
    return found


def identifiers(name: str) -> list[int]:
    """The ids of every ticked box of this name."""
    found = [parse_id(value) for value in request.form.getlist(name)]
    if None in found:
        raise BadInput("Choose among what is offered here.", field=name)
    return [number for number in found if number is not None]


def moment(name: str, stored: datetime | None = None) -> datetime | None:
    """A date and time of a ``datetime-local`` or ``date`` field, read in the zone of whoever asks;
    None for an empty one.

    A field left as it was gives the ``stored`` moment, with the seconds it cannot show.
    """
    value = text(name).strip()
    if not value or (stored is not None and value == local(stored).strftime(FIELD)):
        return stored if value else None
    try:
        return from_local(datetime.fromisoformat(value))
    except (ValueError, OverflowError) as problem:
        raise BadInput("This is not a date and time.", field=name) from problem


def path_id(value: str) -> int:
    """An id in an address, canonical spelling only. Raises NotFound."""
    found = parse_id(value)
    if found is None:
        raise NotFound
    return found


def query_id(name: str) -> int | None:
    """An id in the query of an address; None when it is missing or no id."""
    return parse_id(request.args.get(name, ""))
