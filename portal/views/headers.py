"""The headers of every answer: nothing is cached by others, framed, sniffed or run that is not ours."""

from flask import Flask, Response

from portal.extensions import settings
from portal.views.requests import current_request

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
BYTES_POLICY = "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PERMISSIONS = "camera=(), microphone=(), geolocation=(), payment=(), usb=()"
VARY = ("Cookie", "Authorization")
SECRET_ADDRESSES = ("/s/", "/t/", "/setup/")
YEAR = 31_536_000
COMMON = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", PAGE_POLICY),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", PERMISSIONS),
)
PLAIN = (*COMMON, ("Referrer-Policy", "same-origin"))
# Not no-referrer: then a browser sends its forms with "Origin: null", and nobody could tell them from a stranger's.
SECRET = (*COMMON, ("Referrer-Policy", "same-origin"), ("X-Robots-Tag", "noindex"))


def init_app(app: Flask) -> None:
    """Set the headers on everything that leaves."""
    app.after_request(set_headers)


def set_headers(response: Response) -> Response:
    """What a view has set itself stays. One pass over the headers: every answer pays for it."""
    asked, headers = current_request(), response.headers
    present = {name.lower() for name, _ in headers}
    wanted = SECRET if asked.path.startswith(SECRET_ADDRESSES) else PLAIN
    for name, value in wanted:
        if name.lower() not in present:
            headers.add(name, value)
    if settings().is_secure and "strict-transport-security" not in present:
        headers.add("Strict-Transport-Security", f"max-age={YEAR}; includeSubDomains")
    if asked.endpoint != "static":
        if "cache-control" not in present:
            headers.add("Cache-Control", "private, no-store")
        _vary(response, is_set="vary" in present)
    return response


def _vary(response: Response, *, is_set: bool) -> None:
    if is_set:
        response.vary.update(VARY)
    else:
        response.headers.add("Vary", ", ".join(VARY))
