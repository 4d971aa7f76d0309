"""A process that sends one upload in three goes and kills itself at a named step of the last or of an earlier one.

What was acknowledged is written to the journal, flushed, after the answer has been read: offsets, and the document.
"""

import base64
import hashlib
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select

from portal import create_app
from portal.extensions import db
from portal.models import User
from portal.settings import load
from portal.storage import LocalStorage, Partial
from portal.uploads.resumable import finishing, receiving, starting
from tests.faults.uploader import acknowledge, kill_after
from tests.forking import take_orders
from tests.makers import signed_in

CONTENT = bytes(range(256)) * 12_000
"""Almost three blocks."""
GOES = (0, 1_200_000, 2_400_000, len(CONTENT))
HEADERS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}


def arm(step: str, nth: int) -> None:
    """Steps in the order in which they are taken."""
    session = type(db.session())
    points: dict[str, tuple[Any, str, bool]] = {
        "R0": (starting, "require_takes", False),  # announced, nothing made
        "R1": (starting, "require_room", True),  # temp made, no row
        "R2": (receiving, "held", False),  # about to be locked
        "R3": (Partial, "append", False),  # a block written
        "R4": (Partial, "flush", False),  # flushed
        "R5": (receiving, "commit", False),  # offset committed
        "R6": (Partial, "finish", False),  # whole, flushed and hashed
        "R7": (finishing, "commit", False),  # known to be whole
        "R8": (finishing, "_look_at", False),  # type looked at
        "R9": (LocalStorage, "_store", False),  # renamed
        "R10": (LocalStorage, "keep_all", False),  # directories flushed
        "R11": (finishing, "_close", False),  # row closed, not committed
        "R12": (finishing, "put_document", False),  # document written
        "R13": (session, "commit", False),
        "R14": (finishing, "_place", False),  # all committed
        "R15": (sys.modules[__name__], "acknowledge", True),  # answered, not yet heard
    }
    owner, name, before = points[step]
    kill_after(owner, name, nth, before=before)


def work(*, step: str, nth: int, journal: str, environment: dict[str, str]) -> None:
    """Send all goes, and die at the step."""
    client = prepare(environment)
    with client.application.app_context():
        arm(step, nth)
    send(client, Path(journal))


def prepare(environment: dict[str, str]) -> FlaskClient:
    """The publisher's browser, signed in."""
    app = create_app(load(environment))
    app.config["WTF_CSRF_METHODS"] = []
    with app.app_context():
        publisher = db.session.scalars(select(User)).one()
    return signed_in(app, publisher)


def send(client: FlaskClient, journal: Path) -> None:
    """Announce the upload and send all goes, up to the first answer that is not the right one."""
    said = {"filename": "sent.bin", "category": "inbox", "folder": "2026/may"}
    known = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())
    start = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(CONTENT)), "Upload-Metadata": known}
    begun = client.post("/uploads", headers=start)
    if begun.status_code != 201:
        sys.stderr.write(f"{begun.status_code} {begun.text}")
        return
    path = begun.headers["Location"]
    for offset, end in pairwise(GOES):
        block = CONTENT[offset:end]
        digest = base64.b64encode(hashlib.sha256(block).digest()).decode()
        summed = {"Upload-Checksum": f"sha256 {digest}"} if offset else {}
        answer = client.patch(path, headers={**HEADERS, "Upload-Offset": str(offset), **summed}, data=block)
        if answer.status_code != 204:
            sys.stderr.write(f"{answer.status_code} {answer.text}")
            return
        acknowledge(journal, answer.headers.get("Portal-Document", answer.headers["Upload-Offset"]))


if __name__ == "__main__":
    take_orders(work)
