"""What is said about documents on pages: the forms that say it, and the page of a document that shows it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import select

from portal import catalog
from portal.accounts import disable_user
from portal.catalog import find_responsible
from portal.downloads import Claim, ledger
from portal.extensions import db, transaction
from portal.models import PUBLISH, CategoryField, Document, FieldValue
from portal.settings import Settings
from tests import makers
from tests.databases import traced
from tests.views.desk import Desk, left_in_tmp, sentence


@dataclass
class World:
    """A document on a shelf that asks for a number, a day and a state; who publishes there, and who only reads."""

    app: Flask
    document_id: int
    shelf_id: int
    fields: dict[str, int]
    ada: Desk
    bo: Desk

    @property
    def path(self) -> str:
        return f"/documents/{self.document().uuid}"

    def document(self) -> Document:
        with self.app.app_context():
            return db.session.get_one(Document, self.document_id)

    def said(self) -> tuple[list[str], dict[str, str]]:
        """Its tags, and what stands in its fields."""
        with self.app.app_context():
            tags = catalog.list_tags([self.document_id]).get(self.document_id, [])
            values = catalog.list_values([self.document_id]).get(self.document_id, [])
            return [tag.name for tag in tags], {field.name: value for field, value in values}

    def edit(self, **changed: str) -> dict[str, object]:
        """The fields of the edit form that must be there, and what is changed, a field of the shelf by its name."""
        named = {
            f"field-{self.fields[name]}" if name in self.fields else name: value for name, value in changed.items()
        }
        document = self.document()
        return {"title": document.title, "filename": document.filename, **named}


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            shelf, ada, bo = makers.category("reports"), makers.person("Ada Byron"), makers.person("Bo")
            makers.grant(shelf, user=ada, permission=PUBLISH)
            makers.grant(shelf, user=bo)
            with transaction() as session:
                kinds = {"Amount": "number", "Due": "date", "State": "choice"}
                asked = [
                    CategoryField(category_id=shelf.id, name=name, name_key=name.casefold(), kind=kind,
                                  choices="Open\nPaid", position=position)
                    for position, (name, kind) in enumerate(kinds.items())
                ]  # fmt: skip
                session.add_all(asked)
                session.flush()
                fields = {one.name: one.id for one in asked}
            document = makers.document(shelf, "report.pdf")
            world = World(app, document.id, shelf.id, fields, Desk(app, ada), Desk(app, bo))
        yield world


def value_of(page: str, name: str) -> str:
    """What stands in a field of a form."""
    found = re.search(rf'<input id="{name}"[^>]* value="([^"]*)"', page)
    assert found is not None, name
    return found[1]


def test_everything_is_said_with_one_form_and_stands_in_it_again(world: World) -> None:
    said = {"reference": " R 7", "tags": "Budget, annual", "responsible": "ada byron"}

    answer = world.ada.send(f"{world.path}/edit", world.edit(**said, Amount="1.234,50", Due="2026-11-30", State="Paid"))

    assert answer.status_code == 303
    document = world.document()
    assert (document.reference, document.responsible_id is not None) == ("R 7", True)
    assert world.said() == (["annual", "Budget"], {"Amount": "1234.5", "Due": "2026-11-30", "State": "Paid"})
    page = world.ada.read(f"{world.path}/edit")
    assert value_of(page, "tags") == "annual, Budget"
    assert value_of(page, "responsible") == "Ada Byron"
    assert value_of(page, f"field-{world.fields['Amount']}") == "1234.5"
    assert 'type="date"' in page
    assert '<option value="Paid" selected>' in page


def test_a_form_saved_as_it_stands_changes_nothing(world: World) -> None:
    world.ada.send(f"{world.path}/edit", world.edit(tags="Budget", responsible="Ada Byron", Amount="7"))
    with world.app.app_context():
        makers.change(db.session.get_one(CategoryField, world.fields["State"]), choices="Lost")
    before = world.said(), world.document().responsible_id

    assert world.ada.save(f"{world.path}/edit").status_code == 303

    assert (world.said(), world.document().responsible_id) == before


def test_a_program_that_sends_fewer_fields_leaves_the_rest_alone(world: World) -> None:
    world.ada.send(f"{world.path}/edit", world.edit(reference="R7", tags="Budget", responsible="Ada Byron", Amount="7"))

    world.ada.send(f"{world.path}/edit", world.edit(title="Another"))

    document = world.document()
    assert (document.title, document.reference, document.responsible_id is None) == ("Another", "R7", False)
    assert world.said() == (["Budget"], {"Amount": "7"})


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("tags", "good, b:d", "A tag has no commas, colons or quotes in it: “b:d”."),
        ("responsible", "Nobody Such", "Nobody with an open account has this name or address. Write all of it."),
        ("reference", "x" * 101, "This has at most 100 characters that can be seen."),
        (
            "Amount",
            "1,234",
            "This may be read in two ways. Write the number with a point and nothing between thousands",
        ),
        ("Due", "30.11.2026", "This is not a date. Write it as 2026-11-30."),
        ("State", "Lost", "Choose one of what is offered here."),
    ],
)
def test_wrong_input_keeps_everything_typed_and_points_to_its_field(
    world: World, name: str, text: str, words: str
) -> None:
    fields = world.edit(**{"title": "Typed title", "tags": "typed", name: text})

    answer = world.ada.send(f"{world.path}/edit", fields)

    page, field = unescape(answer.text), f"field-{world.fields[name]}" if name in world.fields else name
    assert answer.status_code == 422
    assert sentence(answer).startswith(words)
    assert f'<a href="#{field}">' in page
    assert f'id="{field}-wrong"' in page
    assert 'value="Typed title"' in page
    if name != "State":
        assert value_of(page, field) == text
    assert world.said() == ([], {})


def test_the_form_offers_tags_and_people(world: World) -> None:
    world.ada.send(f"{world.path}/edit", world.edit(tags="Budget"))

    page = world.ada.read(f"{world.path}/edit")

    assert '<option value="Budget">' in page
    assert '<option value="Ada Byron">' in page
    assert '<option value="Bo">' not in page


def test_the_page_shows_what_is_said_to_readers(world: World) -> None:
    said = {"reference": "R 7", "tags": "Annual report, budget", "responsible": "Ada Byron"}
    world.ada.send(f"{world.path}/edit", world.edit(**said, Amount="1234.5", Due="2026-11-30"))

    page = world.bo.read(world.path)

    facts = re.sub(r"<dt>|<dd[^>]*>", "|", page[page.index('<dl class="facts">') : page.index("<dt>Filename")])
    lines = re.sub(r"<[^>]+>", "", facts).replace("\n", "").split("|")[-10:]
    assert [line.strip() for line in lines] == [
        *("Responsible", "Ada Byron", "Reference", "R 7", "Amount", "1234.5", "Due", "30\u00a0November\u00a02026"),
        *("Tags", "Annual report, budget"),
    ]
    assert "/search?q=tag:budget" in page
    assert "/search?q=tag:%22Annual+report%22" in page
    assert "ada.byron@" not in page


def test_nobody_is_named_whose_account_is_closed(world: World) -> None:
    world.ada.send(f"{world.path}/edit", world.edit(responsible="Bo"))
    with world.app.app_context():
        bo = world.document().responsible_id
        assert bo is not None
        disable_user(None, bo)

    assert "Responsible" not in world.ada.read(world.path)
    form = world.ada.read(f"{world.path}/edit")
    assert value_of(form, "responsible") == "Bo"
    assert "The account of Bo is closed, so readers see nobody." in form


def test_the_page_costs_a_few_queries_however_much_there_is_to_show(world: World) -> None:
    with world.app.app_context():
        who = makers.actor(find_responsible("Bo") or makers.person())
        for number in range(30):
            made = makers.document(catalog.get_category(world.shelf_id), "report.pdf", f"%PDF {number}".encode())
            claim = Claim(key=who.key, user_id=who.user_id, network="", agent="")
            ledger.begin(claim, makers.edition(made), [(0, 1)], [(0, 1)])
        catalog.change_document(None, world.document_id, tags=[f"tag {number}" for number in range(30)])
        with transaction() as session:
            for number in range(30):
                name = f"Field {number}"
                asked = CategoryField(category_id=world.shelf_id, name=name, name_key=name.lower(), kind="text")
                session.add(asked)
                session.flush()
                session.add(FieldValue(document_id=world.document_id, field_id=asked.id, value="x"))
    path = world.path

    for desk, most in ((world.bo, 5), (world.ada, 6)):
        for query in ("", "?before=20"):
            desk.read(path)
            with traced(world.app) as statements:
                page = desk.read(path + query)
            assert page.count("tag:") == 30
            assert page.count("Field ") == 30
            assert len(statements) <= most, "\n\n".join(statements)


def test_an_upload_says_the_same_of_each_document_and_when_readers_see_it(world: World) -> None:
    fields = {"category": "reports", "tags": "Budget, 2026", "published_at": "2999-01-01T09:00"}
    files = [("one.txt", b"1"), ("two.txt", b"2")]

    answer = world.ada.send("/admin/upload", {**fields, "expires_at": "2999-02-01T09:00"}, files=files)

    assert answer.status_code == 200
    with world.app.app_context():
        named = select(Document).where(Document.filename.in_(["one.txt", "two.txt"])).order_by(Document.filename)
        made = list(db.session.scalars(named))
        assert [one.title for one in made] == ["one", "two"]
        assert {one.published_at for one in made} == {datetime(2999, 1, 1, 9, tzinfo=UTC)}
        assert {one.expires_at for one in made} == {datetime(2999, 2, 1, 9, tzinfo=UTC)}
        tags = catalog.list_tags(one.id for one in made)
        assert [[tag.name for tag in tags[one.id]] for one in made] == [["2026", "Budget"]] * 2


def test_one_document_may_come_with_its_reference(world: World) -> None:
    fields = {"category": "reports", "reference": " R 7 "}
    world.ada.send("/admin/upload", fields, files=[("one.txt", b"1")])

    refused = world.ada.send("/admin/upload", fields, files=[("two.txt", b"2"), ("three.txt", b"3")])

    assert sentence(refused) == "A reference is for one document. Choose one, or leave it empty."
    with world.app.app_context():
        references = select(Document.filename, Document.reference).where(Document.reference != "")
        assert db.session.execute(references).all() == [("one.txt", "R 7")]


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("tags", {"tags": "a:b"}),
        ("published_at", {"draft": "1", "published_at": "2999-01-01T09:00"}),
        ("expires_at", {"published_at": "2999-01-02T09:00", "expires_at": "2999-01-01T09:00"}),
        ("reference", {"reference": "x" * 101}),
    ],
)
def test_an_upload_with_a_wrong_field_takes_nothing_in_and_points_to_it(
    world: World, field: str, fields: dict[str, str]
) -> None:
    answer = world.ada.send("/admin/upload", {"category": "reports", **fields}, files=[("one.txt", b"1")])

    assert answer.status_code == 422
    assert f'<a href="#{field}">' in answer.text
    assert all(f'value="{value}"' in answer.text for value in fields.values())
    assert left_in_tmp(world.app) == []
    with world.app.app_context():
        assert db.session.scalars(select(Document.filename)).all() == ["report.pdf"]


def test_forms_say_what_the_category_does_where_nothing_is_said(world: World) -> None:
    with world.app.app_context():
        shelf = catalog.get_category(world.shelf_id)
        makers.change(shelf, expiry_days=30, allowed_types="pdf txt")
        makers.change(db.session.get_one(Document, world.document_id), published_at=None)
    words = "Left empty, that is 30 days after a document comes out, as the category has it."

    assert words in world.ada.read(f"{world.path}/edit")
    upload = world.ada.read("/admin/upload")
    assert words in upload
    assert "It takes PDF, TXT." in upload


def test_a_draft_that_comes_out_by_the_form_gets_the_end_of_its_category_unless_one_is_said(world: World) -> None:
    with world.app.app_context():
        makers.change(catalog.get_category(world.shelf_id), expiry_days=30)
        makers.change(db.session.get_one(Document, world.document_id), published_at=None)

    world.ada.send(f"{world.path}/edit", world.edit(visible="at", published_at="2999-01-01T09:00", expires_at=""))
    assert world.document().expires_at == datetime(2999, 1, 31, 9, tzinfo=UTC)
    world.ada.send(f"{world.path}/edit", world.edit(visible="keep", published_at="2999-01-01T09:00", expires_at=""))
    assert world.document().expires_at is None
