"""The bodies of requests, which gunicorn would copy several times on their way from the socket to the application."""

import socket

from gunicorn.http.body import Body, LengthReader
from gunicorn.http.unreader import SocketUnreader

DIRECT = 16 * 1024
"""So much at once is worth a call of its own; of smaller pieces gunicorn reads many ahead."""


class DirectReader(LengthReader):
    """Reads what is asked for in one call, straight into the bytes that are handed out.

    What gunicorn has read ahead comes first, and it goes on reading as it does wherever little is asked for.
    """

    def __init__(self, unreader: SocketUnreader, length: int) -> None:
        super().__init__(unreader, length)
        self._line = unreader.sock

    def read(self, size: int) -> bytes:
        """At most so many of the next bytes; fewer where others were read ahead, b"" at the end or a cut line."""
        wanted = min(size, self.length)
        ahead = self.unreader.buf.getbuffer().nbytes
        if ahead or wanted < DIRECT:
            return super().read(min(wanted, ahead or wanted))
        block = self._line.recv(wanted, socket.MSG_WAITALL)
        self.length -= len(block)
        return block


def direct(body: Body) -> None:
    """Have a body that is announced by its length read so; any other stays as it is."""
    reader = body.reader
    if type(reader) is LengthReader and type(reader.unreader) is SocketUnreader and reader.length >= DIRECT:
        body.reader = DirectReader(reader.unreader, reader.length)
