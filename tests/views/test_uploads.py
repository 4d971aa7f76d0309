"""Resumable uploads over HTTP: tus 1.0 to the letter, and what bad input gets."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import select

from portal.catalog import find_category, get_category
from portal.extensions import db
from portal.models import PUBLISH, Document, Version
from portal.settings import Settings
from tests import makers
from tests.views.desk import documents, left_in_tmp
from tests.views.tus import BODY, Sender, checksum, metadata

TEXT = b"words that come in several goes"


@dataclass
class World:
    """A category to publish in, and who does."""

    app: Flask
    ada: Sender
    program: Sender
    other: Sender


def furnish(app: Flask) -> World:
    with app.app_context():
        ada, bo = makers.person("Ada"), makers.person("Bo")
        inbox = makers.category("inbox")
        makers.category("inbox/2026")
        makers.grant(inbox, user=ada, permission=PUBLISH)
        makers.grant(inbox, user=bo, permission=PUBLISH)
        makers.grant(makers.category("read only"), user=ada)
        makers.category("vault")
        return World(app, Sender(app, ada), Sender(app, ada, is_program=True), Sender(app, bo))


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        yield furnish(app)


def test_a_file_comes_in_by_two_goes_and_is_a_document_afterwards(world: World) -> None:
    path = world.ada.begin(len(TEXT), filename="a.txt")
    first = world.ada.patch(path, 0, TEXT[:10])
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, "10")
    assert "Portal-Document" not in first.headers
    assert world.ada.offset(path) == 10
    assert documents(world.app) == []

    last = world.ada.patch(path, 10, TEXT[10:])

    assert (last.status_code, last.headers["Upload-Offset"]) == (204, str(len(TEXT)))
    assert last.headers["Portal-Outcome"] == "added"
    assert last.headers["Portal-Version"] == "1"
    assert last.headers["Content-Location"] == f"/documents/{last.headers['Portal-Document']}"
    assert documents(world.app) == [("a.txt", "a", 1)]
    assert left_in_tmp(world.app) == []
    assert world.ada.client.get(f"{last.headers['Content-Location']}/download").data == TEXT


def test_a_program_sends_with_its_token(world: World) -> None:
    answer = world.program.send(TEXT, title="Words", tags="one,two")

    assert answer.status_code == 204
    assert documents(world.app) == [("a.txt", "Words", 1)]


def test_the_first_bytes_may_come_with_the_announcement(world: World) -> None:
    headers = {"Upload-Length": str(len(TEXT)), "Upload-Metadata": metadata(filename="a.txt", category="inbox")}

    answer = world.ada.ask("POST", "/uploads", {**headers, "Content-Type": BODY}, TEXT)

    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, str(len(TEXT)))
    assert answer.headers["Portal-Outcome"] == "added"
    assert documents(world.app) == [("a.txt", "a", 1)]


def test_an_empty_file_is_a_document_as_soon_as_it_is_announced(world: World) -> None:
    answer = world.ada.create(0)

    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "0")
    assert world.ada.client.get(f"{answer.headers['Content-Location']}/download").data == b""


def test_folders_become_categories_with_the_document_and_not_before(world: World) -> None:
    path = world.ada.begin(3, folder="2026/march/download")
    with world.app.app_context():
        assert find_category("inbox/2026/march") is None

    assert world.ada.patch(path, 0, b"abc").status_code == 204

    with world.app.app_context():
        found = db.session.scalars(select(Document)).one()
        assert get_category(found.category_id).path == "inbox/2026/march/download_"


def test_a_new_version_of_a_document_comes_in(world: World) -> None:
    uuid = world.ada.send(TEXT).headers["Portal-Document"]
    known = metadata(filename="b.txt", document=uuid, note="corrected")
    created = world.ada.ask("POST", "/uploads", {"Upload-Length": "3", "Upload-Metadata": known})

    answer = world.ada.patch(created.headers["Location"], 0, b"new")

    assert (answer.headers["Portal-Outcome"], answer.headers["Portal-Version"]) == ("versioned", "2")
    with world.app.app_context():
        assert list(db.session.scalars(select(Version.note).order_by(Version.id))) == ["", "corrected"]


def test_bytes_with_their_checksum_are_taken(world: World) -> None:
    path = world.ada.begin(len(TEXT))

    assert world.ada.patch(path, 0, TEXT[:9], {"Upload-Checksum": checksum(TEXT[:9])}).status_code == 204
    assert world.ada.patch(path, 9, TEXT[9:], {"Upload-Checksum": checksum(TEXT[9:], "sha1")}).status_code == 204


def test_an_upload_that_is_given_up_leaves_nothing(world: World) -> None:
    path = world.ada.begin(len(TEXT))
    world.ada.patch(path, 0, TEXT[:9])

    assert world.ada.ask("DELETE", path).status_code == 204

    assert left_in_tmp(world.app) == []
    assert world.ada.ask("HEAD", path).status_code == 410
    assert world.ada.patch(path, 9, TEXT[9:]).status_code == 410
    assert world.ada.ask("DELETE", path).status_code == 410
