"""The page that says who got a document, and who has not."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask

from portal.extensions import db, transaction
from portal.models import PUBLISH, Document, Download, User
from portal.settings import Settings
from tests import makers
from tests.views.desk import Desk


@dataclass
class World:
    """A document in its second version: Ada has it, Bo has the first one, Cy has nothing; Pam publishes it."""

    app: Flask
    desks: dict[str, Desk]
    ids: dict[str, int]
    document_id: int
    path: str

    def person(self, name: str) -> User:
        """One of them, in the context that is open."""
        return db.session.get_one(User, self.ids[name])

    def document(self) -> Document:
        """The document, in the context that is open."""
        return db.session.get_one(Document, self.document_id)


def fetch(document: Document, version_id: int, *, by: User | None = None, link_id: int | None = None) -> None:
    """A download of all of it."""
    key = f"u:{by.id}" if by else f"l:{link_id}"
    with transaction() as session:
        session.add(
            Download(
                actor_key=key,
                user_id=by.id if by else None,
                link_id=link_id,
                document_id=document.id,
                version_id=version_id,
                state="completed",
                intervals=[[0, 1]],
                closed_at=makers.now(),
            )
        )


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            people = {name: makers.person(name) for name in ("Ada", "Bo", "Cy", "Pam", "Lou")}
            shelf = makers.category("reports")
            makers.grant(shelf, group=makers.group("Readers", *(people[name] for name in ("Ada", "Bo", "Cy"))))
            makers.grant(shelf, user=people["Pam"], permission=PUBLISH)
            makers.grant(makers.category("elsewhere"), user=people["Lou"], permission=PUBLISH)
            document = makers.document(shelf, "annual.pdf", b"1")
            first = makers.edition(document).version_id
            document = makers.document(shelf, "annual.pdf", b"2")
            second = makers.edition(document).version_id
            bank, _ = makers.link(document, label="The bank")
            makers.link(document, label="The auditor")
            fetch(document, second, by=people["Ada"])
            fetch(document, first, by=people["Bo"])
            fetch(document, second, link_id=bank.id)
            path = f"/documents/{document.uuid}/deliveries"
            desks = {name: Desk(app, user) for name, user in people.items()}
            made = World(app, desks, {name: user.id for name, user in people.items()}, document.id, path)
        yield made


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.replace("<wbr>", "")).replace("\xa0", " ").split())


def tables(page: str) -> list[list[str]]:
    """The rows of each table as words."""
    bodies = re.findall(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    return [[words(row) for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)] for body in bodies]


def test_it_says_who_has_it_who_has_an_older_one_and_who_has_not(world: World) -> None:
    page = world.desks["Pam"].read(world.path)
    people, links = tables(page)

    assert "Two of three people do not have version 2 yet." in words(page)
    assert [" ".join(row.split()[:1]) for row in people] == ["Cy", "Bo", "Ada"]
    assert ["Nothing yet" in row for row in people] == [True, False, False]
    assert "Version 1 only" in people[1]
    assert "Downloaded" in people[2]
    assert "Nothing yet" in links[0]
    assert "Downloaded 1 whole" in links[1]
    assert "By one of two links somebody got version 2." in words(page)


def test_each_number_leads_to_as_many_rows(world: World) -> None:
    page = world.desks["Pam"].read(world.path)
    tally = re.findall(r'<a href="([^"]+)"[^>]*><b>([\d,]+)</b>([^<]+)</a>', page)

    assert [(count, said) for _, count, said in tally] == [
        ("3", "people it is for"),
        ("1", "has version 2"),
        ("1", "has only an older one"),
        ("1", "has no version yet"),
    ]
    for href, count, _ in tally:
        assert len(tables(world.desks["Pam"].read(href))[0]) == int(count), href


def test_the_list_is_narrowed_by_name_and_says_so(world: World) -> None:
    page = world.desks["Pam"].read(f"{world.path}?q=ADA@")

    assert [row.split()[0] for row in tables(page)[0]] == ["Ada"]
    assert "“ ADA@ ”" in words(page)
    assert "Nobody is like that" in world.desks["Pam"].read(f"{world.path}?q=nobody")


def test_who_got_it_and_may_not_read_it_now_is_told_apart(world: World) -> None:
    with world.app.app_context():
        makers.change(world.person("Ada"), disabled_at=makers.now())
    page = world.desks["Pam"].read(f"{world.path}?state=former")

    assert "got it, may not read it now" in page
    assert [row.split()[0] for row in tables(page)[0]] == ["Ada"]


def test_when_everybody_has_it_the_page_says_that(world: World) -> None:
    with world.app.app_context():
        version = makers.edition(world.document()).version_id
        for name in ("Bo", "Cy"):
            fetch(world.document(), version, by=world.person(name))

    page = words(world.desks["Pam"].read(world.path))
    assert "Everybody has version 2." in page
    assert "3 have version 2" in page


def test_when_nobody_has_it_the_page_says_that(world: World) -> None:
    with world.app.app_context():
        shelf = makers.category("reports")
        path = f"/documents/{makers.document(shelf, 'fresh.pdf').uuid}/deliveries"
    page = words(world.desks["Pam"].read(path))

    assert "Nobody has it yet." in page
    assert "3 do not have it yet" in page


@pytest.mark.parametrize(
    ("sought", "said"),
    [
        ("ada@", "Everybody whose name or email has “ ada@ ” in it has version 2."),
        ("cy@", "Nobody whose name or email has “ cy@ ” in it has version 2 yet."),
        ("example", "Two of three people whose name or email has “ example ” in it do not have version 2 yet."),
        ("zed", "It is for nobody whose name or email has “ zed ” in it."),
    ],
)
def test_what_is_said_of_those_looked_for_is_a_sentence_too(world: World, sought: str, said: str) -> None:
    assert said in words(world.desks["Pam"].read(f"{world.path}?q={sought}"))


def test_a_draft_that_only_publishers_may_read_is_missed_by_nobody(world: World) -> None:
    with world.app.app_context():
        makers.change(world.document(), published_at=None)
    page = words(world.desks["Pam"].read(world.path))

    assert "Everybody has version 2." not in page
    assert "Nobody may read it but those who publish it" in page


def test_a_list_of_many_goes_on_where_a_page_ends(world: World) -> None:
    with world.app.app_context():
        shelf = makers.category("reports")
        for number in range(60):
            makers.grant(shelf, user=makers.person(f"Zed n{number:02}"))
    first = world.desks["Pam"].read(f"{world.path}?state=none")
    more = re.search(r'href="([^"]*after=[^"]*)"', first)
    assert more is not None

    seen = re.findall(r">Zed (n\d\d)<", first + world.desks["Pam"].read(html.unescape(more[1])))
    assert seen == [f"n{number:02}" for number in range(60)]


@pytest.mark.parametrize("query", ["after=x", "after=0-999", "after=9-1"])
def test_a_page_of_the_list_that_is_none_is_refused_with_a_sentence(world: World, query: str) -> None:
    assert "This page of the list does not exist." in world.desks["Pam"].read(f"{world.path}?{query}", 400)


def test_who_may_not_publish_it_finds_nothing_there_like_where_nothing_is(world: World) -> None:
    unknown = world.desks["Pam"].client.get("/documents/999999/deliveries")
    with world.app.app_context():
        makers.grant(makers.category("reports"), user=world.person("Lou"))

    for who, path in (("Ada", world.path), ("Lou", world.path), ("Pam", "/documents/x/deliveries")):
        answer = world.desks[who].client.get(path)
        assert (answer.status_code, answer.data) == (404, unknown.data), who


def test_its_links_are_counted_by_label_on_pages_of_their_own(world: World) -> None:
    with world.app.app_context():
        for number in range(55):
            makers.link(world.document(), label=f"Label n{number:02}")
    first = world.desks["Pam"].read(world.path)
    more = re.search(r'href="([^"]*links=\d+#links)"', first)
    assert more is not None

    seen = re.findall(r">Label (n\d\d)<", first + world.desks["Pam"].read(more[1]))
    assert seen == [f"n{number:02}" for number in reversed(range(55))]
