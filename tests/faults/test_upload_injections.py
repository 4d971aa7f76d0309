"""System calls that fail amid a resumable upload: nothing acknowledged is lost, nothing half is left (P1, P2).

ENOSPC and EIO come from the kernel, by strace, to the storage and to SQLite alike; afterwards the disk is well again.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.settings import Settings
from tests.faults import test_upload_kills as kills
from tests.faults.sender import GOES
from tests.forking import Forks
from tests.parts import missing
from tests.servers import environment

pytestmark = pytest.mark.faults

RENAMES = "rename,renameat,renameat2"
WRITES = "write,pwrite64"
SYNCS = "fsync,fdatasync"
SHORT = [
    ("write", "ENOSPC", "1+"), ("write", "ENOSPC", "2"), ("write", "EIO", "3"), ("write", "ENOSPC", "4+"),
    ("pwrite64", "ENOSPC", "1+"), ("pwrite64", "EIO", "9"),
    ("fdatasync", "EIO", "1"), ("fdatasync", "EIO", "4+"), ("fsync", "EIO", "1+"),
    (RENAMES, "EIO", "1"), ("ftruncate", "EIO", "1+"),
]  # fmt: skip
MOST = {WRITES: 60, SYNCS: 24, RENAMES: 2, "ftruncate": 3, "openat": 60, "unlinkat,unlink": 3}
"""How many of each an upload may make, or some more."""
LONG = [
    pytest.param(calls, error, f"{nth}{rest}", marks=pytest.mark.soak)
    for calls, most in MOST.items()
    for error in ("ENOSPC", "EIO")
    for rest in ("", "+")
    for nth in range(1, most + 1, 1 if most < 10 else 3)
]


@pytest.fixture
def installation(database: str, tmp_path: Path) -> Settings:
    return kills.install(database, tmp_path)


@pytest.fixture(scope="module")
def sender() -> Iterator[Forks]:
    """The process whose forks have their calls refused."""
    if shutil.which("strace") is None:
        missing("strace is not here, which has the kernel refuse calls")
    with Forks("tests.faults.injected") as process:
        yield process


def send(sender: Forks, settings: Settings, calls: str, error: str, when: str) -> list[str]:
    """Let a fork send while these calls fail; what it had been told."""
    journal = settings.data.parent / "journal"
    env = environment(settings) | {"PORTAL_BASE_URL": "http://localhost"}
    code = sender.order(calls=calls, error=error, when=when, journal=str(journal), environment=env)
    assert code in (0, 1), sender.output
    assert "could not be attached" not in sender.output
    return journal.read_text().split() if journal.exists() else []


@pytest.mark.parametrize(("calls", "count"), [("write", 0), ("fdatasync", 0), ("readv", len(GOES) - 1)])
def test_the_kernel_refuses_what_it_was_told_to(sender: Forks, installation: Settings, calls: str, count: int) -> None:
    assert len(send(sender, installation, calls, "EIO", "1+")) == count


@pytest.mark.parametrize(("calls", "error", "when"), [*SHORT, *LONG])
def test_an_upload_goes_on_after_calls_that_failed(
    sender: Forks, installation: Settings, calls: str, error: str, when: str
) -> None:
    kills.judge(installation, send(sender, installation, calls, error, when))
