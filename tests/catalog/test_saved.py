"""Searches people saved: theirs alone, and what they find anew among what this person may read."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.accounts import disable_user
from portal.actors import Actor
from portal.catalog import saved
from portal.catalog.news import tell_news
from portal.errors import BadInput, Conflict, NotFound
from portal.extensions import db
from portal.models import Category, Document, Mail, User
from tests import makers
from tests.databases import SQLITE_ONLY

pytestmark = [pytest.mark.usefixtures("context"), SQLITE_ONLY]


@pytest.fixture
def shelf() -> Category:
    return makers.category("reports")


@pytest.fixture
def ada(shelf: Category) -> User:
    """Somebody who may read the shelf."""
    ada = makers.person("Ada")
    makers.grant(shelf, user=ada)
    return ada


@pytest.fixture
def me(ada: User) -> Actor:
    return makers.actor(ada)


def published(shelf: Category, filename: str, *, days: float) -> Document:
    """A document that came out so many days ago, found by its filename."""
    made = makers.document(shelf, filename, filename.encode())
    makers.change(made, published_at=makers.now(days=-days))
    return made


def looked(me: Actor, search_id: int, *, days: float) -> None:
    """They looked at it so many days ago, and were told of it as long ago."""
    then = makers.now(days=-days)
    makers.change(saved.get_search(me, search_id), looked_at=then, told_at=then)


def news(me: Actor) -> list[tuple[str, int]]:
    return [(one.saved.name, one.count) for one in saved.list_with_news(me)]


def test_a_search_is_called_by_its_words_unless_it_has_a_name(me: Actor) -> None:
    saved.add_search(me, "", " annual   report ")
    saved.add_search(me, "Money", "invoice")

    assert [(one.name, one.query) for one in saved.list_searches(me)] == [
        ("annual report", "annual report"),
        ("Money", "invoice"),
    ]


def test_a_search_is_saved_once(me: Actor) -> None:
    saved.add_search(me, "Money", "invoice")

    with pytest.raises(Conflict, match="as “Money”"):
        saved.add_search(me, "More money", " invoice ")


@pytest.mark.parametrize("query", ["", "  ", "\u200b", "a\x00b", "a" * 5000], ids=ascii)
def test_nothing_and_what_nobody_can_type_is_not_saved(me: Actor, query: str) -> None:
    with pytest.raises(BadInput):
        saved.add_search(me, "", query)


def test_fifty_are_enough(me: Actor) -> None:
    for number in range(saved.MOST_SEARCHES):
        saved.add_search(me, "", f"word{number}")

    with pytest.raises(Conflict, match="too many"):
        saved.add_search(me, "", "one more")


def test_two_people_save_the_same_search(me: Actor) -> None:
    saved.add_search(me, "", "invoice")

    saved.add_search(makers.actor(makers.person("Bob")), "", "invoice")


def test_nobody_meets_the_searches_of_others(me: Actor) -> None:
    bob = makers.actor(makers.person("Bob"))
    theirs = saved.add_search(bob, "", "invoice").id

    assert saved.list_searches(me) == []
    assert saved.find_search(me, "invoice") is None
    for act in (
        lambda: saved.get_search(me, theirs),
        lambda: saved.change_search(me, theirs, name="Mine", wants_notice=True),
        lambda: saved.remove_search(me, theirs),
        lambda: saved.note_look(me, theirs),
    ):
        with pytest.raises(NotFound):
            act()
    assert saved.get_search(bob, theirs).name == "invoice"


def test_news_is_what_came_out_since_the_last_look(me: Actor, shelf: Category) -> None:
    published(shelf, "invoice-1.pdf", days=9)
    published(shelf, "invoice-2.pdf", days=2)
    published(shelf, "letter.pdf", days=2)
    looked(me, saved.add_search(me, "", "invoice").id, days=5)

    assert news(me) == [("invoice", 1)]


def test_whoever_looks_has_seen_what_was_new(me: Actor, shelf: Category) -> None:
    published(shelf, "invoice.pdf", days=2)
    mine = saved.add_search(me, "", "invoice").id
    looked(me, mine, days=5)
    assert news(me) == [("invoice", 1)]

    saved.note_look(me, mine)

    assert news(me) == [("invoice", 0)]


def test_what_the_person_may_not_read_is_no_news(me: Actor) -> None:
    published(makers.category("board"), "invoice.pdf", days=2)
    looked(me, saved.add_search(me, "", "invoice").id, days=5)

    assert news(me) == [("invoice", 0)]


def test_only_who_wants_to_hear_of_it_is_told(me: Actor, shelf: Category) -> None:
    published(shelf, "invoice.pdf", days=2)
    quiet, loud = (saved.add_search(me, "", query, wants_notice=query == "pdf").id for query in ("invoice", "pdf"))
    looked(me, quiet, days=5)
    looked(me, loud, days=5)

    assert [(one.saved.id, one.count) for one in saved.list_untold(me)] == [(loud, 1)]


def test_what_was_told_is_not_told_again(me: Actor, shelf: Category) -> None:
    published(shelf, "invoice.pdf", days=2)
    mine = saved.add_search(me, "", "invoice", wants_notice=True).id
    looked(me, mine, days=5)

    tell_news(lambda: False)

    makers.release()
    assert saved.list_untold(me) == []
    assert news(me) == [("invoice", 1)], "to be told is not to have looked"


def test_whoever_wants_to_hear_of_it_from_now_on_is_not_told_of_before(me: Actor, shelf: Category) -> None:
    published(shelf, "invoice.pdf", days=2)
    mine = saved.add_search(me, "", "invoice").id
    looked(me, mine, days=5)

    saved.change_search(me, mine, name="Money", wants_notice=True)

    assert saved.list_untold(me) == []
    assert makers.now() - saved.get_search(me, mine).told_at < timedelta(minutes=5)


@pytest.mark.parametrize("is_closed", [True, False])
def test_whose_account_is_closed_is_told_nothing(me: Actor, ada: User, shelf: Category, is_closed: bool) -> None:
    published(shelf, "invoice.pdf", days=2)
    looked(me, saved.add_search(me, "", "invoice", wants_notice=True).id, days=5)
    if is_closed:
        disable_user(None, ada.id)

    tell_news(lambda: False)

    makers.release()
    told = db.session.scalars(select(Mail.kind).where(Mail.kind == "news")).all()
    assert told == ([] if is_closed else ["news"])


def test_what_is_removed_is_gone(me: Actor) -> None:
    saved.remove_search(me, saved.add_search(me, "", "invoice").id)

    assert saved.list_searches(me) == []
