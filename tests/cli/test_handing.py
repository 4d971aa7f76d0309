"""How far what the ledger holds for handed over is ahead of what a slow reader has."""

import socket
import struct
import time
from http.client import HTTPResponse

from sqlalchemy import select

from portal.accounts.sessions import start_session
from portal.extensions import db
from portal.models import Download
from portal.settings import Settings
from tests import makers
from tests.servers import Server, serving

SIZE = 16 * 1024 * 1024
PIECE = 16 * 1024
READ_SECONDS, PAUSE = 2.0, 0.03
PATIENCE = 30
AHEAD = 1024 * 1024
"""What waits in the buffers of both ends and has been sent, and one block; without a bound it is three to four times
that."""
RESET = struct.pack("ii", 1, 0)


def read_slowly(server: Server, document_id: int, cookie: str) -> int:
    """Bytes read of a document at half a megabyte a second until the line was cut."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as line:
        head = f"GET /documents/{document_id}/download HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: portal={cookie}\r\n\r\n"
        line.sendall(head.encode())
        response = HTTPResponse(line)
        response.begin()
        read, began = 0, time.monotonic()
        while time.monotonic() - began < READ_SECONDS:
            read += len(response.read1(PIECE))
            time.sleep(PAUSE)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return read


def handed_over() -> int:
    """What the ledger says of the only download, once that has broken off."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        db.session.rollback()
        row = db.session.scalars(select(Download)).one()
        if row.state == "aborted":
            return sum(stop - start for start, stop in row.intervals)
        time.sleep(0.1)
    raise TimeoutError


def test_what_a_slow_reader_was_handed_is_hardly_more_than_they_have(sqlite_settings: Settings) -> None:
    with makers.core(sqlite_settings):
        reader, shelf = makers.person(), makers.category()
        makers.grant(shelf, user=reader)
        made = makers.document(shelf, "large.bin", bytes(SIZE), "application/octet-stream")
        cookie = start_session(reader.id, network=makers.NETWORK, agent="tests")
        with serving(sqlite_settings) as server:
            read = read_slowly(server, made.id, cookie)
            assert read <= handed_over() < read + AHEAD
