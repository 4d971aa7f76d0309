"""No door gives out what is held or quarantined, whoever asks and however; and what people are told of it."""

import csv
import dataclasses
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from portal.extensions import db, transaction
from portal.models import Blob, Document, Download, ShareLink
from portal.settings import Settings
from portal.shares import Terms, add_link, reserve
from tests import makers
from tests.views.desk import Desk, said

SECRET = b"%PDF-1.7\nbytes that nobody gets\n"
OLDER = b"%PDF-1.7\nthe version before, which nobody gets either\n"
BUTTON = 'class="button primary big"'
FINDING = "Eicar.Test.UNOFFICIAL"


@dataclass
class World:
    """A document in two versions that Bo may read and Cy may not, links to it, and Ada, who is an administrator."""

    app: Flask
    admin: Desk
    bo: FlaskClient
    cy: FlaskClient
    ref: int
    open_link: str
    limited_link: str
    ticket: str

    def put(self, state: str, of: bytes | None = None) -> None:
        """Of all bytes, or of these: what is known of viruses."""
        with self.app.app_context(), transaction() as session:
            values = {"scan_state": state, "finding": FINDING if state == "infected" else None}
            these = [Blob.sha256 == hashlib.sha256(of).hexdigest()] if of is not None else []
            session.execute(update(Blob).where(*these).values(values))

    def put_beside(self, content: bytes, filename: str) -> str:
        """Another document on the same shelf; the address of the zip of that."""
        with self.app.app_context():
            makers.document(makers.category("pdf"), filename, content)
        return "/categories/pdf/download"

    def count(self, what: type[Download]) -> int:
        with self.app.app_context():
            return db.session.scalars(select(func.count()).select_from(what)).one()

    def roads(self) -> list[str]:
        """Every address below which the bytes can be had by somebody who may read them."""
        document = f"/documents/{self.ref}"
        return [
            f"{document}/download",
            f"{document}/versions/1/download",
            f"{document}/versions/2/download",
            "/get-pdf/annual.pdf",
            "/categories/pdf/download",
        ]

    def roads_of_links(self) -> list[str]:
        return [f"/s/{self.open_link}", f"/t/{self.ticket}"]


def make_world(settings: Settings) -> Iterator[World]:
    with makers.running(settings) as app:
        with app.app_context():
            ada, bo, cy = makers.person("Ada", is_admin=True), makers.person("Bo"), makers.person("Cy")
            shelf = makers.category("pdf")
            makers.grant(shelf, user=bo)
            for content in (OLDER, SECRET):
                document = makers.document(shelf, "annual.pdf", content)
            open_link = add_link(None, document.id, Terms())[1]
            limited = add_link(None, document.id, Terms(max_downloads=3))[1]
            ticket = reserve(limited, None, network=makers.NETWORK, agent="tests")
            reader, other = (makers.signed_in(app, one) for one in (bo, cy))
            made = World(app, Desk(app, ada), reader, other, document.id, open_link, limited, ticket)
        yield made


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    yield from make_world(sqlite_settings)


@pytest.fixture
def behind_nginx(sqlite_settings: Settings) -> Iterator[World]:
    near = (ip_network("127.0.0.0/8"),)
    yield from make_world(dataclasses.replace(sqlite_settings, offload="nginx", trusted_proxies=near))


@pytest.mark.parametrize(("state", "status"), [("infected", 403), ("waiting", 503)])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_road_leads_to_the_bytes(world: World, state: str, status: int, method: str) -> None:
    world.put(state)
    anybody = world.app.test_client()

    for client, roads in ((world.bo, world.roads()), (anybody, world.roads_of_links())):
        for road in roads:
            answer = client.open(road, method=method)
            assert (road, answer.status_code) == (road, status)
            assert SECRET not in answer.data
            assert OLDER not in answer.data
            assert ("Retry-After" in answer.headers) == (state == "waiting")
            assert method == "HEAD" or ("virus" in answer.text), road
    assert world.count(Download) == 0


@pytest.mark.parametrize("state", ["infected", "waiting"])
def test_a_range_and_a_condition_change_nothing(world: World, state: str) -> None:
    road = world.roads()[0]
    etag = world.bo.get(road).headers["ETag"]
    world.put(state)

    for headers in ({"Range": "bytes=0-3"}, {"If-None-Match": etag}, {"If-Match": '"another"'}):
        answer = world.bo.get(road, headers=headers)
        assert answer.status_code in (403, 503), headers
        assert b"%PDF" not in answer.data


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("infected", "A virus was found in it."),
        ("waiting", "It is looked at for viruses before it is given out."),
    ],
)
def test_the_zip_of_a_category_has_the_rest_and_says_what_is_missing(world: World, state: str, why: str) -> None:
    road = world.put_beside(b"%PDF-1.7\nminutes\n", "minutes.pdf")
    world.put(state, of=SECRET)

    answer = world.bo.get(road)
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["minutes.pdf", "MANIFEST.csv", "SHA256SUMS"]
        listed = list(csv.DictReader(io.StringIO(archive.read("MANIFEST.csv").decode())))
        assert "annual.pdf" not in archive.read("SHA256SUMS").decode()
    assert [(row["path"], row["left_out"]) for row in listed] == [("annual.pdf", why), ("minutes.pdf", "")]
    assert SECRET not in answer.data
    page = world.bo.get("/categories/pdf").text
    assert "The zip leaves out what is being looked at" in page
    assert "Everything as zip <small>17" in page, "the size is that of the rest"
    with world.app.app_context():
        assert len(db.session.scalars(select(Download)).all()) == 1


def test_a_zip_that_broke_off_does_not_go_on_with_another_one_once_all_is_released(world: World) -> None:
    road = world.put_beside(b"%PDF-1.7\nminutes\n", "minutes.pdf")
    world.put("waiting", of=SECRET)
    before = world.bo.get(road)
    asked = {"Range": "bytes=50-", "If-Range": before.headers["ETag"]}
    assert (world.bo.get(road, headers=asked).status_code, world.bo.get(road).data) == (206, before.data)
    world.put("clean")

    after = world.bo.get(road, headers=asked)
    assert after.status_code == 200
    with zipfile.ZipFile(io.BytesIO(after.data)) as archive:
        assert archive.read("annual.pdf") == SECRET
    assert "MANIFEST.csv" not in world.bo.get("/categories/pdf").text


def test_the_page_of_a_category_says_that_there_is_no_zip_when_nothing_is_given_out(world: World) -> None:
    assert "Everything as zip" in world.bo.get("/categories/pdf").text
    world.put("waiting")

    page = world.bo.get("/categories/pdf").text
    assert "Everything as zip" not in page
    assert "There is no zip now" in page


@pytest.mark.parametrize("most", [1000, 0])
def test_nobody_hears_that_something_is_left_out_that_they_may_not_read(
    world: World, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.catalog.packing.MOST_COUNTED", most)
    with world.app.app_context():
        board = makers.category("pdf/board", is_sealed=True)
        makers.document(board, "secret.pdf", b"%PDF-1.7\nof the board\n")
    world.put("waiting", of=b"%PDF-1.7\nof the board\n")
    sentence = "The zip leaves out"
    assert sentence not in world.bo.get("/categories/pdf").text
    assert sentence in world.admin.read("/categories/pdf")
    listed = world.bo.get("/categories/pdf/download").data
    assert b"secret.pdf" not in listed


@pytest.mark.parametrize("state", ["infected", "waiting"])
def test_whoever_may_not_read_it_learns_nothing(world: World, state: str) -> None:
    before = [world.cy.get(road).data for road in world.roads()]
    world.put(state)
    after = [world.cy.get(road) for road in world.roads()]

    assert [answer.status_code for answer in after] == [404] * len(after)
    assert [answer.data for answer in after] == before


@pytest.mark.parametrize(("state", "status"), [("infected", 403), ("waiting", 503)])
def test_nothing_is_handed_to_nginx(behind_nginx: World, state: str, status: int) -> None:
    road = behind_nginx.roads()[0]
    assert "X-Accel-Redirect" in behind_nginx.bo.get(road).headers
    behind_nginx.put(state)

    answer = behind_nginx.bo.get(road)
    assert answer.status_code == status
    assert "X-Accel-Redirect" not in answer.headers


@pytest.mark.parametrize(("state", "status"), [("infected", 403), ("waiting", 503)])
def test_the_button_of_a_link_spends_nothing(world: World, state: str, status: int) -> None:
    anybody, html = world.app.test_client(), {"Accept": "text/html"}
    before = anybody.get(f"/s/{world.limited_link}", headers=html)
    token = before.text.split('name="csrf_token" value="')[1].split('"')[0]
    world.put(state)
    page = anybody.get(f"/s/{world.limited_link}", headers=html)
    assert page.status_code == 200
    assert "virus" in page.text
    assert BUTTON in before.text
    assert BUTTON not in page.text

    answer = anybody.post(f"/s/{world.limited_link}/download", data={"csrf_token": token})
    assert answer.status_code == status
    with world.app.app_context():
        assert sorted(db.session.scalars(select(ShareLink.used))) == [0, 1], "the one before"


def test_a_ticket_is_kept_for_what_is_held_and_given_back_for_what_is_quarantined(world: World) -> None:
    road, anybody = f"/t/{world.ticket}", world.app.test_client()
    world.put("waiting")
    assert anybody.get(road).status_code == 503
    world.put("clean")
    assert anybody.get(road).data == SECRET
    with world.app.app_context():
        ticket = reserve(world.limited_link, None, network=makers.NETWORK, agent="tests")
        assert max(db.session.scalars(select(ShareLink.used))) == 2
    world.put("infected")
    assert anybody.get(f"/t/{ticket}").status_code == 403
    with world.app.app_context():
        assert max(db.session.scalars(select(ShareLink.used))) == 1


@pytest.mark.parametrize(
    ("state", "words"),
    [("infected", "A virus was found in this version."), ("waiting", "It is looked at for viruses.")],
)
def test_the_page_of_the_document_says_it(world: World, state: str, words: str) -> None:
    pages = (f"/documents/{world.ref}", f"/documents/{world.ref}/versions/1")
    for page in map(world.admin.read, pages):
        assert words not in page
        assert BUTTON in page
    world.put(state)

    for page in map(world.admin.read, pages):
        assert words in page
        assert BUTTON not in page


def test_administrators_see_what_was_found_and_release_it(world: World) -> None:
    world.put("infected")
    assert "A virus was found in two files" in world.admin.read("/admin/")
    assert "found in two files" in world.admin.read("/admin/storage")
    page = world.admin.read("/admin/storage/viruses")
    assert page.count(FINDING) == 2
    assert f"/documents/{world.ref}/trash" in page
    with world.app.app_context():
        newest = db.session.scalars(select(func.max(Blob.id))).one()

    answer = world.admin.send(f"/admin/storage/viruses/{newest}/release")
    assert said(world.admin, answer) == "It is released. Whoever may read it gets it again."
    assert world.bo.get(world.roads()[0]).data == SECRET
    assert world.bo.get(world.roads()[1]).status_code == 403
    again = world.admin.send(f"/admin/storage/viruses/{newest}/release")
    assert (again.status_code, "It is given out already." in again.text) == (409, True)
    assert world.admin.send("/admin/storage/viruses/999/release").status_code == 404
    log = world.admin.read("/admin/log")
    assert "released" in log


def test_without_a_scanner_the_page_says_that_nobody_looks(world: World) -> None:
    assert "Nobody looks: no scanner is set" in world.admin.read("/admin/storage/viruses")


def test_a_scanner_that_does_not_answer_is_told_of(sqlite_settings: Settings) -> None:
    settings = dataclasses.replace(sqlite_settings, clamd="127.0.0.1:1", metrics_token="for the collector")
    with makers.running(settings) as app:
        with app.app_context():
            desk = Desk(app, makers.person("Ada", is_admin=True))
            makers.category("reports")
        answer = desk.send("/admin/upload", category="reports", files=[("a.txt", b"words")])
        assert "Nobody gets it before it was looked at for viruses" in answer.text
        page = desk.read("/admin/storage/viruses")
        assert "Does not answer" in page
        assert "1 file" in page
        assert app.test_client().get("/readyz").text == "ready\n"
        with app.app_context():
            makers.change(db.session.scalars(select(Blob)).one(), touched_at=makers.now(hours=-1))
        app.extensions.pop("portal.readiness")
        assert app.test_client().get("/readyz").text == "degraded\n"
        figures = app.test_client().get("/metrics", headers={"Authorization": "Bearer for the collector"}).text
        assert "portal_held_files 1.0" in figures
        assert "portal_infected_files 0.0" in figures


def test_what_is_held_by_nobody_any_more_is_listed_without_a_document(world: World) -> None:
    world.put("infected")
    with world.app.app_context(), transaction() as session:
        session.add(Blob(sha256="0" * 64, size=1, crc32=0, scan_state="infected", finding=FINDING))
    assert "In no document" in world.admin.read("/admin/storage/viruses")
    with world.app.app_context():
        assert db.session.scalars(select(func.count(Document.id))).one() == 1
