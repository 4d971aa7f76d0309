"""Why somebody may see something, in words: every grant on the way to the root, and what keeps one from counting."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask

from portal import accounts
from portal.catalog import trash_document
from portal.extensions import db
from portal.models import MANAGE, PUBLISH, Document
from portal.settings import Settings
from tests import makers
from tests.views.desk import Desk


@dataclass
class World:
    """An administrator, a manager and a publisher of one category, a reader by a group, and a document."""

    app: Flask
    admin: Desk
    manager: Desk
    publisher: Desk
    reader: Desk
    bo: int
    paper: Document
    path: str

    def ask(self, person: int | None = None, desk: Desk | None = None, **more: object) -> str:
        """The words of the page about the document."""
        query = "".join(f"&{name}={value}" for name, value in {"person": person, **more}.items() if value is not None)
        return words((desk or self.admin).read(self.path + query))


def words(page: str) -> str:
    main = page[page.index("<main") :].replace("<wbr>", "")
    return " ".join(re.sub(r"<[^>]+>", " ", main).split())


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            ada, mia, pam, bo = (makers.person(name, is_admin=name == "Ada") for name in ("Ada", "Mia", "Pam", "Bo"))
            shelf = makers.category("reports/2026/feb")
            paper = makers.document(shelf, "annual.pdf")
            makers.grant(makers.category("reports"), group=makers.group("Clients", bo), expires_at=makers.now(days=300))
            makers.grant(makers.category("reports"), user=mia, permission=MANAGE)
            makers.grant(makers.category("reports"), user=pam, permission=PUBLISH)
            admin, manager, publisher, reader = (Desk(app, user) for user in (ada, mia, pam, bo))
            path = f"/admin/why?document={paper.uuid}"
            made = World(app, admin, manager, publisher, reader, bo.id, paper, path)
        yield made


def test_each_step_to_the_root_says_what_was_given_there(world: World) -> None:
    page = world.ask(world.bo)

    assert "annual Bo , bo@example.org" in page
    assert "Bo may read it. Where the document is: reports/2026/feb Nothing was given here" in page
    assert re.search(r"Above it: reports Permission .* May read in the group Clients \d+ \w+( \d+)? Counts", page)
    assert page.index("Where the document is: reports/2026/feb") < page.index("Above it: reports/2026 Nothing")


def test_a_seal_on_the_way_says_what_it_ends(world: World) -> None:
    with world.app.app_context():
        makers.category("reports/2026", is_sealed=True)
    page = world.ask(world.bo)

    assert "Bo sees nothing of it: nothing that was given to them, to a group of theirs or" in page
    assert "Sealed: what is given further up counts for nothing here and below." in page
    assert "Does not count: a seal below ends it" in page


def test_a_permission_that_is_over_does_not_count(world: World) -> None:
    with world.app.app_context():
        given = makers.grant(makers.category("reports/2026"), everyone=True)
        makers.change(given, expires_at=makers.now(days=-1))
    page = world.ask(world.bo)

    assert re.search(r"everyone signed in (Yesterday|\d+)\S*,? \S* ?Does not count: it is over", page)
    assert "Bo may read it." in page


def test_a_disabled_account_a_draft_and_the_trash_are_reasons_too(world: World) -> None:
    with world.app.app_context():
        makers.change(db.session.get_one(Document, world.paper.id), published_at=None)
    assert "Bo may read here, but sees nothing of this document: it is a draft, and only publishers" in world.ask(
        world.bo
    )
    with world.app.app_context():
        accounts.disable_user(None, world.bo)
    assert "Bo sees nothing: the account is disabled." in world.ask(world.bo)
    with world.app.app_context():
        trash_document(None, world.paper.id)
    assert "Nobody sees it: it is in the trash." in world.ask(world.bo)
    assert "It is in the trash." in world.ask()


def test_an_administrator_needs_nothing_given(world: World) -> None:
    with world.app.app_context():
        ada = accounts.find_user("ada@example.org")
        assert ada is not None
    assert "Ada may do all with it: administrators need no permission." in world.ask(ada.id)


def test_a_category_is_asked_about_in_the_same_way(world: World) -> None:
    with world.app.app_context():
        shelf = makers.category("reports/2026")
    page = words(world.admin.read(f"/admin/why?category={shelf.id}&person={world.bo}"))

    assert "reports / 2026 Bo , bo@example.org" in page
    assert "Bo may read it. reports/2026 Nothing was given here" in page


def test_who_may_see_it_is_listed_and_searched(world: World) -> None:
    with world.app.app_context():
        makers.person("Nobody Else")
    assert re.findall(r"(\w+) \w+@example.org", world.ask()) == ["Ada", "Bo", "Mia", "Pam"]
    assert "annual Nobody Else , " in world.ask(q="nobody")
    assert "Nobody is like that" in world.ask(q="xyz")


def test_a_publisher_is_told_of_nobody_but_who_may_see_it_or_whose_address_they_know(world: World) -> None:
    with world.app.app_context():
        other = makers.person("Nobody Else")
    for desk in (world.publisher, world.manager):
        desk.read(f"{world.path}&person={other.id}", 404)
        desk.read(f"{world.path}&person=999", 404)
        assert "Nobody is like that" in world.ask(desk=desk, q="nobody")
        assert "annual Nobody Else , " in world.ask(desk=desk, q=other.email)
        assert "annual Bo , " in world.ask(world.bo, desk)


def test_only_who_manages_there_reads_the_names_of_groups(world: World) -> None:
    assert "in the group Clients" in world.ask(world.bo, world.manager)
    page = world.ask(world.bo, world.publisher)
    assert "Clients" not in page
    assert "May read in a group" in page


@pytest.mark.parametrize("query", ["", "?document=x", "?document=99", "?category=0", "?category=99", "?person=1"])
def test_what_is_not_there_is_not_found(world: World, query: str) -> None:
    world.admin.read("/admin/why" + query, 404)


def test_who_only_reads_it_is_told_nothing(world: World) -> None:
    world.reader.read(world.path, 404)
    world.reader.read(f"{world.path}&person={world.bo}", 404)


def test_the_pages_of_person_document_and_category_lead_there(world: World) -> None:
    with world.app.app_context():
        shelf = makers.category("reports/2026/feb")
    assert f'href="{world.path}"' in world.publisher.read(f"/documents/{world.paper.uuid}")
    assert f'href="/admin/why?category={shelf.id}"' in world.manager.read(f"/admin/categories/{shelf.id}")
    seen = world.admin.read(f"/admin/people/{world.bo}/categories")
    assert f'href="/admin/why?person={world.bo}&category={shelf.id}"' in seen
    assert f'href="/admin/people/{world.bo}/categories"' in world.admin.read(f"/admin/people/{world.bo}")


def test_the_categories_of_a_person_say_where_each_permission_comes_from(world: World) -> None:
    with world.app.app_context():
        makers.category("reports/2026", is_sealed=True)
        makers.grant(makers.category("reports/2026/feb"), user=accounts.get_user(world.bo), permission=PUBLISH)
        makers.category("reports/board/minutes", is_sealed=True)
        makers.category("reports/board", is_sealed=True)
    page = words(world.admin.read(f"/admin/people/{world.bo}/categories"))
    person = words(world.admin.read(f"/admin/people/{world.bo}"))

    assert re.findall(r"(reports\S*) May (\w+) ([\w ]+?) (?:,|–|\d)", page) == [
        ("reports", "read", "Clients"),
        ("reports/2026/feb", "publish", "own permission"),
    ]
    assert "reports not in reports/2026 , reports/board : sealed May read Clients" in person
