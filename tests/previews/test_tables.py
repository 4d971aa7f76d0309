"""Tables: the first rows of CSV, TSV and XLSX, whatever wrote them."""

import io
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from portal.previews.fence import Made, Refused
from portal.previews.fenced.tables import delimiter_of
from tests.previews.samples import MIB, looked_at, made

CSV, TSV = "text/csv", "text/tab-separated-values"


def table(directory: Path, content: bytes, content_type: str = CSV) -> Made:
    return made(directory, content, "tables", content_type)


def rows(found: Made) -> list[list[str]]:
    assert found.table is not None
    shown: list[list[str]] = json.loads(found.table)["rows"]
    return shown


def workbook(*lines: list[Any], sheets: int = 1) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for line in lines:
        sheet.append(line)
    for number in range(1, sheets):
        book.create_sheet(f"Other {number}").append(["elsewhere"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_the_header_and_the_rows_are_shown_and_counted(tmp_path: Path) -> None:
    found = table(tmp_path, b"name,born\nAda,1815\nGrace,1906\n")
    assert rows(found) == [["name", "born"], ["Ada", "1815"], ["Grace", "1906"]]
    assert (found.total, found.text) == (2, "name,born\nAda,1815\nGrace,1906\n")


def test_fifty_rows_of_many_are_shown_and_all_counted(tmp_path: Path) -> None:
    found = table(tmp_path, b"number\n" + b"".join(b"%d\n" % number for number in range(1461)))
    assert (len(rows(found)), found.total) == (51, 1461)


def test_more_than_is_read_is_counted_too(tmp_path: Path) -> None:
    line = b'"a ""quoted"" cell\nof two lines",' + b"x" * 60 + b"\n"
    content = b"one,two\n" + line * (3 * MIB // len(line))
    found = table(tmp_path, content)
    assert found.total == 3 * MIB // len(line)
    assert rows(found)[1] == ['a "quoted" cell\nof two lines', "x" * 60]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16", "cp1252"])
def test_every_usual_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    found = table(tmp_path, "Größe;Preis\n1;zwölf\n".encode(encoding))
    assert (rows(found), found.total) == ([["Größe", "Preis"], ["1", "zwölf"]], 1)


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n", ";"),
        ("a\tb\n1,5\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ('"a;b;c",d\n"e;f;g",h\n', ","),
        ("one\ntwo\n", ","),
        ("", ","),
    ],
)
def test_what_parts_the_cells_is_told_from_the_first_lines(text: str, delimiter: str) -> None:
    assert delimiter_of(text) == delimiter


def test_tabs_part_the_cells_of_a_tsv(tmp_path: Path) -> None:
    assert rows(table(tmp_path, b"a,1;x\tb\n", TSV)) == [["a,1;x", "b"]]


def test_cells_and_columns_are_cut(tmp_path: Path) -> None:
    found = table(tmp_path, b",".join([b"x" * 500] * 45) + b"\n")
    assert json.loads(found.table or "")["columns"] == 45
    assert [len(row) for row in rows(found)] == [30]
    assert rows(found)[0][0] == "x" * 199 + "…"


def test_short_rows_are_filled_up(tmp_path: Path) -> None:
    assert rows(table(tmp_path, b"a,b,c\n1\n\n,,\n")) == [["a", "b", "c"], ["1", "", ""]]


def test_old_line_ends_are_line_ends(tmp_path: Path) -> None:
    assert rows(table(tmp_path, b"a,b\r1,2\r")) == [["a", "b"], ["1", "2"]]


def test_a_line_of_ten_megabytes_is_cut(tmp_path: Path) -> None:
    found = table(tmp_path, b"a,b\n" + b"x" * (10 * MIB) + b",y\n1,2\n")
    assert (rows(found)[0], found.total) == (["a", "b"], 2)
    assert len(rows(table(tmp_path, b'"' + b"x" * (10 * MIB)))) == 1


@pytest.mark.parametrize(("content", "word"), [(b"", "empty"), (b"\n\n,\n", "empty"), (b"a\0b", "binary")])
def test_what_is_no_table_says_why(tmp_path: Path, content: bytes, word: str) -> None:
    assert looked_at(tmp_path, content, "tables", CSV) == Refused(word)


def test_a_workbook_shows_its_first_sheet(tmp_path: Path) -> None:
    lines: list[list[Any]] = [
        ["Name", "Born", "Share", "Is", "Seen"],
        ["Ada", date(1815, 12, 10), 0.1 + 0.2, True, datetime(2026, 11, 17, 14, 20)],  # noqa: DTZ001 - cells know no zones
        [None, None, 1.0, False, None],
    ]
    found = made(tmp_path, workbook(*lines, sheets=3), "workbooks")
    assert rows(found) == [
        ["Name", "Born", "Share", "Is", "Seen"],
        ["Ada", "1815-12-10", "0.3", "TRUE", "2026-11-17 14:20"],
        ["", "", "1", "FALSE", ""],
    ]
    assert found.total == 2
    assert "Ada\t1815-12-10" in (found.text or "")


def test_many_rows_of_a_workbook_are_counted(tmp_path: Path) -> None:
    found = made(tmp_path, workbook(*[[number, "x"] for number in range(300)]), "workbooks")
    assert (len(rows(found)), found.total) == (51, 299)


def test_a_workbook_in_which_nothing_stands_is_empty(tmp_path: Path) -> None:
    assert looked_at(tmp_path, workbook(), "workbooks") == Refused("empty")


def test_a_zip_that_is_no_workbook_is_none(tmp_path: Path) -> None:
    content = workbook(["x"]).replace(b"xl/workbook.xml", b"xl/worksome.xml")
    assert isinstance(looked_at(tmp_path, content, "workbooks"), Refused)
