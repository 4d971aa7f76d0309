"""Absolute addresses, for what is read outside of a page: mails and the lines commands print. Pure."""

import ipaddress
from urllib.parse import quote, urlsplit

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8000
HTTP_PORT = 80
USUAL_PORTS = {"http": HTTP_PORT, "https": 443}


def default_base_url(host: str = DEFAULT_HOST, port: int = DEFAULT_PORT) -> str:
    """The origin people reach a server at when nobody named another: IPv6 in brackets, port 80 left out (RFC 6454)."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}" if port == HTTP_PORT else f"http://{name}:{port}"


def absolute(base_url: str, path: str) -> str:
    """The address of a path, which begins with a slash and is given as people read it, not yet percent-encoded."""
    return (base_url or default_base_url()) + quote(path)


def setup_address(base_url: str, token: str) -> str:
    """Where a one-time token is spent: the first setup, an invitation, a new password."""
    return absolute(base_url, f"/setup/{token}")


def share_address(base_url: str, token: str) -> str:
    """The page of a share link."""
    return absolute(base_url, f"/s/{token}")


def request_address(base_url: str, token: str) -> str:
    """The page of a file request."""
    return absolute(base_url, f"/r/{token}")


def origin(base_url: str) -> str:
    """The origin as browsers write it (RFC 6454, 6.2): in small letters, a usual port left out, a name in ASCII."""
    parts = urlsplit(base_url)
    host = _ascii(parts.hostname or "")
    name = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, USUAL_PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme}://{name}{port}"


def is_origin(text: str) -> bool:
    """Whether this is a scheme, a host and perhaps a port (RFC 6454); a name before it is no part of one."""
    try:
        parts = urlsplit(text)
        port_fits = parts.port != 0
    except ValueError:
        return False
    rest = (parts.path, parts.query, parts.fragment, parts.username, parts.password)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port_fits and not any(rest)


def passkey_host(base_url: str) -> str:
    """The host that passkeys of the portal belong to; "" where browsers allow none.

    They need a name, not an address, and a connection nobody reads: https, or http to localhost (WebAuthn, 5.1.3).
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if not host or is_address(host) or not is_private(base_url):
        return ""
    return _ascii(host)


def is_address(host: str) -> bool:
    """Whether a host is an IP address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_private(base_url: str) -> bool:
    """Whether nobody on the way can read along: https, or http that does not leave this machine."""
    parts = urlsplit(base_url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host
