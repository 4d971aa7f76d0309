"""Readers on slow lines keep nobody else waiting, however many they are, and cost the worker little memory (P12)."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from benchmarks.crowd import crowd
from benchmarks.load import Target
from benchmarks.servers import Server as Measured
from portal.accounts.sessions import start_session
from portal.cli.serve import THREADS
from portal.extensions import db
from portal.models import Download
from portal.settings import Settings
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.servers import Caller, Server, serving

pytestmark = [pytest.mark.faults, SQLITE_ONLY]

CONTENT = bytes(8 * 1024 * 1024)
"""More than the buffers of a line take: whoever reads slowly is still reading at the end."""
SMALL = b"small" * 200
ZIP = "/categories/reports/download"
RATE = 20 * 1024
"""Bytes per second of each reader."""
ROUNDS = 25
FEW, MANY = 60, 1000
MIB_EACH = 128 / MANY
ALLOWED = {FEW: FEW * MIB_EACH + 16, MANY: 128}
"""Growth of the worker in MiB; that of a few has some room for what the first requests of all load."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.soak)])
def test_others_are_answered_while_slow_readers_sit_and_nobody_is_dropped(settings: Settings, count: int) -> None:
    large, small, cookies = furnish(settings, count)
    with serving(settings, "--threads", str(THREADS)) as server:
        worker, somebody = measured(server), Caller(server.port, {"portal": cookies.pop()})
        assert visit(somebody, small) == {200}
        before = worker.forget_peak()
        targets = [Target(server.port, large, f"Cookie: portal={cookie}\r\n") for cookie in cookies]

        with crowd(targets, RATE) as (_, readers):
            assert visit(somebody, small) == {200}
            assert readers() == count, "nobody is dropped"
            assert running(settings) == count
            growth = worker.peak() - before

        assert visit(somebody, small) == {200}
    print(f"{count} slow readers: {before:.0f} MiB before, {growth:.0f} MiB more at the most")
    assert growth < ALLOWED[count]


@pytest.mark.timeout(600)
def test_slow_readers_of_zips_hold_no_more_memory_than_those_of_documents(settings: Settings) -> None:
    _, small, cookies = furnish(settings, FEW)
    with serving(settings, "--threads", str(THREADS)) as server:
        worker, somebody = measured(server), Caller(server.port, {"portal": cookies.pop()})
        assert visit(somebody, small) == {200}
        assert somebody.get(ZIP).status == 200
        before = worker.forget_peak()
        targets = [Target(server.port, ZIP, f"Cookie: portal={cookie}\r\n") for cookie in cookies]

        with crowd(targets, RATE) as (_, readers):
            assert visit(somebody, small) == {200}
            assert readers() == FEW, "nobody is dropped"
            growth = worker.peak() - before
    print(f"{FEW} slow readers of a zip: {before:.0f} MiB before, {growth:.0f} MiB more at the most")
    assert growth < ALLOWED[FEW]


def furnish(settings: Settings, count: int) -> tuple[str, str, list[str]]:
    """The paths of a large and a small document, and sessions of so many readers and one more."""
    with makers.running(settings) as app, app.app_context():
        shelf = makers.category()
        makers.grant(shelf, everyone=True)
        large = makers.document(shelf, "large.bin", CONTENT, "application/octet-stream")
        small = makers.document(shelf, "small.bin", SMALL, "application/octet-stream")
        people = [makers.person(f"Reader {number}") for number in range(count + 1)]
        cookies = [start_session(person.id, network=makers.NETWORK, agent="tests") for person in people]
        return f"/documents/{large.id}/download", f"/documents/{small.id}/download", cookies


def visit(somebody: Caller, small: str) -> set[int]:
    """The statuses of pages and small downloads one after another."""
    return {somebody.get(path).status for _ in range(ROUNDS) for path in ("/", "/categories/reports", small)}


def running(settings: Settings) -> int:
    """How many downloads are on their way, as the ledger says."""
    with makers.running(settings) as app, app.app_context():
        return db.session.scalars(select(func.count()).where(Download.state == "started")).one()


def measured(server: Server) -> Measured:
    """The worker, to be asked for its size."""
    (worker,) = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return Measured(server.port, int(worker))
