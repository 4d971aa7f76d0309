"""Large documents as they are: one stream, and eight at once."""

from functools import partial

from benchmarks.house import House
from benchmarks.load import at_once
from benchmarks.peers import COPYPARTY, NGINX, OFFLOADED, STOCK, Peer, started
from benchmarks.rounds import Reading, interleaved
from benchmarks.table import MIB_PER_SECOND, Table, limit

STREAMS = {"one stream": 1, "eight streams at once": 8}


def measure(house: House) -> None:
    """MiB per second of all streams together."""
    with started(house, OFFLOADED, STOCK, COPYPARTY, NGINX) as peers:
        table = Table("streams", *(_limit(peers[-1], *item) for item in STREAMS.items()))
        for name, count in STREAMS.items():
            readings = interleaved({peer.name: partial(_stream, peer, count) for peer in peers})
            table.line(f"1 GiB, {name}", MIB_PER_SECOND, readings)
    table.end()


def _stream(peer: Peer, count: int) -> Reading:
    """The portal sends to another reader on each stream."""
    return at_once([peer.target("large", reader) for reader in range(count)]).throughput


def _limit(nginx: Peer, name: str, count: int) -> str:
    found = _stream(nginx, count)
    return limit(f"{found.value:,.0f} MiB/s in {name}", found.share)
