"""A link in the browser of somebody without an account: one button, one download, and the way back to it."""

import os
import re
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal import shares
from portal.downloads import opening
from portal.extensions import db, storage
from portal.models import Download, ShareLink, Ticket
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.views.desk import TOKEN

SIZE = 3 * 1024 * 1024
PAGE = {"Accept": "text/html"}


@dataclass
class Recipient:
    """A browser at the page of a link that allows one download."""

    app: Flask
    client: FlaskClient
    token: str

    @property
    def page(self) -> str:
        return f"/s/{self.token}"

    def look(self, client: FlaskClient | None = None) -> TestResponse:
        """The page of the link."""
        return (client or self.client).get(self.page, headers=PAGE)

    def press(self) -> str:
        """The button; the address of the ticket it leads to."""
        found = TOKEN.search(self.look().text)
        assert found is not None
        answer = self.client.post(f"{self.page}/download", data={"csrf_token": found[1]})
        assert answer.status_code == 303
        return str(answer.location)

    def break_off(self, address: str) -> None:
        """Fetch one piece of it and no more."""
        assert self.client.get(address, headers={"Range": "bytes=0-99"}).status_code == 206

    def change(self, model: type[Download | ShareLink | Ticket], **columns: object) -> None:
        """Set columns of the one row there is."""
        with self.app.app_context():
            makers.change(db.session.scalars(select(model)).one(), **columns)


@pytest.fixture
def recipient(app: Flask) -> Recipient:
    with app.app_context():
        document = makers.document(makers.category("letters"), "letter.pdf", bytes(SIZE))
        token = makers.link(document, max_downloads=1)[1]
    return Recipient(app, app.test_client(), token)


def ledger(app: Flask) -> list[tuple[str, int]]:
    """State and bytes of every download."""
    with app.app_context():
        statement = select(Download.state, Download.bytes_sent).order_by(Download.id)
        return [(state, count) for state, count in db.session.execute(statement)]


@SQLITE_ONLY
def test_whoever_comes_back_to_a_used_up_link_goes_on_with_their_own_download(recipient: Recipient) -> None:
    address = recipient.press()
    recipient.break_off(address)

    back = recipient.look()

    assert back.status_code == 200
    assert "Your download is not complete" in back.text
    assert f'href="{address}"' in back.text
    assert recipient.client.get(address, headers={"Range": "bytes=100-"}).status_code == 206
    assert ledger(recipient.app) == [("completed", SIZE)]


@SQLITE_ONLY
def test_another_browser_is_told_that_the_link_is_used_up(recipient: Recipient) -> None:
    recipient.break_off(recipient.press())

    other = recipient.look(recipient.app.test_client())

    assert other.status_code == 410
    assert "not complete" not in other.text


@SQLITE_ONLY
def test_a_link_with_downloads_left_offers_to_go_on_beside_its_button(recipient: Recipient) -> None:
    recipient.change(ShareLink, max_downloads=3)
    address = recipient.press()
    recipient.break_off(address)

    back = recipient.look()

    assert f'href="{address}"' in back.text
    assert "2 of 3 downloads left" in back.text


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("model", "columns"), [(Ticket, {"expires_at": "now"}), (Ticket, {"refunded_at": "now"}), (Download, {})]
)
def test_nothing_is_offered_that_is_over(
    recipient: Recipient, model: type[Download | Ticket], columns: dict[str, str]
) -> None:
    address = recipient.press()
    if model is Download:
        recipient.client.get(address)
    else:
        recipient.break_off(address)
    with recipient.app.app_context():
        moment = makers.now()
    recipient.change(model, **dict.fromkeys(columns, moment))

    assert recipient.look().status_code == 410


@SQLITE_ONLY
def test_a_revoked_link_offers_nothing_to_go_on_with(recipient: Recipient) -> None:
    recipient.break_off(recipient.press())
    with recipient.app.app_context():
        moment = makers.now()
    recipient.change(ShareLink, revoked_at=moment)

    assert "by the people who made it" in recipient.look().text


@SQLITE_ONLY
def test_the_cookie_of_a_ticket_is_for_the_page_of_its_link_alone(recipient: Recipient) -> None:
    found = TOKEN.search(recipient.look().text)
    assert found is not None
    answer = recipient.client.post(f"{recipient.page}/download", data={"csrf_token": found[1]})

    cookie = next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith("portal-ticket="))
    assert f"Path={recipient.page};" in cookie
    assert re.search("HttpOnly", cookie)
    assert "SameSite=Lax" in cookie


def test_a_ticket_is_one_download_and_complete_after_it(recipient: Recipient) -> None:
    address = recipient.press()
    assert recipient.client.get(address).status_code == 200

    again = recipient.client.get(address)  # a client that lost the file may have it once more, right away
    third = recipient.client.get(address)

    assert (again.status_code, third.status_code) == (200, 410)
    assert "This download is complete" in third.text
    assert ledger(recipient.app) == [("completed", 2 * SIZE)]


@SQLITE_ONLY
def test_a_ticket_outlasts_that_its_document_has_to_be_read_again_first(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        document = makers.document(makers.category(), "a.bin", b"x" * 100)
        _, token = makers.link(document, max_downloads=1)
        ticket = shares.reserve(token, None, network=makers.NETWORK, agent="tests")
        place = storage().place(makers.edition(document).sha256)
        makers.release()
    os.utime(place.directory / place.name)

    with monkeypatch.context() as patch:
        patch.setattr(opening, "INLINE", 0)
        assert app.test_client().get(f"/t/{ticket}").status_code == 503
    assert app.test_client().get(f"/t/{ticket}", headers={"User-Agent": "tests"}).status_code == 200


def test_a_completed_ticket_is_over_after_ten_minutes(recipient: Recipient) -> None:
    address = recipient.press()
    recipient.client.get(address)
    with recipient.app.app_context():
        earlier = makers.now(minutes=-11)
    recipient.change(Download, closed_at=earlier)

    assert recipient.client.get(address).status_code == 410
    assert recipient.client.get(address, headers={"Range": "bytes=0-9"}).status_code == 410
    assert ledger(recipient.app) == [("completed", SIZE)]
