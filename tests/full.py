"""A house in which every page for readers and publishers is as full as it gets, for what is measured of pages."""

from collections.abc import Iterable
from urllib.parse import quote

from sqlalchemy import select, update

from portal import catalog
from portal.catalog import saved
from portal.catalog.documents import put_document
from portal.downloads import Claim, ledger
from portal.extensions import db, transaction
from portal.models import PUBLISH, Category, Document, SavedSearch, User
from portal.search import index_documents
from tests import makers

TOP, BESIDE = 20, 10
"""So many categories stand at the side of whoever may read 2,000: those at the top, and two levels of the open one."""
SHELF = "Client number 1, Hamburg/Annual accounts 2018/Reports of the quarter"
PLAIN, OUTDATED, DRAFTS, SEARCHES = 70, 10, 8, 5
TITLE = "Quarterly report number {} of the year 2018, as audited"
DESCRIPTION = (
    "What the quarterly report says of the year, in words enough for a snippet of two lines below the title. " * 4
)
PAGES = ("/", "/documents", f"/categories/{quote(SHELF)}", "/search?q=quarterly")


def fill() -> tuple[dict[str, User], tuple[str, ...]]:
    """A reader and a publisher who have been here before, and the addresses of the pages. In a context."""
    people = {"reader": makers.person("Ada Byron-Lovelace"), "publisher": makers.person("Grace Hopper")}
    shelf = _shelves(people)
    plain = _documents(shelf, "quarterly_report_{}_of_the_year.pdf", PLAIN)
    drafts = _documents(shelf, "draft_of_the_report_{}.docx", DRAFTS)
    outdated = _documents(shelf, "figures_of_the_quarter_{}.xlsx", OUTDATED)
    _have(people.values(), outdated)
    _documents(shelf, "figures_of_the_quarter_{}.xlsx", OUTDATED, edition="second")
    with transaction() as session:
        session.execute(update(Document).values(published_at=makers.now(hours=-1), description=DESCRIPTION))
        session.execute(update(Document).where(Document.id.in_(drafts)).values(published_at=None))
        session.execute(update(User).values(visited_at=makers.now(days=-7)))
    for number, document_id in enumerate((*plain, *outdated, *drafts)):
        with transaction() as session:
            title = TITLE.format(number)
            session.execute(update(Document).where(Document.id == document_id).values(title=title))
            catalog.change_document(None, document_id, tags=["Quarter", f"Tag {number % 7}"])
            index_documents([document_id])
    for user in people.values():
        for number in range(SEARCHES):
            saved.add_search(makers.actor(user), f"What came out in the quarter {number}", f"quarterly tag {number}")
    with transaction() as session:
        session.execute(update(SavedSearch).values(looked_at=makers.now(days=-1)))
    ref = db.session.scalars(select(Document.uuid).where(Document.id == plain[0])).one()
    makers.release()
    return people, (*PAGES, f"/documents/{ref}")


def _shelves(people: dict[str, User]) -> Category:
    top, middle, _ = SHELF.split("/")
    for number in range(TOP):
        client = makers.category(f"Client number {number}, Hamburg")
        makers.grant(client, user=people["reader"])
        makers.grant(client, user=people["publisher"], permission=PUBLISH)
    for number in range(BESIDE - 1):
        makers.category(f"{top}/Annual accounts {2000 + number}")
        makers.category(f"{top}/{middle}/Letters of the month {number}")
    return makers.category(SHELF)


def _documents(into: Category, filename: str, count: int, edition: str = "first") -> list[int]:
    contents = [makers.content_of(f"{filename} {edition} {number}".encode()) for number in range(count)]
    return [
        put_document(None, into.id, filename.format(number), content).document_id
        for number, content in enumerate(contents)
    ]


def _have(people: Iterable[User], document_ids: list[int]) -> None:
    """They have downloaded these as they are now."""
    for user in people:
        who = makers.actor(user)
        claim = Claim(key=who.key, user_id=who.user_id, network="", agent="")
        for document_id in document_ids:
            made = db.session.get_one(Document, document_id)
            length = makers.edition(made).size
            ledger.begin(claim, makers.edition(made), [(0, length)], [(0, length)])
