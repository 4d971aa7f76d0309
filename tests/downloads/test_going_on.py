"""Going on after a broken line: whoever comes to have all of a document has a completed row, and nobody else has."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from portal.actors import Actor
from portal.catalog import Edition
from portal.downloads import Sending, claim_of, intervals, ledger, open_for_download, sweep
from portal.downloads import sending as module
from portal.errors import ContentUnavailable
from portal.extensions import db
from portal.models import Download
from portal.ranges import Span
from tests import makers
from tests.databases import SQLITE_ONLY

BLOCK, SIZE = 100, 1000
CONTENT = bytes(number % 251 for number in range(SIZE))

pytestmark = [pytest.mark.usefixtures("context"), SQLITE_ONLY]


@pytest.fixture(autouse=True)
def blocks_of_a_hundred_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a download of ten blocks needs no megabytes."""
    monkeypatch.setattr(module, "BLOCK", BLOCK)
    monkeypatch.setattr(module, "AT_ONCE", BLOCK)
    monkeypatch.setattr(intervals, "NEAR", BLOCK)


@dataclass
class House:
    """A document of ten blocks and somebody who fetches it."""

    edition: Edition
    actor: Actor

    def send(self, *spans: tuple[int, int]) -> Sending:
        """A transfer of parts, the whole without any."""
        wanted = [Span(start, stop) for start, stop in spans or [(0, SIZE)]]
        return open_for_download(claim_of(self.actor, "tests"), self.edition, wanted)

    def fetch(self, *spans: tuple[int, int]) -> None:
        """One that leaves whole."""
        sending = self.send(*spans)
        while sending.next_block() is not None:
            pass
        sending.close()

    def break_off(self, start: int, stop: int, blocks: int) -> None:
        """One of which so many blocks leave, and the next is refused."""
        sending = self.send((start, stop))
        for _ in range(blocks + 1):
            sending.next_block()
        sending.close()


@pytest.fixture
def house(context: Flask) -> House:
    edition = makers.edition(makers.document(makers.category(), "large.bin", CONTENT))
    return House(edition, makers.actor(makers.person()))


def row() -> Download:
    """The one row there is."""
    makers.release()
    found = db.session.scalars(select(Download).execution_options(populate_existing=True)).one()
    makers.release()
    return found


@pytest.mark.parametrize("came", [1, 50, 100])
def test_whoever_goes_on_from_within_the_refused_block_completes_the_row(house: House, came: int) -> None:
    house.break_off(0, SIZE, 4)

    house.fetch((400 + came, SIZE))

    assert (row().state, row().intervals, row().is_confirmed) == ("completed", [[0, SIZE]], False)


def test_whoever_goes_on_from_beyond_the_refused_block_is_not_believed(house: House) -> None:
    house.break_off(0, SIZE, 4)

    house.fetch((501, SIZE))

    assert (row().state, row().intervals) == ("started", [[0, 400], [501, SIZE]])


def test_after_the_server_died_whoever_goes_on_is_believed_and_not_confirmed(house: House) -> None:
    dying = house.send()
    for _ in range(6):
        dying.next_block()
    makers.change(row(), active_at=makers.now(seconds=-1))
    assert sweep(0) == 1  # what the next start does; the one that died wrote nothing

    house.fetch((537, SIZE))

    assert (row().state, row().intervals, row().is_confirmed) == ("completed", [[0, SIZE]], False)
    dying.close()


def test_a_piece_from_the_middle_says_nothing_about_what_another_connection_still_sends(house: House) -> None:
    first = house.send()
    first.next_block()

    house.fetch((550, SIZE))

    assert (row().state, row().intervals) == ("started", [[550, SIZE]])
    first.close()


def test_a_range_of_a_new_download_says_nothing_about_what_is_before(house: House) -> None:
    house.fetch((50, SIZE))

    assert (row().state, row().intervals) == ("started", [[50, SIZE]])


def test_no_piece_is_forgotten_however_many_there_are(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MOST_INTERVALS", 8)
    holes = range(5, 75, 10)
    slow = house.send(*((start, start + 9) for start in range(6, 76, 10)))  # begun while there were few pieces
    for start in range(100, 180, 10):
        house.fetch((start, start + 1))
    house.fetch(*((hole, hole + 1) for hole in list(holes)[:7]))
    while slow.next_block() is not None:
        pass
    slow.close()

    missing = [hole for hole in holes if not any(low <= hole < high for low, high in row().intervals)]
    assert missing == [] or row().state == "completed"


def test_a_piece_two_connections_handed_over_stays_when_one_of_them_breaks_off(house: House) -> None:
    first = house.send()
    for _ in range(10):
        first.next_block()  # the last block is on its way, and the row complete
    house.fetch((900, SIZE))

    first.close()

    assert (row().state, row().intervals) == ("completed", [[0, SIZE]])


def test_a_source_that_changes_while_it_is_sent_is_cut_before_its_last_block(house: House) -> None:
    sending = house.send()
    sending.next_block()
    place = sending.place
    path = Path(place.directory) / place.name
    os.utime(path, ns=(1, 1))

    with pytest.raises(ContentUnavailable):
        list(iter(sending.next_block, None))
    sending.close()

    assert (row().state, row().intervals) == ("aborted", [[0, 900]])
