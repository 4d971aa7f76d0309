"""Words inside documents are found, by whoever may read these and by nobody else; and what is found says where."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from portal import catalog, search
from portal.extensions import db, transaction
from portal.models import Blob, Document, Preview, User
from portal.previews import making, queue
from portal.previews.fence import Made, Refused
from tests import makers
from tests.previews.samples import paper
from tests.previews.test_tables import workbook
from tests.previews.test_texts import docx

WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
pytestmark = pytest.mark.usefixtures("context")
Work = Callable[[], None]


def found(who: User, words: str) -> list[str]:
    """The filenames of what somebody finds, once the index has followed."""
    makers.release()
    search.catch_up(lambda: False)
    page = catalog.find_documents(makers.actor(who), search.parse(words))
    makers.release()
    return sorted(one.row.filename for one in page.found)


def comes_to(document: Document, outcome: Made | Refused) -> None:
    """What was made of a document, without a child that makes it."""
    makers.release()
    claimed = queue.claim()
    assert claimed is not None
    assert claimed.sha256 == makers.edition(document).sha256
    queue.write_off(claimed, outcome, "text", making.MAKER)


@pytest.fixture
def people() -> tuple[User, User]:
    """One who may read what is in reports, and one who may not."""
    reader, stranger = makers.person("Reader"), makers.person("Stranger")
    makers.grant(makers.category("reports"), user=reader)
    return reader, stranger


def test_a_word_inside_is_found_by_readers_alone(
    people: tuple[User, User], work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "SLICE_SECONDS", 600.0)
    shelf = makers.category("reports")
    makers.document(shelf, "a.pdf", paper("The dismantling of the plant"))
    makers.document(shelf, "b.docx", docx("<w:p><w:r><w:t>On dismantling</w:t></w:r></w:p>"), WORD)
    makers.document(shelf, "c.csv", b"what,when\ndismantling,2031\n", "text/csv")
    makers.document(shelf, "d.xlsx", workbook(["what"], ["dismantling"]), WORKBOOK)
    makers.document(shelf, "e.md", b"# Dismantling\n", "text/markdown")
    makers.document(makers.category("other"), "f.txt", b"dismantling too", "text/plain")
    reader, stranger = people
    assert found(reader, "dismantling") == []
    work()
    assert found(reader, "dismantling") == ["a.pdf", "b.docx", "c.csv", "d.xlsx", "e.md"]
    assert found(stranger, "dismantling") == []
    assert search.count_differing() == 0


def test_only_the_newest_version_is_found(people: tuple[User, User]) -> None:
    shelf = makers.category("reports")
    comes_to(makers.document(shelf, "a.txt", b"1", "text/plain"), Made(text="before"))
    comes_to(makers.document(shelf, "a.txt", b"2", "text/plain"), Made(text="after"))
    assert (found(people[0], "before"), found(people[0], "after")) == ([], ["a.txt"])


def test_documents_of_equal_bytes_are_all_found(people: tuple[User, User]) -> None:
    shelf = makers.category("reports")
    comes_to(makers.document(shelf, "a.txt", b"1", "text/plain"), Made(text="inside"))
    makers.document(shelf, "b.txt", b"1", "text/plain")
    assert found(people[0], "inside") == ["a.txt", "b.txt"]


def test_what_is_not_there_any_more_is_not_found(people: tuple[User, User]) -> None:
    document = makers.document(makers.category("reports"), "a.txt", b"1", "text/plain")
    comes_to(document, Made(text="inside"))
    assert found(people[0], "inside") == ["a.txt"]
    with transaction() as session:
        session.scalars(select(Preview)).one().state = "waiting"
    comes_to(document, Refused("damaged"))
    assert found(people[0], "inside") == []
    assert search.count_differing() == 0


def test_what_was_found_says_where(people: tuple[User, User]) -> None:
    text = "word " * 6000 + "Here the dismantling begins. " + "word " * 3000
    comes_to(makers.document(makers.category("reports"), "a.txt", b"1", "text/plain"), Made(text=text))
    search.catch_up(lambda: False)
    query = search.parse("dismantling")
    (one,) = catalog.find_documents(makers.actor(people[0]), query).found
    pieces = search.excerpt(query, one.body)
    assert [words for words, is_found in pieces if is_found] == ["dismantling"]
    assert "Here the " in pieces[1][0]
    makers.change(db.session.scalars(select(Blob)).one(), scan_state="waiting")
    (one,) = catalog.find_documents(makers.actor(people[0]), query).found
    assert one.body == ""
