"""A process that goes on with distributions and kills itself: at a named step, or after a while."""

import os
import signal
import threading
from typing import Any

from portal import create_core, notices
from portal.extensions import db
from portal.settings import load
from portal.uploads import distributing
from portal.uploads.distributing import running
from tests.faults.uploader import kill_after
from tests.forking import take_orders


def arm(step: str, nth: int) -> None:
    """Steps in the order of filing one file, and at the end of all."""
    session = type(db.session())
    points: dict[str, tuple[Any, str, bool]] = {
        "shelved": (running, "ensure_shelf", False),
        "placed": (running, "place_document", False),
        "written": (running, "_file", False),
        "committed": (session, "commit", False),
        "closing": (running, "_end", True),
        "telling": (notices, "add_written", True),
        "told": (notices, "add_written", False),
    }
    owner, name, before = points[step]
    kill_after(owner, name, nth, before=before)


def die() -> None:
    """As when the power goes."""
    os.kill(os.getpid(), signal.SIGKILL)


def work(*, environment: dict[str, str], step: str = "", nth: int = 1, seconds: float = 0) -> None:
    """Go on with what is running until nothing is, or until death."""
    with create_core(load(environment)).app_context():
        if step:
            arm(step, nth)
        if seconds:
            threading.Timer(seconds, die).start()
        running.SLICE_SECONDS = 3600
        distributing.run_distributions(lambda: False)
        die()  # or a timer would be waited for


if __name__ == "__main__":
    take_orders(work)
