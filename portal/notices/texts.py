"""What a mail says: subject, plain text and HTML from two templates. No request is near, and none is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
SUBJECT_LENGTH = 300
MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905

_environment = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=select_autoescape(("html",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True)
class Letter:
    """One mail as it will be read."""

    subject: str
    text: str
    html: str


def write_letter(kind: str, zone: tzinfo, values: Mapping[str, object]) -> Letter:
    """The letter of this kind. Texts among the values become one line each, so that none can pass for more."""
    plain = {name: _plain(value, zone) for name, value in values.items()}
    subject, _, text = _environment.get_template(f"mail/{kind}.txt").render(plain).partition("\n")
    html = _environment.get_template(f"mail/{kind}.html").render(plain)
    return Letter(one_line(subject)[:SUBJECT_LENGTH], text.lstrip("\n"), html)


def one_line(text: str) -> str:
    """The text without line breaks and without what cannot be seen: control characters, turned directions."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def _plain(value: object, zone: tzinfo) -> str | bool | list[str]:
    if isinstance(value, bool):
        return value
    if isinstance(value, list):
        return [one_line(str(line)) for line in value]
    return _moment_words(value.astimezone(zone)) if isinstance(value, datetime) else one_line(str(value))


def _moment_words(here: datetime) -> str:
    """``17 November 2026, 14:20 UTC``."""
    letters = here.strftime("%Z")
    zone = f"UTC{letters}" if letters[:1] in ("+", "-") else letters
    return f"{here.day} {MONTHS[here.month - 1]} {here.year}, {here:%H:%M} {zone}"
