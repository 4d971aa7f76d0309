"""What a ticket sends at most, however it is asked for; and that what clients do who lose something stays free."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from flask import Flask
from sqlalchemy import select

from portal.catalog import Edition
from portal.downloads import Claim, Sending, budgets, claim_of, delegate, open_for_download, workers
from portal.downloads import sending as module
from portal.downloads.delegations import Report, settle
from portal.errors import ShareExpired, TooManyTransfers
from portal.extensions import db
from portal.models import Delegation, Document, Download, Transfer
from portal.ranges import Span
from portal.shares import find_ticket, reserve
from tests import makers
from tests.databases import SQLITE_ONLY

BLOCK, SIZE = 100, 1000
CONTENT = bytes(number % 251 for number in range(SIZE))

pytestmark = pytest.mark.usefixtures("context")


@pytest.fixture(autouse=True)
def blocks_of_a_hundred_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a download of ten blocks needs no megabytes, and nothing is small."""
    monkeypatch.setattr(module, "BLOCK", BLOCK)
    monkeypatch.setattr(module, "AT_ONCE", BLOCK)
    monkeypatch.setattr(budgets, "TICKET_LEAST", 0)


@dataclass
class House:
    """A document of ten blocks, and who fetches it by a ticket."""

    app: Flask
    edition: Edition
    claim: Claim
    running: list[Sending] = field(default_factory=list)

    def send(self, start: int = 0, stop: int = SIZE) -> Sending:
        """An answer on its way, of which the first block is on offer."""
        sending = open_for_download(self.claim, self.edition, [Span(start, stop)])
        self.running.append(sending)
        sending.next_block()
        return sending

    def fetch(self, start: int = 0, stop: int = SIZE) -> None:
        """One that leaves whole."""
        sending = self.send(start, stop)
        while sending.next_block() is not None:
            pass
        sending.close()


@pytest.fixture
def house(context: Flask) -> Iterator[House]:
    document = makers.document(makers.category(), "large.bin", CONTENT)
    made = House(context, makers.edition(document), ticket(document))
    yield made
    for sending in made.running:
        sending.close()


def ticket(document: Document) -> Claim:
    """A ticket for a document."""
    _, token = makers.link(document, max_downloads=1)
    found = find_ticket(reserve(token, None, network=makers.NETWORK, agent="tests"), makers.NETWORK, "tests")
    makers.release()
    assert found is not None
    return found[1]


def row() -> Download:
    makers.release()
    found = db.session.scalars(select(Download).execution_options(populate_existing=True)).one()
    makers.release()
    return found


def test_of_twelve_who_fetch_all_of_it_by_one_ticket_at_once_two_are_let_in(house: House) -> None:
    outcomes = makers.at_once(house.app, *[house.send] * 12)

    assert sum(isinstance(outcome, Sending) for outcome in outcomes) == 2
    assert sum(isinstance(outcome, TooManyTransfers) for outcome in outcomes) == 10


def test_of_twelve_who_fetch_a_small_document_by_one_ticket_at_once_two_get_it(house: House) -> None:
    document = makers.document(makers.category("small"), "small.bin", CONTENT[:BLOCK])
    edition, claim = makers.edition(document), ticket(document)

    def fetch() -> int:
        sending = open_for_download(claim, edition, [Span(0, BLOCK)])
        while sending.next_block() is not None:
            pass
        sending.close()
        return BLOCK

    outcomes = makers.at_once(house.app, *[fetch] * 12)

    assert outcomes.count(BLOCK) == 2
    assert (row().state, row().bytes_sent) == ("completed", 2 * BLOCK)


@SQLITE_ONLY
def test_who_is_refused_is_told_to_come_back_and_is_let_in_once_another_ends(house: House) -> None:
    first, _ = house.send(), house.send()
    with pytest.raises(TooManyTransfers, match="running already") as refused:
        house.send(999)
    assert refused.value.retry_after

    first.close()

    house.send(999)


def test_a_complete_ticket_sends_one_more_copy_and_not_one_to_each_who_asks_at_once(house: House) -> None:
    house.fetch()

    outcomes = makers.at_once(house.app, *[house.send] * 6)

    assert sum(isinstance(outcome, Sending) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, TooManyTransfers) for outcome in outcomes) == 5


@SQLITE_ONLY
def test_a_copy_that_a_complete_ticket_sends_once_more_is_noted_until_it_ends(house: House) -> None:
    house.fetch()
    late = house.send()
    with pytest.raises(TooManyTransfers):
        house.send()

    late.close()

    assert db.session.scalars(select(Transfer)).all() == []
    house.fetch()
    with pytest.raises(ShareExpired):
        house.send()


@SQLITE_ONLY
def test_sixteen_connections_for_sixteen_pieces_beside_one_for_all_of_it_are_free(house: House) -> None:
    house.send()
    for start in range(0, SIZE, 60):
        house.send(start, min(start + 60, SIZE))


@SQLITE_ONLY
def test_who_goes_on_after_each_cut_is_free_however_often(house: House) -> None:
    for block in range(9):
        sending = house.send(block * BLOCK)
        sending.next_block()
        sending.close()

    house.fetch(9 * BLOCK)

    assert (row().state, row().bytes_sent) == ("completed", SIZE)


@SQLITE_ONLY
def test_who_asks_again_for_what_a_dead_connection_still_seems_to_offer_is_free(house: House) -> None:
    house.send()

    house.fetch()

    assert row().state == "completed"


@SQLITE_ONLY
def test_what_workers_offered_that_died_is_not_counted(house: House) -> None:
    place, number, _ = workers.name().split(" ")
    for _ in range(3):
        house.send()
        makers.release()
        for transfer in db.session.scalars(select(Transfer)).all():
            makers.change(transfer, worker=f"{place} {number} 1")  # as if the number had come again


@SQLITE_ONLY
def test_a_ticket_that_never_completes_is_over_after_eight_times_its_size(house: House) -> None:
    for _ in range(8):
        house.fetch(0, SIZE - 1)

    with pytest.raises(ShareExpired, match="never finished"):
        house.send(0, SIZE - 1)
    assert row().bytes_sent == 8 * (SIZE - 1)


@SQLITE_ONLY
def test_nothing_is_begun_that_would_exceed_it_should_all_on_its_way_arrive(house: House) -> None:
    for _ in range(7):
        house.fetch(0, SIZE - 1)
    house.send(0, 600)

    with pytest.raises(TooManyTransfers):
        house.send(0, 600)


@SQLITE_ONLY
def test_a_small_document_may_be_tried_far_more_often(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "TICKET_LEAST", 20 * SIZE)
    for _ in range(20):
        house.fetch(0, SIZE - 1)

    with pytest.raises(ShareExpired):
        house.send(0, SIZE - 1)


@SQLITE_ONLY
def test_somebody_signed_in_has_no_such_limit(house: House) -> None:
    house.claim = claim_of(makers.actor(makers.person()), "tests")
    for _ in range(10):
        house.fetch(0, SIZE - 1)
    for _ in range(5):
        house.send()

    assert row().bytes_sent == 10 * (SIZE - 1)


def test_what_a_proxy_was_told_to_send_is_on_its_way_too(house: House) -> None:
    whole = Span(0, SIZE)
    first = delegate(house.claim, house.edition, whole)
    assert first is not None
    house.send()
    with pytest.raises(TooManyTransfers):
        delegate(house.claim, house.edition, whole)
    with pytest.raises(TooManyTransfers):
        house.send()

    settle([Report(first.uuid, 200, 0, is_done=False)])

    assert delegate(house.claim, house.edition, whole) is not None


@SQLITE_ONLY
def test_a_log_that_nobody_follows_keeps_a_ticket_waiting_for_ten_minutes_and_then_we_send(house: House) -> None:
    for _ in range(2):
        assert delegate(house.claim, house.edition, Span(0, SIZE)) is not None
    makers.release()
    for handed_over in db.session.scalars(select(Delegation)).all():
        makers.change(handed_over, made_at=makers.now(seconds=-601))

    assert delegate(house.claim, house.edition, Span(0, SIZE)) is None
    house.fetch()

    assert row().state == "completed"
