"""A process that sends what is in the outbox and kills itself at a named step."""

import os
import signal
from smtplib import SMTP
from typing import Any

from portal import create_core
from portal.extensions import db
from portal.notices import carriers, send_due, sending
from portal.settings import load
from tests.faults.uploader import kill_after
from tests.forking import take_orders


def arm(step: str, nth: int) -> None:
    """Steps in the order of sending."""
    session = type(db.session())
    points: dict[str, tuple[Any, str, bool]] = {
        "claiming": (session, "commit", True),  # chosen, and the claim not committed
        "claimed": (sending, "_claim", False),
        "composed": (sending, "compose", False),
        "connected": (carriers, "connect", False),
        "sender": (SMTP, "mail", False),  # MAIL FROM taken
        "recipient": (SMTP, "rcpt", False),  # RCPT TO taken
        "data": (SMTP, "data", True),
        "taken": (SMTP, "data", False),  # the whole mail taken, and 250 read
        "unwritten": (sending, "_write_off", True),
        "written": (sending, "_write_off", False),
        "closing": (carriers.Smtp, "close", True),
    }
    if step == "unread":
        kill_once_sent(nth)
    else:
        owner, name, before = points[step]
        kill_after(owner, name, nth, before=before)


def kill_once_sent(nth: int) -> None:
    """Die when the last byte of the n-th mail is handed to the kernel, and its answer not read yet."""
    original = SMTP.send
    sent = 0

    def stepped(line: SMTP, what: Any) -> None:
        nonlocal sent
        original(line, what)
        sent += bytes(what).endswith(b"\r\n.\r\n") if isinstance(what, bytes) else 0
        if sent == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    SMTP.send = stepped  # type: ignore[method-assign, assignment]


def work(*, step: str, nth: int, environment: dict[str, str]) -> None:
    """Send, and die at the step."""
    with create_core(load(environment)).app_context():
        arm(step, nth)
        send_due(lambda text: None, lambda: False)


if __name__ == "__main__":
    take_orders(work)
