"""Any range of a zip is the same range of the whole, whatever the sizes; nothing is made that was not asked for."""

import io
import sys
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from itertools import pairwise
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.archives import LITERAL, Layout, Member, Slice, Text
from tests.archives.zips import MODIFIED, joined, layout_of, member, zip_of

GIGANTIC = 0xFFFFFFFF
many = settings(max_examples=150, deadline=None)

names = st.lists(st.text("abΩ(2)/. ", min_size=1, max_size=12), max_size=6, unique=True)
texts = st.lists(st.builds(Text, st.sampled_from(["MANIFEST.csv", "Ω"]), st.binary(max_size=60)), max_size=2)


@st.composite
def small(draw: st.DrawFn) -> tuple[Layout, list[bytes]]:
    """A layout, and what its members contain."""
    contents = {name: draw(st.binary(max_size=50)) for name in draw(names)}
    return layout_of(contents, draw(texts)), list(contents.values())


@st.composite
def any_size(draw: st.DrawFn) -> Layout:
    """A layout with members on both sides of every border, of gigabytes that are nowhere."""
    sizes = st.sampled_from([0, 1, 50, GIGANTIC - 100, GIGANTIC - 1, GIGANTIC, GIGANTIC + 1, 3 * GIGANTIC])
    return Layout([Member(name, draw(sizes), 0, MODIFIED) for name in draw(names)], draw(texts))


def whole(layout: Layout) -> list[bytes | Slice]:
    return list(layout.pieces(0, layout.size))


def length(piece: bytes | Slice) -> int:
    return piece.stop - piece.start if isinstance(piece, Slice) else len(piece)


def cut(pieces: Iterable[bytes | Slice], start: int, stop: int) -> list[bytes | Slice]:
    """What of the whole lies in the range, found in the slowest way."""
    found: list[bytes | Slice] = []
    offset = 0
    for piece in pieces:
        low, high = max(start - offset, 0), min(stop - offset, length(piece))
        offset += length(piece)
        if low < high and isinstance(piece, Slice):
            found.append(Slice(piece.index, piece.start + low, piece.start + high))
        elif low < high and isinstance(piece, bytes):
            found.append(piece[low:high])
    return found


def borders(layout: Layout) -> list[int]:
    """Where a piece begins or the zip ends."""
    found = [0]
    for piece in whole(layout):
        found.append(found[-1] + length(piece))
    return found


def positions(layout: Layout) -> st.SearchStrategy[int]:
    """Anywhere in the zip, and more often close to where something begins."""
    near = st.tuples(st.sampled_from(borders(layout)), st.integers(-60, 60)).map(sum)
    return st.one_of(near.map(lambda position: min(max(position, 0), layout.size)), st.integers(0, layout.size))


@given(st.data())
@many
def test_any_range_is_that_slice_of_the_whole(data: st.DataObject) -> None:
    layout, contents = data.draw(small())
    start, stop = sorted((data.draw(positions(layout)), data.draw(positions(layout))))

    archive = joined(whole(layout), contents)

    assert len(archive) == layout.size
    assert joined(layout.pieces(start, stop), contents) == archive[start:stop]


@given(st.data())
@many
def test_any_range_of_gigabytes_is_that_part_of_the_whole(data: st.DataObject) -> None:
    layout = data.draw(any_size())
    start, stop = sorted((data.draw(positions(layout)), data.draw(positions(layout))))

    assert borders(layout)[-1] == layout.size
    assert list(layout.pieces(start, stop)) == cut(whole(layout), start, stop)


@given(small())
@many
def test_python_reads_every_member_and_text_back(made: tuple[Layout, list[bytes]]) -> None:
    layout, contents = made
    with ZipFile(io.BytesIO(joined(whole(layout), contents))) as archive:
        read = [archive.open(entry).read() for entry in archive.infolist()]
    assert read[: len(contents)] == contents


@given(st.data())
@many
def test_every_member_ends_in_one_of_the_ranges_that_make_the_whole(data: st.DataObject) -> None:
    layout, contents = data.draw(small())
    cuts = sorted([0, layout.size, *data.draw(st.lists(positions(layout), max_size=8))])

    told = [index for start, stop in pairwise(cuts) for index in layout.ending(start, stop)]

    assert told == list(range(len(contents)))


@given(small())
@many
def test_a_member_ends_with_its_last_byte_and_an_empty_one_with_its_header(made: tuple[Layout, list[bytes]]) -> None:
    layout, contents = made
    archive = joined(whole(layout), contents)
    with ZipFile(io.BytesIO(archive)) as opened:
        entries = opened.infolist()[: len(contents)]
    for index, entry in enumerate(entries):
        end = entry.header_offset + 30 + len(entry.filename.encode()) + entry.file_size
        assert list(layout.ending(end - 1, end)) == [index]
        assert index not in layout.ending(0, end - 1)
        assert index not in layout.ending(end, layout.size)


def test_a_slice_that_reaches_the_size_of_a_member_is_in_a_range_where_it_ends() -> None:
    layout = layout_of({"a": b"0123456789", "b": b"", "c": b"0123456789"})
    for start in range(layout.size):
        pieces = list(layout.pieces(start, start + 7))
        done = [piece.index for piece in pieces if isinstance(piece, Slice) and piece.stop == 10]
        assert done == [index for index in layout.ending(start, start + 7) if index != 1]


def test_what_lies_outside_the_zip_is_not_there() -> None:
    layout = layout_of({"a": b"0123456789"})
    assert list(layout.pieces(layout.size, layout.size + 100)) == []
    assert list(layout.pieces(5, 5)) == []
    assert list(layout.pieces(0, 10**20)) == whole(layout)


def test_a_zip_of_nothing_is_only_its_end() -> None:
    assert layout_of({}).size == 22
    with ZipFile(io.BytesIO(zip_of({}))) as archive:
        assert archive.namelist() == []


def test_literal_bytes_come_together_and_never_more_than_so_many_at_once() -> None:
    long = Text("Ω", bytes(range(256)) * 4096 * 3 + b"end")
    layout = Layout((member(f"{number:05}.pdf") for number in range(20_000)), [long])

    pieces = [piece for piece in whole(layout) if isinstance(piece, bytes)]

    assert sum(map(len, pieces)) == layout.size > 4 * LITERAL
    assert max(map(len, pieces)) <= LITERAL
    assert len(pieces) <= layout.size / LITERAL * 1.1
    assert long.content in b"".join(pieces)


def calls_in(work: Callable[[], object]) -> int:
    """How many functions written in Python the work calls."""
    count = 0

    def note(_frame: object, event: str, _argument: Any) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("count", [100, 20_000])
def test_a_late_range_is_found_without_walking_there(count: int) -> None:
    layout = Layout(Member(f"{number:05}.pdf", 1000, 0, MODIFIED) for number in range(count))
    directory = layout.size - 22 - count * (46 + 9)

    assert calls_in(lambda: list(layout.pieces(directory - 500, directory - 100))) < 50
    assert calls_in(lambda: list(layout.pieces(layout.size - 200, layout.size))) < 50
    assert calls_in(lambda: layout.ending(directory - 2000, directory)) < 50


def test_of_a_member_little_more_than_its_name_is_kept() -> None:
    count, name = 5000, "reports/2018/feb/a report with a long name "
    tracemalloc.start()
    layout = Layout(Member(f"{name}{number:05}.pdf", 1000, 0, MODIFIED) for number in range(count))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert layout.size > 1000 * count
    assert held < count * (len(name) + 9 + 64)


@pytest.mark.parametrize(
    ("modified", "expected"),
    [
        (datetime(2018, 2, 3, 4, 5, 6, tzinfo=UTC), (2018, 2, 3, 4, 5, 6)),
        (datetime(2018, 2, 3, 4, 5, 7, 999999, tzinfo=UTC), (2018, 2, 3, 4, 5, 6)),
        (datetime(2018, 2, 3, 1, 5, 6, tzinfo=timezone(timedelta(hours=2))), (2018, 2, 2, 23, 5, 6)),
        (datetime(1970, 1, 1, tzinfo=UTC), (1980, 1, 1, 0, 0, 0)),
        (datetime(1979, 12, 31, 23, 59, 59, tzinfo=UTC), (1980, 1, 1, 0, 0, 0)),
        (datetime(2107, 12, 31, 23, 59, 59, tzinfo=UTC), (2107, 12, 31, 23, 59, 58)),
        (datetime(9999, 1, 1, tzinfo=UTC), (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_a_date_is_in_utc_in_even_seconds_and_within_what_a_zip_can_say(
    modified: datetime, expected: tuple[int, ...]
) -> None:
    layout = Layout([member("a", modified=modified)])
    with ZipFile(io.BytesIO(joined(whole(layout), [b""]))) as archive:
        assert archive.infolist()[0].date_time == expected


def test_a_text_is_as_old_as_the_latest_member() -> None:
    days = [MODIFIED, MODIFIED + timedelta(days=40), MODIFIED - timedelta(days=1)]
    layout = Layout([member(str(day), modified=day) for day in days], [Text("MANIFEST.csv", b"")])
    with ZipFile(io.BytesIO(joined(whole(layout), [b""] * 3))) as archive:
        assert archive.getinfo("MANIFEST.csv").date_time == (2018, 3, 15, 4, 5, 6)


def test_a_name_longer_than_its_field_is_refused() -> None:
    assert layout_of({"é" * 32_767: b""}).size > 2 * 65_534
    with pytest.raises(ValueError, match="65535 bytes"):
        layout_of({"é" * 32_768: b""})


PINNED = "7ed6e8695cecb4c9297cc62c3c71ea3e2ae03e0d0d2d51e5caa3e415e758b5df"


def test_the_bytes_are_those_of_this_format() -> None:
    """Other bytes for the same members? Then raise FORMAT, so that nobody goes on with half a zip of the old layout."""
    made = zip_of({"a.pdf": b"one", "Ω/b.pdf": b"", "c": b"three"}, [Text("MANIFEST.csv", b"path\r\n")])
    assert sha256(made).hexdigest() == PINNED


FIRST, SECOND = member("a.pdf", b"one"), member("b.pdf", b"two")
LINES = Text("SHA256SUMS", b"one\ntwo\n")


def test_the_same_members_have_the_same_fingerprint() -> None:
    fingerprint = Layout([FIRST, SECOND], [LINES]).fingerprint
    assert fingerprint == Layout(iter([FIRST, SECOND]), iter([LINES])).fingerprint
    assert len(fingerprint) == 64


@pytest.mark.parametrize(
    ("members", "texts"),
    [
        ([FIRST], [LINES]),
        ([SECOND, FIRST], [LINES]),
        ([replace(FIRST, name="c.pdf"), SECOND], [LINES]),
        ([replace(FIRST, name="a.pdfb"), replace(SECOND, name=".pdf")], [LINES]),
        ([replace(FIRST, size=4), SECOND], [LINES]),
        ([replace(FIRST, crc32=1), SECOND], [LINES]),
        ([replace(FIRST, modified=MODIFIED + timedelta(seconds=2)), SECOND], [LINES]),
        ([FIRST, SECOND], []),
        ([FIRST, SECOND], [replace(LINES, name="SHA256SUM")]),
        ([FIRST, SECOND], [replace(LINES, content=b"one\ntwo\r")]),
    ],
)
def test_whatever_changes_the_bytes_changes_the_fingerprint(members: list[Member], texts: list[Text]) -> None:
    assert Layout(members, texts).fingerprint != Layout([FIRST, SECOND], [LINES]).fingerprint
