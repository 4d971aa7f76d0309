"""Images of previews over HTTP: to whoever may read the document, asked again each time, and nothing written down."""

import json
import re
import uuid
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal import search
from portal.extensions import db, storage
from portal.models import Blob, Document, Download, Preview, Seen, User, Version
from portal.previews import MAKER
from tests import makers
from tests.databases import SQLITE_ONLY

pytestmark = SQLITE_ONLY


@dataclass
class House:
    """One document with three pages that a reader may have and a stranger may not."""

    app: Flask
    uuid: uuid.UUID
    sha256: str
    reader: FlaskClient
    stranger: FlaskClient

    def path(self, image: str = "thumb") -> str:
        return f"/documents/{self.uuid}/preview/{image}"

    def page(self, more: str = "") -> str:
        """The page of the document as the reader sees it."""
        return self.reader.get(f"/documents/{self.uuid}{more}").text

    def change(self, **columns: object) -> None:
        """Have something else come of the bytes."""
        with self.app.app_context():
            makers.change(db.session.scalars(select(Preview)).one(), **columns)


@pytest.fixture
def house(app: Flask) -> House:
    with app.app_context():
        reader, stranger = makers.person("Reader"), makers.person("Stranger")
        shelf = makers.category()
        makers.grant(shelf, user=reader)
        document = makers.document(shelf)
        row = makers.preview(document, images=3)
        made = (document.uuid, row.sha256)
        return House(app, *made, makers.signed_in(app, reader), makers.signed_in(app, stranger))


def test_an_image_comes_with_every_header(house: House) -> None:
    answer = house.reader.get(house.path("2"))
    assert (answer.status_code, answer.data) == (200, b"RIFF2WEBP")
    assert dict(answer.headers) == {
        "Content-Type": "image/webp",
        "Content-Length": "9",
        "Content-Disposition": "inline",
        "ETag": f'"preview-{house.sha256}-{MAKER}-2"',
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": "sandbox; default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; "
        "frame-ancestors 'self'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        "Referrer-Policy": "no-referrer",
        "Vary": "Cookie, Authorization",
        "X-Content-Type-Options": "nosniff",
    }


def test_a_thumbnail_is_the_first_image(house: House) -> None:
    assert house.reader.get(house.path()).data == b"RIFF0WEBP"


def test_head_has_no_body(house: House) -> None:
    answer = house.reader.head(house.path("1"))
    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "9")


def test_who_has_it_is_told_so(house: House) -> None:
    etag = house.reader.get(house.path("1")).headers["ETag"]
    answer = house.reader.get(house.path("1"), headers={"If-None-Match": etag})
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", etag)
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_another_program_makes_another_image(house: House) -> None:
    etag = house.reader.get(house.path("1")).headers["ETag"]
    with house.app.app_context():
        storage().albums.keep(house.sha256, MAKER + 1, [b"x", b"finer", b"y", b"z"])
        makers.change(db.session.scalars(select(Preview)).one(), maker=MAKER + 1)
    assert house.reader.get(house.path("1"), headers={"If-None-Match": etag}).data == b"finer"


def test_an_image_is_never_sent_in_parts(house: House) -> None:
    answer = house.reader.get(house.path("1"), headers={"Range": "bytes=0-1"})
    assert (answer.status_code, answer.data) == (200, b"RIFF1WEBP")


@pytest.mark.parametrize(
    "image", ["0", "4", "01", "-1", "x", "thumb.webp", "thumb%00", "99999999999999999999", "%2e%2e"]
)
def test_there_is_no_other_image(house: House, image: str) -> None:
    assert house.reader.get(house.path(image)).status_code == 404


def test_forbidden_and_unknown_are_the_same(house: House) -> None:
    forbidden = house.stranger.get(house.path())
    unknown = house.stranger.get(f"/documents/{uuid.uuid4()}/preview/thumb")
    assert forbidden.status_code == unknown.status_code == 404
    assert forbidden.data == unknown.data
    assert "ETag" not in forbidden.headers


def test_the_right_is_asked_for_before_what_is_known_of_the_image(house: House) -> None:
    etag = house.reader.get(house.path()).headers["ETag"]
    assert house.stranger.get(house.path(), headers={"If-None-Match": etag}).status_code == 404


def test_a_pinned_version_keeps_its_own(house: House) -> None:
    with house.app.app_context():
        document = db.session.scalars(select(Document)).one()
        shelf = makers.category()
        makers.document(shelf, document.filename, b"%PDF-1.7\nother")
    assert house.reader.get(house.path()).status_code == 404  # the new one is not made yet
    pinned = house.reader.get(f"/documents/{house.uuid}/versions/1/preview/thumb")
    assert pinned.data == b"RIFF0WEBP"
    assert house.reader.get(f"/documents/{house.uuid}/versions/3/preview/thumb").status_code == 404
    assert house.stranger.get(f"/documents/{house.uuid}/versions/1/preview/thumb").status_code == 404


def test_nothing_is_shown_of_bytes_that_are_damaged(house: House) -> None:
    with house.app.app_context():
        makers.change(db.session.scalars(select(Blob)).one(), damage="bytes", damaged_at=makers.now())
    assert house.reader.get(house.path()).status_code == 404


@pytest.mark.parametrize(
    ("state", "finding", "status"), [("waiting", None, 503), ("infected", "Eicar", 403)], ids=["held", "infected"]
)
def test_images_of_bytes_that_are_held_back_are_refused_as_the_document_is(
    house: House, state: str, finding: str | None, status: int
) -> None:
    etag = house.reader.get(house.path()).headers["ETag"]
    images = [house.path(), house.path("1"), f"/documents/{house.uuid}/versions/1/preview/thumb"]
    unknown = [house.stranger.get(image).data for image in images]
    with house.app.app_context():
        makers.change(db.session.scalars(select(Blob)).one(), scan_state=state, finding=finding)

    own = house.reader.get(f"/documents/{house.uuid}/download")
    assert own.status_code == status
    for image in images:
        for headers in ({}, {"If-None-Match": etag}):
            answer = house.reader.get(image, headers=headers)
            assert (answer.status_code, answer.headers.get("Retry-After")) == (status, own.headers.get("Retry-After"))
            assert "virus" in answer.text
    strangers = [house.stranger.get(image) for image in images]
    assert [answer.status_code for answer in strangers] == [404] * len(images)
    assert [answer.data for answer in strangers] == unknown


def test_nothing_is_written_down(house: House) -> None:
    house.reader.get(house.path("1"))
    house.reader.get(house.path())
    with house.app.app_context():
        assert [db.session.scalar(select(func.count()).select_from(table)) for table in (Download, Seen)] == [0, 0]


def test_an_image_that_went_astray_is_not_found(house: House) -> None:
    with house.app.app_context():
        storage().albums.remove(house.sha256, MAKER)
    assert house.reader.get(house.path()).status_code == 404


def test_a_version_in_the_trash_shows_nothing(house: House) -> None:
    with house.app.app_context():
        document = db.session.scalars(select(Document)).one()
        assert db.session.scalars(select(Version.number)).one() == 1
        makers.change(document, trashed_at=makers.now())
    assert house.reader.get(house.path()).status_code == 404


def test_a_row_of_a_list_has_the_thumbnail(house: House) -> None:
    with house.app.app_context():
        reader = db.session.scalars(select(User).where(User.name == "Reader")).one()
        makers.change(reader, visited_at=makers.now(hours=-1))
    address = (
        f'<img class="thumb" src="/documents/{house.uuid}/preview/thumb" alt="" width="36" height="48" loading="lazy">'
    )
    assert address in house.reader.get("/").text
    with house.app.app_context():
        makers.change(db.session.scalars(select(Blob)).one(), scan_state="waiting")
    page = house.reader.get("/").text
    assert "/preview/thumb" not in page
    assert 'class="thumb"' in page


def test_pages_are_shown_one_by_one_without_a_script(house: House) -> None:
    first = house.reader.get(f"/documents/{house.uuid}").text
    assert (
        f'<img class="page" src="/documents/{house.uuid}/preview/1" alt="Page 1 of 3" width="1200" height="1698"'
        in first
    )
    assert f'href="/documents/{house.uuid}?page=2#preview" rel="next"' in first
    assert 'rel="prev"' not in first
    assert "<dt>Pages</dt><dd>3</dd>" in first
    last = house.reader.get(f"/documents/{house.uuid}?page=3").text
    assert f'href="/documents/{house.uuid}?page=2#preview" rel="prev"' in last
    assert 'rel="next"' not in last


@pytest.mark.parametrize("page", ["0", "x", "", "-1", "99999999999"])
def test_a_page_that_is_none_is_the_first(house: House, page: str) -> None:
    assert 'alt="Page 1 of 3"' in house.reader.get(f"/documents/{house.uuid}?page={page}").text


def test_a_page_after_the_last_is_the_last(house: House) -> None:
    assert 'alt="Page 3 of 3"' in house.reader.get(f"/documents/{house.uuid}?page=40").text


def test_more_pages_than_are_shown_are_told_of(house: House) -> None:
    house.change(total=1204)
    assert "The first three pages are shown here. The document has all 1,204." in house.page("?page=3")
    assert "are shown here" not in house.page()


def test_while_the_other_pages_are_made_nobody_counts_them(house: House) -> None:
    house.change(state="waiting", images=1, sizes="[[1200, 1698]]", total=None)
    page = house.page()
    assert 'alt="Page 1"' in page
    assert "The other pages are being made." in page
    assert "<dt>Pages</dt>" not in page


def test_a_pinned_version_has_its_own_page(house: House) -> None:
    page = house.page("/versions/1?page=2")
    assert f'src="/documents/{house.uuid}/versions/1/preview/2"' in page
    assert f'href="/documents/{house.uuid}/versions/1?page=3#preview"' in page


def test_an_image_can_be_looked_at_larger(house: House) -> None:
    house.change(kind="image", images=1, sizes="[[2400, 1800]]", total=None)
    page = house.page()
    assert 'width="2400" height="1800"' in page
    assert f'href="/documents/{house.uuid}/preview/1">Look at it larger</a>' in page
    assert "<dt>Pages</dt>" not in page


def test_a_table_has_a_header_and_says_how_much_it_is(house: House) -> None:
    table = {"columns": 45, "rows": [["Name", ""], ["<b>Ada</b>", "1"], ["Zoë", "2"]]}
    house.change(kind="table", images=0, sizes="[]", total=1461, table=json.dumps(table))
    page = house.page()
    assert (
        '<th scope="col" dir="auto">Name</th><th scope="col" dir="auto"><span class="muted">Column 2</span></th>'
        in page
    )
    assert '<td dir="auto">&lt;b&gt;Ada&lt;/b&gt;</td>' in page
    assert "The first 2 of 1,461 rows, 2 of 45 columns." in page
    house.change(total=2, table=json.dumps(table | {"columns": 2}))
    assert "All 2 rows." in house.page()
    house.change(total=None)
    assert "The first 2 rows." in house.page()


def test_a_wide_table_is_cut_to_what_a_page_can_hold(house: House) -> None:
    rows = [["x" * 200] * 30] * 51
    house.change(kind="table", images=0, sizes="[]", total=50, table=json.dumps({"columns": 30, "rows": rows}))
    page = house.page()
    assert "The first 2 of 50 rows." in page
    assert len(page) < 60_000


def test_a_text_is_text(house: House) -> None:
    house.change(kind="text", images=0, sizes="[]", total=None, text="<script>alert(1)</script>\n" + "x" * 30_000)
    page = house.page()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "This is the beginning of it." in page
    assert len(page) < 60_000


def test_what_is_not_there_yet_and_what_never_will_be_are_told_apart(house: House) -> None:
    house.change(state="waiting", kind=None)
    assert "A preview is being made." in house.page()
    house.change(state="none", reason="It asks for a password.")
    assert "There is no preview. It asks for a password." in house.page()


@pytest.mark.parametrize(
    ("content_type", "place"),
    [
        ("application/pdf", '<div id="made" class="awaited"'),
        ("image/jpg", '<div id="made" class="awaited wide"'),
        ("text/csv", '<section class="section awaited" id="made"'),
        ("application/vnd.oasis.opendocument.text", '<section class="section awaited" id="made"'),
        ("application/zip", '<div id="made"'),
    ],
)
def test_what_is_being_made_has_its_place_on_the_page_already(app: Flask, content_type: str, place: str) -> None:
    with app.app_context():
        document = makers.document(makers.category(), "it", content_type=content_type)
        reader = makers.signed_in(app, makers.person("Ada", is_admin=True))
        path = f"/documents/{document.uuid}"

    for page in (reader.get(path).text, reader.get(f"{path}/versions/1").text):
        assert f'{place} data-awaits="all"' in page
        assert "<span data-plain>It is here when you load this page again in a moment.</span>" in page


def test_a_page_that_has_all_of_its_preview_waits_for_nothing(house: House) -> None:
    assert "data-awaits" not in house.page()
    house.change(state="waiting", total=None)
    assert 'data-awaits="rest"' in house.page()


def test_a_page_with_a_preview_is_six_requests_at_the_most_beside_its_images(house: House) -> None:
    files = set(re.findall(r'(?:href|src)="(/static/[^"#]+)', house.page()))
    assert 1 < 1 + len(files) <= 6


def test_of_bytes_that_are_held_back_the_page_shows_nothing(house: House) -> None:
    with house.app.app_context():
        makers.change(db.session.scalars(select(Blob)).one(), scan_state="waiting")
    page = house.page()
    assert "/preview/" not in page


def test_the_page_of_a_search_shows_where_in_the_text_it_is(house: House) -> None:
    house.change(text="On <dismantling>, and nothing else.")
    with house.app.app_context():
        search.reindex()
        db.session.remove()
    assert "On &lt;<mark>dismantling</mark>&gt;, and nothing else." in house.reader.get("/search?q=dismantling").text
    assert "dismantling</mark>" not in house.stranger.get("/search?q=dismantling").text
