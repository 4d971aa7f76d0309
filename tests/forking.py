"""A process that works in forks of itself: what it imports is paid for once, not for every fork that dies.

A module of work ends with ``take_orders(work)``; a test sends it orders through ``Forks``. Nothing of the portal is
imported here, so that a fork may import a copy of it.
"""

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Self

ROOT = Path(__file__).parents[1]


def take_orders(work: Callable[..., int | None]) -> None:
    """For each line on stdin, an object in JSON, fork and call ``work`` with it; write the exit code to stdout."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(_obey(work, line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _obey(work: Callable[..., int | None], line: str) -> int:
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # stdout is for exit codes
    try:
        return work(**json.loads(line)) or 0
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()


class Forks:
    """The process of a module of work, ended at the end of the block."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __enter__(self) -> Self:
        self._output = tempfile.TemporaryFile()
        command = [sys.executable, "-m", self._module]
        self._process = Popen(command, stdin=PIPE, stdout=PIPE, stderr=self._output, text=True, cwd=ROOT)
        return self

    def __exit__(self, *reason: object) -> None:
        with self._output:
            self._process.communicate(timeout=60)
            assert self._process.returncode == 0, self.output

    @property
    def output(self) -> str:
        """What it and its forks have printed so far."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")

    def order(self, **facts: object) -> int:
        """The exit code of a fork that worked with these facts; negative when a signal ended it."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(facts), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())
