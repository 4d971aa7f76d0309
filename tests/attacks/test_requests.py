"""What the second issue names beside groups A.1, A.2 and A.7: requests that are none, and where a sign-in leads to.

A107, A109, A110, A111, A209, A230 and A231 are here, and what the guard makes of NUL. Uploads that break off, that are
cut before their end or counted wrongly (A177, A179, A181) are in ``tests/faults/test_arrivals.py``.
"""

import socket
from urllib.parse import urlencode

import pytest

from portal.search import LONGEST_QUERY
from tests.attacks.oracle import ON_BOTH, Target

pytestmark = pytest.mark.xdist_group("attacks")

FORM = "Content-Type: application/x-www-form-urlencoded"
CHUNKED = f"{FORM}\r\nTransfer-Encoding: chunked"


@pytest.mark.parametrize(
    "line",
    [
        b"GET /documents/\x00 HTTP/1.1",
        b"GET /documents/\x1b[31m HTTP/1.1",
        b"GET /documents/\xe2\x80\xae HTTP/1.1",
        b"GET /documents/a b HTTP/1.1",
        b"GET documents HTTP/1.1",
        b"GET /login HTTP/3.0",
        b"get /login HTTP/1.1",
        b"G\x00T /login HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /login",
    ],
)
def test_a_line_that_is_no_request_is_refused_without_repeating_it(target: Target, line: bytes) -> None:
    """A231"""
    with target.untouched():
        answer = target.say(line + b"\r\n" + host(target) + b"\r\n\r\n", 400)
    assert answer.text == "The request arrived incomplete or mistyped.\n"


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: -1",
        "Content-Length: abc",
        "Content-Length: 5, 6",
        "Content-Length: 1e3",
        "Content-Length: \u0661",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, identity",
        "X-Folded: a\r\n b",
        "X-NUL: a\x00b",
        "X-Escape: \x1b[31m",
        "X Blank: a",
        ": a",
        "X-Bare: a\nX-Other: b",
    ],
)
def test_headers_that_frame_no_request_are_refused(target: Target, headers: str) -> None:
    """A231"""
    request = b"POST /login HTTP/1.1\r\n" + host(target) + b"\r\n" + f"{FORM}\r\n{headers}\r\n\r\nabcdef".encode()
    with target.untouched():
        target.say(request, 400)


@pytest.mark.parametrize("body", ["zz\r\nabc\r\n", "5\r\nabcdefgh\r\n", "-1\r\n\r\n", "5;a\nb\r\nabcde\r\n"])
@pytest.mark.parametrize("path", ["/login", "/admin/upload"])
def test_a_body_in_chunks_that_are_none_is_refused_with_a_sentence(target: Target, path: str, body: str) -> None:
    """A231"""
    kind = FORM if path == "/login" else "Content-Type: multipart/form-data; boundary=x"
    cookie = f"Cookie: portal={target.tokens['publisher']}\r\nX-CSRFToken: {target.form('publisher')}"
    head = f"POST {path} HTTP/1.1\r\n{kind}\r\n{cookie}\r\nTransfer-Encoding: chunked\r\n".encode()
    with target.untouched():
        answer = target.say(head + host(target) + b"\r\n\r\n" + body.encode(), 400)
    assert "The request arrived incomplete or mistyped." in answer.text


@pytest.mark.parametrize(
    "body",
    ["zz\r\nabc\r\n0\r\n\r\n", "3\r\nabc\r\n0\r\nHost: other\r\n\r\n", "0\r\n<b>: c\r\n\r\n", "0\r\nA: \0\r\n\r\n"],
)
def test_a_broken_body_that_nobody_read_gets_no_second_answer(target: Target, body: str) -> None:
    """A231"""
    request = f"POST /nothing HTTP/1.1\r\nHost: localhost\r\n{CHUNKED}\r\n\r\n{body}\r\n\r\n".encode()
    since = len(target.server.output)
    with socket.create_connection(("127.0.0.1", target.server.port), timeout=60) as line:
        line.sendall(request)
        answers = b"".join(iter(lambda: line.recv(65536), b""))

    assert answers.startswith(b"HTTP/1.1 404 ")
    assert answers.count(b"HTTP/1.1 ") == 1
    assert "127.0.0.1" not in target.server.output[since:], "the log has networks, never a whole address"


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        (b"X-Large: " + b"x" * 9_000, 431),
        (b"X-Large: " + b"x" * 1_048_576, 431),
        (b"\r\n".join(b"X-%d: y" % number for number in range(10_000)), 431),
        (b"Cookie: " + b"; ".join(b"portal=%d" % number for number in range(2_000)), 431),
        (b"Expect: 200-maybe", 417),
    ],
)
def test_more_headers_than_anybody_needs_are_refused(target: Target, extra: bytes, status: int) -> None:
    """A209"""
    with target.untouched():
        target.say(b"GET /login HTTP/1.1\r\n" + host(target) + b"\r\n" + extra + b"\r\n\r\n", status)


@pytest.mark.parametrize("address", ["/" + "b" * 9_000, "/?q=" + "b" * 9_000, "/search?" + "q&" * 50_000])
def test_an_address_longer_than_anybody_needs_is_refused(target: Target, address: str) -> None:
    """A209"""
    assert target.ask(address, 414).text == "This address is too long.\n"


def test_the_longest_query_is_taken_in_whatever_script(target: Target) -> None:
    """A209"""
    query = urlencode({"q": "東" * LONGEST_QUERY, "order": "relevance"})
    assert "the first 60 words count" in target.ask(f"/search?{query}", 200).text


@pytest.mark.parametrize("name", ["evil.example", "localhost.evil.com", "127.0.0.1:80@evil", "", "localhost/x", "[::1"])
def test_a_foreign_host_gets_a_sentence(target: Target, name: str) -> None:
    """A230"""
    answer = target.ask("/login", 400, who="nobody", headers={"Host": name})
    assert "evil" not in answer.text
    assert answer.header("Set-Cookie") == ""


def test_two_hosts_are_none(target: Target) -> None:
    """A230"""
    with target.untouched():
        target.say(b"GET /login HTTP/1.1\r\n" + host(target) + b"\r\nHost: evil.example\r\n\r\n", 400)


@pytest.mark.parametrize("address", ["/login", "http://localhost/login"])
def test_a_request_without_a_host_is_none(target: Target, address: str) -> None:
    """A230"""
    with target.untouched():
        answer = target.say(f"GET {address} HTTP/1.1\r\nAccept: text/html\r\n\r\n".encode(), 400)
    assert answer.text == "The request arrived incomplete or mistyped.\n"


@pytest.mark.parametrize("other", ["http://evil.example/login", "HTTPS://127.0.0.1:1@evil.example", "http:///login"])
def test_an_address_at_another_host_than_the_request_is_for_is_refused(target: Target, other: str) -> None:
    """A230"""
    with target.untouched():
        target.say(f"GET {other} HTTP/1.1\r\n".encode() + host(target) + b"\r\n\r\n", 400)


def test_a_whole_address_is_as_good_as_its_path(target: Target) -> None:
    """A230"""
    name = f"127.0.0.1:{target.server.port}"
    answer = target.say(f"GET http://{name}/healthz HTTP/1.1\r\n".encode() + host(target) + b"\r\n\r\n", 200)
    assert answer.text == target.ask("/healthz", 200).text


@pytest.mark.parametrize(
    "header", ["X-Forwarded-Host", "X-Forwarded-Server", "X-Host", "X-Original-URL", "X-Rewrite-URL", "Forwarded"]
)
def test_no_header_makes_the_portal_another_one(target: Target, header: str) -> None:
    """A230"""
    answer = target.ask("//documents//1", 308, headers={header: "evil.example"})
    assert answer.header("Location") == f"http://127.0.0.1:{target.server.port}/documents/1"
    assert "evil.example" not in answer.text


NEXT = {
    "A107": ["//evil.example", "///evil.example", "////evil.example"],
    "A109": ["\t//evil.example", "/\t/evil.example", " /login", "/\r\nLocation: //evil", "/\\evil.example"],
    "A110": ["https:evil.example", "http:///evil.example", "javascript:alert(1)", "data:text/html,x", "//user@evil"],
    "A111": [
        "https://127.0.0.1:444/x",
        "http://127.0.0.1/x",
        "http://127.0.0.1.evil/",
        "\\\\evil.example",
        "/\u00e9",
        "",
    ],
}


@pytest.mark.parametrize("place", [pytest.param(p, id=f"{row} {p}") for row, places in NEXT.items() for p in places])
def test_signing_in_leads_to_no_other_place(target: Target, place: str) -> None:
    """A107 A109 A110 A111"""
    quoted = "".join(f"%{byte:02X}" for byte in place.encode())
    assert target.ask(f"/login?next={quoted}", 302).header("Location") == "/"
    page = target.ask(f"/login?next={quoted}", 200, who="nobody")
    assert '<input type="hidden" name="next" value="/">' in page.text


@ON_BOTH
@pytest.mark.parametrize("path", ["/documents/%00", "/categories/a%00b", "/s/%00", "/login?next=%00"])
def test_a_nul_in_an_address_is_not_there(target: Target, path: str) -> None:
    """A157"""
    target.ask(path, 404)


@ON_BOTH
@pytest.mark.parametrize("text", ["%ff%fe", "%ed%a0%80", "%c0%ae%c0%ae", "a%e2%80%aeb", "%f4%90%80%80"])
def test_an_address_that_is_no_text_is_not_there(target: Target, text: str) -> None:
    """A163"""
    with target.untouched():
        for door in ("/documents/", "/categories/", "/get-image/", "/get-report/"):
            target.ask(door + text, 404)
        target.ask(f"/search?q={text}", 200)


def host(target: Target) -> bytes:
    """The headers of a request that is otherwise well."""
    return b"Host: 127.0.0.1:%d\r\nConnection: close" % target.server.port
