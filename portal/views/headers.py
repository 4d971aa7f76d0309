"""The headers of every answer: nothing is cached by others, framed, sniffed or run that is not ours."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from flask import Flask, Response
from werkzeug.datastructures import Headers

from portal.extensions import settings
from portal.views.requests import current_request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
BYTES_POLICY = "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PERMISSIONS = "camera=(), microphone=(), geolocation=(), payment=(), usb=()"
VARY = ("Cookie", "Authorization")
SECRET_ADDRESSES = ("/r/", "/s/", "/t/", "/setup/")
YEAR = 31_536_000
COMMON = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", PERMISSIONS),
)
PAGE = (
    ("Content-Security-Policy", PAGE_POLICY),
    # Not no-referrer: then a browser sends its forms with "Origin: null", and nobody could tell them from a stranger's.
    ("Referrer-Policy", "same-origin"),
)
BYTES = (
    ("Content-Security-Policy", BYTES_POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "private, no-cache"),
    ("Vary", ", ".join(VARY)),
)


class PortalResponse(Response):
    """An answer. With ``is_final`` it has all of its headers already, and nobody has to look at them once more."""

    is_final = False

    def get_wsgi_headers(self, environ: "WSGIEnvironment") -> Headers:
        """The headers as they leave."""
        return self.headers if self.is_final else super().get_wsgi_headers(environ)


def init_app(app: Flask) -> None:
    """Set the headers on everything that leaves."""
    app.response_class = PortalResponse
    app.after_request(set_headers)


def of_bytes() -> Sequence[tuple[str, str]]:
    """What every answer about a document or a zip says, whichever it is."""
    return _fixed(is_secret=_is_secret(), is_secure=settings().is_secure) + BYTES


def set_headers(response: Response) -> Response:
    """What a view has set itself stays. One pass over the headers: every answer pays for it."""
    if isinstance(response, PortalResponse) and response.is_final:
        return response
    headers = response.headers
    present = {name.lower() for name, _ in headers}
    for name, value in _fixed(is_secret=_is_secret(), is_secure=settings().is_secure) + PAGE:
        if name.lower() not in present:
            headers.add(name, value)
    if current_request().endpoint != "static":
        if "cache-control" not in present:
            headers.add("Cache-Control", "private, no-store")
        response.vary.update(VARY)
    return response


def _is_secret() -> bool:
    return current_request().path.startswith(SECRET_ADDRESSES)


@cache
def _fixed(*, is_secret: bool, is_secure: bool) -> tuple[tuple[str, str], ...]:
    headers: tuple[tuple[str, str], ...] = COMMON
    if is_secret:
        headers += (("X-Robots-Tag", "noindex"),)
    if is_secure:
        headers += (("Strict-Transport-Security", f"max-age={YEAR}; includeSubDomains"),)
    return headers
