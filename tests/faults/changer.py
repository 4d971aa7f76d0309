"""A process that goes on with edits of many documents and kills itself: at a named step, or after a while."""

import os
import signal
import threading
from typing import Any

from portal import audit, create_core
from portal.catalog import bulk_edits
from portal.catalog.bulk_edits import running
from portal.extensions import db
from portal.settings import load
from tests.faults.uploader import kill_after
from tests.forking import take_orders


def arm(step: str, nth: int) -> None:
    """Steps in the order of changing one document."""
    session = type(db.session())
    points: dict[str, tuple[Any, str, bool]] = {
        "claiming": (running, "_change", True),
        "moved": (running, "move_document", False),
        "logged": (audit, "record_event", False),
        "described": (running, "change_document", False),
        "unwritten": (running, "_write", True),  # what became of it
        "written": (running, "_write", False),
        "committing": (session, "commit", True),
        "committed": (session, "commit", False),
        "closing": (running, "_close", True),
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
        bulk_edits.run_edits(lambda: False)
        die()  # or a timer would be waited for


if __name__ == "__main__":
    take_orders(work)
