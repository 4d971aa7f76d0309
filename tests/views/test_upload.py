"""The upload page: several documents at once, all or none, and nothing left behind by what was refused."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import select

from portal.extensions import db
from portal.models import PUBLISH, Document
from portal.settings import Settings
from tests import makers
from tests.views.desk import Desk, documents, left_in_tmp, sentence, tokenless

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PDF = b"%PDF-1.7\n%one\n"
OTHER = b"%PDF-1.7\n%two\n"
BOUNDARY = "a-boundary-of-the-tests"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass
class World:
    """A category to publish in, one only to read, one that is not to be seen, and who meets them."""

    app: Flask
    publisher: Desk


def furnish(app: Flask) -> World:
    with app.app_context():
        ada = makers.person("Ada")
        makers.grant(makers.category("inbox/2026"), user=ada, permission=PUBLISH)
        makers.grant(makers.category("read only"), user=ada)
        makers.category("vault")
        return World(app, Desk(app, ada))


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        yield furnish(app)


def test_where_there_is_no_category_only_that_is_said(sqlite_settings: Settings) -> None:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            desk = Desk(app, makers.person("Ada", is_admin=True))
        page = desk.read("/admin/upload")

    assert "There is no category yet" in page
    assert "All documents of one upload" not in page


@pytest.mark.parametrize("mail_url", ["console:", "smtp://127.0.0.1:1"])
def test_that_followers_are_told_is_said_where_mails_are_sent(sqlite_settings: Settings, mail_url: str) -> None:
    with makers.running(replace(sqlite_settings, mail_url=mail_url)) as app:
        page = furnish(app).publisher.read("/admin/upload")

    assert ("is told of the others, in one mail a day at most." in page) == mail_url.startswith("smtp")


def test_several_documents_come_in_with_one_form(world: World) -> None:
    answer = world.publisher.send("/admin/upload", category="inbox/2026", files=[("a.pdf", PDF), ("b.txt", b"words")])

    assert answer.status_code == 200
    assert documents(world.app) == [("a.pdf", "a", 1), ("b.txt", "b", 1)]
    assert left_in_tmp(world.app) == []
    with world.app.app_context():
        uuids = [document.uuid for document in db.session.scalars(select(Document))]
    assert all(f'href="/documents/{uuid}"' in answer.text for uuid in uuids)
    assert "Two documents are in" in answer.text
    assert world.publisher.client.get(f"/documents/{uuids[0]}/download").data == PDF


def test_the_answer_tells_new_documents_new_versions_and_known_bytes_apart(world: World) -> None:
    world.publisher.send("/admin/upload", category="inbox/2026", files=[("a.pdf", PDF), ("b.pdf", PDF)])

    answer = world.publisher.send(
        "/admin/upload", category="inbox/2026", files=[("a.pdf", OTHER), ("b.pdf", PDF), ("c.pdf", PDF)]
    )

    assert documents(world.app) == [("a.pdf", "a", 2), ("b.pdf", "b", 1), ("c.pdf", "c", 1)]
    assert "1 new document, 1 new version, 1 known already." in answer.text


def test_both_may_be_kept(world: World) -> None:
    world.publisher.send("/admin/upload", category="inbox/2026", files=[("a.pdf", PDF)])

    world.publisher.send("/admin/upload", category="inbox/2026", files=[("a.pdf", OTHER)], on_conflict="rename")

    assert documents(world.app) == [("a (2).pdf", "a (2)", 1), ("a.pdf", "a", 1)]


def test_a_name_that_is_taken_may_refuse_the_whole_form(world: World) -> None:
    world.publisher.send("/admin/upload", category="inbox/2026", files=[("a.pdf", PDF)])

    answer = world.publisher.send(
        "/admin/upload", category="inbox/2026", files=[("b.pdf", PDF), ("a.pdf", OTHER)], on_conflict="refuse"
    )

    assert answer.status_code == 409
    assert sentence(answer) == "There is already a document called a.pdf here."
    assert documents(world.app) == [("a.pdf", "a", 1)]
    assert left_in_tmp(world.app) == []


def test_a_title_and_a_draft(world: World) -> None:
    world.publisher.send(
        "/admin/upload", category="inbox/2026", files=[("scan.pdf", PDF)], title="Annual report", draft="1"
    )

    assert documents(world.app) == [("scan.pdf", "Annual report", 1)]
    with world.app.app_context():
        assert db.session.scalars(select(Document.published_at)).one() is None


def test_one_title_cannot_name_two_documents(world: World) -> None:
    answer = world.publisher.send(
        "/admin/upload", category="inbox/2026", files=[("a.pdf", PDF), ("b.pdf", PDF)], title="Annual report"
    )

    assert answer.status_code == 422
    assert sentence(answer) == "A title is for one document. Choose one, or leave the title empty."
    assert 'value="Annual report"' in answer.text
    assert documents(world.app) == []
    assert left_in_tmp(world.app) == []


def test_a_title_that_cannot_be_keeps_no_bytes(world: World) -> None:
    answer = world.publisher.send("/admin/upload", category="inbox/2026", files=[("a.pdf", PDF)], title="x" * 301)

    assert answer.status_code == 422
    assert sentence(answer) == "A title has 1 to 300 characters that can be seen."
    assert list((world.app.config["PORTAL"].storage / "blobs").rglob("*")) == []
    assert left_in_tmp(world.app) == []


@pytest.mark.parametrize("content_type", ["multipart/form-data", "application/x-www-form-urlencoded"])
def test_a_form_without_a_document_says_so(world: World, content_type: str) -> None:
    fields = {"category": "inbox/2026", "csrf_token": world.publisher.token()}
    answer = world.publisher.client.post("/admin/upload", data=fields, content_type=content_type)

    assert answer.status_code == 400
    assert sentence(answer) == "No document came with the form. Choose one."


def test_an_empty_file_field_counts_as_none_and_an_empty_document_as_one(world: World) -> None:
    assert world.publisher.send("/admin/upload", category="inbox/2026", files=[("", b"")]).status_code == 400
    answer = world.publisher.send("/admin/upload", category="inbox/2026", files=[("", b""), ("empty.txt", b"")])

    assert answer.status_code == 200
    assert documents(world.app) == [("empty.txt", "empty", 1)]
    assert left_in_tmp(world.app) == []


def test_files_of_other_fields_are_let_go_of(world: World) -> None:
    answer = world.publisher.send("/admin/upload", category="inbox/2026", files=[("a.pdf", PDF)], field="others")

    assert answer.status_code == 400
    assert documents(world.app) == []
    assert left_in_tmp(world.app) == []


def test_what_is_not_to_be_seen_is_as_good_as_nothing(world: World) -> None:
    hidden = world.publisher.send("/admin/upload", category="vault", files=[("a.pdf", PDF)])
    nothing = world.publisher.send("/admin/upload", category="nowhere", files=[("a.pdf", PDF)])

    assert hidden.status_code == nothing.status_code == 404
    assert tokenless(hidden.text) == tokenless(nothing.text)
    assert sentence(hidden) == "There is no such category."
    assert documents(world.app) == []
    assert left_in_tmp(world.app) == []


def test_where_one_may_only_read_one_may_not_publish(world: World) -> None:
    answer = world.publisher.send("/admin/upload", category="read only", files=[("a.pdf", PDF)])

    assert answer.status_code == 403
    assert sentence(answer) == "You may read this category, but not publish in it."
    assert left_in_tmp(world.app) == []


def test_only_categories_to_publish_in_are_offered_and_the_one_asked_for_is_chosen(world: World) -> None:
    with world.app.app_context():
        makers.grant(makers.category("outbox"), everyone=True, permission=PUBLISH)
    page = world.publisher.read(f"/admin/upload?category={quote('inbox/2026')}")

    assert '<option value="inbox/2026" selected>' in page
    assert '<option value="outbox">' in page
    assert "read only" not in page
    assert "vault" not in page


def test_a_type_that_is_not_taken_refuses_the_whole_form(sqlite_settings: Settings) -> None:
    with makers.running(replace(sqlite_settings, allowed_types=frozenset({"pdf"}))) as app:
        world = furnish(app)
        assert "Taken here: PDF." in world.publisher.read("/admin/upload")

        answer = world.publisher.send("/admin/upload", category="inbox/2026", files=[("a.pdf", PDF), ("b.exe", b"MZ")])

        assert answer.status_code == 415
        assert sentence(answer) == "b.exe is of a type that is not taken here. Taken are: PDF."
        assert documents(app) == []
        assert left_in_tmp(app) == []


def test_bytes_that_are_not_what_their_name_says_are_refused(world: World) -> None:
    answer = world.publisher.send("/admin/upload", category="inbox/2026", files=[("a.pdf", b"\x7fELF")])

    assert answer.status_code == 415
    assert documents(world.app) == []
    assert left_in_tmp(world.app) == []


def test_more_than_is_allowed_is_refused_before_any_of_it_is_read(sqlite_settings: Settings) -> None:
    with makers.running(replace(sqlite_settings, max_upload=1000)) as app:
        world = furnish(app)
        line = Line(b"")
        answer = world.publisher.client.post(
            "/admin/upload",
            environ_overrides={"CONTENT_TYPE": FORM, "wsgi.input": line, "CONTENT_LENGTH": str(1000 + 2 * 1024 * 1024)},
        )

    assert answer.status_code == 413
    assert "Nothing was stored." in answer.text
    assert line.pool == []


def test_a_document_that_grows_too_large_is_refused_in_the_middle(sqlite_settings: Settings) -> None:
    with makers.running(replace(sqlite_settings, max_upload=1000)) as app:
        world = furnish(app)
        answer = world.publisher.send(
            "/admin/upload", category="inbox/2026", files=[("small.bin", b"x"), ("big.bin", b"x" * 1001)]
        )

        assert answer.status_code == 413
        assert documents(app) == []
        assert left_in_tmp(app) == []


def test_a_form_of_unknown_length_ends_where_too_much_begins(sqlite_settings: Settings) -> None:
    with makers.running(replace(sqlite_settings, max_upload=1000)) as app:
        world = furnish(app)
        line = Line(body(world.publisher.token(), b"x" * (3 * 1024 * 1024)))
        answer = world.publisher.client.post(
            "/admin/upload",
            environ_overrides={
                "CONTENT_TYPE": FORM,
                "wsgi.input": line,
                "wsgi.input_terminated": True,
                "CONTENT_LENGTH": "",
            },
        )

        assert answer.status_code == 413
        assert documents(app) == []
        assert left_in_tmp(app) == []


def test_a_form_cut_short_stores_nothing(world: World) -> None:
    whole = body(world.publisher.token(), PDF)
    answer = world.publisher.client.post("/admin/upload", data=whole[:-20], content_type=FORM)

    assert answer.status_code == 400
    assert documents(world.app) == []
    assert left_in_tmp(world.app) == []


def test_without_its_token_nothing_of_a_form_is_kept(world: World) -> None:
    answer = world.publisher.client.post(
        "/admin/upload", data={"category": "inbox/2026", "files": (io.BytesIO(PDF), "a.pdf")}
    )

    assert answer.status_code == 400
    assert documents(world.app) == []
    assert left_in_tmp(world.app) == []


def test_no_connection_is_held_while_the_body_comes_in(world: World) -> None:
    whole = body(world.publisher.token(), PDF)
    line = Line(whole)
    answer = world.publisher.client.post(
        "/admin/upload",
        environ_overrides={"CONTENT_TYPE": FORM, "wsgi.input": line, "CONTENT_LENGTH": str(len(whole))},
    )

    assert answer.status_code == 200
    assert line.pool
    assert all("Current Checked out connections: 0" in status for status in line.pool)


class Line(io.RawIOBase):
    """What the client sends; it notes how the pool stands whenever it is read."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = io.BytesIO(content)
        self.pool: list[str] = []

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        self.pool.append(db.engine.pool.status())
        return self._content.readinto(buffer)


def body(token: str, content: bytes) -> bytes:
    """A multipart form with one document."""
    fields = {"csrf_token": token, "category": "inbox/2026"}
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="a.bin"\r\n\r\n'
    return "".join([*parts, head]).encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
