"""Nobody holds a whole document without a completed row (P6), however lines are cut and workers and servers killed."""

import hashlib
import os
import random
import signal
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path

import pytest
from sqlalchemy import select

from portal.accounts.sessions import start_session
from portal.extensions import db
from portal.models import Download
from portal.settings import Settings
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.servers import Server, serving

pytestmark = [pytest.mark.faults, SQLITE_ONLY]

READERS = 6
SIZES = (40_000, 1_500_000, 6_000_000)
"""Written down at once, in several blocks, and more than the buffers of a line take at once."""
BUFFER = 16 * 1024
PATIENCE = 60
READ = 8 * 1024
PAUSE = 0.1
"""Before going on, as programs do: for what a kill does before the server has noticed a cut, see docs/promises.md."""
AT_ONCE, LATER = struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)
"""For SO_LINGER (socket(7)): what is not read yet is thrown away and the line reset, or it is closed in order."""


@dataclass
class Journal:
    """What one reader got: whole bodies by version, and how much of the one that is not whole yet."""

    cookie: str
    user_id: int
    whole: list[int] = field(default_factory=list)


@dataclass
class House:
    """A portal that is killed now and then, with documents and readers."""

    settings: Settings
    documents: dict[int, bytes]
    versions: dict[int, int]
    journals: list[Journal]
    port: int = 0
    server: Server | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        """Serve, on the port it had before."""
        self.server = self._stack.enter_context(serving(self.settings, "--workers", "2", "--port", str(self.port)))
        self.port = self.server.port

    def kill_workers(self) -> None:
        """End the processes that send, as the kernel does when memory is short; their master lives on."""
        assert self.server is not None
        children = Path(f"/proc/{self.server.process.pid}/task/{self.server.process.pid}/children")
        with suppress(OSError):
            for worker in children.read_text().split():
                os.kill(int(worker), signal.SIGKILL)

    def restart(self) -> None:
        """A power cut, and the next start."""
        assert self.server is not None
        self.server.kill()
        self.start()

    def close(self) -> None:
        """Stop for good."""
        self._stack.close()


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    with makers.running(settings) as app, app.app_context():
        shelf = makers.category()
        makers.grant(shelf, everyone=True)
        documents, versions = {}, {}
        for size in SIZES:
            content = random.randbytes(size)
            made = makers.document(shelf, f"{size}.bin", content, "application/octet-stream")
            documents[made.id], versions[made.id] = content, makers.edition(made).version_id
        people = [makers.person(f"Reader {number}") for number in range(READERS)]
        journals = [
            Journal(start_session(person.id, network=makers.NETWORK, agent="tests"), person.id) for person in people
        ]
    found = House(settings, documents, versions, journals)
    found.start()
    with closing(found):
        yield found


@contextmanager
def asked(house: House, journal: Journal, document: int, have: int) -> Iterator[tuple[HTTPResponse, socket.socket]]:
    """An answer to a request for what is missing, on a line whose buffers are small."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    line.settimeout(PATIENCE)
    with line:
        line.connect(("127.0.0.1", house.port))
        wanted = f"Range: bytes={have}-\r\n" if have else ""
        head = f"GET /documents/{document}/download HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: portal={journal.cookie}\r\n"
        line.sendall(f"{head}{wanted}Connection: close\r\n\r\n".encode())
        response = HTTPResponse(line)
        response.begin()
        yield response, line


def read_some(house: House, journal: Journal, document: int, have: int, dice: random.Random) -> bytes:
    """What comes before the line is cut, by us at random or by the death of whoever sends."""
    cut = dice.randrange(len(house.documents[document]) - have)
    how = dice.choice(["not at all", "not at all", "closed", "reset", "killed"])
    got = bytearray()
    with suppress(OSError, HTTPException), asked(house, journal, document, have) as (response, line):
        assert response.status == (206 if have else 200), response.status
        while piece := response.read(READ):
            got += piece
            if len(got) < cut or how == "not at all":
                continue
            if how != "killed":
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE if how == "reset" else LATER)
                break
            house.kill_workers()
            how = "not at all"
    return bytes(got)


def fetch(house: House, journal: Journal, document: int, dice: random.Random) -> None:
    """One download, from the first byte to the last, in as many requests as it takes."""
    content, have = house.documents[document], b""
    deadline = time.monotonic() + PATIENCE * 4
    while len(have) < len(content):
        assert time.monotonic() < deadline, "it does not come to an end"
        before = len(have)
        have += read_some(house, journal, document, before, dice)
        time.sleep(PAUSE)
    assert hashlib.sha256(have).digest() == hashlib.sha256(content).digest()
    journal.whole.append(house.versions[document])


def read_on(house: House, journal: Journal, rounds: int, seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(rounds):
        fetch(house, journal, dice.choice(list(house.documents)), dice)


def torment(house: House, rounds: int, seed: int, *, every: float) -> None:
    """Everybody reads so many documents while the whole server is killed and started anew, about ``every`` seconds."""
    dice, done = random.Random(seed), threading.Event()

    def kill() -> None:
        while not done.wait(dice.uniform(0, 2 * every)):
            house.restart()

    with ThreadPoolExecutor(READERS + 1) as pool:
        killing = pool.submit(kill)
        try:
            reading = [
                pool.submit(read_on, house, journal, rounds, seed + number)
                for number, journal in enumerate(house.journals)
            ]
            for one in reading:
                one.result()
        finally:
            done.set()
            killing.result()


def rows_of(house: House) -> dict[int, list[Download]]:
    """The ledger by reader."""
    with makers.running(house.settings) as app, app.app_context():
        found: dict[int, list[Download]] = {journal.user_id: [] for journal in house.journals}
        for row in db.session.scalars(select(Download).order_by(Download.id)):
            assert row.user_id is not None
            found[row.user_id].append(row)
    return found


def require_truth(house: House) -> None:
    """A completed row for each whole body, version by version, and nothing left open.

    There may be more: a small download is written down before it leaves, and its worker may be killed in between.
    """
    rows = rows_of(house)
    for journal in house.journals:
        completed = Counter(row.version_id for row in rows[journal.user_id] if row.state == "completed")
        assert Counter(journal.whole) <= completed
        assert [row.id for row in rows[journal.user_id] if row.closed_at is None] == []


@pytest.mark.timeout(300)
def test_every_whole_body_has_its_completed_row_whatever_is_cut_and_killed(house: House) -> None:
    torment(house, 3, seed=7, every=4)

    require_truth(house)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_two_thousand_downloads_through_cuts_kills_and_restarts(house: House, seed: int) -> None:
    torment(house, 34, seed=1000 * seed, every=8)

    require_truth(house)
