"""Parts of a large document: the end of it, and pieces from anywhere."""

import itertools
import random
import statistics
import subprocess
from collections.abc import Iterator
from functools import partial
from itertools import islice
from time import perf_counter

from benchmarks.house import SIZES, House
from benchmarks.load import Connection, Target, one_by_one
from benchmarks.peers import COPYPARTY, NGINX, STOCK, Peer, started
from benchmarks.rounds import Reading, interleaved
from benchmarks.settings import KIB, MIB
from benchmarks.table import DURATION, MIB_PER_SECOND, Table

TIMES = 10
"""Late ranges in one round; the median of them is its figure."""
PIECES = 200
"""Random pieces in one round: fewer than the 256 that the ledger keeps apart for one download."""
SEED = 20261122


def measure(house: House) -> None:
    """Seconds for the last 1 KiB of 1 GiB and for 1 MiB of it, and the rate of random pieces of 1 MiB."""
    with started(house, STOCK, COPYPARTY, NGINX) as peers:
        table = Table("ranges")
        table.line(
            "last 1 KiB of 1 GiB, a whole `curl` process",
            DURATION,
            interleaved({peer.name: partial(_last_by_curl, peer) for peer in peers}),
        )
        table.line(
            "last 1 KiB of 1 GiB, on an open connection",
            DURATION,
            interleaved({peer.name: partial(_on_open_connection, peer) for peer in peers}),
        )
        readers = itertools.count(1)
        table.line(
            "1 MiB of 1 GiB at random, a whole `curl` process",
            DURATION,
            interleaved({peer.name: partial(_piece_by_curl, peer, readers) for peer in peers if peer.name != STOCK}),
        )
        table.line(
            "pieces of 1 MiB of 1 GiB at random, one connection",
            MIB_PER_SECOND,
            interleaved({peer.name: partial(_pieces, peer, readers) for peer in peers if peer.name != STOCK}),
        )
    table.end()


def _last(peer: Peer) -> Target:
    return peer.target("large").part(SIZES["large"] - KIB, KIB)


def _last_by_curl(peer: Peer) -> Reading:
    return Reading(statistics.median(_curl(_last(peer)) for _ in range(TIMES)))


def _piece_by_curl(peer: Peer, readers: Iterator[int]) -> Reading:
    return Reading(statistics.median(map(_curl, islice(_random_pieces(peer, readers), TIMES))))


def _curl(target: Target) -> float:
    """Seconds of the process, its start and its connecting included."""
    fields = [part for field in target.headers.split("\r\n") if field for part in ("-H", field)]
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", *fields]
    began = perf_counter()
    said = subprocess.check_output([*command, f"http://127.0.0.1:{target.port}{target.path}"])
    seconds = perf_counter() - began
    assert said == b"%d %d" % (target.status, target.length), said
    return seconds


def _on_open_connection(peer: Peer) -> Reading:
    target = _last(peer)
    with Connection(target.port) as line:
        line.fetch(target)
        return Reading(statistics.median(line.fetch(target) for _ in range(TIMES)))


def _pieces(peer: Peer, readers: Iterator[int]) -> Reading:
    return one_by_one(list(islice(_random_pieces(peer, readers), PIECES))).throughput


def _random_pieces(peer: Peer, readers: Iterator[int]) -> Iterator[Target]:
    """The same pieces of everybody; of the portal by another reader each time, whose download they begin."""
    chance = random.Random(SEED)
    whole = peer.target("large", next(readers))
    while True:
        yield whole.part(chance.randrange(whole.length - MIB), MIB)
