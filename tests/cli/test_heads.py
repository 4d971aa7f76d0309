"""Headers that do not come, come in pieces or never end hold no thread, and no connection that others need."""

import os
import signal
import socket
import threading
from contextlib import ExitStack, suppress

import pytest

from portal.cli.heads import MOST
from portal.settings import Settings
from tests.servers import Caller, Server, serving

BEGUN = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
PATIENT = "import portal.cli.worker\nportal.cli.worker.HEAD_SECONDS = 600.0"
FEW = "import sys\nimport portal.cli\nsys.modules['portal.cli.serve'].CONNECTIONS = 6"


def connect(server: Server, stack: ExitStack, sent: bytes = b"") -> socket.socket:
    line = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 20))
    line.sendall(sent)
    return line


def status_of(line: socket.socket) -> bytes:
    return line.makefile("rb").readline().split(b" ")[1]


@pytest.mark.parametrize("sent", [b"", b"G", BEGUN], ids=["silent", "a letter", "two lines"])
def test_lines_whose_headers_do_not_end_hold_no_thread(sqlite_settings: Settings, sent: bytes) -> None:
    with serving(sqlite_settings, "--threads", "1", program=PATIENT) as server, ExitStack() as stack:
        lines = [connect(server, stack, sent) for _ in range(5)]
        assert Caller(server.port).get("/healthz").status == 200
        for line in lines:
            line.sendall((BEGUN + b"\r\n").removeprefix(sent))
            assert status_of(line) == b"200"


def test_a_request_is_answered_that_comes_byte_by_byte(sqlite_settings: Settings) -> None:
    with serving(sqlite_settings, "--threads", "1") as server, ExitStack() as stack:
        line = connect(server, stack)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for letter in BEGUN + b"\r\n":
            line.sendall(bytes([letter]))
        assert status_of(line) == b"200"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"a" * 9000, b"414"),
        (b"\r\nGET /" + b"a" * 9000, b"414"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n", b"414"),
        (b"EHLO example.org\r\n", b"400"),
        (BEGUN + b"X-Header: 1\r\n" * (MOST // 13 + 1), b"431"),
        (BEGUN + b"\n", b"400"),
    ],
    ids=["a line", "behind an empty one", "one that ends", "another protocol", "lines", "bare line feeds"],
)
def test_what_can_never_become_a_request_is_refused_before_it_ends(
    sqlite_settings: Settings, sent: bytes, status: bytes
) -> None:
    with serving(sqlite_settings, program=PATIENT) as server, ExitStack() as stack:
        assert status_of(connect(server, stack, sent)) == status


@pytest.mark.parametrize("sent", [b"", BEGUN, BEGUN + b"\r\n"], ids=["silent", "begun", "kept"])
def test_where_connections_run_out_those_go_on_which_nothing_is_asked(sqlite_settings: Settings, sent: bytes) -> None:
    with serving(sqlite_settings, "--threads", "2", program=f"{PATIENT}\n{FEW}") as server, ExitStack() as stack:
        waiting = [connect(server, stack, sent) for _ in range(6)]
        for _ in range(3):
            assert Caller(server.port).get("/healthz").status == 200
        assert 0 < sum(is_over(line) for line in waiting) < len(waiting)


def test_many_who_ask_at_once_where_connections_run_out_end_no_worker(sqlite_settings: Settings) -> None:
    with serving(sqlite_settings, "--threads", "2", program=f"{PATIENT}\n{FEW}") as server:
        (worker,) = server.children
        for _ in range(20):
            with ExitStack() as stack:
                lines = [connect(server, stack, BEGUN) for _ in range(4)]
                assert Caller(server.port).get("/healthz").status == 200
                lines.append(connect(server, stack, BEGUN + b"\r\n"))
                os.kill(worker, signal.SIGSTOP)  # so that all that follows is one round of events
                lines += [connect(server, stack, BEGUN) for _ in range(2)]
                for line in lines:
                    line.sendall(b"\r\n")
                os.kill(worker, signal.SIGCONT)
        assert Caller(server.port).get("/healthz").status == 200
        assert server.children == {worker}


def test_late_ones_who_go_on_sending_keep_no_thread_from_the_others(sqlite_settings: Settings) -> None:
    soon = "import portal.cli.worker\nportal.cli.worker.HEAD_SECONDS = 0.5\nportal.cli.worker.CLOSING_SECONDS = 600.0"
    with serving(sqlite_settings, "--threads", "2", program=soon) as server, ExitStack() as stack:
        late, done = [connect(server, stack, BEGUN) for _ in range(2)], threading.Event()
        assert [status_of(line) for line in late] == [b"408", b"408"]

        def go_on() -> None:
            while not done.wait(0.2):
                for line in late:
                    with suppress(OSError):
                        line.sendall(b"x")

        sender = threading.Thread(target=go_on)
        sender.start()
        try:
            assert Caller(server.port).get("/healthz").status == 200
        finally:
            done.set()
            sender.join()


def is_over(line: socket.socket, patience: float = 0.1) -> bool:
    line.settimeout(patience)
    try:
        while line.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True
    return True


@pytest.mark.parametrize("sent", [b"", BEGUN], ids=["silent", "begun"])
def test_a_server_that_is_told_to_end_waits_for_no_request(sqlite_settings: Settings, sent: bytes) -> None:
    with serving(sqlite_settings, program=PATIENT) as server, ExitStack() as stack:
        line = connect(server, stack, sent)
        assert Caller(server.port).get("/healthz").status == 200
        server.process.terminate()
        assert is_over(line, 20)
        assert server.process.wait(20) == 0
