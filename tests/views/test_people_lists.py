"""Lists of people on the pages: a look before anything is done, one press that does all of it, and an export."""

import html
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal import accounts
from portal.settings import Settings
from tests import makers
from tests.views.desk import Desk, sentence

HOSTILE = "<script>alert(1)</script>"
LIST = f"Ada Byron <ada@example.org>\nbo@example.org\nnobody {HOSTILE}\nADA@example.org\n"


@dataclass
class World:
    """An administrator, Bo, who has an account, and a group without anybody."""

    app: Flask
    admin: Desk
    clients: int

    def look(self) -> TestResponse:
        return self.admin.send("/admin/people/import", people=LIST, groups=self.clients)

    def confirm(self, shown: TestResponse, **changed: str) -> TestResponse:
        """Press the button of the page that was shown."""
        hidden = dict(re.findall(r'<input type="hidden" name="(people|seal|groups)" value="([^"]*)"', shown.text))
        fields = {name: html.unescape(value) for name, value in hidden.items()} | changed
        return self.admin.send("/admin/people/import/confirm", fields)

    def emails(self) -> set[str]:
        with self.app.app_context():
            return {user.email for user in accounts.list_people().people}


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        yield _world(app)


def _world(app: Flask) -> World:
    with app.app_context():
        root, _ = makers.person("Root", is_admin=True), makers.person("Bo")
        return World(app, Desk(app, root), makers.group("Clients").id)


def words(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.replace("<wbr>", ""))).split())


def test_the_look_says_row_by_row_what_would_happen_and_does_nothing(world: World) -> None:
    answer = world.look()
    assert answer.status_code == 200
    said = words(answer.text)
    assert "1 person would be invited" in said
    assert "1 has an account , 1 of them would join groups." in said.replace("account,", "account ,")
    assert "3 nobody <script>alert(1)</script> There is no email address here." in said
    assert HOSTILE not in answer.text
    assert "4 ADA@example.org The same as line 1, whose groups are put together" in said
    assert "2 bo@example.org Joins Clients" in said
    assert "1 Ada Byron ada@example.org Clients" in said
    assert world.emails() == {"root@example.org", "bo@example.org"}


def test_one_press_does_all_of_it_and_shows_the_addresses_to_copy(world: World) -> None:
    answer = world.confirm(world.look())
    assert answer.status_code == 200
    said = words(answer.text)
    assert "1 person is invited" in said
    assert "1 person who had an account joined groups." in said
    addresses = re.findall(r'data-copy="http://localhost(/setup/[A-Za-z0-9_-]{43})"', answer.text)
    assert len(addresses) == 1
    assert "Ada Byron" in world.app.test_client().get(addresses[0]).text
    assert world.emails() == {"root@example.org", "bo@example.org", "ada@example.org"}
    assert "Ada Byron" in world.admin.read(f"/admin/groups/{world.clients}")


def test_where_mails_leave_no_address_stands_on_the_page(sqlite_settings: Settings) -> None:
    with makers.running(replace(sqlite_settings, mail_url="smtp://127.0.0.1:1")) as app:
        world = _world(app)
        answer = world.confirm(world.look())
        assert "Each gets a mail" in words(answer.text)
        assert "/setup/" not in answer.text


def test_pressed_twice_nobody_is_invited_twice(world: World) -> None:
    shown = world.look()
    assert world.confirm(shown).status_code == 200
    again = world.confirm(shown)
    assert again.status_code == 409
    assert sentence(again).startswith("Since you looked something changed for ada@example.org (line 1)")
    assert "Nobody would be invited" in words(again.text)


def test_what_was_not_shown_is_not_done(world: World) -> None:
    shown = world.look()
    answer = world.confirm(shown, people=LIST + "eve@example.org\n")
    assert answer.status_code == 409
    assert "eve@example.org" not in world.emails()
    without = world.admin.send("/admin/people/import/confirm", people=LIST)
    assert without.status_code == 409
    assert "ada@example.org" not in world.emails()


def test_a_file_is_read_like_what_is_pasted(world: World) -> None:
    content = "\ufeffemail;name;groups\r\nada@example.org;Ada;Clients\r\n".encode()
    answer = world.admin.send("/admin/people/import", files=[("people.csv", content)], field="file")
    assert "1 person would be invited" in words(answer.text)
    assert world.confirm(answer).status_code == 200
    assert "ada@example.org" in world.emails()


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"\xff\xfea\x00", 422, "This file is no text in UTF-8."),
        (b"Zo\xeb <zoe@example.org>", 422, "This file is no text in UTF-8."),
        (b"", 422, "There is nobody in this list."),
        (b"a\x00@example.org", 422, "A text holds characters that cannot be seen."),
    ],
)
def test_a_file_that_cannot_be_read_is_said_so(world: World, content: bytes, status: int, reason: str) -> None:
    answer = world.admin.send("/admin/people/import", files=[("people.csv", content)], field="file")
    assert answer.status_code == status
    assert sentence(answer).startswith(reason)


def test_a_list_and_a_file_are_one_too_many(world: World) -> None:
    data = {"csrf_token": world.admin.token(), "people": LIST, "file": (io.BytesIO(b"x@example.org"), "a.csv")}
    answer = world.admin.client.post("/admin/people/import", data=data)
    assert sentence(answer) == "Paste a list, or choose a file: one of the two."


@pytest.mark.parametrize(("groups", "status"), [("999", 404), ("x", 422)])
def test_a_group_that_is_not_there_is_refused(world: World, groups: str, status: int) -> None:
    answer = world.admin.send("/admin/people/import", people=LIST, groups=groups)
    assert answer.status_code == status


def test_ten_thousand_addresses_of_which_three_hundred_are_broken_go_through_the_page(world: World) -> None:
    lines = [f"broken {number}" if number % 33 == 0 else f"person.{number}@example.org" for number in range(9_900)]
    text = "\n".join([*lines, *(f"Q {number} <q{number}@example.org>" for number in range(100))])
    data = {"csrf_token": world.admin.token(), "people": text, "file": (io.BytesIO(b""), "")}
    answer = world.admin.client.post("/admin/people/import", data=data)
    said = words(answer.text)
    assert "9,700 people would be invited" in said
    assert "300 lines cannot be taken" in said
    assert answer.text.count('data-label="Line"') == 10_000
    hidden = dict(re.findall(r'<input type="hidden" name="(people|seal)" value="([^"]*)"', answer.text))
    fields: dict[str, object] = {name: html.unescape(value).replace("\n", "\r\n") for name, value in hidden.items()}
    fields |= {"csrf_token": world.admin.token(), "nothing": (io.BytesIO(b""), "")}
    done = world.admin.client.post("/admin/people/import/confirm", data=fields)
    assert "9,700 people are invited" in words(done.text)


def test_an_export_is_a_csv_that_import_takes(world: World) -> None:
    answer = world.admin.client.get("/admin/people/export.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="people.csv"'
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.text.splitlines()[1].startswith("bo@example.org,Bo,,waiting,no,")
    assert answer.data.startswith(b"\xef\xbb\xbf"), "Excel takes it for UTF-8 by these"
    assert "2 have an account , for whom nothing changes." in words(
        world.admin.send("/admin/people/import", people=answer.text).text
    ).replace("account,", "account ,")
    taken = world.admin.send("/admin/people/import", files=[("people.csv", answer.data)], field="file")
    assert "2 have an account" in words(taken.text)
    assert "cannot be taken" not in words(taken.text)
    assert "took the list of all people" in world.admin.read("/admin/log")


def test_the_list_of_people_leads_to_both(world: World) -> None:
    page = world.admin.read("/admin/people")
    assert 'href="/admin/people/import"' in page
    assert 'href="/admin/people/export.csv"' in page


def test_the_way_back_from_the_preview_keeps_the_list_and_the_groups(world: World) -> None:
    preview = world.admin.send("/admin/people/import", people=LIST, groups=world.clients).text
    assert '<button class="button quiet" formaction="/admin/people/import" name="back" value="1">' in preview

    page = world.admin.send("/admin/people/import", people=LIST, groups=world.clients, back="1").text

    assert "See what it would do" in page
    assert LIST.strip() in html.unescape(page)
    assert f'value="{world.clients}" checked' in page
