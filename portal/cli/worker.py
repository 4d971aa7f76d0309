"""gunicorn's threads, with words of our own for requests it refuses before the portal sees them."""

import re
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gunicorn import util
from gunicorn.http.errors import (  # type: ignore[attr-defined]  # the stubs know an older gunicorn
    ExpectationFailed,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.workers.gthread import PollableMethodQueue, TConn, ThreadWorker

from portal.cli.bodies import paced
from portal.networks import network_of

if TYPE_CHECKING:
    from concurrent.futures import Future

HEAD_SECONDS = 10.0
"""Within these the headers of a request are there, or it is refused: until then it holds a thread."""
LINGER_MILLISECONDS = 20
"""How long a thread waits for the next request of its connection: programs ask at once, pages within a few moments."""
ABSOLUTE = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
CLOSING_SECONDS = 10.0
SILENT_SECONDS = 1.0
"""How long at most a connection that is over goes on being read, and how long while nothing comes."""
UNREAD = 64 * 1024
MISTYPED = (400, "Bad Request", "The request arrived incomplete or mistyped.")
REFUSALS: dict[type[ParseException], tuple[int, str, str]] = {
    LimitRequestLine: (414, "URI Too Long", "This address is too long."),
    ExpectationFailed: (417, "Expectation Failed", "The portal cannot do what the request expects of it."),
    LimitRequestHeaders: (431, "Request Header Fields Too Large", "The request has too many headers."),
}
"""Status, its words for programs, and a sentence for people; whatever else cannot be read is ``MISTYPED``."""
LATE = (408, "Request Timeout", "The request took too long to arrive.")
OF_THE_ANSWER = (InvalidResponseHeader, InvalidResponseHeaderName)
"""What is wrong with the headers of an answer, not of a request or behind its body."""
HEADERS = {
    "Connection": "close",
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}
"""No page of the portal, but as strict as one."""
CUTTING_SECONDS = 5
"""How long answers that were cut may take to write down how far they came."""


class LastingQueue(PollableMethodQueue):
    """A pipe by which threads wake the worker. It ends with the process: closed before, a thread that is late would
    write its zero byte into whatever file has got the number since, such as the database."""

    def close(self) -> None:
        """Stay open."""


class Worker(ThreadWorker):
    """Of its own, gunicorn answers with a page that repeats what was sent, and a second time after a broken body.

    It also waits for headers for ever, with a thread each: whoever opened more connections than there are threads, and
    ended their headers on none, would keep everybody out.

    When a worker's time to finish is over, it lets go of the answers on their way and leaves their threads running
    until it is killed; ours cuts them, so that each says in the ledger how far it came.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.method_queue = LastingQueue()
        self._busy: set[TConn] = set()
        self._arriving: dict[TConn, float] = {}

    def handle(self, conn: TConn) -> Any:
        """The requests of a connection that follow one another closely; gunicorn would change threads for each.

        It stays with its thread only while there is one for every connection, so nobody waits for it. A connection
        that is over is closed here as well, where it keeps nobody waiting until the client has closed it too.
        """
        while True:
            outcome = self._handle_one(conn)
            is_kept = outcome is True and self.alive and self.nr_conns <= self.cfg.threads
            if not is_kept or not _is_asked_again(conn):
                break
        if outcome is False:
            _close(conn.sock, lambda: self.alive and self.nr_conns <= self.cfg.threads)
        return outcome

    def finish_request(self, conn: TConn, fs: "Future[Any]") -> None:
        """On the main thread: take a connection back that is kept, and forget one that is closed."""
        if not fs.cancelled() and fs.exception() is None and fs.result() is False:
            self.nr_conns -= 1
        else:
            super().finish_request(conn, fs)

    def _handle_one(self, conn: TConn) -> Any:
        """One request, whose headers are awaited no longer than ``HEAD_SECONDS``; meanwhile it is in use."""
        self._busy.add(conn)
        self._arriving[conn] = time.monotonic() + HEAD_SECONDS
        try:
            return super().handle(conn)
        finally:
            self._arriving.pop(conn, None)
            self._busy.discard(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """The headers are there, unless somebody was just told that they are not; its body has a pace of its own."""
        if self._arriving.pop(conn, None) is None:
            return False
        if not _has_one_host(req):
            self._refuse(conn.sock, conn.client, MISTYPED, "its host is missing, or another one than in its address")
            return False
        with paced(conn.parser, req):
            return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Every second: besides connections on which nothing came, end those whose headers are late."""
        super().murder_pending()
        now = time.monotonic()
        for conn in [conn for conn, deadline in self._arriving.copy().items() if deadline < now]:
            if self._arriving.pop(conn, None) is not None:
                self._refuse(conn.sock, conn.client, LATE, "its headers did not end")
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)  # the thread that reads from it finds its end

    def set_accept_enabled(self, enabled: bool | None) -> None:
        """Take new connections or none. A worker that is to end lets go of its socket: after the last one nobody waits
        in vain at a door that will not be opened, and another server can have the port."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                listener.close()

    def murder_keepalived(self, force: bool = False) -> None:
        """Close connections nobody uses; by ``force``, which comes once, when the time to finish is over, all."""
        super().murder_keepalived(force)  # type: ignore[call-arg]  # the stubs know an older gunicorn
        if force:
            self._cut()

    def _cut(self) -> None:
        """End the answers still on their way. What the kernel has taken still leaves."""
        self.tpool.shutdown(wait=False, cancel_futures=True)
        for conn in list(self._busy):
            with suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RDWR)
        stop = time.monotonic() + CUTTING_SECONDS
        while self._busy and time.monotonic() < stop:
            self.notify()
            time.sleep(0.05)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Refuse what cannot be read with a sentence and one line; any other failure is gunicorn's to tell."""
        if not isinstance(exc, ParseException) or isinstance(exc, OF_THE_ANSWER):
            super().handle_error(req, client, addr, exc)
        elif req is None:
            self._refuse(client, addr, REFUSALS.get(type(exc), MISTYPED), exc)
        # Else the request has had its answer: what nobody read of its body turned out to be unreadable.

    def _refuse(self, client: socket.socket, addr: Any, refused: tuple[int, str, str], why: object) -> None:
        status, words, sentence = refused
        network = network_of(addr[0] if addr else "")
        self.log.warning("refused %s from %s before it was read: %s", status, network, why)
        with suppress(OSError):
            util.write_nonblock(client, refusal(status, words, sentence))


def _has_one_host(req: Any) -> bool:
    """Whether a request says which host it is for, as HTTP/1.1 asks, and says no other in its address (RFC 9112, 3.2).

    Of two Host headers, and of one that is not ours, the portal takes care.
    """
    host = next((value for name, value in req.headers if name == "HOST"), None)
    if host is None:
        return bool(req.version < (1, 1))
    address = ABSOLUTE.match(req.uri)
    return address is None or address[1].lower() == host.lower()


def _is_asked_again(conn: TConn) -> bool:
    """Whether the next request begins to arrive while its thread waits a moment for it."""
    if conn.parser.unreader.buf.getvalue():  # type: ignore[union-attr]  # a connection that was answered by HTTP/1
        return True
    waiting = select.poll()
    waiting.register(conn.sock, select.POLLIN)
    return bool(waiting.poll(LINGER_MILLISECONDS))


def _close(line: socket.socket, has_room: Callable[[], bool]) -> None:
    """Say that nothing more comes, and read what the client is still sending until it has closed its side too.

    Closed at once, the kernel would answer what it sends with a reset, which takes the last answer from a client that
    has not read it yet (RFC 9112, 9.6): whoever sends a body that is too large would never learn why it was refused.
    It goes on while there is room: a thread for every connection, and a worker that is not to end.
    """
    stop = time.monotonic() + CLOSING_SECONDS
    with line, suppress(OSError):
        line.shutdown(socket.SHUT_WR)
        line.settimeout(SILENT_SECONDS)
        while line.recv(UNREAD) and has_room() and time.monotonic() < stop:
            pass


def refusal(status: int, words: str, sentence: str) -> bytes:
    """A whole answer; nothing of the request is in it."""
    body = f"{sentence}\n"
    headers = HEADERS | {"Content-Length": str(len(body))}
    lines = [f"HTTP/1.1 {status} {words}", *(f"{name}: {value}" for name, value in headers.items()), "", body]
    return "\r\n".join(lines).encode("ascii")
