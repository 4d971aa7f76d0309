"""A restart drops no download that ends in time, and the ledger tells the truth about one that does not."""

import hashlib
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from portal import jobs
from portal.accounts.sessions import start_session
from portal.downloads import LOOK
from portal.downloads.sending import BLOCK
from portal.extensions import db
from portal.models import Download
from portal.settings import Settings
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.servers import Caller, Server, serving
from tests.slow import reading

pytestmark = [pytest.mark.faults, SQLITE_ONLY]

CONTENT = random.Random(7).randbytes(8 * 1024 * 1024)
"""More than the buffers of a line take: while nobody reads, it is on its way."""
SHA256 = hashlib.sha256(CONTENT).hexdigest()
BEGUN = 100_000
PATIENCE = 60
HURRIED = "import sys, portal.cli.serve; sys.modules['portal.cli.serve'].FINISHING_SECONDS = 1"
"""A server that cuts what is not finished after one second."""


def test_new_workers_answer_while_the_old_one_finishes_what_it_sends(settings: Settings) -> None:
    path, cookie = publish(settings)
    with serving(settings) as server:
        (old,) = workers(server)
        with reading(server.port, path, cookie) as slow:
            slow.read(BEGUN)
            rename(settings, "Renamed")
            server.process.send_signal(signal.SIGHUP)
            assert until(lambda: b"Renamed" in Caller(server.port).get("/login").body), "settings are read anew"
            assert until(lambda: len(workers(server)) == 2)
            assert rows(settings) == [("started", False, [])], "it is on its way"

            assert Caller(server.port, {"portal": cookie}).get(f"{path}?", Range="bytes=0-9").body == CONTENT[:10]
            slow.hurry()
            slow.hurry()
        slow.read(len(CONTENT))

        assert slow.sha256 == SHA256
        assert until(lambda: old not in workers(server)), "the old worker ends with its last answer"
    assert rows(settings) == [("completed", True, [[0, len(CONTENT)]])]


def test_a_server_told_to_stop_finishes_what_it_sends(settings: Settings) -> None:
    path, cookie = publish(settings)
    with serving(settings) as server, reading(server.port, path, cookie) as slow:
        slow.read(BEGUN)
        server.process.terminate()
        assert until(lambda: refuses(server)), "nobody new is kept waiting"

        slow.hurry()
        slow.read(len(CONTENT))

        assert server.process.wait(PATIENCE) == 0
    assert slow.sha256 == SHA256
    assert rows(settings) == [("completed", True, [[0, len(CONTENT)]])]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("program", [HURRIED, pytest.param("", marks=pytest.mark.soak)], ids=["1s", "30s"])
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM], ids=["reload", "stop"])
def test_a_download_that_does_not_end_in_time_is_cut_and_can_be_gone_on_with(
    settings: Settings, number: signal.Signals, program: str
) -> None:
    path, cookie = publish(settings)
    with serving(settings, program=program) as server, reading(server.port, path, cookie) as slow:
        slow.read(BEGUN)
        (old,) = workers(server)
        server.process.send_signal(number)
        assert until(lambda: not Path(f"/proc/{old}").exists())

        slow.hurry()
        slow.read(len(CONTENT))

    assert BEGUN < slow.got < len(CONTENT)
    ((state, is_confirmed, ((start, stop),)),) = rows(settings)
    assert (state, is_confirmed, start) == ("aborted", False, 0)
    assert stop <= slow.got < stop + BLOCK, "what left, but for the block that was cut"
    with serving(settings) as server, reading(server.port, path, cookie, Range=f"bytes={slow.got}-") as rest:
        rest.hurry()
        rest.read(len(CONTENT))
    assert rest.sha256 == hashlib.sha256(CONTENT[slow.got :]).hexdigest()
    ((state, _, intervals),) = rows(settings)
    assert (state, intervals) == ("completed", [[0, len(CONTENT)]])


@pytest.mark.timeout(180)
def test_what_a_worker_sent_that_was_killed_is_interrupted_while_the_server_runs_on(settings: Settings) -> None:
    path, cookie = publish(settings)
    with serving(settings, has_worker=True) as server, reading(server.port, path, cookie) as lost:
        lost.read(BEGUN)
        assert until(lambda: len(server.mailers) == 1)
        (killed,) = server.children - server.mailers
        os.kill(killed, signal.SIGKILL)
        assert until(lambda: len(server.children - server.mailers - {killed}) == 1)
        with reading(server.port, path, another_reader(settings)) as slow:
            slow.read(BEGUN)
            let_time_pass(settings)

            assert until(lambda: [state for state, _, _ in rows(settings)] == ["interrupted", "started"])

            slow.hurry()
            slow.read(len(CONTENT))
        assert slow.sha256 == SHA256
    assert [state for state, _, _ in rows(settings)] == ["interrupted", "completed"]


def another_reader(settings: Settings) -> str:
    """The session of somebody else."""
    with makers.running(settings) as app, app.app_context():
        return start_session(makers.person("Another").id, network=makers.NETWORK, agent="tests")


def let_time_pass(settings: Settings) -> None:
    """Of no download has anybody heard for ten minutes, and the worker beside the server looks now."""
    with makers.running(settings) as app, app.app_context():
        for row in db.session.scalars(select(Download)).all():
            makers.change(row, active_at=makers.now(minutes=-10))
        jobs.wake(LOOK)


def publish(settings: Settings) -> tuple[str, str]:
    """A document everybody may read; its path and the session of a reader."""
    with makers.running(settings) as app, app.app_context():
        shelf = makers.category()
        makers.grant(shelf, everyone=True)
        document = makers.document(shelf, "large.bin", CONTENT, "application/octet-stream")
        cookie = start_session(makers.person("Reader").id, network=makers.NETWORK, agent="tests")
        return f"/documents/{document.id}/download", cookie


def rename(settings: Settings, name: str) -> None:
    (settings.data.parent / "portal.toml").write_text(f'name = "{name}"\n')


def rows(settings: Settings) -> list[tuple[str, bool, list[list[int]]]]:
    """State, confirmation and intervals of each download."""
    with makers.running(settings) as app, app.app_context():
        return [(row.state, row.is_confirmed, row.intervals) for row in db.session.scalars(select(Download))]


def workers(server: Server) -> list[int]:
    pid = server.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def refuses(server: Server) -> bool:
    try:
        Caller(server.port).get("/healthz")
    except ConnectionError:
        return True
    return False


def until(is_so: Callable[[], bool]) -> bool:
    """Whether it comes to be so while there is patience."""
    deadline = time.monotonic() + PATIENCE
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_so()
