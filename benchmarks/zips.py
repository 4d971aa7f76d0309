"""Zips: a category of a thousand documents, one of very many, and what the first byte waits for."""

import statistics
import time
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

from benchmarks.house import House, make_file
from benchmarks.load import Target, at_once, first_byte
from benchmarks.peers import NGINX, Peer, started
from benchmarks.rounds import Reading, interleaved
from benchmarks.settings import MEMBERS, MIB, ROUNDS
from benchmarks.table import DURATION, GROWTH, MIB_PER_SECOND, Table
from portal import uploads

DOCUMENTS = 1000
"""Of 1 MiB each."""
TIMES = 10
"""First bytes in one round; the median of them is its figure."""
SMALL = b"%07d of very many small documents\n"


def measure(house: House) -> None:
    """The whole zip beside one file of the same size from nginx; its first byte; the growth of the worker."""
    table = Table("zips")
    _import(house, "thousand", [(f"{number:04}.bin", None) for number in range(DOCUMENTS)])
    _compare(house, table, "thousand", f"{DOCUMENTS:,} documents, 1 GiB", is_large=True)
    _import(house, "many", [(f"{number:07}.txt", SMALL % number) for number in range(MEMBERS)])
    _compare(house, table, "many", f"{MEMBERS:,} small documents", is_large=False)
    table.end("nginx sends one file of the size of the zip. Memory is that of servers started anew, once.")


def _compare(house: House, table: Table, name: str, what: str, *, is_large: bool) -> None:
    """The rate only of what is large; the first byte is measured once for what takes long to list."""
    with started(house, NGINX) as peers:
        wanted = _zip_of(peers[0], name)
        beside = _same_size(house, peers[1], wanted.length)
        targets = {peers[0].name: wanted, peers[1].name: beside}
        grown = {peer.name: partial(_growth, peer, targets[peer.name]) for peer in peers}
        table.line(f"growth of the worker for a zip of {what}", GROWTH, interleaved(grown, rounds=1))
        waits = {who: partial(_wait, target) for who, target in targets.items()}
        table.line(f"until its first byte, {what}", DURATION, interleaved(waits, rounds=ROUNDS if is_large else 1))
        if is_large:
            rates = {who: partial(_rate, target) for who, target in targets.items()}
            table.line(f"zip of {what}", MIB_PER_SECOND, interleaved(rates))


def _import(house: House, name: str, files: list[tuple[str, bytes | None]]) -> None:
    """A category of documents with this content, or a random MiB each. Their files go: the blobs are what is sent."""
    directory = house.work / name
    directory.mkdir()
    for filename, content in files:
        path = directory / filename
        if content is None:
            make_file(path, MIB)
        else:
            path.write_bytes(content)
    with house.app.app_context():
        uploads.import_directory(None, directory, f"bench/{name}")
    for path in directory.iterdir():
        path.unlink()


def _zip_of(portal: Peer, name: str) -> Target:
    """The request for a category as a zip, by the first reader, whose length is asked for."""
    target = replace(portal.target("small"), path=f"/categories/{quote(f'bench/{name}')}/download")
    field, _, value = target.headers.strip().partition(": ")
    connection = HTTPConnection("127.0.0.1", target.port, timeout=300)
    connection.request("HEAD", target.path, headers={field: value})
    length = int(connection.getresponse().headers["Content-Length"])
    connection.close()
    return replace(target, length=length)


def _same_size(house: House, nginx: Peer, length: int) -> Target:
    path = house.files / f"{length}.bin"
    if not path.exists():
        make_file(path, length)
    return Target(nginx.server.port, f"/{Path(path).name}", length=length)


def _rate(target: Target) -> Reading:
    return at_once([target]).throughput


def _wait(target: Target) -> Reading:
    return Reading(statistics.median(first_byte(target) for _ in range(TIMES)))


def _growth(peer: Peer, target: Target) -> Reading:
    at_once([peer.target("small")])
    time.sleep(0.1)
    before = peer.server.forget_peak()
    at_once([target])
    return Reading(peer.server.peak() - before)
