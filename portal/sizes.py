"""Sizes as people read and write them, the same on pages and in commands. Pure."""

import re
from decimal import Decimal

from portal.errors import BadInput

UNITS = ("KB", "MB", "GB", "TB")
STEP = 1000
"""Powers of ten, as disks are sold and as the units are defined (SI); never 1024."""
WRITTEN = re.compile(r"([0-9]{1,6}(?:[.,][0-9]{1,3})?) ?(KB|MB|GB|TB)|([0-9]{1,15}) ?bytes?", re.IGNORECASE | re.ASCII)
TEN = 9.95
"""From here on a figure is printed as two digits before the point, and needs none behind it."""


def size_text(count: int) -> str:
    """``1 byte``, ``96 KB``, ``2.4 MB``: three figures at most, a decimal only from MB on."""
    if count < STEP:
        return f"{count} bytes" if count != 1 else "1 byte"
    value, unit = count / STEP, 0
    while value >= STEP - 0.5 and unit < len(UNITS) - 1:
        value, unit = value / STEP, unit + 1
    digits = 1 if value < TEN and unit else 0
    return f"{value:,.{digits}f} {UNITS[unit]}"


def exact_size_text(count: int) -> str:
    """The same without leaving anything out, as ``read_size`` takes it: ``1.2 GB``, ``1234567 bytes``."""
    for power in range(len(UNITS), 0, -1):
        thousandths, rest = divmod(count * 1000, STEP**power)
        if count >= STEP**power and not rest:
            return f"{Decimal(thousandths) / 1000:f} {UNITS[power - 1]}"
    return f"{count} bytes"


def read_size(text: str) -> int | None:
    """How many bytes somebody wrote: ``500 MB``, ``1.5 GB``; None for nothing and for ``none``. Raises BadInput."""
    text = " ".join(text.split())
    if text.casefold() in ("", "none"):
        return None
    found = WRITTEN.fullmatch(text)
    if found is None:
        raise BadInput("Write a size such as 500 MB or 1.5 GB.", field="quota")
    if found[2] is None:
        return int(found[3])
    return int(Decimal(found[1].replace(",", ".")) * STEP ** (UNITS.index(found[2].upper()) + 1))
