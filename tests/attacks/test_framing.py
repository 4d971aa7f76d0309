"""Group A.9 of the attack table, its third part: methods, hosts, and where one request ends and the next begins.

A230, A231: a foreign host, two hosts, and what frames no request are in ``tests/attacks/test_requests.py``.
"""

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests import makers
from tests.attacks.oracle import BOUNDARY, Answer, Target, part
from tests.databases import SqliteTemplate
from tests.servers import Caller, serving

pytestmark = pytest.mark.xdist_group("attacks-bytes")

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
BYTES = b"%PDF-1.7 framing"


@pytest.mark.parametrize(
    "method", ["TRACE", "CONNECT", "PROPFIND", "MKCOL", "UNKNOWN", "PUT", "DELETE", "PATCH", "LINK"]
)
def test_a_method_that_is_none_here_is_refused_with_those_that_are(target: Target, method: str) -> None:
    """A229"""
    refs = (target.things["annual"], target.things["beyond"], "7")
    with target.untouched():
        for address in ["/", "/login", "/static/portal.css", *(f"/documents/{ref}/download" for ref in refs)]:
            answer = target.ask(address, 405, method=method, headers={"X-CSRFToken": target.form("reader")})
            allowed = {"GET", "HEAD", "OPTIONS"} | ({"POST"} if address == "/login" else set())
            assert set(answer.header("Allow").split(", ")) == allowed
            assert SMUGGLED not in answer.body


def test_trace_tells_nobody_their_cookie(target: Target) -> None:
    """A229"""
    answer = target.ask("/documents/1", 405, method="TRACE", headers={"X-Secret": "told to nobody"})

    assert target.tokens["reader"] not in answer.text
    assert "told to nobody" not in answer.text


@pytest.mark.parametrize("method", ["get", "Get", "G E T", "", "GET,POST", "GËT"])
def test_a_method_that_is_no_word_is_refused(target: Target, method: str) -> None:
    """A229"""
    target.ask("/login", 400, method=method)


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_no_header_makes_a_get_another_method(target: Target, name: str) -> None:
    """A229"""
    target.ask("/logout", 405, headers={name: "POST", "X-CSRFToken": target.form("reader")})
    target.ask("/account", 200)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_old_version_of_http_gets_the_same_bytes_and_the_end_of_the_connection(target: Target, version: str) -> None:
    """A241"""
    request = f"GET {own(target)} HTTP/{version}\r\nCookie: portal={target.tokens['reader']}\r\n"
    request += f"Host: 127.0.0.1:{target.server.port}\r\n" + ("" if version == "1.0" else "Connection: close\r\n")
    with target.untouched({"downloads"}):
        answer = target.say(f"{request}\r\n".encode(), 200)

    assert answer.body == BYTES
    assert answer.header("Transfer-Encoding") == ""


def test_two_requests_sent_together_get_their_own_answers_in_order(target: Target) -> None:
    """A241"""
    address = own(target)
    with line(target) as (connection, answers):
        connection.sendall(b"".join(head(target, f"GET {path}") for path in (address, "/nothing", address)))
        first, second, third = next(answers), next(answers), next(answers)

    assert (first.status, first.body) == (third.status, third.body) == (200, BYTES)
    assert second.status == 404


@pytest.mark.parametrize("kept", [0, 40])
def test_after_an_upload_that_broke_off_nothing_of_it_is_a_request(target: Target, kept: int) -> None:
    """A241"""
    piece = part("files", b"broken.pdf", b"%PDF-1.7 " + SMUGGLED)
    body = b"--%s\r\n%s" % (BOUNDARY, piece[: len(piece) - kept])
    extra = f"Content-Length: {len(body) + 500}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n"
    extra += f"X-CSRFToken: {target.form('publisher')}\r\n"
    since = len(target.server.output)
    with target.untouched(), line(target) as (connection, answers):
        connection.sendall(head(target, "POST /admin/upload", extra, who="publisher") + body)
        connection.shutdown(socket.SHUT_WR)
        assert [answer.status for answer in answers] == [400]

    assert "smuggled" not in target.server.output[since:]


@pytest.mark.parametrize(
    ("request_line", "who", "status"),
    [
        ("POST /logout", "nobody", 302),
        ("POST /admin/upload", "nobody", 302),
        ("POST /admin/upload", "reader", 404),
        ("POST /login", "nobody", 400),
        ("POST /nothing", "reader", 404),
        ("PUT /login", "nobody", 405),
        ("GET /login", "nobody", 200),
    ],
)
def test_a_body_nobody_reads_is_no_request(target: Target, request_line: str, who: str, status: int) -> None:
    """A242"""
    extra = f"Content-Length: {len(SMUGGLED)}\r\nContent-Type: application/octet-stream\r\n"
    if who != "nobody":
        extra += f"X-CSRFToken: {target.form(who)}\r\n"
    since = len(target.server.output)
    with target.untouched({"audit_events", "sign_in_attempts"}), line(target) as (connection, answers):
        connection.sendall(head(target, request_line, extra, who=who) + SMUGGLED + head(target, "GET /nothing"))
        connection.shutdown(socket.SHUT_WR)
        statuses = [answer.status for answer in answers]

    assert statuses in ([status], [status, 404]), "either the connection ends, or what follows is answered"
    assert "smuggled" not in target.server.output[since:]


@pytest.mark.parametrize("who", ["nobody", "publisher"])
def test_a_body_too_large_is_refused_unread_and_ends_the_connection(target: Target, who: str) -> None:
    """A242"""
    extra = f"Content-Length: {2**40}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    with target.untouched(), line(target) as (connection, answers):
        connection.sendall(head(target, "POST /login", extra, who=who) + SMUGGLED)
        connection.shutdown(socket.SHUT_WR)
        assert [answer.status for answer in answers] == [413]

    target.ask("/account", 200)


@pytest.mark.parametrize("who", ["reader", "elsewhere", "nobody"])
def test_every_document_has_one_address_and_other_spellings_open_nothing_more(target: Target, who: str) -> None:
    """A243"""
    uuid = target.things["annual"]
    status = {"reader": 200, "elsewhere": 404, "nobody": 302}[who]
    with target.untouched():
        target.ask(f"/documents/{uuid}", status, who=who)
        for spelling in (f"documents/{uuid}/", f"documents/{uuid}%2F", f"documents/{uuid}/%2e"):
            target.ask(f"/{spelling}", {404, 302} if who == "nobody" else 404, who=who)
        answer = target.ask(f"/documents//{uuid}", 308, who=who)
        assert answer.header("Location").endswith(f":{target.server.port}/documents/{uuid}")
        for spelling in (f"//documents/{uuid}", f"/documents%2F{uuid}", f"/documents/%{ord(uuid[0]):02x}{uuid[1:]}"):
            target.ask(spelling, status, who=who)
        target.ask(f"/documents/{uuid.upper()}", {404, 302} if who == "nobody" else 404, who=who)


def test_whoever_never_ends_their_headers_keeps_nobody_from_theirs(
    sqlite_template: SqliteTemplate, tmp_path: Path
) -> None:
    """Slow headers, on as many connections as there are threads; on one they go on and on, a little at a time."""
    settings = makers.settings_for(sqlite_template.copy(tmp_path / "portal.db"), tmp_path)
    sooner = "import portal.cli.worker\nportal.cli.worker.HEAD_SECONDS = 2.0"
    with serving(settings, "--threads", "2", program=sooner) as server, ExitStack() as stack:
        address = ("127.0.0.1", server.port)
        slow = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(2)]
        for connection in slow:
            connection.sendall(b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        assert Caller(server.port).get("/healthz").status == 200
        refused = [trickled(slow[0]), slow[1].recv(65536)]

    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in refused)
    assert server.output.count("refused 408 from 127.0.0.0/24 before it was read") == 2


@pytest.mark.parametrize("kind", ["Content-Length: 1000", "Transfer-Encoding: chunked"], ids=["measured", "chunked"])
def test_whoever_never_ends_a_body_keeps_nobody_from_theirs(
    sqlite_template: SqliteTemplate, tmp_path: Path, kind: str
) -> None:
    """Slow bodies, on as many connections as there are threads; on one it goes on and on, a little at a time."""
    settings = makers.settings_for(sqlite_template.copy(tmp_path / "portal.db"), tmp_path)
    sooner = "import portal.cli.bodies\nportal.cli.bodies.PATIENCE_SECONDS = 2.0"
    with serving(settings, "--threads", "2", program=sooner) as server, ExitStack() as stack:
        address = ("127.0.0.1", server.port)
        slow = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(2)]
        for connection in slow:
            form = "Content-Type: application/x-www-form-urlencoded"
            connection.sendall(f"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\n{form}\r\n{kind}\r\n\r\n".encode())
        assert Caller(server.port).get("/healthz").status == 200
        refused = [trickled(slow[0]), slow[1].recv(65536)]

    assert all(answer.startswith(b"HTTP/1.1 4") for answer in refused)
    assert "Traceback" not in server.output


def trickled(connection: socket.socket) -> bytes:
    """What the server says while it is sent a little more of a header whenever it has said nothing for a while."""
    while not select.select([connection], [], [], 0.5)[0]:
        connection.sendall(b"x")
    return connection.recv(65536)


@contextmanager
def line(target: Target) -> Iterator[tuple[socket.socket, Iterator[Answer]]]:
    """A connection that is kept, and the answers that come on it until the server ends it."""

    def answers(connection: socket.socket) -> Iterator[Answer]:
        with connection.makefile("rb") as stream:
            while stream.peek(1):
                response = HTTPResponse(Kept(stream), method="GET")  # type: ignore[arg-type]
                response.begin()
                yield Answer(response.status, response.getheaders(), response.read())

    with socket.create_connection(("127.0.0.1", target.server.port), timeout=60) as connection:
        yield connection, answers(connection)


class Kept:
    """A stream that outlives the answer read from it."""

    def __init__(self, stream: object) -> None:
        self._stream = stream

    def makefile(self, _mode: str) -> object:
        """The stream, as ``HTTPResponse`` asks a socket for it."""
        return self

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def close(self) -> None:
        """Leave it open for the next answer."""


def head(target: Target, request_line: str, extra: str = "", who: str = "reader") -> bytes:
    """Request line and headers on a connection to be kept."""
    cookie = "" if who == "nobody" else f"Cookie: portal={target.tokens[who]}\r\n"
    return f"{request_line} HTTP/1.1\r\nHost: 127.0.0.1:{target.server.port}\r\n{cookie}{extra}\r\n".encode()


def own(target: Target) -> str:
    """The address of a document of this module."""
    with target.app.app_context():
        return f"/documents/{makers.document(makers.category('pdf'), 'framing.pdf', BYTES).id}/download"
