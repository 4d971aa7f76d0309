"""Bytes on their way out and the ledger beside them: what is written down when, and what is taken back."""

import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from sqlalchemy import select

from portal.actors import Actor
from portal.catalog import Edition, versions_had
from portal.downloads import Claim, Sending, claim_of, intervals, ledger, open_bytes, open_for_download, sweep, workers
from portal.downloads import sending as module
from portal.errors import Busy, ContentUnavailable, ShareExpired, TooManyTransfers
from portal.extensions import db
from portal.models import Download, Transfer
from portal.ranges import Span, covers, merge, without
from portal.settings import Settings
from portal.shares import claim_of_link, find_ticket, refund, reserve
from tests import makers
from tests.databases import SQLITE_ONLY, connected
from tests.properties import examples

BLOCK = 100
SIZE = 1000
CONTENT = bytes(number % 251 for number in range(SIZE))
WHOLE = Span(0, SIZE)
DAY, QUARTER = 86_400, 900

pytestmark = pytest.mark.usefixtures("context")


@pytest.fixture(autouse=True)
def blocks_of_a_hundred_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a download of ten blocks needs no ten megabytes."""
    monkeypatch.setattr(module, "BLOCK", BLOCK)
    monkeypatch.setattr(module, "AT_ONCE", BLOCK)
    monkeypatch.setattr(intervals, "NEAR", BLOCK)


@dataclass
class House:
    """A document of ten blocks, a small one, and somebody who fetches them."""

    app: Flask
    edition: Edition
    small: Edition
    actor: Actor

    @property
    def claim(self) -> Claim:
        """In whose name."""
        return claim_of(self.actor, "tests")

    def send(self, start: int = 0, stop: int = SIZE) -> Sending:
        """A transfer of a part of the large document."""
        return open_for_download(self.claim, self.edition, [Span(start, stop)])

    def send_small(self) -> Sending:
        """A transfer of the whole small document."""
        return open_for_download(self.claim, self.small, [Span(0, self.small.size)])


@pytest.fixture
def house(context: Flask) -> House:
    shelf = makers.category()
    large = makers.edition(makers.document(shelf, "large.bin", CONTENT))
    small = makers.edition(makers.document(shelf, "small.bin", CONTENT[:60]))
    return House(context, large, small, makers.actor(makers.person()))


def rows() -> list[Download]:
    """The ledger now."""
    makers.release()
    found = list(db.session.scalars(select(Download).order_by(Download.id).execution_options(populate_existing=True)))
    makers.release()
    return found


def transfers() -> list[Transfer]:
    """The answers that are on their way."""
    makers.release()
    found = list(db.session.scalars(select(Transfer).order_by(Transfer.id)))
    makers.release()
    return found


def dead_worker() -> str:
    """The name of a process of this machine that is no more, as if our number had come again."""
    place, number, _ = workers.name().split(" ")
    return f"{place} {number} 1"


def finish(sending: Sending) -> bytes:
    """Send everything that is left and let go, as a server does whose client takes it all."""
    blocks = []
    while (got := sending.next_block()) is not None:
        blocks.append(got[1])
    sending.close()
    return b"".join(blocks)


def give_up(sending: Sending, after: int) -> None:
    """Let so many blocks leave; the one after them is refused."""
    for _ in range(after + 1):
        sending.next_block()
    sending.close()


def test_a_small_download_is_one_row_in_one_statement(house: House, statements: list[str]) -> None:
    makers.release()
    statements.clear()

    assert finish(house.send_small()) == CONTENT[:60]

    assert [statement.split()[0] for statement in statements] == ["INSERT"]
    (row,) = rows()
    assert (row.state, row.intervals, row.bytes_sent, row.is_confirmed) == ("completed", [[0, 60]], 60, False)
    assert row.closed_at is not None


@SQLITE_ONLY
def test_an_empty_document_is_completed_at_once(house: House) -> None:
    empty = makers.edition(makers.document(makers.category(), "empty", b""))

    assert finish(open_for_download(house.claim, empty, [Span(0, 0)])) == b""

    (row,) = rows()
    assert (row.state, row.intervals, row.bytes_sent) == ("completed", [], 0)


def test_no_last_block_leaves_before_the_row_is_completed(house: House, database: str) -> None:
    sending = house.send()
    with connected(database) as connection:
        look = select(Download.state, Download.bytes_sent, Download.is_confirmed)
        for _ in range(9):
            sending.next_block()
            assert connection.execute(look).one() == ("started", 0, False)
            connection.rollback()
        sending.next_block()
        assert connection.execute(look).one() == ("completed", SIZE, False)
        connection.rollback()
        assert sending.next_block() is None
        assert connection.execute(look).one() == ("completed", SIZE, True)
    sending.close()


@SQLITE_ONLY
def test_a_whole_download_of_many_blocks_is_one_confirmed_row(house: House) -> None:
    assert finish(house.send()) == CONTENT

    (row,) = rows()
    assert (row.state, row.intervals, row.is_confirmed) == ("completed", [[0, SIZE]], True)


def test_no_connection_is_held_between_blocks(house: House) -> None:
    sending = house.send()
    sending.next_block()

    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    sending.close()


@SQLITE_ONLY
@pytest.mark.parametrize("blocks", [0, 1, 5, 9])
def test_a_download_that_breaks_off_says_how_far_it_got(house: House, blocks: int) -> None:
    give_up(house.send(), blocks)

    (row,) = rows()
    assert (row.state, row.closed_at, row.is_confirmed) == ("aborted", None, False)
    assert row.intervals == ([[0, blocks * BLOCK]] if blocks else [])
    assert row.bytes_sent == blocks * BLOCK


@SQLITE_ONLY
def test_a_download_that_never_began_is_aborted_without_a_byte(house: House) -> None:
    house.send().close()

    (row,) = rows()
    assert (row.state, row.intervals, row.bytes_sent) == ("aborted", [], 0)


@SQLITE_ONLY
def test_a_small_block_that_did_not_leave_is_taken_back(house: House) -> None:
    give_up(house.send_small(), 0)

    (row,) = rows()
    assert (row.state, row.intervals, row.bytes_sent, row.closed_at) == ("aborted", [], 0, None)


@SQLITE_ONLY
def test_closing_twice_writes_once(house: House) -> None:
    sending = house.send()
    give_up(sending, 3)
    sending.close()

    assert rows()[0].bytes_sent == 3 * BLOCK


@SQLITE_ONLY
def test_whoever_comes_back_resumes_the_same_download(house: House) -> None:
    give_up(house.send(), 4)

    finish(house.send(4 * BLOCK))

    (row,) = rows()
    assert (row.state, row.intervals, row.bytes_sent) == ("completed", [[0, SIZE]], SIZE)


@SQLITE_ONLY
def test_a_small_piece_resumes_the_same_download(house: House) -> None:
    give_up(house.send(), 9)

    finish(house.send(9 * BLOCK))

    (row,) = rows()
    assert (row.state, row.intervals) == ("completed", [[0, SIZE]])


@SQLITE_ONLY
def test_somebody_else_begins_a_download_of_their_own(house: House) -> None:
    give_up(house.send(), 4)

    finish(replace(house, actor=makers.actor(makers.person("Somebody Else"))).send(4 * BLOCK))

    assert [row.state for row in rows()] == ["aborted", "started"]


@SQLITE_ONLY
def test_the_same_bytes_sent_twice_count_twice(house: House) -> None:
    give_up(house.send(), 5)
    give_up(house.send(), 7)

    (row,) = rows()
    assert (row.intervals, row.bytes_sent) == ([[0, 700]], 1200)


@SQLITE_ONLY
def test_several_spans_of_one_answer_are_merged(house: House) -> None:
    spans = [Span(800, 1000), Span(0, 150), Span(150, 250)]

    assert finish(open_for_download(house.claim, house.edition, spans)) == CONTENT[800:] + CONTENT[:250]

    (row,) = rows()
    assert (row.state, row.intervals, row.bytes_sent) == ("started", [[0, 250], [800, 1000]], 450)


@pytest.mark.parametrize("each", [50, 125, 130])
def test_eight_threads_with_disjoint_ranges_are_one_download(house: House, each: int) -> None:
    stops = [number * each for number in range(1, 8)] + [SIZE]
    pieces = zip([0, *stops[:-1]], stops, strict=True)

    outcomes = makers.at_once(
        house.app, *[lambda one=one: finish(house.send(*one)) == CONTENT[one[0] : one[1]] for one in pieces]
    )

    assert outcomes == [True] * 8
    (row,) = rows()
    assert (row.state, row.intervals, row.bytes_sent) == ("completed", [[0, SIZE]], SIZE)


def test_two_who_begin_at_once_are_one_open_row(house: House) -> None:
    for turn in range(5):
        finish(house.send())
        outcomes = makers.at_once(house.app, *[lambda: house.send().close()] * 4)

        assert outcomes == [None] * 4
        assert sum(row.closed_at is None for row in rows()) == 1, turn
        finish(house.send())


def test_a_piece_asked_for_soon_after_completion_belongs_to_it(house: House) -> None:
    finish(house.send())

    assert finish(house.send(100, 400)) == CONTENT[100:400]
    give_up(house.send(500, 550), 0)

    (row,) = rows()
    assert (row.state, row.bytes_sent, row.is_confirmed) == ("completed", SIZE + 300, True)


@SQLITE_ONLY
def test_a_piece_asked_for_long_after_completion_is_another_download(house: House) -> None:
    finish(house.send())
    makers.change(rows()[0], closed_at=makers.now(seconds=-QUARTER))

    finish(house.send(100, 400))

    assert [(row.state, row.intervals) for row in rows()] == [("completed", [[0, SIZE]]), ("started", [[100, 400]])]


@SQLITE_ONLY
def test_the_whole_asked_for_after_completion_is_another_download(house: House) -> None:
    finish(house.send())
    finish(house.send())
    finish(house.send_small())
    finish(house.send_small())

    assert [row.state for row in rows()] == ["completed"] * 4


def test_a_day_without_bytes_ends_a_download(house: House) -> None:
    give_up(house.send(), 4)
    makers.change(rows()[0], active_at=makers.now(seconds=-DAY - 1))

    finish(house.send())

    first, second = rows()
    assert (first.state, first.intervals, first.closed_at is not None) == ("aborted", [[0, 400]], True)
    assert (second.state, second.intervals) == ("completed", [[0, SIZE]])


@SQLITE_ONLY
def test_a_day_less_a_minute_does_not(house: House) -> None:
    give_up(house.send(), 4)
    makers.change(rows()[0], active_at=makers.now(seconds=60 - DAY))

    finish(house.send(400))

    assert [row.state for row in rows()] == ["completed"]


def test_a_transfer_that_outlives_its_row_still_completes_it(house: House) -> None:
    slow = house.send()
    for _ in range(5):
        slow.next_block()
    makers.change(rows()[0], active_at=makers.now(seconds=-DAY - 1))
    sweep(60)
    assert rows()[0].closed_at is not None

    finish(slow)

    (row,) = rows()
    assert (row.state, row.intervals) == ("completed", [[0, SIZE]])


@SQLITE_ONLY
def test_more_pieces_than_are_kept_apart_get_the_whole(house: House) -> None:
    give_up(house.send(), 0)
    pieces = [[2 * number, 2 * number + 1] for number in range(256)]
    makers.change(rows()[0], intervals=pieces)

    sending = house.send(600, 650)

    assert sending.spans == (WHOLE,)
    assert finish(sending) == CONTENT
    (row,) = rows()
    assert (row.state, row.intervals) == ("completed", [[0, SIZE]])


@SQLITE_ONLY
def test_no_piece_is_forgotten_when_there_are_many(house: House) -> None:
    give_up(house.send(), 0)
    makers.change(rows()[0], intervals=[[2 * number, 2 * number + 1] for number in range(255)])
    slow = house.send(700)
    finish(house.send(550, 551))

    give_up(slow, 2)

    (row,) = rows()
    assert (row.state, len(row.intervals), row.intervals[-2:]) == ("aborted", 257, [[550, 551], [700, 900]])


def test_a_piece_that_completes_is_not_lost_when_another_begins_meanwhile(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = ledger._find
    first = house.send()
    for _ in range(9):
        first.next_block()
    begun: list[threading.Thread] = []

    def complete() -> None:
        with house.app.app_context():
            first.next_block()

    def find_while_it_completes(*asked: Any) -> Any:
        found = find(*asked)
        begun.append(threading.Thread(target=complete))
        begun[0].start()
        begun[0].join(0.5)  # it either waits for the row until the one who looks at it is done, or is done itself
        return found

    monkeypatch.setattr(ledger, "_find", find_while_it_completes)
    other = house.send(0, 500)
    begun[0].join()

    (row,) = rows()
    assert (row.state, row.intervals) == ("completed", [[0, SIZE]])
    first.close()
    other.close()


def test_a_confirmed_row_gives_back_what_did_not_leave(house: House) -> None:
    left, right = house.send(0, 500), house.send(500, 1000)
    for _ in range(5):
        left.next_block()
    finish(right)
    assert rows()[0].is_confirmed

    left.close()

    (row,) = rows()
    assert (row.state, row.is_confirmed, row.closed_at) == ("aborted", False, None)
    assert row.intervals == [[0, 400], [500, SIZE]]


def test_what_another_connection_delivered_is_not_taken_back(house: House) -> None:
    early, rest = house.send(), house.send(500)
    for _ in range(9):
        early.next_block()
    finish(rest)
    early.next_block()
    early.close()

    (row,) = rows()
    assert (row.state, row.intervals) == ("completed", [[0, SIZE]])


def test_a_row_taken_back_late_does_not_stop_the_next_download(house: House) -> None:
    first = house.send()
    for _ in range(10):
        first.next_block()
    finish(house.send())
    first.close()
    assert [row.closed_at is None for row in rows()] == [True, False]

    finish(house.send())

    assert [row.state for row in rows()] == ["completed", "completed"]


def test_a_row_taken_back_while_another_is_open_stays_closed(house: House) -> None:
    first = house.send()
    for _ in range(10):
        first.next_block()
    second = house.send()
    second.next_block()
    first.close()

    assert [(row.state, row.closed_at is None) for row in rows()] == [("aborted", False), ("started", True)]
    assert rows()[0].intervals == [[0, 900]]
    finish(second)


def test_a_long_transfer_says_that_it_is_alive(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", -1.0)
    sending = house.send()
    for _ in range(4):
        sending.next_block()
    makers.change(rows()[0], state="interrupted", active_at=makers.now(seconds=-QUARTER))

    sending.next_block()

    (row,) = rows()
    assert (row.state, row.intervals) == ("started", [[0, 400]])
    assert row.active_at > makers.now(seconds=-60)
    assert finish(sending) == CONTENT[500:]
    assert rows()[0].bytes_sent == SIZE


def test_a_sweep_marks_what_nobody_hears_of(house: House) -> None:
    running, silent = house.send(), replace(house, actor=makers.actor(makers.person("Silent"))).send()
    makers.change(rows()[1], active_at=makers.now(seconds=-QUARTER))
    makers.change(transfers()[1], worker="another-machine/1 2 3")

    assert sweep(600) == 1

    assert [(row.state, row.closed_at) for row in rows()] == [("started", None), ("interrupted", None)]
    running.close()
    silent.close()


def test_a_sweep_leaves_alone_what_a_worker_sends_that_lives_however_slow_its_reader_is(house: House) -> None:
    slow = house.send()
    makers.change(rows()[0], active_at=makers.now(seconds=-QUARTER))

    assert sweep(0) == 0

    assert rows()[0].state == "started"
    slow.close()


def test_what_a_worker_sent_that_is_known_to_be_dead_is_marked_after_two_minutes(house: House) -> None:
    sending = house.send()
    makers.change(transfers()[0], worker=dead_worker())
    makers.change(rows()[0], active_at=makers.now(seconds=-119))
    assert sweep(300) == 0
    makers.change(rows()[0], active_at=makers.now(seconds=-121))

    assert sweep(300) == 1

    assert (rows()[0].state, rows()[0].closed_at) == ("interrupted", None)
    sending.close()


@SQLITE_ONLY
def test_a_download_of_which_one_answer_lives_and_another_is_dead_goes_on(house: House) -> None:
    dead, alive = house.send(), house.send(500)
    makers.change(transfers()[0], worker=dead_worker())
    makers.change(rows()[0], active_at=makers.now(seconds=-QUARTER))

    assert sweep(300) == 0
    dead.close()
    alive.close()


def test_a_sweep_that_finds_nothing_writes_nothing(house: House, statements: list[str]) -> None:
    finish(house.send())
    slow = house.send()
    makers.change(rows()[1], active_at=makers.now(seconds=-QUARTER))
    statements.clear()

    sweep(300)

    assert {statement.split()[0] for statement in statements} == {"SELECT"}
    slow.close()


@SQLITE_ONLY
def test_what_is_still_sent_of_a_closed_download_stays_noted(house: House) -> None:
    slow = house.send()
    slow.next_block()
    finish(house.send())
    assert rows()[0].state == "completed"

    sweep(300)

    assert len(transfers()) == 1
    slow.close()
    assert transfers() == []


@SQLITE_ONLY
def test_an_interrupted_download_is_resumed(house: House) -> None:
    sending = house.send(0, 500)
    finish(sending)
    makers.change(rows()[0], active_at=makers.now(seconds=-QUARTER))
    sweep(600)

    finish(house.send(500))

    assert [(row.state, row.intervals) for row in rows()] == [("completed", [[0, SIZE]])]


@SQLITE_ONLY
def test_a_sweep_closes_what_is_a_day_old(house: House) -> None:
    give_up(house.send(), 2)
    makers.change(rows()[0], active_at=makers.now(seconds=-DAY - 1))

    assert sweep(600) == 0

    (row,) = rows()
    assert (row.state, row.closed_at is not None) == ("aborted", True)


def blob_of(settings: Settings, edition: Edition) -> Path:
    """Where the bytes of an edition lie."""
    digest = edition.sha256
    return settings.storage / "blobs" / digest[:2] / digest[2:4] / digest


def descriptors() -> int:
    """Open descriptors of this process that lead to a blob."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += "/blobs/" in os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
    return found


@SQLITE_ONLY
@pytest.mark.parametrize("damage", ["missing", "short", "long", "link", "directory"])
def test_bytes_that_are_not_what_they_were_are_refused_without_a_row(
    house: House, settings: Settings, damage: str
) -> None:
    blob = blob_of(settings, house.edition)
    blob.unlink()
    if damage in ("short", "long"):
        blob.write_bytes(CONTENT[:-1] if damage == "short" else CONTENT + b"x")
    elif damage == "link":
        blob.symlink_to(blob_of(settings, house.small))
    elif damage == "directory":
        blob.mkdir()

    with pytest.raises(ContentUnavailable):
        house.send()

    assert rows() == []
    assert descriptors() == 0


@SQLITE_ONLY
def test_bytes_cut_off_while_they_are_sent_end_the_download(house: House, settings: Settings) -> None:
    edition = makers.edition(makers.document(makers.category(), "longer than any buffer", CONTENT * 100))
    sending = open_for_download(house.claim, edition, [Span(0, edition.size)])
    sending.next_block()
    os.truncate(blob_of(settings, edition), 20_000)

    with pytest.raises(ContentUnavailable):
        finish(sending)
    sending.close()

    (row,) = rows()
    assert (row.state, row.intervals) == ("aborted", [[0, 20_000]])


@SQLITE_ONLY
def test_every_end_lets_go_of_the_bytes(house: House) -> None:
    finish(house.send())
    give_up(house.send(), 3)
    house.send().close()
    finish(house.send_small())

    assert descriptors() == 0


@SQLITE_ONLY
def test_a_ledger_that_refuses_lets_go_of_the_bytes(house: House, settings: Settings) -> None:
    limited = replace(settings, transfers_each=1)
    house.app.config["PORTAL"] = limited
    running = house.send()

    with pytest.raises(TooManyTransfers):
        open_for_download(house.claim, makers.edition(makers.document(makers.category(), "b", CONTENT[1:])), [WHOLE])

    assert descriptors() == 1
    running.close()


def test_transfers_of_one_person_are_limited(house: House, settings: Settings) -> None:
    house.app.config["PORTAL"] = replace(settings, transfers_each=2)
    shelf = makers.category()
    editions = [makers.edition(makers.document(shelf, f"{n}", CONTENT[n:] + bytes(n))) for n in range(1, 4)]
    running = [open_for_download(house.claim, edition, [WHOLE]) for edition in editions[:2]]

    with pytest.raises(TooManyTransfers):
        open_for_download(house.claim, editions[2], [WHOLE])
    again = open_for_download(house.claim, editions[0], [WHOLE])
    finish(house.send_small())
    other = replace(house, actor=makers.actor(makers.person("Other"))).send()
    finish(running[0])

    finish(open_for_download(house.claim, editions[2], [WHOLE]))
    for sending in (*running, again, other):
        sending.close()


@SQLITE_ONLY
def test_transfers_of_everybody_are_limited(house: House, settings: Settings) -> None:
    house.app.config["PORTAL"] = replace(settings, transfers_all=1)
    running = house.send()

    with pytest.raises(Busy):
        replace(house, actor=makers.actor(makers.person("Other"))).send()
    running.close()


@SQLITE_ONLY
def test_a_transfer_nobody_hears_of_takes_no_place(house: House, settings: Settings) -> None:
    house.app.config["PORTAL"] = replace(settings, transfers_all=1)
    silent = house.send()
    makers.change(rows()[0], active_at=makers.now(seconds=-QUARTER))

    finish(replace(house, actor=makers.actor(makers.person("Other"))).send())
    silent.close()


@SQLITE_ONLY
def test_a_claim_says_who_from_where_and_with_what(house: House) -> None:
    actor = replace(house.actor, network="192.0.2.0/24")

    finish(open_for_download(claim_of(actor, "agent " * 100), house.small, [Span(0, 60)]))

    (row,) = rows()
    assert (row.actor_key, row.user_id, row.network) == (f"u:{actor.user_id}", actor.user_id, "192.0.2.0/24")
    assert len(row.agent) == 300
    assert (row.document_id, row.version_id) == (house.small.document_id, house.small.version_id)


def test_an_open_link_is_one_downloader_per_network_and_program(house: House) -> None:
    link, _ = makers.link(makers.document(makers.category(), "linked", CONTENT))
    for network, agent in [("n1", "curl"), ("n1", "curl"), ("n2", "curl"), ("n1", "wget"), ("n1", "\ud800")]:
        claim = claim_of_link(link.id, network, agent)
        sending = open_for_download(replace(claim, agent=""), house.edition, [Span(0, 500)])
        finish(sending)

    assert [row.link_id for row in rows()] == [link.id] * 4


def test_a_refunded_ticket_fetches_nothing(house: House) -> None:
    document = makers.document(makers.category(), "linked", CONTENT)
    _, token = makers.link(document)
    ticket = reserve(token, None, network="n", agent="a")
    found = find_ticket(ticket, "n", "a")
    assert found is not None
    edition, claim = found
    assert refund(claim.ticket_id or 0)

    with pytest.raises(ShareExpired):
        open_for_download(claim, edition, [WHOLE])
    assert rows() == []
    assert descriptors() == 0


@SQLITE_ONLY
def test_bytes_for_other_work_leave_no_row(house: House) -> None:
    with open_bytes(house.edition) as opened:
        assert opened.handle.read() == CONTENT

    assert rows() == []


@SQLITE_ONLY
def test_a_completed_download_is_what_the_person_has(house: House) -> None:
    give_up(house.send(), 9)
    assert versions_had(house.actor, [house.edition.document_id]) == {}

    finish(house.send())
    assert versions_had(house.actor, [house.edition.document_id]) == {house.edition.document_id: 1}


STEPS = st.lists(
    st.tuples(st.sampled_from(["open", "next", "next", "next", "close"]), st.integers(0, 9), st.integers(1, 10)),
    max_size=30,
)


@examples(10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@example(steps=[("open", 0, 1), ("open", 2, 1), ("open", 2, 1)])
def test_no_row_ever_claims_more_than_left_or_was_in_doubt(context: Flask, steps: list[tuple[str, int, int]]) -> None:
    shelf = makers.category("property")
    edition = makers.edition(makers.document(shelf, "large.bin", CONTENT))
    claim = Claim(key=f"u:{os.urandom(8).hex()}")
    running: list[tuple[Sending, list[Span]]] = []
    everything: list[tuple[Sending, list[Span]]] = []
    is_clean = True
    doubtful: list[tuple[int, int]] = []  # refused, or before a place somebody went on from: a block at most
    for verb, place, length in steps:
        if verb == "open":
            span = Span(place * BLOCK, min(place + length, 10) * BLOCK)
            doubtful.append((max(span.start - BLOCK, 0), span.start))
            running.append((open_for_download(claim, edition, [span]), []))
            everything.append(running[-1])
        elif running and verb == "next":
            sending, offered = running[place % len(running)]
            got = sending.next_block()
            if got is not None:
                offered.append(got[0])
        elif running:
            sending, offered = running.pop(place % len(running))
            doubtful += end(sending, offered)
            is_clean = is_clean and sending._offered is None
    for sending, offered in running:
        doubtful += end(sending, offered)
        is_clean = is_clean and sending._offered is None

    for row in rows():
        if row.actor_key != claim.key:
            continue
        left = merge((s.start, s.stop) for one, spans in everything if one._entry.id == row.id for s in spans)
        claimed = [(start, stop) for start, stop in row.intervals]
        assert merge([*left, *doubtful, *claimed]) == merge([*left, *doubtful])
        assert (row.state == "completed") == covers(claimed, SIZE)
        assert without(left, claimed) == [] or not is_clean


def end(sending: Sending, offered: list[Span]) -> list[tuple[int, int]]:
    """Close a transfer and forget the block that was still on offer, which is given back."""
    refused = sending._offered
    sending.close()
    if refused is None:
        return []
    offered.remove(refused)
    return [(refused.start, refused.stop)]
