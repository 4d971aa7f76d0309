"""Going on after a broken line: whoever comes to have all of a document has a completed row, and nobody else has."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from portal.actors import Actor
from portal.catalog import Edition
from portal.downloads import Sending, claim_of, intervals, ledger, open_for_download, sweep, workers
from portal.downloads import sending as module
from portal.errors import ContentUnavailable
from portal.extensions import db
from portal.models import Download, Transfer
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
    dead: list[Sending] = field(default_factory=list)

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

    def die(self, *spans: tuple[int, int], worker: str = "") -> None:
        """One whose worker dies in the middle of it and writes nothing."""
        self.dead.append(self.send(*spans))
        for _ in range(3):
            self.dead[-1].next_block()
        place, number, _ = workers.name().split(" ")
        makers.change(answers()[-1], worker=worker or f"{place} {number} 1")  # as if the number had come again


@pytest.fixture
def house(context: Flask) -> Iterator[House]:
    edition = makers.edition(makers.document(makers.category(), "large.bin", CONTENT))
    made = House(edition, makers.actor(makers.person()))
    yield made
    for sending in made.dead:
        sending.close()


def answers() -> list[Transfer]:
    """Those on their way, the oldest first."""
    makers.release()
    return list(db.session.scalars(select(Transfer).order_by(Transfer.id)))


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


@pytest.mark.parametrize("came", [1, 50, 99])
@pytest.mark.parametrize("blocks", [0, 4])
def test_whoever_went_on_before_a_refusal_was_noticed_completes_the_row(house: House, blocks: int, came: int) -> None:
    first = house.send((0, SIZE))
    for _ in range(blocks + 1):
        first.next_block()
    house.fetch((blocks * BLOCK + came, SIZE))
    assert row().state == "started"

    first.close()

    assert (row().state, row().intervals, row().is_confirmed) == ("completed", [[0, SIZE]], False)


@pytest.mark.parametrize("came", [1, 50])
def test_whoever_went_on_from_within_the_last_block_keeps_the_completed_row(house: House, came: int) -> None:
    first = house.send()
    for _ in range(10):
        first.next_block()
    house.fetch((900 + came, SIZE))

    first.close()

    assert (row().state, row().intervals, row().is_confirmed) == ("completed", [[0, SIZE]], False)


def test_whoever_goes_on_from_beyond_the_refused_block_is_not_believed(house: House) -> None:
    house.break_off(0, SIZE, 4)

    house.fetch((501, SIZE))

    assert (row().state, row().intervals) == ("started", [[0, 400], [501, SIZE]])


def test_after_its_worker_died_whoever_goes_on_at_once_is_believed_and_not_confirmed(house: House) -> None:
    house.die()

    house.fetch((537, SIZE))

    assert (row().state, row().intervals, row().is_confirmed) == ("completed", [[0, SIZE]], False)


def test_a_row_somebody_was_once_believed_for_is_not_confirmed_when_another_answer_completes_it(house: House) -> None:
    house.die()
    house.break_off(537, SIZE, 2)

    house.fetch((737, SIZE))

    assert (row().state, row().intervals, row().is_confirmed) == ("completed", [[0, SIZE]], False)


def test_a_small_piece_is_believed_about_what_is_before_too(house: House) -> None:
    house.die()

    house.fetch((920, SIZE))

    assert (row().state, row().intervals, row().is_confirmed) == ("completed", [[0, SIZE]], False)


def test_only_what_an_answer_offered_is_believed_of_it(house: House) -> None:
    house.die((200, 700))

    house.fetch((537, SIZE))

    assert row().intervals == [[200, SIZE]]


def test_whoever_asks_beyond_what_was_offered_is_not_believed(house: House) -> None:
    house.die((0, 500))

    house.fetch((500, SIZE))

    assert row().intervals == [[500, SIZE]]


def test_of_several_answers_that_died_the_one_that_began_last_is_believed(house: House) -> None:
    house.die((400, SIZE))
    house.die()

    house.fetch((600, SIZE))

    assert row().intervals == [[400, SIZE]]


def test_an_answer_that_died_is_believed_once(house: House) -> None:
    house.die()
    house.fetch((300, 400))

    house.fetch((600, SIZE))

    assert row().intervals == [[0, 400], [600, SIZE]]


def test_a_worker_of_another_machine_is_dead_when_nobody_has_heard_of_the_download(house: House) -> None:
    house.die(worker="another-machine/1 2 3")
    house.fetch((700, 800))
    assert row().intervals == [[700, 800]]
    makers.change(row(), active_at=makers.now(seconds=-1))
    assert sweep(0) == 1  # what the next start does

    house.fetch((500, 700))

    assert row().intervals == [[0, 800]]


def test_answers_that_end_leave_nothing_behind(house: House) -> None:
    house.fetch((0, 100))
    house.fetch((100, SIZE))
    house.break_off(0, SIZE, 2)

    assert answers() == []


def test_what_offered_a_download_that_is_over_is_forgotten(house: House) -> None:
    house.die()
    house.fetch()
    assert row().state == "completed"
    assert len(answers()) == 1

    sweep(600)

    assert answers() == []


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
