"""The index follows the catalog: after catching up it is what it would be if it were made anew."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from portal import catalog, search
from portal.actors import PORTAL
from portal.catalog import Item
from portal.errors import PortalError
from portal.extensions import db, transaction
from portal.models import Document, DocumentTag, SearchChange, SearchTerm
from portal.search.writing import hold
from tests import makers
from tests.databases import POSTGRESQL_ONLY, SQLITE_ONLY
from tests.properties import examples

pytestmark = pytest.mark.usefixtures("context")

PATHS = ("a", "a/b", "a/b/c", "d")
NAMES = ("alpha report.pdf", "beta_2024.csv", "Übersicht.docx")


def catch_up() -> None:
    makers.release()
    search.catch_up(lambda: False)


def contents() -> list[tuple[Any, ...]]:
    """Everything that is in the index."""
    makers.release()
    key = "rowid AS key, *" if db.engine.dialect.name == "sqlite" else "*"
    rows = db.session.execute(text(f"SELECT {key} FROM document_words ORDER BY key")).all()  # noqa: S608
    return [tuple(row) for row in rows]


def require_up_to_date() -> None:
    catch_up()
    assert search.count_waiting() == 0
    before = contents()
    assert search.count_differing() == 0
    keyed = select(Document.search_key).where(Document.search_key.is_not(None)).order_by(Document.search_key)
    assert db.session.scalars(keyed).all() == [row[0] for row in before]
    with transaction():
        search.start_over()
    catch_up()
    assert contents() == before


Step = tuple[int, int, int]


def _act(step: Step) -> None:
    """One of the verbs on one of the documents or categories; what is refused changes nothing."""
    verb, which, how = step
    shelves = [makers.category(path) for path in PATHS]
    ids = list(db.session.scalars(select(Document.id).order_by(Document.id)))
    document_id = ids[which % len(ids)] if ids else 0
    shelf, name = shelves[which % len(shelves)], NAMES[how % len(NAMES)]
    verbs: list[Callable[[], object]] = [
        lambda: catalog.put_document(None, shelf.id, name, makers.content_of(bytes([how]))),
        lambda: catalog.put_documents(None, [Item(shelf.id, name, makers.content_of(bytes([how]))) for name in NAMES]),
        lambda: catalog.add_version(None, document_id, name, makers.content_of(bytes([how]))),
        lambda: catalog.change_document(None, document_id, title=f"Title {how}", filename=name, reference=f"R-{how}"),
        lambda: catalog.change_document(None, document_id, published_at=makers.now(days=-how)),
        lambda: catalog.move_document(None, document_id, shelf.id),
        lambda: catalog.trash_document(None, document_id),
        lambda: catalog.restore_document(None, document_id),
        lambda: catalog.change_document(None, document_id, tags=[f"tag {number}" for number in range(how % 3)]),
        lambda: catalog.change_category(None, shelf.id, name=shelf.name, description="", is_sealed=not shelf.is_sealed),
        lambda: catalog.move_category(None, shelves[2].id, shelves[(1, 3)[how % 2]].id),
        catch_up,
    ]
    makers.release()
    with suppress(PortalError):
        verbs[verb % len(verbs)]()


HISTORY = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 7), st.integers(0, 5)), min_size=5, max_size=25)


@SQLITE_ONLY
@examples(25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(HISTORY)
def test_after_any_history_the_index_is_as_if_made_anew_on_sqlite(steps: list[Step]) -> None:
    for step in steps:
        _act(step)
    require_up_to_date()


@POSTGRESQL_ONLY
@examples(10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(HISTORY)
def test_after_any_history_the_index_is_as_if_made_anew_on_postgresql(steps: list[Step]) -> None:
    for step in steps:
        _act(step)
    require_up_to_date()


def test_one_document_is_found_at_once_and_not_when_it_is_in_the_trash() -> None:
    made = makers.document(makers.category())
    assert search.find(PORTAL, search.parse("report")).document_ids == [made.id]

    catalog.trash_document(None, made.id)
    makers.release()

    assert search.find(PORTAL, search.parse("report")).document_ids == []


@SQLITE_ONLY
def test_the_worker_goes_on_in_turns_until_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[bool] = []
    monkeypatch.setattr("portal.search.queue._wake", lambda: woken.append(True))
    shelf = makers.category()
    catalog.put_documents(None, [Item(shelf.id, f"{n}.pdf", makers.content_of(str(n).encode())) for n in range(3)])
    woken.clear()

    monkeypatch.setattr("portal.search.queue.SLICE_SECONDS", -1)
    search.take_turn(lambda: False)
    assert (search.count_waiting(), woken) == (3, [True])

    monkeypatch.setattr("portal.search.queue.SLICE_SECONDS", 60)
    search.take_turn(lambda: False)
    assert (search.count_waiting(), woken) == (0, [True])


def test_two_who_catch_up_at_once_do_everything_once(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.search.queue.BATCH", 5)
    shelf = makers.category()
    catalog.put_documents(None, [Item(shelf.id, f"paper {number}.pdf", makers.content_of()) for number in range(40)])
    makers.release()
    done: list[int] = []

    def work() -> None:
        with context.app_context():
            search.catch_up(lambda: False, done.append)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(done) == 40
    assert len(search.find(PORTAL, search.parse("paper")).document_ids) == 40
    assert search.count_differing() == 0


@POSTGRESQL_ONLY
def test_a_document_somebody_writes_to_is_left_for_later(context: Flask) -> None:
    made = makers.document(makers.category())
    with transaction():
        search.queue_documents(Document.id == made.id)
    waiting: list[int] = []

    def work() -> None:
        with context.app_context():
            search.catch_up(lambda: False)
            waiting.append(search.count_waiting())

    with transaction():
        search.index_documents([made.id])
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    assert waiting == [1]
    catch_up()
    assert search.count_waiting() == 0


@POSTGRESQL_ONLY
@pytest.mark.parametrize("is_back", [False, True], ids=["into the trash", "back"])
def test_a_branch_and_whoever_indexes_its_documents_do_not_wait_for_each_other(context: Flask, is_back: bool) -> None:
    shelf = makers.category()
    first, second = makers.document(shelf, "one.pdf").id, makers.document(shelf, "two.pdf").id
    shelf_id = shelf.id
    if is_back:
        catalog.trash_category(None, shelf_id)
    with transaction() as session:  # its row is behind the other one now, as a statement over both of them reads them
        session.execute(update(Document).where(Document.id == first).values(description="Changed."))
    problems: list[BaseException] = []

    def branch() -> None:
        with context.app_context():
            try:
                (catalog.restore_category if is_back else catalog.trash_category)(None, shelf_id)
            except DBAPIError as problem:
                problems.append(problem)

    thread = threading.Thread(target=branch)
    with transaction():
        hold([first])
        thread.start()
        while thread.is_alive() and not db.session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            pass
        hold([first, second])
    thread.join()

    assert problems == []


def test_catching_up_ends_when_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.search.queue.BATCH", 1)
    shelf = makers.category()
    catalog.put_documents(None, [Item(shelf.id, f"{number}.pdf", makers.content_of()) for number in range(3)])
    makers.release()
    done: list[int] = []

    search.catch_up(lambda: bool(done), done.append)

    assert (done, search.count_waiting()) == ([1], 2)


def test_reindexing_makes_every_row_anew_and_removes_those_of_none() -> None:
    made = [makers.document(makers.category(), name) for name in ("one.pdf", "two.pdf", "three.pdf")]
    catch_up()
    before = contents()
    _damage(made[0])

    assert search.count_differing() == 2
    told: list[tuple[int, int]] = []
    assert search.reindex(lambda done, total: told.append((done, total))) == 3

    assert told == [(3, 3)]
    assert contents() == before
    assert search.count_differing() == 0
    assert set(db.session.scalars(select(SearchTerm.term))) == {"one", "two", "three", "pdf"}


def test_a_tag_that_stands_elsewhere_than_its_document_is_noticed_and_put_right() -> None:
    made = [makers.document(makers.category(), f"{number}.pdf") for number in range(2)]
    for document in made:
        catalog.change_document(None, document.id, tags=["paid"])
    catch_up()
    with transaction() as session:
        session.execute(update(DocumentTag).where(DocumentTag.document_id == made[0].id).values(search_key=7))

    assert search.count_differing() == 1
    search.reindex()

    assert search.count_differing() == 0
    keys = select(Document.search_key, DocumentTag.search_key).join(DocumentTag, DocumentTag.document_id == Document.id)
    assert all(own == tag is not None for own, tag in db.session.execute(keys))


def _damage(document: Document) -> None:
    """Another key for this one's row, which no document has: one is missing now, and one is too many."""
    column = "rowid" if db.engine.dialect.name == "sqlite" else "key"
    change = "" if column == "rowid" else ", document_id = 0"
    with transaction() as session:
        session.execute(text(f"UPDATE document_words SET {column} = 7{change} WHERE {column} = :key"),  # noqa: S608
                        {"key": document.search_key})  # fmt: skip


def test_what_waits_is_not_wrong() -> None:
    made = makers.document(makers.category())
    catch_up()
    with transaction() as session:
        session.execute(text("UPDATE documents SET title = 'Other'"))
    assert search.count_differing() == 1

    with transaction():
        search.queue_documents(Document.id == made.id)

    assert search.count_differing() == 0


def test_new_words_are_left_to_the_worker_and_known_ones_are_not() -> None:
    makers.document(makers.category(), "unheard.pdf")
    assert db.session.scalars(select(SearchChange.document_id)).all() == [1]
    catch_up()

    makers.document(makers.category("elsewhere"), "unheard.pdf")

    assert db.session.scalars(select(SearchChange.document_id)).all() == []
