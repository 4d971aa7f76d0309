"""Group A.9 of the attack table, its first part: ranges and conditions, at every door to bytes.

What a header means is held against an oracle of its own in ``tests/test_ranges.py``, and through nginx in
``tests/offload/test_answers.py``. Here the doors are asked, and it is counted what leaves.
"""

import random
import re
from email import message_from_bytes
from hashlib import sha256
from itertools import product

import pytest
from sqlalchemy import select

from portal.extensions import db
from portal.models import Category, Version
from portal.shares import reserve
from tests import makers
from tests.attacks.oracle import ON_BOTH, Answer, Target

pytestmark = pytest.mark.xdist_group("attacks-bytes")

CONTENT = bytes(random.Random(9).randbytes(30_000))
SIZE = len(CONTENT)
WRITES = {"downloads", "share_links"}
HUGE = "9" * 4_000
ROOM = 4096
"""So much more than the document a clumsy request may make the portal send."""


@pytest.fixture(params=["document", "version", "door", "link", "ticket", "zip"])
def door(request: pytest.FixtureRequest, target: Target) -> tuple[str, bytes]:
    """The address of a door to bytes, and all its bytes."""
    with target.app.app_context():
        shelf = makers.category(f"pdf/ranges {request.param}")
        document = makers.document(shelf, "ranges.pdf", CONTENT)
        _, token = makers.link(document)
        ticket = reserve(token, None, network=makers.NETWORK, agent="tests")
        names = {"uuid": document.uuid, "id": document.id}
    address = {
        "document": f"/documents/{names['uuid']}/download",
        "version": f"/documents/{names['id']}/versions/1/download",
        "door": f"/get-pdf/{names['uuid']}",
        "link": f"/s/{token}",
        "ticket": f"/t/{ticket}",
        "zip": f"/categories/pdf/ranges%20{request.param}/download",
    }[request.param]
    whole = target.ask(address, 200, writes=WRITES).body if request.param == "zip" else CONTENT
    return address, whole


SLICES: list[tuple[str, int, int | None]] = [
    ("bytes=0-99", 0, 100),
    ("bytes=-5", -5, None),
    ("bytes=100-", 100, None),
    ("bytes=29999-99999999999", 29_999, None),
    (f"bytes=100-{HUGE}", 100, None),
    ("bytes=0-9,", 0, 10),
    ("bytes=, 0-9", 0, 10),
    ("BYTES=,,0-9,,", 0, 10),
]


def test_a_range_is_that_slice_at_every_door(target: Target, door: tuple[str, bytes]) -> None:
    """A215 A219"""
    address, whole = door
    with target.untouched(WRITES):
        for value, start, stop in SLICES:
            answer = target.ask(address, 206, headers={"Range": value})
            first, end, _ = slice(start, stop).indices(len(whole))
            assert answer.body == whole[first:end], value
            assert answer.header("Content-Range") == f"bytes {first}-{end - 1}/{len(whole)}"
            assert answer.header("Content-Length") == str(end - first)


IGNORED = [
    "bytes=5-2", "bytes=a-b", "bytes=", "bytes", "bytes=-", "bytes=--5", "bytes=0--5", "bytes=-5-", "bytes=0-9-",
    "bytes=0x0-0x9", "bytes=0-1e3", "bytes=+0-9", "bytes=0 - 9", "bytes=\u0661-\u0662", "items=0-5", "bytes 0-9",
    "=0-9", "0-9", "bytes=0-9;1-2", f"bytes={HUGE}-{HUGE[:-1]}", "bytes==0-9", "bytes=1.0-2.0", "none",
]  # fmt: skip


def test_what_is_no_range_gets_the_whole(target: Target) -> None:
    """A217 A218"""
    address = own(target)
    with target.untouched(WRITES):
        for value in IGNORED:
            answer = target.ask(address, 200, headers={"Range": value})
            assert (answer.body, answer.header("Content-Range")) == (CONTENT, ""), value


def test_a_range_beyond_every_size_is_a_416_at_every_door(target: Target, door: tuple[str, bytes]) -> None:
    """A217"""
    address, whole = door
    beyond = [f"{len(whole)}-", "-0", "-00000", f"{HUGE}-", f"{HUGE}-{HUGE}", "18446744073709551616-"]
    beyond += ["9223372036854775807-9223372036854775808", "4294967296-"]
    with target.untouched():
        for value in beyond:
            answer = target.ask(address, 416, headers={"Range": f"bytes={value}"})
            assert answer.header("Content-Range") == f"bytes */{len(whole)}"
            assert answer.body == b""


BOMBS = {
    "the killer of Apache": "bytes=0-," + ",".join(f"5-{number}" for number in range(5, 1300)),
    "a thousand times all": "bytes=" + ",".join(["0-"] * 1_000),
    "a thousand bytes apart": "bytes=" + ",".join(f"{n * 20}-{n * 20}" for n in range(700)),
    "at the limit of a header": "bytes=" + ("0-0," * 2_050)[:8_170],
    "only commas": "bytes=" + "," * 8_000,
    "nine": "bytes=" + ",".join(f"{n * 100}-{n * 100 + 9}" for n in range(9)),
    "two that overlap": "bytes=0-19999,10000-29999",
    "all and its end": "bytes=0-,-1",
    "two that are one": "bytes=7-7,7-7",
}


def test_a_bomb_of_ranges_gets_no_more_than_the_whole(target: Target, door: tuple[str, bytes]) -> None:
    """A221"""
    address, whole = door
    with target.untouched(WRITES):
        answers = [target.ask(address, {200, 410}, headers={"Range": value}) for value in BOMBS.values()]

    statuses = [answer.status for answer in answers]
    assert all(answer.body == whole for answer in answers if answer.status == 200)
    assert statuses == [200] * 2 + [410] * 7 if "/t/" in address else [200] * 9, "a ticket is for its size, twice"


@pytest.mark.parametrize("value", ["bytes=" + "0-0," * 10_000, "bytes=" + ",".join(f"{n}-{n}" for n in range(10_000))])
def test_ten_thousand_ranges_are_refused_before_anybody_reads_them(target: Target, value: str) -> None:
    """A221"""
    target.ask(own(target), 431, headers={"Range": value})


def test_ranges_in_many_headers_are_no_range(target: Target) -> None:
    """A221"""
    path, host = own(target), f"127.0.0.1:{target.server.port}"
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", f"Cookie: portal={target.tokens['reader']}"]
    lines += ["Range: bytes=0-0"] * 90
    with target.untouched(WRITES):
        answer = target.say("\r\n".join([*lines, "", ""]).encode(), 200)

    assert answer.body == CONTENT


def test_eight_ranges_are_answered_and_cost_hardly_more_than_they_are(target: Target) -> None:
    """A221"""
    asked = [(n * 3_000, n * 3_000 + 1_000) for n in (7, 0, 3, 1, 2, 6, 5, 4)]
    value = "bytes=" + ",".join(f"{start}-{stop - 1}" for start, stop in asked)
    answer = target.ask(own(target), 206, headers={"Range": value}, writes=WRITES)

    assert parts(answer) == [CONTENT[start:stop] for start, stop in asked]
    assert len(answer.body) <= 8_000 + ROOM


def test_what_is_sent_for_any_choice_of_ranges_is_bounded(target: Target) -> None:
    """A221"""
    choice, address = random.Random(221), own(target)
    for _ in range(40):
        count = choice.choice([1, 2, 3, 8, 9, 40])
        pieces = [(choice.randrange(SIZE * 2), choice.randrange(-2, SIZE)) for _ in range(count)]
        value = "bytes=" + ",".join(f"{first}-{first + more if more >= 0 else ''}" for first, more in pieces)
        answer = target.ask(address, {200, 206, 416}, headers={"Range": value}, writes=WRITES)
        assert len(answer.body) <= SIZE + ROOM, value
        if answer.status == 200:
            assert answer.body == CONTENT
        elif answer.status == 206:
            assert all(piece in CONTENT for piece in parts(answer))


def test_head_knows_no_range(target: Target, door: tuple[str, bytes]) -> None:
    """A222"""
    address, whole = door
    with target.untouched({"share_links"}):
        for value in ("bytes=0-9", "bytes=9999999-", "bytes=0-,0-", "bytes=x"):
            answer = target.ask(address, 200, method="HEAD", headers={"Range": value})
            assert (answer.header("Content-Length"), answer.header("Content-Range")) == (str(len(whole)), "")
            assert answer.body == b""


def test_whoever_has_it_gets_a_304_whatever_range_they_ask_for(target: Target, door: tuple[str, bytes]) -> None:
    """A223"""
    address, _ = door
    etag = target.ask(address, 200, method="HEAD").header("ETag")
    with target.untouched():
        for method, tags in product(("GET", "HEAD"), (etag, f"W/{etag}", f'"other", {etag}', "*")):
            for value in ("bytes=0-0", "bytes=99999999-"):
                headers = {"If-None-Match": tags, "Range": value}
                answer = target.ask(address, 304, method=method, headers=headers)
                assert (answer.body, answer.header("ETag")) == (b"", etag)


def test_conditions_on_an_old_state_are_refused(target: Target, door: tuple[str, bytes]) -> None:
    """A225"""
    address, whole = door
    old = "Sat, 01 Jan 2000 00:00:00 GMT"
    asked = target.ask(address, 200, method="HEAD")
    etag, modified = asked.header("ETag"), asked.header("Last-Modified")
    refused = [{"If-Match": '"sha256-old"'}, {"If-Match": f"W/{etag}"}]
    refused += [{"If-Unmodified-Since": old}] if modified else []
    taken = [{"If-Match": "*"}, {"If-Match": etag}, {"If-Match": etag, "If-Unmodified-Since": old}]
    with target.untouched(WRITES):
        for headers, extra in product(refused, ({}, {"Range": "bytes=0-9"})):
            assert target.ask(address, 412, headers=headers | extra).header("ETag") == etag
        for headers in taken:
            answer = target.ask(address, 206, headers=headers | {"Range": "bytes=0-9"})
            assert answer.body == whole[:10]


@ON_BOTH
@pytest.mark.parametrize("half", [1, 15_000, 29_999])
def test_a_resume_across_a_new_version_is_never_a_mix(target: Target, half: int) -> None:
    """A226"""
    old, new = CONTENT, CONTENT[::-1]
    with target.app.app_context():
        shelf = makers.category("pdf")
        document = makers.document(shelf, f"resumed {half}.pdf", old)
        address, shelf_id = f"/documents/{document.id}/download", shelf.id
    first = target.ask(address, 206, headers={"Range": f"bytes=0-{half - 1}"}, writes=WRITES)
    etag = first.header("ETag")
    with target.app.app_context():
        makers.document(db.session.get_one(Category, shelf_id), f"resumed {half}.pdf", new)

    rest = {"Range": f"bytes={half}-"}
    assert target.ask(address, 200, headers=rest | {"If-Range": etag}, writes=WRITES).body == new
    assert target.ask(address, 200, headers=rest | {"If-Range": f"W/{etag}"}, writes=WRITES).body == new
    assert target.ask(address, 412, headers=rest | {"If-Match": etag}).header("ETag") != etag
    plain = target.ask(address, 206, headers=rest, writes=WRITES)
    assert plain.header("ETag") == f'"sha256-{sha256(new).hexdigest()}"', "or nobody could tell that it is another"
    assert plain.body == new[half:]
    pinned = target.ask(address.replace("/download", "/versions/1/download"), 206, headers=rest, writes=WRITES)
    assert first.body + pinned.body == old


def test_a_date_resumes_nothing_for_two_versions_may_be_of_one_second(target: Target) -> None:
    """A226"""
    with target.app.app_context():
        document = makers.document(makers.category("pdf"), "same second.pdf", CONTENT)
        address = f"/documents/{document.id}/download"
    first = target.ask(address, 206, headers={"Range": "bytes=0-99"}, writes=WRITES)
    with target.app.app_context():
        version = db.session.scalars(select(Version).order_by(Version.id.desc()).limit(1)).one()
        moment = version.created_at
        makers.document(makers.category("pdf"), "same second.pdf", CONTENT[::-1])
        newest = db.session.scalars(select(Version).order_by(Version.id.desc()).limit(1)).one()
        makers.change(newest, created_at=moment)

    headers = {"Range": "bytes=100-", "If-Range": first.header("Last-Modified")}
    answer = target.ask(address, 200, headers=headers, writes=WRITES)

    assert answer.header("Last-Modified") == first.header("Last-Modified")
    assert answer.body == CONTENT[::-1]


def own(target: Target) -> str:
    """The address of a document of this module."""
    with target.app.app_context():
        document = makers.document(makers.category("pdf"), "ranges.pdf", CONTENT)
        return f"/documents/{document.id}/download"


def parts(answer: Answer) -> list[bytes]:
    """What an answer brings, in its order: one piece, or those of ``multipart/byteranges``."""
    kind = answer.header("Content-Type")
    if not kind.startswith("multipart/byteranges"):
        return [answer.body]
    boundary = re.fullmatch(r"multipart/byteranges; boundary=([0-9a-f]{32})", kind)
    assert boundary is not None
    message = message_from_bytes(b"Content-Type: %s\r\n\r\n%s" % (kind.encode(), answer.body))
    pieces = [piece.get_payload(decode=True) for piece in message.walk() if not piece.is_multipart()]
    return [piece for piece in pieces if isinstance(piece, bytes)]
