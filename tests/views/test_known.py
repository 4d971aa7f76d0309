"""Whether files are there already: told to publishers about where they publish, and to nobody about anything else."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal.catalog import trash_document
from portal.models import PUBLISH, Document
from portal.settings import Settings
from tests import makers
from tests.databases import SQLITE_ONLY, traced
from tests.views.desk import Desk

OURS, OTHER = b"%PDF-1.7 ours", b"%PDF-1.7 another"


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class World:
    """`inbox` to publish in with a folder below it, `read only`, and a `vault` below the inbox that is sealed."""

    app: Flask
    ada: Desk
    document: Document

    def ask(self, said: object) -> TestResponse:
        return self.ada.client.post("/uploads/known", json=said, headers={"X-CSRFToken": self.ada.token()})

    def words(self, *files: tuple[str, bytes], category: str = "inbox", folder: str = "") -> list[str]:
        asked = [{"filename": name, "sha256": hash_of(content), "folder": folder} for name, content in files]
        answer = self.ask({"category": category, "files": asked})
        assert answer.status_code == 200
        found: list[str] = answer.get_json()["files"]
        return found


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    with makers.running(settings) as app, app.app_context():
        ada = makers.person("Ada")
        inbox = makers.category("inbox")
        makers.grant(inbox, user=ada, permission=PUBLISH)
        makers.grant(makers.category("read only"), user=ada)
        vault = makers.category("inbox/vault", is_sealed=True)
        for shelf in (makers.category("inbox/2026/jan"), makers.category("read only"), vault):
            makers.document(shelf, "annual.pdf", OURS)
        yield World(app, Desk(app, ada), makers.document(inbox, "annual.pdf", OURS))


def test_each_file_is_new_or_there_with_the_same_bytes_or_with_others(world: World) -> None:
    asked = [("annual.pdf", OURS), ("annual.pdf", OTHER), ("Annual.pdf", OURS), ("fresh.pdf", OURS)]

    assert world.words(*asked) == ["same", "version", "new", "new"]
    assert world.words(("annual.pdf", OURS), folder="2026/jan") == ["same"]
    assert world.words(("annual.pdf", OURS), folder="2026") == ["new"]
    assert world.words(("a/annual.pdf", OURS), (" annual.pdf\u200b", OURS)) == ["same", "same"]


def test_which_document_that_is_is_told_with_it(world: World) -> None:
    files = [{"filename": name, "sha256": hash_of(OTHER)} for name in ("annual.pdf", "fresh.pdf")]

    answer = world.ask({"category": "inbox", "files": files})

    assert answer.get_json() == {"files": ["version", "new"], "documents": [str(world.document.uuid), None]}


def test_a_new_version_of_a_document_is_compared_with_what_it_has(world: World) -> None:
    files = [{"filename": "any.pdf", "sha256": hash_of(content)} for content in (OURS, OTHER)]

    answer = world.ask({"document": str(world.document.uuid), "files": files})

    assert answer.get_json()["files"] == ["same", "version"]


def test_nothing_is_told_of_what_is_not_theirs_to_publish_in(world: World) -> None:
    asked = {"files": [{"filename": "annual.pdf", "sha256": hash_of(OURS)}]}

    assert world.ask({"category": "read only", **asked}).status_code == 403
    assert world.ask({"category": "inbox/vault", **asked}).status_code == 404
    assert world.ask({"category": "nowhere", **asked}).status_code == 404
    assert world.words(("annual.pdf", OURS), folder="vault") == ["new"]


def test_nothing_is_told_of_a_folder_that_one_may_only_read(world: World) -> None:
    makers.grant(makers.category("inbox/vault"), everyone=True)

    assert world.words(("annual.pdf", OURS), folder="vault") == ["new"]


def test_what_is_in_the_trash_is_not_there(world: World) -> None:
    trash_document(None, world.document.id)

    assert world.words(("annual.pdf", OURS)) == ["new"]


def test_a_folder_that_can_be_no_category_holds_nothing(world: World) -> None:
    assert world.words(("annual.pdf", OURS), folder="../inbox") == ["new"]
    assert world.words(("annual.pdf", OURS), folder="/".join("x" * 100)) == ["new"]


@SQLITE_ONLY
def test_two_hundred_files_cost_as_few_queries_as_one(world: World) -> None:
    world.words(("annual.pdf", OURS))
    with traced(world.app) as one:
        world.words(("annual.pdf", OURS))
    with traced(world.app) as many:
        world.words(*[(f"{number}.pdf", OURS) for number in range(200)])

    assert len(many) <= len(one) <= 6


@SQLITE_ONLY
@pytest.mark.parametrize(
    "said",
    [
        [],
        {},
        {"files": []},
        {"category": "inbox"},
        {"category": "inbox", "document": "1", "files": []},
        {"category": 1, "files": []},
        {"category": "in\x01box", "files": []},
        {"category": "inbox", "files": {}},
        {"category": "inbox", "files": ["annual.pdf"]},
        {"category": "inbox", "files": [{"filename": "annual.pdf"}]},
        {"category": "inbox", "files": [{"filename": "annual.pdf", "sha256": "x" * 64}]},
        {"category": "inbox", "files": [{"filename": "x" * 1001, "sha256": "0" * 64}]},
        {"category": "inbox", "files": [{"filename": "x", "sha256": "0" * 64, "folder": None}]},
        {"category": "inbox", "files": [{"filename": "x", "sha256": "0" * 64}] * 201},
    ],
)
def test_a_question_that_is_none_gets_a_sentence(world: World, said: Any) -> None:
    answer = world.ask(said)

    assert answer.status_code == 422
    assert answer.get_json()["sentence"].endswith(".")
