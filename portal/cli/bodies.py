"""The bodies of requests: read without copying them over and over, and at a pace that keeps no thread for ever."""

import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.unreader import SocketUnreader

PATIENCE_SECONDS = 20.0
LEAST_RATE = 500
STALL_SECONDS = 120.0
"""A body may keep its thread waiting so long at first, and a second more for every so many bytes that came (as with
Apache's mod_reqtimeout), but never longer than a line may need that is cut for a while."""
DIRECT = 16 * 1024
"""So much at once is worth a call of its own; of smaller pieces gunicorn reads many ahead."""


class PacedUnreader(SocketUnreader):
    """What gunicorn reads a connection with, out of patience with whoever sends a body too slowly."""

    def __init__(self, replaced: SocketUnreader) -> None:
        super().__init__(replaced.sock, replaced.mxchunk)
        self.buf = replaced.buf
        self._patience: float | None = None
        self._waiting = select.poll()
        self._waiting.register(self.sock, select.POLLIN)

    def begin(self) -> None:
        """A body begins."""
        self._patience = PATIENCE_SECONDS

    def end(self) -> None:
        """It is over: whoever waits now has patience of their own."""
        self._patience = None

    def chunk(self, size_hint: int | None = None) -> bytes:
        """What has come, at most what is asked for. Raises TimeoutError when it comes too slowly."""
        if self._patience is None:
            return super().chunk(size_hint)  # type: ignore[call-arg]  # the stubs know an older gunicorn
        began = time.monotonic()
        if not self._waiting.poll(self._patience * 1000):
            self._patience = 0.0
            raise TimeoutError("The body of the request came too slowly.")
        block = super().chunk(size_hint)  # type: ignore[call-arg]  # as above
        left = self._patience - (time.monotonic() - began) + len(block) / LEAST_RATE
        self._patience = min(max(left, 0.0), STALL_SECONDS)
        return block


class DirectReader(LengthReader):
    """Hands out what comes as it comes. gunicorn would copy every byte several times.

    What was read ahead comes first, and where little is asked for it goes on reading ahead. It never waits for more
    while it holds something: that would be lost with the line.
    """

    def read(self, size: int) -> bytes:
        """At most so many of the next bytes, b"" at the end or a cut line."""
        wanted = min(size, self.length)
        if not wanted:
            return b""
        most = wanted if wanted >= DIRECT else self.length
        block: bytes = self.unreader.read(None, read_ahead=most)  # type: ignore[call-arg]  # these as well
        if len(block) > wanted:
            self.unreader.unread(block[wanted:])
            block = block[:wanted]
        self.length -= len(block)
        return block


class KeptBody(Body):
    """Hands out what came before it stopped coming, and only then says so. gunicorn's would lose up to 1 MiB of it."""

    def _read_reader(self, size: int) -> bytes:
        try:
            return super()._read_reader(size)  # type: ignore[misc,no-any-return]  # the stubs leave it out
        except OSError:
            if not self.buf.tell():
                raise
            return b""


@contextmanager
def paced(parser: Any, request: Any) -> Iterator[None]:
    """Have the body of a request read so, if it has one, for as long as it is answered.

    The connection keeps what reads it: it may hold the beginning of the next request.
    """
    reader = request.body.reader
    is_measured = type(reader) is LengthReader
    if is_measured and not reader.length:
        yield
        return
    if not isinstance(parser.unreader, PacedUnreader):
        parser.unreader = PacedUnreader(parser.unreader)
    unreader = parser.unreader
    if is_measured:
        request.body = KeptBody(DirectReader(unreader, reader.length))
    else:
        request.body.reader = ChunkedReader(request, unreader)
    unreader.begin()
    try:
        yield
    finally:
        unreader.end()
