"""The real nginx with config/nginx.conf in front of the real portal: headers, places, addresses, limits, uploads."""

import gzip
import hashlib
import os
import re
import signal
import socket
import subprocess
import tomllib
from pathlib import Path

import pytest

from portal.accounts.sessions import start_session
from portal.extensions import db
from portal.models import PUBLISH, Document
from portal.settings import DEFAULTS
from portal.shares import reserve
from tests import makers
from tests.databases import SqliteTemplate
from tests.offload.conftest import House, Reader, Reply, opened, until
from tests.offload.nginx import CONFIG, free_port, fronted
from tests.parts import program
from tests.servers import Caller, serving

TEXT = "Zeile – eins\n".encode() * 100
LARGE = 64 * 1024 * 1024
SECRET_NAMES = {"x-accel-redirect", "x-portal-delegation"}
BOUNDARY = "----boundary-of-the-tests"
PATIENCE = 30
pytestmark = pytest.mark.xdist_group("nginx")


def comparable(reply: Reply) -> list[tuple[str, str]]:
    """The headers in order of their names, but for the time of day."""
    return sorted((name, value) for name, value in reply.headers if name != "date")


@pytest.fixture(scope="module")
def text_id(house: House) -> int:
    return house.document(TEXT, "Bericht – ä.csv", "text/csv")


@pytest.fixture(scope="module")
def large_id(house: House) -> int:
    return house.document(bytes(LARGE), "large.bin")


@pytest.mark.parametrize(
    ("handed_over", "own"),
    [({}, {"If-Match": "*"}), ({"Range": "bytes=9-18"}, {"Range": "bytes=9-18,"})],
    ids=["whole", "part"],
)
def test_the_headers_are_those_of_our_own_sending(
    house: House, text_id: int, handed_over: dict[str, str], own: dict[str, str]
) -> None:
    reader, before = house.reader(), len(house.nginx.lines)

    one = house.fetch(text_id, reader, handed_over)
    assert house.has_written(before + 1), "nginx sent it"
    other = house.fetch(text_id, reader, own)
    assert len(house.nginx.lines) == before + 1, "the portal sent it"

    assert (one.status, one.body) == (other.status, other.body)
    assert comparable(one) == comparable(other)
    names = {name for name, _ in one.headers}
    assert not names & SECRET_NAMES
    assert names >= {
        "etag", "last-modified", "accept-ranges", "repr-digest", "cache-control", "vary", "content-type",
        "content-disposition", "content-length", "content-security-policy", "cross-origin-opener-policy",
        "cross-origin-resource-policy", "permissions-policy", "referrer-policy", "x-content-type-options",
    }  # fmt: skip


def test_a_ticket_under_https_has_the_headers_that_only_it_has(sqlite_template: SqliteTemplate, tmp_path: Path) -> None:
    with opened(sqlite_template.copy(tmp_path / "portal.db"), tmp_path, PORTAL_BASE_URL="https://127.0.0.1") as house:
        document_id = house.document(TEXT, "a.csv", "text/csv")
        with house.app.app_context():
            _, token = makers.link(db.session.get_one(Document, document_id), max_downloads=1)
            ticket = reserve(token, None, network=makers.NETWORK, agent="tests")

        one, other = house.ask(f"/t/{ticket}"), house.ask(f"/t/{ticket}", {"If-Match": "*"})

        assert one.body == TEXT
        assert comparable(one) == comparable(other)
        assert one.get("Strict-Transport-Security") == "max-age=31536000; includeSubDomains"
        assert one.get("X-Robots-Tag") == "noindex"
        assert house.has_written(1)
        assert house.catch_up().settled == 1
        (row,) = house.rows(document_id)
        assert row.state == "completed"


@pytest.mark.parametrize(
    "path",
    [
        "/_bytes/",
        "/_bytes/whole/",
        "/_bytes/whole/{name}",
        "/_bytes/part/{name}",
        "//_bytes//whole//{name}",
        "/%5Fbytes/whole/{name}",
        "/login/../_bytes/whole/{name}",
        "/_bytes/whole/%2e%2e/portal.db",
        "/_bytes/whole../portal.db",
        "/_bytes/whole/../../blobs/{name}",
    ],
)
def test_nobody_gets_to_the_bytes_past_the_portal(house: House, path: str) -> None:
    content = os.urandom(100)
    house.document(content)
    sha256 = hashlib.sha256(content).hexdigest()
    name = f"{sha256[:2]}/{sha256[2:4]}/{sha256}"
    assert (house.settings.storage / "blobs" / name).read_bytes() == content

    answer = house.ask(path.format(name=name), {"X-Accel-Redirect": f"/_bytes/whole/{name}"}, reader=house.reader())

    assert answer.status == 404
    assert content not in answer.body


def test_what_a_client_says_of_redirects_leads_nowhere(house: House, text_id: int) -> None:
    foreign = {"X-Accel-Redirect": "/_bytes/whole/x", "X-Sendfile": "/etc/passwd", "X-Portal-Delegation": "mine"}
    before = len(house.nginx.lines)

    for path in ("/healthz", "/login", "/nowhere", f"/documents/{text_id}/download"):
        for method in ("GET", "HEAD"):
            answer = house.ask(path, foreign, method=method)
            assert not {name for name, _ in answer.headers} & {name.lower() for name in foreign}
            assert answer.status in (200, 302, 404)
    assert house.fetch(text_id, house.reader(), foreign).body == TEXT

    assert house.has_written(before + 1)
    assert "mine" not in house.nginx.log.read_text()


def test_only_documents_handed_over_are_in_the_log_and_no_secret_is(house: House, text_id: int) -> None:
    reader, before = house.reader(), len(house.nginx.lines)
    house.ask("/", reader=reader)
    house.ask(f"/documents/{text_id}/download", method="HEAD", reader=reader)
    house.fetch(text_id, reader, {"If-None-Match": "*"})
    house.fetch(text_id, reader, {"Range": f"bytes={len(TEXT)}-"})
    house.fetch(10**6, reader)
    assert len(house.nginx.lines) == before

    house.fetch(text_id, reader)

    assert house.has_written(before + 1)
    (line,) = house.nginx.lines[before:]
    assert re.fullmatch(rf'[0-9a-f-]{{36}} 200 {len(TEXT)} "OK" \S+', line)


def test_the_client_is_who_nginx_says_and_not_who_the_client_says(house: House, text_id: int) -> None:
    reader = house.reader()
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP"):
        house.fetch(text_id, reader, {header: "203.0.113.9"})

    assert house.row(text_id, reader).network == "127.0.0.0/24"


@pytest.mark.parametrize(("proxies", "network"), [("127.0.0.1", "203.0.113.0/24"), ("192.0.2.7", "127.0.0.0/24")])
def test_only_a_trusted_proxy_is_believed(house: House, text_id: int, proxies: str, network: str) -> None:
    reader = house.reader()
    with serving(house.settings, extra={"PORTAL_TRUSTED_PROXIES": proxies}) as other:
        path = f"/documents/{text_id}/download"
        house.ask(path, {"X-Forwarded-For": "203.0.113.9"}, port=other.port, reader=reader)

    assert house.row(text_id, reader).network == network


@pytest.mark.parametrize("ending", ["", "/", "%2F", "%2f..%2fdownload", "?x=1", "//", ";x"])
def test_an_address_means_the_same_with_and_without_nginx(house: House, text_id: int, ending: str) -> None:
    path = f"/documents/{text_id}/download{ending}"
    for reader in (house.reader(), None):
        through, past = house.ask(path, reader=reader), house.ask(path, port=house.server.port, reader=reader)

        assert (through.status, through.get("location")) == (past.status, past.get("location"))
        assert through.status == 200 or through.body == past.body


def test_an_address_that_is_too_long_is_refused_by_the_portal(house: House) -> None:
    answer = house.ask("/search?q=" + "b" * 10_000)

    assert (answer.status, answer.body) == (414, b"This address is too long.\n")


def test_a_host_that_is_not_ours_is_refused_by_the_portal(house: House) -> None:
    assert house.ask("/healthz", {"Host": "evil.example.org"}).status == 400
    assert house.ask("/healthz", {"Host": f"127.0.0.1:{house.nginx.port}"}).status == 200


def begin_slowly(house: House, document_id: int, reader: Reader) -> socket.socket:
    """A client that reads the head of an answer and a little of its body, and then waits."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    line.settimeout(PATIENCE)
    line.connect(("127.0.0.1", house.nginx.port))
    line.sendall(
        f"GET /documents/{document_id}/download HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {reader.cookie}\r\n\r\n".encode()
    )
    assert line.recv(100).startswith(b"HTTP/1.1 200")
    return line


def test_a_client_that_goes_away_is_an_aborted_download_with_its_bytes(house: House, large_id: int) -> None:
    reader = house.reader()
    line = begin_slowly(house, large_id, reader)
    got = 0
    while got < 5_000_000:
        got += len(line.recv(65536))
    assert (house.row(large_id, reader).state, house.row(large_id, reader).intervals) == ("delegated", [])
    before = len(house.nginx.lines)
    line.close()
    assert until(lambda: len(house.nginx.lines) > before)

    house.catch_up()

    row = house.row(large_id, reader)
    assert (row.state, row.closed_at) == ("aborted", None)
    assert got - 1000 <= row.bytes_sent < LARGE
    assert row.intervals == [[0, row.bytes_sent]]
    before = len(house.nginx.lines)
    rest = house.fetch(large_id, reader, {"Range": f"bytes={row.bytes_sent}-"})
    assert rest.status == 206
    assert house.has_written(before + 1)
    house.catch_up()
    row = house.row(large_id, reader)
    assert (row.state, row.is_confirmed, row.bytes_sent) == ("completed", True, LARGE)


def test_a_download_too_many_is_refused_while_nginx_sends(sqlite_template: SqliteTemplate, tmp_path: Path) -> None:
    database = sqlite_template.copy(tmp_path / "portal.db")
    with opened(database, tmp_path, PORTAL_TRANSFERS_EACH="1") as house:
        reader, small, large = house.reader(), house.document(TEXT), house.document(bytes(LARGE))
        line = begin_slowly(house, large, reader)

        refused = house.fetch(small, reader)
        assert (refused.status, refused.get("Retry-After")) == (429, "10")
        assert house.fetch(small, house.reader()).body == TEXT, "somebody else has a limit of their own"

        before = len(house.nginx.lines)
        line.close()
        assert until(lambda: len(house.nginx.lines) > before)
        house.catch_up()
        assert house.fetch(small, reader).body == TEXT


def test_the_log_is_followed_when_nginx_is_told_to_reopen_it(house: House, text_id: int) -> None:
    before = len(house.nginx.lines)
    house.fetch(text_id, house.reader())
    assert house.has_written(before + 1)
    assert house.catch_up().settled >= 1
    house.fetch(text_id, house.reader())
    rotated = house.nginx.log.rename(house.nginx.log.with_name("handed-over.log.1"))
    house.fetch(text_id, house.reader())
    house.nginx.process.send_signal(signal.SIGUSR1)  # as logrotate has it sent
    assert until(house.nginx.log.exists)
    house.fetch(text_id, house.reader())
    assert until(lambda: bool(house.nginx.lines))

    assert house.catch_up().settled == 3

    assert {row.state for row in house.rows(text_id)} <= {"completed", "started", "aborted"}
    assert rotated.exists()


@pytest.mark.parametrize("is_there", [True, False])
def test_what_nginx_cannot_read_is_a_503_and_told(house: House, text_id: int, tmp_path: Path, is_there: bool) -> None:
    reader, astray = house.reader(), tmp_path / ("blobs" if is_there else "nothing")
    real = house.settings.storage / "blobs"
    for blob in real.glob("*/*/*"):
        (tmp_path / "blobs" / blob.relative_to(real)).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "blobs" / blob.relative_to(real)).symlink_to(
            blob
        )  # root may read everything, but here not through a link
    with fronted(astray, tmp_path / "nginx", house.server.port) as nginx:
        answer = house.ask(f"/documents/{text_id}/download", port=nginx.port, reader=reader)

        assert (answer.status, answer.get("Retry-After")) == (503, "300")
        assert TEXT not in answer.body
        assert until(lambda: bool(nginx.lines))
        assert house.catch_up(nginx.log).refused == [503]
    row = house.row(text_id, reader)
    assert (row.state, row.bytes_sent) == ("aborted", 0)


def publisher(house: House) -> Caller:
    """Somebody who may upload, through nginx."""
    with house.app.app_context():
        person = makers.person(f"Publisher {os.urandom(8).hex()}")
        makers.grant(makers.category("inbox"), user=person, permission=PUBLISH)
        token = start_session(person.id, network=makers.NETWORK, agent="tests")
    return Caller(house.nginx.port, {"portal": token})


def upload_request(caller: Caller, content: bytes) -> tuple[bytes, bytes]:
    """Head and body of an upload form."""
    fields = {"csrf_token": caller.form_token("/admin/upload"), "category": "inbox"}
    opening, name = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=", os.urandom(8).hex()
    parts = [f'{opening}"{field}"\r\n\r\n{value}\r\n' for field, value in fields.items()]
    parts.append(f'{opening}"files"; filename="{name}.bin"\r\n\r\n')
    body = "".join(parts).encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    cookie = "; ".join(f"{name}={value}" for name, value in caller.cookies.items())
    head = (
        f"POST /admin/upload HTTP/1.1\r\nHost: 127.0.0.1:{caller.port}\r\nCookie: {cookie}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode(), body


def read_all(line: socket.socket) -> bytes:
    answer = b""
    while block := line.recv(65536):
        answer += block
    return answer


def test_an_upload_streams_through_nginx_into_the_portal(house: House) -> None:
    head, body = upload_request(publisher(house), os.urandom(8_000_000))
    incoming = house.settings.storage / "tmp"
    with socket.create_connection(("127.0.0.1", house.nginx.port), timeout=PATIENCE) as line:
        line.sendall(head + body[:6_000_000])
        arrived = until(lambda: sum(file.stat().st_size for file in incoming.glob("incoming-*")) > 4_000_000)
        assert arrived, "the portal has it before the client is done"
        assert list((house.settings.data.parent / "nginx" / "client_body").rglob("*.*")) == []
        line.sendall(body[6_000_000:])
        assert read_all(line).startswith(b"HTTP/1.1 200")


def test_an_upload_that_breaks_off_leaves_nothing(house: House) -> None:
    head, body = upload_request(publisher(house), os.urandom(4_000_000))
    incoming = house.settings.storage / "tmp"
    with socket.create_connection(("127.0.0.1", house.nginx.port), timeout=PATIENCE) as line:
        line.sendall(head + body[:3_000_000])
        assert until(lambda: bool(list(incoming.glob("incoming-*"))))
    assert until(lambda: not list(incoming.glob("incoming-*")))


def test_an_upload_too_large_is_refused_by_the_portal_in_its_words(
    sqlite_template: SqliteTemplate, tmp_path: Path
) -> None:
    database = sqlite_template.copy(tmp_path / "portal.db")
    with opened(database, tmp_path, PORTAL_MAX_UPLOAD="1000000") as house:
        head, body = upload_request(publisher(house), os.urandom(6_000_000))
        with socket.create_connection(("127.0.0.1", house.nginx.port), timeout=PATIENCE) as line:
            line.sendall(head + body)
            answer = read_all(line)

        assert answer.startswith(b"HTTP/1.1 413")
        assert b"Nothing was stored." in answer


def test_a_body_nobody_reads_disturbs_no_other_request(house: House) -> None:
    body = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100_000
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", house.nginx.port), timeout=PATIENCE) as line:
            head = f"POST /admin/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
            line.sendall(head.encode() + body[:1_000_000])
            first = line.recv(65536)
            # 502 when the portal has let go of the line before nginx has read its answer.
            assert first[:12] in (b"HTTP/1.1 302", b"HTTP/1.1 400", b"HTTP/1.1 403", b"HTTP/1.1 502")
        assert house.ask("/healthz").body == b"ok\n"


def test_uploads_are_limited_by_the_portal_and_not_by_nginx() -> None:
    found = re.search(r"client_max_body_size (\d+)g;", CONFIG.read_text())

    assert found is not None
    assert int(found[1]) * 1024**3 > tomllib.loads(DEFAULTS.read_text())["max_upload"] + 1024 * 1024


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """A certificate nobody signed, in the place of the one in config/nginx.conf."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [program("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return {
        "/etc/letsencrypt/live/documents.example.org/fullchain.pem": str(certificate),
        "/etc/letsencrypt/live/documents.example.org/privkey.pem": str(key),
    }


def test_static_files_arrive_compressed_and_pages_as_they_are(house: House) -> None:
    takes_gzip = {"Accept-Encoding": "gzip"}
    page = house.ask("/login", takes_gzip)
    found = re.search(r'"(/static/portal\.css[^"]*)"', page.body.decode())
    assert found is not None
    packed, plain = house.ask(found[1], takes_gzip), house.ask(found[1])

    assert page.get("content-encoding") is None
    assert (packed.get("content-encoding"), plain.get("content-encoding")) == ("gzip", None)
    assert gzip.decompress(packed.body) == plain.body
    assert packed.get("vary") == plain.get("vary") == "Accept-Encoding"
    assert packed.get("etag") != plain.get("etag")


def test_with_the_comments_taken_away_it_speaks_tls(
    house: House, large_id: int, keys: dict[str, str], tmp_path: Path
) -> None:
    tls, plain, got = free_port(), free_port(), tmp_path / "got"
    changes = keys | {
        "#tls ": "",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{tls} ssl http2;",
        "        listen [::]:443 ssl http2;\n": "",
        "listen 80;\n        listen [::]:80;\n        return": f"listen 127.0.0.1:{plain};\n        return",
    }
    reader = house.reader()
    with fronted(house.settings.storage / "blobs", tmp_path / "nginx", house.server.port, changes) as nginx:
        assert house.ask("/x?y", port=plain).get("location") == "https://documents.example.org/x?y"
        curl = [program("curl", "curl"), "-sk", "--http2", "-H", f"Cookie: {reader.cookie}", "-o", str(got)]
        curl.append(f"https://127.0.0.1:{tls}/documents/{large_id}/download")
        slow = subprocess.Popen([*curl, "--limit-rate", "4M"])
        assert until(lambda: got.exists() and got.stat().st_size > 1_000_000)
        slow.kill()
        slow.wait()
        assert until(lambda: bool(nginx.lines))
        house.catch_up(nginx.log)
        row = house.row(large_id, reader)
        assert row.state == "aborted"
        assert got.stat().st_size <= row.bytes_sent < LARGE

        again = [*curl, "-C", str(row.bytes_sent), "-w", "%{http_version} %{http_code}"]
        got.unlink()
        assert subprocess.run(again, check=True, capture_output=True, text=True, timeout=60).stdout == "2 206"
        assert until(lambda: len(nginx.lines) == 2)
        house.catch_up(nginx.log)
        row = house.row(large_id, reader)
        assert (row.state, row.is_confirmed, row.bytes_sent) == ("completed", True, LARGE)
