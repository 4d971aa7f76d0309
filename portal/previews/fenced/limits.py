"""The limits of the child on itself: processor, memory, files, processes; and whose death ends it."""

import ctypes
import os
import resource
import signal

from portal.previews.fenced.frames import Task

PR_SET_PDEATHSIG = 1
DESCRIPTORS = 4
"""Those it has, and one more of the source when that is mapped."""
GENTLE = 5
"""How much others come first."""


def limit_self(task: Task, parent: int) -> None:
    """Put the limits up; nothing takes them down again. Raises OSError where that cannot be done.

    ``parent`` is the worker: when it dies, however it dies, this process ends with it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        raise OSError("the worker is gone")
    os.nice(GENTLE)
    for what, most in (
        (resource.RLIMIT_AS, task.memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
    ):
        resource.setrlimit(what, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (task.seconds, task.seconds + 1))  # a signal that says why, and then KILL
