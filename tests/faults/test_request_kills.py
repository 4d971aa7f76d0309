"""kill -9 while somebody outside sends files: a submission is there wholly or not at all, and counted so (P1, P2).

What an outsider hears of is kept with its receipt; what they do not hear of takes no place of what they may send.
"""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPException

import pytest
from sqlalchemy import func, select

from portal import integrity
from portal.extensions import db, storage
from portal.models import AuditEvent, Blob, Document, FileRequest, Mail, Submission, Upload, User, Version
from portal.settings import Settings
from portal.uploads import requesting
from portal.uploads.requesting import Terms
from tests import makers, ready
from tests.databases import SQLITE_ONLY
from tests.faults.outsider import FILES, form, send
from tests.forking import Forks
from tests.servers import TOKEN, Caller, environment, serving

pytestmark = pytest.mark.faults

STEPS = [("Q0", 1), ("Q1", 1), ("Q1", 3), ("Q2", 1), ("Q2", 4), ("Q3", 1), ("Q3", 4), ("Q4", 1), ("Q5", 1), ("Q5", 3)]
STEPS += [("Q6", 1), ("Q7", 1), ("Q8", 1), ("Q8", 4), ("Q9", 1), ("Q10", 1)]
STEPS += [*(("Q11", nth) for nth in range(1, 4)), ("Q12", 1), ("Q13", 1), ("Q14", 1)]
SIZE = sum(len(content) for _, content in FILES)
SEEDS = 40
OUTSIDERS, AT_MOST = 3, 8


@pytest.fixture(scope="module")
def outsider() -> Iterator[Forks]:
    """The process whose forks die."""
    with Forks("tests.faults.outsider") as process:
        yield process


def ask(settings: Settings, terms: Terms) -> str:
    """Have a publisher ask for files in a category; the token of the request."""
    with makers.running(settings) as app, app.app_context():
        pia = db.session.scalars(select(User)).first() or makers.person("Pia", is_admin=True)
        return requesting.add_request(makers.actor(pia), makers.category("inbox").id, terms)[1]


def require_sound() -> int:
    """The judge: submissions have all their files, and all that tells of them says the same; how many these are."""
    report = integrity.verify()
    assert report.is_clean, report.problems
    sent = db.session.scalars(select(Submission.id)).all()
    files = db.session.execute(select(Upload.submission_id, Upload.state, Upload.version_id)).all()
    assert Counter(file.submission_id for file in files) == dict.fromkeys(sent, len(FILES))
    assert {file.state for file in files} <= {"done"}
    for request in db.session.scalars(select(FileRequest)):
        mine = select(func.count()).where(Submission.file_request_id == request.id)
        came = db.session.scalars(mine).one()
        assert (request.files, request.bytes) == (came * len(FILES), came * SIZE)
        assert request.files <= (request.max_files or 0)
    versions = db.session.scalars(select(Document.current_version_id)).all()
    assert set(versions) == {file.version_id for file in files}
    logged = Counter(db.session.scalars(select(AuditEvent.action)))
    assert (logged["document.added"], logged["request.answered"]) == (len(versions), len(sent))
    assert Counter(db.session.scalars(select(Mail.kind)))["files_received"] == len(sent)
    for sha256, size in db.session.execute(select(Version.sha256, Version.size)):
        assert storage().digest(sha256, size) == sha256
    return len(sent)


def require_receipt(path: str) -> None:
    """What was acknowledged is there: its sender finds it by their receipt."""
    assert len(requesting.find_receipt(path.rpartition("/")[2], makers.NETWORK).files) == len(FILES)


def require_nothing_left() -> None:
    """A day later gc removes what was cut short, and nothing else."""
    for path in [*(storage().root / "tmp").iterdir(), *(storage().root / "blobs").rglob("*")]:
        os.utime(path, (0, 0))
    integrity.collect()
    assert list((storage().root / "tmp").glob("incoming-*")) == []
    assert [key for key, _ in storage().list_keys()] == sorted(db.session.scalars(select(Blob.sha256)))


def judge(outsider: Forks, settings: Settings, step: str, nth: int) -> None:
    token = ask(settings, Terms("Proofs", max_files=len(FILES), max_bytes=SIZE))
    journal = settings.data.parent / "journal"
    env = environment(settings) | {"PORTAL_BASE_URL": "http://localhost"}
    code = outsider.order(step=step, nth=nth, journal=str(journal), token=token, environment=env)
    assert code == -signal.SIGKILL, outsider.output
    told = journal.read_text().split() if journal.exists() else []
    with makers.running(settings) as app, app.app_context():
        sent = require_sound()
        assert len(told) <= sent <= 1
        app.config["WTF_CSRF_METHODS"] = []

        again = send(app, token)

        assert again.status_code == (410 if sent else 303), "there is room for once, and for no more"
        assert require_sound() == 1
        require_nothing_left()
        assert require_sound() == 1
        for path in told or ([] if sent else [again.headers["Location"]]):
            require_receipt(path)


@SQLITE_ONLY
@pytest.mark.parametrize(("step", "nth"), STEPS)
def test_what_an_outsider_sends_is_there_wholly_or_not_at_all_wherever_it_is_cut_short(
    outsider: Forks, settings: Settings, step: str, nth: int
) -> None:
    judge(outsider, settings, step, nth)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_kills_lose_nothing_of_a_submission(outsider: Forks, settings: Settings, seed: int) -> None:
    judge(outsider, settings, *random.Random(seed).choice(STEPS))


@pytest.mark.parametrize("rounds", [2, pytest.param(40, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])])
def test_a_server_killed_while_many_outsiders_send_loses_nothing_that_was_acknowledged(
    settings: Settings, rounds: int
) -> None:
    dice = random.Random(rounds)
    told: list[str] = []
    for _ in range(rounds):
        token = ask(settings, Terms("Proofs", max_files=AT_MOST * len(FILES)))
        with serving(settings, "--workers", "2") as server:
            sending = (server.port, token, told)
            outsiders = [threading.Thread(target=keep_sending, args=sending) for _ in range(OUTSIDERS)]
            for thread in outsiders:
                thread.start()
            time.sleep(dice.uniform(0.05, 1))
            server.kill()
            for thread in outsiders:
                thread.join()
        verify = ready.starter().start(["verify"], env=environment(settings), log=server.log)
        assert verify.wait(60) == 0, server.output
        with makers.running(settings) as app, app.app_context():
            assert require_sound() >= len(told)
            for path in told:
                require_receipt(path)
    with makers.running(settings) as app, app.app_context():
        require_nothing_left()
        require_sound()


def keep_sending(port: int, token: str, told: list[str]) -> None:
    """As somebody outside who sends again and again, until the line breaks or the link takes no more."""
    with suppress(OSError, HTTPException):
        while True:
            caller = Caller(port)
            page = TOKEN.search(caller.get(f"/r/{token}").body)
            if page is None:
                return
            kind, body = form(csrf_token=page[1].decode())
            answer = caller.send("POST", f"/r/{token}", body, {"Content-Type": kind})
            if answer.status == 303:
                told.append(answer.headers["Location"])
