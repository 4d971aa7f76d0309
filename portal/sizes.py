"""Sizes as people read them, the same on pages and in commands. Pure."""

UNITS = ("KB", "MB", "GB", "TB")
STEP = 1000
"""Powers of ten, as disks are sold and as the units are defined (SI); never 1024."""
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
