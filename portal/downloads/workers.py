"""Which of the processes that send live, told by what the kernel says of them (proc(5)).

A name holds while a machine runs: another start of it, or another container, cannot be told and is nobody known.
"""

import os
from functools import cache
from pathlib import Path

PROC = Path("/proc")
EXITING = 0x4
"""The flag of a process that is ending: it comes before its connections are closed, and stays until it is buried."""
FLAGS, STARTED = 6, 19
"""Where they stand in ``stat`` behind the name of the program: the 9th and the 22nd field of all."""


def name() -> str:
    """What the present process is called: where it runs, its number, and when it began, for numbers come again."""
    return f"{_place()} {os.getpid()} {_began(os.getpid())}"


def is_alive(worker: str) -> bool | None:
    """Whether the process of this name lives; None when nobody here can tell."""
    place, _, process = worker.partition(" ")
    number, _, began = process.partition(" ")
    if not place or place != _place() or not number.isdecimal():
        return None
    return _began(int(number)) == began


@cache
def _place() -> str:
    """This run of this kernel, and the world of numbers a container has; empty on a system without them."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink(PROC / 'self/ns/pid')}"
    except OSError:
        return ""


def _began(number: int) -> str:
    """When a process began, in ticks since the start of the machine; empty when there is none."""
    try:
        fields = (PROC / str(number) / "stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return ""
    return "" if int(fields[FLAGS]) & EXITING else fields[STARTED]
