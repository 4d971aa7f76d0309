"""Lists as one person sees them: what is in them, in which order, page by page, and what the person has of it."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, insert, select

from portal.actors import Actor
from portal.catalog import (
    Branch,
    DocumentRow,
    Home,
    change_document,
    find_category,
    list_by_ids,
    list_documents,
    list_home,
    list_shown,
    list_unpublished,
    list_versions,
    look_round,
    put_document,
    trash_document,
    versions_had,
)
from portal.errors import BadRequest
from portal.extensions import db, transaction
from portal.models import PUBLISH, Category, Document, Download, Grant, User, Version
from tests import makers
from tests.databases import SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")


@dataclass
class House:
    """A shelf with a reader and a publisher."""

    shelf: Category
    reader: Actor
    publisher: Actor


@pytest.fixture
def house(context: Flask) -> House:
    shelf = makers.category("shelf")
    reader, publisher = makers.person("Reader"), makers.person("Publisher")
    makers.grant(shelf, user=reader)
    makers.grant(shelf, user=publisher, permission=PUBLISH)
    return House(shelf, makers.actor(reader), makers.actor(publisher))


def put(into: Category, filename: str, content: bytes = b"", **columns: object) -> Document:
    """A document without stored bytes; ``columns`` are set afterwards."""
    outcome = put_document(None, into.id, filename, makers.content_of(content or filename.encode()))
    document = db.session.get_one(Document, outcome.document_id)
    makers.change(document, **columns)
    return document


def have(actor: Actor, document: Document, number: int = 1, state: str = "completed") -> None:
    """Write into the ledger that the person downloaded this version."""
    version_id = select(Version.id).where(Version.document_id == document.id, Version.number == number)
    values = {"document_id": document.id, "version_id": version_id.scalar_subquery(), "state": state}
    person: dict[str, object] = {"actor_key": actor.key, "user_id": actor.user_id, "intervals": []}
    with transaction() as session:
        session.execute(insert(Download).values(values | person | {"closed_at": makers.now()}))


def names(rows: list[DocumentRow]) -> list[str]:
    """Their filenames."""
    return [row.filename for row in rows]


def home(actor: Actor, since: datetime | None = None, *, limit: int = 50) -> Home:
    """The lists of the home page, so much of each."""
    return list_home(actor, since, new=limit, outdated=limit, newest=limit, unpublished=limit)


def walk(actor: Actor, limit: int) -> Iterator[list[DocumentRow]]:
    """Every page of everything."""
    after = None
    while True:
        page = list_documents(actor, after=after, limit=limit)
        yield page.rows
        if page.after is None:
            return
        after = page.after


def everything(house: House) -> dict[str, Document]:
    """One document in each state, by its name."""
    past, later = makers.now(hours=-1), makers.now(hours=1)
    states: dict[str, dict[str, object]] = {
        "out": {},
        "ending": {"expires_at": later},
        "draft": {"published_at": None},
        "scheduled": {"published_at": later},
        "expired": {"published_at": past, "expires_at": past + timedelta(minutes=1)},
        "expired draft": {"published_at": None, "expires_at": past},
    }
    return {name: put(house.shelf, name, b"", **columns) for name, columns in states.items()}


def test_a_reader_sees_what_is_out(house: House) -> None:
    everything(house)

    assert set(names(list_documents(house.reader).rows)) == {"out", "ending"}
    assert list_unpublished(house.reader) == []


def test_each_document_of_a_publisher_is_either_out_or_not(house: House) -> None:
    made = everything(house)

    for actor in (house.publisher, makers.actor(makers.person("Root", is_admin=True))):
        out = names(list_documents(actor, only_out=True).rows)
        pending = names(list_unpublished(actor))
        assert sorted(out + pending) == sorted(made)
        assert set(out) == {"out", "ending"}


@SQLITE_ONLY
def test_a_publisher_finds_what_has_a_date_whether_it_is_out_or_not(house: House) -> None:
    everything(house)

    assert set(names(list_documents(house.publisher).rows)) == {"out", "ending", "scheduled", "expired"}


@SQLITE_ONLY
def test_the_moment_of_expiry_is_over(house: House) -> None:
    put(house.shelf, "a", expires_at=makers.now())

    assert list_documents(house.reader).rows == []


@SQLITE_ONLY
def test_what_is_not_granted_is_in_no_list(house: House) -> None:
    put(makers.category("other"), "secret")

    assert list_documents(house.reader).rows == []
    assert list_documents(Actor(user_id=None, kind="link")).rows == []


@SQLITE_ONLY
def test_a_list_is_narrowed_to_a_category_and_what_is_below(house: House) -> None:
    inner = makers.category("shelf/inner")
    put(house.shelf, "a")
    put(inner, "b")
    put(makers.category("shelf2"), "c")

    assert set(names(list_documents(house.reader, category=house.shelf).rows)) == {"a", "b"}
    assert names(list_documents(house.reader, category=house.shelf, directly=True).rows) == ["a"]
    assert names(list_documents(house.reader, category=inner).rows) == ["b"]


@SQLITE_ONLY
def test_a_row_says_what_a_page_needs(house: House) -> None:
    user = db.session.get_one(User, house.publisher.user_id)
    put_document(makers.actor(user), house.shelf.id, "A_b.pdf", makers.content_of(b"12345"))

    (row,) = list_documents(house.reader).rows
    assert (row.title, row.filename, row.category_path, row.number, row.size) == ("A b", "A_b.pdf", "shelf", 1, 5)
    assert (row.author, row.state, row.content_type) == ("Publisher", "none", "application/pdf")


def test_pages_hold_every_document_once_newest_first(house: House) -> None:
    moments = [makers.now(minutes=-number // 3) for number in range(20)]
    for number, moment in enumerate(moments):
        put(house.shelf, f"{number}", published_at=moment)

    pages = list(walk(house.reader, 6))

    rows = [row for page in pages for row in page]
    assert [len(page) for page in pages] == [6, 6, 6, 2]
    assert len({row.id for row in rows}) == 20
    assert rows == sorted(rows, key=lambda row: (row.published_at, row.id), reverse=True)


@SQLITE_ONLY
def test_a_last_page_that_is_full_has_no_next(house: House) -> None:
    for number in range(4):
        put(house.shelf, f"{number}")

    assert [len(page) for page in walk(house.reader, 2)] == [2, 2]


@SQLITE_ONLY
def test_pages_hold_every_document_once_while_others_come_and_go(house: House) -> None:
    before = [put(house.shelf, f"{number}").id for number in range(12)]
    seen: list[int] = []
    for turn, rows in enumerate(walk(house.reader, 3)):
        seen += [row.id for row in rows]
        put(house.shelf, f"new {turn}")
        trash_document(None, rows[0].id)

    assert sorted(seen) == before


@SQLITE_ONLY
def test_documents_older_than_the_epoch_have_pages_too(house: House) -> None:
    for year in (1969, 1850, 1):
        put(house.shelf, f"{year}", published_at=datetime(year, 1, 1, tzinfo=UTC))

    assert [names(page) for page in walk(house.reader, 1)] == [["1969"], ["1850"], ["1"]]


GARBAGE = (
    *("x", "1", "1-", "-1", "1-0", "1-01", "1-1-1", "1 -1", "\u0661-1", "1-1\n", "1-1\x00"),
    *(f"{'9' * 18}-1", f"-{'9' * 18}-1", f"{'9' * 30}-1", f"1-{2**31}", f"1-{'9' * 10}", f"1-{'9' * 30}"),
)


def test_a_cursor_that_never_was_is_no_page(house: House) -> None:
    for cursor in GARBAGE:
        with pytest.raises(BadRequest, match="page"):
            list_documents(house.reader, after=cursor)


def test_states_are_none_new_old_and_has(house: House) -> None:
    for name in ("before", "after", "old", "has"):
        put(house.shelf, name, published_at=makers.now(hours=-1 if name in ("before", "old") else 1 / 3600 / 1000))
    rows = {document.filename: document for document in db.session.scalars(select(Document))}
    have(house.reader, rows["old"])
    have(house.reader, rows["has"])
    put(house.shelf, "old", b"second edition")
    makers.change(rows["old"], published_at=rows["old"].published_at)

    page = list_documents(house.reader, since=makers.now(minutes=-5))
    everything = list_documents(house.reader)

    assert {row.filename: row.state for row in page.rows} == {"after": "new", "has": "has"}
    assert {row.filename: row.state for row in everything.rows} == {
        "before": "none", "after": "none", "old": "old", "has": "has"
    }  # fmt: skip


def test_new_is_what_came_since_and_outdated_what_has_a_newer_version(house: House) -> None:
    since = makers.now(minutes=-5)
    long_ago = makers.now(days=-3)
    for name in ("before", "old", "had before"):
        put(house.shelf, name, published_at=long_ago)
    for name in ("fresh", "had"):
        put(house.shelf, name)
    rows = {document.filename: document for document in db.session.scalars(select(Document))}
    for name in ("old", "had", "had before"):
        have(house.reader, rows[name])
    put_document(None, house.shelf.id, "old", makers.content_of(b"second edition"))

    assert {row.filename: row.state for row in home(house.reader, since).fresh} == {"fresh": "new"}
    assert home(house.reader, None).fresh == []
    assert [(row.filename, row.state, row.has_version, row.number) for row in home(house.reader).outdated] == [
        ("old", "old", 1, 2)
    ]


@SQLITE_ONLY
def test_what_is_outdated_comes_in_the_order_it_was_replaced_in(house: House) -> None:
    for name in ("first", "second", "third"):
        have(house.reader, put(house.shelf, name))
    for name in ("second", "first", "third"):
        put_document(None, house.shelf.id, name, makers.content_of(b"second edition of " + name.encode()))

    assert names(home(house.reader).outdated) == ["third", "first", "second"]
    assert names(home(house.reader, limit=1).outdated) == ["third"]
    assert home(Actor(user_id=None, kind="link")).outdated == []


@SQLITE_ONLY
def test_nothing_is_outdated_that_the_person_may_not_read_any_more(house: House) -> None:
    document = put(house.shelf, "a")
    have(house.reader, document)
    put_document(None, house.shelf.id, "a", makers.content_of(b"second edition"))
    makers.change(document, published_at=None)

    assert home(house.reader).outdated == []


@SQLITE_ONLY
def test_what_the_person_has_takes_no_place_among_the_new(house: House) -> None:
    since = makers.now(minutes=-5)
    put(house.shelf, "wanted", published_at=makers.now(minutes=-4))
    for number in range(3):
        have(house.reader, put(house.shelf, f"{number}"))

    assert names(home(house.reader, since, limit=2).fresh) == ["wanted"]


@pytest.mark.parametrize("limit", [1, 2, 5, 9, 30])
def test_what_is_new_is_what_came_since_and_is_not_had_however_much_of_it_there_is(house: House, limit: int) -> None:
    chance, since, wanted = random.Random(limit), makers.now(minutes=-20), []
    for number in range(24):
        document = put(house.shelf, f"{number}", published_at=makers.now(minutes=-2 * number - 1))
        if chance.random() < 0.5:
            have(house.reader, document)
        elif 2 * number + 1 < 20:
            wanted.append(document.filename)

    assert names(home(house.reader, since, limit=limit).fresh) == wanted[:limit]


@SQLITE_ONLY
def test_nothing_is_new_that_is_not_out(house: House) -> None:
    since = makers.now(days=-1)
    everything(house)

    assert set(names(home(house.publisher, since).fresh)) == {"out", "ending"}


def test_the_home_page_has_the_same_lists_as_the_others(house: House) -> None:
    everything(house)
    put(makers.category("elsewhere"), "elsewhere")

    for who in (house.reader, house.publisher, Actor(user_id=None, is_admin=True)):
        lists = home(who, limit=2)
        assert lists.newest == list_documents(who, only_out=True, limit=2).rows
        assert lists.has_more == (list_documents(who, only_out=True, limit=2).after is not None)
        assert lists.unpublished == list_unpublished(who, limit=2)


@SQLITE_ONLY
def test_what_somebody_reaches_is_asked_once_for_the_home_page_and_again_for_the_next(
    house: House, statements: list[str]
) -> None:
    put(house.shelf, "a")
    makers.release()
    statements.clear()

    assert names(home(house.reader).newest) == ["a"]
    assert sum("granted" in statement for statement in statements) == 1

    with transaction() as session:
        session.execute(delete(Grant).where(Grant.user_id == house.reader.user_id))
    assert home(house.reader).newest == []


@SQLITE_ONLY
def test_nothing_is_new_for_nobody(house: House) -> None:
    put(house.shelf, "a")

    assert home(Actor(user_id=None, kind="link"), makers.now(days=-1)).fresh == []


def test_a_person_has_the_newest_version_they_completed(house: House) -> None:
    document = put(house.shelf, "a", b"1")
    for content in (b"2", b"3"):
        put_document(None, house.shelf.id, "a", makers.content_of(content))
    have(house.reader, document, 2)
    have(house.reader, document, 1)
    have(house.reader, document, 3, state="aborted")
    have(house.publisher, document, 3)

    assert versions_had(house.reader, [document.id, 4711]) == {document.id: 2}
    assert versions_had(Actor(user_id=None, kind="link"), [document.id]) == {}
    assert versions_had(house.reader, []) == {}


@SQLITE_ONLY
def test_a_page_costs_three_statements_whatever_its_length(house: House, statements: list[str]) -> None:
    for number in range(8):
        put(house.shelf, f"{number}")
    makers.release()
    statements.clear()

    list_documents(house.reader)

    assert len([statement for statement in statements if statement.startswith(("SELECT", "WITH"))]) == 3


def test_chosen_documents_come_in_the_order_chosen_and_only_to_who_may_read_them(house: House) -> None:
    ids = {name: document.id for name, document in everything(house).items()}
    elsewhere = put(makers.category("elsewhere"), "elsewhere").id
    have(house.reader, db.session.get_one(Document, ids["out"]))
    chosen = [ids["ending"], elsewhere, ids["draft"], ids["out"], ids["ending"], 4711]

    assert names(list_by_ids(house.reader, chosen)) == ["ending", "out"]
    assert [row.state for row in list_by_ids(house.reader, chosen)] == ["none", "has"]
    assert names(list_by_ids(house.publisher, chosen)) == ["ending", "draft", "out"]
    assert list_by_ids(house.reader, []) == []


@SQLITE_ONLY
def test_versions_come_newest_first_with_their_author(house: House) -> None:
    document = put(house.shelf, "a", b"1")
    put_document(house.publisher, house.shelf.id, "a", makers.content_of(b"2"))

    assert [(row.version.number, row.author) for row in list_versions(document.id)] == [(2, "Publisher"), (1, None)]


def labels(branches: list[Branch]) -> list[object]:
    """The tree as nested lists of labels."""
    return [(branch.label, labels(branch.children)) if branch.children else branch.label for branch in branches]


def tree_of(actor: Actor, current: Category | None = None) -> list[Branch]:
    """The categories at the side."""
    return look_round(actor, current)[0]


@SQLITE_ONLY
def test_the_tree_shows_the_top_and_the_way_to_where_one_is() -> None:
    for path in ("a/b/c", "a/x", "d/e"):
        makers.category(path)
    administrator = makers.actor(makers.person("Root", is_admin=True))

    assert labels(tree_of(administrator)) == ["a", "d"]
    assert labels(tree_of(administrator, find_category("a"))) == [("a", ["b", "x"]), "d"]
    assert labels(tree_of(administrator, find_category("a/b"))) == [("a", [("b", ["c"]), "x"]), "d"]
    assert labels(tree_of(administrator, find_category("d/e"))) == ["a", ("d", ["e"])]


def test_the_tree_of_a_reader_granted_only_deep_begins_there() -> None:
    deep = makers.category("a/b/c")
    inner = makers.category("a/b/c/d")
    makers.category("a/b/hidden")
    user = makers.person()
    makers.grant(deep, user=user)

    for current in (None, deep):
        assert [branch.label for branch in tree_of(makers.actor(user), current)] == ["a/b/c"]
    assert labels(tree_of(makers.actor(user), inner)) == [("a/b/c", ["d"])]


def test_the_tree_ends_at_a_seal_and_begins_again_below_it() -> None:
    top, sealed = makers.category("a"), makers.category("a/sealed", is_sealed=True)
    deep = makers.category("a/sealed/in/deep")
    user = makers.person()
    makers.grant(top, user=user)
    makers.grant(deep, user=user)

    assert labels(tree_of(makers.actor(user), top)) == ["a", "a/sealed/in/deep"]
    assert labels(tree_of(makers.actor(user), sealed)) == ["a", "a/sealed/in/deep"]


@SQLITE_ONLY
def test_the_tree_of_nobody_is_empty() -> None:
    makers.category("a")

    assert tree_of(makers.actor(makers.person())) == []


@SQLITE_ONLY
def test_a_branch_says_what_may_be_done_there(house: House) -> None:
    (branch,) = tree_of(house.publisher)

    assert (branch.is_published_to, branch.is_managed) == (True, False)


@SQLITE_ONLY
def test_the_tree_costs_one_statement(house: House, statements: list[str]) -> None:
    for number in range(5):
        makers.category(f"shelf/{number}/deep")
    makers.release()
    statements.clear()

    tree_of(house.reader, house.shelf)

    assert len([statement for statement in statements if statement.startswith(("SELECT", "WITH"))]) == 1


def test_shown_categories_come_with_the_permission_on_them(house: House) -> None:
    makers.category("shelf/b")
    makers.category("elsewhere")

    assert [(row.path, level) for row, level in list_shown(house.publisher)] == [("shelf", 2), ("shelf/b", 2)]
    assert list_shown(house.reader, PUBLISH) == []


@SQLITE_ONLY
def test_a_document_set_to_draft_leaves_the_list_at_once(house: House) -> None:
    document = put(house.shelf, "a")
    change_document(None, document.id, title="a", filename="a", description="", published_at=None, expires_at=None)

    assert list_documents(house.reader).rows == []
