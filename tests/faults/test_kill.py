"""kill -9 at every step of an upload and of an import: nothing acknowledged is lost, nothing half is left (P1, P2)."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select

from portal import integrity, uploads
from portal.extensions import db, storage
from portal.models import AuditEvent, Document, Version
from portal.settings import Settings
from tests import makers
from tests.faults.uploader import CONTENT
from tests.servers import environment

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[2]
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


def die(settings: Settings, what: str, step: str, nth: int, directory: Path) -> set[str]:
    """Run the child until it kills itself; what it had been told was done."""
    journal = settings.data.parent / "journal"
    command = [sys.executable, "-m", "tests.faults.uploader", what, step, str(nth), str(journal), str(directory)]
    env = environment(settings) | {"PORTAL_BASE_URL": "http://localhost"}
    ended = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
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


def judge_upload(settings: Settings, step: str, nth: int) -> None:
    acknowledged = die(settings, "upload", step, nth, settings.data)
    with makers.running(settings) as app, app.app_context():
        require_sound(acknowledged)
        upload_again()
        require_sound({"upload.pdf"})


def judge_import(settings: Settings, directory: Path, step: str, nth: int) -> None:
    die(settings, "import", step, nth, directory)
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
def test_an_upload_killed_at_any_step_is_whole_or_absent(sqlite_installation: Settings, step: str, nth: int) -> None:
    judge_upload(sqlite_installation, step, nth)


@pytest.mark.parametrize(("step", "nth"), IMPORT_STEPS)
def test_an_import_killed_at_any_step_is_finished_by_the_next_one(
    sqlite_installation: Settings, tmp_path: Path, step: str, nth: int
) -> None:
    judge_import(sqlite_installation, make_files(tmp_path / "files"), step, nth)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_kills_lose_nothing(installation: Settings, tmp_path: Path, seed: int) -> None:
    choice = random.Random(seed)
    if choice.random() < 0.5:
        judge_upload(installation, *choice.choice(STEPS))
    else:
        step, _ = choice.choice(IMPORT_STEPS)
        most = {"U8": 1, "I9": 1, "U10": 2, "U12": 1}.get(step, FILES)
        judge_import(installation, make_files(tmp_path / "files"), step, choice.randint(1, most))
