"""The request as this portal reads it, with who sent it: no body is taken for whole that is not, and files go straight
to storage.
"""

from typing import IO, Any

from flask import Request, request
from werkzeug.exceptions import BadRequest, ClientDisconnected
from werkzeug.formparser import FormDataParser

from portal import uploads
from portal.extensions import settings
from portal.networks import client_address, network_of
from portal.storage import Incoming

BROKEN_FORM = "The form arrived incomplete. Nothing was stored; send it again."


class PortalRequest(Request):
    """A request whose announced length is checked, whose broken forms are refused, and whose files are counted."""

    takes_files = False
    """Set by the guard for addresses that take documents, once it is known who asks."""

    def __init__(self, environ: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        # gunicorn reports a client that died as a clean end of the body. Without this mark Werkzeug counts the
        # bytes against Content-Length itself and raises ClientDisconnected.
        if environ.get("CONTENT_LENGTH"):
            environ.pop("wsgi.input_terminated", None)
        super().__init__(environ, *args, **kwargs)
        self._arriving: list[Incoming] = []

    def make_form_data_parser(self) -> FormDataParser:
        """Werkzeug's parser, told not to take a form cut short for an empty one."""
        parser = super().make_form_data_parser()
        parser.silent = False
        return parser

    def close(self) -> None:
        """Let go of every file that was not kept, also of those a broken form never got to."""
        super().close()
        for incoming in self._arriving:
            incoming.discard()

    def _load_form_data(self) -> None:
        try:
            super()._load_form_data()
        except ValueError as problem:
            raise BadRequest(BROKEN_FORM) from problem

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        if not self.takes_files:
            return super()._get_file_stream(total_content_length, content_type, filename, content_length)
        incoming = uploads.receive()
        self._arriving.append(incoming)
        stream: Any = incoming
        opened: IO[bytes] = stream
        return opened


class Body:
    """A body of known length, straight from the server: Werkzeug's stream would copy every byte twice more."""

    def __init__(self, asked: Request, length: int) -> None:
        self._stream: IO[bytes] = asked.environ["wsgi.input"]
        self._left = length

    def read(self, size: int) -> bytes:
        """At most so many of the next bytes, b"" once all were read. Raises ClientDisconnected when fewer come."""
        if not self._left:
            return b""
        try:
            block = self._stream.read(min(size, self._left))
        except OSError as problem:
            raise ClientDisconnected from problem
        if not block:
            raise ClientDisconnected
        self._left -= len(block)
        return block


def bearer_token(asked: Request) -> str | None:
    """What a program sends in its ``Authorization`` header (RFC 6750, 2.1), "" for nothing; None for any other kind."""
    kind, _, token = asked.headers.get("Authorization", "").partition(" ")
    return token.strip(" ") if kind.lower() == "bearer" else None


def current_request() -> Request:
    """The request itself: each use of Flask's stand-in for it looks it up anew."""
    found: Request = request._get_current_object()  # type: ignore[attr-defined]
    return found


def network() -> str:
    """The network the client is counted by."""
    asked = current_request()
    forwarded = asked.headers.get("X-Forwarded-For")
    return network_of(client_address(asked.remote_addr or "", forwarded, settings().trusted_proxies))


def base_url() -> str:
    """The address of the portal: that of the settings, else the one it was asked by, which is one it answers for."""
    return settings().base_url or request.host_url.rstrip("/")


def agent() -> str:
    """What the client calls itself, cut to what is kept."""
    return current_request().headers.get("User-Agent", "")[:300]
