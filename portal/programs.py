"""What people call the programs and machines that clients name themselves by."""

import re

BROWSERS = {
    "Edge": r"Edg(e|A|iOS)?/",
    "Opera": r"OPR/|Opera",
    "Samsung Internet": r"SamsungBrowser/",
    "Firefox": r"Firefox/|FxiOS/",
    "Chrome": r"Chrom(e|ium)/|CriOS/",
    "Safari": r"Safari/",
    "curl": r"^curl/",
    "wget": r"^Wget",
}
SYSTEMS = {
    "iPhone": r"iPhone",
    "iPad": r"iPad",
    "Android": r"Android",
    "Windows": r"Windows",
    "ChromeOS": r"CrOS",
    "Mac": r"Macintosh|Mac OS X",
    "Linux": r"Linux|X11",
}
"""In this order: each pattern is also found in what those above it call themselves."""


def device(agent: str) -> str:
    """What people call the program and the machine that a User-Agent names: ``Firefox on Linux``."""
    browser = _first(BROWSERS, agent) or "Another program"
    system = _first(SYSTEMS, agent)
    return f"{browser} on {system}" if system else browser


def _first(patterns: dict[str, str], agent: str) -> str | None:
    return next((name for name, pattern in patterns.items() if re.search(pattern, agent)), None)
