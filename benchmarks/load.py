"""The client: one thread, one epoll, raw sockets. It costs little, so that what is measured is the server."""

import re
import select
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter

from benchmarks.rounds import Reading
from benchmarks.settings import KIB, MIB

PATIENCE = 10.0
"""Seconds without a byte after which a server counts as stalled."""
HEAD = 64 * KIB
"""The most that is read at once while the head of an answer is not whole."""
_BUFFER = bytearray(MIB)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """A request to one server and what has to come back; ``length`` is of the body."""

    port: int
    path: str
    headers: str = ""
    status: int = 200
    length: int = 0

    @cached_property
    def request(self) -> bytes:
        """The bytes of the request, keeping the connection."""
        return f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{self.headers}\r\n".encode()

    def part(self, start: int, length: int) -> "Target":
        """The same document from ``start`` on, so many bytes of it."""
        wanted = f"Range: bytes={start}-{start + length - 1}\r\n"
        return replace(self, headers=self.headers + wanted, status=206, length=length)

    def unchanged(self, condition: str) -> "Target":
        """The same document for somebody who has it; ``condition`` is a header field."""
        return replace(self, headers=f"{self.headers}{condition}\r\n", status=304, length=0)


class Connection:
    """One socket that carries request after request.

    Bodies are counted and thrown away, by the kernel (``MSG_TRUNC``, tcp(7)) but for what comes with their head: the
    copy into a buffer nobody reads would be half of the client's work.
    """

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = bytearray()
        self._left = -1

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, target: Target) -> None:
        """Send a request; the answer before must have been taken whole."""
        self.target = target
        self._head.clear()
        self._left = -1
        self.socket.sendall(target.request)

    def take(self) -> bool:
        """Read once; True when the answer is whole. Raises RuntimeError when it is not the one that was wanted."""
        if self._left >= 0:
            self._left -= self._received(MIB, socket.MSG_TRUNC)
        else:
            self._head += memoryview(_BUFFER)[: self._received(HEAD, 0)]
            self._read_head()
        return self._left == 0

    def fetch(self, target: Target) -> float:
        """Ask and take all of the answer; the seconds that took."""
        began = perf_counter()
        self.ask(target)
        while not self.take():
            pass
        return perf_counter() - began

    def _received(self, most: int, flags: int) -> int:
        count = self.socket.recv_into(_BUFFER, most, flags)
        if not count:
            raise ConnectionError(f"{self.target.path}: the server closed before the answer was whole")
        return count

    def _read_head(self) -> None:
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return
        status = int(self._head[9:12])
        found = _LENGTH.search(self._head, 0, end + 2)
        length = int(found[1]) if found and status != 304 else 0
        if (status, length) != (self.target.status, self.target.length):
            raise RuntimeError(f"{self.target.path} on port {self.target.port} answered {status} with {length} bytes")
        self._left = length - (len(self._head) - end - 4)


@dataclass(frozen=True)
class Work:
    """What a client got done. ``share`` is the part of the time in which it was busy itself instead of waiting."""

    answers: int
    octets: int
    seconds: float
    share: float

    @property
    def rate(self) -> Reading:
        """Answers per second."""
        return Reading(self.answers / self.seconds, self.share)

    @property
    def throughput(self) -> Reading:
        """Body bytes in MiB per second."""
        return Reading(self.octets / MIB / self.seconds, self.share)


class Client:
    """Some connections to one server, each with a queue of requests; the next is sent when an answer is whole."""

    def __init__(self, port: int, queues: Sequence[Iterator[Target]]) -> None:
        self._port = port
        self._queues = queues
        self._busy: dict[int, tuple[Connection, Iterator[Target]]] = {}
        self._answers = self._octets = 0
        self._waited = 0.0

    def run(self) -> Work:
        """Answer for answer until every queue has ended. Raises TimeoutError when a server stalls."""
        with ExitStack() as stack, select.epoll() as poll:
            lines = [stack.enter_context(Connection(self._port)) for _ in self._queues]
            began = perf_counter()
            for line, queue in zip(lines, self._queues, strict=True):
                self._begin(poll, line, queue)
            while self._busy:
                for descriptor in self._wait(poll):
                    self._serve(poll, descriptor)
            seconds = perf_counter() - began
        return Work(self._answers, self._octets, seconds, 1 - self._waited / seconds)

    def _begin(self, poll: select.epoll, line: Connection, queue: Iterator[Target]) -> None:
        line.ask(next(queue))
        poll.register(line.socket, select.EPOLLIN)
        self._busy[line.socket.fileno()] = line, queue

    def _wait(self, poll: select.epoll) -> list[int]:
        before = perf_counter()
        ready = poll.poll(PATIENCE)
        self._waited += perf_counter() - before
        if not ready:
            raise TimeoutError(f"port {self._port} said nothing for {PATIENCE:.0f} s")
        return [descriptor for descriptor, _ in ready]

    def _serve(self, poll: select.epoll, descriptor: int) -> None:
        line, queue = self._busy[descriptor]
        if not line.take():
            return
        self._answers += 1
        self._octets += line.target.length
        following = next(queue, None)
        if following is not None:
            line.ask(following)
        else:
            poll.unregister(descriptor)
            del self._busy[descriptor]


def closed_loop(target: Target, *, seconds: float, connections: int) -> Work:
    """The same request again and again over some kept connections."""
    stop = perf_counter() + seconds
    return Client(target.port, [_until(stop, target) for _ in range(connections)]).run()


def at_once(targets: Sequence[Target]) -> Work:
    """Each of these once, all at the same time, each on a connection of its own."""
    return Client(targets[0].port, [iter([target]) for target in targets]).run()


def one_by_one(targets: Sequence[Target]) -> Work:
    """These in their order on one connection."""
    return Client(targets[0].port, [iter(targets)]).run()


def latencies(target: Target, *, seconds: float) -> list[float]:
    """Seconds from connecting to the last byte, for one visitor after another. A stalled server counts ``PATIENCE``."""
    stop = perf_counter() + seconds
    found = []
    while perf_counter() < stop:
        found.append(_visit(target))
    return found


def first_byte(target: Target) -> float:
    """Seconds from sending a request on a fresh connection to the first byte of its answer; the rest is not read."""
    with Connection(target.port) as line:
        began = perf_counter()
        line.ask(target)
        line.socket.recv(1)
        return perf_counter() - began


def _until(stop: float, target: Target) -> Iterator[Target]:
    yield target
    while perf_counter() < stop:
        yield target


def _visit(target: Target) -> float:
    began = perf_counter()
    try:
        with Connection(target.port) as line:
            line.fetch(target)
    except TimeoutError:
        return PATIENCE
    return perf_counter() - began
