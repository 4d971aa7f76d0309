"""Transfers a proxy carries: written down before it is told, settled by what its log says, each report once."""

import uuid as uuids
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal import integrity
from portal.actors import Actor
from portal.catalog import Edition, find_edition
from portal.downloads import Claim, Delegated, claim_of, count_late_reports, delegate, open_for_download, sweep
from portal.downloads.delegations import Report, settle
from portal.downloads.ledger import MOST_INTERVALS
from portal.errors import ContentUnavailable, ShareExpired, TooManyTransfers
from portal.extensions import db
from portal.models import Delegation, Document, Download, Transfer
from portal.ranges import Span
from portal.settings import Settings
from portal.shares import find_ticket, reserve, revoke_link
from portal.storage import LocalStorage
from portal.uploads import index_directory
from tests import makers
from tests.databases import SQLITE_ONLY, connected

SIZE = 1000
CONTENT = bytes(number % 251 for number in range(SIZE))
HOUR, DAY, MONTH = 3600, 86_400, 30 * 86_400

pytestmark = pytest.mark.usefixtures("context")


@dataclass
class House:
    """A document, and somebody who fetches it."""

    app: Flask
    edition: Edition
    actor: Actor

    @property
    def claim(self) -> Claim:
        return claim_of(self.actor, "tests")

    def delegate(self, start: int = 0, stop: int = SIZE) -> Delegated:
        """Hand over a part of the document."""
        delegated = delegate(self.claim, self.edition, Span(start, stop))
        assert delegated is not None
        return delegated


@pytest.fixture
def house(context: Flask) -> House:
    edition = makers.edition(makers.document(makers.category(), "large.bin", CONTENT))
    return House(context, edition, makers.actor(makers.person()))


def rows() -> list[Download]:
    """The ledger now."""
    makers.release()
    found = list(db.session.scalars(select(Download).order_by(Download.id).execution_options(populate_existing=True)))
    makers.release()
    return found


def test_what_a_proxy_sends_of_a_row_with_too_many_pieces_is_not_noted_as_sent_by_us(house: House) -> None:
    house.delegate(0, 10)
    pieces = [[at * 3, at * 3 + 1] for at in range(MOST_INTERVALS + 1)]
    makers.change(rows()[0], intervals=pieces)
    makers.release()

    assert house.delegate(900, 910).span == Span(0, SIZE)
    assert not db.session.scalars(select(Transfer.id)).all()


def row() -> Download:
    (found,) = rows()
    return found


def waiting() -> int:
    """How many transfers have not been reported."""
    makers.release()
    found = db.session.scalars(select(func.count()).select_from(Delegation)).one()
    makers.release()
    return found


def whole(delegated: Delegated) -> Report:
    """All of it was sent."""
    status = 200 if delegated.span == Span(0, SIZE) else 206
    return Report(delegated.uuid, status, delegated.span.length, is_done=True)


def cut(delegated: Delegated, after: int) -> Report:
    """It broke off."""
    return replace(whole(delegated), bytes_sent=after, is_done=False)


def test_the_row_is_committed_before_the_proxy_is_told(house: House, database: str) -> None:
    delegated = house.delegate(100, 400)

    with connected(database) as connection:
        assert connection.execute(select(Download.state, Download.intervals)).one() == ("delegated", [])
        told = connection.execute(select(Delegation.uuid, Delegation.start, Delegation.stop)).one()
        assert told == (delegated.uuid, 100, 400)
    assert delegated.name == LocalStorage(Path("/")).place(house.edition.sha256).name


def test_a_whole_transfer_that_ended_well_is_a_confirmed_download(house: House) -> None:
    delegated = house.delegate()

    assert settle([whole(delegated)]) == 1

    found = row()
    assert (found.state, found.intervals, found.bytes_sent) == ("completed", [[0, SIZE]], SIZE)
    assert found.is_confirmed
    assert found.closed_at is not None


@pytest.mark.parametrize("sent", [0, 1, 999, 1000])
def test_a_transfer_that_broke_off_says_how_far_it_got(house: House, sent: int) -> None:
    settle([cut(house.delegate(), sent)])

    found, most = row(), min(sent, SIZE - 1)
    assert (found.state, found.bytes_sent, found.closed_at) == ("aborted", most, None)
    assert found.intervals == ([[0, most]] if most else [])


@SQLITE_ONLY
def test_a_part_counts_from_where_it_begins(house: House) -> None:
    settle([cut(house.delegate(600, 900), 100)])

    assert (row().state, row().intervals) == ("aborted", [[600, 700]])


@SQLITE_ONLY
def test_a_part_that_was_sent_as_the_whole_counts_from_the_start(house: House) -> None:
    settle([replace(whole(house.delegate(600, 900)), status=200)])

    assert row().intervals == [[0, 300]]


@SQLITE_ONLY
@pytest.mark.parametrize("status", [304, 403, 404, 412, 416, 500, 503])
def test_what_the_proxy_refused_sent_nothing(house: House, status: int) -> None:
    settle([Report(house.delegate().uuid, status, 500, is_done=True)])

    assert (row().state, row().intervals, row().bytes_sent) == ("aborted", [], 0)


@SQLITE_ONLY
def test_more_than_was_asked_for_is_not_believed(house: House) -> None:
    settle([replace(whole(house.delegate(0, 300)), bytes_sent=10**18)])

    assert (row().intervals, row().bytes_sent) == ([[0, 300]], 300)


def test_a_report_read_twice_changes_nothing(house: House) -> None:
    report = cut(house.delegate(), 400)
    settle([report])
    before = (row().state, row().intervals, row().bytes_sent, row().active_at)

    assert settle([report, report]) == 0

    assert (row().state, row().intervals, row().bytes_sent, row().active_at) == before


@SQLITE_ONLY
def test_a_report_nobody_waits_for_changes_nothing(house: House) -> None:
    house.delegate()

    assert settle([Report(uuids.uuid4(), 200, SIZE, is_done=True)]) == 0

    assert row().state == "delegated"


def test_pieces_of_one_download_are_one_row_whoever_sends_them(house: House) -> None:
    pieces = [house.delegate(start, start + 125) for start in range(0, SIZE - 125, 125)]
    settle([whole(piece) for piece in pieces[:4]])
    assert (row().state, row().intervals) == ("delegated", [[0, 500]])

    own = open_for_download(house.claim, house.edition, [Span(875, SIZE)])
    while own.next_block():
        pass
    own.close()
    settle([whole(piece) for piece in pieces[4:]])

    assert (row().state, row().intervals, row().bytes_sent) == ("completed", [[0, SIZE]], SIZE)


@SQLITE_ONLY
def test_a_piece_that_arrived_waits_for_the_next_one(house: House) -> None:
    settle([whole(house.delegate(0, 300))])

    assert (row().state, row().intervals, row().closed_at) == ("started", [[0, 300]], None)


def test_two_pieces_reported_at_once_are_both_the_last(house: House) -> None:
    for _ in range(5):
        left, right = house.delegate(0, 400), house.delegate(400, 900)

        told = [partial(settle, [whole(piece)]) for piece in (left, right)]
        assert makers.at_once(house.app, *told) == [1, 1]

        assert (row().state, row().intervals) == ("started", [[0, 900]])


def test_two_who_begin_at_once_are_one_open_row(house: House) -> None:
    outcomes = makers.at_once(house.app, *[lambda: house.delegate().span] * 4)

    assert outcomes == [Span(0, SIZE)] * 4
    assert (row().state, waiting()) == ("delegated", 4)


@SQLITE_ONLY
def test_whoever_comes_back_resumes_the_same_download(house: House) -> None:
    settle([cut(house.delegate(), 400)])
    settle([whole(house.delegate(400, SIZE))])

    assert (row().state, row().intervals, row().bytes_sent) == ("completed", [[0, SIZE]], SIZE)


@SQLITE_ONLY
def test_a_piece_asked_for_soon_after_completion_belongs_to_it(house: House) -> None:
    settle([whole(house.delegate())])

    late = house.delegate(100, 400)
    assert row().state == "completed"
    settle([whole(late)])

    assert (row().state, row().bytes_sent, waiting()) == ("completed", SIZE + 300, 0)


@SQLITE_ONLY
def test_a_late_piece_confirms_nothing_that_somebody_else_completed(house: House) -> None:
    own = open_for_download(house.claim, house.edition, [Span(0, SIZE)])
    own.next_block()
    assert (row().state, row().is_confirmed) == ("completed", False)

    settle([whole(house.delegate(100, 400))])

    assert not row().is_confirmed
    own.close()


@SQLITE_ONLY
def test_the_whole_asked_for_after_completion_is_another_download(house: House) -> None:
    for _ in range(2):
        settle([whole(house.delegate())])

    assert [found.state for found in rows()] == ["completed", "completed"]


@SQLITE_ONLY
def test_more_pieces_than_are_kept_apart_get_the_whole(house: House) -> None:
    house.delegate(0, 1)
    makers.change(row(), intervals=[[2 * number, 2 * number + 1] for number in range(256)])

    assert house.delegate(600, 650).span == Span(0, SIZE)


def test_what_is_not_reported_within_a_day_is_interrupted(house: House) -> None:
    delegated = house.delegate()
    makers.change(row(), active_at=makers.now(seconds=60 - DAY))
    sweep(0)
    assert (row().state, row().closed_at) == ("delegated", None)

    makers.change(row(), active_at=makers.now(seconds=-60 - DAY))
    sweep(0)
    assert row().state == "interrupted"
    assert row().closed_at is not None

    settle([whole(delegated)])
    assert (row().state, row().intervals) == ("completed", [[0, SIZE]])


@SQLITE_ONLY
@pytest.mark.parametrize("state", ["interrupted", "aborted"])
def test_a_report_claims_its_own_bytes_and_nothing_before_them(house: House, state: str) -> None:
    first, last = house.delegate(0, 500), house.delegate(500, SIZE)
    makers.change(row(), state=state, closed_at=makers.now())

    settle([whole(last)])
    assert row().intervals == [[500, SIZE]]

    settle([whole(first)])
    assert (row().state, row().intervals, row().bytes_sent) == ("completed", [[0, SIZE]], SIZE)


@SQLITE_ONLY
def test_a_revoked_link_ends_what_a_proxy_carries(house: House) -> None:
    with_link = ticket(house)
    delegated = delegate(with_link, house.edition, Span(0, SIZE))
    assert delegated is not None
    assert with_link.link_id is not None

    revoke_link(None, with_link.link_id)

    assert row().state == "interrupted"
    settle([cut(delegated, 300)])
    assert (row().state, row().intervals) == ("interrupted", [[0, 300]])


@SQLITE_ONLY
def test_after_a_day_another_download_begins(house: House) -> None:
    house.delegate()
    makers.change(row(), active_at=makers.now(seconds=-60 - DAY))

    house.delegate()

    assert [(found.state, found.closed_at is None) for found in rows()] == [("interrupted", False), ("delegated", True)]


def test_gc_stops_waiting_after_a_month(house: House) -> None:
    for age in (-60 - MONTH, 60 - MONTH):
        house.delegate()
        for found in db.session.scalars(select(Delegation).where(Delegation.made_at > makers.now(seconds=-HOUR))).all():
            makers.change(found, made_at=makers.now(seconds=age))

    integrity.collect()

    assert waiting() == 1


def test_reports_that_are_late_are_counted(house: House) -> None:
    house.delegate()
    assert count_late_reports() == 0
    makers.release()
    makers.change(db.session.scalars(select(Delegation)).one(), made_at=makers.now(seconds=-60 - HOUR))

    assert count_late_reports() == 1


def test_transfers_of_a_proxy_count_among_those_at_once(sqlite_settings: Settings) -> None:
    with makers.running(replace(sqlite_settings, transfers_each=2)) as app, app.app_context():
        claim = claim_of(makers.actor(makers.person()), "tests")
        shelf = makers.category()
        one, two, three = (makers.edition(makers.document(shelf, name, CONTENT)) for name in ("1", "2", "3"))
        first = delegate(claim, one, Span(0, SIZE))
        assert first is not None
        delegate(claim, two, Span(0, SIZE))
        with pytest.raises(TooManyTransfers):
            delegate(claim, three, Span(0, SIZE))
        with pytest.raises(TooManyTransfers):
            open_for_download(claim, three, [Span(0, 10), Span(20, 30)] * 60_000)
        assert waiting() == 2

        settle([whole(first)])

        assert delegate(claim, three, Span(0, SIZE)) is not None


@SQLITE_ONLY
def test_a_log_that_nobody_follows_keeps_nobody_out_for_long(sqlite_settings: Settings) -> None:
    with makers.running(replace(sqlite_settings, transfers_each=1)) as app, app.app_context():
        claim = claim_of(makers.actor(makers.person()), "tests")
        one, two = (makers.edition(makers.document(makers.category(), name, CONTENT)) for name in ("1", "2"))
        delegate(claim, one, Span(0, SIZE))
        makers.change(row(), active_at=makers.now(seconds=-601))

        assert delegate(claim, two, Span(0, SIZE)) is not None


@SQLITE_ONLY
def test_bytes_that_are_not_what_the_catalog_says_are_not_handed_over(house: House, settings: Settings) -> None:
    blob = settings.storage / "blobs" / house.delegate().name
    blob.write_bytes(CONTENT[:-1])

    with pytest.raises(ContentUnavailable):
        house.delegate()

    assert waiting() == 1


@SQLITE_ONLY
def test_a_link_in_the_place_of_a_blob_is_not_handed_over(house: House, settings: Settings, tmp_path: Path) -> None:
    blob = settings.storage / "blobs" / house.delegate().name
    (tmp_path / "elsewhere").write_bytes(CONTENT)
    blob.unlink()
    blob.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ContentUnavailable):
        house.delegate()


@SQLITE_ONLY
def test_a_file_of_a_source_is_sent_by_ourselves(house: House, tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "a.txt").write_bytes(CONTENT)
    index_directory(None, tmp_path / "papers", "papers")
    document = db.session.scalars(select(Document).where(Document.filename == "a.txt")).one()
    edition = find_edition(document.id, None)
    makers.release()
    assert edition is not None

    assert delegate(house.claim, edition, Span(0, SIZE)) is None
    assert rows() == []


@SQLITE_ONLY
def test_nothing_is_not_handed_over(house: House) -> None:
    empty = makers.edition(makers.document(makers.category(), "empty", b""))

    assert delegate(house.claim, empty, Span(0, 0)) is None


def ticket(house: House) -> Claim:
    """A ticket for the document."""
    _, token = makers.link(db.session.get_one(Document, house.edition.document_id), max_downloads=1)
    found = find_ticket(reserve(token, None, network=makers.NETWORK, agent="tests"), makers.NETWORK, "tests")
    makers.release()
    assert found is not None
    return found[1]


def test_a_ticket_is_handed_over_only_within_its_budget(house: House) -> None:
    claim, all_of_it = ticket(house), Span(0, SIZE)
    first = delegate(claim, house.edition, all_of_it)
    assert first is not None
    assert delegate(claim, house.edition, all_of_it) is not None

    with pytest.raises(TooManyTransfers):
        delegate(claim, house.edition, Span(999, SIZE))

    settle([cut(first, 100)])
    assert delegate(claim, house.edition, Span(100, SIZE)) is not None
    assert delegate(claim, house.edition, Span(900, SIZE)) is None


def test_a_complete_ticket_is_over_however_it_was_sent(house: House) -> None:
    claim = ticket(house)
    for _ in range(2):
        delegated = delegate(claim, house.edition, Span(0, SIZE))
        assert delegated is not None
        settle([whole(delegated)])

    with pytest.raises(ShareExpired):
        delegate(claim, house.edition, Span(0, SIZE))
