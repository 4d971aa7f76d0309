"""Small requests: a whole small document, and the answer that it is unchanged."""

from functools import partial

from benchmarks.house import House
from benchmarks.load import Target, closed_loop
from benchmarks.peers import BARE, BARE_IN_WORKER, COPYPARTY, NGINX, PORTAL, STOCK, Peer, condition, started
from benchmarks.rounds import Reading, interleaved
from benchmarks.settings import SECONDS
from benchmarks.table import PER_SECOND, Table, limit

CONNECTIONS = {"1 connection": 1, "4 connections": 4}


def measure(house: House) -> None:
    """Requests per second of every server."""
    with started(house, BARE, BARE_IN_WORKER, STOCK, COPYPARTY, NGINX) as peers:
        table = Table("requests", *(_limit(peers[-1], *item) for item in CONNECTIONS.items()))
        for name, connections in CONNECTIONS.items():
            _compare_whole(house, table, peers, name, connections)
        for name, connections in CONNECTIONS.items():
            _compare_unchanged(table, peers, name, connections)
    table.end("Each small download of the portal that was counted here was found in its ledger, completed.")


def _compare_whole(house: House, table: Table, peers: list[Peer], name: str, connections: int) -> None:
    before = house.completed()
    answers = dict.fromkeys((peer.name for peer in peers), 0)

    def read(peer: Peer) -> Reading:
        work = closed_loop(peer.target("small"), seconds=SECONDS, connections=connections)
        answers[peer.name] += work.answers
        return work.rate

    readings = interleaved({peer.name: partial(read, peer) for peer in peers})
    assert house.completed() - before == answers[PORTAL], "the ledger does not hold what was measured"
    table.line(f"small download: 1 KiB, signed in, checked, durable ledger; {name}", PER_SECOND, readings)


def _compare_unchanged(table: Table, peers: list[Peer], name: str, connections: int) -> None:
    targets = {peer.name: _unchanged(peer.target("small")) for peer in peers}
    readings = interleaved({who: partial(_rate, target, connections) for who, target in targets.items()})
    table.line(f"304 for an unchanged document; {name}", PER_SECOND, readings)


def _unchanged(target: Target) -> Target:
    return target.unchanged(condition(target))


def _rate(target: Target, connections: int) -> Reading:
    return closed_loop(target, seconds=SECONDS, connections=connections).rate


def _limit(nginx: Peer, name: str, connections: int) -> str:
    found = _rate(nginx.target("small"), connections)
    return limit(f"{found.value:,.0f} requests/s over {name}", found.share)
