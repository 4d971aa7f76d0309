"""What is typed into a query is read without complaint; of what cannot be read a sentence tells."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.search import Query, parse
from portal.search.parsing import LONGEST_QUERY, MOST_PARTS, MOST_TOKENS
from portal.search.tokens import LONGEST, spans, tokens
from tests.properties import examples


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Annual REPORT", "annual report"),
        ("Rechnung-2024_0815.pdf", "rechnung 2024 0815 pdf"),
        ("Größe & Gewicht", "grosse gewicht"),
        ("Re\u0301sume\u0301 résumé", "resume resume"),
        ("ﬁnance ＡＢＣ co\u00adoperation", "finance abc cooperation"),
        ("東京都の報告書2018", "東 京 都 の 報 告 書 2018"),
        ("カ\u3099ス ガス", "ガ ス ガ ス"),
        ("한국어 \u1112\u1161\u11ab", "한국어 한"),
        ("हिन्दी", "हिन्दी"),
        ("=c1 '; DROP--", "c1 drop"),
        ("\x00\ud800", ""),
        ("x²", "x2"),
        ("İstanbul", "istanbul"),
        ("a" * 100, "a" * LONGEST),
    ],
)
def test_a_text_is_its_letters_and_digits(text: str, expected: str) -> None:
    assert " ".join(tokens(text)) == expected


@given(st.text())
@examples(200)
def test_each_token_is_where_it_is_said_to_be(text: str) -> None:
    for token, start, end in spans(text):
        assert token in tokens(text[start:end]) or len(token) == LONGEST
        assert tokens(token) == [token]


def meant(query: Query) -> list[str]:
    """The parts in short."""
    sign = {True: "-", False: ""}
    return [
        f"{sign[part.is_excluded]}{part.kind}:{' '.join(part.tokens) or part.value}{'*' if part.is_prefix else ''}"
        for part in query.parts
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("annual report", ["words:annual", "words:report"]),
        ("annual Annual ANNUAL", ["words:annual"]),
        ('"annual report" rep*', ["words:annual report", "words:rep*"]),
        ('-draft -"old one" -tag:x -type:pdf', ["-words:draft", "-words:old one", "-tag:x", "-type:pdf"]),
        ("--draft - -- a-b", ["-words:draft", "words:a b"]),
        ('in:"a b/c" in:/x/y/', ["in:a b/c", "in:x/y"]),
        ("TYPE:.PDF type:tar.gz type:*.csv", ["type:pdf", "type:targz", "type:csv"]),
        ('by:me by:"Ada Byron"', ["by:me", "by:Ada Byron"]),
        ("foo:bar 12:30 http://example.org/x", ["words:foo", "words:bar", "words:12", "words:30", "words:http",
                                                "words:example org x"]),
        ("after: x", ["words:x"]),
        ("“annual report” «a b»", ["words:annual report", "words:a b"]),
        ("a* 東*", ["words:a", "words:東*"]),
        ("*port* *0815", ["words:port", "words:0815"]),
    ],
)  # fmt: skip
def test_a_query_is_its_parts(text: str, parts: list[str]) -> None:
    assert meant(parse(text)) == parts


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('"annual report', "A quotation mark is missing: everything after the first one was taken as one phrase."),
        ("after:soon", "after:soon has no date that can be read. Write it like after:2026-01-31."),
        ("before:2026-02-31", "before:2026-02-31 has no date that can be read. Write it like before:2026-01-31."),
        ("type: pdf", "Write what you look for right after type: without a space."),
        ('tag:""', "Write what you look for right after tag: without a space."),
        ("an*al", "A * stands at the end of a word, or before and after a part of one."),
        ("a*", "At least 2 letters are needed before a *."),
        ("x" * 2000, f"Only the first {LONGEST_QUERY:,} characters were read."),
        (" ".join(map(str, range(50))), f"Only the first {MOST_PARTS} words were looked for."),
        ("-".join("abc" for _ in range(100)), "This is too much to look for at once: the first 60 words count."),
        ("annual\x00report", "A sign that nobody can write was taken for a space."),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(text: str, sentence: str) -> None:
    assert parse(text).problems == (sentence,)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("東" * 65, ["words:" + " ".join("東" * 60)]),
        ('"' + "ab " * 70 + '"*', ["words:" + " ".join(["ab"] * 60)]),
        ("東" * 58 + " one-two-three four", ["words:" + " ".join("東" * 58), "words:one two"]),
    ],
    ids=["a sentence", "a phrase", "several"],
)
def test_of_more_than_is_looked_for_at_once_the_beginning_is(text: str, parts: list[str]) -> None:
    assert meant(parse(text)) == parts


@pytest.mark.parametrize(
    "text", ["", " ", '"', '""', "-", "* ** -*", "&", "\x01", "\ud800", "(((", "' OR 1=1", "a:b:c::"]
)
def test_nothing_is_complained_about_without_need(text: str) -> None:
    assert all(problem.startswith("A quotation mark is missing") for problem in parse(text).problems)


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("after:2026", datetime(2026, 1, 1, tzinfo=UTC), None),
        ("before:2026-03", None, datetime(2026, 3, 1, tzinfo=UTC)),
        ("after:2026-01-31 before:2027", datetime(2026, 1, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("after:31.1.2026", datetime(2026, 1, 31, tzinfo=UTC), None),
        ("after:2025 after:2026", datetime(2026, 1, 1, tzinfo=UTC), None),
        ("-after:2026", None, datetime(2026, 1, 1, tzinfo=UTC)),
        ("after:0001", datetime(1, 1, 1, tzinfo=UTC), None),
    ],
)
def test_dates_are_days_months_or_years(text: str, since: datetime | None, until: datetime | None) -> None:
    assert (parse(text).since, parse(text).until, parse(text).problems) == (since, until, ())


def test_a_day_begins_where_the_reader_is() -> None:
    assert parse("after:2026-07-01", ZoneInfo("Europe/Berlin")).since == datetime(2026, 6, 30, 22, tzinfo=UTC)


SIGNS = st.text(st.sampled_from("ab1 \"*-:.='\\()&|!<>%_\x00\ud800“é東"), max_size=60)


@given(st.one_of(st.text(max_size=300), SIGNS))
@examples(300)
def test_whatever_is_typed_is_a_query(text: str) -> None:
    query = parse(text)
    assert sum(len(part.tokens) for part in query.parts) <= MOST_TOKENS
    assert all(0 <= part.start <= part.end <= len(query.text) for part in query.parts)
    assert all(part.value for part in query.parts)


@pytest.mark.parametrize(
    "text", ['"' * 100_000, "-" * 100_000, "a:" * 50_000, ":" * 100_000, "*" * 100_000, "a\u0301" * 50_000]
)
def test_a_huge_query_is_read_in_no_time(text: str) -> None:
    assert len(parse(text).text) <= LONGEST_QUERY
