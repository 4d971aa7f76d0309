"""A process that works on installations and kills itself at the n-th step of the work.

An order has ``verb`` and ``argument``, ``step``, and the ``environment`` of the installation. A step is a commit of
something written, or a name in the file system that comes or goes.
"""

import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

from portal import integrity
from portal.settings import load
from tests.forking import take_orders
from tests.makers import running

READING = ("SELECT", "PRAGMA", "BEGIN", "SET LOCAL")
NAMING = ("link", "mkdir", "open", "rename", "rmdir", "unlink")
VERBS: dict[str, Callable[[str], object]] = {
    "collect": lambda _: integrity.collect(),
    "backup": lambda target: integrity.backup(Path(target)),
    "restore": lambda source: integrity.restore(Path(source)),
}


def arm(step: int) -> None:
    """Die before the n-th step from now on."""
    steps = count(1)

    def reached(*_: object) -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def note_writing(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        connection.info["has_written"] = not statement.startswith(READING) or connection.info.get("has_written")

    def commit(connection: Connection) -> None:
        if connection.info.pop("has_written", False):
            reached()

    event.listen(Engine, "before_cursor_execute", note_writing)
    event.listen(Engine, "commit", commit)
    for name in NAMING:
        setattr(os, name, _after(reached, getattr(os, name)))


def _after(reached: Callable[[], None], original: Callable[..., Any]) -> Callable[..., Any]:
    def stepped(*args: Any, **kwargs: Any) -> Any:
        if original.__name__ != "open" or args[1] & os.O_CREAT:
            reached()
        return original(*args, **kwargs)

    return stepped


def work(verb: str, argument: str, step: int, environment: dict[str, str]) -> None:
    """Do what is ordered, up to the step."""
    with running(load(environment)) as app, app.app_context():
        arm(step)
        VERBS[verb](argument)


if __name__ == "__main__":
    take_orders(work)
