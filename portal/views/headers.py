"""The headers of every answer: nothing is cached by others, framed, sniffed or run that is not ours."""

from flask import Flask, Response, current_app, request

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
BYTES_POLICY = "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PERMISSIONS = "camera=(), microphone=(), geolocation=(), payment=(), usb=()"
SECRET_ADDRESSES = ("/s/", "/t/", "/setup/")
YEAR = 31_536_000


def init_app(app: Flask) -> None:
    """Set the headers on everything that leaves."""
    app.after_request(set_headers)


def set_headers(response: Response) -> Response:
    """What a view has set itself stays."""
    headers = response.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", PERMISSIONS)
    is_secret = request.path.startswith(SECRET_ADDRESSES)
    headers.setdefault("Referrer-Policy", "no-referrer" if is_secret else "same-origin")
    if is_secret:
        headers.setdefault("X-Robots-Tag", "noindex")
    if current_app.config["PORTAL"].is_secure:
        headers.setdefault("Strict-Transport-Security", f"max-age={YEAR}; includeSubDomains")
    if request.endpoint != "static":
        headers["Cache-Control"] = headers.get("Cache-Control") or "private, no-store"
        response.vary.update(("Cookie", "Authorization"))
    return response
