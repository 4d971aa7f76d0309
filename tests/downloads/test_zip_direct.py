"""Zips from the files to the socket: what the kernel took of them is written down to the byte, member by member."""

import io
import os
import random
import socket
import zipfile
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from portal.downloads import ZipSending, zipping
from portal.errors import ContentUnavailable
from portal.extensions import db
from portal.models import Blob, Download, Transfer, Version
from tests import makers
from tests.damages import DAMAGES, keeping_times
from tests.databases import SQLITE_ONLY, connected
from tests.downloads.packed import CONTENTS, House, finish, furnish, ledger, path_in

BLOCK, LITERAL = 100, 40
"""So small that two members are left to the kernel in several blocks, and two wait in memory."""

pytestmark = [pytest.mark.usefixtures("context"), SQLITE_ONLY]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"BLOCK": BLOCK, "AT_ONCE": BLOCK, "ROOM": 2 * BLOCK, "LITERAL": LITERAL}.items():
        monkeypatch.setattr(zipping, name, value)


@pytest.fixture
def house(context: Flask) -> House:
    return furnish(context)


class Kernel:
    """Takes as many bytes as it is told, whoever sends them, and then finds the line broken.

    ``watch`` is told before each call how many bytes will have left at most.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 10**9
        self.taken = 0
        self.watch: Callable[[int], None] = lambda _: None
        self._write, self._sendfile = os.write, os.sendfile
        monkeypatch.setattr(os, "write", self.write)
        monkeypatch.setattr(os, "sendfile", self.sendfile)

    def write(self, line: int, content: memoryview) -> int:
        return self._take(len(content), lambda most: self._write(line, content[:most]))

    def sendfile(self, line: int, source: int, start: int, count: int) -> int:
        return self._take(count, lambda most: self._sendfile(line, source, start, most))

    def _take(self, wanted: int, send: Callable[[int], int]) -> int:
        if not self.room:
            raise BrokenPipeError
        self.watch(self.taken + wanted)
        count = send(min(wanted, self.room))
        self.room -= count
        self.taken += count
        return count


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Our end and that of the reader; all of a zip fits between them."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


Lines = tuple[socket.socket, socket.socket]


def fetch(sending: ZipSending, line: Lines) -> bytes:
    """All of it as the reader gets it: the first block by the server, the rest by the kernel, as far as that goes."""
    ours, theirs = line
    got = sending.next_block()
    assert got is not None
    ours.sendall(got[1])
    try:
        while sending.send_block(ours.fileno()):
            pass
    except BrokenPipeError:
        pass
    finally:
        sending.close()
    return drained(theirs)


def drained(theirs: socket.socket) -> bytes:
    """What waits to be read."""
    theirs.setblocking(False)
    found = bytearray()
    try:
        while piece := theirs.recv(65536):
            found += piece
    except BlockingIOError:
        pass
    return bytes(found)


def lengths(house: House) -> dict[str, range]:
    """Where in the zip the bytes of each member are, by filename."""
    archive = house.archive
    names = {edition.version_id: path.rpartition("/")[2] for path, edition in house.editions.items()}
    return {names[version]: archive.layout.extent(index) for index, version in enumerate(archive.version_ids)}


def require_truth(house: House, left: int) -> None:
    """What the ledger says of every member is what lies within the first bytes of the zip that have left."""
    rows = ledger(house.reader)
    for name, extent in lengths(house).items():
        had = min(max(left - extent.start, 0), len(extent))
        found = rows.get(name, [])
        if had and had == len(extent):
            assert found == [("completed", [[0, had]], had, True)], (name, left)
        elif had:
            assert found == [("aborted", [[0, had]], had, False)], (name, left)
        elif len(extent):
            assert found in ([], [("aborted", [], 0, False)]), (name, left)


def test_what_the_kernel_sends_is_the_zip_and_a_confirmed_row_for_each_member(house: House, line: Lines) -> None:
    got = fetch(house.send(), line)

    with zipfile.ZipFile(io.BytesIO(got)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in CONTENTS} == CONTENTS
    assert ledger() == {
        name.rpartition("/")[2]: [("completed", [[0, len(content)]] if content else [], len(content), True)]
        for name, content in CONTENTS.items()
    }
    assert db.session.scalars(select(Transfer)).all() == []


def test_any_range_comes_the_same_by_the_kernel_as_by_blocks(house: House, line: Lines) -> None:
    whole = finish(house.send())
    chance = random.Random(11)
    for _ in range(40):
        start = chance.randrange(len(whole))
        stop = chance.randrange(start + 1, len(whole) + 1)
        assert fetch(house.send(start, stop), line) == whole[start:stop]


@pytest.mark.parametrize("part", range(4))
def test_a_line_that_breaks_anywhere_leaves_rows_that_say_how_far_it_came(
    house: House, kernel: Kernel, line: Lines, part: int
) -> None:
    """In a header, in a member, between two: every place on both sides of a border, and some in between."""
    for place in places(house)[part::4]:
        somebody_else(house, f"Reader {place}")
        kernel.room = place

        left = len(fetch(house.send(), line))

        require_truth(house, left)


@pytest.mark.parametrize("part", range(4))
def test_going_on_where_the_line_broke_completes_the_same_rows_by_the_kernel(
    house: House, kernel: Kernel, line: Lines, part: int
) -> None:
    whole = finish(house.send())
    for place in places(house)[part::4]:
        somebody_else(house, f"Reader {place}")
        kernel.room = place
        begun = fetch(house.send(), line)
        kernel.room = 10**9
        rest = fetch(house.send(len(begun)), line) if len(begun) < len(whole) else b""

        assert begun + rest == whole
        assert {
            name: [row[:3] for row in rows] for name, rows in ledger(house.reader).items() if name != "empty.txt"
        } == {
            path.rpartition("/")[2]: [("completed", [[0, len(content)]], len(content))]
            for path, content in CONTENTS.items()
            if content
        }


def test_no_member_ends_before_its_row_and_no_row_claims_more_than_may_be_lost(
    house: House, kernel: Kernel, line: Lines, database: str
) -> None:
    first = house.send()
    got = first.next_block()
    assert got is not None
    extents = lengths(house)
    with connected(database) as connection:
        completed = select(Version.filename).join(Download, Download.version_id == Version.id)

        def watch(taken: int) -> None:
            """``taken`` will have left after this call."""
            found = set(connection.scalars(completed.where(Download.state == "completed")))
            connection.rollback()
            will = len(got[1]) + taken
            assert {name for name, extent in extents.items() if len(extent) and extent.stop <= will} <= found
            seen.append(
                max(min(len(extents[name]), max(extents[name].stop - will, 0)) for name in found | {"empty.txt"})
            )

        seen: list[int] = []
        kernel.watch = watch
        while first.send_block(line[0].fileno()):
            pass
    first.close()

    assert 0 < max(seen) <= BLOCK


def test_of_a_slow_line_it_is_said_how_far_it_is_within_a_block(
    house: House, kernel: Kernel, line: Lines, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipping, "HEARTBEAT_SECONDS", -1)
    seen: list[int] = []
    with connected(database) as connection:

        def watch(_: int) -> None:
            seen.extend(connection.scalars(select(Download.bytes_sent).where(Download.state == "started")))
            connection.rollback()

        kernel.watch = watch
        fetch(house.send(), line)

    assert max(seen) > 0
    assert {name: [row[:3] for row in rows] for name, rows in ledger().items() if name != "empty.txt"} == {
        path.rpartition("/")[2]: [("completed", [[0, len(content)]], len(content))]
        for path, content in CONTENTS.items()
        if content
    }


@pytest.mark.parametrize("case", [(1000, 3), (0, 2)])
def test_with_many_answers_on_their_way_each_has_few_files_open(
    house: House, kernel: Kernel, line: Lines, monkeypatch: pytest.MonkeyPatch, case: tuple[int, int]
) -> None:
    """Of at most three pieces one or two are members, however quick the reader is."""
    shared, most = case
    monkeypatch.setattr(zipping, "SHARED", shared)
    monkeypatch.setattr(zipping, "PIECES", 3)
    monkeypatch.setattr(zipping, "LITERAL", 10)
    seen: list[int] = []
    kernel.watch = lambda _: seen.append(sum("/blobs/" in os.readlink(entry) for entry in descriptors()))

    fetch(house.send(), line)

    assert max(seen) == most


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_member_ends_what_the_kernel_sends_before_it(house: House, line: Lines, damage: str) -> None:
    DAMAGES[damage](path_in(house, "sub/deep/d.bin"), random.Random(7))

    with pytest.raises(ContentUnavailable):
        fetch(house.send(), line)

    got = drained(line[1])
    assert 0 < len(got) <= lengths(house)["d.bin"].start
    require_truth(house, len(got))
    assert "d.bin" not in ledger()
    assert db.session.scalars(select(Blob.damage).where(Blob.damage.is_not(None))).one()


@pytest.mark.parametrize("member", ["a.bin", "sub/deep/d.bin"])
def test_nothing_of_the_end_of_a_member_leaves_when_its_file_was_touched_meanwhile(
    house: House, kernel: Kernel, line: Lines, member: str
) -> None:
    extent = lengths(house)[path_of(member)]

    def watch(taken: int) -> None:
        if extent.start <= taken and not touched:
            touched.append(taken)
            keeping_times(DAMAGES["a stray write"])(path_in(house, member), random.Random(7))

    touched: list[int] = []
    kernel.watch = watch
    with pytest.raises(ContentUnavailable):
        fetch(house.send(), line)
    got = drained(line[1])

    assert len(got) < extent.stop
    require_truth(house, len(got))
    wanted = db.session.scalars(select(Blob.sha256).where(Blob.wanted_at.is_not(None))).all()
    assert wanted == [house.editions[member].sha256]


def descriptors() -> list[str]:
    """What this process has open."""
    return [
        f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{number}")
    ]


def path_of(member: str) -> str:
    """The filename of a member."""
    return member.rpartition("/")[2]


def places(house: House) -> list[int]:
    """Places in the zip: both sides of every border of a member, and some in between."""
    size = house.archive.layout.size
    borders = {place for extent in lengths(house).values() for place in (extent.start, extent.stop)}
    found = {place + beside for place in borders for beside in (-1, 0, 1)} | set(range(0, size, 37))
    return sorted(place for place in found if 0 <= place < size)


def somebody_else(house: House, name: str) -> None:
    """Another reader, of whom the ledger knows nothing yet."""
    person = makers.person(name)
    makers.grant(house.shelf, user=person)
    house.reader = makers.actor(person)
