"""Search: words in, a condition out, the same on both databases."""

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import select

from portal.catalog import put_document
from portal.catalog.documents import Facts
from portal.extensions import db
from portal.models import Document
from portal.search import MOST_CHARACTERS, MOST_WORDS, matches, text_of, words_of
from tests import makers
from tests.properties import examples


def test_words_are_folded_and_told_apart_by_blanks() -> None:
    assert words_of("  Annual\tREPORT\n2025 ") == ["annual", "report", "2025"]


def test_a_word_given_twice_is_one() -> None:
    assert words_of("a A ａ") == ["a"]


def test_words_have_a_most() -> None:
    assert len(words_of(" ".join(map(str, range(20))))) == MOST_WORDS
    assert words_of("x" * 1000) == ["x" * MOST_CHARACTERS]


@pytest.mark.parametrize("query", ["", " ", "\x00", "\ud800", "\u200b\u00ad", "\n\t"])
def test_what_cannot_be_seen_is_no_word(query: str) -> None:
    assert words_of(query) == []


def test_what_no_text_can_have_parts_words() -> None:
    assert words_of("a\x00b\ud800c") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Straße", "STRASSE"),
        ("ﬁnance", "finance"),
        ("Re\u0301sume\u0301", "r\u00e9sum\u00e9"),
        ("co\u00adoperation", "cooperation"),
        ("cooperation", "co\u00adoperation"),
        ("ＡＢＣ", "abc"),
        ("İstanbul", "i\u0307stanbul"),
    ],
)
def test_spellings_that_look_alike_are_alike(text: str, query: str) -> None:
    assert all(word in text_of(text, "x.pdf") for word in words_of(query))


@pytest.mark.usefixtures("context")
def test_every_word_must_stand_in_title_or_filename() -> None:
    shelf = makers.category()
    for title, filename in [("Größe & Gewicht", "weights_2025.CSV"), ("100% sure", "a\\b.pdf"), ("[x]* ?", "c.pdf")]:
        put_document(None, shelf.id, filename, makers.content_of(), facts=Facts(title=title))

    expected = {
        **{"größe": 1, "GRÖSSE": 1, "gewicht csv": 1, "gewicht pdf": 0, "weights größe": 1, "2025": 1},
        **{"100%": 1, "%": 1, "_": 1, "\\": 0, "[x]*": 1, "?": 1, "'": 0, '"': 0, "%%": 0, "100_": 0},
    }
    found = {query: search(query) for query in expected}
    assert found == expected


def search(query: str) -> int:
    """How many documents have the words."""
    return len(db.session.scalars(select(Document.id).where(matches(words_of(query)))).all())


@pytest.mark.usefixtures("context")
def test_no_words_narrow_nothing() -> None:
    put_document(None, makers.category().id, "a.pdf", makers.content_of())

    assert search("") == 1


@pytest.mark.usefixtures("context")
@examples(15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(max_size=60))
def test_no_query_is_too_odd_for_a_database(query: str) -> None:
    assert search(query) == 0 or words_of(query) == []
