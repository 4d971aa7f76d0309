"""A process that sends one upload in three goes while the kernel refuses some of its system calls.

``strace`` is attached once all is prepared, so that calls are counted from the first one of the upload on.
"""

import ctypes
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, Popen

from tests.faults.sender import prepare, send
from tests.forking import take_orders

PR_SET_PTRACER, PR_SET_PTRACER_ANY = 0x59616D61, -1
PATIENCE_SECONDS = 20


def work(*, calls: str, error: str, when: str, journal: str, environment: dict[str, str]) -> None:
    """Send all goes, of whose ``calls`` those of this number fail: "3" is the third, "3+" that and all after it."""
    client = prepare(environment)
    with refusing(calls, error, when):
        send(client, Path(journal))


@contextmanager
def refusing(calls: str, error: str, when: str) -> Iterator[None]:
    """In each thread of this process the kernel answers so; not any more after the block."""
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0)
    rules = ["-e", f"trace={calls}", "-e", f"inject={calls}:error={error}:when={when}"]
    command = ["strace", "-f", "-qq", "-o", os.devnull, *rules, "-p", str(os.getpid())]
    tracer = Popen(command, stdin=DEVNULL, stdout=DEVNULL)
    stop = time.monotonic() + PATIENCE_SECONDS
    while _tracer() != tracer.pid:
        if time.monotonic() > stop or tracer.poll() is not None:
            raise RuntimeError("strace could not be attached")
        time.sleep(0.01)
    try:
        yield
    finally:
        tracer.terminate()
        tracer.wait()


def _tracer() -> int:
    """Who traces this process, 0 for nobody."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("TracerPid:"))


if __name__ == "__main__":
    take_orders(work)
