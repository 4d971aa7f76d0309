"""Moments as people here read and type them: in the zone of the settings. What is stored is UTC."""

from datetime import UTC, datetime

from portal.extensions import settings


def local(moment: datetime) -> datetime:
    """A moment in the zone of the portal; one at the very edge of what a calendar has stays in UTC."""
    try:
        return moment.astimezone(settings().timezone)
    except OverflowError:
        return moment


def from_local(typed: datetime) -> datetime:
    """What somebody typed, in the zone of the portal unless it names its own, as UTC.

    An hour that comes twice in a night is the first one; one that is left out is taken as if the clock had not been
    changed yet. Raises OverflowError for what UTC has no date for.
    """
    return (typed if typed.tzinfo is not None else typed.replace(tzinfo=settings().timezone)).astimezone(UTC)


def zone_words() -> str:
    """What the zone is called in a sentence: ``UTC``, ``Europe/Berlin time``."""
    name = str(settings().timezone)
    return name if name == "UTC" else f"{name} time"


def zone_of(moment: datetime) -> str:
    """What stands behind a time: ``UTC``, ``CET``, or ``UTC+03`` where there are no letters for it."""
    letters = local(moment).strftime("%Z")
    return f"UTC{letters}" if letters[:1] in ("+", "-") else letters
