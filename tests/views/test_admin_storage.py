"""The page about the storage: what is damaged, since when, and how far the reading of everything is."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from portal.catalog import trash_document
from portal.downloads.claims import Claim
from portal.downloads.ledger import begin
from portal.extensions import db
from portal.integrity import passes, scrub, usage
from portal.models import Document, Download, ScrubPass, User, Version
from portal.settings import Settings
from tests import makers
from tests.damages import path_of
from tests.views.desk import Desk


@dataclass
class World:
    """An administrator, a publisher, and two documents with the same bytes beside a third."""

    app: Flask
    admin: Desk
    publisher: Desk
    documents: list[int]

    def path(self, number: int) -> Path:
        """Where the bytes of one of them belong; inside a context of the application."""
        return path_of(db.session.get_one(Document, self.documents[number]))


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(replace(sqlite_settings, metrics_token="for the collector")) as app:
        with app.app_context():
            ada, pam = makers.person("Ada", is_admin=True), makers.person("Pam")
            shelf = makers.category("reports/2018")
            makers.grant(shelf, user=pam, permission=2)
            documents = [
                makers.document(shelf, "annual.pdf", b"%PDF-1.7 annual"),
                makers.document(makers.category("letters"), "copy.pdf", b"%PDF-1.7 annual"),
                makers.document(shelf, "sound.pdf", b"%PDF-1.7 sound"),
            ]
            made = World(app, Desk(app, ada), Desk(app, pam), [document.id for document in documents])
        yield made


def words(page: str) -> str:
    """The words of a page."""
    main = page[page.index('<main id="main">') :]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main.replace("<wbr>", ""))).replace("\xa0", " ").split())


def damage(world: World) -> None:
    """Let the bytes of two documents be changed, and be found."""
    with world.app.app_context():
        world.path(0).write_bytes(b"%PDF-1.7 ANNUAL")
        scrub()


def figures(world: World) -> dict[str, float]:
    bearer = {"Authorization": "Bearer for the collector"}
    lines = world.app.test_client().get("/metrics", headers=bearer).text.splitlines()
    return {line.split()[0]: float(line.split()[1]) for line in lines if not line.startswith("#")}


def test_before_anything_was_read_it_says_when_that_begins(world: World) -> None:
    page = words(world.admin.read("/admin/storage"))
    assert "No document is known to be damaged" in page
    assert "at least every seven days" in page
    assert "Last pass none has ended yet; the first begins a minute after the portal has started" in page


def test_after_a_pass_it_says_when_and_how_much(world: World) -> None:
    with world.app.app_context():
        scrub()
    page = words(world.admin.read("/admin/storage"))
    assert "Read 2 files, 29 bytes" in page
    assert "Damaged none" in page
    assert "Next pass begins about" in page
    assert "Free space" in page


def test_damaged_documents_are_listed_with_what_is_wrong(world: World) -> None:
    damage(world)
    page = words(world.admin.read("/admin/storage"))
    assert page.startswith("Two documents are damaged Nobody gets a damaged document.")
    for title, place in (("copy", "letters · version 1"), ("annual", "reports / 2018 · version 1")):
        assert re.search(rf"{title} {place} Its bytes have changed Today, \d\d:\d\d", page)
    assert "sound" not in page
    assert "Damaged 1 file " in page


def test_an_old_version_and_one_in_the_trash_are_told_apart(world: World) -> None:
    with world.app.app_context():
        makers.document(makers.category("letters"), "copy.pdf", b"%PDF-1.7 second edition")
        trash_document(None, world.documents[0])
        world.path(0).unlink()
        scrub()
    page = words(world.admin.read("/admin/storage"))
    assert "letters · version 1, an older one The file is missing" in page
    assert "reports / 2018 · version 1, in the trash The file is missing" in page


def test_a_pass_that_runs_shows_how_far_it_is(world: World) -> None:
    with world.app.app_context():
        begun = passes.begin()
        makers.change(db.session.get_one(ScrubPass, begun.id), files=1, bytes=15)
    page = world.admin.read("/admin/storage")
    assert re.search(r'<progress value="0\.51\d*" max="1"', page)
    assert "A pass is under way; 51 % is read. 15 bytes of 29 bytes in 1 file, none damaged." in words(page)
    assert "Next pass" not in words(page)


def test_the_page_is_for_administrators(world: World) -> None:
    world.publisher.read("/admin/storage", 404)


def test_the_overview_tells_administrators_and_leads_there(world: World) -> None:
    assert "damaged" not in world.admin.read("/admin/")
    damage(world)
    page = world.admin.read("/admin/")
    notice = re.search(r'<div class="notice stop">(.*?)</div>', page, re.DOTALL)
    assert notice is not None
    assert "Two documents are damaged." in notice[1]
    assert 'href="/admin/storage"' in notice[1]
    assert "Nothing needs you now" not in page
    assert "damaged" not in world.publisher.read("/admin/")


def test_content_that_no_document_uses_is_damage_too(world: World) -> None:
    with world.app.app_context():
        world.path(2).unlink()
        scrub()
        version = makers.edition(db.session.get_one(Document, world.documents[2])).version_id
        makers.change(db.session.get_one(Version, version), blob_id=None, purged_at=makers.now())
    assert "Content that no document uses is damaged" in words(world.admin.read("/admin/"))


def test_ready_is_degraded_but_no_refusal_while_a_document_is_damaged(world: World) -> None:
    damage(world)
    answer = world.app.test_client().get("/readyz")
    assert (answer.status_code, answer.text) == (200, "degraded\n")


def test_metrics_tell_of_damage_and_of_the_scrub(world: World) -> None:
    before = figures(world)
    assert before["portal_damaged_files"] == 0
    assert "portal_scrub_age_seconds" not in before
    damage(world)
    after = figures(world)
    assert after["portal_damaged_files"] == 1
    assert after["portal_scrub_bytes"] == 29
    assert 0 <= after["portal_scrub_age_seconds"] < 3600


def test_metrics_count_no_download_as_started_of_which_nothing_moves(world: World) -> None:
    with world.app.app_context():
        kept = makers.edition(db.session.get_one(Document, world.documents[0]))
        entry = begin(Claim(key="u:1"), kept, [(0, 5)], [])
        makers.change(db.session.get_one(Download, entry.id), active_at=makers.now(minutes=-3))
    found = figures(world)

    assert found['portal_downloads{state="started"}'] == 0
    assert found['portal_downloads{state="interrupted"}'] == 1


def test_the_log_has_a_sentence_for_it(world: World) -> None:
    damage(world)
    assert "The portal found the content of copy damaged; nobody gets it until it is right again" in words(
        world.admin.read("/admin/log")
    )


@pytest.mark.parametrize("path", ["/documents/{}/download", "/documents/{}/versions/1/download"])
def test_a_reader_is_told_that_it_cannot_be_given_out_now(world: World, path: str) -> None:
    damage(world)
    answer = world.publisher.client.get(path.format(world.documents[0]))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "300"
    assert "cannot be given out just now" in answer.text


def test_what_takes_how_much_room_leads_to_the_rows_behind_it(world: World) -> None:
    with world.app.app_context():
        pam = db.session.scalars(select(User).where(User.name == "Pam")).one()
        makers.change(pam, used_bytes=1_500, quota_bytes=2_000)
        pam_id = pam.id
        makers.group("Staff", pam)
        trash_document(None, world.documents[2])
    page = world.admin.read("/admin/storage")

    said = words(page)
    assert "letters 1 document 15 bytes" in said
    assert "In the trash 1 version 14 bytes" in said
    assert "Less what is the same The same bytes are stored once −15 bytes" in said
    assert "Stored 29 bytes" in said
    for href in ("/categories/reports", "/admin/trash", f"/admin/people/{pam_id}#room", "/admin/groups/1#room"):
        assert f'href="{href}"' in page
    assert 'aria-label="2 KB of 2 KB"' in page
    assert "Put in by people 2 KB" in said


def test_very_many_documents_are_added_up_only_when_somebody_asks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "AT_ONCE", 0)
    assert "takes some seconds" in world.admin.read("/admin/storage")
    assert "Stored 29 bytes" in words(world.admin.read("/admin/storage?count=1"))


def test_without_a_scanner_no_virus_was_looked_for(world: World) -> None:
    assert "not looked for: no scanner is set" in world.admin.read("/admin/storage")
