"""Moments as people read and type them: in their own zone, or else in that of the portal. What is stored is UTC."""

from datetime import UTC, datetime, tzinfo

from portal.extensions import settings
from portal.views.guard import find_person
from portal.zones import find_zone


def here() -> tzinfo:
    """The zone of the person who asks; that of the settings for guests, and for people who have chosen none."""
    who = find_person()
    return (find_zone(who.timezone) if who is not None else None) or settings().timezone


def local(moment: datetime) -> datetime:
    """A moment in the zone of whoever asks; one at the very edge of what a calendar has stays in UTC."""
    try:
        return moment.astimezone(here())
    except OverflowError:
        return moment


def from_local(typed: datetime) -> datetime:
    """What somebody typed, in their zone unless it names its own, as UTC.

    An hour that comes twice in a night is the first one; one that is left out is taken as if the clock had not been
    changed yet. Raises OverflowError for what UTC has no date for.
    """
    return (typed if typed.tzinfo is not None else typed.replace(tzinfo=here())).astimezone(UTC)


def zone_words() -> str:
    """What the zone is called in a sentence: ``UTC``, ``Europe/Berlin time``."""
    name = str(here())
    return name if name == "UTC" else f"{name} time"


def zone_of(moment: datetime) -> str:
    """What stands behind a time: ``UTC``, ``CET``, or ``UTC+03`` where there are no letters for it."""
    letters = local(moment).strftime("%Z")
    return f"UTC{letters}" if letters[:1] in ("+", "-") else letters
