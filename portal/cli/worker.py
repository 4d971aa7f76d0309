"""gunicorn's threads, with words of our own for requests it refuses before the portal sees them."""

import math
import re
import select
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gunicorn import util
from gunicorn.http.errors import (  # type: ignore[attr-defined]  # the stubs know an older gunicorn
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    ParseException,
)
from gunicorn.workers.gthread import PollableMethodQueue, TConn, ThreadWorker

from portal.cli import heads
from portal.cli.bodies import paced
from portal.cli.refusals import LATE, MISTYPED, REFUSALS, refusal
from portal.networks import network_of

if TYPE_CHECKING:
    from concurrent.futures import Future

HEAD_SECONDS = 10.0
"""Within these the headers of a request are there, or it is refused."""
LOOK_SECONDS = 1.0
"""So often it is looked whose time is over."""
LINGER_MILLISECONDS = 20
"""How long a thread waits for the next request of its connection: programs ask at once, pages within a few moments."""
ABSOLUTE = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
CLOSING_SECONDS = 10.0
SILENT_SECONDS = 1.0
"""How long at most a connection that is over goes on being read, and how long while nothing comes."""
UNREAD = 64 * 1024
OF_THE_ANSWER = (InvalidResponseHeader, InvalidResponseHeaderName)
"""What is wrong with the headers of an answer, not of a request or behind its body."""
AWAITED = object()
"""What became of a connection: more of its request has to come. Otherwise it is kept (True) or over (False)."""
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
    ended their headers on none, would keep everybody out. Here the poller waits for them, and where connections run
    out, those go first on which nothing is asked yet.

    When a worker's time to finish is over, it lets go of the answers on their way and leaves their threads running
    until it is killed; ours cuts them, so that each says in the ledger how far it came.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.method_queue = LastingQueue()
        self._busy: set[TConn] = set()
        self._awaited: dict[TConn, float] = {}
        self._head_due: dict[TConn, float] = {}
        self._next_look = 0.0
        self._last_wait = math.inf

    def handle(self, conn: TConn) -> Any:
        """The requests of a connection that follow one another closely; gunicorn would change threads for each.

        It stays with its thread only while there is one for every connection, so nobody waits for it. A connection
        that is over is closed here as well, where it keeps nobody waiting until the client has closed it too.
        """
        while True:
            outcome = self._handle_one(conn)
            if outcome is not True or not self._has_room() or not _is_asked_again(conn):
                break
        return self._end(conn) if outcome is False else outcome

    def finish_request(self, conn: TConn, fs: "Future[Any]") -> None:
        """On the main thread: take a connection back that is kept, and forget one that is closed."""
        outcome = None if fs.cancelled() or fs.exception() else fs.result()
        if outcome is AWAITED:
            self._await(conn)
        elif outcome is False:
            self._forget(conn)
        else:
            super().finish_request(conn, fs)

    def _has_room(self) -> bool:
        """Whether a thread may wait: there is one for every connection, and the worker is not to end."""
        return bool(self.alive and self.nr_conns <= self.cfg.threads)

    def _handle_one(self, conn: TConn) -> Any:
        """One request, if its headers are there; while a thread looks at it, the connection is in use."""
        self._busy.add(conn)
        try:
            return super().handle(conn) if self._has_head(conn) else AWAITED
        except OSError:
            return False
        except LimitRequestHeaders as refused:
            self.handle_error(None, conn.sock, conn.client, refused)
            return False
        finally:
            self._busy.discard(conn)

    def _has_head(self, conn: TConn) -> bool:
        """Whether the headers of its request are there, for which its thread waits a moment at most."""
        conn.init()
        longest = self.cfg.limit_request_line
        return heads.is_readable(conn, longest) or (
            self._has_room() and _has_more(conn) and heads.is_readable(conn, longest)
        )

    def handle_request(self, req: Any, conn: Any) -> Any:
        """The headers are there; its body has a pace of its own."""
        self._head_due.pop(conn, None)
        if not _has_one_host(req):
            self._refuse(conn.sock, conn.client, MISTYPED, "its host is missing, or another one than in its address")
            return False
        with paced(conn.parser, req):
            return super().handle_request(req, conn)

    def _await(self, conn: TConn) -> None:
        """On the main thread: have the poller wait for a request, or for the rest of its headers."""
        now = time.monotonic()
        until = min(now + self.cfg.keepalive, self._last_wait)
        if heads.has_begun(conn):
            until = min(until, self._head_due.setdefault(conn, now + HEAD_SECONDS))
        if until < now:  # whoever sends a little again and again is perhaps never here when it is looked
            self._give_up(conn)
            return
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._go_on, conn))
        self._awaited[conn] = until

    def _go_on(self, conn: TConn, _: object) -> None:
        self._stop_awaiting(conn)
        self.enqueue_req(conn)

    def _stop_awaiting(self, conn: TConn) -> None:
        del self._awaited[conn]
        self.poller.unregister(conn.sock)

    def _forget(self, conn: TConn) -> None:
        """It is closed."""
        self._head_due.pop(conn, None)
        self.nr_conns -= 1

    def murder_pending(self) -> None:
        """After each round of events, never within one, whose connections may all be met yet: make room, and end
        connections on which nothing came, or no end of the headers.
        """
        if self.alive and self.nr_conns >= self.worker_connections:
            self._make_room()
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            for conn in [conn for conn, until in self._awaited.items() if until < now]:
                self._stop_awaiting(conn)
                self._give_up(conn)

    def _give_up(self, conn: TConn) -> None:
        """End a connection whose time is over, with an answer when something of a request has come."""
        if heads.has_begun(conn):
            self._refuse(conn.sock, conn.client, LATE, "its headers did not end")
            if self._has_room():  # its thread counts until it is closed
                closing = self.tpool.submit(self._end, conn)
                closing.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))
                return
        self._forget(conn)
        conn.close()

    def _end(self, conn: TConn) -> bool:
        _close(conn.sock, self._has_room)
        return False

    def _make_room(self) -> None:
        """Close the connection on which nothing came for longest: before its first request, or else before another."""
        if self._awaited:
            conn = next(iter(self._awaited))
            self._stop_awaiting(conn)
        elif self.keepalived_conns:
            conn = self.keepalived_conns.popleft()
            self.poller.unregister(conn.sock)
        else:
            return
        self._forget(conn)
        conn.close()

    def _cap_keepalive(self, deadline: float) -> None:
        """A worker that is to end waits for no request for long."""
        super()._cap_keepalive(deadline)  # type: ignore[misc]  # the stubs know an older gunicorn
        self._last_wait = deadline
        self._awaited = {conn: min(until, deadline) for conn, until in self._awaited.items()}

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
    return heads.has_begun(conn) or _has_more(conn)


def _has_more(conn: TConn) -> bool:
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
        line.settimeout(SILENT_SECONDS if has_room() else 0)
        while line.recv(UNREAD) and has_room() and time.monotonic() < stop:
            pass
