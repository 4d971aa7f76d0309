"""Slow readers: what hundreds of them cost everybody else, and the worker that serves them."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks.crowd import crowd
from benchmarks.house import House
from benchmarks.load import Target, latencies
from benchmarks.peers import COPYPARTY, NGINX, STOCK, Peer, started
from benchmarks.rounds import Reading, interleaved
from benchmarks.settings import KIB, SECONDS
from benchmarks.table import DURATION, GROWTH, TIMES, Table, Unit
from portal.cli.serve import THREADS

COUNTS = (500, 1000)
RATE = 20 * KIB
"""Bytes per second of each slow reader."""
SPARE = 100
"""Threads beyond the slow readers: the servers with threads need one for each of them."""


@dataclass(frozen=True)
class Found:
    """One round of one server.

    p95 in seconds without and beside slow readers, seconds until these were all served, growth in MiB, and how many of
    them were still reading at the end.
    """

    alone: float
    arrival: float
    beside: float
    growth: float
    readers: int


def measure(house: House) -> None:
    """The p95 of a small download by somebody else without and with slow readers, and the growth of the worker."""
    table = Table("slow")
    notes = [note for count in COUNTS for note in _compare(house, table, count)]
    table.end(*notes)


def _compare(house: House, table: Table, count: int) -> list[str]:
    threads = max(THREADS, count + SPARE)
    with started(house, STOCK, COPYPARTY, NGINX, threads=threads) as peers:
        found = interleaved({peer.name: partial(_round, peer, count, _settled(peer)) for peer in peers})
    name = f"{count:,} slow readers"
    _line(table, f"p95 of a small download by somebody else, without {name}", found, DURATION, lambda one: one.alone)
    _line(table, f"until each of {name} has its first 20 KiB", found, DURATION, lambda one: one.arrival)
    _line(table, f"the same p95 beside {name} of 20 KiB/s each", found, DURATION, lambda one: one.beside)
    _line(table, f"the rise: beside ÷ without {name}", found, TIMES, lambda one: one.beside / one.alone)
    _line(table, f"growth of the worker with {name}", found, GROWTH, lambda one: one.growth)
    fewest = ", ".join(f"{who} {min(one.readers for one in rounds):,}" for who, rounds in found.items())
    return [f"{name.capitalize()}: {threads:,} threads in the portal and in stock. Reading at the end: {fewest}."]


def _settled(peer: Peer) -> float:
    """The resident size of a worker that has served somebody, in MiB."""
    latencies(peer.target("small"), seconds=SECONDS)
    return peer.server.forget_peak()


def _round(peer: Peer, count: int, size: float) -> Found:
    alone = _p95(peer.target("small"))
    peer.server.forget_peak()
    with crowd([peer.target("large", reader) for reader in range(1, count + 1)], RATE) as (arrival, readers):
        beside = _p95(peer.target("small"))
        found = Found(alone, arrival, beside, peer.server.peak() - size, readers())
    peer.server.settle()
    return found


def _p95(target: Target) -> float:
    """Each visitor connects anew. Where a server let only one through in all the time, it is what that one waited."""
    found = latencies(target, seconds=SECONDS)
    return statistics.quantiles(found, n=20, method="inclusive")[-1] if len(found) > 1 else found[0]


def _line(table: Table, work: str, found: dict[str, list[Found]], unit: Unit, choose: Callable[[Found], float]) -> None:
    table.line(work, unit, {name: [Reading(choose(one)) for one in rounds] for name, rounds in found.items()})
