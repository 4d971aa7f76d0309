"""MANIFEST.csv and SHA256SUMS: the same bytes each time, readable by programs, harmless in a spreadsheet."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.archives import Row, lists

DIGEST = sha256(b"").hexdigest()
ROW = Row("2018/Ω report.pdf", UUID(int=7), 3, "Ω report", 12, DIGEST, datetime(2018, 2, 3, 4, 5, 6, 789, tzinfo=UTC))
HEADER = "path,document,version,title,size,sha256,published,left_out\r\n"


def cells_of(row: Row) -> list[str]:
    """The cells of a row as a program reads them back."""
    _, cells = csv.reader(io.StringIO(lists([row])[0].decode(), newline=""), strict=True)
    return cells


def test_a_document_is_a_line_with_its_facts() -> None:
    line = f"2018/Ω report.pdf,00000000-0000-0000-0000-000000000007,3,Ω report,12,{DIGEST},2018-02-03T04:05:06Z,\r\n"
    assert lists([ROW])[0].decode() == HEADER + line


def test_of_no_documents_there_is_only_the_line_of_names() -> None:
    assert lists([])[0].decode() == HEADER


def test_a_moment_is_in_utc_and_a_draft_has_none() -> None:
    east = datetime(2018, 2, 3, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert cells_of(replace(ROW, published=east))[6] == "2018-02-02T23:00:00Z"
    assert cells_of(replace(ROW, published=None))[6] == ""


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.text("\",;\r\n\t'=a ", max_size=20))
def test_a_title_is_read_back_with_at_most_an_apostrophe_more(title: str, path: str) -> None:
    cells = cells_of(replace(ROW, title=title, path=path))
    assert len(cells) == 8
    assert cells[3] in (title, f"'{title}")
    assert cells[0] in (path, f"'{path}")
    assert cells[4:6] == ["12", DIGEST]


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\x00", "＝", "＋", "－", "＠"])
def test_what_a_spreadsheet_could_take_for_a_formula_is_marked_and_quoted(first: str) -> None:
    written = lists([replace(ROW, title=f'{first}cmd|"x"!A1', path=f"{first}.pdf")])[0].decode()
    assert f'\r\n"\'{first}.pdf",' in written
    assert f',"\'{first}cmd|""x""!A1",' in written


@pytest.mark.parametrize("title", ["a=1", "1-2", "a@example.org", "'quoted'", " plain "])
def test_what_only_contains_such_a_sign_stays(title: str) -> None:
    assert f",{title}," in lists([replace(ROW, title=title)])[0].decode()


def test_rows_are_read_once_and_in_order() -> None:
    rows = [replace(ROW, path=f"{number}.pdf") for number in (2, 1, 3)]
    paths = [line.split(",")[0] for line in lists(iter(rows))[0].decode().splitlines()]
    assert paths == ["path", "2.pdf", "1.pdf", "3.pdf"]


def test_the_sums_name_all_documents_and_the_manifest() -> None:
    manifest, sums = lists([ROW, replace(ROW, path="b.pdf")])
    listed = sha256(manifest).hexdigest()
    assert sums.decode() == f"{DIGEST}  2018/Ω report.pdf\n{DIGEST}  b.pdf\n{listed}  MANIFEST.csv\n"


def test_what_is_left_out_is_named_with_the_reason_and_has_no_sum() -> None:
    manifest, sums = lists([ROW, replace(ROW, path="b.pdf", left_out="A virus was found in it.")])
    _, there, missing = csv.reader(io.StringIO(manifest.decode(), newline=""), strict=True)
    assert (there[7], missing[0], missing[7]) == ("", "b.pdf", "A virus was found in it.")
    assert [line.split("  ")[1] for line in sums.decode().splitlines()] == ["2018/Ω report.pdf", "MANIFEST.csv"]


def test_a_path_cannot_forge_a_line() -> None:
    _, sums = lists([replace(ROW, path=f"a\n{DIGEST}  b")])
    assert len(sums.splitlines()) == 2
    assert sums.startswith(b"\\" + DIGEST.encode())
