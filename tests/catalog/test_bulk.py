"""Many documents put in together come to the same as one by one."""

import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import func, select

from portal.catalog import Facts, Item, get_category, get_live, put_document, put_documents, trash_document
from portal.errors import CategoryNotFound, Forbidden
from portal.extensions import db
from portal.integrity.rows import category_problems
from portal.models import PUBLISH, AuditEvent, Blob, Category, Document, Version
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.properties import examples

pytestmark = pytest.mark.usefixtures("context")

NAMES = st.sampled_from(["a.pdf", "b.pdf", "A.pdf", "e\u0301.pdf", "\u00e9.pdf", "a.pdf "])
PAPERS = st.lists(st.tuples(st.sampled_from(["x", "y"]), NAMES, st.integers(0, 2)), max_size=8)


def shelf_of(house: int, name: str) -> Category:
    """One of the shelves of a house."""
    return makers.category(f"{house}/{name}")


def kinds_of(items: list[Item]) -> list[str]:
    """What each came to."""
    return [placed.kind for placed in put_documents(None, items)]


def stock(house: int) -> dict[str, object]:
    """What a house holds, in words that do not depend on ids."""
    makers.release()
    assert list(category_problems()) == []
    found: dict[str, object] = {}
    for name in ("x", "y"):
        shelf = shelf_of(house, name)
        live = select(Document).where(Document.category_id == shelf.id, Document.trashed_at.is_(None))
        for document in db.session.scalars(live):
            versions = select(Version).where(Version.document_id == document.id).order_by(Version.number)
            editions = [(one.number, one.filename, one.sha256, one.size) for one in db.session.scalars(versions)]
            texts = (document.title, document.search_text, document.description, document.version_count)
            events = select(AuditEvent.action, AuditEvent.object_label, AuditEvent.actor_kind)
            events = events.where(AuditEvent.object_type == "document", AuditEvent.object_id == document.id)
            log = [tuple(event) for event in db.session.execute(events.order_by(AuditEvent.id))]
            found[f"{name}/{document.filename}"] = (texts, editions, log, document.published_at is not None)
    return found


_houses = iter(range(1, 10_000, 2))


@examples(4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=PAPERS, papers=PAPERS)
def test_together_is_the_same_as_one_by_one(
    before: list[tuple[str, str, int]], papers: list[tuple[str, str, int]]
) -> None:
    together = next(_houses)
    alone = together + 1
    contents = [makers.content_of(str(number).encode()) for number in range(3)]
    for house in (together, alone):
        for shelf, name, number in before:
            put_document(None, shelf_of(house, shelf).id, name, contents[number])

    kinds = kinds_of([Item(shelf_of(together, shelf).id, name, contents[number]) for shelf, name, number in papers])
    expected = [
        put_document(None, shelf_of(alone, shelf).id, name, contents[number]).kind for shelf, name, number in papers
    ]

    assert kinds == expected
    assert stock(together) == stock(alone)


def test_equal_bytes_are_one_blob_touched() -> None:
    shelf = makers.category()
    put_document(None, shelf.id, "old.pdf", makers.content_of(b"1"))
    blob = db.session.scalars(select(Blob)).one()
    makers.change(blob, touched_at=makers.now(days=-3))

    put_documents(None, [Item(shelf.id, f"{number}.pdf", makers.content_of(b"1")) for number in range(3)])

    db.session.refresh(blob)
    assert db.session.scalars(select(func.count()).select_from(Blob)).one() == 1
    assert blob.touched_at > makers.now(days=-1)


@SQLITE_ONLY
def test_a_name_in_the_trash_is_free() -> None:
    shelf = makers.category()
    first = put_document(None, shelf.id, "a.pdf", makers.content_of(), facts=Facts(is_draft=True))
    trash_document(None, first.document_id)

    assert kinds_of([Item(shelf.id, "a.pdf", makers.content_of())]) == ["added"]


@SQLITE_ONLY
def test_each_outcome_names_its_document() -> None:
    shelf = makers.category()
    there = put_document(None, shelf.id, "b.pdf", makers.content_of())

    placed = put_documents(None, [Item(shelf.id, name, makers.content_of()) for name in ("a.pdf", "b.pdf", "c.pdf")])

    names = [get_live(one.document_id).filename for one in placed]
    assert (names, placed[1].document_id) == (["a.pdf", "b.pdf", "c.pdf"], there.document_id)


@SQLITE_ONLY
def test_nothing_to_put_in_is_nothing() -> None:
    assert put_documents(None, []) == []


def test_one_category_that_is_closed_keeps_all_out() -> None:
    mine, theirs, user = makers.category("mine"), makers.category("theirs"), makers.person()
    makers.grant(mine, user=user, permission=PUBLISH)
    makers.grant(theirs, user=user)
    items = [Item(shelf.id, "a.pdf", makers.content_of()) for shelf in (mine, theirs)]

    with pytest.raises(Forbidden):
        put_documents(makers.actor(user), items)
    with pytest.raises(CategoryNotFound):
        put_documents(None, [items[0], Item(4711, "a.pdf", makers.content_of())])
    assert db.session.scalars(select(func.count()).select_from(Document)).one() == 0


def test_two_who_put_in_the_same_at_once_make_it_once(context: Flask) -> None:
    shelves = [makers.category(name).id for name in ("x", "y")]
    items = [Item(shelf, f"{n}.pdf", makers.content_of(str(n).encode())) for n in range(8) for shelf in shelves]

    outcomes = makers.at_once(
        context,
        *[lambda: sorted(kinds_of(items)), lambda: sorted(kinds_of(items[::-1]))] * 2,
    )

    assert sorted(map(str, outcomes)) == sorted([str(["added"] * 16), *[str(["unchanged"] * 16)] * 3])
    assert [get_category(shelf).document_count for shelf in shelves] == [8, 8]
    assert list(category_problems()) == []
