"""A client for clamd: bytes go to it in a stream, and one line comes back."""

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from portal.errors import ScannerRefused, ScannerUnavailable

CONNECT_SECONDS = 5.0
SILENT_SECONDS = 60.0
"""How long it may say nothing while it takes bytes, and before it says what it found."""
MOST_SAID = 4096
MOST_SENT = 1024 * 1024
"""Bytes in one piece."""
NAME_LENGTH = 200
TOO_LARGE = "INSTREAM size limit exceeded"
UNIX = "unix:"


@dataclass(frozen=True)
class Scanner:
    """A clamd by its address: a path of a socket, or a host and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    def is_alive(self, seconds: float = CONNECT_SECONDS) -> bool:
        """Whether it answers within so many seconds."""
        try:
            with self._connected(seconds) as line:
                line.sendall(b"zPING\0")
                return _read_line(line) == "PONG"
        except (OSError, ScannerUnavailable):
            return False

    def stream(self) -> "Stream":
        """A new stream, whose bytes are looked at. Raises ScannerUnavailable."""
        try:
            line = self._connected(CONNECT_SECONDS)
        except OSError as problem:
            raise ScannerUnavailable from problem
        try:
            return Stream(line)
        except BaseException:
            line.close()
            raise

    def _connected(self, seconds: float) -> socket.socket:
        if not self.path:
            return socket.create_connection((self.host, self.port), seconds)
        line = socket.socket(socket.AF_UNIX)
        try:
            line.settimeout(seconds)
            line.connect(self.path)
        except BaseException:
            line.close()
            raise
        return line


class Stream:
    """Bytes on their way to clamd. Whatever goes wrong is a ScannerUnavailable, never an OSError: it says nothing of
    the file that is being read.
    """

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._line.settimeout(SILENT_SECONDS)
        self._send(b"zINSTREAM\0")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def send(self, block: bytes) -> None:
        """The next bytes. Raises ScannerRefused when they are more than it takes."""
        for start in range(0, len(block), MOST_SENT):
            piece = block[start : start + MOST_SENT]
            self._send(struct.pack(">I", len(piece)) + piece)

    def finish(self) -> str | None:
        """The name of what it found, None for nothing. Raises ScannerRefused when it cannot say."""
        self._send(struct.pack(">I", 0))
        return verdict_of(self._read())

    def _send(self, content: bytes) -> None:
        try:
            self._line.sendall(content)
        except OSError as problem:
            with suppress(ScannerUnavailable):
                verdict_of(self._read())  # it says why before it hangs up
            raise ScannerUnavailable from problem

    def _read(self) -> str:
        try:
            return _read_line(self._line)
        except OSError as problem:
            raise ScannerUnavailable from problem


def scanner_at(address: str) -> Scanner:
    """The clamd of the setting, which was checked at the start: ``host:port`` or ``unix:/path``."""
    if address.startswith(UNIX):
        return Scanner(path=address.removeprefix(UNIX))
    host, _, port = address.rpartition(":")
    return Scanner(host=host.removeprefix("[").removesuffix("]"), port=int(port))


def verdict_of(line: str) -> str | None:
    """What a line of clamd says: the name of what was found, None for nothing.

    Raises ScannerRefused for an error of its own, ScannerUnavailable for what no clamd says.
    """
    said = line.removeprefix("stream: ")
    if said == "OK":
        return None
    if said.endswith(" FOUND"):
        name = "".join(character for character in said.removesuffix(" FOUND") if character.isprintable()).strip()
        return name[:NAME_LENGTH] or "something without a name"
    if TOO_LARGE in said:
        raise ScannerRefused("It is larger than what the scanner takes.")
    if said.endswith(" ERROR"):
        raise ScannerRefused("The scanner could not read it.")
    raise ScannerUnavailable("The scanner says something that cannot be understood.")


def _read_line(line: socket.socket) -> str:
    """Up to the zero byte that ends an answer."""
    said = b""
    while not said.endswith(b"\0"):
        more = line.recv(MOST_SAID)
        said += more
        if not more or len(said) > MOST_SAID:
            raise ScannerUnavailable("The scanner broke off, or says something that cannot be understood.")
    return said[:-1].decode("utf-8", "replace").strip()
