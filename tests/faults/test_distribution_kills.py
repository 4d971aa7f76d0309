"""kill -9 of whoever files a distribution, at each step and at random: each file is with its person wholly and once."""

import random
import signal
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from portal import extensions
from portal.extensions import db
from portal.models import AuditEvent, Category, Distribution, Document, Grant, Mail, Upload
from portal.settings import Settings
from portal.uploads import distributing
from portal.uploads.distributing import running
from tests import makers
from tests.forking import Forks
from tests.servers import environment
from tests.uploads.dropping import PDF, begin, employee

pytestmark = pytest.mark.faults

STEPS = ["shelved", "placed", "written", "committed", "closing", "telling", "told"]
ONCE = {"closing": 1, "telling": 1, "told": 1}
"""What happens once for all files."""
PEOPLE, FEW = 2, 5


@pytest.fixture(autouse=True)
def all_left_to_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "AT_ONCE", 0)
    monkeypatch.setattr(extensions, "LONGEST_PAUSE", 0)  # nobody else is there


@pytest.fixture(scope="module")
def filer() -> Iterator[Forks]:
    """The process whose forks die."""
    with Forks("tests.faults.filer") as process:
        yield process


@pytest.mark.parametrize("step", STEPS)
def test_a_file_is_with_its_person_wholly_or_not_at_all_wherever_it_is_cut_short(
    filer: Forks, settings: Settings, step: str
) -> None:
    start(settings, FEW)

    assert filer.order(step=step, nth=ONCE.get(step, 4), environment=environment(settings)) == -signal.SIGKILL

    done = judge(settings)
    assert done == FEW if step in ONCE else 0 <= done < FEW, filer.output
    finish(settings)
    assert judge(settings) == FEW
    assert told(settings) == PEOPLE


@pytest.mark.parametrize(
    ("count", "kills"),
    [(40, 2), pytest.param(10_000, 30, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])],
)
def test_a_distribution_that_is_killed_again_and_again_comes_to_its_end(
    filer: Forks, settings: Settings, count: int, kills: int
) -> None:
    start(settings, count)
    dice, reached = random.Random(5), [0]
    for _ in range(kills):
        seconds = dice.uniform(0.2, 0.6) * count / 60
        assert filer.order(seconds=seconds, environment=environment(settings)) == -signal.SIGKILL
        reached.append(judge(settings))

    assert reached == sorted(reached)
    finish(settings)
    assert judge(settings) == count
    assert told(settings) == PEOPLE


def start(settings: Settings, count: int) -> None:
    """Confirm so many files for a few people."""
    with makers.core(settings):
        root = makers.actor(makers.person("Root", is_admin=True))
        for number in range(PEOPLE):
            employee(f"Person {number}", str(number))
        files = {f"{number % PEOPLE}_{number}.pdf": PDF + b"%d" % number for number in range(count)}
        made = begin(root, makers.category("payroll"), files, pattern="{reference}_*.pdf")
        distributing.start_distribution(root, made.id, distributing.plan_distribution(root, made.id).seal)


def judge(settings: Settings) -> int:
    """How many files were filed: those that say so are the documents there are, each logged once, each sealed in."""
    with makers.core(settings):
        done = select(Upload.filename, Upload.version_id).where(Upload.state == "done")
        said = dict(db.session.execute(done).all())
        papers = dict(db.session.execute(select(Document.filename, Document.current_version_id)).all())
        assert papers == said
        logged = select(func.count(), func.count(AuditEvent.object_id.distinct()))
        assert db.session.execute(logged.where(AuditEvent.action == "document.added")).one() == (len(said), len(said))
        own = db.session.scalars(select(Category).where(Category.recipient_key.is_not(None))).all()
        assert all(one.is_sealed for one in own)
        assert len({one.recipient_key for one in own}) == len(own) <= PEOPLE
        given = db.session.execute(select(Grant.category_id, Grant.user_id)).all()
        assert sorted(given) == sorted((one.id, int((one.recipient_key or "u:0")[2:])) for one in own)
        return len(said)


def finish(settings: Settings) -> None:
    """Let somebody else do what is left."""
    with makers.core(settings):
        while db.session.scalar(select(Distribution.id).where(Distribution.told_at.is_(None)).limit(1)):
            distributing.run_distributions(lambda: False)
            makers.release()


def told(settings: Settings) -> int:
    """How many people got a mail, each one."""
    with makers.core(settings):
        to = db.session.scalars(select(Mail.user_id).where(Mail.kind == "distributed")).all()
        assert len(to) == len(set(to))
        return len(to)
