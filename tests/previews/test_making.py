"""What becomes of new versions: one worker after another looks at them, and the row says what came of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal import catalog, previews
from portal.errors import StorageFull
from portal.extensions import db, storage, transaction
from portal.models import Blob, Document, Preview
from portal.previews import fence, making, queue
from portal.previews.fence import Broken, FenceMissing, Made, Refused
from portal.previews.fenced.frames import Task
from portal.settings import Settings
from portal.storage.derived import Albums
from portal.uploads import index_directory
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.previews.conftest import RowOf
from tests.previews.samples import paper, picture

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
Work = Callable[[], None]
pytestmark = pytest.mark.usefixtures("context")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One turn makes everything, however slow this machine is."""
    monkeypatch.setattr(making, "SLICE_SECONDS", 600.0)


def comes_to(monkeypatch: pytest.MonkeyPatch, outcome: Made | Refused | Broken | Exception) -> list[str]:
    """Every look comes to this; the makers that were asked."""
    asked: list[str] = []

    def look_at(_: object, task: Task, early: object) -> Made | Refused | Broken:
        asked.append(task.maker)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(fence, "look_at", look_at)
    return asked


def test_a_version_waits_from_the_transaction_that_wrote_it(row_of: RowOf) -> None:
    row = row_of(makers.document(makers.category()))
    assert (row.state, row.tries, row.leased_until, row.kind) == ("waiting", 0, None, None)


def test_equal_bytes_are_looked_at_once() -> None:
    for name in ("one.pdf", "two.pdf"):
        makers.document(makers.category(), name)
    assert db.session.scalar(select(func.count(Preview.id))) == 1


def test_many_documents_at_once_want_previews_too() -> None:
    items = [catalog.Item(makers.category().id, f"{name}.txt", makers.content_of(name.encode())) for name in "abca"]
    catalog.put_documents(None, items[:3])
    assert db.session.scalar(select(func.count(Preview.id))) == 3


def test_a_pdf_is_made(row_of: RowOf, work: Work) -> None:
    document = makers.document(makers.category(), content=paper("Balance sheet"))
    work()
    row = row_of(document)
    assert (row.state, row.kind, row.images, row.total, row.sizes) == ("made", "pages", 1, 1, "[[1200, 1699]]")
    assert (row.maker, row.tries, row.leased_until, row.reason) == (previews.MAKER, 1, None, "")
    assert row.made_at is not None
    assert "Balance sheet" in (row.text or "")
    assert storage().albums.read(row.sha256, row.maker, 1)[:4] == b"RIFF"


def test_an_image_is_made(row_of: RowOf, work: Work) -> None:
    document = makers.document(makers.category(), "photo.png", picture(), "image/png")
    work()
    row = row_of(document)
    assert (row.state, row.kind, row.images, row.total, row.text) == ("made", "image", 1, None, None)


@pytest.mark.parametrize(
    ("name", "content", "content_type", "reason"),
    [
        ("a.zip", b"PK\x03\x04", "application/zip", "Nothing can be shown of files of this type."),
        ("a.svg", b"<svg/>", "image/svg+xml", "Nothing can be shown of files of this type."),
        ("a.pdf", b"", "application/pdf", "There is nothing in it."),
        ("a.pdf", b"\x7fELF", "application/pdf", "Its content is not what its name says."),
        ("a.png", b"\xff\xd8\xff\xe0", "image/png", "Its content is not what its name says."),
        ("a.webp", b"RIFF1234WAVE", "image/webp", "Its content is not what its name says."),
        ("a.docx", b"%PDF-1.7", DOCX, "Its content is not what its name says."),
        ("a.csv", b"a,b\0c", "text/csv", "Its content is not what its name says."),
        ("a.txt", b"%PDF-1.7", "text/plain", "Its content is not what its name says."),
    ],
)  # fmt: skip
@SQLITE_ONLY
def test_what_nothing_is_shown_of_says_why(
    row_of: RowOf, work: Work, *, name: str, content: bytes, content_type: str, reason: str
) -> None:
    document = makers.document(makers.category(), name, content, content_type)
    work()
    row = row_of(document)
    assert (row.state, row.kind, row.reason) == ("none", None, reason)


@SQLITE_ONLY
def test_what_is_too_large_is_not_begun(row_of: RowOf, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "MIB", 1)
    asked = comes_to(monkeypatch, Made())
    large = makers.document(makers.category(), content=paper())
    work()
    assert (row_of(large).reason, asked) == ("It is larger than what is shown here.", [])


@SQLITE_ONLY
def test_bytes_that_come_again_under_a_better_name_are_looked_at_again(row_of: RowOf, work: Work) -> None:
    shelf = makers.category()
    makers.document(shelf, "photo.bin", picture(), "application/x-unheard-of")
    work()
    document = makers.document(shelf, "photo.png", picture(), "image/png")
    assert row_of(document).state == "waiting"
    work()
    assert row_of(document).state == "made"


@SQLITE_ONLY
def test_what_was_made_stays_when_the_bytes_come_again(row_of: RowOf, work: Work) -> None:
    shelf = makers.category()
    makers.document(shelf, "photo.png", picture(), "image/png")
    work()
    assert row_of(makers.document(shelf, "again.png", picture(), "image/png")).state == "made"


def test_a_failed_try_is_followed_by_another_and_the_third_by_none(
    row_of: RowOf, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = comes_to(monkeypatch, Broken("time"))
    document = makers.document(makers.category())
    for tries in (1, 2):
        work()
        work()  # it rests
        row = row_of(document)
        assert (row.state, row.tries, len(asked)) == ("waiting", tries, tries)
        assert row.leased_until is not None
        makers.change(row, leased_until=makers.now(seconds=-1))
    work()
    row = row_of(document)
    assert (row.state, row.tries, row.leased_until) == ("parked", 3, None)
    assert row.reason == "It took too long to be made. It was tried 3 times."


def test_who_dies_with_it_three_times_leaves_it_parked(row_of: RowOf, work: Work) -> None:
    document = makers.document(makers.category())
    for _ in range(queue.TRIES):
        claimed = queue.claim()
        assert claimed is not None
        assert queue.claim() is None
        makers.change(row_of(document), leased_until=makers.now(seconds=-1))
    work()
    row = row_of(document)
    assert (row.state, row.reason) == ("parked", "What makes it broke off. It was tried 3 times.")


def test_the_newest_comes_first() -> None:
    for name in "abc":
        makers.document(makers.category(), f"{name}.txt", name.encode(), "text/plain")
    found = [queue.claim() for _ in range(4)]
    assert [claimed.id for claimed in found[:3] if claimed] == sorted([c.id for c in found[:3] if c], reverse=True)
    assert found[3] is None


def test_two_workers_never_have_the_same(context: Flask) -> None:
    for name in "abcdefgh":
        makers.document(makers.category(), f"{name}.txt", name.encode(), "text/plain")
    found = makers.at_once(context, *[queue.claim] * 8)
    assert len({claimed.id for claimed in found if isinstance(claimed, queue.Claim)}) == 8, found


def test_who_is_late_changes_nothing_any_more(row_of: RowOf) -> None:
    document = makers.document(makers.category())
    late = queue.claim()
    makers.change(row_of(document), leased_until=makers.now(seconds=-1))
    other = queue.claim()
    assert late is not None
    assert other is not None
    queue.write_off(other, Made(text="right"), "text", 1)
    queue.write_off(late, Refused("damaged"), "", 1)
    row = row_of(document)
    assert (row.state, row.text) == ("made", "right")


@pytest.mark.parametrize("state", ["waiting", "infected"])
def test_bytes_that_are_held_back_are_not_looked_at(
    row_of: RowOf, work: Work, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    asked = comes_to(monkeypatch, Made(text="x"))
    document = makers.document(makers.category())
    blob = db.session.scalars(select(Blob)).one()
    makers.change(blob, scan_state=state, finding="Eicar" if state == "infected" else None)
    work()
    row = row_of(document)
    assert (row.state, row.tries, asked) == ("waiting", 0, [])
    makers.change(blob, scan_state="clean", finding=None)
    work()
    assert (row_of(document).state, asked) == ("made", ["pages"])


def test_bytes_that_are_away_cost_no_try(row_of: RowOf, work: Work) -> None:
    document = makers.document(makers.category())
    (next((storage().root / "blobs").rglob(makers.edition(document).sha256))).unlink()
    work()
    row = row_of(document)
    assert (row.state, row.tries) == ("waiting", 0)
    assert row.leased_until is not None


@SQLITE_ONLY
def test_without_a_fence_nothing_is_made_and_nothing_lost(
    row_of: RowOf, work: Work, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = comes_to(monkeypatch, FenceMissing("prctl"))
    documents = [makers.document(makers.category(), f"{name}.txt", name.encode(), "text/plain") for name in "ab"]
    work()
    assert [(row_of(one).state, row_of(one).tries, row_of(one).leased_until) for one in documents] == [
        ("waiting", 0, None)
    ] * 2
    assert len(asked) == 1
    assert "cannot put a fence" in caplog.text


@SQLITE_ONLY
def test_a_full_disk_costs_no_try(row_of: RowOf, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StorageFull

    document = makers.document(makers.category(), "photo.png", picture(), "image/png")
    monkeypatch.setattr(Albums, "keep", full)
    work()
    assert (row_of(document).state, row_of(document).tries) == ("waiting", 0)


def test_of_a_long_document_the_first_page_is_shown_while_the_others_are_made(
    row_of: RowOf, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str | None, int, bytes]] = []
    document = makers.document(makers.category(), content=paper("Long", 150))
    show_early = queue.show_early

    def look(claimed: queue.Claim, *shown: Any) -> None:
        show_early(claimed, *shown)
        row = row_of(document)
        seen.append((row.state, row.kind, row.images, storage().albums.read(row.sha256, row.maker, 1)[:4]))

    monkeypatch.setattr(making, "show_early", look)
    work()
    assert seen == [("waiting", "pages", 1, b"RIFF")]
    row = row_of(document)
    assert row.state == "made"
    assert row.images == row.total
    assert row.images > 3
    assert previews.rebuild() == 1
    work()
    assert (len(seen), row_of(document).state) == (1, "made")


def test_what_was_shown_early_goes_when_the_rest_comes_to_nothing(row_of: RowOf) -> None:
    document = makers.document(makers.category())
    claimed = queue.claim()
    assert claimed is not None
    queue.show_early(claimed, [fence.Image(1, 1, b""), fence.Image(2, 3, b"")], "pages", 1)
    assert (row_of(document).images, row_of(document).sizes) == (1, "[[2, 3]]")
    queue.write_off(claimed, Refused("damaged"), "pages", 1)
    assert (row_of(document).state, row_of(document).kind, row_of(document).images) == ("none", None, 0)


@SQLITE_ONLY
def test_a_claim_lasts_longer_than_a_child_may_by_the_settings(sqlite_settings: Settings) -> None:
    with makers.core(replace(sqlite_settings, preview_seconds=3600)):
        makers.document(makers.category())
        makers.release()
        assert queue.claim() is not None
        enough = Preview.leased_until > makers.now(seconds=3600)
        assert db.session.scalars(select(enough)).one()


@SQLITE_ONLY
def test_a_turn_ends_after_a_while_and_the_next_goes_on(
    row_of: RowOf, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    comes_to(monkeypatch, Made(text="x"))
    monkeypatch.setattr(making, "SLICE_SECONDS", -1.0)
    documents = [makers.document(makers.category(), f"{name}.txt", name.encode(), "text/plain") for name in "ab"]
    work()
    assert [row_of(one).state for one in documents] == ["waiting", "made"]
    work()
    assert [row_of(one).state for one in documents] == ["made", "made"]


@SQLITE_ONLY
def test_a_worker_that_is_to_end_begins_nothing_more(row_of: RowOf) -> None:
    document = makers.document(makers.category())
    makers.release()
    previews.take_turn(lambda: True)
    assert (row_of(document).state, row_of(document).tries) == ("waiting", 0)


@SQLITE_ONLY
def test_bytes_that_no_version_has_any_more_say_so(work: Work) -> None:
    with transaction() as session:
        session.add(Preview(sha256="0" * 64))
    work()
    assert db.session.scalars(select(Preview.reason)).one() == "Its content is not kept any more."


@SQLITE_ONLY
def test_documents_shown_in_place_have_previews_too(row_of: RowOf, work: Work, tmp_path: Path) -> None:
    directory = tmp_path / "client"
    directory.mkdir()
    (directory / "photo.png").write_bytes(picture())
    index_directory(None, directory, "images")
    work()
    document = db.session.scalars(select(Document)).one()
    assert row_of(document).state == "made"
