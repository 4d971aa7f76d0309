"""Time zones people may read moments in, as the database of time zones of this machine has them. Pure."""

from datetime import UTC, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from portal.errors import BadInput

NOT_PLACES = ("Brazil/", "Canada/", "Chile/", "Etc/", "Mexico/", "US/")
"""Names that are kept for old programs, and zones of ships: taken, and not offered."""
NO_ZONES = frozenset({"Factory", "localtime"})
"""What the database has beside zones; the second is another one on each machine."""


def list_zones() -> list[str]:
    """The zones to choose from: UTC, and every place there is one for."""
    places = (name for name in _zones().values() if "/" in name and not name.startswith(NOT_PLACES))
    return ["UTC", *sorted(places)]


def require_zone(text: str) -> str | None:
    """The zone of this name as it is stored, whatever its capitals and blanks; None for nothing. Raises BadInput."""
    wanted = "_".join(text.split()).casefold()
    if not wanted:
        return None
    found = _zones().get(wanted)
    if found is None:
        raise BadInput("There is no time zone of this name. Choose one like Europe/Berlin.", field="timezone")
    return found


def find_zone(name: str | None) -> tzinfo | None:
    """The zone of this name; None without one, and where this machine does not know it.

    UTC needs no database of time zones, which a small machine may not have.
    """
    if not name:
        return None
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@cache
def _zones() -> dict[str, str]:
    """Folded name to name."""
    return {name.casefold(): name for name in ({"UTC"} | available_timezones()) - NO_ZONES}
