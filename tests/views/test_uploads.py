"""Resumable uploads over HTTP: tus 1.0 to the letter, and what bad input gets."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal import accounts, filenames
from portal.accounts.quotas import change_quota_of_person
from portal.catalog import change_rules, find_category, get_category, trash_category
from portal.extensions import db, transaction
from portal.models import PUBLISH, READ, Document, Grant, Upload, User, Version
from portal.settings import Settings
from portal.uploads import resumable
from tests import makers
from tests.databases import SqliteTemplate
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


@pytest.fixture(scope="module")
def refusing(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all tests after which everything is as it was."""
    directory = tmp_path_factory.mktemp("refusing")
    with makers.running(makers.settings_for(sqlite_template.copy(directory / "portal.db"), directory)) as app:
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


def test_what_the_server_speaks_is_said_to_who_asks(refusing: World) -> None:
    answer = refusing.ada.ask("OPTIONS", "/uploads", {"Tus-Resumable": None})

    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == answer.headers["Tus-Resumable"] == "1.0.0"
    assert answer.headers["Tus-Extension"] == "creation,creation-with-upload,termination,checksum,expiration"
    assert answer.headers["Tus-Max-Size"] == str(refusing.app.config["PORTAL"].max_upload)
    assert answer.headers["Tus-Checksum-Algorithm"] == "sha256,sha1"


def test_who_asks_how_far_it_is_hears_what_was_announced(refusing: World) -> None:
    created = refusing.ada.create(len(TEXT))
    answer = refusing.ada.ask("HEAD", created.headers["Location"])

    assert answer.headers["Upload-Length"] == str(len(TEXT))
    assert answer.headers["Upload-Offset"] == "0"
    assert answer.headers["Upload-Metadata"] == metadata(filename="a.txt", category="inbox")
    assert answer.headers["Upload-Expires"] == created.headers["Upload-Expires"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Upload-Offset" not in created.headers


@pytest.mark.parametrize("version", [None, "0.2.2", "1.0.1", ""])
@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
def test_another_version_of_the_protocol_is_not_spoken(refusing: World, method: str, version: str | None) -> None:
    path = refusing.ada.begin(3) if method != "POST" else "/uploads"

    answer = refusing.ada.ask(method, path, {"Tus-Resumable": version, "Upload-Length": "3", "Content-Type": BODY})

    assert (answer.status_code, answer.headers["Tus-Version"]) == (412, "1.0.0")
    if method != "POST":
        assert refusing.ada.offset(path) == 0


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "application/x-www-form-urlencoded", ""])
def test_bytes_of_another_type_are_not_taken(refusing: World, kind: str) -> None:
    path = refusing.ada.begin(3)

    assert refusing.ada.patch(path, 0, b"abc", {"Content-Type": kind}).status_code == 415
    assert refusing.ada.offset(path) == 0


def test_packed_bytes_are_not_taken(refusing: World) -> None:
    path = refusing.ada.begin(3)

    assert refusing.ada.patch(path, 0, b"abc", {"Content-Encoding": "gzip"}).status_code == 415
    assert refusing.ada.offset(path) == 0


@pytest.mark.parametrize(
    ("offset", "status"),
    [("0", 409), ("9", 409), ("11", 409), ("999999999999", 409), ("-1", 400), ("", 400), ("ten", 400), ("1e1", 400),
     ("٣", 400), ("9" * 30, 400)],
)  # fmt: skip
def test_bytes_for_another_place_leave_the_upload_as_it_was(world: World, offset: str, status: int) -> None:
    path = world.ada.begin(len(TEXT))
    world.ada.patch(path, 0, TEXT[:10])

    headers = {"Upload-Offset": offset.encode().decode("latin-1"), "Content-Type": BODY}
    assert world.ada.ask("PATCH", path, headers, TEXT[10:]).status_code == status

    assert world.ada.offset(path) == 10
    assert world.ada.patch(path, 10, TEXT[10:]).headers["Portal-Outcome"] == "added"


@pytest.mark.parametrize("length", ["-1", "", "ten", "1.5", "0x10", "1" * 19, " 5 5"])
def test_a_length_that_is_none_begins_nothing(refusing: World, length: str) -> None:
    assert refusing.ada.create(0, {"Upload-Length": length}).status_code == 400
    assert left_in_tmp(refusing.app) == []


def test_more_than_may_be_uploaded_is_refused_before_the_first_byte(refusing: World) -> None:
    assert refusing.ada.create(refusing.app.config["PORTAL"].max_upload + 1).status_code == 413
    assert left_in_tmp(refusing.app) == []


def test_more_bytes_than_announced_are_refused_and_none_is_kept(world: World) -> None:
    path = world.ada.begin(10)
    world.ada.patch(path, 0, b"12345")

    assert world.ada.patch(path, 5, b"67890+").status_code == 413
    assert world.ada.offset(path) == 5
    assert world.ada.patch(path, 5, b"67890").headers["Upload-Offset"] == "10"


def test_the_last_bytes_may_come_twice_for_their_answer_may_be_lost(world: World) -> None:
    path = world.ada.begin(len(TEXT))
    first = world.ada.patch(path, 0, TEXT)

    again = world.ada.patch(path, len(TEXT), b"")
    looked = world.ada.ask("HEAD", path)

    for answer in (again, looked):
        assert answer.headers["Upload-Offset"] == str(len(TEXT))
        assert answer.headers["Portal-Document"] == first.headers["Portal-Document"]
        assert answer.headers["Portal-Outcome"] == "added"
        assert answer.headers["Content-Location"] == first.headers["Content-Location"]
    assert world.ada.patch(path, len(TEXT), b"+").status_code == 413
    assert world.ada.patch(path, 0, TEXT).status_code == 409
    assert world.ada.ask("DELETE", path).status_code == 409
    assert documents(world.app) == [("a.txt", "a", 1)]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [(checksum(b"others"), 460), (checksum(b"others", "sha1"), 460), ("sha256 AAAA", 460), ("md5 AAAA", 400),
     ("sha256 ?", 400), ("sha256 é", 400), ("sha256", 460), ("", 400)],
)  # fmt: skip
def test_bytes_with_another_checksum_are_not_kept(world: World, wrong: str, status: int) -> None:
    path = world.ada.begin(len(TEXT))
    world.ada.patch(path, 0, TEXT[:10])

    assert world.ada.patch(path, 10, TEXT[10:], {"Upload-Checksum": wrong}).status_code == status

    assert world.ada.offset(path) == 10
    last = world.ada.patch(path, 10, TEXT[10:], {"Upload-Checksum": checksum(TEXT[10:])})
    assert world.ada.client.get(f"{last.headers['Content-Location']}/download").data == TEXT


def test_first_bytes_that_are_refused_leave_no_upload_whose_address_nobody_knows(world: World) -> None:
    sent = {"Content-Type": BODY, "Upload-Length": "3", "Upload-Metadata": metadata(filename="a.txt", category="inbox")}

    answer = world.ada.ask("POST", "/uploads", sent | {"Upload-Checksum": checksum(b"others")}, b"abc")

    assert answer.status_code == 460
    with world.app.app_context():
        assert db.session.scalars(select(Upload.state)).all() == ["cancelled"]
    assert left_in_tmp(world.app) == []


def test_a_whole_that_has_not_the_hash_announced_is_refused_for_good(world: World) -> None:
    path = world.ada.begin(len(TEXT), sha256=hashlib.sha256(b"others").hexdigest())

    answers = [world.ada.patch(path, 0, TEXT), world.ada.ask("HEAD", path), world.ada.patch(path, 0, TEXT)]

    assert [answer.status_code for answer in answers] == [422] * 3
    assert "not those whose SHA-256 was announced" in answers[0].text
    assert (documents(world.app), left_in_tmp(world.app)) == ([], [])


@pytest.mark.parametrize(
    ("known", "status"),
    [
        ("", 400),
        ("filename", 400),
        (metadata(filename="a.txt"), 400),
        (metadata(category="inbox"), 400),
        (metadata(filename="a.txt", category="inbox", document="1"), 400),
        (metadata(filename="a.txt", category="inbox") + "," + metadata(category="inbox"), 400),
        ("filename ?,category aW5ib3g=", 400),
        ("filename gIA=,category aW5ib3g=", 400),
        ("filename é,category aW5ib3g=", 400),
        (metadata(filename="a.txt", category="nowhere"), 404),
        (metadata(filename="a.txt", category="vault"), 404),
        (metadata(filename="a.txt", category="read only"), 403),
        (metadata(filename="a.txt", document="999999"), 404),
        (metadata(filename="a.txt", document="?"), 404),
        (metadata(filename="a.txt", distribution="00000000-0000-4000-8000-000000000000"), 404),
        (metadata(filename="a.txt", category="inbox", title="x" * 301), 422),
        (metadata(filename="a.txt", category="inbox", tags=",".join(f"tag {n}" for n in range(99))), 422),
        (metadata(filename="a.txt", category="inbox", on_conflict="destroy"), 422),
        (metadata(filename="a.txt", category="inbox", expires_at="tomorrow"), 422),
        (metadata(filename="a.txt", category="inbox", draft="1", published_at="2030-01-01T00:00"), 422),
        (metadata(filename="a.txt", category="inbox", published_at="2030-01-02", expires_at="2030-01-01"), 422),
        (metadata(filename="a.txt", category="inbox", sha256="AB" * 32), 422),
        (metadata(filename="a.txt", category="inbox", folder="a/../b"), 422),
        (metadata(filename="a.txt", category="inbox", folder="/".join("d" * 70)), 422),
        (metadata(filename="a.txt", category="inbox", folder="x" * 101), 422),
        (metadata(filename="a.txt", category="inbox", title="a\0b"), 422),
    ],
    ids=range(26),
)
def test_what_is_announced_wrongly_begins_nothing(refusing: World, known: str, status: int) -> None:
    answer = refusing.ada.create(3, {"Upload-Metadata": known})

    assert answer.status_code == status, answer.text
    assert left_in_tmp(refusing.app) == []


@pytest.mark.parametrize("header", ["Upload-Defer-Length", "Upload-Concat"])
def test_extensions_that_are_not_spoken_are_refused(refusing: World, header: str) -> None:
    assert refusing.ada.create(3, {header: "1"}).status_code == 400


def test_words_on_the_way_change_nothing_of_what_was_announced(world: World) -> None:
    path = world.ada.begin(len(TEXT))
    other = metadata(filename="b.exe", category="read only", title="Other")

    last = world.ada.patch(path, 0, TEXT, {"Upload-Metadata": other, "Upload-Length": "3"})

    assert last.headers["Portal-Outcome"] == "added"
    assert documents(world.app) == [("a.txt", "a", 1)]


def test_an_upload_of_somebody_else_is_not_there(world: World) -> None:
    path = world.ada.begin(len(TEXT))
    unknown = "/uploads/00000000-0000-4000-8000-000000000000"

    for sender in (world.other,):
        for there in (path, unknown, "/uploads/1", "/uploads/x"):
            assert sender.ask("HEAD", there).status_code == 404
            assert sender.patch(there, 0, TEXT).status_code == 404
            assert sender.ask("DELETE", there).status_code == 404
            assert sender.ask("PUT", f"{there}/facts", {"Content-Type": "application/json"}, b"{}").status_code == 404
        assert sender.patch(path, 0, TEXT).data == sender.patch(unknown, 0, TEXT).data
    assert world.ada.offset(path) == 0
    assert world.other.client.get("/uploads").json == {"uploads": []}


def test_nobody_learns_what_is_behind_a_seal_below_a_category_they_publish_in(world: World) -> None:
    with world.app.app_context():
        sealed = makers.category("inbox/sealed", is_sealed=True)
        makers.document(sealed, filename="plan.txt")
        change_rules(None, sealed.id, types=("txt",), expiry_days=None)
    told = {"folder": "sealed", "on_conflict": "refuse"}

    answers = [world.ada.create(3, filename=name, **told) for name in ("plan.txt", "other.txt", "other.pdf")]

    assert [answer.status_code for answer in answers] == [404] * 3
    assert len({answer.text for answer in answers}) == 1


def test_an_upload_whose_time_is_over_is_gone(world: World) -> None:
    path = world.ada.begin(len(TEXT))
    world.ada.patch(path, 0, TEXT[:10])
    with world.app.app_context():
        with transaction() as session:
            session.execute(update(Upload).values(expires_at=makers.now(hours=-1)))
        resumable.sweep()

    assert world.ada.ask("HEAD", path).status_code == 410
    assert world.ada.patch(path, 10, TEXT[10:]).status_code == 410
    assert left_in_tmp(world.app) == []


def test_a_name_that_is_taken_is_refused_before_the_first_byte_and_at_the_end(world: World) -> None:
    early = world.ada.begin(3, on_conflict="refuse")
    world.ada.send(TEXT)

    assert world.ada.create(3, on_conflict="refuse").status_code == 409
    answers = [world.ada.patch(early, 0, b"abc"), world.ada.ask("HEAD", early)]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert left_in_tmp(world.app) == []


def test_a_name_that_is_taken_gets_a_number_where_that_is_wanted(world: World) -> None:
    world.ada.send(TEXT)
    world.ada.send(b"others", on_conflict="rename")
    world.ada.send(b"third")

    assert documents(world.app) == [("a (2).txt", "a (2)", 1), ("a.txt", "a", 2)]


def test_a_type_that_is_not_what_its_name_says_is_refused_at_the_end(world: World) -> None:
    answer = world.ada.send(b"MZ no document", filename="a.pdf")

    assert answer.status_code == 415
    assert (documents(world.app), left_in_tmp(world.app)) == ([], [])
    listed = world.ada.client.get("/uploads").json
    assert listed is not None
    assert [(one["state"], one["received"]) for one in listed["uploads"]] == [("refused", 0)]
    assert "not what its name says" in listed["uploads"][0]["reason"]


def test_a_right_that_is_taken_away_meanwhile_is_gone(world: World) -> None:
    path = world.ada.begin(len(TEXT))
    world.ada.patch(path, 0, TEXT[:10])
    with world.app.app_context(), transaction() as session:
        inbox = find_category("inbox")
        assert inbox is not None
        session.execute(update(Grant).where(Grant.category_id == inbox.id).values(permission=READ))
        makers.grant(makers.category("other"), user=ada(), permission=PUBLISH)

    assert world.ada.patch(path, 10, TEXT[10:]).status_code == 403
    assert world.ada.ask("HEAD", path).status_code == 403
    assert (documents(world.app), left_in_tmp(world.app)) == ([], [])


def test_a_category_that_went_meanwhile_is_said(world: World) -> None:
    path = world.ada.begin(len(TEXT))
    with world.app.app_context():
        inbox = find_category("inbox")
        assert inbox is not None
        makers.grant(makers.category("other"), user=ada(), permission=PUBLISH)
        trash_category(None, inbox.id)

    answer = world.ada.patch(path, 0, TEXT)

    assert answer.status_code == 410
    assert "not there any more" in answer.text


def test_what_is_said_of_a_document_may_change_while_its_bytes_come(world: World) -> None:
    path = world.ada.begin(len(TEXT), title="First", tags="one")
    world.ada.patch(path, 0, TEXT[:10])
    said = {"title": "Second", "tags": ["two", "three"], "draft": True, "description": "Words"}

    changed = world.ada.ask("PUT", f"{path}/facts", {"Content-Type": "application/json"}, json.dumps(said).encode())
    world.ada.patch(path, 10, TEXT[10:])

    assert changed.status_code == 204
    with world.app.app_context():
        document = db.session.scalars(select(Document)).one()
        assert (document.title, document.description, document.published_at) == ("Second", "Words", None)
    late = world.ada.ask("PUT", f"{path}/facts", {"Content-Type": "application/json"}, b"{}")
    assert late.status_code == 409


@pytest.mark.parametrize(
    ("said", "status", "field"),
    [
        ('{"title": 5}', 422, "title"),
        ('{"filename": "b.txt"}', 422, "filename"),
        ('{"sha256": "x"}', 422, "sha256"),
        ('{"title": "%s"}' % ("x" * 301), 422, "title"),
        ('{"tags": {"a": 1}}', 422, "tags"),
        ('["title"]', 422, ""),
        ("{", 400, None),
        ("[" * 100_000, 400, None),
    ],
    ids=range(8),
)
def test_what_cannot_be_said_of_a_document_is_refused(
    refusing: World, said: str, status: int, field: str | None
) -> None:
    path = refusing.ada.begin(3)

    answer = refusing.ada.ask("PUT", f"{path}/facts", {"Content-Type": "application/json"}, said.encode())

    assert answer.status_code == status
    if field is not None:
        assert answer.json is not None
        assert answer.json["field"] == field


def test_uploads_are_listed_for_the_page_that_goes_on_with_them(world: World) -> None:
    world.ada.send(TEXT)
    path = world.ada.begin(7, filename="b.txt", folder="2026/may")
    world.ada.patch(path, 0, b"abc")

    listed = world.ada.client.get("/uploads").json

    assert listed is not None
    newest, oldest = listed["uploads"]
    assert path.endswith(newest["uuid"])
    assert {key: newest[key] for key in ("filename", "folder", "size", "received", "state", "reason", "document")} == {
        "filename": "b.txt", "folder": "2026/may", "size": 7, "received": 3, "state": "receiving", "reason": "",
        "document": None,
    }  # fmt: skip
    assert newest["target"] == {"kind": "category", "path": "inbox"}
    assert (oldest["state"], oldest["document"] is not None) == ("done", True)


def test_the_list_tells_nothing_of_where_one_may_not_publish_any_more(world: World) -> None:
    world.ada.begin(7, filename="b.txt")
    with world.app.app_context():
        document = makers.document(makers.category("inbox/2026"), "later.txt")
        ref = str(document.id)
    known = metadata(filename="c.txt", document=ref)
    world.ada.ask("POST", "/uploads", {"Upload-Length": "7", "Upload-Metadata": known})
    titled, placed = targets(world)
    assert titled == {"kind": "document", "title": "later", "ref": ref}
    assert placed == {"kind": "category", "path": "inbox"}
    with world.app.app_context(), transaction() as session:
        inbox = find_category("inbox")
        assert inbox is not None
        session.execute(update(Grant).where(Grant.category_id == inbox.id).values(permission=READ))
        makers.grant(makers.category("other"), user=ada(), permission=PUBLISH)

    assert targets(world) == [{"kind": "document", "title": ""}, {"kind": "category", "path": ""}]


def test_a_request_that_only_may_be_a_post_says_what_it_is(refusing: World) -> None:
    path = refusing.ada.begin(len(TEXT))
    plain = {"Upload-Offset": "0", "Content-Type": BODY}

    assert refusing.ada.ask("POST", path, plain, TEXT[:10]).status_code == 400
    sent = refusing.ada.ask("POST", path, {**plain, "X-HTTP-Method-Override": "PATCH"}, TEXT[:10])
    looked = refusing.ada.ask("POST", path, {"X-HTTP-Method-Override": "HEAD"})
    given_up = refusing.ada.ask("POST", path, {"X-HTTP-Method-Override": "DELETE"})

    assert [answer.status_code for answer in (sent, looked, given_up)] == [204, 200, 204]
    assert sent.headers["Upload-Offset"] == looked.headers["Upload-Offset"] == "10"


def test_a_browser_without_the_token_of_its_forms_changes_nothing(refusing: World) -> None:
    path = refusing.ada.begin(len(TEXT))
    without: dict[str, str | None] = {"X-CSRFToken": None}

    assert refusing.ada.create(3, without).status_code == 400
    assert refusing.ada.patch(path, 0, TEXT, without).status_code == 400
    assert refusing.ada.ask("DELETE", path, without).status_code == 400
    assert refusing.ada.offset(path) == 0


def test_every_answer_says_which_version_it_speaks(refusing: World) -> None:
    path = refusing.ada.begin(3)
    answers = [
        refusing.ada.patch(path, 7, b"abc"),
        refusing.ada.patch("/uploads/x", 0, b""),
        refusing.app.test_client().head(path),
        refusing.ada.create(3, {"X-CSRFToken": None}), refusing.ada.ask("GET", "/uploads"),
    ]  # fmt: skip

    assert [answer.status_code for answer in answers] == [409, 404, 302, 400, 200]
    assert {answer.headers["Tus-Resumable"] for answer in answers} == {"1.0.0"}


def test_a_script_that_asks_for_json_gets_the_sentence_as_json(refusing: World) -> None:
    path = refusing.ada.begin(3)

    answer = refusing.ada.patch(path, 1, b"bc", {"Accept": "application/json"})

    assert answer.json is not None
    assert (answer.status_code, answer.json["sentence"][:11]) == (409, "These bytes")


@pytest.mark.parametrize(
    "name",
    [
        "résumé.txt", "отчёт.txt", "報告書.txt", "تقرير.txt", "דוח.txt", "รายงาน.txt", "👩\u200d👩\u200d👧.txt",
        "a" * 300 + ".txt", "../../x.txt", "C:\\x.txt", "\u202etxt.exe", "nul.txt",
    ],
    ids=range(12),
)  # fmt: skip
def test_names_in_every_script_are_kept_as_far_as_they_can_be(world: World, name: str) -> None:
    answer = world.ada.send(TEXT, filename=name)

    assert answer.status_code == 204
    assert [filename for filename, _, _ in documents(world.app)] == [filenames.clean(name)]


def test_a_quota_is_reserved_when_an_upload_begins(world: World) -> None:
    with world.app.app_context():
        change_quota_of_person(None, ada().id, 100)
    path = world.ada.begin(60)

    assert world.ada.create(41).status_code == 413
    world.ada.ask("DELETE", path)
    assert world.ada.create(41).status_code == 201


def test_an_administrator_who_looks_on_finishes_and_changes_nothing(world: World) -> None:
    path = world.ada.begin(len(TEXT))
    with world.app.app_context():
        root = makers.person("Root", is_admin=True)
        viewer = Sender(world.app, root)
        start_viewing_as(world.app, viewer, ada().id)

    assert viewer.ask("HEAD", path).headers["Upload-Offset"] == "0"
    assert viewer.patch(path, 0, TEXT).status_code == 403
    assert viewer.ask("DELETE", path).status_code == 403
    assert viewer.create(3).status_code == 403


def start_viewing_as(app: Flask, viewer: Sender, user_id: int) -> None:
    cookie = viewer.client.get_cookie("portal")
    assert cookie is not None
    found = accounts.find_session(cookie.value)
    assert found is not None
    accounts.start_viewing(found, user_id)


def targets(world: World) -> list[dict[str, str]]:
    """Where Ada's uploads go, as her list says."""
    listed = world.ada.client.get("/uploads").json
    assert listed is not None
    return [one["target"] for one in listed["uploads"]]


def ada() -> User:
    found = accounts.find_user("ada@example.org")
    assert found is not None
    return found
