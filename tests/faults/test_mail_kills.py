"""kill -9 of whoever sends, at each step: no mail is lost, and none goes twice but where only the server can know."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from portal.extensions import db, transaction
from portal.models import Mail
from portal.notices import add_mail, send_due
from portal.settings import Settings
from tests import makers
from tests.forking import Forks
from tests.postbox import Postbox, postbox
from tests.servers import environment, serving

pytestmark = pytest.mark.faults

MAILS = 3
BEFORE = ["claiming", "claimed", "composed", "connected", "sender", "recipient", "data"]
WINDOW = ["unread", "taken", "unwritten"]
"""From the last byte of a mail to the commit that says it was taken."""
AFTER = ["written", "closing"]
ONCE = {"connected": 1, "closing": 1}
"""What happens once for all mails."""
HASTY = (
    "import portal.notices.sending, portal.jobs, portal.cli.keeping\n"
    "portal.notices.sending.LEASE_SECONDS = 2\n"
    "portal.jobs.SWEEP_SECONDS = 0.5\n"
    "portal.cli.keeping.PAUSE_SECONDS = 0.1\n"
)
MANY = 200


@pytest.fixture(scope="module")
def mailer() -> Iterator[Forks]:
    """The process whose forks die."""
    with Forks("tests.faults.mailer") as process:
        yield process


@pytest.fixture
def box() -> Iterator[Postbox]:
    with postbox() as found:
        yield found


@pytest.mark.parametrize("step", [*BEFORE, *WINDOW, *AFTER])
def test_no_mail_is_lost_and_none_is_doubled_outside_of_the_window(
    mailer: Forks, settings: Settings, box: Postbox, step: str
) -> None:
    chosen = replace(settings, mail_url=box.url)
    put(chosen, MAILS)
    nth = ONCE.get(step, 2)

    env = environment(chosen) | {"PORTAL_BASE_URL": "http://localhost"}
    assert mailer.order(step=step, nth=nth, environment=env) == -signal.SIGKILL, mailer.output

    finish(chosen)
    copies = Counter(arrived.message["Message-ID"] for arrived in box.received)
    assert len(copies) == MAILS, "each mail has one Message-ID, whoever sends it and how often"
    doubled = sorted(copies.values()) == [1, 1, 2]
    if step == "unread":  # the server may have noticed that the line is gone before it took the mail
        assert doubled or set(copies.values()) == {1}
    else:
        assert doubled if step in WINDOW else set(copies.values()) == {1}


def test_a_worker_killed_while_the_server_takes_a_mail_is_replaced_and_the_mail_goes_out(
    sqlite_settings: Settings, box: Postbox
) -> None:
    chosen = replace(sqlite_settings, mail_url=box.url)
    put(chosen, MAILS)
    box.silent_seconds = 1
    with serving(chosen, has_worker=True, program=HASTY) as server:
        box.wait_to_begin()
        (worker,) = server.mailers
        os.kill(worker, signal.SIGKILL)
        box.silent_seconds = 0
        assert until_sent(chosen, MAILS), server.output
        assert "It is started again." in server.output
    copies = Counter(arrived.message["Message-ID"] for arrived in box.received)
    assert len(copies) == MAILS
    assert sum(copies.values()) <= MAILS + 1


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_random_kills_lose_no_mail(settings: Settings, box: Postbox) -> None:
    chosen = replace(settings, mail_url=box.url)
    put(chosen, MANY)
    box.silent_seconds = 0.02
    dice, kills = random.Random(4), 0
    with serving(chosen, has_worker=True, program=HASTY) as server:
        while sent(chosen) < MANY and kills < 40:
            time.sleep(dice.uniform(0.3, 1.5))
            for worker in server.mailers:
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
                    kills += 1
        assert until_sent(chosen, MANY), server.output
    copies = Counter(arrived.message["Message-ID"] for arrived in box.received)
    assert len(copies) == MANY
    assert sum(copies.values()) <= MANY + kills


def put(settings: Settings, count: int) -> None:
    with makers.core(settings), transaction():
        for number in range(count):
            add_mail("role_changed", user_id=None, email=f"reader{number}@example.org", what="A change.")


def finish(settings: Settings) -> None:
    """Let the leases be over and somebody else send what is left."""
    with makers.core(settings):
        with transaction() as session:
            session.execute(update(Mail).where(Mail.state == "waiting").values(due_at=makers.now(seconds=-1)))
        send_due(lambda text: None, lambda: False)
        assert set(db.session.scalars(select(Mail.state))) == {"sent"}


def sent(settings: Settings) -> int:
    with makers.core(settings):
        return db.session.scalars(select(func.count()).where(Mail.state == "sent")).one()


def until_sent(settings: Settings, count: int, seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while sent(settings) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    return sent(settings) == count
