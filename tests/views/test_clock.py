"""The zone of the portal: what pages show and what forms mean; what is stored stays UTC."""

import dataclasses
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from portal.extensions import db
from portal.models import Document
from portal.settings import Settings
from portal.views import clock, pages
from tests import makers
from tests.views.desk import Desk

WINTER, SUMMER = datetime(2026, 12, 31, 23, 30, tzinfo=UTC), datetime(2027, 7, 1, 22, 5, tzinfo=UTC)
EDGES = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC))


@pytest.fixture
def berlin(sqlite_settings: Settings) -> Iterator[Flask]:
    """A portal whose people live by the clock of Berlin."""
    with makers.running(dataclasses.replace(sqlite_settings, timezone=ZoneInfo("Europe/Berlin"))) as app:
        yield app


@pytest.fixture
def desk(berlin: Flask) -> Desk:
    with berlin.app_context():
        return Desk(berlin, makers.person("Ada", is_admin=True))


def words(said: str) -> str:
    return re.sub("<[^>]+>", "", said).replace("\xa0", " ")


def test_moments_are_said_in_the_zone_which_is_named(berlin: Flask) -> None:
    with berlin.app_context():
        assert words(pages.full_moment(WINTER)) == "Friday, 1 January 2027, 00:30 CET"
        assert words(pages.full_moment(SUMMER)) == "Friday, 2 July 2027, 00:05 CEST"
        assert words(pages.day(WINTER, WINTER)) == "Today, 00:30"
        assert words(pages.date(WINTER, SUMMER)) == "1 January"
        assert words(pages.weekday(WINTER)).startswith("Friday, 1 January")
        assert 'title="2027-01-01 00:30 CET"' in pages.clock(WINTER)
        assert 'datetime="2026-12-31T23:30Z"' in pages.clock(WINTER)
        assert pages.iso(WINTER) == "2027-01-01T00:30"


@pytest.mark.parametrize(
    ("zone", "sentence", "behind"),
    [("Europe/Berlin", "Europe/Berlin time", "CET"), ("Asia/Dubai", "Asia/Dubai time", "UTC+04")],
)
def test_a_zone_without_letters_is_named_by_its_distance(
    sqlite_settings: Settings, zone: str, sentence: str, behind: str
) -> None:
    app = dataclasses.replace(sqlite_settings, timezone=ZoneInfo(zone))
    with makers.running(app) as running, running.app_context():
        assert (clock.zone_words(), clock.zone_of(WINTER)) == (sentence, behind)


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("moment", EDGES)
def test_a_moment_at_the_edge_of_the_calendar_is_said_all_the_same(
    sqlite_settings: Settings, zone: str, moment: datetime
) -> None:
    app = dataclasses.replace(sqlite_settings, timezone=ZoneInfo(zone))
    with makers.running(app) as running, running.app_context():
        assert str(moment.year) in pages.full_moment(moment)


def test_a_form_takes_moments_in_the_zone_and_shows_them_in_it(berlin: Flask, desk: Desk) -> None:
    with berlin.app_context():
        document = makers.document(makers.category("reports"), "annual.pdf")
        path, document_id = f"/documents/{document.uuid}/edit", document.id
    said = {"title": "annual", "filename": "annual.pdf", "description": "", "visible": "at"}
    desk.send(path, {**said, "published_at": "2099-07-01T09:00", "expires_at": "2099-12-01T09:00"})

    with berlin.app_context():
        kept = db.session.get_one(Document, document_id)
        assert kept.published_at == datetime(2099, 7, 1, 7, tzinfo=UTC)
        assert kept.expires_at == datetime(2099, 12, 1, 8, tzinfo=UTC)
    page = desk.read(path)
    assert 'value="2099-07-01T09:00"' in page
    assert 'value="2099-12-01T09:00"' in page
    assert "In Europe/Berlin time. From then on only publishers see it." in page
    assert "from Wednesday, 1 July 2099, 09:00 CEST" in page.replace("\xa0", " ")


def test_a_form_saved_as_it_was_keeps_the_moment_of_an_hour_that_comes_twice(berlin: Flask, desk: Desk) -> None:
    second = datetime(2099, 10, 25, 1, 30, 7, tzinfo=UTC)
    with berlin.app_context():
        document = makers.document(makers.category("reports"), "annual.pdf", published_at=makers.now())
        makers.change(document, expires_at=second)
        path, document_id = f"/documents/{document.uuid}/edit", document.id
    assert desk.save(path).status_code == 303

    with berlin.app_context():
        assert db.session.get_one(Document, document_id).expires_at == second


def test_the_days_of_the_log_are_those_of_the_zone(berlin: Flask, desk: Desk) -> None:
    page = desk.read("/admin/log")
    with berlin.app_context():
        now = clock.local(makers.now())

    assert "Times are in Europe/Berlin time" in page
    assert f'id="d{now.date()}"' in page
    assert re.search(r'<time datetime="[^"]+Z" title="[^"]+ CES?T">\d\d:\d\d</time>', page)
