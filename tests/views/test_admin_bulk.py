"""Many documents at once, on pages: ticked or found, looked at, changed, and what became of each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.catalog import bulk_edits, change_document, trash_document
from portal.catalog.bulk_edits import planning, running
from portal.extensions import db, transaction
from portal.models import PUBLISH, READ, BulkEdit, Document
from portal.search import catch_up, queue_documents
from portal.settings import Settings
from tests import makers
from tests.views.desk import Desk, FormReader, said, sentence


@dataclass
class World:
    """Three documents in a category where Pam publishes and Rob reads."""

    app: Flask
    publisher: Desk
    reader: Desk
    ids: list[int]

    def choose(self, **fields: object) -> str:
        """The address of what was planned."""
        answer = self.publisher.send("/admin/bulk", fields or {"document": self.ids})
        assert answer.status_code == 303, answer.text
        return str(answer.location)

    def wish(self, path: str, **fields: object) -> TestResponse:
        """Say what should change, as the form stands there but for these fields."""
        return self.publisher.send(f"{path}/changes", {**self.form(path), **fields})

    def form(self, path: str) -> dict[str, str]:
        """What stands in the form that says what should change, without the other one there, for the trash."""
        reader = FormReader(f"{path}/changes")
        reader.feed(self.publisher.client.get(f"{path}/changes").text)
        reader.fields.pop("trash")
        return reader.fields

    def start(self, path: str) -> TestResponse:
        """Press the button below what would change."""
        reader = FormReader(f"{path}/start")
        reader.feed(self.publisher.client.get(path).text)
        return self.publisher.send(f"{path}/start", reader.fields)

    def documents(self) -> list[Document]:
        with self.app.app_context():
            return list(db.session.scalars(select(Document).where(Document.id.in_(self.ids)).order_by(Document.id)))


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            pam, rob = makers.person("Pam"), makers.person("Rob")
            shelf, target = makers.category("reports"), makers.category("done")
            for one in (shelf, target):
                makers.grant(one, user=pam, permission=PUBLISH)
            makers.grant(shelf, user=rob, permission=READ)
            ids = [makers.document(shelf, f"{name}.pdf").id for name in ("annual", "minutes", "prices")]
            made = World(app, Desk(app, pam), Desk(app, rob), ids)
        yield made


def text(page: str) -> str:
    """The words of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.replace("<wbr>", "")).split())


def test_ticked_documents_are_looked_at_and_then_changed(world: World) -> None:
    with world.app.app_context():
        makers.document(makers.category("done"), "prices.pdf", b"%PDF other")
    path = world.choose()
    assert "What should change in 3 documents?" in text(world.publisher.read(f"{path}/changes"))

    assert world.wish(path, category="done", add_tags="moved").status_code == 303
    look = text(world.publisher.read(path))
    assert "2 of 3 documents would change Nothing has been done yet." in look
    assert "They go to done . Who may see it decides who sees them." in look
    assert "They get the tag moved ." in look
    assert "1: The category it should go to has a document of its filename. prices" in look
    assert [one.category_id for one in world.documents()] == [1, 1, 1]

    assert world.start(path).status_code == 303
    report = text(world.publisher.read(path))
    assert "2 documents were changed" in report
    assert "2 changed 0 stayed as they were 1 refused" in report
    assert "They went to done . They got the tag moved ." in report
    assert "1 The category it should go to has a document of its filename." in report
    assert [one.category_id for one in world.documents()] == [2, 2, 1]
    assert "minutes" not in text(world.publisher.read(f"{path}?outcome=refused"))


def test_nothing_ticked_is_said(world: World) -> None:
    answer = world.publisher.send("/admin/bulk", {})

    assert (answer.status_code, sentence(answer)) == (422, "Choose at least one document.")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "Choose what should change."),
        ({"visible": "at"}, "Say from when."),
        ({"ends": "at"}, "Say until when."),
        ({"asked": "person"}, "Say who."),
        ({"add_tags": "a:b"}, "A tag has no commas, colons or quotes in it: “a:b”."),
        ({"category": "nowhere"}, "There is no such category."),
    ],
    ids=["nothing", "no moment", "no end", "nobody", "no tag", "nowhere"],
)
def test_a_form_that_cannot_be_taken_is_shown_again(world: World, fields: dict[str, str], told: str) -> None:
    path = world.choose()
    answer = world.wish(path, **fields)

    assert answer.status_code in (404, 422)
    assert sentence(answer) == told
    assert all(f'value="{value}"' in answer.text for value in fields.values() if value != "nowhere")


def test_what_was_chosen_stands_in_the_form_when_one_comes_back_to_it(world: World) -> None:
    path = world.choose()
    world.wish(path, category="done", add_tags="a, b", visible="draft")

    found = world.form(path)

    assert found | {"category": "done", "add_tags": "a, b", "visible": "draft"} == found


def test_what_was_chosen_anew_in_another_window_is_not_begun_unseen(world: World) -> None:
    path = world.choose()
    world.wish(path, add_tags="a")
    reader = FormReader(f"{path}/start")
    reader.feed(world.publisher.client.get(path).text)
    world.publisher.send(f"{path}/changes", {"trash": "1"})

    answer = world.publisher.send(f"{path}/start", reader.fields)

    assert (answer.status_code, sentence(answer)) == (409, running.NOT_AS_SEEN)
    assert "They go into the trash." in text(answer.text)
    assert not any(one.trashed_at for one in world.documents())


def test_all_in_a_category_and_all_that_is_found_can_be_chosen(world: World) -> None:
    category, found = world.choose(all="1", category="1"), world.choose(all="1", query="minutes")

    page = text(world.publisher.read(f"{category}/changes"))
    assert "What should change in 3 documents? All in reports and below it that you may publish." in page
    page = text(world.publisher.read(f"{found}/changes"))
    assert "What should change in 1 document? All that “ minutes ” finds and you may publish." in page


def test_all_that_is_found_is_what_was_asked_for_and_nothing_like_it(world: World) -> None:
    with world.app.app_context():
        catch_up(lambda: False)
    found = world.choose(all="1", query="type:pdf -minutes")

    assert "What should change in 2 documents?" in text(world.publisher.read(f"{found}/changes"))
    answer = world.publisher.send("/admin/bulk", all="1", query="minuets")
    assert (answer.status_code, sentence(answer)) == (422, "Choose at least one document.")


def test_what_waits_to_be_indexed_is_left_out_and_said_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "CATCH_UP_SECONDS", 0.0)
    with world.app.app_context():
        catch_up(lambda: False)
        change_document(None, world.ids[0], title="Anew")
        with transaction():
            queue_documents(Document.id == world.ids[0])
    found = world.choose(all="1", query="type:pdf")

    page = text(world.publisher.read(f"{found}/changes"))
    assert "What should change in 2 documents?" in page
    assert "1 document was changed a moment ago and not looked through yet" in page
    assert "it is left out." in page


def test_the_page_of_a_search_leads_publishers_to_a_change_of_all_it_found(world: World) -> None:
    page = world.publisher.client.get("/search?q=minutes").text
    reader = FormReader("/admin/bulk")
    reader.feed(page[page.index("Searched titles") :])

    assert "Change all that was found…" in page
    assert (reader.fields["all"], reader.fields["query"]) == ("1", "minutes")
    assert "/admin/bulk" not in world.reader.client.get("/search?q=minutes").text


def test_a_large_change_says_how_far_it_is_without_a_script_and_can_be_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "AT_ONCE", 0)
    path = world.choose()
    world.wish(path, add_tags="a")
    world.start(path)
    with world.app.app_context():
        edit_id = db.session.scalars(select(BulkEdit.id)).one()
        running._step(edit_id)

    answer = world.publisher.client.get(path)
    assert "1 of 3 documents is done" in text(answer.text)
    assert answer.headers["Refresh"] == "3"
    world.publisher.send(f"{path}/stop")

    answer = world.publisher.client.get(path)
    assert "Stopped after 1 of 3 documents" in text(answer.text)
    assert "2 documents were left as they were." in text(answer.text)
    assert "Refresh" not in answer.headers
    assert "They got the tag a. Stopped at 1 of 3 3" in text(world.publisher.read("/admin/bulk"))


def test_a_plan_that_is_dropped_is_gone(world: World) -> None:
    path = world.choose()

    assert said(world.publisher, world.publisher.send(f"{path}/drop")) == "All documents stay as they are."
    assert world.publisher.client.get(path).status_code == 404


def test_nobody_else_sees_or_begins_a_plan(world: World) -> None:
    path = world.choose()
    with world.app.app_context():
        sue = makers.person("Sue")
        makers.grant(makers.category("reports"), user=sue, permission=PUBLISH)
        other = Desk(world.app, sue)

    assert other.client.get(path).status_code == 404
    assert other.send(f"{path}/start").status_code == 404
    assert other.send(f"{path}/drop").status_code == 404


def test_publishers_have_boxes_and_readers_do_not(world: World) -> None:
    for path in ("/documents", "/categories/reports", "/search?q=annual"):
        page = world.publisher.read(path)
        assert 'action="/admin/bulk"' in page
        assert '<input type="checkbox" name="document"' in page
        assert "/admin/bulk" not in world.reader.read(path)
    assert "Change all that was found…" in world.publisher.read("/search?q=annual")
    assert 'name="document"' not in world.reader.read("/documents")


def test_several_are_brought_back_from_the_trash_after_a_look(world: World) -> None:
    with world.app.app_context():
        for document_id in world.ids:
            trash_document(None, document_id)
    page = text(world.publisher.read("/admin/trash")).replace("\xa0", " ")
    assert re.search(r"reports / annual\.pdf Since \d+ \w+ \. Gone for good on \d+ \w+ \. Bring back", page)

    path = world.choose(back="1", document=world.ids[:2])
    assert "All 2 documents would come back" in text(world.publisher.read(path))
    world.start(path)

    assert [one.trashed_at is None for one in world.documents()] == [True, True, False]
    assert "2 documents were brought back" in text(world.publisher.read(path))


def test_all_that_the_trash_shows_can_come_back_and_no_more(world: World) -> None:
    with world.app.app_context():
        for document_id in world.ids:
            trash_document(None, document_id)
    fields = {"back": "1", "all": "1"}

    found = world.publisher.send("/admin/bulk?q=minutes&category=1", fields)
    assert "The document would come back" in text(world.publisher.read(found.location))
    assert "All 3 documents would come back" in text(
        world.publisher.read(world.publisher.send("/admin/bulk", fields).location)
    )
    assert world.publisher.send("/admin/bulk?category=99", fields).status_code == 422


def test_the_trash_is_narrowed_by_what_stands_in_the_address(world: World) -> None:
    with world.app.app_context():
        for document_id in world.ids:
            trash_document(None, document_id)

    assert "annual.pdf" not in world.publisher.read("/admin/trash?q=minutes")
    assert "minutes.pdf" in world.publisher.read("/admin/trash?q=minutes&category=1&from=2020-01-01")
    assert "Nothing in the trash is like that" in world.publisher.read("/admin/trash?to=2020-01-01")
    assert "Nothing in the trash is like that" in world.publisher.read("/admin/trash?by=pam")


def test_the_log_says_that_many_were_changed(world: World) -> None:
    path = world.choose()
    world.wish(path, add_tags="a")
    world.start(path)
    with world.app.app_context():
        admin = Desk(world.app, makers.person("Root", is_admin=True))

    assert "Pam began to change 3 documents at once" in text(admin.read("/admin/log?action=bulk.started"))
    assert bulk_edits.LOOK == "bulk"
