"""The same answers as from our own blocks: every case of conditions and ranges, asked through nginx over HTTP."""

from email import message_from_bytes
from http.client import HTTPConnection

import pytest
from hypothesis import given

from portal.ranges import Answer, Span, answer
from tests import test_ranges as cases
from tests.offload.conftest import House, Reader, Reply
from tests.properties import examples
from tests.test_ranges import ETAG, FIRST_TEN, MODIFIED, SIZE, naive_answer, range_headers

pytestmark = pytest.mark.xdist_group("answers")

LONGEST = 8000
CONTENT = bytes(at % 251 for at in range(SIZE))
Asked = dict[str, str]

RANGES = [
    *(value for value, _ in cases.SINGLE + cases.SEVERAL),
    *cases.OVERLAPPING,
    *cases.TOO_MANY,
    *cases.BEYOND,
    *cases.OTHER_UNITS,
    *cases.NO_RANGES,
]
CONDITIONS: list[tuple[Asked, str]] = [
    *((FIRST_TEN | {"If-Range": value}, "GET") for value, _ in cases.IF_RANGE),
    *((rest | {"If-Match": value}, "GET") for value, _ in cases.IF_MATCH for rest in ({}, FIRST_TEN)),
    *((rest | {"If-None-Match": value}, "GET") for value, _ in cases.IF_NONE_MATCH for rest in ({}, FIRST_TEN)),
    *((rest | {"If-Modified-Since": value}, "GET") for value, _ in cases.IF_MODIFIED_SINCE for rest in ({}, FIRST_TEN)),
    *(
        (rest | {"If-Unmodified-Since": value}, "GET")
        for value, _ in cases.IF_UNMODIFIED_SINCE
        for rest in ({}, FIRST_TEN)
    ),
    *(({name: value}, "GET") for value in cases.NO_DATES for name in ("If-Modified-Since", "If-Unmodified-Since")),
    *((headers, method) for headers, method, _ in cases.IN_ORDER if method in ("GET", "HEAD")),
    *(({"Range": value}, "HEAD") for value in ("bytes=0-9", "bytes=5000-", "bytes=0-9,20-29")),
]


def can_be_sent(headers: Asked) -> bool:
    """Whether the values can stand in a request at all, within what nginx takes of one line.

    Not with a tab at an end: see the test of it below.
    """
    return all(
        len(text) < LONGEST
        and not set(text) & set("\r\n")
        and max(map(ord, text), default=0) < 256
        and text.strip(" ") == text.strip(" \t")
        for text in headers.values()
    )


class Desk:
    """A document of SIZE bytes that was changed at MODIFIED, and somebody who asks for it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.reader: Reader = house.reader()
        self.document_id = house.document(CONTENT)
        house.change_version(self.document_id, created_at=MODIFIED)
        self._path = f"/documents/{self.document_id}/download"
        etag = house.ask(self._path, method="HEAD", reader=self.reader).get("etag")
        assert etag is not None
        self.etag = etag

    def ask(self, headers: Asked, method: str = "GET") -> Reply:
        """The headers as they are, the tag of the cases replaced by that of the document."""
        connection = HTTPConnection("127.0.0.1", self.house.nginx.port, timeout=60)
        connection.putrequest(method, self._path)
        connection.putheader("Cookie", self.reader.cookie)
        for name, value in self.real(headers).items():
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders()
        found = connection.getresponse()
        named = [(name.lower(), value) for name, value in found.getheaders()]
        reply = Reply(found.status, named, found.read())
        connection.close()
        return reply

    def real(self, headers: Asked) -> Asked:
        """With the tag of the document."""
        return {name: value.replace(ETAG.strip('"'), self.etag.strip('"')) for name, value in headers.items()}

    def expected(self, headers: Asked, method: str) -> Answer:
        """What ranges.answer says."""
        return answer(method, self.real(headers), etag=self.etag, size=SIZE, modified=MODIFIED)

    def count_handed_over(self) -> int:
        """How many transfers nginx has written down so far."""
        return len(self.house.nginx.lines)

    def has_handed_over(self, number: int) -> bool:
        """Whether it has written down so many by now, and no more."""
        return self.house.has_written(number)


@pytest.fixture(scope="module")
def desk(house: House) -> Desk:
    return Desk(house)


def parts_of(reply: Reply) -> list[bytes]:
    """The bytes of a 200 or 206, in parts."""
    kind = reply.get("content-type") or ""
    if not kind.startswith("multipart/byteranges"):
        return [reply.body]
    message = message_from_bytes(f"Content-Type: {kind}\r\n".encode() + reply.body)
    return [part.get_payload(decode=True) for part in list(message.walk())[1:]]  # type: ignore[misc]


def require_same(reply: Reply, expected: Answer, method: str) -> None:
    """The status, the bytes and the headers that tell of them are those that were decided."""
    assert reply.status == expected.status
    assert reply.get("accept-ranges") == "bytes"
    if method == "HEAD" or expected.status not in (200, 206):
        assert reply.body == b""
    else:
        assert parts_of(reply) == [CONTENT[span.start : span.stop] for span in expected.spans]
        assert reply.get("content-length") == str(len(reply.body))
    extent = {206: f"bytes {expected.spans[0].start}-{expected.spans[0].stop - 1}/{SIZE}"} if expected.spans else {}
    extent |= {416: f"bytes */{SIZE}"}
    wanted = extent.get(expected.status) if len(expected.spans) < 2 else None
    assert reply.get("content-range") == wanted


@pytest.mark.parametrize("value", [value for value in RANGES if can_be_sent({"Range": value})])
def test_any_range_gets_the_same_through_nginx(desk: Desk, value: str) -> None:
    reply = desk.ask({"Range": value})

    require_same(reply, desk.expected({"Range": value}, "GET"), "GET")


@pytest.mark.parametrize(("headers", "method"), [asked for asked in CONDITIONS if can_be_sent(asked[0])])
def test_any_condition_gets_the_same_through_nginx(desk: Desk, headers: Asked, method: str) -> None:
    reply = desk.ask(headers, method)

    require_same(reply, desk.expected(headers, method), method)


def test_without_headers_the_whole_is_answered_by_nginx(desk: Desk) -> None:
    before = desk.count_handed_over()

    require_same(desk.ask({}), Answer(200, (Span(0, SIZE),)), "GET")

    assert desk.has_handed_over(before + 1)


@pytest.mark.parametrize(
    ("headers", "is_handed_over"),
    [
        ({"Range": "bytes=0-9"}, True),
        ({"Range": "BYTES=-5"}, True),
        ({"Range": "bytes=900-"}, True),
        ({"Range": "items=0-5"}, True),
        ({"Range": "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16"}, True),
        ({"Range": "bytes=0-9", "If-Range": ETAG}, True),
        ({"Range": "bytes=0-9", "If-Range": cases.SAME_SECOND}, True),
        ({"Range": "bytes=0-9", "If-Range": cases.OLD}, True),
        ({"If-None-Match": cases.OLD, "If-Modified-Since": cases.SAME_SECOND}, True),
        ({"Range": "bytes=0-9,20-29"}, False),
        ({"Range": "bytes=0-9,"}, False),
        ({"Range": "bytes=0-99999999999999999999999999"}, False),
        ({"If-Match": ETAG}, False),
        ({"If-Unmodified-Since": cases.SAME_SECOND}, False),
        ({"If-None-Match": ETAG}, False),
        ({"Range": "bytes=1000-"}, False),
    ],
)
def test_nginx_sends_what_it_cannot_get_wrong(desk: Desk, headers: Asked, is_handed_over: bool) -> None:
    before = desk.count_handed_over()

    desk.ask(headers)

    assert desk.has_handed_over(before + is_handed_over)


def test_a_range_of_an_empty_document_cannot_be_had(house: House, desk: Desk) -> None:
    empty = house.document(b"")

    assert house.fetch(empty, desk.reader, {"Range": "bytes=0-0"}).status == 416
    assert (house.fetch(empty, desk.reader).status, house.fetch(empty, desk.reader).body) == (200, b"")


def test_ranges_sent_twice_are_no_range(desk: Desk) -> None:
    connection = HTTPConnection("127.0.0.1", desk.house.nginx.port, timeout=60)
    connection.putrequest("GET", f"/documents/{desk.document_id}/download")
    for name, value in (("Cookie", desk.reader.cookie), ("Range", "bytes=0-9"), ("Range", "bytes=20-29")):
        connection.putheader(name, value)
    connection.endheaders()
    found = connection.getresponse()

    assert (found.status, found.read()) == (200, CONTENT)
    connection.close()


@examples(50)
@given(value=range_headers())
def test_any_header_gets_the_slices_the_oracle_says(desk: Desk, value: str) -> None:
    if not can_be_sent({"Range": value}):
        return
    reply = desk.ask({"Range": value})

    status, parts = naive_answer(value.strip(" \t"), SIZE)
    assert reply.status == status
    if status != 416:
        assert parts_of(reply) == parts


def test_a_range_with_a_tab_at_its_end_is_refused_and_claims_nothing(house: House, desk: Desk) -> None:
    """The one difference: nginx takes the tab for a part of the value (RFC 9110, 5.5, does not); we never see it."""
    reader, before = house.reader(), desk.count_handed_over()

    assert house.fetch(desk.document_id, reader, {"Range": "bytes=0-9\t"}).status == 416

    assert desk.has_handed_over(before + 1)
    house.catch_up()
    (row,) = [row for row in house.rows(desk.document_id) if row.user_id == reader.user_id]
    assert (row.state, row.intervals, row.bytes_sent) == ("aborted", [], 0)


def test_after_all_of_it_no_transfer_is_waited_for(house: House, desk: Desk) -> None:
    assert house.catch_up().strange == 0

    assert {row.state for row in house.rows(desk.document_id)} <= {"completed", "started", "aborted"}
