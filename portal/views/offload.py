"""Handing a download over to nginx (X-Accel-Redirect): the rules and the headers are ours, the bytes change hands.

nginx looks at conditions and ranges once more, with rules of its own. So it is told only of answers it cannot get
wrong; config/nginx.conf has the other half. What is not handed over we send ourselves.
"""

import re

from flask import request

from portal.downloads import Delegated
from portal.extensions import settings
from portal.networks import is_trusted
from portal.ranges import Answer

PLAIN_RANGE = re.compile(r"bytes=(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})", re.IGNORECASE)
"""One range that nginx reads as we do: it refuses larger numbers, and reads lists and blanks differently."""
RECHECKED = ("If-Match", "If-Unmodified-Since")
"""Conditions that nginx would compare with its own tag and date, before it knows ours, and answer with 412."""
WHOLE, PART = "/_bytes/whole/", "/_bytes/part/"
"""Places of config/nginx.conf: where a Range header is not looked at, and where it is."""


def is_for_nginx(answer: Answer) -> bool:
    """Whether nginx stands in front and would answer this request as we do."""
    if settings().offload != "nginx" or not _is_behind_proxy():
        return False
    if any(name in request.headers for name in RECHECKED):
        return False
    return answer.status == 200 or (len(answer.spans) == 1 and _asks_plainly())


def redirect_headers(delegated: Delegated, *, is_partial: bool) -> list[tuple[str, str]]:
    """What tells nginx which bytes to send, and under which name to log them; it passes neither on."""
    place = PART if is_partial else WHOLE
    return [("X-Accel-Redirect", place + delegated.name), ("X-Portal-Delegation", str(delegated.uuid))]


def _is_behind_proxy() -> bool:
    """Whoever asks past the proxy cannot be sent to it; a proxy nobody named is none."""
    return is_trusted(request.remote_addr or "", settings().trusted_proxies)


def _asks_plainly() -> bool:
    return PLAIN_RANGE.fullmatch(request.headers.get("Range", "").strip(" \t")) is not None
