"""What publishers do with one document: change, add a version, move, trash, and link to it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from portal.catalog import change_rules
from portal.extensions import db
from portal.models import PUBLISH, AuditEvent, Document, ShareLink
from portal.settings import Settings
from tests import makers
from tests.views.desk import Desk, documents, left_in_tmp, said, sentence

PDF = b"%PDF-1.7\n%tests\n"
OTHER = b"%PDF-1.7\n%other\n"
SOON = (datetime.now(UTC) + timedelta(days=30)).replace(second=0, microsecond=0)
FIELD = "%Y-%m-%dT%H:%M"
UNUSED = "A moment stands here, but the choice above is another. Choose “from the moment below”, or empty this field."


@dataclass
class World:
    """A document in one category; who publishes there, who only reads it, who never saw it. All publish somewhere."""

    app: Flask
    document_id: int
    publisher: Desk
    reader: Desk
    stranger: Desk

    @property
    def path(self) -> str:
        return f"/documents/{self.document_id}"

    def document(self) -> Document:
        """The document as it stands now."""
        with self.app.app_context():
            return db.session.get_one(Document, self.document_id)

    def links(self) -> list[ShareLink]:
        """Its links as they stand now."""
        with self.app.app_context():
            return list(db.session.scalars(select(ShareLink).order_by(ShareLink.id)))

    def edit(self, **changed: object) -> dict[str, object]:
        """The fields of the edit form, left as they are but for what is changed."""
        document = self.document()
        fields = {"title": document.title, "filename": document.filename, "description": "", "visible": "keep"}
        return {**fields, "published_at": "", "expires_at": "", **changed}


def moved(world: World, **columns: object) -> None:
    """Set columns of the document past the verbs."""
    with world.app.app_context():
        makers.change(db.session.get_one(Document, world.document_id), **columns)


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            shelf, elsewhere = makers.category("reports"), makers.category("elsewhere")
            people = [makers.person(name) for name in ("Ada", "Bo", "Chimamanda")]
            makers.grant(shelf, user=people[0], permission=PUBLISH)
            makers.grant(shelf, user=people[1])
            for person in people:
                makers.grant(elsewhere, user=person, permission=PUBLISH)
            document = makers.document(shelf, "report.pdf", PDF)
            world = World(app, document.id, *(Desk(app, person) for person in people))
        yield world


def test_what_is_said_about_a_document_can_be_changed(world: World) -> None:
    before = world.document()
    fields = world.edit(title=" Annual  report ", filename="annual.pdf", description="All of it.\r\nAnd more.")

    answer = world.publisher.send(f"{world.path}/edit", fields)

    assert answer.status_code == 303
    assert answer.location.startswith(f"{world.path}?done=")
    after = world.document()
    assert (after.title, after.filename, after.description) == ("Annual report", "annual.pdf", "All of it.\nAnd more.")
    assert after.published_at == before.published_at


def test_a_form_without_the_choice_of_when_leaves_it_alone(world: World) -> None:
    before = world.document()
    fields = world.edit(title="New")
    del fields["visible"]

    world.publisher.send(f"{world.path}/edit", fields)

    assert world.document().published_at == before.published_at


def test_a_document_becomes_a_draft_and_comes_out_again_at_once(world: World) -> None:
    world.publisher.send(f"{world.path}/edit", world.edit(visible="draft"))
    assert world.document().published_at is None
    world.reader.read(world.path, 404)
    assert '<option value="draft" selected>' in world.publisher.read(f"{world.path}/edit")

    world.publisher.send(f"{world.path}/edit", world.edit(visible="now"))
    world.reader.read(world.path)


@pytest.mark.parametrize("published_at", [None, SOON])
def test_what_is_not_out_is_published_by_one_button_and_keeps_the_rest(
    world: World, published_at: datetime | None
) -> None:
    moved(world, published_at=published_at)
    assert "Publish now" in world.publisher.read(f"{world.path}/edit")

    answer = world.publisher.send(f"{world.path}/publish")
    assert said(world.publisher, answer) == "The document is out. Readers see it from now on."
    world.reader.read(world.path)
    assert "Publish now" not in world.publisher.read(f"{world.path}/edit")


@pytest.mark.parametrize("published_at", [None, SOON])
def test_what_is_not_out_is_published_on_its_own_page(world: World, published_at: datetime | None) -> None:
    moved(world, published_at=published_at)
    page = world.publisher.read(world.path)
    assert f'action="/documents/{world.document().uuid}/publish"' in page
    assert "Publish now" in page

    world.publisher.send(f"{world.path}/publish")

    assert "Publish now" not in world.publisher.read(world.path)


def test_it_is_published_from_the_list_of_what_is_not_out_and_the_list_comes_back(world: World) -> None:
    moved(world, published_at=None)
    page = world.publisher.read("/admin/documents")
    action = re.search(r'<form action="(/documents/[^"]+/publish)" method="post">', page)
    assert action is not None

    answer = world.publisher.send(action[1], from_list="1")
    assert (answer.status_code, answer.location) == (303, "/admin/documents?done=document-published")
    assert "Publish now" not in world.publisher.read("/admin/documents")


def test_what_is_out_already_keeps_its_date_when_the_button_is_pressed_again(world: World) -> None:
    before = world.document().published_at
    world.publisher.send(f"{world.path}/publish")

    assert world.document().published_at == before


def test_what_would_be_over_at_once_is_not_published(world: World) -> None:
    moved(world, published_at=None, expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    answer = world.publisher.send(f"{world.path}/publish")

    assert answer.status_code == 422
    assert sentence(answer) == "A document cannot expire before it is published."
    assert world.document().published_at is None


def test_who_may_only_read_publishes_nothing(world: World) -> None:
    moved(world, published_at=SOON)
    assert world.reader.send(f"{world.path}/publish").status_code == 404
    assert world.document().published_at == SOON


def test_a_document_waits_for_its_moment_which_is_read_as_utc(world: World) -> None:
    fields = world.edit(visible="at", published_at=SOON.strftime(FIELD), expires_at="2100-01-01T00:00")

    world.publisher.send(f"{world.path}/edit", fields)

    assert world.document().published_at == SOON
    assert world.document().expires_at == datetime(2100, 1, 1, tzinfo=UTC)
    assert f'value="{SOON.strftime(FIELD)}"' in world.publisher.read(f"{world.path}/edit")
    world.reader.read(world.path, 404)


@pytest.mark.parametrize("visible", ["keep", "now", "draft"])
def test_the_moment_the_form_came_with_stands_in_nobodys_way(world: World, visible: str) -> None:
    world.publisher.send(f"{world.path}/edit", world.edit(visible="at", published_at=SOON.strftime(FIELD)))

    answer = world.publisher.send(f"{world.path}/edit", world.edit(visible=visible, published_at=SOON.strftime(FIELD)))

    assert answer.status_code == 303
    assert (world.document().published_at == SOON) is (visible == "keep")


def test_a_moment_left_as_it_was_keeps_its_seconds(world: World) -> None:
    exact = SOON.replace(second=31)
    with world.app.app_context():
        makers.change(db.session.get_one(Document, world.document_id), expires_at=exact)

    world.publisher.send(f"{world.path}/edit", world.edit(expires_at=exact.strftime(FIELD)))
    assert world.document().expires_at == exact

    world.publisher.send(f"{world.path}/edit", world.edit())
    assert world.document().expires_at is None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"title": " "}, "A title has 1 to 300 characters that can be seen."),
        ({"title": "x" * 301}, "A title has 1 to 300 characters that can be seen."),
        ({"description": "x" * 10_001}, "A text has at most 10,000 characters that can be seen."),
        ({"description": "x" * 20_001}, "A text has at most 20,000 characters here."),
        ({"visible": "always"}, "Choose one of what is offered here."),
        ({"visible": "at"}, "Say from when people see it."),
        ({"visible": "keep", "published_at": "2100-01-01T00:00"}, UNUSED),
        ({"visible": "now", "published_at": "2100-01-01T00:00"}, UNUSED),
        ({"visible": "draft", "published_at": "2001-01-01T00:00"}, UNUSED),
        ({"expires_at": "tomorrow"}, "This is not a date and time."),
        ({"expires_at": "0001-01-01T00:00+12:00"}, "This is not a date and time."),
        ({"expires_at": "2001-01-01T00:00"}, "A document cannot expire before it is published."),
    ],
)
def test_a_value_that_cannot_be_is_shown_again_with_the_reason(
    world: World, changed: dict[str, object], reason: str
) -> None:
    answer = world.publisher.send(f"{world.path}/edit", world.edit(**({"title": "Typed"} | changed)))

    assert answer.status_code == 422
    assert sentence(answer) == reason
    assert 'aria-invalid="true"' in answer.text
    assert world.document().title == "report"


def test_a_filename_that_is_taken_is_a_conflict_and_what_was_typed_stays(world: World) -> None:
    with world.app.app_context():
        makers.document(makers.category("reports"), "taken.pdf", OTHER)

    answer = world.publisher.send(f"{world.path}/edit", world.edit(title="Typed", filename="taken.pdf"))

    assert answer.status_code == 409
    assert sentence(answer) == "There is already a document called taken.pdf here."
    assert 'value="Typed"' in answer.text
    assert world.document().filename == "report.pdf"


@pytest.mark.parametrize("action", ["edit", "versions", "move", "trash", "links"])
def test_who_may_only_read_is_told_so_and_who_may_not_finds_nothing(world: World, action: str) -> None:
    world.publisher.read(f"{world.path}/{action}")
    world.reader.read(f"{world.path}/{action}", 403)
    nothing = world.stranger.client.get(f"/documents/999/{action}")
    hidden = world.stranger.client.get(f"{world.path}/{action}")
    assert (hidden.status_code, hidden.data) == (404, nothing.data)

    assert world.reader.send(f"{world.path}/{action}").status_code == 403
    assert world.stranger.send(f"{world.path}/{action}").status_code == 404
    assert world.document().title == "report"
    assert world.document().trashed_at is None
    assert world.links() == []


def test_new_bytes_become_a_version_with_its_note(world: World) -> None:
    answer = world.publisher.send(
        f"{world.path}/versions", files=[("scan.pdf", OTHER)], field="file", note="Page 3 is right now."
    )

    assert answer.location == f"{world.path}?done=version-added"
    assert documents(world.app) == [("report.pdf", "report", 2)]
    assert world.publisher.client.get(f"{world.path}/download").data == OTHER
    assert "Page 3 is right now." in world.publisher.read(f"{world.path}/versions")
    assert left_in_tmp(world.app) == []


def test_the_same_bytes_add_no_version(world: World) -> None:
    answer = world.publisher.send(f"{world.path}/versions", files=[("report.pdf", PDF)], field="file")

    assert answer.location == f"{world.path}?done=version-known"
    assert documents(world.app) == [("report.pdf", "report", 1)]
    assert left_in_tmp(world.app) == []


@pytest.mark.parametrize(
    ("files", "note", "status", "reason"),
    [
        ([], "", 400, "No document came with the form. Choose one."),
        ([("", b"")], "", 400, "No document came with the form. Choose one."),
        ([("a.pdf", OTHER)], "x" * 10_001, 422, "A text has at most 10,000 characters that can be seen."),
        ([("a.pdf", b"\x7fELF")], "", 415, "a.pdf is not what its name says: its content is of another type."),
    ],
)
def test_a_version_that_cannot_be_leaves_nothing_behind(
    world: World, files: list[tuple[str, bytes]], note: str, status: int, reason: str
) -> None:
    answer = world.publisher.send(f"{world.path}/versions", files=files, field="file", note=note)

    assert answer.status_code == status
    assert sentence(answer) == reason
    assert documents(world.app) == [("report.pdf", "report", 1)]
    assert left_in_tmp(world.app) == []


def test_a_document_moves_to_a_category_one_publishes_in(world: World) -> None:
    page = world.publisher.read(f"{world.path}/move")
    assert '<option value="reports" selected>' in page

    answer = world.publisher.send(f"{world.path}/move", category="elsewhere")

    assert answer.location == f"{world.path}?done=document-moved"
    world.stranger.read(world.path)
    world.reader.read(world.path)


def test_a_document_moves_nowhere_one_may_not_publish(world: World) -> None:
    with world.app.app_context():
        makers.category("vault")
        makers.grant(makers.category("read only"), everyone=True)
        before = world.document().category_id

    nothing = world.publisher.send(f"{world.path}/move", category="nowhere")
    vault = world.publisher.send(f"{world.path}/move", category="vault")
    read_only = world.publisher.send(f"{world.path}/move", category="read only")
    empty = world.publisher.send(f"{world.path}/move", category="")

    assert (nothing.status_code, vault.status_code, read_only.status_code, empty.status_code) == (404, 404, 403, 422)
    assert sentence(nothing) == sentence(vault) == "There is no such category."
    assert world.document().category_id == before


def test_a_document_moves_not_onto_one_of_its_name(world: World) -> None:
    with world.app.app_context():
        makers.document(makers.category("elsewhere"), "report.pdf", OTHER)

    answer = world.publisher.send(f"{world.path}/move", category="elsewhere")

    assert answer.status_code == 409
    assert sentence(answer) == "There is already a document called report.pdf there."


def test_a_document_moves_not_to_where_its_type_is_not_taken(world: World) -> None:
    with world.app.app_context():
        change_rules(None, makers.category("elsewhere").id, types=["csv", "xlsx"], expiry_days=None)
        before = world.document().category_id

    answer = world.publisher.send(f"{world.path}/move", category="elsewhere")

    assert answer.status_code == 415
    assert sentence(answer) == "report.pdf is of a type that this category does not take. Taken are: CSV, XLSX."
    assert world.document().category_id == before


def test_the_page_of_a_document_leads_publishers_to_the_trash_and_readers_not(world: World) -> None:
    assert f'href="/documents/{world.document().uuid}/trash"' in world.publisher.read(world.path)
    assert "/trash" not in world.reader.read(world.path)


def test_a_document_goes_into_the_trash_and_comes_back(world: World) -> None:
    asked = re.sub(r"<[^>]+>", "", world.publisher.read(f"{world.path}/trash"))
    assert "Put report into the trash?" in asked
    assert "You can bring it back from the trash for 30 days." in asked
    answer = world.publisher.send(f"{world.path}/trash")
    assert said(world.publisher, answer) == "The document is in the trash. You can bring it back from here."
    world.reader.read(world.path, 404)
    world.publisher.read(world.path, 404)
    assert "reports / report.pdf" in re.sub(r"<[^>]+>", "", world.publisher.read("/admin/trash"))
    assert "Each can come back to where it was, for 30 days." in world.publisher.read("/admin/trash")
    with world.app.app_context():
        makers.change(db.session.get_one(Document, world.document_id), trashed_at=datetime(2020, 5, 1, tzinfo=UTC))
    assert "Gone for good with the next clean-up." in world.publisher.read("/admin/trash")
    assert "report.pdf" not in world.stranger.read("/admin/trash")
    assert "report.pdf" not in world.reader.read("/admin/trash")

    assert world.stranger.send(f"/admin/trash/{world.document_id}/restore").status_code == 404
    assert world.reader.send(f"/admin/trash/{world.document_id}/restore").status_code == 404
    answer = world.publisher.send(f"/admin/trash/{world.document_id}/restore")
    assert answer.location == f"{world.path}?done=document-restored"
    world.reader.read(world.path)


@pytest.mark.parametrize("identity", ["1", "999"])
def test_what_is_not_in_the_trash_does_not_come_back(world: World, identity: str) -> None:
    assert world.publisher.send(f"/admin/trash/{identity}/restore").status_code == 404


def test_the_trash_is_read_page_by_page_none_twice_none_missing(world: World) -> None:
    with world.app.app_context():
        shelf = makers.category("reports")
        for number in range(60):
            makers.document(shelf, f"old-{number:02}.pdf", str(number).encode(), trashed_at=makers.now())
    names: list[str] = []
    path = "/admin/trash"
    while path:
        page = re.sub("<wbr>", "", world.publisher.read(path))
        names += re.findall(r"old-\d\d\.pdf", page)
        more = re.search(r'href="(/admin/trash\?after=\d+-\d+)"', page)
        path = more[1] if more else ""

    assert sorted(names) == [f"old-{number:02}.pdf" for number in range(60)]


def test_the_address_of_a_new_link_is_shown_once_and_works(world: World) -> None:
    answer = world.publisher.send(
        f"{world.path}/links",
        label="Ernst & Jung",
        message="As signed.",
        max_downloads="2",
        expires_at=SOON.strftime(FIELD),
        password="a good secret",
    )

    assert answer.status_code == 200
    found = re.findall(r"http://localhost/s/([A-Za-z0-9_-]{43})", answer.text)
    assert len(set(found)) == 1
    assert f'data-copy="http://localhost/s/{found[0]}"' in answer.text
    link = world.links()[0]
    assert (link.label, link.message, link.max_downloads, link.expires_at) == ("Ernst & Jung", "As signed.", 2, SOON)
    assert link.password_hash is not None
    assert world.app.test_client().get(f"/s/{found[0]}", headers={"Accept": "text/html"}).status_code == 200
    for path in (f"{world.path}/links", f"/admin/links/{link.id}", "/admin/links"):
        page = world.publisher.read(path)
        assert found[0] not in page
        assert "Ernst & Jung" in page
    with world.app.app_context():
        assert all(found[0] not in str(event.details) for event in db.session.scalars(select(AuditEvent)))


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"max_downloads": "0"}, "This is not a whole number above zero."),
        ({"max_downloads": "-1"}, "This is not a whole number above zero."),
        ({"max_downloads": "1.5"}, "This is not a whole number above zero."),
        ({"max_downloads": "1e9"}, "This is not a whole number above zero."),
        ({"max_downloads": "٣"}, "This is not a whole number above zero."),
        ({"max_downloads": str(2**31)}, "This is not a whole number above zero."),
        ({"max_downloads": "9" * 23}, "This is not a whole number above zero."),
        ({"max_downloads": "1000001"}, "A limit is a number from 1 to 1,000,000; leave it empty for none."),
        ({"expires_at": "2001-01-01T00:00"}, "A link must expire in the future."),
        ({"expires_at": "never"}, "This is not a date and time."),
        ({"password": "short"}, "The password of a link needs at least 8 characters."),
        ({"label": "x" * 201}, "A label has at most 200 characters that can be seen."),
        ({"label": "a\x1bb"}, "A text holds characters that cannot be seen. Type it again."),
        ({"message": "x" * 10_001}, "A text has at most 10,000 characters that can be seen."),
    ],
)
def test_terms_that_cannot_be_make_no_link(world: World, terms: dict[str, str], reason: str) -> None:
    answer = world.publisher.send(f"{world.path}/links", {"label": "Typed"} | terms)

    assert answer.status_code == 422
    assert sentence(answer) == reason
    assert world.links() == []


def test_a_refused_form_does_not_send_a_password_back(world: World) -> None:
    answer = world.publisher.send(f"{world.path}/links", password="a good secret", max_downloads="0")

    assert answer.status_code == 422
    assert "a good secret" not in answer.text
