"""kill -9 of whoever makes previews, at each step: none is lost, and no row speaks of images that are not there."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from sqlalchemy import func, select, update

from portal import previews, search
from portal.extensions import db, storage, transaction
from portal.models import Preview
from portal.settings import Settings
from tests import makers
from tests.forking import Forks
from tests.previews.hostile import everything
from tests.previews.samples import paper
from tests.servers import Caller, environment, serving

pytestmark = pytest.mark.faults

STEPS = ["claiming", "claimed", "looking", "looked", "writing", "placing", "placed", "unwritten", "written"]
HASTY = (
    "import portal.previews.queue, portal.jobs, portal.cli.keeping\n"
    "portal.previews.queue.LEASE_SECONDS = -2\n"  # with those of the settings: eight
    "portal.previews.queue.PAUSES = (1, 1)\n"
    "portal.jobs.SWEEP_SECONDS = 0.5\n"
    "portal.cli.keeping.PAUSE_SECONDS = 0.1\n"
)
MANY = 60
LATENCY = 2.0
"""What a page may take at worst while hostile files are looked at on a machine of two processors."""


@pytest.fixture(scope="module")
def viewer() -> Iterator[Forks]:
    """The process whose forks die."""
    with Forks("tests.faults.viewer") as process:
        yield process


@pytest.mark.parametrize("step", STEPS)
def test_no_preview_is_lost_and_none_is_claimed_that_is_not_there(
    viewer: Forks, sqlite_settings: Settings, step: str
) -> None:
    settings = sqlite_settings
    with makers.core(settings):
        makers.document(makers.category(), content=paper("Dismantling"))
    env = environment(settings) | {"PORTAL_BASE_URL": "http://localhost"}
    assert viewer.order(step=step, environment=env) == -signal.SIGKILL, viewer.output

    with makers.core(settings):
        require_honest()
        with transaction() as session:
            session.execute(update(Preview).where(Preview.leased_until.is_not(None)).values(leased_until=None))
        previews.take_turn(lambda: False)
        row = require_honest()
        assert (row.state, row.images) == ("made", 1)
        assert row.tries <= 2
        search.catch_up(lambda: False)
        who = makers.actor(makers.person("Admin", is_admin=True))
        assert len(search.find(who, search.parse("dismantling")).document_ids) == 1


def require_honest() -> Preview:
    """The row, of which every image it speaks of is there."""
    makers.release()
    row = db.session.scalars(select(Preview)).one()
    if row.kind is not None:
        images = [storage().albums.read(row.sha256, row.maker, number) for number in range(row.images + 1)]
        assert all(image[:4] == b"RIFF" for image in images)
    return row


def test_a_worker_wakes_for_what_came_in(sqlite_settings: Settings) -> None:
    with serving(sqlite_settings, has_worker=True) as server:
        with makers.core(sqlite_settings):
            makers.document(makers.category(), content=paper("Dismantling"))
        assert until(sqlite_settings, "made", 1), server.output


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_random_kills_lose_no_preview(settings: Settings) -> None:
    with makers.core(settings):
        for number in range(MANY):
            makers.document(makers.category(), f"{number}.pdf", paper(f"Number {number}"))
    dice = random.Random(4)
    with serving(settings, has_worker=True, program=HASTY) as server:
        for _ in range(15):
            time.sleep(dice.uniform(0.3, 1.5))
            for worker in server.mailers:
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
        until(settings, "made", MANY)
    with makers.core(settings):
        while previews.rebuild(only_failed=True):  # who was killed three times with the same one
            previews.take_turn(lambda: False)
        assert previews.count_states() == {("made", "pages"): MANY}


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_hostile_files_leave_the_server_as_it_was(sqlite_settings: Settings) -> None:
    files = list(everything())
    with serving(sqlite_settings, has_worker=True, program=HASTY) as server:
        before = server.children
        with makers.core(sqlite_settings):
            shelf = makers.category()
            for number, hostile in enumerate(files):
                makers.document(shelf, f"{number}-{hostile.filename}", hostile.make(), hostile.content_type)
            wanted = db.session.scalars(select(func.count(Preview.id))).one()
        slowest, deadline = 0.0, time.monotonic() + 600
        while counted(sqlite_settings, "waiting") and time.monotonic() < deadline:
            began = time.monotonic()
            assert Caller(server.port).get("/login").status == 200
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.2)
        assert server.children == before
        assert slowest < LATENCY
    with makers.core(sqlite_settings):
        rows = db.session.scalars(select(Preview)).all()
        assert len(rows) == wanted
        assert all(row.state == "made" or row.reason for row in rows)


def counted(settings: Settings, state: str) -> int:
    with makers.core(settings):
        return db.session.scalars(select(func.count()).where(Preview.state == state)).one()


def until(settings: Settings, state: str, count: int, seconds: float = 90) -> bool:
    deadline = time.monotonic() + seconds
    while counted(settings, state) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    return counted(settings, state) == count
