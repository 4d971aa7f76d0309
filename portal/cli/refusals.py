"""What the server answers, in words of our own, to requests it refuses before the portal sees them."""

from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)

MISTYPED = (400, "Bad Request", "The request arrived incomplete or mistyped.")
REFUSALS: dict[type[ParseException], tuple[int, str, str]] = {
    LimitRequestLine: (414, "URI Too Long", "This address is too long."),
    ExpectationFailed: (417, "Expectation Failed", "The portal cannot do what the request expects of it."),
    LimitRequestHeaders: (431, "Request Header Fields Too Large", "The request has too many headers."),
}
"""Status, its words for programs, and a sentence for people; whatever else cannot be read is ``MISTYPED``."""
LATE = (408, "Request Timeout", "The request took too long to arrive.")
HEADERS = {
    "Connection": "close",
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}
"""No page of the portal, but as strict as one."""


def refusal(status: int, words: str, sentence: str) -> bytes:
    """A whole answer; nothing of the request is in it."""
    body = f"{sentence}\n"
    headers = HEADERS | {"Content-Length": str(len(body))}
    lines = [f"HTTP/1.1 {status} {words}", *(f"{name}: {value}" for name, value in headers.items()), "", body]
    return "\r\n".join(lines).encode("ascii")
