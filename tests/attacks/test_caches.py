"""Group A.9 of the attack table, its second part: validators, caches, and what no header may carry.

A235: the shared cache in front of nginx, with two people who ask at random, is ``tests/offload/test_caches.py``.
A237: documents are not in S3 yet, so there are no presigned addresses.
A239: a condition or a range of somebody whose right was just taken is under A035 in ``tests/attacks/test_access.py``.
"""

import re
from hashlib import sha256

import pytest

from portal.shares import reserve, revoke_link
from tests import makers
from tests.attacks.oracle import ON_BOTH, Answer, Target
from tests.databases import SqliteTemplate
from tests.servers import Caller, serving

pytestmark = pytest.mark.xdist_group("attacks-bytes")

CONTENT = b"%PDF-1.7 caches " * 50


@ON_BOTH
def test_a_validator_is_that_of_the_bytes_wherever_it_is_asked_for(target: Target) -> None:
    """A227: so it is the same after a restart, on another worker, another database and any other machine."""
    address = own(target)
    expected = f'"sha256-{sha256(CONTENT).hexdigest()}"'
    restarted = Caller(target.server.port, {"portal": target.tokens["reader"]})
    with serving(target.settings, "--workers", "2") as other:
        restarted.port = other.port
        elsewhere = {restarted.get(address).headers["ETag"] for _ in range(6)}

    here = target.ask(address, 200, writes={"downloads"}).header("ETag")
    assert {here} | elsewhere == {expected}


ENCODINGS = ["gzip", "gzip, deflate, br, zstd", "*", "identity;q=0", "identity;q=0, *;q=0", "gzip;q=1.0, x" * 100]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_nothing_is_compressed_that_holds_a_secret_or_has_a_length_of_its_own(target: Target, encoding: str) -> None:
    """A233"""
    address = own(target)
    with target.untouched({"downloads"}):
        for path in (address, "/account", "/login", "/search?q=reflected", "/nothing"):
            who = "nobody" if path == "/login" else "reader"
            answer = target.ask(path, {200, 404}, who=who, headers={"Accept-Encoding": encoding})
            assert answer.header("Content-Encoding") == ""
            assert answer.header("Transfer-Encoding") == ""
            assert answer.header("Content-Length") == str(len(answer.body))
        assert target.ask(address, 200, headers={"Accept-Encoding": encoding}).body == CONTENT


def test_no_private_answer_may_be_kept_or_given_to_somebody_else(target: Target) -> None:
    """A234: ``Cache-Control`` itself is looked at after every answer of every attack."""
    bytes_at, closed = own(target), target.things["token"]
    with target.app.app_context():
        gone, revoked = makers.link(makers.document(makers.category("pdf"), "caches.pdf", CONTENT))
        revoke_link(None, gone.id)
    asked: list[tuple[str, int, dict[str, str]]] = [
        ("/", 200, {}),
        (bytes_at, 200, {}),
        (bytes_at, 206, {"Range": "bytes=0-9"}),
        (bytes_at, 206, {"Range": "bytes=0-9,20-29"}),
        (bytes_at, 304, {"If-None-Match": "*"}),
        (bytes_at, 412, {"If-Match": '"other"'}),
        (bytes_at, 416, {"Range": "bytes=9999-"}),
        (bytes_at, 403, {"Sec-Fetch-Dest": "script"}),
        ("/nothing", 404, {}),
        ("/login", 302, {}),
        ("/documents//1", 308, {}),
        ("/logout", 405, {}),
        (f"/s/{closed}", 200, {"Accept": "text/html"}),
        (f"/s/{revoked}", 410, {}),
        ("/categories/reports/download", 200, {}),
        ("/healthz", 200, {}),
    ]
    with target.untouched({"downloads", "share_links"}):
        for path, status, headers in asked:
            require_private(target.ask(path, status, headers=headers))
            require_private(target.ask(path, {status, 200}, headers=headers, method="HEAD"))
    require_private(target.ask("/account", 302, who="nobody"))
    require_private(target.ask("/login", 400, who="nobody", method="POST", body=b"email=x"))


def test_a_refusal_to_wait_may_not_be_kept_either(
    sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A234"""
    directory = tmp_path_factory.mktemp("throttled")
    settings = makers.settings_for(sqlite_template.copy(directory / "portal.db"), directory)
    with serving(settings, extra={"PORTAL_UNKNOWN_TRIES": "1"}) as server:
        answers = [Caller(server.port).get(f"/s/{'x' * 43}") for _ in range(2)]

    assert [answer.status for answer in answers] == [404, 429]
    for answer in answers:
        require_private(Answer(answer.status, list(answer.headers.items()), answer.body))
    assert int(answers[1].headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "name", ["X-Accel-Redirect", "X-Sendfile", "X-Accel-Buffering", "X-Portal-Delegation", "X-LIGHTTPD-send-file"]
)
def test_no_header_that_moves_files_is_taken_or_given(target: Target, name: str) -> None:
    """A238"""
    address = own(target)
    with target.app.app_context():
        ref = makers.document(makers.category("pdf"), f"x\r\n{name}: /etc/passwd\r\n.pdf", CONTENT).uuid
    with target.untouched({"downloads"}):
        for path in (address, f"/documents/{ref}/download", f"/documents/{ref}", "/nothing"):
            answer = target.ask(path, {200, 404}, headers={name: "/etc/passwd", "X-Sendfile-Type": name})
            assert answer.header(name) == ""
            assert "/etc/passwd" not in [value for _, value in answer.headers]
        assert target.ask(address, 200, headers={name: "/etc/passwd"}).body == CONTENT


def test_the_ticket_of_one_is_nothing_to_keep_for_another(target: Target) -> None:
    """A234"""
    with target.app.app_context():
        _, token = makers.link(makers.document(makers.category("pdf"), "caches.pdf", CONTENT))
        ticket = reserve(token, None, network=makers.NETWORK, agent="tests")

    answer = target.ask(f"/t/{ticket}", 200, who="nobody", writes={"downloads"})

    require_private(answer)
    assert answer.header("X-Robots-Tag") == "noindex"
    assert answer.header("Set-Cookie") == ""


def require_private(answer: Answer) -> None:
    """Fails when a shared cache may keep it, or may give it to who brings another cookie."""
    assert re.fullmatch(r"private, no-(store|cache)", answer.header("Cache-Control"))
    assert {word.strip() for word in answer.header("Vary").split(",")} >= {"Cookie", "Authorization"}
    assert answer.header("Expires") == answer.header("Age") == ""


def own(target: Target) -> str:
    """The address of a document of this module."""
    with target.app.app_context():
        return f"/documents/{makers.document(makers.category('pdf'), 'caches.pdf', CONTENT).id}/download"
