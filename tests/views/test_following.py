"""The pages of following, and that opening the page of a document is noticed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from flask import Flask

from portal.catalog import remove_grant
from portal.settings import Settings
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.views.desk import Desk

pytestmark = SQLITE_ONLY


@dataclass
class World:
    """Ada, who may read one category, with a document in it, and not the other."""

    app: Flask
    ada: Desk
    reports: int
    secret: int
    document: int
    grant: int


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    with makers.running(settings) as app:
        with app.app_context():
            ada = makers.person("Ada")
            reports, secret = makers.category("reports"), makers.category("secret")
            grant = makers.grant(reports, user=ada)
            document = makers.document(reports, "a.pdf")
            desk, ids = Desk(app, ada), (reports.id, secret.id, document.id, grant.id)
        yield World(app, desk, *ids)


def test_a_category_is_followed_from_its_page_and_listed(world: World) -> None:
    assert "Follow</button>" in world.ada.read("/categories/reports")
    answer = world.ada.send("/account/following", category=world.reports)
    assert "You follow this category." in world.ada.read(answer.headers["Location"])
    assert "Stop following" in world.ada.read("/categories/reports")
    assert "reports" in world.ada.read("/account/following")


@pytest.mark.parametrize("mail_url", ["console:", "smtp://127.0.0.1:1"])
def test_a_mail_is_promised_only_where_one_is_sent(settings: Settings, mail_url: str) -> None:
    with makers.running(replace(settings, mail_url=mail_url)) as app:
        with app.app_context():
            desk, shelf = Desk(app, makers.person("Ada", is_admin=True)), makers.category("reports").id
        page = desk.read(desk.send("/account/following", category=shelf).headers["Location"])
    assert ("is told in one mail a day" in page) == mail_url.startswith("smtp")
    assert ("This portal sends no mails yet" in page) == mail_url.startswith("console")


def test_following_ends_where_it_was_asked_for(world: World) -> None:
    world.ada.send("/account/following", category=world.reports)
    answer = world.ada.send("/account/following/end", category=world.reports)
    assert answer.headers["Location"].startswith("/categories/reports?")
    answer = world.ada.send("/account/following/end", category=world.reports, from_list=1)
    assert answer.headers["Location"].startswith("/account/following?")


def test_no_name_is_learned_of_what_is_not_theirs(world: World) -> None:
    assert world.ada.send("/account/following", category=world.secret).status_code == 404
    answer = world.ada.send("/account/following/end", category=world.secret)
    assert answer.headers["Location"].startswith("/account/following?")
    world.ada.send("/account/following", category=world.reports)
    with world.app.app_context():
        remove_grant(None, world.grant)
    page = world.ada.read("/account/following")
    assert "A category you may not see any more" in page
    assert "reports" not in page


def test_an_opened_document_says_so_in_lists(world: World) -> None:
    assert "Not downloaded yet" in world.ada.read("/documents")
    world.ada.read(f"/documents/{world.document}")
    assert "Opened, not downloaded" in world.ada.read("/documents")
