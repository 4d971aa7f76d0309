"""What the child may ask the kernel for: a list of calls, and an error for every other one.

It may read and write what is open, take memory, look at the clock and end. It cannot open anything, connect to
anything, start anything, signal anybody or run what was not code before; so a library that was taken over by the file
it reads has no more than that file. A filter of seccomp(2) stays for the life of the process.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Iterator

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, MODE_FILTER = 22, 38, 2
KILL, REFUSE, ALLOW = 0x8000_0000, 0x0005_0000 | errno.EPERM, 0x7FFF_0000
LOAD, EQUAL, ABOVE, BITS, RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
"""Instructions: load a word; jump if equal, above, or any bit is set; return."""
NUMBER_AT, MACHINE_AT, ARGUMENTS_AT = 0, 4, 16
"""Where in what the kernel tells of a call its number stands, the machine, and its arguments of 8 bytes each."""
PROT_EXEC, AT_EMPTY_PATH, F_GETFL, F_DUPFD_CLOEXEC = 4, 0x1000, 3, 1030
FOREIGN = 0x4000_0000
"""Calls of another numbering (x32) begin here."""

MACHINES = {"x86_64": (0xC000_003E, 0), "aarch64": (0xC000_00B7, 1)}
"""What the kernel calls a machine, and in which column of ``CALLS`` its numbers stand."""
CALLS: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "poll": (7, None),
    "lseek": (8, 62),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "pread64": (17, 67),
    "readv": (19, 65),
    "writev": (20, 66),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "exit": (60, 93),
    "uname": (63, 160),
    "gettimeofday": (96, 169),
    "getrlimit": (97, 163),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "getuid": (102, 174),
    "getgid": (104, 176),
    "geteuid": (107, 175),
    "getegid": (108, 177),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "time": (201, None),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "getrandom": (318, 278),
    "membarrier": (324, 283),
    "rseq": (334, 293),
}
"""Allowed whatever they are asked with."""
CONDITIONAL: dict[str, tuple[tuple[int, int], int, int, bool]] = {
    "mmap": ((9, 222), 2, PROT_EXEC, False),
    "mprotect": ((10, 226), 2, PROT_EXEC, False),
    "newfstatat": ((262, 79), 3, AT_EMPTY_PATH, True),
}
"""Allowed if a bit of one argument is as said: memory that is no code, and the facts of what is open."""
FCNTL = (72, 25)
"""Only to look at a descriptor, or to double it: others would have signals sent."""


class Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def filter_self() -> None:
    """Put the filter in force. Raises OSError where the kernel, or this machine, does not know how."""
    if platform.machine() not in MACHINES:
        raise OSError(f"no list of calls for {platform.machine()}")
    code = b"".join(instructions(*MACHINES[platform.machine()]))
    kept = ctypes.create_string_buffer(code, len(code))
    program = Program(len(code) // 8, ctypes.cast(kept, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    for call in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0)):
        if libc.prctl(*call) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


def instructions(machine: int, column: int) -> Iterator[bytes]:
    """The filter in the code of the kernel's packet filter (classic BPF), one instruction at a time."""
    yield _step(LOAD, MACHINE_AT)
    yield _step(EQUAL, machine, 1, 0)
    yield _step(RETURN, KILL)
    yield _step(LOAD, NUMBER_AT)
    yield _step(ABOVE, FOREIGN - 1, 0, 1)
    yield _step(RETURN, KILL)
    for numbers in CALLS.values():
        number = numbers[column]
        if number is not None:
            yield _step(EQUAL, number, 0, 1)
            yield _step(RETURN, ALLOW)
    for columns, argument, bit, is_wanted in CONDITIONAL.values():
        yield from _on_argument(columns[column], argument, _step(BITS, bit, *((0, 1) if is_wanted else (1, 0))))
    yield from _on_argument(FCNTL[column], 1, _step(EQUAL, F_DUPFD_CLOEXEC, 1, 0), _step(ABOVE, F_GETFL, 1, 0))
    yield _step(RETURN, REFUSE)


def _on_argument(number: int, argument: int, *questions: bytes) -> Iterator[bytes]:
    """Allow a call when the questions, asked of the lower half of an argument, lead to the instruction after them."""
    yield _step(EQUAL, number, 0, len(questions) + 3)
    yield _step(LOAD, ARGUMENTS_AT + 8 * argument)
    yield from questions
    yield _step(RETURN, ALLOW)
    yield _step(RETURN, REFUSE)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
