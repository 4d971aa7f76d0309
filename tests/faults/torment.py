"""Readers whose lines are cut at random while the processes that serve them are killed, and what each of them got.

What a reader got is compared with what the ledger says it was sent. The ledger knows what the kernel took; a reader who
cuts its line may have read less, by what the buffers of that line hold. So both of them are kept small here: nobody can
tell from outside what a row claims more exactly than by ``BUFFERS``.
"""

import hashlib
import os
import random
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select

from portal.accounts.sessions import start_session
from portal.downloads.intervals import pairs
from portal.extensions import db
from portal.models import Delegation, Download
from portal.ranges import merge
from portal.settings import Settings
from tests import makers
from tests.servers import Server, serving

READERS = 6
SIZES = (40_000, 900_000, 1_500_000, 6_000_000)
"""Within one block, written down at once and more than the buffers of a line hold, and the same in several blocks."""
PATIENCE = 60
READ = 8 * 1024
RECEIVED = 16 * 1024
"""SO_RCVBUF of a reader; the kernel doubles it, as it does the next (socket(7))."""
SENT = 32 * 1024
"""SO_SNDBUF of who sends, set where it listens: otherwise the kernel would take up to 4 MiB (tcp_wmem)."""
SEGMENT = 64 * 1024
"""What the kernel still takes when there was any room at all: one packet, which is so large on loopback."""
BUFFERS = 2 * SENT + SEGMENT + 2 * RECEIVED + READ
"""What the kernel may have taken and a reader who cuts its line has not read; Python's own buffer is the last of it."""
PAUSE = 0.1
"""Before going on, as programs do: for what a kill does before the server has noticed a cut, see docs/promises.md."""
NOTICED = 1.0
"""Whoever sends has noticed a cut so long after it, and written it down."""
DYING = 0.3
"""A process that was killed is gone after so long."""
GIVEN_UP = 0.1
"""How often a reader who was cut does not go on, and begins anew some other time."""
AT_ONCE, LATER = struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)
"""For SO_LINGER (socket(7)): what is not read yet is thrown away and the line reset, or it is closed in order."""
CUT = ("not at all", "not at all", "closed", "reset")
"""How an answer ends, as often as it stands here; ``killed`` besides, when processes are."""
SMALL_BUFFERS = f"""
import socket
listen = socket.socket.listen
def small(line, *backlog):
    line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, {SENT})
    listen(line, *backlog)
socket.socket.listen = small
"""
"""Run before the portal; connections have it from the socket that listens."""


@dataclass
class Answer:
    """What came of one request for the bytes from ``start`` on, up to the end of the document; times by time(2)."""

    document: int
    start: int
    asked_at: float
    is_begun: bool = False
    """Whether its head came."""
    got: int = 0
    """Bytes of its body that were read."""
    ended_at: float = 0.0

    @property
    def stop(self) -> int:
        """Up to where the reader has it."""
        return self.start + self.got


@dataclass
class Journal:
    """What one reader was sent, in order, and which of these answers made a document whole."""

    cookie: str
    user_id: int
    answers: list[Answer] = field(default_factory=list)
    whole: list[Answer] = field(default_factory=list)


@dataclass(frozen=True)
class Kill:
    """Processes of one kind, ``portal`` or ``nginx``, that were killed between two moments."""

    kind: str
    began_at: float
    ended_at: float


@dataclass
class House:
    """A portal that is killed now and then, with documents and readers; ``port`` is that of whoever they ask."""

    settings: Settings
    documents: dict[int, bytes]
    versions: dict[int, int]
    journals: list[Journal]
    port: int = 0
    server: Server | None = None
    ways: tuple[str, ...] = CUT
    kills: list[Kill] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)

    sender = "portal"
    """Whose processes send the bytes."""

    def start(self) -> None:
        """Serve, on the port it had before."""
        self.serve()
        assert self.server is not None
        self.port = self.server.port

    def serve(self, **extra: str) -> None:
        """Start the portal itself, with these variables, on the port it had before."""
        port = str(self.server.port if self.server is not None else 0)
        arguments = ("--workers", "2", "--port", port)
        self.server = self.stack.enter_context(
            serving(self.settings, *arguments, extra=extra, program=SMALL_BUFFERS, is_anew=True),
        )

    def kill_workers(self, dice: random.Random) -> None:
        """End processes that work for readers, as the kernel does when memory is short; their master lives on."""
        assert self.server is not None
        self.kill_children("portal", self.server.process.pid)

    def kill_children(self, kind: str, master: int) -> None:
        """End the processes a master began."""
        with self.killing(kind), suppress(OSError):
            for worker in Path(f"/proc/{master}/task/{master}/children").read_text().split():
                os.kill(int(worker), signal.SIGKILL)

    def disturb(self, dice: random.Random) -> None:
        """A power cut, and the next start."""
        assert self.server is not None
        with self.killing("portal"):
            self.server.kill()
        self.start()

    @contextmanager
    def killing(self, kind: str) -> Iterator[None]:
        """Note that processes are killed inside the block."""
        began = time.time()
        try:
            yield
        finally:
            self.kills.append(Kill(kind, began, time.time() + DYING))

    def is_hit(self, answer: Answer, kinds: Iterable[str] = ()) -> bool:
        """Whether processes of these kinds, or of whoever sends, were killed before the answer was written down."""
        kinds = tuple(kinds) or (self.sender,)
        ended = answer.ended_at + NOTICED
        return any(
            kill.kind in kinds and kill.began_at <= ended and answer.asked_at <= kill.ended_at for kill in self.kills
        )

    def close(self) -> None:
        """Stop for good."""
        self.stack.close()


Built = TypeVar("Built", bound=House)


@dataclass(frozen=True)
class Account:
    """A row of the ledger beside the answers that were written to it; ``waiting``: what no log has told of yet."""

    row: Download
    size: int
    answers: Sequence[Answer]
    waiting: Sequence[tuple[int, int]]

    @property
    def claimed(self) -> list[tuple[int, int]]:
        """What the reader was sent, as the ledger has it."""
        return pairs(self.row.intervals)

    @property
    def story(self) -> str:
        """What there is to say when the two do not fit."""
        row = self.row
        return f"{row.state}, {row.is_confirmed=}, {self.claimed} beside {self.answers}, waiting for {self.waiting}"

    @property
    def possible(self) -> list[tuple[int, int]]:
        """What the kernel can have taken at most, for the reader did not empty the buffers."""
        return merge((answer.start, min(answer.stop + BUFFERS, self.size)) for answer in self.answers)


def furnish(settings: Settings, kind: type[Built]) -> Built:
    """A house that is not started yet, with a document of each size and readers who may have them all."""
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
    return kind(settings, documents, versions, journals)


@contextmanager
def asked(house: House, journal: Journal, document: int, have: int) -> Iterator[tuple[HTTPResponse, socket.socket]]:
    """An answer to a request for what is missing, on a line whose buffers are small."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED)
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
    """What comes before the line is cut, by us at random or by the death of whoever sends. It is in the journal."""
    cut = dice.randrange(len(house.documents[document]) - have)
    how = dice.choice(house.ways)
    answer = Answer(document, have, time.time())
    journal.answers.append(answer)
    got = bytearray()
    try:
        with suppress(OSError, HTTPException), asked(house, journal, document, have) as (response, line):
            if response.status == 502 and house.sender != "portal":
                return b""  # the portal is being started
            assert response.status == (206 if have else 200), response.status
            answer.is_begun = True
            while piece := response.read1(READ):
                got += piece
                answer.got = len(got)
                if len(got) < cut or how == "not at all":
                    continue
                if how != "killed":
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE if how == "reset" else LATER)
                    break
                house.kill_workers(dice)
                how = "not at all"
    finally:
        answer.ended_at = time.time()
    return bytes(got)


def fetch(house: House, journal: Journal, document: int, dice: random.Random, given_up: float = GIVEN_UP) -> None:
    """One download, from the first byte to the last, in as many requests as it takes, unless it is given up."""
    content, have = house.documents[document], b""
    deadline = time.monotonic() + PATIENCE * 4
    while len(have) < len(content):
        assert time.monotonic() < deadline, "it does not come to an end"
        have += read_some(house, journal, document, len(have), dice)
        time.sleep(PAUSE)
        if journal.answers[-1].is_begun and len(have) < len(content) and dice.random() < given_up:
            return
    assert hashlib.sha256(have).digest() == hashlib.sha256(content).digest()
    journal.whole.append(journal.answers[-1])


def read_on(house: House, journal: Journal, rounds: int, seed: int) -> None:
    """So many documents by one reader, who leaves each of them begun at last, if it is cut."""
    dice = random.Random(seed)
    for _ in range(rounds):
        fetch(house, journal, dice.choice(list(house.documents)), dice)
    for document in house.documents:
        fetch(house, journal, document, dice, given_up=1)


def torment(house: House, rounds: int, seed: int, *, every: float | None = None) -> None:
    """Everybody reads so many documents while something is killed and started anew, about ``every`` seconds.

    Unless that is given lines are cut, and nobody is killed.
    """
    dice, done = random.Random(seed), threading.Event()
    house.ways = CUT if every is None else (*CUT, "killed")

    def kill() -> None:
        while every is not None and not done.wait(dice.uniform(0, 2 * every)):
            house.disturb(dice)

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
    time.sleep(NOTICED)


def accounts_of(house: House) -> list[list[Account]]:
    """The ledger beside the journals, by reader.

    An answer was written to the newest row there was before the reader asked for that document again, for everybody
    asks for one thing after the other.
    """
    with makers.running(house.settings) as app, app.app_context():
        rows = db.session.scalars(select(Download).order_by(Download.id)).all()
        waiting: dict[int, list[tuple[int, int]]] = {}
        for delegation in db.session.scalars(select(Delegation)):
            waiting.setdefault(delegation.download_id, []).append((delegation.start, delegation.stop))
    return [
        [
            account
            for document, version in house.versions.items()
            for account in _accounts(
                [answer for answer in journal.answers if answer.document == document],
                [row for row in rows if (row.user_id, row.version_id) == (journal.user_id, version)],
                waiting,
                len(house.documents[document]),
            )
        ]
        for journal in house.journals
    ]


def _accounts(
    answers: Sequence[Answer], rows: Sequence[Download], waiting: dict[int, list[tuple[int, int]]], size: int
) -> list[Account]:
    written: dict[int, list[Answer]] = {row.id: [] for row in rows}
    ends = [answer.asked_at - PAUSE / 2 for answer in answers[1:]] + [float("inf")]
    for answer, end in zip(answers, ends, strict=True):
        before = [row.id for row in rows if row.started_at.timestamp() < end]
        if before:
            written[before[-1]].append(answer)
    return [Account(row, size, written[row.id], waiting.get(row.id, [])) for row in rows]
