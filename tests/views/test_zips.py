"""Zips in the browser and by programs: who gets what, how it is named, and that it resumes."""

import hashlib
import io
import random
import re
import subprocess
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal import accounts, catalog
from portal.accounts.sessions import start_session
from portal.extensions import db
from portal.models import PUBLISH, Document, Download, Ticket, Version
from portal.settings import Settings
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.parts import program
from tests.servers import Caller, Server, serving
from tests.slow import reading
from tests.views.desk import Desk

FILES = {"2018/feb/weather.csv": b"a,b\n1,2\n", "2018/jan/weather.csv": b"a,b\n", "übersicht.pdf": b"%PDF-1.7\n%x\n"}


@pytest.fixture
def desk(app: Flask) -> Desk:
    """A reader of ``reports`` in which there is also a sealed category of somebody else's."""
    with app.app_context():
        reader, shelf = makers.person("Ada"), makers.category("reports")
        makers.grant(shelf, user=reader)
        for path, content in FILES.items():
            folder, _, filename = f"reports/{path}".rpartition("/")
            makers.document(makers.category(folder), filename, content, "text/csv")
        makers.document(makers.category("reports/board", is_sealed=True), "secret.pdf", b"%PDF-1.7\n%secret\n")
        makers.document(shelf, "draft.txt", b"draft", published_at=None)
        makers.document(makers.category("foreign"), "foreign.pdf", b"%PDF-1.7\n%foreign\n")
        return Desk(app, reader)


def ids(app: Flask, *filenames: str) -> list[int]:
    """The ids of these documents."""
    with app.app_context():
        found = dict(db.session.execute(select(Document.filename, Document.id)).all())
        return [found[filename] for filename in filenames]


def opened(content: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(content))


def test_a_category_as_zip_holds_what_the_reader_may_read_in_its_folders(desk: Desk) -> None:
    answer = desk.client.get("/categories/reports/download")

    assert answer.status_code == 200
    assert answer.content_type == "application/zip"
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert 'attachment; filename="reports.zip"' in answer.headers["Content-Disposition"]
    with opened(answer.data) as archive:
        assert sorted(archive.namelist()) == sorted([*FILES, "MANIFEST.csv", "SHA256SUMS"])
        assert "secret" not in archive.read("MANIFEST.csv").decode()
        sums = archive.read("SHA256SUMS").decode()
    assert f"{hashlib.sha256(FILES['übersicht.pdf']).hexdigest()}  übersicht.pdf\n" in sums


@SQLITE_ONLY
def test_a_publisher_gets_no_draft_in_a_zip(desk: Desk) -> None:
    with desk.app.app_context():
        publisher = makers.person("Pub")
        makers.grant(makers.category("reports"), user=publisher, permission=PUBLISH)
        client = makers.signed_in(desk.app, publisher)
    with opened(client.get("/categories/reports/download").data) as archive:
        assert "draft.txt" not in archive.namelist()


@SQLITE_ONLY
def test_a_zip_answers_conditions_and_ranges_like_a_document(desk: Desk) -> None:
    path = "/categories/reports/download"
    whole = desk.client.get(path)
    etag = whole.headers["ETag"]

    assert desk.client.get(path, headers={"If-None-Match": etag}).status_code == 304
    part = desk.client.get(path, headers={"Range": "bytes=100-199", "If-Range": etag})
    assert (part.status_code, part.data) == (206, whole.data[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(whole.data)}"
    other = desk.client.get(path, headers={"Range": "bytes=100-199", "If-Range": '"another"'})
    assert (other.status_code, len(other.data)) == (200, len(whole.data))
    beyond = desk.client.get(path, headers={"Range": f"bytes={len(whole.data)}-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(whole.data)}")
    several = desk.client.get(path, headers={"Range": "bytes=0-9,50-59"})
    assert several.status_code == 206
    assert several.content_type.startswith("multipart/byteranges")
    assert whole.data[50:60] in several.data


@SQLITE_ONLY
def test_head_tells_the_length_and_writes_nothing(desk: Desk) -> None:
    answer = desk.client.head("/categories/reports/download")

    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) > 500
    with desk.app.app_context():
        assert db.session.scalars(select(Download)).all() == []


@SQLITE_ONLY
def test_whoever_has_the_zip_already_gets_nothing_and_is_not_written_down(desk: Desk) -> None:
    path = "/categories/reports/download"
    etag = desk.client.head(path).headers["ETag"]

    answer = desk.client.get(path, headers={"If-None-Match": etag})

    assert (answer.status_code, answer.data) == (304, b"")
    with desk.app.app_context():
        assert db.session.scalars(select(Download)).all() == []


@SQLITE_ONLY
def test_the_same_zip_is_the_same_bytes(desk: Desk) -> None:
    first, second = (desk.client.get("/categories/reports/download") for _ in range(2))
    assert first.data == second.data
    assert first.headers["ETag"] == second.headers["ETag"]


@SQLITE_ONLY
def test_a_category_one_may_not_see_is_the_same_404_as_none(desk: Desk) -> None:
    answers = [desk.client.get(f"/categories/{path}/download") for path in ("foreign", "reports/board", "nothing")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.data for answer in answers}) == 1


@SQLITE_ONLY
def test_a_zip_of_nothing_says_so(desk: Desk) -> None:
    with desk.app.app_context():
        makers.category("reports/empty")
    answer = desk.client.get("/categories/reports/empty/download")

    assert answer.status_code == 422
    assert "There is no document in it" in answer.text


@pytest.mark.parametrize(("limit", "value"), [("zip_documents", 2), ("zip_bytes", 20)])
def test_more_than_a_zip_may_hold_is_refused_before_the_first_byte(
    sqlite_settings: Settings, limit: str, value: int
) -> None:
    changed: dict[str, Any] = {limit: value}
    with makers.running(replace(sqlite_settings, **changed)) as app:
        with app.app_context():
            reader, shelf = makers.person("Ada"), makers.category("reports")
            makers.grant(shelf, user=reader)
            for number in range(3):
                makers.document(shelf, f"{number}.txt", b"ten bytes!" + bytes([number]))
            client = makers.signed_in(app, reader)
        answer = client.get("/categories/reports/download")
    assert answer.status_code == 413
    assert "Choose fewer documents" in answer.text


def test_chosen_documents_come_by_a_ticket_that_resumes(desk: Desk) -> None:
    chosen = ids(desk.app, "übersicht.pdf", "weather.csv")
    answer = desk.send("/documents/download", {"document": chosen, "title": "reports"})

    assert answer.status_code == 303
    guest = desk.app.test_client()
    whole = guest.get(answer.location)
    rest = guest.get(answer.location, headers={"Range": "bytes=50-", "If-Range": whole.headers["ETag"]})
    assert rest.data == whole.data[50:]
    assert 'filename="reports-selection-2-documents.zip"' in whole.headers["Content-Disposition"]
    with opened(whole.data) as archive:
        assert archive.namelist() == ["übersicht.pdf", "weather.csv", "MANIFEST.csv", "SHA256SUMS"]
    with desk.app.app_context():
        assert {row.actor_key for row in db.session.scalars(select(Download))} == {"u:1"}


@SQLITE_ONLY
def test_a_link_scanner_gets_nothing_of_a_choice_and_counts_as_nobody(desk: Desk) -> None:
    answer = desk.send("/documents/download", {"document": ids(desk.app, "übersicht.pdf"), "title": "reports"})

    looked = desk.app.test_client().get(answer.location, headers={"User-Agent": "Slackbot-LinkExpanding 1.0"})

    assert (looked.status_code, looked.mimetype) == (200, "text/html")
    assert "This address is a download" in looked.text
    with desk.app.app_context():
        assert db.session.scalars(select(Download)).all() == []


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("title", "names", "filename"),
    [
        ("reports", ["weather.csv"], "reports-selection-1-document.zip"),
        ("", ["weather.csv", "weather.csv"], "Portal-selection-1-document.zip"),
        (" ", ["weather.csv", "übersicht.pdf"], "Portal-selection-2-documents.zip"),
        ("x" * 300, ["weather.csv", "übersicht.pdf"], "x" * 100 + "-selection-2-documents.zip"),
    ],
)
def test_the_zip_of_a_choice_says_that_it_is_one(desk: Desk, title: str, names: list[str], filename: str) -> None:
    answer = desk.send("/documents/download", {"document": ids(desk.app, *names), "title": title})

    assert f'filename="{filename}"' in desk.client.get(answer.location).headers["Content-Disposition"]


@SQLITE_ONLY
def test_a_choice_with_a_foreign_document_is_nothing_at_all(desk: Desk) -> None:
    chosen = ids(desk.app, "übersicht.pdf", "foreign.pdf")
    answer = desk.send("/documents/download", {"document": chosen})

    assert answer.status_code == 404
    assert "foreign" not in answer.text
    with desk.app.app_context():
        assert db.session.scalars(select(Ticket)).all() == []


@SQLITE_ONLY
@pytest.mark.parametrize(("documents", "status"), [([], 422), (["x"], 422), (["-1"], 422), (["4711"], 404)])
def test_a_choice_of_what_is_no_document_is_refused(desk: Desk, documents: list[str], status: int) -> None:
    assert desk.send("/documents/download", {"document": documents}).status_code == status


@pytest.mark.parametrize("also", [[], ["weather.csv"]])
def test_a_choice_of_which_a_document_is_gone_is_gone_as_a_whole(desk: Desk, also: list[str]) -> None:
    chosen = ids(desk.app, "übersicht.pdf", *also)
    address = desk.send("/documents/download", {"document": chosen}).location
    with desk.app.app_context():
        makers.change(db.session.get_one(Document, chosen[0]), trashed_at=makers.now())
    answer = desk.app.test_client().get(address)

    assert answer.status_code == 410
    assert "One of the documents you chose is no longer there for you." in answer.text


@SQLITE_ONLY
def test_a_right_taken_back_is_gone_from_the_next_request_of_a_ticket(desk: Desk) -> None:
    address = desk.send("/documents/download", {"document": ids(desk.app, "übersicht.pdf")}).location
    with desk.app.app_context():
        for grant in catalog.list_grants(makers.category("reports")):
            catalog.remove_grant(None, grant.grant.id)

    assert desk.app.test_client().get(address).status_code == 410


def test_tickets_of_a_choice_end_with_the_sessions_of_the_person(desk: Desk) -> None:
    address = desk.send("/documents/download", {"document": ids(desk.app, "übersicht.pdf")}).location
    with desk.app.app_context():
        root = makers.person("Root", is_admin=True)
        accounts.end_all_sessions(makers.actor(root), 1)

    assert desk.app.test_client().get(address).status_code == 410


@SQLITE_ONLY
def test_tickets_of_a_choice_end_with_the_password_of_the_person(desk: Desk) -> None:
    address = desk.send("/documents/download", {"document": ids(desk.app, "übersicht.pdf")}).location
    with desk.app.app_context():
        accounts.set_password(None, 1, makers.PASSWORD)

    assert desk.app.test_client().get(address).status_code == 410


@SQLITE_ONLY
def test_a_publisher_may_choose_a_draft(desk: Desk) -> None:
    with desk.app.app_context():
        publisher = makers.person("Pub")
        makers.grant(makers.category("reports"), user=publisher, permission=PUBLISH)
        their = Desk(desk.app, publisher)
    answer = their.send("/documents/download", {"document": ids(desk.app, "draft.txt")})

    with opened(desk.app.test_client().get(answer.location).data) as archive:
        assert "draft.txt" in archive.namelist()


@SQLITE_ONLY
def test_a_ticket_of_somebody_disabled_or_after_its_day_is_over(desk: Desk) -> None:
    address = desk.send("/documents/download", {"document": ids(desk.app, "übersicht.pdf")}).location
    with desk.app.app_context():
        ticket = db.session.scalars(select(Ticket)).one()
        makers.change(ticket, expires_at=makers.now())

    assert desk.app.test_client().get(address).status_code == 410


@SQLITE_ONLY
def test_the_page_of_a_category_offers_everything_with_its_size_and_a_choice(desk: Desk) -> None:
    page = desk.read("/categories/reports")

    assert "Everything as zip" in page
    assert 'action="/documents/download"' in page
    assert re.search(r'<input type="checkbox" name="document" value="\d+"', page)


@pytest.fixture
def server(sqlite_settings: Settings) -> Iterator[tuple[Server, str, bytes]]:
    """A running portal with ten documents of up to 3 MiB, the cookie of a reader, and the whole zip."""
    chance = random.Random(7)
    with makers.running(sqlite_settings) as app, app.app_context():
        reader, shelf = makers.person("Ada"), makers.category("reports")
        makers.grant(shelf, user=reader)
        for number in range(10):
            makers.document(shelf, f"{number}.bin", chance.randbytes(chance.randrange(3_000_000)))
        token = start_session(reader.id, network="127.0.0.0/24", agent="tests")
    with serving(sqlite_settings) as running:
        address = f"http://127.0.0.1:{running.port}/categories/reports/download"
        fetched = subprocess.run(
            [program("curl", "curl"), "-sf", "-H", f"Cookie: portal={token}", address], capture_output=True, check=True
        )
        yield running, token, fetched.stdout


@pytest.mark.parametrize("client", ["wget", "curl"])
def test_programs_resume_a_zip_that_was_cut_at_random_bytes(
    server: tuple[Server, str, bytes], client: str, tmp_path: Path
) -> None:
    running, token, whole = server
    address = f"http://127.0.0.1:{running.port}/categories/reports/download"
    cookie, target = f"Cookie: portal={token}", tmp_path / "resumed.zip"
    commands = {
        "wget": ["wget", "-q", "-c", "--header", cookie, "-O", str(target), address],
        "curl": ["curl", "-sf", "-C", "-", "-H", cookie, "-o", str(target), address],
    }
    program(client, client)
    chance = random.Random(client)
    for _ in range(5):
        target.write_bytes(whole[: chance.randrange(1, len(whole))])
        subprocess.run(commands[client], check=True, cwd=tmp_path)
        assert target.read_bytes() == whole
    assert zipfile.ZipFile(target).testzip() is None


def test_the_server_sends_the_same_bytes_as_the_application_in_ranges_and_parts_too(
    server: tuple[Server, str, bytes], sqlite_settings: Settings
) -> None:
    """The kernel sends one range, the server several; without a server there is no socket."""
    running, token, whole = server
    caller, path, chance = Caller(running.port, {"portal": token}), "/categories/reports/download", random.Random(3)
    with makers.running(sqlite_settings) as app:
        client = app.test_client()
        client.set_cookie("portal", token)
        assert client.get(path).data == whole
    for _ in range(10):
        start = chance.randrange(len(whole))
        stop = chance.randrange(start, len(whole)) + 1
        answer = caller.get(path, Range=f"bytes={start}-{stop - 1}")
        assert (answer.status, answer.body) == (206, whole[start:stop])
    parts = caller.get(path, Range="bytes=100-199,2000000-4999999,-50")
    assert int(parts.headers["Content-Length"]) == len(parts.body)
    assert all(piece in parts.body for piece in (whole[100:200], whole[2_000_000:5_000_000], whole[-50:]))


@pytest.mark.parametrize("wanted", [70_000, 2_000_000, 7_000_000])
def test_of_a_zip_whose_reader_hangs_up_the_ledger_says_how_far_it_came(
    server: tuple[Server, str, bytes], sqlite_settings: Settings, wanted: int
) -> None:
    """Behind the first block, which a server may have sent in part: whole members, then a part of one, then nothing."""
    running, _, whole = server
    with makers.running(sqlite_settings) as app, app.app_context():
        eve = makers.person("Eve")
        makers.grant(makers.category("reports"), user=eve)
        token = start_session(eve.id, network="127.0.0.0/24", agent="tests")
    with reading(running.port, "/categories/reports/download", token) as slow:
        assert slow.read(wanted) == wanted
        slow.response.close()

    with makers.running(sqlite_settings) as app, app.app_context():
        rows = settled(eve.id)
    with opened(whole) as archive:
        members = [
            (info.header_offset + 30 + len(info.filename), info.file_size, *rows.get(info.filename, ("", 0)))
            for info in archive.infolist()
            if info.filename not in ("MANIFEST.csv", "SHA256SUMS")
        ]
    broken = next(number for number, (_, size, _, has) in enumerate(members) if has < size)
    assert {state for _, _, state, _ in members[:broken]} <= {"completed"}
    assert members[broken][0] + members[broken][3] >= wanted
    assert {state for _, _, state, _ in members[broken:]} <= {"aborted", ""}
    assert {has for _, _, _, has in members[broken + 1 :]} <= {0}


def settled(user_id: int) -> dict[str, tuple[str, int]]:
    """State and bytes of the rows of one person by filename, once nothing is on its way."""
    columns = select(Version.filename, Download.state, Download.bytes_sent)
    of = columns.join(Version, Version.id == Download.version_id).where(Download.user_id == user_id)
    for _ in range(200):
        rows = {filename: (state, sent) for filename, state, sent in db.session.execute(of)}
        makers.release()
        states = {state for state, _ in rows.values()}
        if "aborted" in states and "started" not in states:
            return rows
        time.sleep(0.05)
    raise AssertionError(f"the line is still open: {rows}")
