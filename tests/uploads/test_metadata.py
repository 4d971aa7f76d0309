"""What a CSV says of documents: read as spreadsheets write it, refused with the lines that are wrong."""

import csv
import io
from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import BadInput
from portal.uploads.metadata import Row, read_metadata

HEADER = "path,title,tags\n"


def rows(text: str, encoding: str = "utf-8") -> dict[str, Row]:
    return read_metadata(text.encode(encoding)).rows


def refusal(content: bytes) -> str:
    with pytest.raises(BadInput) as caught:
        read_metadata(content)
    return caught.value.sentence


def test_each_column_says_one_thing() -> None:
    text = (
        "Path,Title,Description,Tags,Reference,Responsible,Published,Expires,Invoice number\n"
        'sub/a.pdf,A title,"two\nlines",red; dark red,F-17,ada@example.org,2026-02-01,2026-03-01,0815\n'
    )
    found = read_metadata(text.encode())
    assert found.fields == ("Invoice number",)
    assert found.rows == {
        "sub/a.pdf": Row(
            line=3,
            path="sub/a.pdf",
            title="A title",
            description="two\nlines",
            tags=("red", "dark red"),
            reference="F-17",
            responsible="ada@example.org",
            published_at=datetime(2026, 2, 1, tzinfo=UTC),
            expires_at=datetime(2026, 3, 2, tzinfo=UTC),
            fields={"Invoice number": "0815"},
        )
    }


def test_an_empty_cell_says_nothing() -> None:
    assert rows(HEADER + "a.pdf,,\n") == {"a.pdf": Row(line=2, path="a.pdf")}


def test_a_document_may_stay_a_draft() -> None:
    row = rows("path,published\na.pdf,Draft\n")["a.pdf"]
    assert (row.is_draft, row.published_at) == (True, None)


def test_moments_without_a_zone_are_of_the_portals_zone() -> None:
    found = read_metadata(b"path,published\na.pdf,2026-07-01T12:00\n", ZoneInfo("Europe/Berlin")).rows
    assert found["a.pdf"].published_at == datetime(2026, 7, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_spreadsheets_write_is_read(encoding: str, delimiter: str) -> None:
    text = f"path{delimiter}title\r\nü.pdf{delimiter}Größe\r\n"
    assert rows(text, encoding)["ü.pdf"].title == "Größe"


@pytest.mark.parametrize("path", ["./sub/a.pdf", "sub\\a.pdf", "/sub/a.pdf"])
def test_a_path_may_be_written_as_other_systems_do(path: str) -> None:
    assert set(rows(f"path\n{path}\n")) == {"sub/a.pdf"}


def test_accents_are_the_same_however_they_are_written() -> None:
    assert set(rows("path\ne\u0301.pdf\n")) == {"\u00e9.pdf"}


@pytest.mark.parametrize("text", ["=1+1", "+49 30 1", "-5", "@name", '=HYPERLINK("http://x.example")'])
def test_a_formula_is_the_text_it_is(text: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["path", "title"], ["a.pdf", text]])
    assert rows(out.getvalue())["a.pdf"].title == text


def test_an_apostrophe_that_guards_a_formula_is_taken_away() -> None:
    assert rows("path,title\na.pdf,'=1+1\n")["a.pdf"].title == "=1+1"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "must name the columns"),
        (b"title,tags\nA,b\n", "must name the columns"),
        (b"path,title,Title\na,b,c\n", "more than once"),
        (b"path,file\na,b\n", "more than once"),
        (b"path\na.pdf,too,many\n", "Line 2: There are 3 cells, and 1 columns."),
        (b"path,title\n,no path\n", "Line 2: There is no path."),
        (b"path\na.pdf\na.pdf\n", "Line 3: a.pdf has a row already, in line 2."),
        (b"path,published\na.pdf,soon\n", "no date"),
        (b"path,expires\na.pdf,2026-02-30\n", "no date"),
        (b"path,title\na.pdf,\xff\n", "no text in UTF-8: look at line 2"),
        (b"path,title\na.pdf,b\x00c\n", "zero bytes"),
        (b'path,title\na.pdf,"unclosed\n', "no line of a CSV"),
        (b"\xff\xfea", "no text"),
    ],
)
def test_what_is_no_such_file_is_refused_with_the_place(content: bytes, words: str) -> None:
    assert words in refusal(content)


def test_of_many_broken_lines_the_first_are_told_and_the_others_counted() -> None:
    told = refusal(b"path,published\n" + b"".join(b"%d.pdf,never\n" % number for number in range(50)))
    assert told.count("Line ") == 20
    assert "30 more" in told


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with suppress(BadInput):
        read_metadata(b"path,title,published\n" + content)
