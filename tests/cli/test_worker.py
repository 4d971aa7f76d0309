"""The thread of a connection stays for requests that follow at once, closes it, and keeps nobody else from theirs."""

import socket
import threading
import time
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection

from portal.cli.worker import LINGER_MILLISECONDS
from portal.settings import Settings
from tests.servers import Server, serving

ASKING = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def connected(server: Server) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", server.port, timeout=20)


def ask(line: HTTPConnection) -> int:
    line.request("GET", "/healthz")
    answer = line.getresponse()
    answer.read()
    return answer.status


def test_requests_of_one_connection_are_answered_at_once_together_and_after_a_pause(sqlite_settings: Settings) -> None:
    with serving(sqlite_settings) as server, socket.create_connection(("127.0.0.1", server.port), 20) as line:
        read = line.makefile("rb")
        for count, pause in ((2, 0.0), (1, 3 * LINGER_MILLISECONDS / 1000), (3, 0.0)):
            time.sleep(pause)
            line.sendall(ASKING * count)
            for _ in range(count):
                assert read.readline() == b"HTTP/1.1 200 OK\r\n"
                length = 0
                while (header := read.readline().strip().lower()) != b"":
                    length = int(header.partition(b":")[2]) if header.startswith(b"content-length:") else length
                read.read(length)


def test_one_thread_answers_several_connections_that_are_kept(sqlite_settings: Settings) -> None:
    with serving(sqlite_settings, "--threads", "1") as server:
        lines = [connected(server) for _ in range(3)]
        assert [ask(line) for _ in range(3) for line in lines] == [200] * 9
        for line in lines:
            line.close()


def test_whoever_does_not_close_a_line_that_is_over_keeps_nobody_waiting(sqlite_settings: Settings) -> None:
    patience = "import portal.cli.worker as worker\nworker.CLOSING_SECONDS = worker.SILENT_SECONDS = 600.0"
    with serving(sqlite_settings, program=patience) as server:
        over = [socket.create_connection(("127.0.0.1", server.port), 20) for _ in range(3)]
        for line in over:
            line.sendall(ASKING.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            while line.recv(65536):
                pass
        with closing(connected(server)) as another:
            assert ask(another) == 200
        for line in over:
            line.close()


def test_whoever_sends_a_body_to_the_end_that_was_refused_at_once_learns_why(sqlite_settings: Settings) -> None:
    with serving(sqlite_settings) as server, socket.create_connection(("127.0.0.1", server.port), 20) as line:
        length = 30_000_000
        line.sendall(f"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n".encode())
        for _ in range(length // 1_000_000):
            line.sendall(b"a" * 1_000_000)
        assert line.recv(65536).startswith(b"HTTP/1.1 4")


def test_whoever_dribbles_into_lines_that_are_over_keeps_no_thread_from_the_others(sqlite_settings: Settings) -> None:
    patience = "import portal.cli.worker\nportal.cli.worker.CLOSING_SECONDS = 600.0"
    with serving(sqlite_settings, "--threads", "2", program=patience) as server, ExitStack() as stack:
        address, done = ("127.0.0.1", server.port), threading.Event()
        over = [stack.enter_context(socket.create_connection(address, 20)) for _ in range(4)]

        def dribble() -> None:
            while not done.wait(0.2):
                for line in over:
                    with suppress(OSError):
                        line.sendall(b"x")

        for line in over:
            line.sendall(ASKING.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        dribbling = threading.Thread(target=dribble)
        dribbling.start()
        try:
            assert ask(stack.enter_context(closing(connected(server)))) == 200
        finally:
            done.set()
            dribbling.join()
