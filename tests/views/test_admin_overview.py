"""The overview, what is not out, the words after something was done, and the side of the pages of the house."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask, url_for

from portal.models import MANAGE, PUBLISH
from portal.settings import Settings
from portal.views import notices
from tests import makers
from tests.views.desk import Desk

LINES = {
    "Overview": "/admin/",
    "Upload": "/admin/upload",
    "Not out": "/admin/documents",
    "Categories": "/admin/categories",
    "Many at once": "/admin/bulk",
    "Trash": "/admin/trash",
    "Distributions": "/admin/distributions",
    "Links": "/admin/links",
    "File requests": "/admin/requests",
    "Downloads": "/admin/downloads",
    "People": "/admin/people",
    "Groups": "/admin/groups",
    "Log": "/admin/log",
    "Mail": "/admin/mail",
    "Storage": "/admin/storage",
}


@dataclass
class World:
    """An administrator, a manager and a publisher of one category."""

    app: Flask
    admin: Desk
    manager: Desk
    publisher: Desk


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            ada, mia, pam = makers.person("Ada", is_admin=True), makers.person("Mia"), makers.person("Pam")
            makers.grant(makers.category("reports"), user=mia, permission=MANAGE)
            makers.grant(makers.category("reports"), user=pam, permission=PUBLISH)
            made = World(app, Desk(app, ada), Desk(app, mia), Desk(app, pam))
        yield made


def side(page: str) -> dict[str, str]:
    """The lines at the side of a page: words to address."""
    tree = page[page.index('<div class="side">') : page.index('<main id="main">')]
    found = re.findall(r'<li><a href="([^"]+)"[^>]*><span dir="auto">([^<]+)</span>', tree)
    return {words: href for href, words in found if words != "Home"}


def text(page: str) -> str:
    """The words of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.replace("<wbr>", "")).split())


def test_the_side_shows_what_the_person_may_open_and_nothing_else(world: World) -> None:
    of_administrators = ("People", "Groups", "Log", "Mail", "Storage")
    for_managers = {words: href for words, href in LINES.items() if words not in of_administrators}
    for_publishers = {
        words: href for words, href in for_managers.items() if words not in ("Categories", "Distributions")
    }

    for desk, lines in ((world.admin, LINES), (world.manager, for_managers), (world.publisher, for_publishers)):
        assert side(desk.read("/admin/")) == lines
        for words, href in lines.items():
            page = desk.read(href)
            current = re.findall(r'aria-current="page"><span dir="auto">([^<]+)</span>', page)
            assert set(current) == {words}


def test_an_address_without_its_last_slash_leads_on(world: World) -> None:
    answer = world.admin.client.get("/admin")

    assert answer.status_code == 308
    assert answer.location == "http://localhost/admin/"


def test_nothing_to_do_says_so(world: World) -> None:
    assert "Nothing needs you now" in world.publisher.read("/admin/")


def test_what_needs_somebody_leads_to_its_rows(world: World) -> None:
    with world.app.app_context():
        shelf = makers.category("reports")
        document = makers.document(shelf, "annual.pdf")
        makers.document(shelf, "draft.pdf", b"%PDF-1.7 draft", published_at=None)
        makers.link(document, label="Soon", expires_at=makers.now(days=1))
        makers.link(document, label="Quiet")
        for name in ("Uma", "Val", "Wim"):
            makers.person(name)
    page = world.publisher.read("/admin/")

    assert "Three things need a look" in page
    tasks = re.findall(r'<li><span>(.*?)</span><a class="button quiet" href="([^"]+)">', page)
    assert [(text(words), href) for words, href in tasks] == [
        ("1 link expires within three days", "/admin/links?state=soon"),
        ("1 document is not out", "/admin/documents"),
        ("2 live links were never used", "/admin/links?state=unused"),
    ]
    assert "3 people have never signed in" in text(world.admin.read("/admin/"))


def test_every_figure_of_the_overview_leads_to_as_many_rows(world: World) -> None:
    with world.app.app_context():
        makers.link(makers.document(makers.category("reports")), label="Quiet")
        makers.person("Zoë", password=makers.PASSWORD)
    tally = re.findall(r'<a href="([^"]+)"[^>]*><b>(\d+)</b>([^<]+)</a>', world.admin.read("/admin/"))

    assert {words: count for _, count, words in tally} == {
        "downloads completed": "0",
        "stopped": "0",
        "live links": "1",
        "active people": "4",
    }
    for href, count, _ in tally:
        assert len(re.findall('scope="row"', world.admin.read(href))) == int(count), href


def test_what_is_not_out_is_listed_with_the_reason(world: World) -> None:
    assert "Readers see everything" in world.publisher.read("/admin/documents")
    with world.app.app_context():
        shelf = makers.category("reports")
        makers.document(shelf, "draft.pdf", b"%PDF-1.7 d", published_at=None)
        makers.document(shelf, "later.pdf", b"%PDF-1.7 l", published_at=makers.now(days=400))
        makers.document(shelf, "over.pdf", b"%PDF-1.7 o", expires_at=makers.now(days=-1))
        makers.document(makers.category("vault"), "foreign.pdf", b"%PDF-1.7 f", published_at=None)
    page = text(world.publisher.read("/admin/documents"))

    missing = [
        words for words in ("draft", "Draft", "later", "Scheduled", "over", "Expired", "3 in all") if words not in page
    ]
    assert missing == []
    assert "foreign" not in page


@pytest.mark.parametrize("word", sorted(notices.SENTENCES))
def test_a_word_in_the_address_stands_for_its_sentence(world: World, word: str) -> None:
    assert notices.SENTENCES[word] in world.publisher.read(f"/admin/trash?done={word}")


def test_no_other_word_in_the_address_reaches_the_page(world: World) -> None:
    page = world.publisher.client.get("/admin/trash?done=<b>Owned</b>&done=x").text

    assert "Owned" not in page
    assert "notice done" not in page


def test_a_word_without_a_sentence_is_a_mistake_of_ours(world: World) -> None:
    with world.app.test_request_context(), pytest.raises(LookupError, match="owned"):
        notices.done("owned", "trash.show")
    with world.app.test_request_context():
        assert notices.done("group-added", "groups.show").location == url_for("groups.show", done="group-added")
