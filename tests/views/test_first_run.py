"""The first minutes: what somebody sees who has just started a portal, and where the next steps lead."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import select

from portal import accounts
from portal.accounts.tokens import USED
from portal.extensions import db
from portal.models import OneTimeToken
from portal.settings import Settings
from portal.tokens import make_token
from tests import makers
from tests.views.desk import Desk

OVER = {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}
STEPS = {"/admin/categories": "Add a category", "/admin/upload": "Upload documents", "/admin/people/new": "Add people"}


@pytest.fixture
def app(sqlite_settings: Settings) -> Iterator[Flask]:
    with makers.running(sqlite_settings) as app:
        yield app


def steps(page: str) -> dict[str, str]:
    """The steps a page offers: address to words."""
    return dict(re.findall(r'<li><a href="([^"]+)"><span>\d\. ([^<]+)<br>', page))


def test_before_the_first_account_the_first_page_says_where_its_address_stands(app: Flask) -> None:
    page = app.test_client().get("/", follow_redirects=True).text

    assert "Nobody has an account yet" in page
    assert "behind the word “Setup”" in page
    assert "forgotten password" not in page
    assert 'name="password"' in page


def test_with_an_account_the_first_page_is_for_signing_in(app: Flask) -> None:
    with app.app_context():
        makers.person("Ada", is_admin=True)
    page = app.test_client().get("/login").text

    assert "Sign in to your documents" in page
    assert "Setup" not in page


@pytest.mark.parametrize("path", ["/", "/admin/"])
def test_an_administrator_of_an_empty_portal_is_led_to_three_steps(app: Flask, path: str) -> None:
    with app.app_context():
        desk = Desk(app, makers.person("Ada", is_admin=True))

    page = desk.read(path)

    assert steps(page) == STEPS
    assert "Drop documents or whole folders" in page
    for href in STEPS:
        desk.read(href)
    with app.app_context():
        makers.document(makers.category("reports"), published_at=None)
    assert steps(desk.read(path)) == {}


def test_an_address_that_once_was_real_says_why_it_opens_nothing(app: Flask) -> None:
    browser = app.test_client()
    with app.app_context():
        setup = accounts.issue_token(None, "setup")
        ada, used = accounts.invite_user(None, "ada@example.org", "Ada")
        accounts.spend_token(used, makers.PASSWORD)
        reset = accounts.issue_address(None, ada.id)
        makers.change(db.session.scalars(select(OneTimeToken).where(OneTimeToken.purpose == "reset")).one(), **OVER)

    for token, reason in ((setup, "The portal is set up already. Sign in."), (used, USED), (reset, "has expired.")):
        answer = browser.get(f"/setup/{token}")
        assert (answer.status_code, reason in answer.text) == (410, True), reason
    assert browser.get(f"/setup/{make_token()}").status_code == 404


def test_a_setup_address_that_is_too_old_says_how_to_get_another(app: Flask) -> None:
    with app.app_context():
        token = accounts.issue_token(None, "setup")
        makers.change(db.session.scalars(select(OneTimeToken)).one(), **OVER)

    assert "Start the portal again" in app.test_client().get(f"/setup/{token}").text


def test_nobody_else_is_told_to_begin(app: Flask) -> None:
    with app.app_context():
        desk = Desk(app, makers.person("Bo"))

    page = desk.read("/")

    assert steps(page) == {}
    assert "Nothing is here for you yet" in page
