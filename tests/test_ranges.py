"""RFC 9110: what a request with conditions and ranges gets; the oracle below reads the RFC in the slowest way."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.utils import format_datetime
from itertools import pairwise
from secrets import token_hex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from portal.ranges import (
    Answer,
    Span,
    answer,
    content_range,
    covers,
    merge,
    multipart_heads,
    multipart_length,
    multipart_tail,
    unsatisfied,
    without,
)
from tests.properties import examples

SIZE = 1000
ETAG = '"sha256-4a44dc15364204a80fe80e9039455cc1"'
OLD = '"sha256-0000000000000000000000000000dead"'
MODIFIED = datetime(1994, 11, 6, 8, 49, 37, 123456, tzinfo=UTC)
SAME_SECOND = "Sun, 06 Nov 1994 08:49:37 GMT"
SECOND_BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
SECOND_AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"

WHOLE = Answer(200, (Span(0, SIZE),))
NOT_MODIFIED = Answer(304, ())
FAILED = Answer(412, ())
UNSATISFIABLE = Answer(416, ())


def part(*pairs: tuple[int, int]) -> Answer:
    return Answer(206, tuple(Span(start, stop) for start, stop in pairs))


def ask(headers: dict[str, str], method: str = "GET", size: int = SIZE, modified: datetime | None = MODIFIED) -> Answer:
    return answer(method, headers, etag=ETAG, size=size, modified=modified)


FIRST_TEN = {"Range": "bytes=0-9"}


SINGLE = [
    ("bytes=0-99", part((0, 100))),
    ("bytes=0-0", part((0, 1))),
    ("bytes=999-999", part((999, 1000))),
    ("bytes=-5", part((995, 1000))),
    ("bytes=100-", part((100, 1000))),
    ("bytes=0-", part((0, 1000))),
    ("bytes=0-999", part((0, 1000))),
    ("bytes=0-1000", part((0, 1000))),
    ("bytes=900-5000", part((900, 1000))),
    ("bytes=-1000", part((0, 1000))),
    ("bytes=-1001", part((0, 1000))),
    ("bytes=-99999999999999999999999999", part((0, 1000))),
    ("bytes=0-99999999999999999999999999", part((0, 1000))),
    ("bytes=0-" + "9" * 5000, part((0, 1000))),
    ("bytes=00000000000000000010-00000000000000000019", part((10, 20))),
    ("bytes=" + "0" * 3000 + "10-" + "0" * 3000 + "19", part((10, 20))),
    ("Bytes=0-9", part((0, 10))),
    ("BYTES=0-9", part((0, 10))),
    (" bytes=0-9\t", part((0, 10))),
    ("bytes=0-9,", part((0, 10))),
    ("bytes=, 0-9", part((0, 10))),
    ("bytes=,,\t,0-9 ,, ", part((0, 10))),
]


@pytest.mark.parametrize(("value", "expected"), SINGLE)
def test_a_single_range_gets_its_bytes(value: str, expected: Answer) -> None:
    assert ask({"Range": value}) == expected


SEVERAL = [
    ("bytes=0-9,20-29", part((0, 10), (20, 30))),
    ("bytes=20-29, 0-9", part((20, 30), (0, 10))),
    ("bytes=0-9,10-19", part((0, 10), (10, 20))),
    ("bytes=10-19,0-9", part((10, 20), (0, 10))),
    ("bytes=0-0,-1", part((0, 1), (999, 1000))),
    ("bytes=500-,0-9", part((500, 1000), (0, 10))),
    ("bytes=0-9,1000-", part((0, 10))),
    ("bytes=-0,5-9,2000-3000", part((5, 10))),
    ("bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14", part(*((start, start + 1) for start in range(0, 16, 2)))),
]


@pytest.mark.parametrize(("value", "expected"), SEVERAL)
def test_several_ranges_are_answered_in_the_order_asked_without_the_unsatisfiable(value: str, expected: Answer) -> None:
    assert ask({"Range": value}) == expected


OVERLAPPING = [
    "bytes=0-9,5-14",
    "bytes=0-9,9-9",
    "bytes=0-,0-",
    "bytes=0-9,20-29,0-9",
    "bytes=20-29,0-99,200-299",
    "bytes=-5,990-995",
]


@pytest.mark.parametrize("value", OVERLAPPING)
def test_overlapping_ranges_get_the_whole(value: str) -> None:
    assert ask({"Range": value}) == WHOLE


TOO_MANY = [
    "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16",
    "bytes=2000-,2001-,2002-,2003-,2004-,2005-,2006-,2007-,0-9",
    "bytes=" + ",".join(f"{start}-{start}" for start in range(0, 2000, 2)),
    "bytes=" + "0-," * 2727,
]


@pytest.mark.parametrize("value", TOO_MANY)
def test_more_than_eight_ranges_get_the_whole(value: str) -> None:
    assert ask({"Range": value}) == WHOLE


BEYOND = [
    "bytes=1000-",
    "bytes=1000-1000",
    "bytes=5000-6000",
    "bytes=-0",
    "bytes=-00",
    "bytes=99999999999999999999999999-",
    "bytes=99999999999999999999999999-99999999999999999999999999",
    "bytes=" + "9" * 5000 + "-",
    "bytes=1000-,-0",
]


@pytest.mark.parametrize("value", BEYOND)
def test_only_when_no_range_can_be_had_the_answer_is_416(value: str) -> None:
    assert ask({"Range": value}) == UNSATISFIABLE


OTHER_UNITS = ["items=0-5", "items=5000-", "byte=0-5", "bytes =0-5", "byteſ=0-5", "seconds=1-2"]


@pytest.mark.parametrize("value", OTHER_UNITS)
def test_an_unknown_unit_is_ignored(value: str) -> None:
    assert ask({"Range": value}) == WHOLE


NO_RANGES = [
    "",
    "bytes",
    "bytes=",
    "bytes=,",
    "bytes= , ,",
    "bytes=-",
    "bytes=5-2",
    "bytes=0-9,5-2",
    "bytes=9000-8999",
    "bytes=999999999999999999999-100000000000000000000",
    "bytes=" + "9" * 4000 + "-" + "1" * 4000,
    "bytes=a-b",
    "bytes=0-b",
    "bytes=0",
    "bytes=0-9-",
    "bytes=--5",
    "bytes=+0-9",
    "bytes=-+5",
    "bytes=0x0-9",
    "bytes=1_0-20",
    "bytes=0 -9",
    "bytes=0- 9",
    "bytes=0.0-9",
    "bytes=0-9;10-19",
    "bytes=0-9\n",
    "bytes=\u0660-\u0669",
    "bytes=\uff10-\uff19",
    "bytes=0-\u00b2",
    "bytes=\u00a00-9",
    "bytes==0-9",
    "bytes=bytes=0-9",
    "bytes=0-9,bytes=20-29",
    "0-9",
    "bytes:0-9",
    "bytes 0-9/1000",
]


@pytest.mark.parametrize("value", NO_RANGES)
def test_what_is_not_a_set_of_ranges_is_ignored(value: str) -> None:
    assert ask({"Range": value}) == WHOLE


@pytest.mark.parametrize("value", ["bytes=0-", "bytes=0-0", "bytes=-0", "bytes=5-9,-0"])
def test_no_other_range_of_an_empty_document_can_be_had(value: str) -> None:
    assert ask({"Range": value}, size=0) == UNSATISFIABLE


@pytest.mark.parametrize("value", ["bytes=-5", "bytes=-1", "bytes=-99999999999999999999", "bytes=0-,-5", "bytes=-0,-5"])
def test_the_end_of_an_empty_document_is_all_of_it(value: str) -> None:
    assert ask({"Range": value}, size=0) == Answer(200, (Span(0, 0),))


def test_an_empty_document_is_answered_by_one_empty_span() -> None:
    assert ask({}, size=0) == Answer(200, (Span(0, 0),))


def test_without_headers_the_whole_is_answered() -> None:
    assert ask({}, modified=None) == WHOLE


@pytest.mark.parametrize("method", ["HEAD", "POST", "get"])
@pytest.mark.parametrize("value", ["bytes=0-9", "bytes=5000-", "bytes=0-9,20-29"])
def test_ranges_are_for_get_alone(method: str, value: str) -> None:
    assert ask({"Range": value}, method) == WHOLE


IF_RANGE = [
    (ETAG, part((0, 10))),
    (f" {ETAG}", part((0, 10))),
    (f"W/{ETAG}", WHOLE),
    (OLD, WHOLE),
    (ETAG.strip('"'), WHOLE),
    (f"{OLD}, {ETAG}", WHOLE),
    ("*", WHOLE),
    ("", WHOLE),
    (SAME_SECOND, WHOLE),
    (SECOND_BEFORE, WHOLE),
    (SECOND_AFTER, WHOLE),
    ("Sun Nov  6 08:49:37 1994", WHOLE),
    ("yesterday", WHOLE),
]


@pytest.mark.parametrize(("value", "expected"), IF_RANGE)
def test_if_range_gives_the_part_only_of_the_very_same_version(value: str, expected: Answer) -> None:
    assert ask(FIRST_TEN | {"If-Range": value}) == expected


def test_a_range_beyond_the_end_of_an_older_version_gets_the_whole_new_one() -> None:
    assert ask({"Range": "bytes=5000-", "If-Range": OLD}) == WHOLE


def test_if_range_alone_changes_nothing() -> None:
    assert ask({"If-Range": ETAG}) == WHOLE


IF_MATCH = [
    (ETAG, WHOLE),
    ("*", WHOLE),
    (" * ", WHOLE),
    (f"{OLD}, {ETAG}", WHOLE),
    (f"{OLD},,{ETAG} ,", WHOLE),
    (f'"a, b", {ETAG}', WHOLE),
    (OLD, FAILED),
    (f"W/{ETAG}", FAILED),
    (f"w/{ETAG}", FAILED),
    (f"{OLD}, W/{ETAG}", FAILED),
    (ETAG.strip('"'), FAILED),
    (ETAG[:-1], FAILED),
    (f"*, {ETAG}", FAILED),
    (f"{ETAG} and more", FAILED),
    ("", FAILED),
    (",", FAILED),
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize(("value", "expected"), IF_MATCH)
def test_if_match_lets_only_the_strong_tag_pass(method: str, value: str, expected: Answer) -> None:
    assert ask({"If-Match": value}, method) == expected


IF_NONE_MATCH = [
    (ETAG, NOT_MODIFIED),
    (f"W/{ETAG}", NOT_MODIFIED),
    ("*", NOT_MODIFIED),
    (f"{OLD}, W/{ETAG}", NOT_MODIFIED),
    (f"{OLD} ,, {ETAG}", NOT_MODIFIED),
    (OLD, WHOLE),
    (f"W/{OLD}", WHOLE),
    (f"w/{ETAG}", WHOLE),
    (ETAG.strip('"'), WHOLE),
    (f'"W/{ETAG[1:]}', WHOLE),
    (f"*, {ETAG}", WHOLE),
    ("", WHOLE),
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("value", "expected"), IF_NONE_MATCH)
def test_if_none_match_spares_who_has_it(method: str, value: str, expected: Answer) -> None:
    assert ask({"If-None-Match": value}, method) == expected


@pytest.mark.parametrize("value", [ETAG, f"W/{ETAG}", "*"])
def test_if_none_match_forbids_other_methods(value: str) -> None:
    assert ask({"If-None-Match": value}, "PUT") == FAILED


IF_MODIFIED_SINCE = [
    (SAME_SECOND, NOT_MODIFIED),
    (SECOND_AFTER, NOT_MODIFIED),
    (f" {SECOND_AFTER} ", NOT_MODIFIED),
    ("Sunday, 06-Nov-94 08:49:37 GMT", NOT_MODIFIED),
    ("Sun Nov  6 08:49:37 1994", NOT_MODIFIED),
    ("Wed Nov 16 08:49:37 1994", NOT_MODIFIED),
    ("Tuesday, 01-Jan-69 00:00:00 GMT", WHOLE),
    ("Monday, 31-Dec-68 00:00:00 GMT", NOT_MODIFIED),
    (SECOND_BEFORE, WHOLE),
    ("Sunday, 06-Nov-94 08:49:36 GMT", WHOLE),
    ("Sun Nov  6 08:49:36 1994", WHOLE),
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("value", "expected"), IF_MODIFIED_SINCE)
def test_if_modified_since_spares_who_has_it(method: str, value: str, expected: Answer) -> None:
    assert ask({"If-Modified-Since": value}, method) == expected


IF_UNMODIFIED_SINCE = [
    (SECOND_BEFORE, FAILED),
    (SAME_SECOND, WHOLE),
    (SECOND_AFTER, WHOLE),
    ("Sat Nov  5 08:49:37 1994", FAILED),
]


@pytest.mark.parametrize(("value", "expected"), IF_UNMODIFIED_SINCE)
def test_if_unmodified_since_lets_only_the_unchanged_pass(value: str, expected: Answer) -> None:
    assert ask({"If-Unmodified-Since": value}) == expected


NO_DATES = [
    "",
    "now",
    "784111777",
    "1994-11-06T08:49:37Z",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 CET",
    "Sun, 06 Nov 1994 08:49:37 +0000",
    "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun, 31 Feb 2094 08:49:37 GMT",
    "Sun, 31 Feb 1894 08:49:37 GMT",
    "Sun, 06 Foo 2094 08:49:37 GMT",
    "Sun, 06 Foo 1894 08:49:37 GMT",
    "Sun, 06 Nov 0000 08:49:37 GMT",
    "Sun, 06 Nov 1894 24:49:37 GMT",
    "Sun, 06 Nov 1894 08:60:37 GMT",
    "Sun, 06 Nov 1894 08:49:61 GMT",
    "Sun, 0\u0666 Nov 1894 08:49:37 GMT",
    f"{SECOND_BEFORE}, {SECOND_BEFORE}",
    f"{SECOND_AFTER}, {SECOND_AFTER}",
]


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since"])
@pytest.mark.parametrize("value", NO_DATES)
def test_what_is_not_a_date_is_ignored(name: str, value: str) -> None:
    assert ask({name: value}) == WHOLE


@pytest.mark.parametrize("value", [SECOND_BEFORE, SAME_SECOND, SECOND_AFTER])
@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since"])
def test_dates_are_ignored_when_ours_is_not_known(name: str, value: str) -> None:
    assert ask({name: value}, modified=None) == WHOLE


IN_ORDER = [
    # 1 and 2: If-Match comes first and silences If-Unmodified-Since.
    ({"If-Match": ETAG, "If-Unmodified-Since": SECOND_BEFORE}, "GET", WHOLE),
    ({"If-Match": OLD, "If-Unmodified-Since": SECOND_AFTER}, "GET", FAILED),
    ({"If-Match": OLD, "If-None-Match": ETAG}, "GET", FAILED),
    ({"If-Match": ETAG, "If-None-Match": ETAG}, "GET", NOT_MODIFIED),
    ({"If-Unmodified-Since": SECOND_BEFORE, "If-None-Match": ETAG}, "GET", FAILED),
    ({"If-Unmodified-Since": SAME_SECOND, "If-Modified-Since": SAME_SECOND}, "GET", NOT_MODIFIED),
    # 3 and 4: If-None-Match silences If-Modified-Since, which is for GET and HEAD alone.
    ({"If-None-Match": OLD, "If-Modified-Since": SAME_SECOND}, "GET", WHOLE),
    ({"If-None-Match": "", "If-Modified-Since": SAME_SECOND}, "GET", WHOLE),
    ({"If-None-Match": ETAG, "If-Modified-Since": SECOND_BEFORE}, "HEAD", NOT_MODIFIED),
    ({"If-Modified-Since": SAME_SECOND}, "POST", WHOLE),
    ({"If-Modified-Since": SAME_SECOND}, "HEAD", NOT_MODIFIED),
    ({"If-None-Match": OLD}, "PUT", WHOLE),
    # 5: a range is looked at last.
    (FIRST_TEN | {"If-Match": OLD}, "GET", FAILED),
    (FIRST_TEN | {"If-Match": ETAG}, "GET", part((0, 10))),
    (FIRST_TEN | {"If-None-Match": ETAG}, "GET", NOT_MODIFIED),
    (FIRST_TEN | {"If-None-Match": OLD}, "GET", part((0, 10))),
    (FIRST_TEN | {"If-Modified-Since": SAME_SECOND}, "GET", NOT_MODIFIED),
    (FIRST_TEN | {"If-Unmodified-Since": SECOND_BEFORE}, "GET", FAILED),
    ({"Range": "bytes=5000-", "If-None-Match": ETAG}, "GET", NOT_MODIFIED),
    ({"Range": "bytes=5000-", "If-Match": OLD}, "GET", FAILED),
    (FIRST_TEN | {"If-Match": ETAG, "If-Range": OLD}, "GET", WHOLE),
]


@pytest.mark.parametrize(("headers", "method", "expected"), IN_ORDER)
def test_conditions_are_taken_in_the_order_of_the_standard(
    headers: dict[str, str], method: str, expected: Answer
) -> None:
    assert ask(headers, method) == expected


def test_a_moment_in_another_zone_is_the_same_moment() -> None:
    local = MODIFIED.astimezone(datetime.strptime("+0530", "%z").tzinfo)
    assert ask({"If-Modified-Since": SAME_SECOND}, modified=local) == NOT_MODIFIED


def test_the_headers_of_the_framework_are_understood_in_any_case() -> None:
    headers = Headers([("range", "bytes=0-9"), ("IF-RANGE", ETAG)])
    assert answer("GET", headers, etag=ETAG, size=SIZE, modified=MODIFIED) == part((0, 10))


def test_content_range_names_the_last_position() -> None:
    assert content_range(Span(0, 100), 1000) == "bytes 0-99/1000"


def test_content_range_of_nothing_names_the_size() -> None:
    assert unsatisfied(1000) == "bytes */1000"


def test_the_length_of_a_span_is_its_number_of_bytes() -> None:
    assert Span(10, 15).length == 5


# The oracle: positions one by one, characters one by one, no expression in common with the module.


def naive_number(digits: str) -> int:
    return sum("0123456789".index(digit) * 10**place for place, digit in enumerate(reversed(digits)))


def naive_positions(element: str, size: int) -> list[int] | None:
    """Positions in a document of SIZE bytes that ELEMENT selects, None when it is no range."""
    if any(character not in "0123456789-" for character in element) or element.count("-") != 1 or element == "-":
        return None
    first, last = element.split("-")
    if not first:
        return [at for at in range(size) if size - at <= naive_number(last)]
    if last and naive_number(last) < naive_number(first):
        return None
    return [at for at in range(size) if naive_number(first) <= at and (not last or at <= naive_number(last))]


def naive_answer(value: str, size: int) -> tuple[int, list[bytes]]:
    """Status and parts of a document whose bytes count upwards."""
    document = bytes(at % 251 for at in range(size))
    if value[:6].lower() != "bytes=":
        return 200, [document]
    elements = [element.strip(" \t") for element in value[6:].split(",") if element.strip(" \t")]
    chosen = [naive_positions(element, size) for element in elements]
    if not chosen or len(chosen) > 8 or any(positions is None for positions in chosen):
        return 200, [document]
    had = [positions for positions in chosen if positions]
    if not had:
        is_end_wanted = any(element[0] == "-" and naive_number(element[1:]) for element in elements)
        return (200, [document]) if is_end_wanted and not size else (416, [])
    everything = [at for positions in had for at in positions]
    if len(set(everything)) < len(everything):
        return 200, [document]
    return 206, [bytes(document[at] for at in positions) for positions in had]


numbers = st.one_of(
    st.integers(0, 70).map(str),
    st.sampled_from(["", "0", "00", "007", "9" * 20, "1" + "0" * 20, "9" * 21, "\u0665", "+1", "x"]),
)
elements = st.one_of(
    st.tuples(st.integers(0, 70), st.integers(0, 9)).map(lambda pair: f"{pair[0]}-{pair[0] + pair[1]}"),
    st.tuples(numbers, numbers).map("-".join),
    st.sampled_from(["", " ", "\t", "-", "0-0-0"]),
)
paddings = st.sampled_from(["", "", " ", "\t "])
separators = st.tuples(paddings, st.just(","), paddings).map("".join)


@st.composite
def range_headers(draw: st.DrawFn) -> str:
    unit = draw(st.sampled_from(["bytes=", "bytes=", "bytes=", "BYTES=", "bytes", "items=", ""]))
    value = unit + draw(elements)
    for element in draw(st.lists(elements, max_size=9)):
        value += draw(separators) + element
    return value


@given(st.one_of(range_headers(), st.text(alphabet="bytes=-,0123456789 \t*", max_size=30)), st.integers(0, 64))
@examples(100)
@example("bytes=0-9,10-19", 20)
@example("bytes=0-", 0)
def test_any_range_gets_what_the_oracle_says(value: str, size: int) -> None:
    document = bytes(at % 251 for at in range(size))
    given_answer = ask({"Range": value}, size=size)
    parts = [document[span.start : span.stop] for span in given_answer.spans]
    assert (given_answer.status, parts) == naive_answer(value.strip(" \t"), size)


@given(range_headers(), st.integers(0, 64))
@examples(50)
def test_no_answer_holds_more_bytes_than_the_document(value: str, size: int) -> None:
    spans = ask({"Range": value}, size=size).spans
    assert len(spans) <= 8
    assert sum(span.length for span in spans) <= size
    assert all(0 <= span.start < span.stop <= size or span == Span(0, size) for span in spans)


@given(
    st.sampled_from(["GET", "HEAD", "PUT"]),
    st.dictionaries(
        st.sampled_from(["Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"]),
        st.one_of(st.text(), st.text(alphabet='W/"*, sha256-'), st.sampled_from([ETAG, OLD, SAME_SECOND])),
    ),
    st.integers(0, 64),
)
@examples(100)
def test_no_header_can_make_it_fail(method: str, headers: dict[str, str], size: int) -> None:
    assert ask(headers, method, size).status in {200, 206, 304, 412, 416}


@given(st.integers(0, 10**17).map(lambda microseconds: MODIFIED + timedelta(microseconds=microseconds)))
@examples(50)
def test_the_date_we_sent_is_the_date_we_know(moment: datetime) -> None:
    sent = format_datetime(moment, usegmt=True)
    earlier = format_datetime(moment - timedelta(seconds=1), usegmt=True)
    assert ask({"If-Modified-Since": sent}, modified=moment) == NOT_MODIFIED
    assert ask({"If-Modified-Since": earlier}, modified=moment) == WHOLE


def multipart(document: bytes, spans: tuple[Span, ...], boundary: str) -> bytes:
    heads = multipart_heads(spans, len(document), "application/pdf", boundary)
    parts = [head + document[span.start : span.stop] for head, span in zip(heads, spans, strict=True)]
    return b"".join(parts) + multipart_tail(boundary)


def test_the_parts_are_written_as_the_standard_shows_them() -> None:
    spans = (Span(0, 2), Span(4, 6))
    assert multipart(b"abcdefgh", spans, "B") == (
        b"\r\n--B\r\nContent-Type: application/pdf\r\nContent-Range: bytes 0-1/8\r\n\r\nab"
        b"\r\n--B\r\nContent-Type: application/pdf\r\nContent-Range: bytes 4-5/8\r\n\r\nef"
        b"\r\n--B--\r\n"
    )


@given(st.binary(min_size=1, max_size=300), st.lists(st.integers(0, 300), min_size=2, max_size=16))
@examples(50)
def test_a_mail_reader_finds_the_parts_in_a_body_of_the_length_announced(document: bytes, cuts: list[int]) -> None:
    edges = sorted({min(cut, len(document)) for cut in cuts})
    spans = tuple(Span(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=False))
    boundary = token_hex(16)
    body = multipart(document, spans, boundary)
    assert len(body) == multipart_length(spans, len(document), "application/pdf", boundary)

    message = message_from_bytes(f"Content-Type: multipart/byteranges; boundary={boundary}\r\n".encode() + body)
    parts = list(message.walk())[1:]
    assert [found.get_payload(decode=True) for found in parts] == [document[span.start : span.stop] for span in spans]
    assert [found["Content-Range"] for found in parts] == [content_range(span, len(document)) for span in spans]


intervals = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=12)


def bytes_in(pairs: list[tuple[int, int]]) -> set[int]:
    return {at for start, stop in pairs for at in range(start, stop)}


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], []),
        ([(0, 5)], [(0, 5)]),
        ([(5, 9), (0, 5)], [(0, 9)]),
        ([(0, 4), (5, 9)], [(0, 4), (5, 9)]),
        ([(0, 9), (2, 3)], [(0, 9)]),
        ([(0, 5), (3, 8), (8, 10), (20, 30)], [(0, 10), (20, 30)]),
        ([(3, 3), (9, 2)], []),
    ],
)
def test_intervals_are_merged(pairs: list[tuple[int, int]], expected: list[tuple[int, int]]) -> None:
    assert merge(pairs) == expected


@given(intervals)
@examples(100)
def test_merging_keeps_the_bytes_and_leaves_gaps_between(pairs: list[tuple[int, int]]) -> None:
    merged = merge(pairs)
    assert bytes_in(merged) == bytes_in(pairs)
    assert all(start < stop for start, stop in merged)
    assert all(one[1] < other[0] for one, other in pairwise(merged))


@given(intervals.flatmap(lambda pairs: st.tuples(st.just(pairs), st.permutations(pairs))))
@examples(50)
def test_merging_is_blind_to_order(both: tuple[list[tuple[int, int]], list[tuple[int, int]]]) -> None:
    pairs, shuffled = both
    assert merge(shuffled) == merge(pairs)


@given(intervals, st.integers(0, 40))
@examples(100)
@example([(0, 2), (2, 5)], 5)
@example([(0, 2), (3, 5)], 5)
@example([], 0)
def test_a_document_is_covered_when_every_byte_is(pairs: list[tuple[int, int]], size: int) -> None:
    assert covers(pairs, size) == (set(range(size)) <= bytes_in(pairs))


@given(intervals, st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=6))
@examples(100)
def test_what_is_cut_out_is_gone_and_nothing_else(pairs: list[tuple[int, int]], cuts: list[tuple[int, int]]) -> None:
    gaps = [(start, start + length) for start, length in cuts]
    left = without(pairs, gaps)
    assert bytes_in(left) == bytes_in(pairs) - bytes_in(gaps)
    assert all(start < stop for start, stop in left)
    assert all(one[1] < other[0] for one, other in pairwise(left))
