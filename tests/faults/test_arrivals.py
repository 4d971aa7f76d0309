"""Uploads over a real socket to the real server: what arrives incomplete leaves nothing behind (P7)."""

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import func, select

from portal.accounts.sessions import start_session
from portal.extensions import db
from portal.models import Blob, Document
from portal.settings import Settings
from tests import makers
from tests.databases import SqliteTemplate
from tests.servers import Caller, Server, serving

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("arrivals")]

PATIENCE = 30
BOUNDARY = "----boundary-of-the-tests"
BODY = os.urandom(3_000_000)

Stored = tuple[int, int, list[Path]]
"""How many documents and blobs, and the temp files."""


@dataclass
class Desk:
    """A running portal and a publisher signed in to it."""

    settings: Settings
    server: Server
    caller: Caller
    form: str

    def head(self, length: int, extra: str = "") -> bytes:
        """The head of an upload request that announces ``length`` bytes."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.caller.cookies.items())
        return (
            f"POST /admin/upload HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\nCookie: {cookie}\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n{extra}"
            "Connection: close\r\n\r\n"
        ).encode()

    def body(self, content: bytes = BODY, filename: str = "scan.bin", *, closed: bool = True) -> bytes:
        """A whole multipart body, or one without its closing boundary."""
        fields = {"csrf_token": self.form, "category": "inbox"}
        parts = [
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{filename}"\r\n\r\n'
        parts += [head.encode(), content, f"\r\n--{BOUNDARY}--\r\n".encode() if closed else b""]
        return b"".join(parts)

    def send(self, *pieces: bytes, half_close: bool = False, reset: bool = False) -> bytes:
        """Send raw bytes, perhaps go away, and read what the server answers."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=30) as line:
            for piece in pieces:
                line.sendall(piece)
            if reset:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                return b""
            if half_close:
                line.shutdown(socket.SHUT_WR)
            answer = b""
            while block := line.recv(65536):
                answer += block
            return answer

    def stored(self) -> Stored:
        """Documents, blobs and temp files there are now."""
        with makers.running(self.settings) as app, app.app_context():
            documents = db.session.scalars(select(func.count()).select_from(Document)).one()
            blobs = db.session.scalars(select(func.count()).select_from(Blob)).one()
        files = list((self.settings.storage / "tmp").glob("incoming-*"))
        return documents, blobs, files


@pytest.fixture(scope="module")
def desk(sqlite_template: SqliteTemplate) -> Iterator[Desk]:
    """One server for all of them: each must leave it as good as new for the next."""
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        directory = Path(name)
        settings = makers.settings_for(sqlite_template.copy(directory / "portal.db"), directory)
        with makers.running(settings) as app, app.app_context():
            publisher = makers.person("Ada")
            makers.grant(makers.category("inbox"), user=publisher, permission=2)
            token = start_session(publisher.id, network=makers.NETWORK, agent="tests")
        with serving(settings) as server:
            caller = Caller(server.port, {"portal": token})
            yield Desk(settings, server, caller, caller.form_token("/admin/upload"))


@pytest.fixture
def before(desk: Desk) -> Stored:
    """What was stored before the test; no temp file is among it."""
    stored = desk.stored()
    assert stored[2] == []
    return stored


def require_nothing_left(desk: Desk, before: Stored) -> None:
    """The server is alive and has, perhaps a moment after the client went away, only what it had."""
    assert desk.caller.get("/healthz").status == 200
    deadline = time.monotonic() + PATIENCE
    while desk.stored() != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert desk.stored() == before


def test_a_whole_upload_is_taken(desk: Desk, before: Stored) -> None:
    body = desk.body()

    answer = desk.send(desk.head(len(body)), body)

    assert answer.startswith(b"HTTP/1.1 200")
    assert desk.stored() == (before[0] + 1, before[1] + 1, [])


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.999])
def test_a_client_that_goes_away_leaves_nothing_behind(desk: Desk, before: Stored, part: float) -> None:
    body = desk.body()
    cut = body[: int(len(body) * part)]

    answer = desk.send(desk.head(len(body)), cut, half_close=True)

    assert answer.startswith(b"HTTP/1.1 400") or answer == b""
    require_nothing_left(desk, before)


def test_a_whole_form_shorter_than_announced_is_refused(desk: Desk, before: Stored) -> None:
    body = desk.body()

    answer = desk.send(desk.head(len(body) + 1000), body, half_close=True)

    assert answer.startswith(b"HTTP/1.1 400")
    require_nothing_left(desk, before)


def test_a_connection_that_is_reset_leaves_nothing_behind(desk: Desk, before: Stored) -> None:
    body = desk.body()

    desk.send(desk.head(len(body)), body[:2_000_000], reset=True)

    require_nothing_left(desk, before)


def test_a_form_cut_before_its_end_but_rightly_counted_is_refused(desk: Desk, before: Stored) -> None:
    body = desk.body(closed=False)

    answer = desk.send(desk.head(len(body)), body)

    assert answer.startswith(b"HTTP/1.1 400")
    assert b"arrived incomplete" in answer
    require_nothing_left(desk, before)


def test_more_than_allowed_is_refused_before_it_is_read(desk: Desk, before: Stored) -> None:
    answer = desk.send(desk.head(desk.settings.max_upload + 10_000_000), half_close=True)

    assert answer.startswith(b"HTTP/1.1 413")
    require_nothing_left(desk, before)


def test_tokens_are_masked_in_everything_the_server_prints(desk: Desk) -> None:
    secret = "S" * 43
    for path in (f"/s/{secret}", f"/t/{secret}", f"/setup/{secret}", f"/login?next=/s/{secret}"):
        desk.caller.get(path, Referer=f"http://127.0.0.1/s/{secret}")
    desk.caller.get("/healthz")

    assert secret not in desk.server.output
    assert f"/s/{secret[:6]}…" in desk.server.output
    assert desk.caller.cookies["portal"] not in desk.server.output
