"""kill -9 of whoever looks for viruses: what waited still waits, and the next one finds what is in it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from portal.extensions import db
from portal.jobs import SWEEP_SECONDS
from portal.models import AuditEvent, Blob, Document
from portal.settings import Settings
from portal.uploads import arrive, receive, scan, store_documents
from tests import makers
from tests.scanners import EICAR, Clamd, require_clamd
from tests.servers import environment, serving

pytestmark = pytest.mark.faults

PORTAL = Path(sys.executable).with_name("portal")
CLEAN = b"Nothing to be found in here.\n"


@pytest.fixture
def scanner(tmp_path: Path) -> Iterator[Clamd]:
    require_clamd()
    made = Clamd(tmp_path).start()
    yield made
    made.remove()


def store(settings: Settings) -> None:
    with makers.core(settings):
        for content, filename in ((EICAR, "bad.bin"), (CLEAN, "clean.bin")):
            incoming = receive()
            incoming.write(content)
            store_documents(None, makers.category("reports").id, [arrive(incoming, filename)])


def states(settings: Settings) -> list[str | None]:
    with makers.core(settings):
        return list(db.session.scalars(select(Blob.scan_state).order_by(Blob.id)))


def begin(settings: Settings, address: str) -> subprocess.Popen[bytes]:
    """`portal scan` in a process of its own, with a scanner of the test."""
    return subprocess.Popen([PORTAL, "scan"], env=environment(settings) | {"PORTAL_CLAMD": address})


@pytest.mark.timeout(120)
def test_a_scan_that_is_killed_has_changed_nothing_and_the_next_one_does_it(settings: Settings, scanner: Clamd) -> None:
    chosen = replace(settings, clamd=scanner.address)
    store(chosen)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        worker = begin(chosen, f"127.0.0.1:{silent.getsockname()[1]}")
        line, _ = silent.accept()
        with line:
            came = b""
            while not came.endswith(b"\0\0\0\0"):  # all of the first file; it waits for the verdict now
                came += line.recv(4096)
            assert EICAR in came
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait(30)

    assert states(chosen) == ["waiting", "waiting"]
    with makers.core(chosen):
        assert (scan().infected, states_here()) == (1, ["infected", "clean"])
        found = select(func.count()).select_from(AuditEvent).where(AuditEvent.action == "blob.infected")
        assert db.session.scalars(found).one() == 1
        assert db.session.scalars(select(func.count(Document.id))).one() == 2


def states_here() -> list[str | None]:
    makers.release()
    return list(db.session.scalars(select(Blob.scan_state).order_by(Blob.id)))


@pytest.mark.timeout(120)
def test_while_one_looks_another_does_not_and_the_lock_ends_with_its_holder(
    sqlite_settings: Settings, scanner: Clamd
) -> None:
    chosen = replace(sqlite_settings, clamd=scanner.address)
    store(chosen)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        worker = begin(chosen, f"127.0.0.1:{silent.getsockname()[1]}")
        line, _ = silent.accept()
        with line, makers.core(chosen):
            assert scan().scanned == 0
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait(30)
            assert scan().scanned == 2


def test_the_worker_looks_as_soon_as_something_came_in(sqlite_settings: Settings, scanner: Clamd) -> None:
    chosen = replace(sqlite_settings, clamd=scanner.address)
    with serving(chosen, has_worker=True):
        store(chosen)
        patience = time.monotonic() + SWEEP_SECONDS / 2  # unasked it would look once in this time, perhaps
        while states(chosen) != ["infected", "clean"] and time.monotonic() < patience:
            time.sleep(0.1)
        assert states(chosen) == ["infected", "clean"]
