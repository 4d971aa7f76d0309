"""One's own name and time zone: what people say of themselves, and nobody else."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select

from portal import accounts, zones
from portal.extensions import db
from portal.models import AuditEvent, AuditPerson, Document, User
from portal.settings import Settings
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.views.desk import Desk, said, sentence

MIDNIGHT = datetime(2027, 1, 31, 23, 30, tzinfo=UTC)


@dataclass
class World:
    """Ada, who administers a portal that lives by the clock of Berlin."""

    app: Flask
    ada: Desk
    ada_id: int

    def user(self) -> User:
        with self.app.app_context():
            return accounts.get_user(self.ada_id)


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    with makers.running(replace(settings, timezone=ZoneInfo("Europe/Berlin"))) as app:
        with app.app_context():
            ada = makers.person("Ada", is_admin=True)
            made = World(app, Desk(app, ada), ada.id)
        yield made


@SQLITE_ONLY
def test_people_change_their_own_name_and_the_log_says_so(world: World) -> None:
    answer = world.ada.send("/account/profile", name="Ada  Byron", timezone="")

    assert said(world.ada, answer) == "Your name and time zone are saved."
    assert (world.user().name, world.user().name_key) == ("Ada Byron", "ada byron")
    with world.app.app_context():
        assert db.session.scalars(select(AuditPerson.name)).all() == ["Ada Byron"]
        event = db.session.scalars(select(AuditEvent).where(AuditEvent.action == "user.profile_changed")).one()
        assert event.details == {"parts": ["name"]}
    words = re.sub(r"<[^>]+>", "", world.ada.read("/admin/log"))
    assert "Ada Byron changed their own name or time zone" in words


@pytest.mark.parametrize(
    ("typed", "stored"),
    [("Asia/Tokyo", "Asia/Tokyo"), ("asia/tokyo ", "Asia/Tokyo"), ("America/new york", "America/New_York"), ("", None)],
)
def test_a_zone_is_taken_whatever_its_capitals(world: World, typed: str, stored: str | None) -> None:
    world.ada.send("/account/profile", name="Ada", timezone=typed)
    assert world.user().timezone == stored


@SQLITE_ONLY
@pytest.mark.parametrize("typed", ["Mars/Olympus", "../../etc/passwd", "localtime", "Factory", "Europe", "x" * 5000])
def test_what_is_no_zone_is_refused(world: World, typed: str) -> None:
    answer = world.ada.send("/account/profile", name="Ada", timezone=typed)
    assert answer.status_code == 422
    assert sentence(answer) == "There is no time zone of this name. Choose one like Europe/Berlin."
    assert world.user().timezone is None


@SQLITE_ONLY
def test_a_name_that_cannot_be_seen_is_refused_and_what_was_typed_stays(world: World) -> None:
    answer = world.ada.send("/account/profile", name="  ", timezone="Asia/Tokyo")
    assert answer.status_code == 422
    assert 'value="Asia/Tokyo"' in answer.text
    assert world.user().timezone is None


@SQLITE_ONLY
def test_nothing_else_of_the_account_is_changed_by_the_form(world: World) -> None:
    world.ada.send("/account/profile", name="Ada", timezone="", is_admin="", email="x@example.org", password_hash="x")
    assert (world.user().is_admin, world.user().email, world.user().password_hash) == (True, "ada@example.org", None)


def test_pages_are_read_and_forms_typed_in_the_zone_of_the_person(world: World) -> None:
    with world.app.app_context():
        document = makers.document(makers.category("reports"), "annual.pdf", expires_at=MIDNIGHT)
        path, document_id = f"/documents/{document.uuid}/edit", document.id
    assert 'value="2027-02-01T00:30"' in world.ada.read(path)

    world.ada.send("/account/profile", name="Ada", timezone="Asia/Tokyo")
    page = world.ada.read(path)
    assert 'value="2027-02-01T08:30"' in page
    assert "In Asia/Tokyo time." in page

    form = {"title": "annual", "filename": "annual.pdf", "description": "", "visible": "at"}
    world.ada.send(path, {**form, "published_at": "2099-07-01T09:00", "expires_at": ""})
    with world.app.app_context():
        assert db.session.get_one(Document, document_id).published_at == datetime(2099, 7, 1, 0, 0, tzinfo=UTC)


@SQLITE_ONLY
def test_others_keep_the_zone_of_the_portal(world: World) -> None:
    with world.app.app_context():
        bo = Desk(world.app, makers.person("Bo"))
    world.ada.send("/account/profile", name="Ada", timezone="Asia/Tokyo")
    assert "Asia/Tokyo time" in world.ada.read("/account")
    assert "Europe/Berlin time" in bo.read("/account")


@SQLITE_ONLY
def test_a_zone_this_machine_does_not_know_any_more_is_no_failure(world: World) -> None:
    with world.app.app_context():
        makers.change(accounts.get_user(world.ada_id), timezone="Asia/Lost_City")
    assert "Europe/Berlin time" in world.ada.read("/account")


def test_every_zone_offered_is_one() -> None:
    offered = zones.list_zones()
    assert offered[0] == "UTC"
    assert all(zones.find_zone(name) is not None for name in offered)
    assert {"Europe/Berlin", "Asia/Tokyo"} < set(offered)
