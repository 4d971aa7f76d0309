"""Resumable uploads over real lines to real servers: cut, reset, killed, and sent by programs that others wrote."""

import base64
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path

import pytest
from sqlalchemy import select
from tusclient.client import TusClient

from portal.accounts import add_api_token
from portal.catalog import Edition
from portal.extensions import db, storage
from portal.models import PUBLISH, Document
from portal.settings import Settings
from tests import makers
from tests.databases import SqliteTemplate
from tests.servers import Server, serving

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("upload lines")]

BODY = random.Random(6).randbytes(3_000_000)
BYTES = "application/offset+octet-stream"
PATIENCE = 30
End = Callable[[socket.socket], None]
RESET = struct.pack("ii", 1, 0)


@dataclass
class Desk:
    """A running portal with two workers, and the token of a program that may publish in ``inbox``."""

    settings: Settings
    server: Server
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What every request has."""
        return {"Authorization": f"Bearer {self.token}", "Tus-Resumable": "1.0.0"}

    @property
    def address(self) -> str:
        """Where uploads begin."""
        return f"http://127.0.0.1:{self.server.port}/uploads"

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> HTTPResponse:
        """One request on a line of its own."""
        line = HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        line.request(method, path, body or None, self.headers | more)
        answer = line.getresponse()
        answer.read()
        line.close()
        return answer

    def begin(self, size: int, filename: str) -> str:
        """The path of a new upload."""
        said = {"filename": filename, "category": "inbox"}
        known = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())
        answer = self.ask("POST", "/uploads", Upload_Length=str(size), Upload_Metadata=known)
        assert answer.status == 201
        return answer.headers["Location"]

    def look(self, path: str) -> int:
        """How far it is by now; who only looks keeps nobody from writing."""
        return int(self.ask("HEAD", path).headers["Upload-Offset"])

    def offset(self, path: str) -> int:
        """How far it is once nobody writes to it any more: a go of no bytes is taken then, and there."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(OSError, HTTPException):
                found = self.look(path)
                if self.ask("PATCH", path, Upload_Offset=str(found), Content_Type=BYTES).status == 204:
                    return found
            time.sleep(0.05)
        raise TimeoutError(path)

    def patch(self, path: str, offset: int, body: bytes) -> HTTPResponse:
        """Send bytes in one go."""
        return self.ask("PATCH", path, body, Upload_Offset=str(offset), Content_Type=BYTES)

    def break_off(
        self, path: str, offset: int, body: bytes, announced: int, end: Callable[[socket.socket], None]
    ) -> None:
        """Announce more bytes than are sent, and end as said."""
        fields = self.headers | {"Upload-Offset": str(offset), "Content-Type": BYTES, "Content-Length": str(announced)}
        head = f"PATCH {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE) as line:
            line.sendall(f"{head}\r\n".encode() + body)
            end(line)

    def content(self, filename: str) -> list[bytes]:
        """The bytes of the documents of this name."""
        with makers.running(self.settings) as app, app.app_context():
            found = [makers.edition(one) for one in db.session.scalars(select(Document).filter_by(filename=filename))]
            return [read(one) for one in found]


@pytest.fixture(scope="module")
def desk(sqlite_template: SqliteTemplate) -> Iterator[Desk]:
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        directory = Path(name)
        settings = makers.settings_for(sqlite_template.copy(directory / "portal.db"), directory)
        with makers.running(settings) as app, app.app_context():
            ada = makers.person("Ada")
            makers.grant(makers.category("inbox"), user=ada, permission=PUBLISH)
            _, token = add_api_token(None, ada.id, "Script", "publish")
        with serving(settings, "--workers", "2") as server:
            yield Desk(settings, server, token)


def read(edition: Edition) -> bytes:
    with storage().open(edition.sha256, edition.size) as opened:
        return opened.handle.read()


def await_offset(desk: Desk, path: str, offset: int) -> None:
    """Every byte that arrived is kept, as soon as the server has noticed that no more comes.

    Until then only looked at: a go of no bytes that came before those that were cut off would lock them out.
    """
    deadline = time.monotonic() + PATIENCE
    while desk.look(path) != offset:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def settled(desk: Desk, path: str) -> int:
    """How far it is once it stays so: what came before a line was reset may be taken after somebody asked."""
    found = desk.offset(path)
    while True:
        time.sleep(0.3)
        again = desk.offset(path)
        if again == found:
            return found
        found = again


def close(line: socket.socket) -> None:
    line.shutdown(socket.SHUT_WR)


def reset(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(3, 100))])
def test_lines_cut_at_random_lose_nothing_that_was_acknowledged(desk: Desk, seed: int) -> None:
    choice = random.Random(seed)
    path, name = desk.begin(len(BODY), f"cut{seed}.bin"), f"cut{seed}.bin"
    offset = 0
    for _ in range(4):
        sent = choice.randint(0, (len(BODY) - offset) // 2)
        end = choice.choice([close, reset])
        desk.break_off(path, offset, BODY[offset : offset + sent], len(BODY) - offset, end)
        if end is close:
            await_offset(desk, path, offset + sent)
        found = settled(desk, path)
        assert offset <= found <= offset + sent
        offset = found
    answer = desk.patch(path, offset, BODY[offset:])

    assert answer.headers["Portal-Outcome"] == "added"
    assert desk.content(name) == [BODY]


def test_a_worker_killed_while_bytes_come_loses_none_that_were_acknowledged(desk: Desk) -> None:
    path = desk.begin(len(BODY), "killed.bin")
    desk.patch(path, 0, BODY[:100_000])

    def kill(line: socket.socket) -> None:
        deadline = time.monotonic() + PATIENCE
        while max(file.stat().st_size for file in (desk.settings.storage / "tmp").glob("upload-*")) < 1_000_000:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for pid in desk.server.children:
            os.kill(pid, signal.SIGKILL)

    desk.break_off(path, 100_000, BODY[100_000:2_600_000], len(BODY) - 100_000, kill)

    assert desk.offset(path) == 100_000
    answer = desk.patch(path, 100_000, BODY[100_000:])
    assert (answer.status, answer.headers["Portal-Outcome"]) == (204, "added")
    assert desk.content("killed.bin") == [BODY]


def test_goes_are_taken_by_whichever_worker(desk: Desk) -> None:
    path = desk.begin(len(BODY), "many.bin")
    for start in range(0, len(BODY), 200_000):
        answer = desk.patch(path, start, BODY[start : start + 200_000])
        assert answer.status == 204

    assert desk.content("many.bin") == [BODY]


def test_a_body_in_chunks_of_http_is_taken(desk: Desk) -> None:
    path = desk.begin(len(BODY), "chunked.bin")
    line = HTTPConnection("127.0.0.1", desk.server.port, timeout=PATIENCE)
    pieces = (BODY[start : start + 70_000] for start in range(0, len(BODY), 70_000))
    line.request(
        "PATCH", path, pieces, desk.headers | {"Upload-Offset": "0", "Content-Type": BYTES}, encode_chunked=True
    )

    assert line.getresponse().headers["Portal-Outcome"] == "added"
    line.close()
    assert desk.content("chunked.bin") == [BODY]


def test_tuspy_sends_with_checksums_and_goes_on(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "tuspy.bin"
    file.write_bytes(BODY)
    client = TusClient(desk.address, headers={"Authorization": f"Bearer {desk.token}"})
    said = {"filename": "tuspy.bin", "category": "inbox"}
    with file.open("rb") as stream:
        first = client.uploader(file_stream=stream, chunk_size=400_000, metadata=said, upload_checksum=True)
        first.upload(stop_at=1_200_000)
        second = client.uploader(file_stream=stream, chunk_size=900_000, url=first.url, upload_checksum=True)
        assert second.offset == 1_200_000
        second.upload()

    assert desk.content("tuspy.bin") == [BODY]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl_sends_in_two_goes(desk: Desk, tmp_path: Path) -> None:
    file, path = tmp_path / "curl.bin", desk.begin(len(BODY), "curl.bin")
    for start, end in ((0, 1_000_000), (1_000_000, len(BODY))):
        file.write_bytes(BODY[start:end])
        fields = desk.headers | {"Upload-Offset": str(start), "Content-Type": BYTES}
        options = [word for name, value in fields.items() for word in ("-H", f"{name}: {value}")]
        address = f"http://127.0.0.1:{desk.server.port}{path}"
        command = [
            "curl",
            "-sS",
            "--fail-with-body",
            "-i",
            "-X",
            "PATCH",
            *options,
            "--data-binary",
            f"@{file}",
            address,
        ]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "Portal-Outcome: added" in answer.stdout
    assert desk.content("curl.bin") == [BODY]


SCRIPT = """
const fs = require("fs"), tus = require("tus-js-client");
const [file, endpoint, token] = process.argv.slice(2);
let cuts = 0;
function send(previous) {
  const upload = new tus.Upload(fs.createReadStream(file), {
    endpoint, chunkSize: 400000, uploadSize: fs.statSync(file).size, retryDelays: [100, 500, 1000],
    headers: { Authorization: `Bearer ${token}` }, metadata: { filename: "tusjs.bin", category: "inbox" },
    onChunkComplete(size, sent) { if (sent >= 1000000 && !cuts++) upload.abort().then(() => send(upload.url)); },
    onError(problem) { console.error(problem); process.exit(1); },
    onSuccess(payload) { console.log(payload.lastResponse.getHeader("Portal-Outcome")); },
  });
  if (previous) upload.options.uploadUrl = previous;
  upload.start();
}
send();
"""


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_tus_js_client_is_cut_and_goes_on(desk: Desk, tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm")
    installed = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "tus-js-client@4.3.1"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    if installed.returncode != 0:
        pytest.skip("npm could not install tus-js-client")
    file, script = tmp_path / "tusjs.bin", tmp_path / "send.js"
    file.write_bytes(BODY)
    script.write_text(SCRIPT)

    command = ["node", str(script), str(file), desk.address, desk.token]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    assert (answer.stdout.strip(), answer.stderr) == ("added", "")
    assert desk.content("tusjs.bin") == [BODY]


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_five_thousand_empty_files_come_in(desk: Desk) -> None:
    for number in range(5000):
        desk.begin(0, f"empty {number}.txt")

    assert desk.content("empty 4999.txt") == [b""]
    assert list((desk.settings.storage / "tmp").glob("upload-*")) == []
