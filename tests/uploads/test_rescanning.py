"""The worker looks through directories shown in place from time to time."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal.extensions import db, transaction
from portal.models import Document, SourceDirectory, db_later
from portal.uploads import index_directory, list_sources, rescan_due
from tests import makers

pytestmark = pytest.mark.usefixtures("context")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory that is shown in place."""
    made = tmp_path / "folder"
    made.mkdir()
    (made / "a.txt").write_text("a")
    index_directory(None, made, "shown")
    return made


def age(minutes: int) -> None:
    with transaction() as session:
        session.execute(update(SourceDirectory).values(scanned_at=db_later(-minutes * 60)))


def names() -> list[str]:
    makers.release()
    return list(db.session.scalars(select(Document.filename).where(Document.trashed_at.is_(None)).order_by("filename")))


def test_a_directory_whose_time_has_come_is_looked_through(folder: Path) -> None:
    age(minutes=61)
    (folder / "b.txt").write_text("b")
    (folder / "a.txt").unlink()
    rescan_due(lambda: False)
    assert names() == ["b.txt"]
    assert list_sources(only_due=True) == []


def test_one_that_was_just_looked_through_waits(folder: Path) -> None:
    age(minutes=59)
    (folder / "b.txt").write_text("b")
    rescan_due(lambda: False)
    assert names() == ["a.txt"]


def test_a_worker_that_is_to_end_leaves_the_rest_for_the_next(folder: Path) -> None:
    age(minutes=61)
    (folder / "b.txt").write_text("b")
    rescan_due(iter([False, True]).__next__)
    assert [source.path for source in list_sources(only_due=True)] == ["shown"]


def test_one_that_is_gone_keeps_no_other_from_being_looked_through(
    folder: Path, tmp_path: Path, context: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    index_directory(None, other, "also")
    folder.rename(tmp_path / "away")
    (other / "b.txt").write_text("b")
    age(minutes=61)
    rescan_due(lambda: False)
    assert names() == ["a.txt", "b.txt"]
    assert "is not a directory" in caplog.text
