"""Bodies read straight from the socket are the bodies that were sent, and nothing of what follows them."""

import random
import socket
import threading
from contextlib import suppress

import pytest
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.unreader import IterUnreader, SocketUnreader

from portal.cli.bodies import DIRECT, DirectReader, direct

NEXT = b"GET /next HTTP/1.1\r\n\r\n"


def bodied(line: socket.socket, length: int, ahead: int = 0) -> tuple[Body, SocketUnreader]:
    """A body as gunicorn makes it, some of which came with the headers."""
    unreader = SocketUnreader(line)
    if ahead:
        unreader.unread(line.recv(ahead, socket.MSG_WAITALL))
    body = Body(LengthReader(unreader, length))
    direct(body)
    return body, unreader


def send_in_pieces(line: socket.socket, sent: bytes, seed: int) -> None:
    chance, view = random.Random(seed), memoryview(sent)
    with suppress(OSError):
        while view:
            count = chance.choice((1, 700, 8192, 60_000, 300_000))
            line.sendall(view[:count])
            view = view[count:]


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_asked_for_the_body_comes_whole_and_what_follows_stays(seed: int) -> None:
    chance = random.Random(seed)
    length = chance.choice((DIRECT, DIRECT + 1, 70_000, 1_500_000, 3_000_001))
    sent = random.Random(seed + 1000).randbytes(length)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(target=send_in_pieces, args=(theirs, sent + NEXT, seed))
        sender.start()
        body, unreader = bodied(ours, length, chance.choice((0, 1, 8192, length, length + 5)))
        assert isinstance(body.reader, DirectReader)
        got = b""
        while block := body.read(chance.choice((1, 1000, DIRECT - 1, DIRECT, 65_536, 1_048_576, 5_000_000))):
            got += block
        sender.join()
        followed = unreader.take_buffered()
        followed += ours.recv(len(NEXT) - len(followed), socket.MSG_WAITALL) if len(followed) < len(NEXT) else b""
    assert got == sent
    assert followed == NEXT


def test_of_a_line_that_is_cut_comes_what_arrived_and_then_nothing() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(bytes(50_000))
        body, _ = bodied(ours, 1_000_000, ahead=100)
        read = [len(body.read(1_048_576)), len(body.read(1_048_576))]
    assert read == [50_000, 0]


def test_a_read_asks_the_socket_once_for_all_it_wants() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(target=theirs.sendall, args=(bytes(2_000_000),))
        sender.start()
        body, unreader = bodied(ours, 2_000_000)
        assert len(body.read(1_000_000)) == 1_000_000
        assert not unreader.take_buffered()
        assert len(body.read(1_000_000)) == 1_000_000
        sender.join()


def test_a_body_without_a_length_or_a_socket_or_much_in_it_stays_as_it_was() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        unreader = SocketUnreader(ours)
        readers: list[LengthReader | ChunkedReader] = [
            LengthReader(unreader, DIRECT - 1),
            LengthReader(IterUnreader([b"x" * DIRECT]), DIRECT),
            ChunkedReader(None, unreader),  # type: ignore[arg-type]  # of the request it needs only the trailers
        ]
        for reader in readers:
            body = Body(reader)
            direct(body)
            assert body.reader is reader
