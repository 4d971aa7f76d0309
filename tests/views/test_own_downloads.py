"""My downloads: everybody's own and nobody else's, without a word about what came after."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask

from portal.catalog import change_document
from portal.extensions import db, transaction
from portal.models import PUBLISH, Document, Download, User
from portal.settings import Settings
from tests import makers
from tests.views.desk import Desk


@dataclass
class World:
    """Bo and Pam, who publishes, each with downloads of what both may read."""

    app: Flask
    desks: dict[str, Desk]
    ids: dict[str, int]
    document_id: int

    def person(self, name: str) -> User:
        """One of them, in the context that is open."""
        return db.session.get_one(User, self.ids[name])

    def document(self) -> Document:
        """The document, in the context that is open."""
        return db.session.get_one(Document, self.document_id)

    def rename(self) -> None:
        """Give the document another title and filename than it was downloaded by."""
        document = self.document()
        change_document(
            None,
            document.id,
            title="Losses",
            filename="losses.pdf",
            description="",
            published_at=document.published_at,
            expires_at=None,
        )


def fetch(by: User, document: Document, state: str = "completed") -> None:
    """A row of the ledger."""
    with transaction() as session:
        session.add(
            Download(
                actor_key=f"u:{by.id}",
                user_id=by.id,
                document_id=document.id,
                version_id=document.current_version_id,
                state=state,
                intervals=[[0, 41]],
                closed_at=makers.now(),
            )
        )


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            people = {name: makers.person(name) for name in ("Bo", "Pam")}
            people["Ada"] = makers.person("Ada", is_admin=True)
            shelf = makers.category("reports")
            makers.grant(shelf, user=people["Bo"])
            makers.grant(shelf, user=people["Pam"], permission=PUBLISH)
            document = makers.document(shelf, "annual.pdf", b"a" * 100)
            fetch(people["Bo"], document)
            fetch(people["Bo"], document, "aborted")
            fetch(people["Pam"], makers.document(shelf, "other.pdf", b"b"))
            desks = {name: Desk(app, user) for name, user in people.items()}
            made = World(app, desks, {name: user.id for name, user in people.items()}, document.id)
        yield made


def rows(page: str) -> list[str]:
    body = re.search(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    found = re.findall(r"<tr>(.*?)</tr>", body[1], re.DOTALL) if body else []
    return [" ".join(re.sub(r"<[^>]+>", " ", row.replace("<wbr>", "")).split()) for row in found]


def test_the_newest_is_first_with_version_state_and_day(world: World) -> None:
    found = rows(world.desks["Bo"].read("/account/downloads"))

    assert [row.split(" Today")[0].replace("\xa0", " ") for row in found] == [
        "annual Version 1, 100 bytes Stopped at 41 %",
        "annual Version 1, 100 bytes Downloaded",
    ]


def test_nobody_sees_what_others_downloaded_whatever_they_may_publish(world: World) -> None:
    assert [row.split()[0] for row in rows(world.desks["Pam"].read("/account/downloads"))] == ["other"]
    assert "You have not downloaded anything yet" in world.desks["Ada"].read("/account/downloads")
    page = world.desks["Pam"].read(f"/account/downloads?person={world.ids['Bo']}&document={world.document_id}")
    assert [row.split()[0] for row in rows(page)] == ["other"]


@pytest.mark.parametrize("how", ["revoked", "trashed_at", "expires_at", "published_at"])
def test_what_may_not_be_read_any_more_goes_by_the_name_it_came_with(world: World, how: str) -> None:
    with world.app.app_context():
        world.rename()
        if how == "revoked":
            given = makers.grant(makers.category("reports"), user=world.person("Bo"))
            makers.change(given, expires_at=makers.now(hours=-1))
        else:
            makers.change(world.document(), **{how: makers.now(hours=1 if how == "published_at" else -1)})
    page = world.desks["Bo"].read("/account/downloads")

    assert "annual.pdf" in page
    assert "Losses" not in page
    assert "losses" not in page
    assert f"/documents/{world.document_id}" not in page
    assert "not published for you any more" in page


def test_what_may_be_read_is_a_link_with_its_title_of_today(world: World) -> None:
    with world.app.app_context():
        world.rename()
    page = world.desks["Bo"].read("/account/downloads")

    assert re.search(rf'href="/documents/{world.document_id}"[^>]*>Losses</a>', page)


def test_a_long_list_goes_on_none_twice_none_missing(world: World) -> None:
    with world.app.app_context():
        for _ in range(60):
            fetch(world.person("Pam"), world.document())
    first = world.desks["Pam"].read("/account/downloads")
    more = re.search(r'href="(/account/downloads\?after=\d+)"', first)
    assert more is not None

    assert len(rows(first)) == 50
    assert len(rows(world.desks["Pam"].read(more[1]))) == 11
    assert "That is all." in world.desks["Pam"].read("/account/downloads?after=1")


def test_the_menu_and_the_account_lead_there(world: World) -> None:
    assert world.desks["Bo"].read("/account").count('href="/account/downloads"') == 2
    assert 'href="/account/downloads"' in world.desks["Bo"].read("/")
