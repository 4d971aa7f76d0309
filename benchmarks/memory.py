"""Memory: how much larger the process that does the work becomes while 2 GiB come in, and while they go out."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.house import SIZES, House, make_file
from benchmarks.load import at_once
from benchmarks.peers import COPYPARTY, NGINX, PORTAL, STOCK, Peer, started
from benchmarks.rounds import Reading, interleaved
from benchmarks.table import GROWTH, Table
from benchmarks.uploading import post, put

HUGE = SIZES["huge"]


def measure(house: House) -> None:
    """One transfer in each direction: the peak of the resident size above what it was before."""
    make_file(house.files / "huge.bin", HUGE)
    table = Table("memory")
    with _warmed(house, COPYPARTY) as peers:
        grown = interleaved({peer.name: partial(_upload, house, peer) for peer in peers}, rounds=1)
        table.line("2 GiB uploaded, growth of the worker", GROWTH, grown)
    with _warmed(house, STOCK, COPYPARTY, NGINX) as peers:
        grown = interleaved({peer.name: partial(_download, peer) for peer in peers}, rounds=1)
        table.line("2 GiB downloaded, growth of the worker", GROWTH, grown)
    table.end("Measured once, each time by servers started anew that had answered one small request.")


@contextmanager
def _warmed(house: House, *names: str) -> Iterator[list[Peer]]:
    with started(house, *names) as peers:
        for peer in peers:
            at_once([peer.target("small")])
        yield peers


def _upload(house: House, peer: Peer) -> Reading:
    before = peer.server.forget_peak()
    if peer.name == PORTAL:
        post(peer.server.port, house.publisher, "inbox", "huge.bin", HUGE)
        house.adopt("huge", "inbox/huge.bin")
    else:
        put(peer.server.port, "/in/huge.bin", HUGE)
    return Reading(peer.server.peak() - before)


def _download(peer: Peer) -> Reading:
    before = peer.server.forget_peak()
    at_once([peer.target("huge")])
    return Reading(peer.server.peak() - before)
