"""The headers of requests, for which no thread waits: what has come of them is kept until there is more."""

import io
import socket
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders

MOST = 128 * 1024
"""Bytes; whoever has sent so much without an end of the headers has too many."""
PIECE = 16 * 1024
END = b"\r\n\r\n"


def is_readable(connection: Any, longest_line: int) -> bool:
    """Whether gunicorn can read a request, or why it is none, from what has come on its connection; waits for nothing.

    Raises LimitRequestHeaders at headers that go on and on, and OSError when the line is broken.
    """
    held: io.BytesIO = connection.parser.unreader.buf
    while not _is_enough(held.getvalue(), longest_line):
        try:
            piece = connection.sock.recv(PIECE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        if not piece:
            return True  # which is how a line ends that is kept, and else it is a cut request
        held.seek(0, io.SEEK_END)
        held.write(piece)
    return True


def has_begun(connection: Any) -> bool:
    """Whether something of the next request has come."""
    return bool(connection.parser.unreader.buf.getvalue())


def _is_enough(head: bytes, longest_line: int) -> bool:
    """Whether the headers end here, or will never do as they should: each line ends with CRLF (RFC 9112, 2.2)."""
    if END in head:
        return True
    if len(head) > MOST:
        raise LimitRequestHeaders("they did not end")
    is_mistyped = head.count(b"\n") != head.count(b"\r\n")
    return is_mistyped or _is_no_line(head, longest_line)


def _is_no_line(head: bytes, longest: int) -> bool:
    """Whether the first line can never be that of a request; one that is empty may stand before it (RFC 9112, 2.2)."""
    line, ended, _ = head.removeprefix(b"\r\n").partition(b"\r\n")
    if ended:
        return len(line) > longest or line.count(b" ") != 2
    return len(line) > longest + 2
