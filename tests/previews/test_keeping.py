"""Previews made anew, cleared of what nobody needs, and counted."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from portal import integrity, previews
from portal.extensions import db, storage, transaction
from portal.models import Preview, Version
from tests import makers
from tests.plans import asking
from tests.previews.conftest import RowOf

pytestmark = pytest.mark.usefixtures("context")
Work = Callable[[], None]


def states() -> dict[tuple[str, str], int]:
    makers.release()
    return previews.count_states()


def old(path: Path) -> None:
    """As if it had been written two days ago."""
    os.utime(path, (time.time() - 2 * 86400,) * 2)


def albums() -> list[Path]:
    return [path for path in (storage().root / "previews").rglob("*") if path.is_file()]


def test_everything_is_made_anew_and_shown_meanwhile(row_of: RowOf) -> None:
    document = makers.document(makers.category())
    makers.preview(document, images=2)
    assert previews.rebuild() == 1
    row = row_of(document)
    assert (row.state, row.tries, row.kind, row.images) == ("waiting", 0, "pages", 2)
    assert previews.get_picture(makers.edition(document), 2).read() == b"RIFF2WEBP"
    assert previews.rebuild() == 0


def test_only_a_branch_is_made_anew(row_of: RowOf) -> None:
    inside = makers.document(makers.category("reports/2018"), "a.pdf", b"%PDF-1")
    beside = makers.document(makers.category("reports2"), "b.pdf", b"%PDF-2")
    for document in (inside, beside):
        makers.preview(document)
    assert previews.rebuild(makers.category("reports")) == 1
    assert [row_of(document).state for document in (inside, beside)] == ["waiting", "made"]


def test_only_what_failed_is_made_anew(row_of: RowOf) -> None:
    failed, fine = (makers.document(makers.category(), f"{name}.pdf", name.encode()) for name in "ab")
    makers.preview(fine)
    makers.change(row_of(failed), state="parked", tries=3, reason="It took too long to be made.")
    assert previews.list_failed(5) == [("a.pdf", "It took too long to be made.")]
    assert previews.rebuild(only_failed=True) == 1
    row = row_of(failed)
    assert (row.state, row.tries, row.reason) == ("waiting", 0, "")
    assert states() == {("made", "pages"): 1, ("waiting", ""): 1}


def test_nothing_is_collected_that_is_needed_or_young() -> None:
    document = makers.document(makers.category())
    makers.preview(document)
    with transaction() as session:
        session.add(Preview(sha256="0" * 64))
    storage().albums.keep("1" * 64, 1, [b"x"])
    with asking(db.engine) as asked:
        assert previews.collect() == 0
    assert not [statement for statement, _ in asked if statement.startswith("DELETE")], "nobody who writes waits for it"
    assert len(albums()) == 2
    assert states() == {("made", "pages"): 1, ("waiting", ""): 1}


def test_what_no_version_has_any_more_goes(row_of: RowOf) -> None:
    document = makers.document(makers.category())
    makers.preview(document)
    makers.change(row_of(document), created_at=makers.now(days=-2))
    version = db.session.scalars(select(Version)).one()
    makers.change(version, blob_id=None, purged_at=makers.now())
    for path in albums():
        old(path)
    report = integrity.collect()
    assert (report.previews, albums(), states()) == (1, [], {})


def test_albums_of_an_older_maker_go_once_there_is_a_newer_one(row_of: RowOf) -> None:
    document = makers.document(makers.category())
    makers.preview(document)
    storage().albums.keep(row_of(document).sha256, previews.MAKER + 1, [b"x", b"y"])
    makers.change(row_of(document), maker=previews.MAKER + 1)
    for path in albums():
        old(path)
    assert previews.collect() == 1
    assert previews.get_picture(makers.edition(document), 1).read() == b"y"


def test_an_album_that_went_astray_is_made_anew(row_of: RowOf) -> None:
    document = makers.document(makers.category())
    makers.preview(document)
    albums()[0].unlink()
    previews.collect()
    row = row_of(document)
    assert (row.state, row.kind, row.images) == ("waiting", None, 0)


def test_after_a_restore_images_are_made_anew_and_texts_stay(row_of: RowOf) -> None:
    pages, text, nothing = (makers.document(makers.category(), f"{name}.pdf", name.encode()) for name in "abc")
    makers.preview(pages, text="inside")
    makers.change(row_of(text), state="made", kind="text", text="words")
    makers.change(row_of(nothing), state="none", reason="It asks for a password.")
    with transaction():
        previews.start_over()
    assert [row_of(one).state for one in (pages, text, nothing)] == ["waiting", "waiting", "none"]
    assert [row_of(one).text for one in (pages, text)] == ["inside", "words"]
    assert row_of(pages).images == 0


def test_verify_has_nothing_against_albums() -> None:
    makers.preview(makers.document(makers.category()))
    storage().albums.keep("1" * 64, 1, [b"x"])
    for path in albums():
        old(path)
    assert integrity.verify().problems == []
