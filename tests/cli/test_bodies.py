"""Bodies read from the socket are those that were sent, nothing of what follows them, and not waited for for ever."""

import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser

from portal.cli import bodies
from portal.cli.bodies import DIRECT, DirectReader, paced

WANTED = (1, 1000, DIRECT - 1, DIRECT, 65_536, 1_048_576, 5_000_000)
SECOND = b"GET /next HTTP/1.1\r\nHost: here\r\n\r\n"


@contextmanager
def parsed(line: socket.socket) -> Iterator[tuple[Any, Any]]:
    """The first request of a connection as gunicorn reads it, being answered, and what read it."""
    parser = RequestParser(Config(), line, ("127.0.0.1", 1))
    request = next(parser)
    with paced(parser, request):
        yield parser, request


def announced(length: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n" % length


def send_in_pieces(line: socket.socket, sent: bytes, seed: int) -> None:
    chance, view = random.Random(seed), memoryview(sent)
    with suppress(OSError):
        while view:
            count = chance.choice((1, 700, 8192, 60_000, 300_000))
            line.sendall(view[:count])
            view = view[count:]


def read_all(body: Any) -> None:
    while body.read(1_048_576):
        pass


def reset(line: socket.socket) -> None:
    """End a connection as a machine does that knows nothing of it any more."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def chunked(sent: bytes, seed: int) -> bytes:
    chance, place, chunks = random.Random(seed), 0, b""
    while place < len(sent):
        piece = sent[place : place + chance.choice((100, 70_000, 900_000))]
        chunks += b"%x\r\n%b\r\n" % (len(piece), piece)
        place += len(piece)
    return b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


@pytest.mark.parametrize("is_chunked", [False, True], ids=["measured", "chunked"])
@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_asked_for_the_body_comes_whole_and_the_next_request_after_it(seed: int, is_chunked: bool) -> None:
    chance = random.Random(seed)
    sent = random.Random(seed + 1000).randbytes(chance.choice((1, DIRECT, DIRECT + 1, 70_000, 1_500_000, 3_000_001)))
    wire = (chunked(sent, seed) if is_chunked else announced(len(sent)) + sent) + SECOND
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(target=send_in_pieces, args=(theirs, wire, seed))
        sender.start()
        with parsed(ours) as (parser, request):
            got = b""
            while block := request.body.read(chance.choice(WANTED)):
                got += block
        following = next(parser)
        sender.join()
    assert got == sent
    assert following.path == "/next"


def test_a_body_nobody_read_is_passed_over(line: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = line
    sender = threading.Thread(target=send_in_pieces, args=(theirs, announced(400_000) + bytes(400_000) + SECOND, 1))
    sender.start()
    with parsed(ours) as (parser, _):
        pass
    assert next(parser).path == "/next"
    sender.join()


def test_of_a_line_that_is_cut_comes_what_arrived_and_then_nothing(line: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = line
    theirs.sendall(announced(1_000_000) + bytes(50_000))
    theirs.shutdown(socket.SHUT_WR)
    with parsed(ours) as (_, request):
        read = [len(request.body.read(1_048_576)), len(request.body.read(1_048_576))]
    assert read == [50_000, 0]


def test_where_much_is_asked_for_nothing_is_read_ahead(line: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = line
    sender = threading.Thread(target=theirs.sendall, args=(announced(2_000_000) + bytes(2_000_000),))
    sender.start()
    with parsed(ours) as (parser, request):
        reader, came = request.body.reader, 0
        assert isinstance(reader, DirectReader)
        while block := reader.read(1_000_000):
            came += len(block)
            assert parser.unreader.take_buffered() == b""
    assert came == 2_000_000
    sender.join()


@pytest.mark.parametrize("sent", [announced(9), announced(90_000) + bytes(40_000)], ids=["little", "much"])
def test_a_body_that_stops_coming_is_not_waited_for(
    line: tuple[socket.socket, socket.socket], sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = line
    monkeypatch.setattr(bodies, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(bodies, "STALL_SECONDS", 0.3)
    theirs.sendall(sent)
    with parsed(ours) as (parser, request):
        with pytest.raises(TimeoutError, match="too slowly"):
            read_all(request.body)
        assert not parser.finish_body(), "the next request cannot be found"


@pytest.mark.parametrize("is_reset", [False, True], ids=["late", "reset"])
@pytest.mark.parametrize(("length", "came"), [(9, 5), (10_000, 5_000), (90_000, 40_000), (90_000, 89_999)])
def test_what_came_of_a_body_before_it_stopped_is_handed_out(
    connection: tuple[socket.socket, socket.socket],
    length: int,
    came: int,
    is_reset: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = connection
    monkeypatch.setattr(bodies, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(bodies, "STALL_SECONDS", 0.2)
    theirs.sendall(announced(length) + bytes(came))
    with parsed(ours) as (_, request):
        if is_reset:
            resetting = threading.Timer(0.05, reset, [theirs])
            resetting.start()
        assert len(request.body.read(1_048_576)) == came
        if not is_reset:
            with pytest.raises(TimeoutError):
                request.body.read(1_048_576)


def test_a_body_that_trickles_is_not_waited_for_either(
    line: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = line
    monkeypatch.setattr(bodies, "PATIENCE_SECONDS", 0.5)
    stop = threading.Event()

    def trickle() -> None:
        theirs.sendall(announced(1000))
        with suppress(OSError):
            while not stop.wait(0.05):
                theirs.sendall(b"x")

    sender = threading.Thread(target=trickle)
    sender.start()
    with parsed(ours) as (_, request), pytest.raises(TimeoutError):
        read_all(request.body)
    stop.set()
    sender.join()


def test_a_slow_body_that_keeps_the_pace_may_take_its_time(
    line: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = line
    monkeypatch.setattr(bodies, "PATIENCE_SECONDS", 0.4)

    def pace() -> None:
        theirs.sendall(announced(4000))
        for _ in range(8):
            time.sleep(0.1)
            theirs.sendall(bytes(500))

    sender = threading.Thread(target=pace)
    sender.start()
    with parsed(ours) as (_, request):
        assert len(request.body.read(4000)) == 4000
    sender.join()


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The portal's end of a connection and the client's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The same of a connection that can be reset."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as theirs:
        ours, _ = listener.accept()
        with ours:
            yield ours, theirs
