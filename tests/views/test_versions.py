"""The page of each version, the way back for an older one, and who is told of a newer one."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import select

from portal.extensions import db
from portal.models import PUBLISH, Document, Version
from portal.settings import Settings
from tests import makers
from tests.views.desk import Desk, documents, said, sentence

TAG = re.compile(r"<[^>]+>")


@dataclass
class World:
    """A document in its third version; who publishes there, who only reads it, who never saw it."""

    app: Flask
    document_id: int
    publisher: Desk
    reader: Desk
    stranger: Desk

    @property
    def path(self) -> str:
        return f"/documents/{self.document_id}"

    def version(self, number: int) -> Version:
        wanted = (Version.document_id == self.document_id, Version.number == number)
        return db.session.scalars(select(Version).where(*wanted)).one()


def words(page: str) -> str:
    """What a page says, on one line."""
    return " ".join(TAG.sub(" ", html.unescape(page)).split())


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            shelf, elsewhere = makers.category("reports"), makers.category("elsewhere")
            people = [makers.person(name) for name in ("Ada", "Bo", "Chimamanda")]
            makers.grant(shelf, user=people[0], permission=PUBLISH)
            makers.grant(shelf, user=people[1])
            for person in people:
                makers.grant(elsewhere, user=person, permission=PUBLISH)
            for content in (b"%PDF one", b"%PDF two", b"%PDF three"):
                document = makers.document(shelf, "report.pdf", content)
            world = World(app, document.id, *(Desk(app, person) for person in people))
        yield world


def test_the_page_of_an_older_version_is_of_it_and_says_what_replaced_it(world: World) -> None:
    page = world.reader.read(f"{world.path}/versions/1")

    assert "This is not the newest version." in page
    assert "Version 2 replaced it on" in words(page)
    assert "The newest is version 3." in words(page)
    assert re.search(r'href="/documents/[0-9a-f-]+/versions/1/download"', page)
    with world.app.app_context():
        assert world.version(1).sha256 in page


def test_the_page_of_the_newest_version_says_that_it_is(world: World) -> None:
    page = world.reader.read(f"{world.path}/versions/3")

    assert "This is the newest version" in page
    assert "replaced it" not in page


def test_unknown_and_forbidden_versions_are_one_page(world: World) -> None:
    unknown = world.reader.client.get("/documents/4711/versions/1")
    answers = [
        world.stranger.client.get(f"{world.path}/versions/1"),
        world.reader.client.get(f"{world.path}/versions/4"),
        world.reader.client.get(f"{world.path}/versions/01"),
        world.reader.client.get(f"{world.path}/versions/x"),
        world.stranger.client.get(f"{world.path}/current?sha256={'0' * 64}"),
        world.reader.client.get("/documents/4711/current"),
    ]
    assert {(answer.status_code, answer.data) for answer in answers} == {(404, unknown.data)}


@pytest.mark.parametrize("way", ["", "/download"])
def test_a_version_whose_bytes_are_gone_says_so_to_readers_of_the_document(world: World, way: str) -> None:
    with world.app.app_context():
        makers.change(world.version(1), blob_id=None, purged_at=makers.now())
    unknown = world.reader.client.get(f"/documents/4711/versions/1{way}")

    assert "were removed for good" in world.reader.read(f"{world.path}/versions/1{way}", 410)
    answer = world.stranger.client.get(f"{world.path}/versions/1{way}")
    assert (answer.status_code, answer.data) == (404, unknown.data)


def test_a_publisher_brings_an_older_version_back(world: World) -> None:
    path = f"{world.path}/versions/1/restore"
    assert path.split("/versions")[1] in world.publisher.read(f"{world.path}/versions/1")
    assert "becomes version 4" in world.publisher.read(path)

    answer = world.publisher.send(path, note="It was right.")

    assert said(world.publisher, answer) == "The older version is the newest now. People download it from now on."
    assert documents(world.app) == [("report.pdf", "report", 4)]
    page = words(world.publisher.read(world.path))
    assert "It was right. Brought back from version 1" in page


def test_what_was_brought_back_is_said_in_the_log(world: World) -> None:
    world.publisher.send(f"{world.path}/versions/1/restore")
    with world.app.app_context():
        root = Desk(world.app, makers.person("Root", is_admin=True))

    assert "Ada brought version 1 of report back as version 4" in words(root.read("/admin/log"))


def test_bringing_back_what_is_there_adds_nothing(world: World) -> None:
    answer = world.publisher.send(f"{world.path}/versions/3/restore")

    assert said(world.publisher, answer) == "These are the bytes the document already has. No version was added."
    assert documents(world.app) == [("report.pdf", "report", 3)]


def test_a_note_that_cannot_be_is_shown_again(world: World) -> None:
    answer = world.publisher.send(f"{world.path}/versions/1/restore", note="x" * 10_001)

    assert (answer.status_code, "x" * 10_001 in answer.text) == (422, True)
    assert "at most 10,000 characters" in sentence(answer)


def test_readers_are_not_offered_to_bring_anything_back(world: World) -> None:
    assert "/restore" not in world.reader.read(f"{world.path}/versions/1")
    assert world.reader.client.get(f"{world.path}/versions/1/restore").status_code == 403
    assert world.reader.send(f"{world.path}/versions/1/restore").status_code == 403
    assert world.stranger.send(f"{world.path}/versions/1/restore").status_code == 404


def test_the_list_of_versions_says_who_added_each_and_leads_to_its_page(world: World) -> None:
    page = world.reader.read(world.path)

    assert words(page).count("by the operator") == 3
    with world.app.app_context():
        assert f"</span><code>{world.version(1).sha256[:12]}</code>" in page
    assert re.search(r'href="/documents/[0-9a-f-]+/versions/1"', page)


def test_many_versions_are_listed_in_pages(world: World) -> None:
    with world.app.app_context():
        for number in range(4, 41):
            makers.document(makers.category("reports"), "report.pdf", f"%PDF {number}".encode())
    first = world.reader.read(world.path)
    more = re.search(r'href="([^"]+before=\d+#versions)"', first)
    assert more is not None

    page = world.reader.read(html.unescape(more[1]))
    seen = re.findall(r'/versions/(\d+)">Version', first + page)
    assert seen == [str(number) for number in range(40, 0, -1)]
    assert "Version 40, current" in first
    assert "40, current" in words(page)


def test_publishers_are_told_who_has_only_an_older_version(world: World) -> None:
    assert "older version" not in world.publisher.read(world.path)
    with world.app.app_context():
        document = db.session.get_one(Document, world.document_id)
        makers.release()
    world.reader.client.get(f"{world.path}/versions/1/download")

    page = world.publisher.read(world.path)
    assert "One person has only an older version" in page
    assert f"/documents/{document.uuid}/deliveries?state=old" in page
    assert "Bo" in world.publisher.read(f"{world.path}/deliveries?state=old")
    assert "older version" not in world.reader.read(world.path)


def test_whoever_has_an_older_version_is_told_at_home_until_they_have_the_newest(world: World) -> None:
    world.reader.client.get(f"{world.path}/versions/1/download")
    page = world.reader.read("/")
    assert "One of your documents has a newer version" in page
    assert "You have version 1" in page
    assert "version 3 is out" in page
    assert page.count('aria-label="Download report') == 1

    world.reader.client.get(f"{world.path}/download")
    assert "newer version" not in world.reader.read("/")
