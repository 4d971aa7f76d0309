"""Viewing as over HTTP: every page says so, nothing can be changed, no bytes leave, and the log names who looked."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal import accounts
from portal.extensions import db, transaction
from portal.models import PUBLISH, AuditEvent, Download, Session
from portal.settings import Settings
from tests import makers
from tests.views.desk import Desk, said, sentence

BAR = "You see the portal as Eve Adams does."


@dataclass
class World:
    """Ada, an administrator at her desk, and Eve Adams, who may publish in ``reports`` and knows of no ``board``."""

    app: Flask
    ada: Desk
    eve: int
    admin: int
    document: int
    hidden: int

    def view(self) -> None:
        answer = self.ada.send(f"/admin/people/{self.eve}/view")
        assert (answer.status_code, answer.location) == (303, "/")

    def words(self, path: str) -> str:
        """A page without its tags."""
        return " ".join(re.sub(r"<[^>]+>", "", self.ada.read(path)).split())


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    with makers.running(settings) as app:
        with app.app_context():
            ada, eve = makers.person("Ada", is_admin=True), makers.person("Eve Adams")
            makers.grant(makers.category("reports"), user=eve, permission=PUBLISH)
            document = makers.document(makers.category("reports"), "annual.pdf")
            hidden = makers.document(makers.category("board"), "minutes.pdf", b"%PDF-1.7 minutes")
            made = World(app, Desk(app, ada), eve.id, ada.id, document.id, hidden.id)
        yield made


@pytest.mark.parametrize(
    "path", ["/", "/documents", "/search?q=annual", "/categories/reports", "/account", "/account/downloads",
             "/account/tokens", "/admin/", "/admin/upload", "/documents/{document}", "/documents/{document}/edit"],
)  # fmt: skip
def test_every_page_says_whose_portal_it_is_and_has_a_way_out(world: World, path: str) -> None:
    world.view()

    page = world.ada.read(path.format(document=world.document))

    assert BAR in " ".join(re.sub(r"<[^>]+>", "", page).split())
    assert "Nothing can be changed." in page
    assert 'action="/viewing/stop"' in page


def test_one_sees_what_the_person_sees_and_no_more(world: World) -> None:
    world.view()

    assert "annual" in world.words("/documents")
    assert "minutes" not in world.words("/documents")
    world.ada.read(f"/documents/{world.hidden}", 404)
    assert "eve.adams@example.org" in world.words("/account")


def test_pages_of_administrators_are_not_there_and_the_log_says_who_asked(world: World) -> None:
    world.view()
    world.ada.read("/admin/people", 404)
    world.ada.send("/viewing/stop")

    log = world.words("/admin/log")
    assert "Ada asked for a page that is not theirs, while seeing the portal as Eve Adams" in log
    assert "Ada began to see the portal as Eve Adams" in log
    assert "Ada stopped seeing the portal as Eve Adams" in log
    assert "Eve Adams asked" not in log


@pytest.mark.parametrize(
    "path", ["/documents/{document}/edit", "/documents/{document}/trash", "/documents/download", "/account/password",
             "/account/sessions/end-others", "/account/tokens/new", "/admin/upload", "/admin/people/{eve}/disable",
             "/admin/people/{eve}/view", "/login"],
)  # fmt: skip
def test_nothing_can_be_changed(world: World, path: str) -> None:
    world.view()

    answer = world.ada.send(path.format(document=world.document, eve=world.eve), title="Changed", name="Changed")

    assert answer.status_code == 403
    assert "You see the portal as Eve Adams does, and nothing can be changed." in answer.text
    with world.app.app_context():
        told = set(db.session.scalars(select(AuditEvent.action).where(AuditEvent.actor_hash.is_not(None))))
        assert told == {"session.started", "view.started"}


@pytest.mark.parametrize(
    "path", ["/documents/{document}/download", "/documents/{document}/versions/1/download", "/get-report/annual.pdf",
             "/categories/reports/download"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_bytes_are_handed_out_and_the_ledger_stays_empty(world: World, path: str, method: str) -> None:
    world.view()

    answer = world.ada.client.open(path.format(document=world.document), method=method)

    assert answer.status_code == 403
    assert method == "HEAD" or "it would count as theirs" in answer.text
    with world.app.app_context():
        assert db.session.scalars(select(Download)).all() == []


@pytest.mark.parametrize("path", ["/account/tokens/new", "/account/profile", "/account/confirm"])
def test_what_is_the_persons_alone_is_not_shown(world: World, path: str) -> None:
    world.view()

    answer = world.ada.client.get(path)

    assert answer.status_code == 403
    assert "This page is for Eve Adams alone." in answer.text


def test_stopping_leads_back_to_the_page_of_the_person(world: World) -> None:
    world.view()

    answer = world.ada.send("/viewing/stop")

    assert answer.location == f"/admin/people/{world.eve}?done=viewing-stopped"
    assert said(world.ada, answer) == "You see the portal as yourself again."
    assert BAR not in world.words("/")
    assert world.ada.send("/viewing/stop").status_code == 404


def test_signing_out_is_the_other_way_out(world: World) -> None:
    world.view()

    assert world.ada.send("/logout").status_code == 303

    world.ada.read("/", 302)


def test_the_person_seen_notices_nothing(world: World) -> None:
    with world.app.app_context():
        eve = accounts.get_user(world.eve)
        makers.change(eve, seen_at=makers.now(hours=-2), visited_at=makers.now(hours=-9))
        before = eve.seen_at, eve.visited_at
    world.view()
    with world.app.app_context(), transaction() as session:
        session.execute(update(Session).values(seen_at=makers.now(minutes=-7)))
    world.ada.read("/")
    with world.app.app_context():
        eve = accounts.get_user(world.eve)
        assert (eve.seen_at, eve.visited_at) == before
        assert accounts.list_sessions(world.eve) == []


@pytest.mark.parametrize("kind", ["oneself", "administrator", "disabled"])
def test_some_cannot_be_looked_at_and_their_page_offers_it_not(world: World, kind: str) -> None:
    with world.app.app_context():
        other = makers.person("Other", is_admin=kind == "administrator", password=makers.PASSWORD)
        if kind == "disabled":
            accounts.disable_user(None, other.id)
        whom = world.admin if kind == "oneself" else other.id
    assert "See the portal as they do" not in world.words(f"/admin/people/{whom}")

    answer = world.ada.send(f"/admin/people/{whom}/view")

    assert answer.status_code == 409
    assert BAR not in world.words("/")
    assert sentence(answer)


def test_it_begins_only_with_a_fresh_sign_in(world: World) -> None:
    token = world.ada.token()
    with world.app.app_context(), transaction() as session:
        session.execute(update(Session).values(fresh_at=makers.now(minutes=-11)))

    answer = world.ada.client.post(f"/admin/people/{world.eve}/view", data={"csrf_token": token})

    assert answer.status_code == 303
    assert answer.location == f"/account/confirm?next=/admin/people/{world.eve}%3Fdone%3Dproved"


def test_it_begins_with_a_form_of_ours_alone(world: World) -> None:
    assert world.ada.client.post(f"/admin/people/{world.eve}/view").status_code == 400


def test_a_name_in_the_bar_is_only_a_name(world: World) -> None:
    with world.app.app_context():
        accounts.change_user(None, world.eve, name="<i>Eve</i> & Co", is_admin=False)
    world.view()

    page = world.ada.client.get("/").text

    assert "&lt;i&gt;Eve&lt;/i&gt; &amp; Co" in page
    assert "<i>Eve" not in page


@pytest.mark.parametrize("path", ["/documents/{document}/download", "/account/security"])
def test_a_refusal_carries_the_way_out(world: World, path: str) -> None:
    world.view()

    page = world.ada.read(path.format(document=world.document), 403)

    assert BAR in " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert '<form action="/viewing/stop" method="post">' in page


def test_somebody_who_is_not_viewing_is_refused_without_it(world: World) -> None:
    token = world.ada.token()
    headers = {"Sec-Fetch-Site": "cross-site"}

    answer = world.ada.client.post("/logout", data={"csrf_token": token}, headers=headers)

    assert answer.status_code == 403
    assert "/viewing/stop" not in answer.text


def test_of_the_account_only_name_address_and_zone_are_shown(world: World) -> None:
    world.view()

    page = world.words("/account")

    assert "Eve Adams" in page
    assert "eve" in page
    assert "Time zone" in page
    for hidden in ("Change", "How you sign in", "Programs", "Where you are signed in"):
        assert hidden not in page
