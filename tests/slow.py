"""Readers whose lines are slow: small buffers, and nothing is taken before they ask for it."""

import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse

WINDOW = 16 * 1024
"""The receive buffer: so little waits unread that a document of a few megabytes is really on its way."""
PATIENCE = 60


@dataclass
class Slow:
    """A download that goes on as far as it is read."""

    line: socket.socket
    response: HTTPResponse
    got: int = 0
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        """Of what was read."""
        return self._digest.hexdigest()

    def hurry(self) -> None:
        """From now on it is a fast line."""
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)

    def read(self, size: int) -> int:
        """Take up to so many bytes; how many came. Fewer means that there are no more."""
        taken = 0
        while taken < size and (piece := self._piece(min(size - taken, WINDOW))):
            self._digest.update(piece)
            taken += len(piece)
        self.got += taken
        return taken

    def _piece(self, size: int) -> bytes:
        try:
            return self.response.read1(size)
        except ConnectionResetError:
            return b""


@contextmanager
def reading(port: int, path: str, cookie: str, **headers: str) -> Iterator[Slow]:
    """An answer whose body waits to be read."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
    line.settimeout(PATIENCE)
    with line:
        line.connect(("127.0.0.1", port))
        fields = {"Host": "127.0.0.1", "Cookie": f"portal={cookie}", "Connection": "close", **headers}
        head = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        line.sendall("\r\n".join(head).encode())
        response = HTTPResponse(line)
        response.begin()
        yield Slow(line, response)
