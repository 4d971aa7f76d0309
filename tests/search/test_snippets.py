"""A piece of a text around what was looked for, with its words marked."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.search import parse, snippet
from tests.properties import examples


def marked(query: str, text: str, length: int = 200) -> str:
    return "".join(f"[{piece}]" if is_marked else piece for piece, is_marked in snippet(parse(query), text, length))


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("", "", ""),
        ("report", "The Report of the reports.", "The [Report] of the reports."),
        ("rep*", "The Report of the reports.", "The [Report] of the [reports]."),
        ("*port*", "The Report of the reports.", "The [Report] of the [reports]."),
        ("resume", "Re\u0301sume\u0301 and RÉSUMÉ", "[Re\u0301sume\u0301] and [RÉSUMÉ]"),
        ("strasse", "In der Straße.", "In der [Straße]."),
        ("報告", "東京都の報告書", "東京都の[報][告]書"),
        ("-report type:pdf", "The report", "The report"),
        ("annual-report", "annual\n\n report", "[annual] [report]"),
    ],
)
def test_words_are_marked_as_they_are_found(query: str, text: str, expected: str) -> None:
    assert marked(query, text) == expected


def test_a_long_text_is_cut_around_the_words() -> None:
    text = f"{'one two three ' * 40}here is the needle you look for{' four five six' * 40}"

    piece = marked("needle", text, 60)

    assert "[needle]" in piece
    assert piece.startswith("…")
    assert piece.endswith("…")
    assert len(piece) <= 66


def test_a_long_text_without_the_words_is_cut_after_its_beginning() -> None:
    assert marked("other", "one two three four five", 16) == "one two three…"


@given(st.text(max_size=400), st.text(max_size=20), st.integers(1, 100))
@examples(200)
def test_a_piece_is_of_the_text_and_no_longer(text: str, query: str, length: int) -> None:
    pieces = snippet(parse(query), text, length)
    whole = "".join(piece for piece, _ in pieces).strip("…")
    assert len(whole) <= length


def test_a_long_text_of_nothing_but_what_was_looked_for_is_cut_in_no_time() -> None:
    before = process_time()

    snippet(parse("ab"), "ab " * 20_000)

    assert process_time() - before < 4
