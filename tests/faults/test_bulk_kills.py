"""kill -9 of whoever changes many documents, at each step and at random: each is changed wholly, once or not at all."""

import random
import signal
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from portal import extensions
from portal.catalog import Item, bulk_edits, put_documents
from portal.catalog.bulk_edits import Changes, running
from portal.catalog.tags import list_tags
from portal.extensions import db
from portal.models import AuditEvent, BulkItem, Document, User
from portal.settings import Settings
from tests import makers
from tests.forking import Forks
from tests.servers import environment

pytestmark = pytest.mark.faults

STEPS = ["claiming", "moved", "logged", "described", "unwritten", "written", "committing", "committed", "closing"]
ONCE = {"closing": 1}
"""What happens once for all documents."""
FEW = 6
EVENTS = ("document.changed", "document.moved")


@pytest.fixture(autouse=True)
def all_left_to_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "AT_ONCE", 0)
    monkeypatch.setattr(extensions, "LONGEST_PAUSE", 0)  # nobody else is there


@pytest.fixture(scope="module")
def changer() -> Iterator[Forks]:
    """The process whose forks die."""
    with Forks("tests.faults.changer") as process:
        yield process


@pytest.mark.parametrize("step", STEPS)
def test_a_document_is_changed_wholly_or_not_at_all_wherever_it_is_cut_short(
    changer: Forks, settings: Settings, step: str
) -> None:
    edit_id = begin(settings, FEW)

    assert changer.order(step=step, nth=ONCE.get(step, 4), environment=environment(settings)) == -signal.SIGKILL

    done = judge(settings, edit_id)
    assert done == FEW if step == "closing" else 0 <= done < FEW, changer.output
    finish(settings)
    assert judge(settings, edit_id) == FEW
    assert state(settings, edit_id) == ("done", {"changed": FEW})


@pytest.mark.parametrize(
    ("count", "kills"),
    [(300, 4), pytest.param(10_000, 30, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])],
)
def test_an_edit_that_is_killed_again_and_again_comes_to_its_end(
    changer: Forks, settings: Settings, count: int, kills: int
) -> None:
    edit_id, dice, reached = begin(settings, count), random.Random(5), [0]
    for _ in range(kills):
        seconds = dice.uniform(0.2, 0.6) * count / 300
        assert changer.order(seconds=seconds, environment=environment(settings)) == -signal.SIGKILL
        reached.append(judge(settings, edit_id))

    assert reached == sorted(reached)
    finish(settings)
    assert judge(settings, edit_id) == count
    assert state(settings, edit_id) == ("done", {"changed": count})


def begin(settings: Settings, count: int) -> int:
    """Begin to move and tag so many documents."""
    with makers.core(settings):
        root = makers.actor(makers.person("Root", is_admin=True))
        shelf, target = makers.category("shelf"), makers.category("target")
        items = [Item(shelf.id, f"{number}.pdf", makers.content_of(b"%PDF")) for number in range(count)]
        put_documents(None, items)
        edit = bulk_edits.plan_category(root, shelf.id)
        wanted = Changes(category_id=target.id, add_tags=("moved",))
        bulk_edits.choose_changes(root, edit.id, wanted)
        bulk_edits.start_edit(root, edit.id, wanted.seal)
        return edit.id


def judge(settings: Settings, edit_id: int) -> int:
    """How many documents were changed: those that say so are in the other category, tagged, and twice in the log."""
    with makers.core(settings):
        target = makers.category("target")
        items = select(BulkItem.document_id).where(BulkItem.bulk_edit_id == edit_id, BulkItem.outcome == "changed")
        said = set(db.session.scalars(items))
        assert set(db.session.scalars(select(Document.id).where(Document.category_id == target.id))) == said
        assert set(list_tags(db.session.scalars(select(Document.id)))) == said
        assert target.document_count == len(said)
        told = select(AuditEvent.object_id, func.count(), func.count(AuditEvent.action.distinct()))
        told = told.where(AuditEvent.action.in_(EVENTS)).group_by(AuditEvent.object_id)
        rows = db.session.execute(told).all()
        assert {(row[1], row[2]) for row in rows} <= {(2, 2)}
        assert {row.object_id for row in rows} == said
        return len(said)


def finish(settings: Settings) -> None:
    """Let somebody else do what is left."""
    with makers.core(settings):
        while db.session.scalar(select(BulkItem.document_id).where(BulkItem.outcome.is_(None)).limit(1)):
            bulk_edits.run_edits(lambda: False)
        bulk_edits.run_edits(lambda: False)


def state(settings: Settings, edit_id: int) -> tuple[str, dict[str, int]]:
    with makers.core(settings):
        row = bulk_edits.get_edit(makers.actor(db.session.scalars(select(User)).one()), edit_id)
        return row.state, row.counts
