"""A process that makes previews and kills itself at a named step."""

import os
from typing import Any

from portal import create_core, previews
from portal.extensions import db
from portal.previews import fence, making
from portal.settings import load
from portal.storage.derived import Albums
from tests.faults.uploader import kill_after
from tests.forking import take_orders


def arm(step: str) -> None:
    """Steps in the order of making one."""
    points: dict[str, tuple[Any, str, bool]] = {
        "claiming": (type(db.session()), "commit", True),  # chosen, and the claim not committed
        "claimed": (making, "claim", False),
        "looking": (fence, "_heard", True),  # the child is at it
        "looked": (fence, "look_at", False),
        "writing": (Albums, "_write", True),
        "placing": (os, "rename", True),  # the album is written, and not in its place
        "placed": (Albums, "keep", False),
        "unwritten": (making, "write_off", True),
        "written": (making, "write_off", False),
    }
    owner, name, before = points[step]
    kill_after(owner, name, 1, before=before)


def work(*, step: str, environment: dict[str, str]) -> None:
    """Make what waits, and die at the step."""
    with create_core(load(environment)).app_context():
        arm(step)
        previews.take_turn(lambda: False)


if __name__ == "__main__":
    take_orders(work)
