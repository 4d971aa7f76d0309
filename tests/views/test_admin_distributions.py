"""Distributions, on pages: files dropped, whose they are said, looked at, given out, and what became of each."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Select, func, select, update
from werkzeug.test import TestResponse

from portal.extensions import db, transaction
from portal.models import MANAGE, PUBLISH, Category, Distribution, Document, Grant, Mail, Upload
from portal.settings import Settings
from portal.uploads import distributing
from portal.uploads.distributing import running
from tests import makers
from tests.uploads.dropping import PDF, employee
from tests.views.desk import Desk, FormReader, said

PATTERN = "{reference}_*.pdf"


@dataclass
class World:
    """Mia manages payroll; Ada is known by 4711."""

    app: Flask
    mia: Desk
    pia: Desk
    ada: Desk

    def begin(self) -> str:
        """The address of a new distribution."""
        answer = self.mia.send("/admin/distributions", title="Payslips March", category="payroll")
        assert answer.status_code == 303, answer.text
        return str(answer.location)

    def filled(self, **files: bytes) -> str:
        """One with these files for whom the pattern says."""
        path = self.begin()
        named = [(f"{name.lstrip('_')}.pdf", content) for name, content in files.items()]
        assert self.mia.send(f"{path}/files", files=named).status_code == 303
        assert self.mia.send(f"{path}/whose", pattern=PATTERN).status_code == 303
        return path

    def rows(self, statement: Select[Any]) -> list[Any]:
        """What is in the database."""
        with self.app.app_context():
            return list(db.session.scalars(statement))

    def start(self, path: str, **fields: object) -> TestResponse:
        """Press the button below what would become of the files."""
        return self.mia.send(f"{path}/start", {**self.fields(path), **fields})

    def fields(self, path: str) -> dict[str, str]:
        """What a browser sends when nothing on the page is touched."""
        reader = FormReader(f"{path}/files")
        reader.feed(self.mia.client.get(path).text)
        return reader.fields


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            payroll = makers.category("payroll")
            mia, pia = makers.person("Mia"), makers.person("Pia")
            makers.grant(payroll, user=mia, permission=MANAGE)
            makers.grant(payroll, user=pia, permission=PUBLISH)
            ada = employee("Ada", "4711")
            desks = [Desk(app, one) for one in (mia, pia, ada)]
        yield World(app, *desks)


def text(page: str) -> str:
    """The words of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.replace("<wbr>", "")).split())


def test_from_the_first_page_to_what_the_person_reads(world: World) -> None:
    assert "Nothing was distributed yet" in world.mia.read("/admin/distributions")
    path = world.filled(_4711_march=PDF, other=PDF + b"other")

    page = world.mia.read(path)
    assert "Nobody has been given anything yet" in page
    assert "1 file goes to 1 person" in page
    assert "Its name does not follow the pattern." in page
    assert "Give out 1 file" in page
    assert world.start(path).status_code == 303

    page = world.mia.read(path)
    assert "is given out" in page
    assert "The mail to each person with something new was only printed where the worker runs" in page
    assert "4711 march" in world.ada.read("/documents")
    assert "Done" in world.mia.read("/admin/distributions")
    assert "4711_march.pdf,9,new,Ada,1,,no" in world.mia.client.get(f"{path}/report.csv").text


def test_who_has_theirs_and_who_has_not_stands_on_the_page_and_leads_to_the_list(world: World) -> None:
    with world.app.app_context():
        employee("Bob", "4712")
    path = world.filled(_4711_march=PDF, _4712_march=PDF + b"b")
    world.start(path)
    (paper,) = world.rows(select(Document.uuid).where(Document.filename == "4711_march.pdf"))
    assert "Two of two people have not downloaded theirs yet." in text(world.mia.read(path))
    assert "Nobody is like that." in world.mia.read(f"{path}/people?state=has")

    assert world.ada.client.get(f"/documents/{paper}/download").status_code == 200

    page = world.mia.read(path)
    assert "One of two people has not downloaded theirs yet." in text(page)
    assert all(f'href="{path}/people{state}"' in page for state in ("", "?state=none", "?state=has"))
    without, having = (text(world.mia.read(f"{path}/people?state={state}")) for state in ("none", "has"))
    assert "Bob bob@example.org · 4712 Not yet 4712_march.pdf" in without
    assert "ada@example.org" not in without
    assert "Ada ada@example.org · 4711 Downloaded 4711_march.pdf Today" in having
    assert "4711_march.pdf,9,new,Ada,1,,yes" in world.mia.client.get(f"{path}/report.csv").text


def test_who_may_not_distribute_there_any_more_is_not_told_who_has_theirs(world: World) -> None:
    path = world.filled(_4711_march=PDF)
    world.start(path)
    with world.app.app_context(), transaction() as session:
        session.execute(update(Grant).where(Grant.permission == MANAGE).values(permission=PUBLISH))

    assert "Who has theirs" not in world.mia.read(path)
    assert world.mia.client.get(f"{path}/people").status_code == 403
    assert world.pia.client.get(f"{path}/people").status_code == 404


def test_before_anything_is_given_out_nobody_is_missed(world: World) -> None:
    path = world.filled(_4711_march=PDF)

    assert "Nobody was given anything" in world.mia.read(f"{path}/people")


def test_a_table_says_whose_the_files_are(world: World) -> None:
    path = world.begin()
    world.mia.send(f"{path}/files", files=[("march.pdf", PDF)])
    table = ("lines.csv", b"filename;person;title\nmarch.pdf;ada@example.org;Your payslip\ngone.pdf;4711;\n")

    assert world.mia.send(f"{path}/whose", files=[table], field="lines").status_code == 303

    page = world.mia.read(path)
    assert "A table with 2 lines says it." in page
    assert "Your payslip" in page
    assert "gone.pdf" in world.mia.read(f"{path}?outcome=lines")
    world.start(path)
    assert world.rows(select(Document.title)) == ["Your payslip"]


def test_a_wrong_table_is_refused_with_its_lines_and_nothing_changes(world: World) -> None:
    path = world.filled(_4711_march=PDF)

    answer = world.mia.send(f"{path}/whose", files=[("a.csv", b"filename,person\n,1\nx.pdf,\n")], field="lines")

    assert answer.status_code == 422
    assert "Line 2: There is no filename." in answer.text
    assert "Line 3: It does not say whose the file is." in answer.text
    assert PATTERN in world.mia.read(path)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [({}, "Choose a table, or write a pattern."), ({"pattern": "*.pdf"}, "Write {reference} or {email} once")],
)
def test_what_says_nothing_is_refused(world: World, fields: dict[str, str], sentence: str) -> None:
    answer = world.mia.send(f"{world.begin()}/whose", fields)

    assert answer.status_code == 422
    assert sentence in answer.text


def test_a_pattern_and_a_table_are_too_much(world: World) -> None:
    answer = world.mia.send(f"{world.begin()}/whose", {"pattern": PATTERN}, files=[("a.csv", b"x")], field="lines")

    assert answer.status_code == 422
    assert "one of the two" in answer.text


def test_a_file_that_is_not_what_its_name_says_is_listed_and_the_others_are_taken(world: World) -> None:
    path = world.filled(_4711_april=PDF, _4711_bad=b"MZ")

    page = world.mia.read(f"{path}?outcome=refused")
    assert "4711_bad.pdf is not what its name says" in page
    assert "4711_april.pdf" not in page
    assert world.rows(select(Upload.state).order_by(Upload.id)) == ["refused", "arrived"]


def test_files_that_were_chosen_come_along_whichever_button_is_pressed(world: World) -> None:
    path = world.begin()

    world.mia.send(f"{path}/whose", {"pattern": PATTERN}, files=[("4711_april.pdf", PDF)])
    assert "1 file goes to 1 person" in world.mia.read(path)
    upload_id = world.rows(select(Upload.id))[0]
    world.mia.send(f"{path}/files/{upload_id}/remove", files=[("4711_may.pdf", PDF + b"may")])

    page = world.mia.read(path)
    assert ("4711_may.pdf" in page, "4711_april.pdf" in page) == (True, False)


def test_what_says_whose_they_are_comes_along_with_the_files(world: World) -> None:
    path = world.begin()

    assert world.mia.send(f"{path}/files", {"pattern": PATTERN}, files=[("4711_april.pdf", PDF)]).status_code == 303
    assert "1 file goes to 1 person" in world.mia.read(path)


def test_files_that_come_with_the_last_button_are_looked_at_before_anything_is_given_out(world: World) -> None:
    path = world.filled(_4711_march=PDF)

    answer = world.mia.send(f"{path}/start", world.fields(path), files=[("4711_april.pdf", PDF + b"april")])

    assert answer.status_code == 409
    assert "2 files go to 1 person" in answer.text
    assert world.rows(select(func.count()).select_from(Document)) == [0]


def test_files_stay_when_the_table_beside_them_is_refused(world: World) -> None:
    path = world.begin()
    table = {"lines": (io.BytesIO(b"filename,person\n,1\n"), "a.csv")}

    answer = world.mia.send(f"{path}/whose", table, files=[("march.pdf", PDF)])

    assert answer.status_code == 422
    assert "1 file is here" in answer.text


def test_the_page_is_one_form_for_a_browser_forgets_what_was_chosen_in_another(world: World) -> None:
    path = world.filled(_4711_march=PDF)

    forms = re.findall(r'<form [^>]*action="([^"]+)"', world.mia.read(path).partition("<main")[2])

    assert forms == [f"{path}/files", f"{path}/drop"]


def test_the_tick_for_the_mail_stays_as_it_was_set(world: World) -> None:
    path = world.filled(_4711_march=PDF)
    fields = world.fields(path)
    del fields["notice"]

    world.mia.send(f"{path}/files", fields, files=[("4711_april.pdf", PDF)])

    assert world.rows(select(Distribution.wants_notice)) == [False]


def test_nothing_at_all_is_refused(world: World) -> None:
    answer = world.mia.send(f"{world.begin()}/files")

    assert answer.status_code == 400
    assert "No document came with the form. Choose one." in answer.text


def test_a_file_can_be_taken_out_again(world: World) -> None:
    path = world.filled(_4711_april=PDF)
    upload_id = world.rows(select(Upload.id))[0]

    assert world.mia.send(f"{path}/files/{upload_id}/remove").status_code == 303
    assert "4711_april.pdf" not in world.mia.read(path)


def test_nobody_is_written_a_mail_without_the_tick(world: World) -> None:
    path = world.filled(_4711_march=PDF)
    reader = FormReader(f"{path}/files")
    reader.feed(world.mia.client.get(path).text)
    del reader.fields["notice"]

    world.mia.send(f"{path}/start", reader.fields)

    assert world.rows(select(func.count()).select_from(Mail)) == [0]
    assert "Nobody was written a mail." in world.mia.read(path)


def test_what_came_meanwhile_is_looked_at_first(world: World) -> None:
    path = world.filled(_4711_march=PDF)
    reader = FormReader(f"{path}/files")
    reader.feed(world.mia.client.get(path).text)
    world.mia.send(f"{path}/files", files=[("4711_april.pdf", PDF)])

    answer = world.mia.send(f"{path}/start", reader.fields)

    assert answer.status_code == 409
    assert "Look at it once more." in answer.text
    assert "Give out 2 files" in answer.text


def test_a_long_one_shows_how_far_it_is_and_can_be_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "AT_ONCE", 0)
    path = world.filled(_4711_march=PDF)
    world.start(path)

    answer = world.mia.client.get(path)
    assert "0 of 1 file is done" in answer.text
    assert "Who has theirs" not in answer.text
    assert answer.headers["Refresh"] == "3"
    world.mia.send(f"{path}/stop")
    with world.app.app_context():
        distributing.run_distributions(lambda: False)

    assert "was stopped" in world.mia.read(path)
    assert "Refresh" not in world.mia.client.get(path).headers


def test_one_given_up_leads_back_to_the_list(world: World) -> None:
    path = world.filled(_4711_march=PDF)

    answer = world.mia.send(f"{path}/drop")

    assert "Nobody was given anything." in said(world.mia, answer)
    assert "was cancelled" in world.mia.read(path)
    assert world.mia.send(f"{path}/files", files=[("b.pdf", PDF)]).status_code == 409


def test_lists_have_pages_that_add_up(world: World) -> None:
    path = world.begin()
    world.mia.send(f"{path}/files", files=[(f"{number:03}.pdf", PDF) for number in range(120)])

    assert "1 to 50 of 120" in world.mia.read(path)
    assert "101 to 120 of 120" in world.mia.read(f"{path}?outcome=unmatched&from=100")


def test_it_is_nobody_elses(world: World) -> None:
    path = world.filled(_4711_march=PDF)

    assert world.pia.client.get(path).status_code == 404
    assert world.ada.client.get(path).status_code == 404
    assert world.pia.client.get(f"{path}/report.csv").status_code == 404
    assert world.pia.send(f"{path}/files", files=[("b.pdf", PDF)]).status_code == 404


def test_whoever_only_publishes_is_told_that_it_needs_more(world: World) -> None:
    assert "There is no category you may manage" in world.pia.read("/admin/distributions/new")
    answer = world.pia.send("/admin/distributions", title="Payslips", category="payroll")
    assert answer.status_code == 403
    assert world.rows(select(func.count()).select_from(Distribution)) == [0]


def test_a_category_that_is_not_there_is_said_beside_its_field(world: World) -> None:
    assert world.mia.send("/admin/distributions", title="x", category="nowhere").status_code == 404
    assert world.mia.send("/admin/distributions", title="x", category="").status_code == 422
    assert world.mia.send("/admin/distributions", title="", category="payroll").status_code == 422


def test_what_is_in_it_is_not_told_to_whoever_manages_the_category_above(world: World) -> None:
    path = world.filled(_4711_march=PDF)
    world.start(path)

    assert "payroll/Ada" in world.rows(select(Category.path))
    assert world.mia.client.get("/categories/payroll/Ada").status_code == 404
    assert "/documents/" not in world.mia.read(path)
