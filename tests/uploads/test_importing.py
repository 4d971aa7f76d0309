"""Import of a directory: its folders as categories, its files as documents, and a second run that changes nothing."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.catalog import list_documents, trash_document
from portal.downloads import open_bytes
from portal.errors import BadInput, Forbidden
from portal.extensions import db
from portal.models import PUBLISH, Base, Category, Document, Version
from portal.settings import Settings
from portal.storage import Received, Source
from portal.storage.source import Entry
from portal.uploads import Report, import_directory, importing
from tests import makers
from tests.databases import SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty directory to be imported."""
    made = tmp_path / "folder"
    made.mkdir()
    return made


def write(folder: Path, **files: str) -> None:
    """Files by path, ``__`` for ``/``."""
    for name, content in files.items():
        lay(folder, name.replace("__", "/"), content)


def lay(folder: Path, path: str, content: str = "x") -> Path:
    """One file, with the folders above it."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def catalog() -> dict[str, bytes]:
    """Path to bytes of every live document."""
    makers.release()
    statement = select(Document, Category.path).join(Category, Category.id == Document.category_id)
    found = {}
    for document, path in db.session.execute(statement.where(Document.trashed_at.is_(None))).all():
        with open_bytes(makers.edition(document)) as opened:
            found[f"{path}/{document.filename}"] = opened.handle.read()
    return found


def everything() -> dict[str, list[Any]]:
    """Every row of every table."""
    makers.release()
    rows = {
        table.name: sorted(map(str, db.session.execute(select(table)).all())) for table in Base.metadata.tables.values()
    }
    makers.release()
    return rows


def files_of(settings: Settings) -> dict[str, bytes]:
    """Every file of the storage but the database."""
    return {str(path): path.read_bytes() for path in (settings.storage / "blobs").rglob("*") if path.is_file()} | {
        str(path): b"" for path in (settings.storage / "tmp").glob("incoming-*")
    }


def kinds(report: Report) -> tuple[int, int, int]:
    """Added, versioned, unchanged."""
    return report.added, report.versioned, report.unchanged


@SQLITE_ONLY
def test_the_contents_of_a_directory_become_categories_and_documents(folder: Path) -> None:
    write(folder, a="1", sub__b="2", sub__deep__c="3")

    report = import_directory(None, folder, "into/here")

    assert catalog() == {"into/here/a": b"1", "into/here/sub/b": b"2", "into/here/sub/deep/c": b"3"}
    assert (kinds(report), report.skipped, report.problems) == ((3, 0, 0), 0, [])


@SQLITE_ONLY
def test_an_empty_folder_is_an_empty_category(folder: Path) -> None:
    (folder / "empty").mkdir()

    import_directory(None, folder, "into")

    assert set(db.session.scalars(select(Category.path))) == {"into", "into/empty"}


def test_a_second_run_changes_nothing(folder: Path, settings: Settings) -> None:
    write(folder, a="1", sub__b="2", sub__same="2", download__c="3", download___d="4")
    lay(folder, "sp ace.txt")
    lay(folder, " sp ace.txt", "other")
    lay(folder, "e\u0301.txt", "one")
    lay(folder, "\u00e9.txt", "two")
    import_directory(None, folder, "into")
    rows, files = everything(), files_of(settings)

    report = import_directory(None, folder, "into")

    assert kinds(report) == (0, 0, 9)
    assert everything() == rows
    assert files_of(settings) == files


def test_a_changed_file_is_a_new_version(folder: Path) -> None:
    file = lay(folder, "a.txt", "one")
    import_directory(None, folder, "into")
    file.write_text("two")

    report = import_directory(None, folder, "into")

    assert kinds(report) == (0, 1, 0)
    assert catalog() == {"into/a.txt": b"two"}
    assert list(db.session.scalars(select(Version.number))) == [1, 2]


@SQLITE_ONLY
def test_a_folder_called_download_gets_a_line_below(folder: Path) -> None:
    write(folder, download__a="1", x__download__b="2")

    import_directory(None, folder, "into")

    assert set(catalog()) == {"into/download_/a", "into/x/download_/b"}


@pytest.mark.parametrize("folders", [("download", "download_"), ("e\u0301", "\u00e9")])
def test_two_folders_that_are_one_category_lose_no_file(folder: Path, folders: tuple[str, str]) -> None:
    for number, name in enumerate(folders):
        lay(folder, f"{name}/same.txt", str(number))
    import_directory(None, folder, "into")
    first = catalog()

    report = import_directory(None, folder, "into")

    assert sorted(first.values()) == [b"0", b"1"]
    assert sorted(path.rpartition("/")[2] for path in first) == ["same (2).txt", "same.txt"]
    assert (kinds(report), catalog()) == ((0, 0, 2), first)


@SQLITE_ONLY
def test_files_whose_names_meet_are_told_apart_the_same_way_each_time(folder: Path) -> None:
    for number, name in enumerate(["a.txt", "a.txt ", " a.txt", "a\u200b.txt", "a (2).txt"]):
        lay(folder, name, str(number))
    import_directory(None, folder, "into")
    first = catalog()

    report = import_directory(None, folder, "into")

    assert len(first) == 5
    assert (kinds(report), catalog()) == ((0, 0, 5), first)


@SQLITE_ONLY
def test_long_names_that_meet_when_shortened_are_told_apart(folder: Path) -> None:
    for number in range(12):
        lay(folder, f"{'x' * 230}{number:02}.txt", str(number))
    import_directory(None, folder, "into")
    first = catalog()

    report = import_directory(None, folder, "into")

    assert sorted(map(int, first.values())) == list(range(12))
    assert (kinds(report), catalog()) == ((0, 0, 12), first)


@SQLITE_ONLY
def test_what_is_no_document_is_skipped_and_counted(folder: Path, tmp_path: Path) -> None:
    lay(folder, "a.txt")
    lay(folder, ".hidden")
    lay(folder, ".git/config")
    lay(tmp_path, "secret.txt")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "away").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")

    report = import_directory(None, folder, "into")

    assert set(catalog()) == {"into/a.txt"}
    assert report.skipped == 5


@SQLITE_ONLY
def test_a_folder_that_cannot_be_a_category_is_told_and_its_files_counted(folder: Path) -> None:
    lay(folder, "fine/a")
    lay(folder, f"{'x' * 101}/b")
    lay(folder, " blank/c")
    lay(folder, " blank/inner/d")
    lay(folder, "line\nbreak/e")

    report = import_directory(None, folder, "into")

    assert set(catalog()) == {"into/fine/a"}
    assert report.skipped == 4
    assert [problem.partition(" cannot be a category")[0] for problem in report.problems] == [
        "' blank'", "' blank/inner'", "'line\\nbreak'", repr("x" * 101)
    ]  # fmt: skip


@SQLITE_ONLY
def test_a_directory_that_is_too_deep_is_told(folder: Path) -> None:
    lay(folder, "/".join("d" * 65) + "/a")
    lay(folder, "b")

    report = import_directory(None, folder, "into")

    assert set(catalog()) == {"into/b"}
    assert len(report.problems) == 2


@SQLITE_ONLY
@pytest.mark.parametrize("what", ["missing", "file", "storage", "above", "link"])
def test_a_directory_that_cannot_be_imported_is_refused(folder: Path, settings: Settings, what: str) -> None:
    link = folder.parent / "link"
    link.symlink_to(settings.data)
    directories = {
        "missing": folder / "missing",
        "file": lay(folder, "a"),
        "storage": settings.storage,
        "above": settings.storage.parent,
        "link": link,
    }

    with pytest.raises(BadInput, match="directory"):
        import_directory(None, directories[what], "into")
    assert list(db.session.scalars(select(Category.path))) == []


@SQLITE_ONLY
def test_the_secrets_of_the_portal_are_not_imported(context: Flask, settings: Settings, tmp_path: Path) -> None:
    """Also when the bytes lie elsewhere, the directory with database and secrets is the portal's own."""
    own = tmp_path / "elsewhere"
    own.mkdir()
    context.config["PORTAL"] = replace(settings, data=own)

    with pytest.raises(BadInput, match="storage"):
        import_directory(None, own, "into")


@SQLITE_ONLY
def test_a_file_that_cannot_be_read_is_told_and_the_others_are_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, a="1", b="2", c="3")
    real = Source.open

    def changed(source: Source, path: str, size: int, mtime_ns: int) -> object:
        if path == "b":
            (folder / "b").write_text("22")
        return real(source, path, size, mtime_ns)

    monkeypatch.setattr(Source, "open", changed)
    report = import_directory(None, folder, "into")

    assert set(catalog()) == {"into/a", "into/c"}
    assert len(report.problems) == 1
    assert report.problems[0].startswith("'b' was not taken:")


@SQLITE_ONLY
def test_a_file_written_to_while_it_is_read_is_not_taken(
    folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = lay(folder, "a", "one")
    monkeypatch.setattr(importing, "BLOCK", 1)
    real = Source.open

    def opened(source: Source, path: str, size: int, mtime_ns: int) -> object:
        handle = real(source, path, size, mtime_ns)
        os.utime(file, ns=(1, 1))
        return handle

    monkeypatch.setattr(Source, "open", opened)
    report = import_directory(None, folder, "into")

    assert (kinds(report), len(report.problems)) == ((0, 0, 0), 1)
    assert files_of(settings) == {}


@SQLITE_ONLY
def test_an_import_that_fails_leaves_no_temporary_file(
    folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, a="1", b="2")
    real = importing.copy_in

    def failing(source: Source, entry: Entry) -> Received:
        if entry.path == "b":
            raise OSError("the disk is gone")
        return real(source, entry)

    monkeypatch.setattr(importing, "copy_in", failing)
    with pytest.raises(OSError, match="gone"):
        import_directory(None, folder, "into")

    assert files_of(settings) == {}


def test_no_connection_is_held_while_files_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, a="1", b="2")
    held: list[int] = []
    real = importing.copy_in

    def looking(source: Source, entry: Entry) -> Received:
        held.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]
        return real(source, entry)

    monkeypatch.setattr(importing, "copy_in", looking)
    import_directory(None, folder, "into")
    import_directory(None, folder, "into")

    assert held == [0] * 4


@SQLITE_ONLY
def test_progress_is_told_after_each_batch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.uploads.planning.BATCH", 2)
    write(folder, **{f"f{number}": str(number) for number in range(5)})
    told: list[tuple[int, int]] = []

    report = import_directory(None, folder, "into", progress=lambda done, of: told.append((done, of)))

    assert told == [(2, 5), (4, 5), (5, 5)]
    assert report.added == 5


@SQLITE_ONLY
def test_a_document_that_was_trashed_is_imported_anew(folder: Path) -> None:
    write(folder, a="1")
    import_directory(None, folder, "into")
    first = db.session.scalars(select(Document)).one()
    trash_document(None, first.id)

    report = import_directory(None, folder, "into")

    assert kinds(report) == (1, 0, 0)
    assert set(catalog()) == {"into/a"}


@SQLITE_ONLY
def test_an_import_into_a_path_that_cannot_be_makes_nothing(folder: Path) -> None:
    for into in ("", "a//b", "download", "a/../b"):
        with pytest.raises(BadInput):
            import_directory(None, folder, into)
    assert list(db.session.scalars(select(Category.path))) == []


@SQLITE_ONLY
def test_somebody_without_the_right_imports_nothing(folder: Path) -> None:
    write(folder, a="1")
    user = makers.person()
    shelf = makers.category("shelf")
    makers.grant(shelf, user=user)

    with pytest.raises(Forbidden):
        import_directory(makers.actor(user), folder, "top")
    with pytest.raises(Forbidden):
        import_directory(makers.actor(user), folder, "shelf")
    assert catalog() == {}


def test_two_imports_of_one_directory_at_once_are_one(folder: Path, context: Flask) -> None:
    for number in range(12):
        lay(folder, f"{number % 3}/{number}", str(number % 5))

    def take_in() -> tuple[int, int, int]:
        report = import_directory(None, folder, "into")
        return report.documents, report.added, report.versioned

    outcomes = makers.at_once(context, *[take_in] * 3)

    assert [sum(column) for column in zip(*outcomes, strict=True)] == [36, 12, 0]
    assert len(catalog()) == 12


def test_imports_of_two_directories_with_the_same_bytes_do_not_wait_for_each_other(
    folder: Path, context: Flask
) -> None:
    for number in range(12):
        lay(folder, f"left/{number:02}", str(number))
        lay(folder, f"right/{number:02}", str(11 - number))

    outcomes = makers.at_once(
        context,
        lambda: import_directory(None, folder / "left", "left").added,
        lambda: import_directory(None, folder / "right", "right").added,
    )

    assert outcomes == [12, 12]


@SQLITE_ONLY
def test_a_publisher_sees_what_the_operator_imported(folder: Path) -> None:
    write(folder, sub__a="1")
    import_directory(None, folder, "into")
    user = makers.person()
    makers.grant(makers.category("into"), user=user, permission=PUBLISH)

    assert [row.filename for row in list_documents(makers.actor(user)).rows] == ["a"]
