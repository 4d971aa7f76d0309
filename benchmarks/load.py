"""Clients over raw sockets: they cost little, so that what is measured is the server."""

import socket
import threading
import time
from dataclasses import dataclass

BUFFER = 1 << 20


@dataclass(frozen=True)
class Target:
    """A request to one server."""

    port: int
    path: str
    headers: str = ""

    def request(self) -> bytes:
        """The bytes of the request, keeping the connection."""
        return f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{self.headers}\r\n".encode()


def fetch(line: socket.socket, request: bytes) -> tuple[int, int]:
    """One request on an open connection: status and length of the body, which is thrown away."""
    line.sendall(request)
    head = bytearray()
    while (end := head.find(b"\r\n\r\n")) < 0:
        block = line.recv(65536)
        if not block:
            raise ConnectionError("the server closed before an answer")
        head += block
    lines = bytes(head[:end]).decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in lines[1:])}
    length = int(fields.get("content-length", "0"))
    left = length - (len(head) - end - 4)
    buffer = bytearray(BUFFER)
    while left > 0:
        count = line.recv_into(buffer, min(left, BUFFER))
        if not count:
            raise ConnectionError("the server closed in the middle")
        left -= count
    return int(lines[0].split(" ")[1]), length


def per_second(target: Target, *, seconds: float, connections: int = 4, status: int = 200) -> float:
    """Requests answered per second over some kept connections."""
    stop = time.perf_counter() + seconds
    counts = [0] * connections
    problems: list[str] = []

    def work(number: int) -> None:
        with socket.create_connection(("127.0.0.1", target.port)) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            request = target.request()
            while time.perf_counter() < stop:
                found, _ = fetch(line, request)
                if found != status:
                    problems.append(f"{target.path} answered {found}")
                    return
                counts[number] += 1

    began = time.perf_counter()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise RuntimeError(problems[0])
    return sum(counts) / (time.perf_counter() - began)


def seconds_of(target: Target, *, status: int = 200) -> float:
    """How long one request takes on a connection already open."""
    with socket.create_connection(("127.0.0.1", target.port)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        found, _ = fetch(line, target.request())
        took = time.perf_counter() - began
    if found != status:
        raise RuntimeError(f"{target.path} answered {found}")
    return took
