"""kill -9 at every step of an upload and of an import: nothing acknowledged is lost, nothing half is left (P1, P2)."""

import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from portal import integrity, uploads
from portal.extensions import db, storage
from portal.models import AuditEvent, Document, Version
from portal.settings import Settings
from tests import makers
from tests.faults.uploader import CONTENT
from tests.forking import Forks
from tests.servers import environment

pytestmark = pytest.mark.faults

STEPS = [("U0", 1), ("U1", 1), ("U2", 1), ("U3", 1), ("U3", 20), ("U4", 1), ("U5", 1), ("U6", 1), ("U7", 1), ("U8", 1)]
STEPS += [("U9", 1), ("C9", 1), ("U10", 1), ("U11", 1), ("U12", 1)]
IMPORT_STEPS = [("U2", 7), ("U6", 3), ("U7", 11), ("U8", 1), ("I9", 1), ("U10", 2), ("U12", 1)]
FILES = 24
SEEDS = 40


def install(database: str, directory: Path) -> Settings:
    """An installation with one publisher and a category to upload to."""
    chosen = makers.settings_for(database, directory)
    with makers.running(chosen) as app, app.app_context():
        makers.person("Ada", is_admin=True)
        makers.category("inbox")
    return chosen


@pytest.fixture
def sqlite_installation(sqlite_database: str, tmp_path: Path) -> Settings:
    return install(sqlite_database, tmp_path)


@pytest.fixture
def installation(database: str, tmp_path: Path) -> Settings:
    return install(database, tmp_path)


@pytest.fixture(scope="module")
def uploader() -> Iterator[Forks]:
    """The process whose forks die."""
    with Forks("tests.faults.uploader") as process:
        yield process


def die(uploader: Forks, settings: Settings, what: str, step: str, nth: int, *, directory: Path) -> set[str]:
    """Let a fork work until it kills itself; what it had been told was done."""
    journal = settings.data.parent / "journal"
    env = environment(settings) | {"PORTAL_BASE_URL": "http://localhost"}
    places = {"journal": str(journal), "directory": str(directory)}
    code = uploader.order(what=what, step=step, nth=nth, environment=env, **places)
    assert code == -signal.SIGKILL, uploader.output
    return set(journal.read_text().split()) if journal.exists() else set()


def require_sound(acknowledged: set[str]) -> None:
    """The judge: what was acknowledged has its bytes, the rest is whole or absent, and nothing refers to nothing."""
    report = integrity.verify()
    assert report.is_clean, report.problems
    rows = db.session.execute(
        select(Document.filename, Version.sha256, Version.size).join(Version, Version.document_id == Document.id)
    ).all()
    assert acknowledged <= {row.filename for row in rows}
    for row in rows:
        assert storage().digest(row.sha256, row.size) == row.sha256
    added = select(func.count()).where(AuditEvent.action == "document.added")
    assert db.session.scalars(added).one() == len(rows), "the log tells of every document and of no other"


def upload_again() -> None:
    """The same upload once more, by somebody who was not told it was done."""
    incoming = uploads.receive()
    incoming.write(CONTENT)
    shelf = makers.category("inbox")
    (outcome,) = uploads.store_documents(None, shelf.id, [uploads.arrive(incoming, "upload.pdf")])
    assert outcome.number == 1


def judge_upload(uploader: Forks, settings: Settings, step: str, nth: int) -> None:
    acknowledged = die(uploader, settings, "upload", step, nth, directory=settings.data)
    with makers.running(settings) as app, app.app_context():
        require_sound(acknowledged)
        upload_again()
        require_sound({"upload.pdf"})


def judge_import(uploader: Forks, settings: Settings, directory: Path, step: str, nth: int) -> None:
    die(uploader, settings, "import", step, nth, directory=directory)
    with makers.running(settings) as app, app.app_context():
        require_sound(set())
        report = uploads.import_directory(None, directory, "imported")
        assert report.added + report.unchanged == FILES
        require_sound({f"{number}.txt" for number in range(FILES)})


def make_files(directory: Path) -> Path:
    """Files in three folders, two of them with the same bytes."""
    for number in range(FILES):
        folder = directory / f"folder{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_bytes(b"text %d" % (number % (FILES - 1)))
    return directory


@pytest.mark.parametrize(("step", "nth"), STEPS)
def test_an_upload_killed_at_any_step_is_whole_or_absent(
    uploader: Forks, sqlite_installation: Settings, step: str, nth: int
) -> None:
    judge_upload(uploader, sqlite_installation, step, nth)


@pytest.mark.parametrize(("step", "nth"), IMPORT_STEPS)
def test_an_import_killed_at_any_step_is_finished_by_the_next_one(
    uploader: Forks, sqlite_installation: Settings, tmp_path: Path, step: str, nth: int
) -> None:
    judge_import(uploader, sqlite_installation, make_files(tmp_path / "files"), step, nth)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_kills_lose_nothing(uploader: Forks, installation: Settings, tmp_path: Path, seed: int) -> None:
    choice = random.Random(seed)
    if choice.random() < 0.5:
        judge_upload(uploader, installation, *choice.choice(STEPS))
    else:
        step, _ = choice.choice(IMPORT_STEPS)
        most = {"U8": 1, "I9": 1, "U10": 2, "U12": 1}.get(step, FILES)
        judge_import(uploader, installation, make_files(tmp_path / "files"), step, choice.randint(1, most))
