"""The CSV of a distribution, and patterns: what they say of files, and the sentences about what is wrong with them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.catalog.recipients import Recipient
from portal.errors import BadInput
from portal.uploads.distributing.lines import BYTES, MOST_LINES, Line, read_lines
from portal.uploads.distributing.matching import Pattern, match_lines, match_pattern, read_pattern
from tests.properties import examples

ADA, BOB = Recipient("u:1", "Ada", "4711"), Recipient("u:2", "Bob", "12")
NOW = datetime(2027, 3, 1, tzinfo=UTC)


def refusal(content: str | bytes) -> str:
    with pytest.raises(BadInput) as caught:
        read_lines(content.encode() if isinstance(content, str) else content, UTC, NOW)
    assert caught.value.field == "lines"
    return caught.value.sentence


@pytest.mark.parametrize(
    "content",
    [
        "filename,person\r\nMärz.pdf,4711\r\n".encode(),
        "\ufeffFILENAME;Person or Group\nMärz.pdf;4711\n".encode(),
        "file\treference\nMa\u0308rz.pdf\t4711\n".encode(),
        "filename,person\nMärz.pdf,4711\n".encode("utf-16"),
        "filename;person\r\nMärz.pdf;4711\r\n".encode("cp1252"),
        b'"filename","email"\n"M\xc3\xa4rz.pdf"," 4711 "\n\n,\n',
    ],
    ids=["utf-8", "mark and semicolons", "tabs and loose accents", "utf-16", "windows-1252", "quoted, empty lines"],
)
def test_a_table_is_read_as_spreadsheets_write_it(content: bytes) -> None:
    assert read_lines(content, UTC, NOW) == [Line(2, "März.pdf", "4711")]


def test_a_formula_is_text() -> None:
    lines = read_lines(b"filename,person,title\na.pdf,4711,=1+1\nb.pdf,4711,'=HYPERLINK(A1)\n", UTC, NOW)

    assert [line.title for line in lines] == ["=1+1", "=HYPERLINK(A1)"]


def test_a_date_is_over_with_its_day_in_the_zone_of_whoever_wrote_it() -> None:
    (line,) = read_lines(b"filename,person,expires\na.pdf,4711,2027-03-31\n", UTC, NOW)

    assert line.expires_at == datetime(2027, 4, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "none called filename and person"),
        ("filename\na.pdf\n", "none called person"),
        ("filename,person\n", "no line in it that names a file"),
        ("filename,person,colour\na.pdf,4711,red\n", "Line 1: there is no use for a column “colour”"),
        ("filename,person,group\na.pdf,4711,\n", "Line 1: more than one column says whose a file is"),
        ("filename,person\na.pdf,4711\na.pdf,12\n", "Line 3: a.pdf has a line already: line 2."),
        ("filename,person\na.pdf\n", "Line 2: It does not say whose the file is."),
        ("filename,person\n,4711\n", "Line 2: There is no filename."),
        ("filename,person\na.pdf,4711,more\n", "Line 2: There are 3 cells, and 2 columns."),
        ("filename,person,expiry\na.pdf,4711,soon\n", "Line 2: “soon” is no date"),
        ("filename,person,expiry\na.pdf,4711,2027-02-01\n", "Line 2: 2027-02-01 is over already."),
        ("filename,person,category\na.pdf,4711,a/../b\n", "Line 2: “..” has a meaning of its own"),
        ("filename,person,category\na.pdf,4711,1/2/3/4/5/6/7/8/9\n", "at most 8 deep"),
        ("filename,person,title\na.pdf,4711," + "x" * 400 + "\n", "longer than 300 characters"),
        ('filename,person\n"a.pdf,4711\n', "is no line of a CSV"),
        ("filename,person\n" + "x" * 200_000 + ",4711\n", "is no line of a CSV"),
        (b"\x89PNG\r\n\x1a\n\x00\x81\x8d", "no text"),
        (b"x" * (BYTES + 1), "larger than 10 MB"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_line(content: str | bytes, sentence: str) -> None:
    assert sentence in refusal(content)


def test_more_lines_than_a_distribution_takes_are_refused() -> None:
    lines = "".join(f"{number}.pdf,4711\n" for number in range(MOST_LINES + 1))

    assert "10,001 lines" in refusal("filename,person\n" + lines)


def test_many_wrong_lines_are_told_twenty_at_a_time() -> None:
    sentences = refusal("filename,person\n" + "a.pdf,\n" * 30).splitlines()

    assert len(sentences) == 21
    assert sentences[-1] == "… and 10 more."


def known(text: str) -> list[Recipient]:
    return [one for one in (ADA, BOB) if text in (one.reference, "both")]


def test_a_line_finds_its_file_whatever_the_capitals_and_the_exact_one_first() -> None:
    lines = [Line(2, "a.pdf", "4711"), Line(3, "A.pdf", "12"), Line(4, "B.PDF", "12")]

    found = match_lines(["A.pdf", "b.pdf", "c.pdf"], lines, known)

    assert [match.recipient for match in found] == [BOB, BOB, None]


def test_lines_that_differ_in_capitals_alone_say_nothing_of_a_third_spelling() -> None:
    (match,) = match_lines(["A.PDF"], [Line(2, "a.pdf", "4711"), Line(3, "A.pdf", "12")], known)

    assert (match.is_ambiguous, match.reason) == (True, "Several lines name it with other capitals: 2, 3.")


def test_a_line_that_could_mean_several_is_nobodys() -> None:
    (match,) = match_lines(["a.pdf"], [Line(2, "a.pdf", "both")], known)

    assert (match.recipient, match.reason) == (None, "It could be for any of these: Ada (4711), Bob (12).")


@pytest.mark.parametrize(
    ("pattern", "filename", "read"),
    [
        ("{reference}_*.pdf", "4711_march.pdf", {"4711"}),
        ("{reference}_*.pdf", "4711_March_final.PDF", {"4711", "4711_march"}),
        ("{reference}_*.pdf", "4711-march.pdf", set()),
        ("{reference}.pdf", "4711.pdf", {"4711"}),
        ("payslip {reference} *.pdf", "Payslip 4711 march.pdf", {"4711"}),
        ("*_{reference}.pdf", "march_4711.pdf", {"4711"}),
        ("*-*_{reference}.pdf", "a-b_c_1.pdf", {"c_1", "1"}),
        ("{email}_*", "ada@example.org_x", {"ada@example.org"}),
        ("{reference}*.pdf", ".pdf", set()),
        ("a[{reference}]?.pdf", "a[1]?.pdf", {"1"}),
    ],
)
def test_a_pattern_reads_names(pattern: str, filename: str, read: set[str]) -> None:
    assert set(read_pattern(pattern).read(filename) or ()) == read


@pytest.mark.parametrize(
    "pattern", ["", "*.pdf", "{name}.pdf", "{reference}{reference}", "{reference}/x", "*{reference}*", "{", "x" * 300]
)
def test_what_is_no_pattern_is_refused_with_a_sentence(pattern: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_pattern(pattern)
    assert caught.value.field == "pattern"


def test_a_name_that_can_be_read_in_too_many_ways_is_nobodys() -> None:
    (match,) = match_pattern(["_" * 200 + ".pdf"], read_pattern("*_{reference}_*.pdf"), known)

    assert match.is_ambiguous


@examples(200)
@given(st.text("ab_*", max_size=6), st.text("ab_", min_size=1, max_size=4), st.text("ab_*", max_size=6), st.data())
def test_whatever_fits_a_pattern_is_among_what_is_read(
    before: str, middle: str, after: str, data: st.DataObject
) -> None:
    filled = [data.draw(st.text("ab_", max_size=3)) if letter == "*" else letter for letter in before]
    rest = [data.draw(st.text("ab_", max_size=3)) if letter == "*" else letter for letter in after]
    pattern = Pattern("reference", tuple(before.split("*")), tuple(after.split("*")))

    assert middle in (pattern.read("".join([*filled, middle, *rest])) or [])
