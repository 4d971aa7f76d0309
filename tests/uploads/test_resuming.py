"""An import that broke off, and the next one that goes on with it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.extensions import db
from portal.models import Document, ImportedFile, ImportRun
from portal.storage import Source
from portal.uploads import import_directory, planning
from portal.uploads.resuming import begin, finish
from tests import makers
from tests.databases import SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")


class Cut(Exception):
    """Somebody pulled the plug."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six files, taken two at a time."""
    monkeypatch.setattr(planning, "BATCH", 2)
    made = tmp_path / "folder"
    made.mkdir()
    for number in range(6):
        (made / f"{number}.txt").write_text(str(number))
    return made


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of files that are opened."""
    paths: list[str] = []
    real = Source.open

    def watched(source: Source, path: str, size: int, mtime_ns: int) -> object:
        paths.append(path)
        return real(source, path, size, mtime_ns)

    monkeypatch.setattr(Source, "open", watched)
    return paths


def cut_after(batches: int) -> Callable[[int, int], None]:
    def tell(done: int, _: int) -> None:
        if done == batches * 2:
            raise Cut

    return tell


def break_off(folder: Path, batches: int = 1) -> None:
    with pytest.raises(Cut):
        import_directory(None, folder, "into", progress=cut_after(batches))
    makers.release()


def count(kind: type) -> int:
    makers.release()
    return db.session.scalars(select(func.count()).select_from(kind)).one()


def test_the_next_import_reads_only_what_is_missing(folder: Path, read: list[str]) -> None:
    break_off(folder, batches=2)
    read.clear()

    report = import_directory(None, folder, "into")

    assert read == ["4.txt", "5.txt"]
    assert (report.resumed, report.added, report.documents) == (4, 2, 6)
    assert count(Document) == 6


def test_one_that_came_to_its_end_leaves_nothing_behind(folder: Path) -> None:
    break_off(folder)
    import_directory(None, folder, "into")
    assert (count(ImportRun), count(ImportedFile)) == (0, 0)


@SQLITE_ONLY
def test_a_file_that_changed_since_is_read_again(folder: Path, read: list[str]) -> None:
    break_off(folder)
    (folder / "0.txt").write_text("another")
    read.clear()

    report = import_directory(None, folder, "into")

    assert read == ["0.txt", "2.txt", "3.txt", "4.txt", "5.txt"]
    assert (report.versioned, report.resumed, report.added) == (1, 1, 4)


@SQLITE_ONLY
def test_the_same_directory_into_another_place_is_another_import(folder: Path) -> None:
    break_off(folder)
    report = import_directory(None, folder, "elsewhere")
    assert (report.added, report.resumed) == (6, 0)


@SQLITE_ONLY
def test_a_batch_that_failed_is_not_noted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise Cut

    monkeypatch.setattr(planning.Plan, "put", fail)
    with pytest.raises(Cut):
        import_directory(None, folder, "into")
    assert (count(Document), count(ImportedFile)) == (0, 0)


def test_two_that_go_on_at_once_take_each_file_once(folder: Path, context: Flask) -> None:
    break_off(folder)
    makers.at_once(context, *[lambda: import_directory(None, folder, "into")] * 3)
    assert (count(Document), count(ImportRun), count(ImportedFile)) == (6, 0, 0)


def test_what_is_noted_after_another_has_finished_is_not_kept(folder: Path) -> None:
    run = begin(folder, "into")
    finish(run)
    import_directory(None, folder, "into")
    assert count(ImportedFile) == 0
