"""Share links as a list with tallies, their terms, and their end."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask

from portal.extensions import db
from portal.models import PUBLISH, Document, ShareLink
from portal.settings import Settings
from tests import makers
from tests.views.desk import TOKEN, Desk, said, sentence


@dataclass
class World:
    """A document of Pam's with a link of hers."""

    app: Flask
    publisher: Desk
    document_id: int
    link_id: int
    token: str

    @property
    def path(self) -> str:
        return f"/admin/links/{self.link_id}"

    def link(self) -> ShareLink:
        """The link as it stands now."""
        with self.app.app_context():
            return db.session.get_one(ShareLink, self.link_id)


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            pam = makers.person("Pam")
            makers.grant(makers.category("reports"), user=pam, permission=PUBLISH)
            document = makers.document(makers.category("reports"), "annual.pdf")
            link, token = makers.link(document, by=pam, label="Ernst & Jung", max_downloads=3, used=1)
            made = World(app, Desk(app, pam), document.id, link.id, token)
        yield made


def text(page: str) -> str:
    """The words of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.replace("<wbr>", "")).split())


def test_a_link_is_listed_with_what_became_of_it(world: World) -> None:
    page = text(world.publisher.read("/admin/links"))

    assert f"Ernst & Jung annual {world.token[:6]}… · made by Pam 1 of 3 Never opened never" in page
    assert world.token not in page


def test_who_pressed_the_button_has_opened_the_link_whatever_their_program_is_called(world: World) -> None:
    guest = world.app.test_client()
    page = guest.get(f"/s/{world.token}", headers={"Accept": "text/html", "User-Agent": "Slackbot"})
    assert "Never opened" in text(world.publisher.read("/admin/links"))

    fields = {"csrf_token": TOKEN.findall(page.text)[0]}
    assert guest.post(f"/s/{world.token}/download", data=fields, headers={"User-Agent": "Slackbot"}).status_code == 303

    listed = text(world.publisher.read("/admin/links"))
    assert "2 of 3 Today" in listed
    assert "Never opened" not in listed


def test_the_number_of_an_open_link_is_that_of_the_rows_behind_it(world: World) -> None:
    with world.app.app_context():
        link, token = makers.link(db.session.get_one(Document, world.document_id), label="Open to all")
    program = world.app.test_client()
    for agent in ("curl/8", "curl/9"):
        assert program.get(f"/s/{token}", headers={"User-Agent": agent}).data.startswith(b"%PDF")

    listed = text(world.publisher.read("/admin/links"))
    assert re.search(r"Open to all .*? made by the operator 2 by programs only", listed)
    assert "2 all" in text(world.publisher.read(f"/admin/downloads?link={link.id}"))
    assert "Open to all" not in world.publisher.read("/admin/links?state=unused")


def test_the_tally_narrows_the_list_and_its_numbers_are_those_of_the_rows(world: World) -> None:
    with world.app.app_context():
        document = db.session.get_one(Document, world.document_id)
        makers.link(document, label="Soon", expires_at=makers.now(days=2))
        makers.link(document, label="Gone", expires_at=makers.now(days=-2))
        makers.link(document, label="Revoked", revoked_at=makers.now())
    page = world.publisher.read("/admin/links")
    tally = re.findall(r'<a href="([^"]+)"[^>]*><b>(\d+)</b>([^<]+)</a>', page)

    assert [(count, words) for _, count, words in tally] == [
        ("4", "all"),
        ("2", "live"),
        ("1", "expire soon"),
        ("1", "never used"),
        ("2", "closed"),
    ]
    for href, count, _ in tally:
        assert len(re.findall('scope="row"', world.publisher.read(href))) == int(count), href
    assert "4 shown" in world.publisher.read("/admin/links?state=nonsense")


def test_links_go_on_where_a_page_ends(world: World) -> None:
    with world.app.app_context():
        document = db.session.get_one(Document, world.document_id)
        for number in range(52):
            makers.link(document, label=f"Label {number:02}")
    for path in ("/admin/links", f"/documents/{world.document_id}/links"):
        first = world.publisher.read(path)
        more = re.search(r'href="([^"]*/links\?after=\d+)"', first)
        assert more is not None, path
        labels = re.findall(r"Label \d\d", first + world.publisher.read(more[1]))
        assert sorted(set(labels)) == [f"Label {number:02}" for number in range(52)]


def test_the_terms_change_and_nothing_else(world: World) -> None:
    before = world.link()
    answer = world.publisher.send(
        world.path, label="Bank", max_downloads="5", password="a good secret", used="0", document_id="9", token_hash="x"
    )

    assert said(world.publisher, answer) == "The link is changed. Its address is the same."
    after = world.link()
    assert (after.label, after.max_downloads, after.message) == ("Bank", 5, "")
    assert (after.used, after.document_id, after.token_hash) == (1, before.document_id, before.token_hash)
    assert after.password_hash is not None
    world.publisher.send(world.path, label="Bank", max_downloads="5")
    assert world.link().password_hash == after.password_hash
    world.publisher.send(world.path, label="Bank", drop_password="1")
    assert world.link().password_hash is None
    assert world.link().max_downloads is None


def test_an_expired_link_may_be_relabelled_and_extended(world: World) -> None:
    with world.app.app_context():
        over = makers.now(days=-1).replace(second=17)
        makers.change(db.session.get_one(ShareLink, world.link_id), expires_at=over)
    field = over.strftime("%Y-%m-%dT%H:%M")

    assert world.publisher.send(world.path, label="Bank", expires_at=field).status_code == 303
    assert world.link().expires_at == over
    past = world.publisher.send(world.path, label="Bank", expires_at="2001-01-01T00:00")
    assert (past.status_code, sentence(past)) == (422, "A link must expire in the future.")
    world.publisher.send(world.path, label="Bank", expires_at="2100-01-01T00:00")
    assert "Live" in world.publisher.read(world.path)


@pytest.mark.parametrize(
    "fields", [{"max_downloads": "0"}, {"password": "short"}, {"label": "x" * 201}, {"expires_at": "x" * 30_000}]
)
def test_terms_that_cannot_be_change_nothing(world: World, fields: dict[str, str]) -> None:
    answer = world.publisher.send(world.path, {"label": "Typed"} | fields)

    assert answer.status_code == 422
    assert sentence(answer)
    assert world.link().label == "Ernst & Jung"


def test_the_form_says_that_nobody_reads_words_behind_a_password(world: World) -> None:
    page = world.publisher.read(f"/documents/{world.document_id}/links")

    assert "With a password nobody reads them" in page
    assert "The page of the link begins with it, unless there is a password." in page


def test_a_link_is_revoked_after_saying_what_that_means(world: World) -> None:
    assert "Revoke the link for Ernst & Jung ?" in text(world.publisher.read(f"{world.path}/revoke"))
    assert world.link().revoked_at is None

    answer = world.publisher.send(f"{world.path}/revoke")

    assert said(world.publisher, answer) == "The link is revoked. It lets nobody in any more."
    assert world.app.test_client().get(f"/s/{world.token}").status_code == 410
    again = world.publisher.send(world.path, label="Bank")
    assert (again.status_code, sentence(again)) == (409, "This link was revoked for good. Make a new one.")


def test_a_link_to_what_is_in_the_trash_says_so(world: World) -> None:
    world.publisher.send(f"/documents/{world.document_id}/trash")

    assert "which is in the trash" in world.publisher.read(world.path)


@pytest.mark.parametrize("page", ["/admin/links", "/documents/{document}/links"])
def test_a_link_is_revoked_from_a_list_by_way_of_the_page_that_asks(world: World, page: str) -> None:
    path = page.format(document=world.document_id)
    found = re.search(r'<a class="button quiet" href="(/admin/links/\d+/revoke)"', world.publisher.read(path))
    assert found is not None
    assert "Revoke the link" in world.publisher.read(found[1])
    world.publisher.send(found[1])

    assert found[1] not in world.publisher.read(path)
