"""From the file to the socket: what the kernel took of an answer is written down to the byte."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from portal.downloads import Sending, claim_of, open_for_download
from portal.downloads import sending as module
from portal.errors import ContentUnavailable
from portal.extensions import db
from portal.models import Download, Transfer
from portal.ranges import Span
from tests import makers
from tests.databases import SQLITE_ONLY

SIZE = 3_000_000
CONTENT = bytes(number % 251 for number in range(SIZE))

pytestmark = [pytest.mark.usefixtures("context"), SQLITE_ONLY]


@dataclass
class Line:
    """A connection whose reader takes what it wants and no more."""

    ours: socket.socket
    theirs: socket.socket

    def read(self, count: int) -> bytes:
        """So many bytes, or less when no more come."""
        got = bytearray()
        while len(got) < count and (piece := self.theirs.recv(count - len(got))):
            got += piece
        return bytes(got)


@pytest.fixture
def line() -> Iterator[Line]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Line(ours, theirs)


@pytest.fixture
def sending(context: Flask) -> Iterator[Sending]:
    edition = makers.edition(makers.document(makers.category(), "large.bin", CONTENT))
    made = open_for_download(claim_of(makers.actor(makers.person()), "tests"), edition, [Span(0, SIZE)])
    yield made
    made.close()


def send_all(sending: Sending, line: Line) -> None:
    """What is left after the first block."""
    while sending.send_block(line.ours.fileno()):
        pass


def row() -> Download:
    makers.release()
    return db.session.scalars(select(Download).execution_options(populate_existing=True)).one()


def test_all_of_it_arrives_and_is_confirmed(sending: Sending, line: Line) -> None:
    first = sending.next_block()
    assert first is not None
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(line.read(SIZE - len(first[1]))))
    reader.start()

    send_all(sending, line)
    reader.join()
    sending.close()

    assert first[1] + got[0] == CONTENT
    assert (row().state, row().intervals, row().bytes_sent, row().is_confirmed) == (
        "completed",
        [[0, SIZE]],
        SIZE,
        True,
    )
    assert db.session.scalars(select(Transfer)).all() == []


def test_of_a_line_that_breaks_what_the_kernel_took_is_written_down(sending: Sending, line: Line) -> None:
    first = sending.next_block()
    assert first is not None

    def read_a_little() -> None:
        line.read(1_000_001)
        line.theirs.close()

    reader = threading.Thread(target=read_a_little)
    reader.start()
    with pytest.raises(ConnectionError):
        send_all(sending, line)
    reader.join()
    sending.close()

    (interval,) = row().intervals
    assert row().state == "aborted"
    assert interval[0] == 0
    assert len(first[1]) + 1_000_001 <= interval[1] < SIZE
    assert row().bytes_sent == interval[1]


def test_a_file_that_became_shorter_ends_the_answer(sending: Sending, line: Line) -> None:
    sending.next_block()
    path = Path(sending.place.directory) / sending.place.name
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.truncate(100_000)

    reader = threading.Thread(target=lambda: line.read(SIZE))
    reader.start()
    with pytest.raises(ContentUnavailable):
        send_all(sending, line)
    line.ours.close()
    reader.join()
    sending.close()

    assert (row().state, row().intervals) == ("aborted", [[0, 100_000]])


def test_nothing_of_the_last_block_leaves_when_the_file_was_touched(sending: Sending, line: Line) -> None:
    sending.next_block()
    path = Path(sending.place.directory) / sending.place.name
    path.touch()

    reader = threading.Thread(target=lambda: line.read(SIZE))
    reader.start()
    with pytest.raises(ContentUnavailable):
        send_all(sending, line)
    line.ours.close()
    reader.join()
    sending.close()

    assert row().state == "aborted"
    assert row().intervals[0][1] < SIZE


def test_the_row_says_completed_before_the_last_block_leaves(context: Flask, sending: Sending, line: Line) -> None:
    sending.next_block()
    states: list[str] = []

    def read_all() -> None:
        left = SIZE - module.BLOCK
        while left:
            left -= len(line.theirs.recv(min(left, 10_000)))
            if left < module.DIRECT_BLOCK - 20_000:  # one who reads a little after it was begun
                with context.app_context():
                    states.append(row().state)

    reader = threading.Thread(target=read_all)
    reader.start()
    send_all(sending, line)
    reader.join()

    assert states
    assert set(states) == {"completed"}
