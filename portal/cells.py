"""Cells of CSV files (RFC 4180) that no spreadsheet takes for a formula: they get an apostrophe in front. Pure."""

import re
from datetime import UTC, datetime

BYTE_ORDER_MARK = "\ufeff"
"""Before the first cell of a file for people: Excel takes what begins without it for another encoding than UTF-8."""

# A spreadsheet takes a cell that begins so for a formula, in the wide forms of East Asia too.
FORMULA = r"[=+\-@\t\r\n\x00＝＋－＠]"
_FORMULA = re.compile(FORMULA)
_GUARDED = re.compile(f"'+{FORMULA}")
_QUOTED = re.compile(r'[",\r\n]')


def cell(text: str) -> str:
    """The text as a cell, quoted where it must be."""
    if _FORMULA.match(text):
        return _quoted(f"'{text}")
    return _quoted(text) if _QUOTED.search(text) else text


def kept_cell(text: str) -> str:
    """The same, of what is read again by ``read_cell``: apostrophes of the text itself are told from added ones."""
    if _FORMULA.match(text) or _GUARDED.match(text):
        return _quoted(f"'{text}")
    return cell(text)


def read_cell(text: str) -> str:
    """The text of a cell as ``kept_cell`` was given it, once a CSV reader has taken the quotes away."""
    return text[1:] if _GUARDED.match(text) else text


def moment_cell(moment: datetime | None) -> str:
    """A moment as a cell, in UTC to the second (RFC 3339): it needs no quotes. Empty for none."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z" if moment else ""


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
