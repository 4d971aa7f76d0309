"""A zip on its way: every member has a row before its last byte leaves, and what did not leave is taken back."""

import io
import random
import zipfile

import pytest
from flask import Flask
from sqlalchemy import select

from portal.downloads import ZipSending, claim_of, open_for_download, zipping
from portal.downloads import sending as sending_module
from portal.errors import ContentUnavailable, TooManyTransfers
from portal.extensions import db, storage
from portal.models import Blob, Download, Version
from portal.ranges import Span
from tests import makers
from tests.damages import DAMAGES, keeping_times
from tests.databases import SQLITE_ONLY, connected
from tests.downloads.packed import CONTENTS, House, finish, furnish, ledger, path_in

BLOCK = 100

pytestmark = pytest.mark.usefixtures("context")


@pytest.fixture(autouse=True)
def blocks_of_a_hundred_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a member of many blocks needs no megabytes."""
    monkeypatch.setattr(zipping, "BLOCK", BLOCK)
    monkeypatch.setattr(sending_module, "BLOCK", BLOCK)
    monkeypatch.setattr(sending_module, "AT_ONCE", BLOCK)


@pytest.fixture
def house(context: Flask) -> House:
    return furnish(context)


def give_up(sending: ZipSending, after: int) -> bytes:
    """Let so many blocks leave; the one after them is refused."""
    left = b""
    for _ in range(after):
        got = sending.next_block()
        assert got is not None
        left += got[1]
    sending.next_block()
    sending.close()
    return left


def test_a_whole_zip_is_one_confirmed_row_for_each_member(house: House) -> None:
    bytes_sent = finish(house.send())

    with zipfile.ZipFile(io.BytesIO(bytes_sent)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in CONTENTS} == CONTENTS
        assert set(opened.namelist()) == {*CONTENTS, "MANIFEST.csv", "SHA256SUMS"}
    assert ledger() == {
        name.rpartition("/")[2]: [("completed", [[0, len(content)]] if content else [], len(content), True)]
        for name, content in CONTENTS.items()
    }


def test_the_same_catalog_and_reader_give_the_same_bytes(house: House) -> None:
    assert house.archive.etag == house.archive.etag
    assert finish(house.send()) == finish(house.send())


@SQLITE_ONLY
def test_another_version_gives_another_validator(house: House) -> None:
    before = house.archive.etag
    makers.document(makers.category("shelf/sub"), "b.txt", b"B" * 30)

    assert house.archive.etag != before


def test_no_member_ends_before_its_row_is_completed(house: House, database: str) -> None:
    archive, sending = house.archive, house.send()
    look = select(Version.filename).join(Download, Download.version_id == Version.id)
    with connected(database) as connection:
        sent = 0
        while (got := sending.next_block()) is not None:
            completed = set(connection.scalars(look.where(Download.state == "completed")))
            connection.rollback()
            sent += len(got[1])
            ended = [archive.version_ids[index] for index in archive.layout.ending(0, sent)]
            wanted = {edition.filename for edition in house.editions.values() if edition.version_id in ended}
            assert completed == wanted
    sending.close()


def test_a_large_member_is_started_before_its_first_byte_leaves(house: House, database: str) -> None:
    sending = house.send()
    sending.next_block()
    with connected(database) as connection:
        assert connection.execute(select(Download.state, Download.bytes_sent)).all() == [("started", 0)]
    sending.close()


@SQLITE_ONLY
@pytest.mark.parametrize("blocks", range(15))
def test_whatever_left_before_the_line_broke_is_what_the_ledger_says(house: House, blocks: int) -> None:
    archive = house.archive

    left = len(give_up(house.send(), blocks))

    whole = [archive.version_ids[index] for index in archive.layout.ending(0, left)]
    names = {edition.filename for edition in house.editions.values() if edition.version_id in whole}
    rows = {name: rows[0] for name, rows in ledger().items()}
    completed = {name for name, row in rows.items() if row[0] == "completed"}
    assert completed - {"empty.txt"} == names - {"empty.txt"}  # of nothing nothing can be taken back
    begun = {"a.bin": min(max(left - 35, 0), 250)}  # its header is 35 bytes
    assert {name: row[2] for name, row in rows.items() if name in begun} == begun


@SQLITE_ONLY
def test_going_on_where_the_line_broke_completes_the_same_rows(house: House) -> None:
    left = give_up(house.send(), 2)

    rest = finish(house.send(len(left)))

    with zipfile.ZipFile(io.BytesIO(left + rest)) as opened:
        assert opened.testzip() is None
    assert {name: [row[0] for row in rows] for name, rows in ledger().items()} == {
        name.rpartition("/")[2]: ["completed"] for name in CONTENTS
    }
    assert ledger()["a.bin"][0][2] == 250


@SQLITE_ONLY
def test_any_range_is_that_slice_and_tells_of_the_bytes_in_it(house: House) -> None:
    whole = finish(house.send())
    chance = random.Random(4)
    for _ in range(40):
        start = chance.randrange(len(whole))
        stop = chance.randrange(start + 1, len(whole) + 1)
        assert finish(house.send(start, stop)) == whole[start:stop]


def test_eight_connections_for_parts_of_one_zip_are_one_row_for_each_member(house: House) -> None:
    size = house.archive.layout.size
    edges = [size * number // 8 for number in range(9)]
    jobs = [lambda start=start, stop=stop: finish(house.send(start, stop)) for start, stop in zip(edges, edges[1:])]  # noqa: B905, RUF007

    pieces = makers.at_once(house.app, *jobs)

    assert all(isinstance(piece, bytes) for piece in pieces), pieces
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as opened:  # type: ignore[arg-type]
        assert opened.testzip() is None
    assert {name: [(row[0], row[2]) for row in rows] for name, rows in ledger().items()} == {
        name.rpartition("/")[2]: [("completed", len(content))] for name, content in CONTENTS.items()
    }


@SQLITE_ONLY
def test_a_member_begun_alone_is_completed_by_the_zip(house: House) -> None:
    single = open_for_download(claim_of(house.reader, "tests"), house.editions["a.bin"], [Span(0, 250)])
    single.next_block()
    single.next_block()
    single.close()

    finish(house.send())

    assert [(row[0], row[2]) for row in ledger()["a.bin"]] == [("completed", 350)]


@SQLITE_ONLY
def test_a_member_whose_bytes_are_gone_ends_the_zip_before_it(house: House) -> None:
    gone = house.editions["sub/deep/d.bin"]
    place = storage().place(gone.sha256)
    (place.directory / place.name).unlink()
    sending = house.send()

    with pytest.raises(ContentUnavailable):
        finish(sending)
    sending.close()

    assert "d.bin" not in ledger()


@SQLITE_ONLY
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_member_that_was_damaged_ends_the_zip_before_it(house: House, damage: str) -> None:
    DAMAGES[damage](path_in(house, "sub/deep/d.bin"), random.Random(7))
    sending = house.send()

    with pytest.raises(ContentUnavailable):
        finish(sending)
    sending.close()

    assert "d.bin" not in ledger()
    assert db.session.scalars(select(Blob.damage).where(Blob.damage.is_not(None))).one()


@SQLITE_ONLY
def test_a_member_that_is_damaged_on_its_way_ends_the_zip_and_is_looked_into(house: House) -> None:
    sending = house.send()
    sending.next_block()
    keeping_times(DAMAGES["a stray write"])(path_in(house, "a.bin"), random.Random(7))

    with pytest.raises(ContentUnavailable):
        finish(sending)
    sending.close()

    assert [row[0] for row in ledger()["a.bin"]] == ["aborted"]
    sha256 = house.editions["a.bin"].sha256
    assert db.session.scalars(select(Blob.sha256).where(Blob.wanted_at.is_not(None))).all() == [sha256]


@SQLITE_ONLY
def test_members_that_are_as_they_were_cost_no_statement_to_open(house: House, statements: list[str]) -> None:
    sending = house.send()
    sending.next_block()
    statements.clear()

    finish(sending)

    assert [statement for statement in statements if "blobs" in statement] == []


@SQLITE_ONLY
def test_a_document_removed_for_good_while_the_zip_is_sent_ends_it(house: House) -> None:
    sending = house.send()
    version = db.session.get_one(Version, house.editions["a.bin"].version_id)
    makers.change(version, blob_id=None, purged_at=makers.now())

    with pytest.raises(ContentUnavailable):
        finish(sending)
    sending.close()


@SQLITE_ONLY
def test_no_connection_is_held_between_blocks(house: House) -> None:
    sending = house.send()
    makers.release()
    sending.next_block()
    sending.next_block()

    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    sending.close()


@SQLITE_ONLY
def test_a_zip_counts_among_the_transfers_of_a_person(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = house.send()
    waiting.next_block()
    settings = house.app.config["PORTAL"]
    object.__setattr__(settings, "transfers_each", 1)

    with pytest.raises(TooManyTransfers):
        house.send()
    waiting.close()
