"""kill -9 at every step of a resumable upload: what was acknowledged is there, the rest is whole or absent (P1, P2)."""

import random
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from portal import integrity
from portal.actors import Actor
from portal.catalog import find_category, find_ref
from portal.extensions import db, storage, transaction
from portal.models import AuditEvent, Document, Upload, User, Version
from portal.settings import Settings
from portal.uploads import resumable
from tests import makers
from tests.faults.sender import CONTENT, GOES
from tests.forking import Forks
from tests.servers import environment
from tests.uploads.sending import begin, send

pytestmark = pytest.mark.faults

STEPS = [("R0", 1), ("R1", 1), ("R2", 1), ("R2", 3), ("R3", 1), ("R3", 3), ("R4", 2), ("R5", 2), ("R6", 1), ("R7", 1)]
STEPS += [(f"R{number}", 1) for number in (8, 9, 10, 11, 12, 14)]
STEPS += [("R13", 1), ("R13", 2), ("R13", 5), ("R15", 1), ("R15", 3)]
PLACE = "inbox/2026/may/sent.bin"
SEEDS = 40


@pytest.fixture
def installation(database: str, tmp_path: Path) -> Settings:
    return install(database, tmp_path)


@pytest.fixture
def sqlite_installation(sqlite_database: str, tmp_path: Path) -> Settings:
    return install(sqlite_database, tmp_path)


@pytest.fixture(scope="module")
def sender() -> Iterator[Forks]:
    """The process whose forks die."""
    with Forks("tests.faults.sender") as process:
        yield process


def install(database: str, directory: Path) -> Settings:
    """An installation with one publisher and a category to upload to."""
    chosen = makers.settings_for(database, directory)
    with makers.running(chosen) as app, app.app_context():
        makers.person("Ada", is_admin=True)
        makers.category("inbox")
    return chosen


def die(sender: Forks, settings: Settings, step: str, nth: int) -> list[str]:
    """Let a fork send until it kills itself; what it had been told."""
    journal = settings.data.parent / "journal"
    env = environment(settings) | {"PORTAL_BASE_URL": "http://localhost"}
    code = sender.order(step=step, nth=nth, journal=str(journal), environment=env)
    assert code == -signal.SIGKILL, sender.output
    return journal.read_text().split() if journal.exists() else []


def require_sound() -> None:
    """The judge: nothing refers to nothing, no document without its folders, and none is half."""
    report = integrity.verify()
    assert report.is_clean, report.problems
    rows = db.session.execute(select(Version.sha256, Version.size)).all()
    for row in rows:
        assert storage().digest(row.sha256, row.size) == row.sha256
    added = select(func.count()).where(AuditEvent.action == "document.added")
    assert db.session.scalars(added).one() == db.session.scalars(select(func.count()).select_from(Document)).one()
    assert (find_category("inbox/2026") is not None) == bool(rows), "folders come with the document"


def judge(settings: Settings, told: list[str]) -> None:
    """What was acknowledged is there, the rest is whole or absent, and whoever goes on gets to the end."""
    with makers.running(settings) as app, app.app_context():
        require_sound()
        ada = makers.actor(db.session.scalars(select(User)).one())
        go_on(ada, told)
        require_sound()
        found = find_ref(PLACE)
        assert found is not None
        edition = makers.edition(found)
        with storage().open(edition.sha256, edition.size) as opened:
            assert opened.handle.read() == CONTENT
        resumable.remove_stale_partials(-1)
        assert list((storage().root / "tmp").glob("upload-*")) == []


def go_on(ada: Actor, told: list[str]) -> None:
    """As a client does after its line broke: ask how far it is, and send the rest."""
    uuid = db.session.scalar(select(Upload.uuid))
    anew = partial(begin, ada, len(CONTENT), "sent.bin", folder="2026/may")
    upload = resumable.find_own(ada, uuid) if uuid is not None else anew()
    offset = resumable.offset_of(upload)
    acknowledged = [int(line) for line in told if line.isdigit()]
    assert offset >= max(acknowledged, default=0), "what was acknowledged is there"
    assert offset in GOES
    if len(told) == len(GOES) - 1:
        assert str(upload.document) == told[-1]
    if not upload.is_over:
        assert offset < len(CONTENT), "nobody hears that all is there before it is in the catalog"
        upload = send(ada, upload, offset, CONTENT[offset:])
    assert (upload.state, upload.outcome, upload.number) == ("done", "added", 1)


@pytest.mark.parametrize(("step", "nth"), STEPS)
def test_an_upload_killed_at_any_step_goes_on_from_what_was_acknowledged(
    sender: Forks, sqlite_installation: Settings, step: str, nth: int
) -> None:
    judge(sqlite_installation, die(sender, sqlite_installation, step, nth))


@pytest.mark.parametrize("step", ["R7", "R9", "R12"])
def test_what_was_whole_is_finished_by_the_worker(sender: Forks, installation: Settings, step: str) -> None:
    die(sender, installation, step, 1)
    with makers.running(installation) as app, app.app_context():
        with transaction() as session:
            session.execute(update(Upload).values(active_at=makers.now(minutes=-2)))
        resumable.sweep()
        require_sound()
        assert find_ref(PLACE) is not None


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_kills_lose_nothing_of_an_upload(sender: Forks, installation: Settings, seed: int) -> None:
    judge(installation, die(sender, installation, *random.Random(seed).choice(STEPS)))
