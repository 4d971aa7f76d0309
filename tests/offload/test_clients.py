"""Programs people download with, through nginx: what they hold at the end, and what the ledger says they hold."""

import os
import random
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.offload.conftest import House, Reader, until
from tests.offload.nginx import Nginx, fronted
from tests.parts import program

pytestmark = pytest.mark.xdist_group("clients")

SIZE = 16 * 1024 * 1024
CONTENT = os.urandom(1024 * 1024) * 16
SEED, CUTS = 20261122, 20
CLIENTS = {
    "curl": ("curl", "-s -f -C - -o {file} -H {cookie} {url}"),
    "wget": ("wget", "-q -c -O {file} --header {cookie} {url}"),
    "aria2c": ("aria2", "-q -c -x8 -s8 -k1M -d {directory} -o {name} --header {cookie} {url}"),
}
"""Program to Debian package and arguments."""


@pytest.fixture(scope="module")
def document_id(house: House) -> int:
    return house.document(CONTENT, "large.bin")


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("had", [0, 5_000_000])
def test_a_download_is_one_row_whoever_fetches_and_resumes_it(
    house: House, document_id: int, tmp_path: Path, name: str, had: int
) -> None:
    reader, file = house.reader(), tmp_path / "large.bin"
    if had:
        file.write_bytes(fetch_some(house, document_id, reader, had))
    values = {"file": file, "directory": tmp_path, "name": file.name}
    values |= {"cookie": f"Cookie:{reader.cookie}", "url": house.url(document_id)}
    package, arguments = CLIENTS[name]
    command = [program(name, package), *(part.format(**values) for part in arguments.split())]

    subprocess.run(command, check=True, capture_output=True, timeout=100)

    assert file.read_bytes() == CONTENT
    assert until(lambda: is_settled(house, document_id, reader))
    row = house.row(document_id, reader)
    assert (row.state, row.is_confirmed, row.intervals) == ("completed", True, [[0, SIZE]])
    assert row.bytes_sent >= SIZE


def fetch_some(house: House, document_id: int, reader: Reader, length: int) -> bytes:
    """What a client has of the start of a document before it goes away."""
    got = bytearray()
    with connected_to(house.nginx) as line:
        line.sendall(request_for(document_id, reader))
        while (end := bytes(got[:8192]).find(b"\r\n\r\n")) < 0 or len(got) < end + 4 + length:
            block = line.recv(min(65536, max(1, length)))
            if not block:
                break
            got += block
    return bytes(got[end + 4 : end + 4 + length])


def connected_to(nginx: Nginx) -> socket.socket:
    return socket.create_connection(("127.0.0.1", nginx.port), timeout=30)


def request_for(document_id: int, reader: Reader) -> bytes:
    path = f"/documents/{document_id}/download"
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {reader.cookie}\r\n\r\n".encode()


def is_settled(house: House, document_id: int, reader: Reader) -> bool:
    """Whether nginx has written down all of it and that was read."""
    house.catch_up()
    return house.row(document_id, reader).state != "delegated"


def test_whoever_holds_all_of_it_has_a_completed_row_and_nobody_holds_more_than_a_row_says(
    house: House, document_id: int
) -> None:
    choice = random.Random(SEED)
    for _ in range(CUTS):
        reader = house.reader()
        wanted = SIZE if choice.random() < 0.3 else choice.randrange(SIZE)
        got = fetch_some(house, document_id, reader, wanted)
        assert got == CONTENT[:wanted]
        assert until(lambda reader=reader: is_settled(house, document_id, reader))  # type: ignore[misc]
        row = house.row(document_id, reader)
        if wanted == SIZE:
            assert (row.state, row.is_confirmed) == ("completed", True)
        assert row.intervals[0][1] >= wanted if wanted else row.state in ("aborted", "completed")
        assert row.is_confirmed == (row.intervals == [[0, SIZE]])


def test_a_transfer_whose_nginx_is_killed_stays_handed_over_and_can_be_resumed(
    house: House, document_id: int, tmp_path: Path
) -> None:
    reader = house.reader()
    with fronted(house.settings.storage / "blobs", tmp_path, house.server.port) as doomed, connected_to(doomed) as line:
        line.sendall(request_for(document_id, reader))
        assert line.recv(100).startswith(b"HTTP/1.1 200")
        for pid in Path(f"/proc/{doomed.process.pid}/task/{doomed.process.pid}/children").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
        with suppress(ConnectionError):
            while line.recv(65536):
                pass
        assert house.catch_up(doomed.log).settled == 0
    assert house.row(document_id, reader).state == "delegated"

    assert house.fetch(document_id, reader).body == CONTENT

    assert until(lambda: is_settled(house, document_id, reader))
    assert (house.row(document_id, reader).state, house.row(document_id, reader).is_confirmed) == ("completed", True)
