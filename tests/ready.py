"""`portal` in a process that is forked from one that has imported everything already, instead of one that starts anew.

A start and an end of Python with the portal in it take two seconds of a processor, a fork a tenth of it. What is forked
is a process as any other: of a session of its own, with its own pid, environment, arguments and output. What is
imported and how an interpreter ends is not tried by this: where it matters, a test starts the real command.
"""

import atexit
import functools
import importlib
import io
import json
import os
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[1]
IMPORTED = ("portal.cli", "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql", "psycopg")
OUTPUT = (1, 2)


class Process:
    """A process that was forked, as ``subprocess`` would have it."""

    def __init__(self, starter: "Starter", pid: int) -> None:
        self._starter, self.pid = starter, pid
        self._ended = os.pidfd_open(pid)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code if it has ended; negative when a signal ended it."""
        if self.returncode is None and select.select([self._ended], [], [], 0)[0]:
            self._reap()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code once it has ended. Raises TimeoutExpired when it has not in so many seconds."""
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"portal, process {self.pid}", timeout or 0)
            self._reap()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Tell it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _reap(self) -> None:
        os.close(self._ended)
        self.returncode = self._starter.ask(reap=self.pid)


class Starter:
    """The process whose forks are started."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.ready"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=_clean(), start_new_session=True
        )
        self._asking = threading.Lock()

    def start(self, arguments: Sequence[str], *, env: Mapping[str, str], log: Path, program: str = "") -> Process:
        """`portal` with these arguments, and what it prints in ``log``; ``program`` is Python to run first."""
        order = {"arguments": list(arguments), "env": dict(env), "log": str(log), "program": program}
        return Process(self, self.ask(start=order))

    def ask(self, **order: Any) -> int:
        """The pid of what was started, or the exit code of what has ended."""
        assert self._process.stdin
        assert self._process.stdout
        with self._asking:
            print(json.dumps(order), file=self._process.stdin, flush=True)
            return int(self._process.stdout.readline())

    def end(self) -> None:
        """Let go of it; it ends when nobody can ask any more."""
        self._process.communicate(timeout=60)


@functools.cache
def starter() -> Starter:
    """The one of this process of tests, begun when it is needed first."""
    found = Starter()
    atexit.register(found.end)
    return found


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}


def serve_orders() -> None:
    """For each line on stdin start or reap a process; write its number to stdout."""
    for line in sys.stdin:
        order = json.loads(line)
        if "reap" in order:
            print(os.waitstatus_to_exitcode(os.waitpid(order["reap"], 0)[1]), flush=True)
        elif pid := os.fork():
            print(pid, flush=True)
        else:
            _become(**order["start"])


def _become(arguments: list[str], env: dict[str, str], log: str, program: str) -> NoReturn:
    os.setsid()
    for name, number in ((os.devnull, 0), (log, 1)):
        opened = os.open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    os.dup2(1, 2)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.FileIO(number, "w", closefd=False), write_through=True) for number in OUTPUT
    )
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["portal", *arguments]
    code = 1
    try:
        exec(program, {})  # noqa: S102  # written in the tests
        importlib.import_module("portal.cli").main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        os._exit(code)  # without the second that tidying up every module takes


if __name__ == "__main__":
    for name in IMPORTED:
        importlib.import_module(name)
    # A server that is told to end waits for its scrub to wake up: for nothing, in every test with a server.
    importlib.import_module("portal.cli.beside").NAP_SECONDS = 0.05  # type: ignore[attr-defined]
    serve_orders()
