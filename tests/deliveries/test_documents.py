"""Who got what: everybody a document is for is in exactly one state, and numbers agree with lists."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from flask import Flask

from portal import access, deliveries
from portal.accounts import disable_user
from portal.actors import Actor
from portal.catalog import Edition
from portal.deliveries import Delivery, LinkDelivery
from portal.errors import BadRequest, DocumentNotFound
from portal.extensions import db, transaction
from portal.models import MANAGE, PUBLISH, STATES, Document, Download, ShareLink, User
from portal.shares import revoke_link
from tests import makers
from tests.databases import SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")

PAST = datetime(2020, 1, 1, tzinfo=UTC)
SIZE = 100


@dataclass
class House:
    """A document in its second version on a shelf that a group reads, and the people around it by name."""

    people: dict[str, User]
    document: Document
    first: Edition
    edition: Edition
    publisher: Actor

    def states(self, state: str | None = None, query: str = "") -> dict[str, str]:
        """Name to state, in the order of the list."""
        return {row.name: row.state for row in everybody(self.edition, state=state, query=query)}


def everybody(edition: Edition, limit: int = 50, state: str | None = None, query: str = "") -> list[Delivery]:
    """All pages of a list."""
    rows, after = deliveries.list_deliveries(edition, state=state, query=query, limit=limit)
    while after is not None:
        more, after = deliveries.list_deliveries(edition, state=state, query=query, limit=limit, after=after)
        assert more
        rows += more
    return rows


@pytest.fixture
def house(context: Flask) -> House:
    names = ("Ada Reader", "Bo Reader", "Cy Reader", "Dee Reader", "Pam Publisher", "Stranger")
    people = {name.split()[0]: makers.person(name) for name in names}
    shelf = makers.category("reports/2026")
    readers = makers.group("Readers", *(people[name] for name in ("Ada", "Bo", "Cy", "Dee")))
    makers.grant(makers.category("reports"), group=readers)
    makers.grant(shelf, user=people["Pam"], permission=PUBLISH)
    document = makers.document(shelf, content=b"1" * SIZE)
    first = makers.edition(document)
    makers.document(shelf, content=b"2" * SIZE)
    publisher = makers.actor(people["Pam"])
    return House(people, document, first, deliveries.get_published(publisher, document.id), publisher)


def fetch(
    edition: Edition,
    *,
    by: User | None = None,
    link: ShareLink | None = None,
    state: str = "completed",
    stop: int = SIZE,
) -> int:
    """A row of the ledger; its id."""
    row = Download(
        actor_key=f"u:{by.id}" if by else f"l:{link.id if link else 0}:x:y",
        user_id=by.id if by else None,
        link_id=link.id if link else None,
        document_id=edition.document_id,
        version_id=edition.version_id,
        state=state,
        intervals=[[0, stop]],
        closed_at=makers.now(),
    )
    with transaction() as session:
        session.add(row)
        session.flush()
        return row.id


def test_everybody_it_is_for_is_there_those_without_it_first_by_name(house: House) -> None:
    fetch(house.edition, by=house.people["Ada"])
    fetch(house.first, by=house.people["Bo"])

    assert list(house.states().items()) == [
        ("Cy Reader", "none"),
        ("Dee Reader", "none"),
        ("Bo Reader", "old"),
        ("Ada Reader", "has"),
    ]
    assert deliveries.count_deliveries(house.edition) == {"all": 4, "none": 2, "old": 1, "has": 1, "former": 0}


def test_a_download_that_moves_nothing_does_not_run_in_the_list_of_people(house: House) -> None:
    silent = fetch(house.edition, by=house.people["Ada"], state="started", stop=48)
    makers.change(db.session.get_one(Download, silent), active_at=makers.now(minutes=-5))

    assert [row.download_state for row in everybody(house.edition) if row.name == "Ada Reader"] == ["interrupted"]


@pytest.mark.parametrize("name", ["Pam", "Root"])
def test_who_may_publish_there_is_listed_once_they_have_some_version_and_never_missed(house: House, name: str) -> None:
    who = house.people["Pam"] if name == "Pam" else makers.person("Root", is_admin=True)
    fetch(house.edition, by=who, state="aborted", stop=41)
    assert set(house.states()) == {"Ada Reader", "Bo Reader", "Cy Reader", "Dee Reader"}

    fetch(house.first, by=who)
    assert house.states(state="old") == {who.name: "old"}
    fetch(house.edition, by=who)
    assert house.states(state="has") == {who.name: "has"}
    assert deliveries.count_deliveries(house.edition) == {"all": 5, "none": 4, "old": 0, "has": 1, "former": 0}


def test_the_newest_whole_version_counts_whatever_was_begun_since(house: House) -> None:
    ada, bo = house.people["Ada"], house.people["Bo"]
    whole = fetch(house.edition, by=ada)
    fetch(house.first, by=ada)
    for state in STATES[2:]:
        fetch(house.edition, by=ada, state=state, stop=10)
    fetch(house.first, by=bo)
    fetch(house.edition, by=bo, state="aborted", stop=10)
    found = {row.name: row for row in everybody(house.edition)}

    assert (found["Ada Reader"].state, found["Ada Reader"].download_id) == ("has", whole)
    assert (found["Bo Reader"].state, found["Bo Reader"].number) == ("old", 1)


@pytest.mark.parametrize("state", [state for state in STATES if state != "completed"])
def test_what_was_only_begun_is_not_had_and_says_how_far_it_came(house: House, state: str) -> None:
    fetch(house.edition, by=house.people["Ada"], state="aborted", stop=10)
    last = fetch(house.edition, by=house.people["Ada"], state=state, stop=41)
    row = next(row for row in everybody(house.edition) if row.name == "Ada Reader")

    assert (row.state, row.download_id, row.download_state, row.part) == ("none", last, state, 0.41)
    assert row.at is not None


def test_who_may_not_read_it_any_more_stands_apart(house: House) -> None:
    ada, bo = house.people["Ada"], house.people["Bo"]
    fetch(house.edition, by=ada)
    fetch(house.first, by=house.people["Stranger"])
    fetch(house.edition, by=bo, state="aborted")
    disable_user(None, ada.id)
    disable_user(None, bo.id)

    assert house.states(state="former") == {"Ada Reader": "former", "Stranger": "former"}
    assert deliveries.count_deliveries(house.edition) == {"all": 2, "none": 2, "old": 0, "has": 0, "former": 2}
    assert set(house.states()) == {"Cy Reader", "Dee Reader"}


def test_nobody_misses_a_draft(house: House) -> None:
    makers.person("Root", is_admin=True)
    makers.change(house.document, published_at=None)
    fetch(house.edition, by=house.people["Pam"])

    assert house.states() == {"Pam Publisher": "has"}


def test_a_seal_and_a_grant_that_is_over_count_at_once(house: House) -> None:
    shelf = makers.category("reports/2026")
    makers.change(makers.grant(shelf, user=house.people["Stranger"]), expires_at=PAST)
    makers.grant(shelf, user=house.people["Ada"])
    makers.change(shelf, is_sealed=True)

    assert set(house.states()) == {"Ada Reader"}


def test_the_list_is_who_may_read_asked_one_by_one(house: House) -> None:
    makers.grant(makers.category("reports"), everyone=True)
    people = [*house.people.values(), makers.person("Root", is_admin=True)]
    for name in ("Pam", "Ada"):
        fetch(house.edition, by=house.people[name])
    fetch(house.first, by=people[-1])
    expected = {user.name for user in people if access.may_read(makers.actor(user), house.document.id)}

    assert set(house.states()) == expected


def test_pages_hold_everybody_once_in_the_order_of_the_list(house: House) -> None:
    fetch(house.edition, by=house.people["Ada"])
    fetch(house.first, by=house.people["Bo"])
    whole = [row.user_id for row in everybody(house.edition)]

    for limit in (1, 2, 3):
        assert [row.user_id for row in everybody(house.edition, limit)] == whole


def test_a_list_is_narrowed_to_a_state_and_to_a_name_and_so_are_its_numbers(house: House) -> None:
    fetch(house.edition, by=house.people["Ada"])
    counts = deliveries.count_deliveries(house.edition, query="READER")

    assert counts == {"all": 4, "none": 3, "old": 0, "has": 1, "former": 0}
    assert {state: len(everybody(house.edition, state=state, query="reader")) for state in deliveries.STATES} == {
        state: counts[state] for state in deliveries.STATES
    }
    assert list(house.states(query="dee.reader@")) == ["Dee Reader"]


@SQLITE_ONLY
@pytest.mark.parametrize("after", ["", "x", "1", "9-1", "0-999", "0-99999999999999"])
def test_a_page_that_is_none_is_refused_or_the_first(house: House, after: str) -> None:
    if not after:
        assert len(deliveries.list_deliveries(house.edition, after=after)[0]) == 4
        return
    with pytest.raises(BadRequest):
        deliveries.list_deliveries(house.edition, after=after)


def test_a_list_and_its_numbers_are_one_query_each_however_many_people(house: House, statements: list[str]) -> None:
    for number in range(20):
        user = makers.person(f"More {number}", is_admin=True)
        fetch(house.edition, by=user)
    makers.release()
    statements.clear()

    deliveries.list_deliveries(house.edition)
    deliveries.count_deliveries(house.edition)
    deliveries.list_by_link(house.edition)
    deliveries.count_by_link(house.edition)
    assert len(statements) == 4


def test_downloaders_are_found_by_a_part_of_name_or_address_among_those_one_may_see(house: House) -> None:
    elsewhere = makers.edition(makers.document(makers.category("elsewhere"), "other.pdf"))
    fetch(house.first, by=house.people["Bo"], state="aborted", stop=1)
    fetch(house.edition, by=house.people["Ada"])
    fetch(elsewhere, by=house.people["Cy"])
    fetch(elsewhere, by=house.people["Pam"])
    root = makers.actor(makers.person("Root", is_admin=True))

    def found(actor: Actor, query: str) -> list[str]:
        return [user.name for user in deliveries.find_downloaders(actor, query)]

    assert found(house.publisher, "READER") == ["Ada Reader", "Bo Reader"]
    assert found(house.publisher, "@example") == ["Ada Reader", "Bo Reader", "Pam Publisher"]
    assert found(root, "reader") == ["Ada Reader", "Bo Reader", "Cy Reader"]
    assert found(makers.actor(house.people["Dee"]), "reader") == []
    assert found(root, "%") == found(root, "_o") == found(root, " ") == []


def by_link(house: House, limit: int = 50) -> list[LinkDelivery]:
    rows, after = deliveries.list_by_link(house.edition, limit=limit)
    while after is not None:
        more, after = deliveries.list_by_link(house.edition, after=after, limit=limit)
        rows += more
    return rows


def test_what_went_through_links_stands_by_their_labels(house: House) -> None:
    other = makers.document(makers.category("reports"), "other.pdf")
    labels = ("Bank", "Auditor", "Waiting", "Closed", "Begun")
    links = {label: makers.link(house.document, label=label)[0] for label in labels}
    makers.link(other, label="Elsewhere")
    fetch(house.edition, link=links["Bank"])
    fetch(house.first, link=links["Bank"])
    fetch(house.first, link=links["Auditor"])
    fetch(house.edition, link=links["Begun"], state="aborted", stop=41)
    revoke_link(None, links["Closed"].id)

    found = [(row.label, row.state, row.number, row.completed, row.unfinished) for row in by_link(house)]
    assert found == [
        ("Begun", "none", 0, 0, 1),
        ("Closed", "closed", 0, 0, 0),
        ("Waiting", "none", 0, 0, 0),
        ("Auditor", "old", 1, 1, 0),
        ("Bank", "has", 2, 2, 0),
    ]
    assert by_link(house, limit=2) == by_link(house)
    assert deliveries.count_by_link(house.edition) == {"all": 5, "none": 2, "old": 1, "has": 1, "closed": 1}


@pytest.mark.parametrize(("name", "is_theirs"), [("Pam", True), ("Ada", False), ("Stranger", False)])
def test_who_got_it_is_for_who_may_publish_there(house: House, name: str, is_theirs: bool) -> None:
    who = makers.actor(house.people[name])
    if is_theirs:
        assert deliveries.get_published(who, house.document.uuid).document_id == house.document.id
        return
    makers.grant(makers.category("elsewhere"), user=house.people[name], permission=MANAGE)
    with pytest.raises(DocumentNotFound):
        deliveries.get_published(who, house.document.uuid)
    with pytest.raises(DocumentNotFound):
        deliveries.get_published(who, 4711)
