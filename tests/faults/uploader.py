"""A process that uploads one document, or imports a directory, and kills itself at a named step.

What was acknowledged is written to the journal, flushed, after the answer has been read: the judge believes the journal
and not the server.
"""

import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select

from portal import audit, create_app, uploads
from portal.extensions import db
from portal.models import User
from portal.settings import load
from portal.storage import Incoming, LocalStorage, local
from portal.uploads import planning, storing
from portal.views import guard
from tests.forking import take_orders
from tests.makers import signed_in

CONTENT = b"%PDF-1.7\n" + bytes(range(256)) * 8192
"""Two blocks and a bit, so that first and last block differ."""


def kill_after(owner: Any, name: str, nth: int, *, before: bool = False) -> None:
    """Replace ``owner.name`` by itself and a SIGKILL at its n-th call."""
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def stepped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if before and calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, stepped)


def arm(step: str, nth: int) -> None:
    """Steps as the fault table names them (DESIGN §6)."""
    session = type(db.session())
    points: dict[str, tuple[Any, str, bool]] = {
        "U0": (guard, "_limit_body", False),  # authorised
        "U1": (uploads, "receive", True),  # before anything is reserved
        "U2": (LocalStorage, "receive", False),  # temp opened
        "U3": (Incoming, "write", False),  # a block written
        "U4": (uploads, "arrive", True),  # the last block written
        "U5": (Incoming, "finish", True),  # length and type looked at
        "U6": (Incoming, "finish", False),  # temp flushed
        "U7": (local.LocalStorage, "_store", False),  # renamed
        "U8": (LocalStorage, "keep_all", False),  # directories flushed
        "U9": (storing, "put_document", False),  # rows inserted
        "I9": (planning, "put_documents", False),
        "C9": (audit, "record_event", False),  # the log written too
        "U10": (session, "commit", False),  # committed
        "U11": (sys.modules[__name__], "acknowledge", True),  # answered, not yet heard
        "U12": (sys.modules[__name__], "acknowledge", False),
    }
    owner, name, before = points[step]
    kill_after(owner, name, nth, before=before)


def acknowledge(journal: Path, line: str) -> None:
    """Write down what the server said was done."""
    with journal.open("a") as out:
        out.write(line + "\n")
        out.flush()
        os.fsync(out.fileno())


def work(*, what: str, step: str, nth: int, journal: str, directory: str, environment: dict[str, str]) -> None:
    """Upload or import, and die at the step."""
    app = create_app(load(environment))
    app.config["WTF_CSRF_METHODS"] = []
    if what == "import":
        with app.app_context():
            arm(step, nth)
            uploads.import_directory(None, Path(directory), "imported")
            acknowledge(Path(journal), "imported")
        return
    with app.app_context():
        publisher = db.session.scalars(select(User)).one()
    client = signed_in(app, publisher)
    with app.app_context():
        arm(step, nth)
    form = {"category": "inbox", "files": (io.BytesIO(CONTENT), "upload.pdf")}
    answer = client.post("/admin/upload", data=form, content_type="multipart/form-data")
    if answer.status_code in (200, 201, 303):
        acknowledge(Path(journal), "upload.pdf")
    else:
        sys.stderr.write(f"{answer.status_code} {answer.text}")


if __name__ == "__main__":
    take_orders(work)
