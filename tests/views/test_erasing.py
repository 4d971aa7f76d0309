"""Erasing a person on the pages: what is said before, and how every list copes afterwards."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import update

from portal import accounts
from portal.catalog.recipients import Recipient, ensure_shelf
from portal.downloads import Claim
from portal.downloads.ledger import begin
from portal.extensions import transaction
from portal.models import Session
from portal.settings import Settings
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.views.desk import Desk, said, sentence


@dataclass
class World:
    """An administrator, and Bo, who downloaded a paper and is in a group."""

    app: Flask
    admin: Desk
    admin_id: int
    bo: int
    paper: str

    @property
    def path(self) -> str:
        return f"/admin/people/{self.bo}/erase"


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    with makers.running(settings) as app:
        with app.app_context():
            ada, bo = makers.person("Ada", is_admin=True, password=makers.PASSWORD), makers.person("Bo Ek")
            makers.group("Clients", bo)
            paper = makers.document(makers.category("reports"), "annual.pdf")
            makers.grant(makers.category("reports"), user=bo)
            accounts.change_user(makers.actor(ada), bo.id, name="Bo Ekberg", is_admin=False)
            claim = Claim(key=f"u:{bo.id}", user_id=bo.id, network=makers.NETWORK)
            begin(claim, makers.edition(paper), [(0, 1)], [(0, 1)])
            made = World(app, Desk(app, ada), ada.id, bo.id, str(paper.uuid))
        yield made


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.replace("<wbr>", "")).split())


@SQLITE_ONLY
def test_the_page_says_what_goes_and_what_stays_and_changes_nothing(world: World) -> None:
    page = words(world.admin.read(world.path))
    assert "Erase Bo Ekberg ?" in page
    assert f"Erased person {world.bo}" in page
    assert "The links let nobody in any more." in page
    assert "Bo Ekberg" in world.admin.read("/admin/people")


def test_after_it_every_list_shows_a_label_and_no_name(world: World) -> None:
    assert said(world.admin, world.admin.send(world.path)) == (
        "The person is erased. What they did stays, without their name."
    )
    label = f"Erased person {world.bo}"
    pages = [
        "/admin/downloads",
        f"/admin/downloads?person={world.bo}",
        "/admin/log",
        f"/admin/people/{world.bo}",
    ]
    assert [path for path in pages if label not in world.admin.read(path)] == []
    others = [
        f"/admin/log?person={world.bo}",
        "/admin/people",
        "/admin/groups/1",
        f"/documents/{world.paper}/deliveries",
        "/admin/categories/1",
    ]
    everywhere = {path: world.admin.read(path) for path in (*pages, *others)}
    assert [path for path, page in everywhere.items() if "Ekberg" in page or "bo.ek" in page] == []


@SQLITE_ONLY
def test_the_page_of_an_erased_person_offers_nothing_and_takes_nothing(world: World) -> None:
    world.admin.send(world.path)
    page = world.admin.read(f"/admin/people/{world.bo}")
    assert page.count("<form") == page.count('action="/logout"') + page.count('action="/search"')
    answer = world.admin.send(f"/admin/people/{world.bo}", name="Bo", email="bo@example.org")
    assert answer.status_code == 409
    assert sentence(answer) == "This person was erased. Nothing can be changed any more."
    assert world.admin.send(f"/admin/people/{world.bo}/enable").status_code == 409


@SQLITE_ONLY
def test_a_category_that_was_filled_for_them_has_another_name_and_its_old_address_is_none(world: World) -> None:
    with world.app.app_context():
        ensure_shelf(None, makers.category("payroll").id, Recipient(f"u:{world.bo}", "Bo Ekberg"))
    assert world.admin.client.get("/categories/payroll/Bo Ekberg").status_code == 200
    world.admin.send(world.path)
    assert world.admin.client.get("/categories/payroll/Bo Ekberg").status_code == 404
    assert "Ekberg" not in world.admin.read("/categories/payroll")
    assert world.admin.client.get(f"/categories/payroll/Erased person {world.bo}").status_code == 200


@SQLITE_ONLY
def test_nobody_erases_themself(world: World) -> None:
    answer = world.admin.send(f"/admin/people/{world.admin_id}/erase")
    assert answer.status_code == 409
    assert sentence(answer) == "This is your own account. Somebody else has to erase it."
    assert "Erase for good" not in world.admin.read(f"/admin/people/{world.admin_id}")


@SQLITE_ONLY
@pytest.mark.parametrize(("method", "said"), [("GET", ""), ("POST", "%3Fdone%3Dproved")])
def test_it_asks_for_a_fresh_sign_in(world: World, method: str, said: str) -> None:
    token = world.admin.token()
    with world.app.app_context(), transaction() as session:
        session.execute(update(Session).values(fresh_at=makers.now(minutes=-11)))
    answer = world.admin.client.open(world.path, method=method, data={"csrf_token": token})
    assert (answer.status_code, answer.location) == (303, f"/account/confirm?next={world.path}{said}")
    with world.app.app_context():
        assert accounts.get_user(world.bo).erased_at is None
