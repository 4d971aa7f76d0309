"""File requests, on pages: a publisher asks, somebody without an account sends, and what came is looked at."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Select, func, select, update
from werkzeug.test import TestResponse

from portal.extensions import db, transaction
from portal.models import PUBLISH, READ, Category, Document, FileRequest, Submission, Upload
from portal.settings import Settings
from tests import makers
from tests.views.desk import TOKEN, Desk, said

PDF = b"%PDF-1.7 proof\n"
BEA = {"sender": "Bea Miller", "email": "bea@elsewhere.example", "note": "As agreed."}


@dataclass
class World:
    """Pia publishes in the inbox, Rob reads there; an outsider has nothing but the link."""

    app: Flask
    pia: Desk
    rob: Desk

    def ask(self, **terms: object) -> str:
        """The path of a new link."""
        answer = self.pia.send("/admin/requests", {"title": "Proofs of income", "category": "inbox", **terms})
        assert answer.status_code == 200, answer.text
        found = re.search(r"<code>http://localhost(/r/[\w-]{43})</code>", answer.text)
        assert found is not None
        return found[1]

    def send(self, path: str, *files: tuple[str, bytes], **fields: str) -> TestResponse:
        """What somebody without an account sends, by the form of the page."""
        client = self.app.test_client()
        token = TOKEN.search(client.get(path).text)
        data: dict[str, Any] = {**BEA, **fields, "csrf_token": token[1] if token else ""}
        data["files"] = [(io.BytesIO(content), name) for name, content in files or [("proof.pdf", PDF)]]
        return client.post(path, data=data)

    def rows(self, statement: Select[Any]) -> list[Any]:
        """What is in the database."""
        with self.app.app_context():
            return list(db.session.scalars(statement))

    def change(self, **columns: object) -> None:
        """Change every request there is."""
        with self.app.app_context(), transaction() as session:
            session.execute(update(FileRequest).values(columns))


def build(app: Flask) -> World:
    with app.app_context():
        inbox, pia, rob = makers.category("inbox"), makers.person("Pia"), makers.person("Rob")
        makers.grant(inbox, user=pia, permission=PUBLISH)
        makers.grant(inbox, user=rob, permission=READ)
        desks = Desk(app, pia), Desk(app, rob)
    return World(app, *desks)


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        yield build(app)


def test_from_the_question_to_the_document(world: World) -> None:
    path = world.ask(message="The last three, please.", max_files="5", max_file_bytes="2 MB", types="pdf")
    page = world.app.test_client().get(path).text
    for words in ("Proofs of income", "The last three, please.", "Only PDF", "up to five files", "at most 2.0 MB"):
        assert words in page
    assert "inbox" not in page

    answer = world.send(path)

    assert answer.status_code == 303
    receipt = world.app.test_client().get(answer.location).text
    assert "Your file has arrived" in receipt
    assert makers.content_of(PDF).sha256 in receipt
    assert "Bea Miller" in receipt
    listed = world.pia.read("/admin/requests")
    assert "1 to review" in listed
    page = world.pia.read("/admin/requests/1")
    for words in ("As agreed.", "elsewhere.example", "To review", "proof"):
        assert words in page
    assert "proof" not in world.rob.read("/categories/inbox")
    (ref,) = world.rows(select(Document.uuid))
    world.pia.send(f"/documents/{ref}/publish")
    assert "proof" in world.rob.read("/categories/inbox")

    answer = world.pia.send("/admin/requests/1/submissions/1/review")
    assert "marked as reviewed" in said(world.pia, answer)
    assert "Mark as reviewed" not in world.pia.read("/admin/requests/1")
    assert "Reviewed" in world.pia.read("/admin/requests/1")


def test_what_was_there_before_is_named_and_is_nothing_to_publish_or_throw_away(world: World) -> None:
    path = world.ask()
    with world.app.app_context():
        inbox = db.session.scalars(select(Category)).one()
        makers.document(inbox, "price list.pdf", PDF, title="Price list")
    world.send(path, ("price list.pdf", PDF), ("proof.pdf", b"%PDF-1.7 another"))

    page = world.pia.read("/admin/requests/1")

    assert "was there already, byte for byte" in page
    assert page.count('name="document"') == 1, "only what came can be chosen"
    assert "not there for you any more" not in page


def test_what_an_outsider_sent_is_not_called_the_operators(world: World) -> None:
    world.send(world.ask())
    (ref,) = world.rows(select(Document.uuid))

    for path in (f"/documents/{ref}", f"/documents/{ref}/versions/1"):
        page = world.pia.read(path)
        assert "from outside" in page
        assert "by the operator" not in page
    assert "Bea Miller, from outside" in re.sub(r"<[^>]+>", "", world.pia.read(f"/documents/{ref}/versions"))


def test_without_a_mail_server_no_page_promises_a_mail(world: World) -> None:
    path = world.ask()

    page = world.pia.read("/admin/requests/1")
    assert "You are written a mail" not in page
    assert "This portal sends no mails" in page
    assert "A receipt goes there" not in world.rob.read(path)


def test_the_address_is_shown_once_and_nothing_tells_it_again(world: World) -> None:
    token = world.ask().rpartition("/")[2]

    for page in ("/admin/requests", "/admin/requests/1", "/admin/requests/1/revoke"):
        assert token not in world.pia.read(page)


def test_the_pages_of_outsiders_are_kept_nowhere(world: World) -> None:
    path = world.ask()
    receipt = world.send(path).location

    for address in (path, receipt, "/r/" + "x" * 43):
        answer = world.app.test_client().get(address)
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"


def test_looking_changes_nothing(world: World) -> None:
    path = world.ask(max_files="1")
    for _ in range(40):
        assert world.app.test_client().get(path).status_code == 200

    assert world.send(path).status_code == 303


@pytest.mark.parametrize(
    ("terms", "file", "status", "sentence"),
    [
        ({"types": "docx"}, ("a.pdf", PDF), 415, "a.pdf is of a type that is not asked for. Taken are: DOCX."),
        ({"max_file_bytes": "5 bytes"}, ("a.pdf", PDF), 413, "a.pdf is larger than 5 bytes"),
        ({"max_bytes": "5 bytes"}, ("a.pdf", PDF), 413, "This is 15 bytes together, and this link takes 5 bytes more."),
        ({}, ("a.pdf", b"MZ"), 415, "a.pdf is not what its name says"),
        ({}, ("", b""), 400, "No document came with the form."),
    ],
)
def test_what_is_not_taken_is_said_above_the_form_and_nothing_stays(
    world: World, terms: dict[str, str], file: tuple[str, bytes], status: int, sentence: str
) -> None:
    answer = world.send(world.ask(**terms), file)

    assert answer.status_code == status
    assert sentence in answer.text
    assert 'value="Bea Miller"' in answer.text
    assert world.rows(select(func.count()).select_from(Upload)) == [0]
    data = world.app.config["PORTAL"].storage
    assert list(data.joinpath("tmp").glob("incoming-*")) == []


def test_the_form_offers_a_type_in_all_its_spellings(world: World) -> None:
    page = world.app.test_client().get(world.ask(types="jpg pdf")).text

    assert 'accept=".jpeg,.jpg,.pdf"' in page
    assert "Only JPG, PDF" in page


def test_what_waits_to_be_reviewed_stands_on_the_overview_of_whoever_may_review_it(world: World) -> None:
    task = re.compile(r"<b>1</b> file request has something to review</span>.*?/admin/requests\?state=waiting")
    assert not task.search(world.pia.read("/admin/"))
    with world.app.app_context():
        pam = makers.person("Pam")
        makers.grant(makers.category("elsewhere"), user=pam, permission=PUBLISH)
        desks = [Desk(world.app, one) for one in (pam, makers.person("Root", is_admin=True))]
    world.send(world.ask())

    assert [bool(task.search(desk.read("/admin/"))) for desk in (world.pia, *desks)] == [True, False, True]
    world.pia.send("/admin/requests/1/submissions/1/review")
    assert not task.search(world.pia.read("/admin/"))


def test_without_a_name_nothing_is_sent(world: World) -> None:
    answer = world.send(world.ask(), sender=" ")

    assert answer.status_code == 422
    assert "Say who you are" in answer.text


def test_two_files_where_one_is_asked_for_are_refused(world: World) -> None:
    answer = world.send(world.ask(max_files="1"), ("a.pdf", PDF), ("b.pdf", PDF))

    assert (answer.status_code, "These are 2 files, and this link takes 1 more." in answer.text) == (422, True)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"expires_at": "past"}, "The time for sending files by this link is over"),
        ({"revoked_at": "past"}, "This link was revoked"),
        ({"max_files": 0}, "This link has received all the files it takes"),
        ({"category_id": None}, "This link takes no more files"),
    ],
)
def test_a_link_that_is_over_says_why_and_takes_nothing(world: World, columns: dict[str, object], words: str) -> None:
    path = world.ask()
    with world.app.app_context():
        past = makers.now(seconds=-1)
    world.change(**{name: past if value == "past" else value for name, value in columns.items()})

    for answer in (world.app.test_client().get(path), world.send(path)):
        assert answer.status_code == 410
        assert words in answer.text
    assert world.rows(select(func.count()).select_from(Submission)) == [0]


def test_a_body_larger_than_what_is_still_taken_is_not_read(world: World) -> None:
    path = world.ask(max_bytes="10 bytes")

    claimed = {"CONTENT_LENGTH": str(3_000_000), "CONTENT_TYPE": "multipart/form-data; boundary=x"}
    answer = world.app.test_client().post(path, environ_overrides=claimed)

    assert answer.status_code == 413


def test_who_never_had_a_link_sends_nothing(world: World) -> None:
    answer = world.send("/r/" + "x" * 43)

    assert answer.status_code == 404
    assert list(world.app.config["PORTAL"].storage.joinpath("tmp").glob("incoming-*")) == []


def test_whoever_sends_again_and_again_waits(world: World) -> None:
    path = world.ask()
    answers = [world.send(path, sender="").status_code for _ in range(31)]

    assert answers == [422] * 30 + [429]


def test_terms_are_changed_and_a_link_is_revoked(world: World) -> None:
    path = world.ask()
    answer = world.pia.send(
        "/admin/requests/1", title="Other proofs", max_files="7", max_bytes="1.5 GB", types="pdf,jpg"
    )
    assert "The link is changed." in said(world.pia, answer)
    assert "Other proofs" in world.app.test_client().get(path).text
    assert 'value="1.5 GB"' in world.pia.read("/admin/requests/1")

    assert "Revoke the link for" in world.pia.read("/admin/requests/1/revoke")
    world.pia.send("/admin/requests/1/revoke")

    assert world.app.test_client().get(path).status_code == 410
    assert world.pia.send("/admin/requests/1", title="x").status_code == 409


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"category": ""}, "Choose where the documents go."),
        ({"title": ""}, "Say what is asked for"),
        ({"max_bytes": "much"}, "Write a size such as 500 MB or 1.5 GB."),
        ({"max_files": "-1"}, "This is not a whole number above zero."),
        ({"expires_at": "2001-01-01T00:00"}, "A link must expire in the future."),
    ],
)
def test_terms_that_cannot_be_are_said_at_their_field(world: World, fields: dict[str, str], sentence: str) -> None:
    answer = world.pia.send("/admin/requests", {"title": "Proofs", "category": "inbox", **fields})

    assert answer.status_code == 422
    assert sentence in answer.text
    assert world.rows(select(func.count()).select_from(FileRequest)) == [0]


def test_readers_see_no_requests(world: World) -> None:
    world.ask()

    assert world.rob.client.get("/admin/requests").status_code == 404
    assert world.rob.client.get("/admin/requests/1").status_code == 404


def test_a_form_from_elsewhere_is_refused(world: World) -> None:
    answer = world.app.test_client().post(world.ask(), data=BEA, headers={"Origin": "https://evil.example"})

    assert answer.status_code == 403


def test_lists_narrow_to_what_is_to_be_reviewed(world: World) -> None:
    world.send(world.ask())
    world.ask(title="Nothing came")

    page = world.pia.read("/admin/requests?state=waiting")
    assert "Proofs of income" in page
    assert "Nothing came" not in page
    assert "None of them is closed." in world.pia.read("/admin/requests?state=closed")


def test_a_portal_with_small_uploads_takes_no_more_by_a_link(sqlite_settings: Settings) -> None:
    with makers.running(replace(sqlite_settings, max_upload=10)) as app:
        world = build(app)
        assert "Up to 100 files at a time, together at most 10 bytes" in app.test_client().get(world.ask()).text
        assert world.send(world.ask()).status_code == 413
