"""Mails as administrators see them: states, reasons and buttons, and nowhere a word of what they say."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from flask import Flask

from portal.extensions import db
from portal.models import Mail
from portal.notices import add_mail
from portal.settings import Settings
from tests import makers
from tests.views.desk import Desk, said

SECRET = "a" * 43


@dataclass
class World:
    """An administrator, and a mail to Eve that was not taken."""

    app: Flask
    desk: Desk
    mail_id: int

    def state(self) -> str:
        with self.app.app_context():
            return db.session.get_one(Mail, self.mail_id).state


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(replace(sqlite_settings, mail_url="smtp://user:hush-hush@mail.example.org:587")) as app:
        with app.app_context():
            ada, eve = makers.person("Ada", is_admin=True), makers.person("Eve")
            add_mail("reset", user_id=eve.id, email=eve.email, name="Eve", address=SECRET, until=makers.now(hours=1))
            (mail,) = db.session.query(Mail)
            makers.change(mail, state="parked", tries=8, problem="550 5.1.1 <b>No such</b> reader")
            made = World(app, Desk(app, ada), mail.id)
        yield made


def text(page: str) -> str:
    """The words of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.replace("<wbr>", "")).split())


def test_a_mail_is_listed_with_what_the_server_said_and_without_its_words(world: World) -> None:
    raw = world.desk.client.get("/admin/mail").text
    page = text(world.desk.read("/admin/mail"))

    assert "leaves by mail.example.org:587." in page
    assert "eve@example.org A new password for Portal Not taken 550 5.1.1 No such reader Eight tries" in page
    assert "&lt;b&gt;" in raw
    assert SECRET not in raw
    assert "hush" not in raw
    assert "1 not taken 0 wait 0 sent 0 not to be sent" in page


def test_a_mail_is_tried_again_or_not_sent(world: World) -> None:
    answer = world.desk.send(f"/admin/mail/{world.mail_id}/retry", state="parked")
    assert said(world.desk, answer) == "The mail is tried again now."
    assert "state=parked" in answer.location
    assert world.state() == "waiting"

    answer = world.desk.send(f"/admin/mail/{world.mail_id}/drop")
    assert said(world.desk, answer) == "The mail is not sent. What it said is gone."
    assert world.state() == "dropped"
    assert "Ada decided not to send a mail to Eve" in text(world.desk.read("/admin/log"))
    assert "Ada had a mail to Eve tried again" in text(world.desk.read("/admin/log"))


def test_a_button_that_comes_too_late_says_so(world: World) -> None:
    world.desk.send(f"/admin/mail/{world.mail_id}/drop")
    answer = world.desk.send(f"/admin/mail/{world.mail_id}/retry")
    assert answer.status_code == 409
    assert "Nothing was changed" in answer.text


def test_all_that_were_not_taken_are_tried_again_at_once(world: World) -> None:
    with world.app.app_context():
        makers.mail(makers.person("Bob"), state="parked")
    assert "Try all again" in world.desk.read("/admin/mail")

    answer = world.desk.send("/admin/mail/retry")

    assert said(world.desk, answer) == "Every mail that was not taken is tried again now."
    assert world.state() == "waiting"
    assert "Ada had two mails" not in text(world.desk.read("/admin/log"))
    assert "Ada had 2 mails that no server took tried again" in text(world.desk.read("/admin/log"))


def test_the_list_is_narrowed_by_state_and_address_and_a_button_comes_back_to_it(world: World) -> None:
    assert "eve@example.org" in world.desk.read("/admin/mail?state=parked&email=EVE")
    assert "No mail is like that" in world.desk.read("/admin/mail?state=sent")
    assert "No mail is like that" in world.desk.read("/admin/mail?email=nobody")
    assert "eve@example.org" in world.desk.read("/admin/mail?state=unknown")
    assert '<input type="hidden" name="state" value="parked">' in world.desk.read("/admin/mail?state=parked")


def test_mails_nobody_sends_are_told(world: World) -> None:
    assert "nobody sends them" not in world.desk.read("/admin/mail")
    with world.app.app_context():
        makers.mail(makers.person("Bob"), due_at=makers.now(hours=-1))
    assert "Mails wait, and nobody sends them." in world.desk.read("/admin/mail")


def test_the_overview_leads_to_mails_that_were_not_taken(world: World) -> None:
    page = world.desk.read("/admin/")
    assert "1 mail was not taken" in text(page)
    assert 'href="/admin/mail?state=parked"' in page


def test_without_a_server_the_page_says_that_mails_reach_nobody(sqlite_settings: Settings) -> None:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            desk = Desk(app, makers.person("Ada", is_admin=True))
        page = text(desk.read("/admin/mail"))
    assert "No mail server is set: mails are only printed where the worker runs, and reach nobody." in page
    assert "No mail was written yet" in page


def test_without_a_server_what_left_is_called_printed(sqlite_settings: Settings) -> None:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            ada = makers.person("Ada", is_admin=True)
            makers.mail(ada, state="sent")
            desk = Desk(app, ada)
        page = text(desk.read("/admin/mail"))
    assert "1 printed" in page
    assert "Printed" in page
    assert "Sent" not in page
