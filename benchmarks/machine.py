"""What the figures were taken on, for without it they say nothing."""

import os
import platform
import resource
import shutil
import statistics
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.settings import DATABASE, GIB, KIB, ROUNDS, SECONDS

PACKAGES = ("gunicorn", "Flask", "SQLAlchemy", "copyparty")
FLUSHES = 200


def facts() -> str:
    """Interpreter, processors, memory, versions, and how much is measured."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{platform.python_implementation()} {platform.python_version()}, Linux {platform.release()}, "
        f"{os.cpu_count()} cores, {memory:.0f} GiB; {_nginx()}, {packages}.\n"
        f"Ledger in {DATABASE}. {ROUNDS} rounds, {SECONDS:g} s for a rate. Servers, clients and other work share the "
        "cores: read the ratios."
    )


def state(work: Path) -> str:
    """What else the machine is doing, and what it costs just now to make something durable."""
    load = ", ".join(f"{average:.2f}" for average in os.getloadavg())
    return f"load average {load}; a flush (fdatasync of 4 KiB) takes {_flush(work) * 1000:.3f} ms"


def allow_open_files() -> None:
    """As many as the system lets us, for this process and all that it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _nginx() -> str:
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    return subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr.split(": ")[1].strip()


def _flush(work: Path) -> float:
    path = work / "flushed"
    with path.open("wb", buffering=0) as out:
        seconds = statistics.median(_timed_flush(out.fileno()) for _ in range(FLUSHES))
    path.unlink()
    return seconds


def _timed_flush(descriptor: int) -> float:
    os.write(descriptor, bytes(4 * KIB))
    began = time.perf_counter()
    os.fdatasync(descriptor)
    return time.perf_counter() - began
