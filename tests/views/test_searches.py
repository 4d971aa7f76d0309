"""Saved searches over HTTP: kept, opened, changed and forgotten by their owner, and told of on the home page."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from flask import Flask

from portal import accounts
from portal.catalog import saved
from portal.models import SavedSearch
from portal.settings import Settings
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.views.desk import Desk, said, sentence

pytestmark = SQLITE_ONLY


@dataclass
class House:
    """Ada at her desk, who may read ``reports``."""

    app: Flask
    ada: int
    desk: Desk

    def publish(self, filename: str) -> None:
        with self.app.app_context():
            makers.document(makers.category("reports"), filename, filename.encode())

    def saved(self) -> list[SavedSearch]:
        with self.app.app_context():
            return saved.list_searches(makers.actor(accounts.get_user(self.ada)))

    def save(self, query: str, *, days: float = 0) -> int:
        """A search she saved, and looked at so many days ago."""
        with self.app.app_context():
            made = saved.add_search(makers.actor(accounts.get_user(self.ada)), "", query)
            makers.change(made, looked_at=makers.now(days=-days))
            return made.id

    def words(self, path: str) -> str:
        main = self.desk.read(path).partition("<main")[2]
        return " ".join(re.sub(r"<[^>]+>", " ", main.replace("<wbr>", "")).split())


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    with makers.running(settings) as app:
        with app.app_context():
            ada = makers.person("Ada")
            makers.grant(makers.category("reports"), user=ada)
            made = House(app, ada.id, Desk(app, ada))
        yield made


def test_a_search_is_saved_from_its_page_and_known_there(house: House) -> None:
    house.publish("invoice.pdf")
    assert "Save this search" in house.words("/search?q=invoice")
    answer = house.desk.send("/account/searches", q="invoice", name="Money", wants_notice="1")

    assert said(house.desk, answer).startswith("The search is saved.")
    assert "You saved this search as “ Money ”." in house.words("/search?q=invoice")
    assert [(one.name, one.query, one.wants_notice) for one in house.saved()] == [("Money", "invoice", True)]


@pytest.mark.parametrize("mail_url", ["console:", "smtp://127.0.0.1:1"])
def test_a_mail_of_the_day_is_offered_only_where_one_is_sent(settings: Settings, mail_url: str) -> None:
    with makers.running(replace(settings, mail_url=mail_url)) as app:
        with app.app_context():
            ada = makers.person("Ada", is_admin=True)
            makers.document(makers.category("reports"), "invoice.pdf", b"invoice")
            made = saved.add_search(makers.actor(ada), "Reports", "report", wants_notice=True).id
            desk = Desk(app, ada)
        for path in ("/search?q=invoice", "/account/searches", f"/account/searches/{made}/edit"):
            assert ("the mail of the day" in desk.read(path)) == mail_url.startswith("smtp"), path


def test_a_search_that_wants_a_mail_still_does_after_a_change_where_none_is_sent(house: House) -> None:
    house.publish("invoice.pdf")
    house.desk.send("/account/searches", q="invoice", name="Money", wants_notice="1")
    page = house.desk.read(f"/account/searches/{house.saved()[0].id}/edit")

    assert '<input type="hidden" name="wants_notice" value="1">' in page


@pytest.mark.parametrize("query", ["", " ", "*", "a" * 2000, "\x01"], ids=range(5))
def test_what_cannot_be_saved_is_refused_with_a_sentence(house: House, query: str) -> None:
    answer = house.desk.send("/account/searches", q=query, name="")

    assert answer.status_code == 422
    assert sentence(answer)
    assert house.saved() == []


def test_the_same_search_twice_is_refused_with_its_name(house: House) -> None:
    house.save("invoice")
    answer = house.desk.send("/account/searches", q="invoice", name="Money")

    assert answer.status_code == 409
    assert sentence(answer) == "You saved this search already, as “invoice”."


def test_the_home_page_tells_what_is_new_in_searches_until_they_are_opened(house: House) -> None:
    mine = house.save("invoice", days=5)
    assert "New in your searches" not in house.words("/")
    for number in range(10):
        house.publish(f"invoice-{number}.pdf")
    assert "New in your searches Your searches invoice 9+ new" in house.words("/")
    assert "invoice 9+ new" in house.words("/account/searches")

    answer = house.desk.client.get(f"/account/searches/{mine}")

    assert (answer.status_code, answer.location) == (303, "/search?q=invoice")
    assert "New in your searches" not in house.words("/")


def test_a_search_is_renamed_and_forgotten(house: House) -> None:
    mine = house.save("invoice")
    answer = house.desk.send(f"/account/searches/{mine}/edit", name="Money", wants_notice="1")
    assert said(house.desk, answer) == "The search is changed."
    assert [(one.name, one.wants_notice) for one in house.saved()] == [("Money", True)]

    refused = house.desk.send(f"/account/searches/{mine}/edit", name=" ")
    assert refused.status_code == 422
    assert said(house.desk, house.desk.send(f"/account/searches/{mine}/remove")) == "The search is removed."
    assert house.saved() == []


def test_whoever_sees_as_its_owner_does_leaves_it_as_it_was(house: House) -> None:
    mine = house.save("invoice", days=5)
    house.publish("invoice.pdf")
    before = house.saved()[0].looked_at
    with house.app.app_context():
        root = Desk(house.app, makers.person("Root", is_admin=True))
    assert root.send(f"/admin/people/{house.ada}/view").status_code == 303

    assert root.client.get(f"/account/searches/{mine}").status_code == 303
    assert "invoice" in root.read("/account/searches")
    assert house.saved()[0].looked_at == before
    assert root.client.get(f"/account/searches/{mine}/edit").status_code == 403
