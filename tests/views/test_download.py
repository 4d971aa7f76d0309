"""The download line over HTTP: who gets which bytes, with which headers, and what the ledger says afterwards."""

import hashlib
import os
import uuid
from dataclasses import dataclass

import flask
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.downloads.sending import AT_ONCE, BLOCK
from portal.extensions import close_connections, db
from portal.models import Document, Download, User
from portal.settings import Settings
from portal.views import delivery
from tests import makers
from tests.databases import SQLITE_ONLY, watched

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 8
ETAG = f'"sha256-{hashlib.sha256(PDF).hexdigest()}"'


@dataclass
class House:
    """One document a reader may have and a stranger may not."""

    app: Flask
    document_id: int
    uuid: uuid.UUID
    reader: FlaskClient
    stranger: FlaskClient
    reader_id: int

    def rows(self) -> list[Download]:
        """The ledger now."""
        with self.app.app_context():
            return list(db.session.scalars(select(Download).order_by(Download.id)))


@pytest.fixture
def house(app: Flask) -> House:
    with app.app_context():
        reader, stranger = makers.person("Reader"), makers.person("Stranger")
        shelf = makers.category("pdf/annual")
        makers.grant(shelf, user=reader)
        document = makers.document(shelf, "Jahresbericht – 2025.pdf", PDF)
        made = (document.id, document.uuid, reader.id)
        people = makers.signed_in(app, reader), makers.signed_in(app, stranger)
    return House(app, made[0], made[1], people[0], people[1], made[2])


@SQLITE_ONLY
def test_a_reader_gets_the_bytes_with_every_header(house: House) -> None:
    answer = house.reader.get(f"/documents/{house.uuid}/download")

    assert answer.data == PDF
    digest = hashlib.sha256(PDF).hexdigest()
    headers = dict(answer.headers)
    headers.pop("Last-Modified")
    headers.pop("Repr-Digest")
    assert headers == {
        "Content-Type": "application/pdf",
        "Content-Length": str(len(PDF)),
        "Content-Disposition": 'attachment; filename="Jahresbericht - 2025.pdf"; '
        "filename*=UTF-8''Jahresbericht%20%E2%80%93%202025.pdf",
        "ETag": f'"sha256-{digest}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        "Referrer-Policy": "no-referrer",
        "Vary": "Cookie, Authorization",
        "X-Content-Type-Options": "nosniff",
    }


@SQLITE_ONLY
def test_a_small_download_is_one_completed_row(house: House) -> None:
    house.reader.get(f"/documents/{house.document_id}/download")

    (row,) = house.rows()
    assert (row.state, row.bytes_sent, row.intervals) == ("completed", len(PDF), [[0, len(PDF)]])
    assert (row.user_id, row.actor_key) == (house.reader_id, f"u:{house.reader_id}")


def test_good_bytes_cost_three_statements_and_two_looks_at_their_file(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Session, document and ledger; what was seen of the file came with the document."""
    house.reader.get("/healthz")
    house.reader.get("/documents")  # when the session was seen is written down now
    looks: list[int] = []
    real = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        looks.append(descriptor)
        return real(descriptor)

    close_connections(house.app)  # those kept ready were given out before anybody watched
    with house.app.app_context(), watched(db.engine) as seen:
        monkeypatch.setattr(os, "fstat", fstat)
        assert house.reader.get(f"/documents/{house.document_id}/download").data == PDF

    assert [statement.split()[0] for statement in seen] == ["SELECT", "SELECT", "INSERT"]
    assert len(looks) == 2, "when it is opened, and before its last block leaves"


@SQLITE_ONLY
def test_a_large_download_is_confirmed_once_all_of_it_left(app: Flask, house: House) -> None:
    content = bytes(AT_ONCE * 3 + 5)
    with app.app_context():
        large = makers.document(makers.category("pdf/annual"), "large.bin", content, "application/octet-stream")
        large_id = large.id

    assert house.reader.get(f"/documents/{large_id}/download").data == content

    (row,) = house.rows()
    assert (row.state, row.is_confirmed, row.bytes_sent) == ("completed", True, len(content))


@SQLITE_ONLY
def test_a_download_that_breaks_off_is_aborted_and_can_be_resumed(app: Flask, house: House) -> None:
    content = bytes(range(256)) * (AT_ONCE // 64)
    with app.app_context():
        large_id = makers.document(makers.category("pdf/annual"), "large.bin", content).id
    answer = house.reader.get(f"/documents/{large_id}/download", buffered=False)
    blocks = answer.iter_encoded()
    first, second = next(blocks), next(blocks)
    answer.close()

    assert (house.rows()[0].state, house.rows()[0].intervals) == ("aborted", [[0, BLOCK]])
    rest = house.reader.get(f"/documents/{large_id}/download", headers={"Range": f"bytes={BLOCK}-"})
    assert rest.status_code == 206
    assert first + rest.data == content
    assert second == content[BLOCK : 2 * BLOCK]
    (row,) = house.rows()
    assert row.state == "completed"


@SQLITE_ONLY
def test_the_answer_to_head_writes_and_opens_nothing(house: House) -> None:
    answer = house.reader.head(f"/documents/{house.uuid}/download")

    assert (answer.status_code, answer.headers["Content-Length"], answer.data) == (200, str(len(PDF)), b"")
    assert house.rows() == []


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": ETAG}, 304),
        ({"If-Match": '"other"'}, 412),
        ({"Range": f"bytes={len(PDF)}-"}, 416),
    ],
)
def test_conditions_end_before_anything_is_written(house: House, headers: dict[str, str], status: int) -> None:
    answer = house.reader.get(f"/documents/{house.uuid}/download", headers=headers)

    assert (answer.status_code, answer.data) == (status, b"")
    assert answer.headers["ETag"].startswith('"sha256-')
    assert house.rows() == []


@SQLITE_ONLY
def test_one_range_is_a_slice(house: House) -> None:
    answer = house.reader.get(f"/documents/{house.uuid}/download", headers={"Range": "bytes=9-18"})

    assert (answer.status_code, answer.data) == (206, PDF[9:19])
    assert answer.headers["Content-Range"] == f"bytes 9-18/{len(PDF)}"


@SQLITE_ONLY
def test_several_ranges_are_parts_of_one_body(house: House) -> None:
    answer = house.reader.get(f"/documents/{house.uuid}/download", headers={"Range": "bytes=0-3,10-13"})

    assert answer.status_code == 206
    assert answer.headers["Content-Type"].startswith("multipart/byteranges; boundary=")
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert PDF[0:4] in answer.data
    assert f"Content-Range: bytes 10-13/{len(PDF)}".encode() in answer.data


@SQLITE_ONLY
def test_all_pieces_together_are_one_completed_download(house: House) -> None:
    for start in range(0, len(PDF), 300):
        house.reader.get(f"/documents/{house.uuid}/download", headers={"Range": f"bytes={start}-{start + 299}"})

    (row,) = house.rows()
    assert (row.state, row.intervals) == ("completed", [[0, len(PDF)]])


@SQLITE_ONLY
def test_an_empty_document_is_a_whole_download(app: Flask, house: House) -> None:
    with app.app_context():
        empty_id = makers.document(makers.category("pdf/annual"), "empty.txt", b"", "text/plain").id

    answer = house.reader.get(f"/documents/{empty_id}/download")

    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "0")
    assert house.rows()[0].state == "completed"


@SQLITE_ONLY
def test_a_conditional_request_without_the_right_is_a_404(house: House) -> None:
    etag = {"If-None-Match": ETAG}

    assert house.stranger.get(f"/documents/{house.uuid}/download", headers=etag).status_code == 404


@SQLITE_ONLY
def test_an_anonymous_browser_is_sent_to_the_sign_in_page(house: House) -> None:
    answer = house.app.test_client().get(f"/documents/{house.uuid}/download")

    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/login?next=/documents/{house.uuid}/download"


@SQLITE_ONLY
def test_an_old_version_stays_with_its_number(app: Flask, house: House) -> None:
    with app.app_context():
        makers.document(makers.category("pdf/annual"), "Jahresbericht – 2025.pdf", b"%PDF-2 newer")

    assert house.reader.get(f"/documents/{house.uuid}/versions/1/download").data == PDF
    assert house.reader.get(f"/documents/{house.uuid}/download").data == b"%PDF-2 newer"


@SQLITE_ONLY
@pytest.mark.parametrize("what", ["filename", "stem", "id", "uuid"])
def test_a_door_knows_a_document_by_filename_stem_id_and_uuid(app: Flask, house: House, what: str) -> None:
    with app.app_context():
        shelf = makers.category("pdf")
        makers.grant(shelf, user=db.session.get_one(User, house.reader_id))
        document = makers.document(shelf, "letter.pdf", b"%PDF-letter")
        names = {"filename": "letter.pdf", "stem": "letter", "id": document.id, "uuid": document.uuid}

    assert house.reader.get(f"/get-pdf/{names[what]}").data == b"%PDF-letter"


@SQLITE_ONLY
def test_a_door_finds_ids_anywhere_below_but_names_only_directly_in_it(house: House) -> None:
    assert house.reader.get(f"/get-pdf/{house.document_id}").data == PDF
    assert house.reader.get("/get-pdf/Jahresbericht – 2025.pdf").status_code == 404


@SQLITE_ONLY
def test_a_filename_wins_over_an_id(app: Flask, house: House) -> None:
    with app.app_context():
        shelf = makers.category("pdf")
        makers.grant(shelf, everyone=True)
        makers.document(shelf, str(house.document_id), b"named like an id", "application/octet-stream")

    assert house.reader.get(f"/get-pdf/{house.document_id}").data == b"named like an id"


@SQLITE_ONLY
def test_the_report_door_takes_paths(app: Flask, house: House) -> None:
    with app.app_context():
        shelf = makers.category("reports/2013/feb/weather")
        makers.grant(shelf, everyone=True)
        makers.document(shelf, "weather_report.csv", b"day,rain\n1,2\n", "text/csv")

    answer = house.reader.get("/get-report/2013/feb/weather/weather_report.csv")

    assert answer.data == b"day,rain\n1,2\n"
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"


@SQLITE_ONLY
def test_every_local_byte_path_goes_through_send_from_directory(
    app: Flask, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def counted(directory: str, path: str, **options: object) -> flask.Response:
        calls.append(path)
        return flask.send_from_directory(directory, path, **options)

    monkeypatch.setattr(delivery, "send_from_directory", counted)
    paths = [
        f"/documents/{house.uuid}/download",
        f"/documents/{house.uuid}/versions/1/download",
        f"/get-pdf/{house.document_id}",
    ]
    for path in paths:
        assert house.reader.get(path).status_code == 200

    assert len(calls) == len(paths)


@SQLITE_ONLY
def test_a_document_does_not_run_in_a_page(house: House) -> None:
    answer = house.reader.get(f"/documents/{house.uuid}/download", headers={"Sec-Fetch-Dest": "script"})

    assert answer.status_code == 403


@SQLITE_ONLY
def test_damaged_bytes_are_refused_with_a_sentence_and_no_completed_row(
    app: Flask, house: House, settings: Settings
) -> None:
    digest = hashlib.sha256(PDF).hexdigest()
    blob = settings.storage / "blobs" / digest[:2] / digest[2:4] / digest
    blob.write_bytes(PDF[:-1])

    answer = house.reader.get(f"/documents/{house.uuid}/download")

    assert answer.status_code == 503
    assert b"cannot be given out just now" in answer.data
    assert [row.state for row in house.rows()] == []


@SQLITE_ONLY
def test_nobody_reads_a_draft_by_its_number(app: Flask, house: House) -> None:
    with app.app_context():
        makers.change(db.session.get_one(Document, house.document_id), published_at=None)

    assert house.reader.get(f"/documents/{house.document_id}/download").status_code == 404
