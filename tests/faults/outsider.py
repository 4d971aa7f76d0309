"""A process in which somebody outside sends files by a file request, once, and which kills itself at a named step.

What was acknowledged, the path of the receipt, is written to the journal, flushed, after the answer has been read.
"""

import io
import sys
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import TestResponse, encode_multipart

from portal import create_app
from portal.extensions import db
from portal.settings import load
from portal.storage import Incoming, LocalStorage
from portal.uploads import requesting
from portal.uploads.requesting import receiving
from portal.views import guard
from portal.views import requesting as pages
from tests.faults.uploader import acknowledge, kill_after
from tests.forking import take_orders

FILES = [(name, b"%PDF-1.7\n" + bytes(range(256)) * size) for name, size in (("a.pdf", 5000), ("b.pdf", 9000))]
FILES += [("a.pdf", FILES[0][1]), ("a.pdf", b"%PDF-1.7\nanother of this name")]
"""More than a block, more than two, the same bytes once more, and other bytes of a name that was there before."""


def arm(step: str, nth: int) -> None:
    """Steps in the order in which they are taken."""
    session = type(db.session())
    points: dict[str, tuple[Any, str, bool]] = {
        "Q0": (guard, "_limit_body", False),  # opened and counted, no byte has come
        "Q1": (LocalStorage, "receive", False),  # temp opened
        "Q2": (Incoming, "write", False),  # a block written
        "Q3": (pages, "arrive", False),  # a file looked at and flushed
        "Q4": (requesting, "submit", True),  # all of them
        "Q5": (LocalStorage, "_store", False),  # renamed
        "Q6": (LocalStorage, "keep_all", False),  # directories flushed
        "Q7": (receiving, "_reserve", False),  # room taken, not committed
        "Q8": (receiving, "place_document", False),  # a document written
        "Q9": (receiving, "require_room", False),  # all of them
        "Q10": (receiving, "_mail_receipt", False),  # all written
        "Q11": (session, "commit", False),
        "Q12": (requesting, "submit", False),  # all committed
        "Q13": (sys.modules[__name__], "acknowledge", True),  # answered, not yet heard
        "Q14": (sys.modules[__name__], "acknowledge", False),
    }
    owner, name, before = points[step]
    kill_after(owner, name, nth, before=before)


def send(app: Flask, token: str) -> TestResponse:
    """The form of the page with all files, as the browser of somebody without an account sends it."""
    kind, body = form()
    return app.test_client().post(f"/r/{token}", data=body, content_type=kind)


def form(**fields: str) -> tuple[str, bytes]:
    """The type and the bytes of what is sent."""
    files = [FileStorage(io.BytesIO(content), name) for name, content in FILES]
    said = {"sender": "Bea Miller", "email": "bea@elsewhere.example", **fields}
    boundary, body = encode_multipart(MultiDict([*said.items(), *(("files", file) for file in files)]))
    return f"multipart/form-data; boundary={boundary}", body


def work(*, step: str, nth: int, journal: str, token: str, environment: dict[str, str]) -> None:
    """Send all files, and die at the step."""
    app = create_app(load(environment))
    app.config["WTF_CSRF_METHODS"] = []
    with app.app_context():
        arm(step, nth)
    answer = send(app, token)
    if answer.status_code == 303:
        acknowledge(Path(journal), answer.headers["Location"])
    else:
        sys.stderr.write(f"{answer.status_code} {answer.text}")


if __name__ == "__main__":
    take_orders(work)
