"""What is in the trash: whose it is to bring back, and found by words, category, who put it there and when."""

from dataclasses import dataclass

import pytest
from sqlalchemy import select

from portal.actors import Actor
from portal.catalog import restore_document, trash, trash_document
from portal.catalog.trash import Sought
from portal.extensions import db
from portal.models import PUBLISH, READ, Category, Document, Version
from tests import makers
from tests.databases import SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")


@dataclass
class House:
    """A category with a publisher and a reader."""

    shelf: Category
    publisher: Actor
    reader: Actor


@pytest.fixture
def house() -> House:
    ada, rob = makers.person("Ada Byron"), makers.person("Rob")
    shelf = makers.category("shelf")
    makers.grant(shelf, user=ada, permission=PUBLISH)
    makers.grant(shelf, user=rob, permission=READ)
    return House(shelf, makers.actor(ada), makers.actor(rob))


def gone(into: Category, *names: str, by: Actor | None = None) -> list[Document]:
    documents = [makers.document(into, name, name.encode()) for name in names]
    for paper in documents:
        trash_document(by, paper.id)
    return documents


def names(actor: Actor, sought: Sought | None = None) -> list[str]:
    return [row.filename for row in trash.list_trash(actor, sought)[0]]


def test_the_trash_shows_what_a_publisher_can_bring_back(house: House) -> None:
    documents = gone(house.shelf, "a", "b", "gone")
    gone(makers.category("other"), "c")
    purged = db.session.scalars(select(Version).where(Version.document_id == documents[2].id)).one()
    makers.change(purged, blob_id=None, purged_at=makers.now())

    assert names(house.publisher) == ["b", "a"]
    assert names(house.reader) == []
    restore_document(house.publisher, documents[0].id)
    assert names(house.publisher) == ["b"]


@SQLITE_ONLY
def test_the_trash_has_pages_also_when_the_last_of_a_page_came_back_meanwhile(house: House) -> None:
    gone(house.shelf, *"01234")
    seen: list[str] = []
    rows, after = trash.list_trash(house.publisher, limit=2)
    while True:
        seen += [row.filename for row in rows]
        if after is None:
            break
        restore_document(None, rows[-1].document_id)
        rows, after = trash.list_trash(house.publisher, limit=2, after=after)

    assert seen == ["4", "3", "2", "1", "0"]


def test_it_is_found_by_words_category_who_and_when(house: House) -> None:
    below = makers.category("shelf/below")
    old, mine, deep = gone(house.shelf, "Annual.pdf", "other.pdf"), gone(house.shelf, "x.pdf", by=house.publisher), []
    deep = gone(below, "deep.pdf")
    makers.change(old[0], trashed_at=makers.now(days=-9))
    root = makers.actor(makers.person("Root", is_admin=True))

    assert names(root, Sought(words="annual PDF")) == ["Annual.pdf"]
    assert names(root, Sought(category=below)) == [one.filename for one in deep]
    assert names(root, Sought(category=house.shelf, person="byr")) == [one.filename for one in mine]
    assert names(root, Sought(until=makers.now(days=-1))) == ["Annual.pdf"]
    assert names(root, Sought(since=makers.now(days=-1))) == ["deep.pdf", "x.pdf", "other.pdf"]
    assert names(root, Sought(words="annual", person="byron")) == []


@SQLITE_ONLY
def test_it_says_who_put_it_there_last(house: House) -> None:
    (paper,) = gone(house.shelf, "a")
    restore_document(None, paper.id)
    assert names(house.publisher) == []
    trash_document(house.publisher, paper.id)

    ((row,), _) = trash.list_trash(house.publisher)
    assert (row.user_name, row.user_id) == ("Ada Byron", house.publisher.user_id)


@SQLITE_ONLY
def test_only_categories_with_something_to_bring_back_are_offered(house: House) -> None:
    gone(house.shelf, "a")
    gone(makers.category("other"), "b")
    makers.document(makers.category("shelf/full"), "c")

    assert [place.path for place in trash.list_places(house.publisher)] == ["shelf"]
    assert trash.list_places(house.reader) == []
