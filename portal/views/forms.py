"""What people typed, as values: each helper raises BadInput with a sentence when it cannot be one."""

from datetime import UTC, datetime

from flask import request

from portal.catalog import parse_id
from portal.errors import BadInput, NotFound


def text(name: str, default: str = "") -> str:
    """A text field, line breaks kept. Raises BadInput for characters that no text has."""
    value = request.form.get(name, default)
    if any(character < " " and character not in "\r\n\t" for character in value):
        raise BadInput("A text holds characters that cannot be seen. Type it again.")
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
        raise BadInput(f"{value!r} is not a whole number above zero.")
    return parsed


def identifier(name: str) -> int:
    """The id a choice stands for. Raises BadInput when nothing was chosen."""
    found = number(name)
    if found is None:
        raise BadInput("Something has to be chosen here.")
    return found


def moment(name: str) -> datetime | None:
    """A date and time of a ``datetime-local`` or ``date`` field, read as UTC; None for an empty one."""
    value = text(name).strip()
    if not value:
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError as problem:
        raise BadInput(f"{value!r} is not a date.") from problem
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def path_id(value: str) -> int:
    """An id in an address, canonical spelling only. Raises NotFound."""
    found = parse_id(value)
    if found is None:
        raise NotFound
    return found


def query_id(name: str) -> int | None:
    """An id in the query of an address; None when it is missing or no id."""
    return parse_id(request.args.get(name, ""))
