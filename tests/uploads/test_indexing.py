"""Directories shown in place: nothing is copied, what changed is found, and what is not as it was is not served."""

import os
import shutil
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.actors import PORTAL
from portal.catalog import (
    change_document,
    find_at_path,
    find_edition,
    get_live,
    list_versions,
    move_document,
    put_document,
    restore_document,
    trash_document,
)
from portal.downloads import open_bytes
from portal.errors import BadInput, ContentUnavailable, SourceChanged
from portal.extensions import db
from portal.models import AuditEvent, Blob, Category, Document, SourceDirectory, Version
from portal.settings import Settings
from portal.storage import Source
from portal.storage.source import SourceDigest
from portal.uploads import Report, import_directory, index_directory
from tests import makers
from tests.databases import SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with two files, ``a`` and ``sub/b``."""
    made = tmp_path / "folder"
    lay(made, "a", "one")
    lay(made, "sub/b", "two")
    return made


def lay(folder: Path, path: str, content: str) -> Path:
    """One file, with the folders above it."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def scan(folder: Path) -> dict[str, int]:
    """Index the directory in place; what it came to, without the zeros."""
    report = index_directory(None, folder, "into")
    assert report.problems == []
    found = vars(report).items()
    return {kind: number for kind, number in found if number and kind != "problems"}


def read(path: str) -> bytes:
    """The bytes a reader would get at a path."""
    makers.release()
    edition = find_at_path(PORTAL, path)
    makers.release()
    assert edition is not None
    with open_bytes(edition) as opened:
        return opened.handle.read()


def document_at(path: str) -> Document:
    """The document at a path."""
    makers.release()
    edition = find_at_path(PORTAL, path)
    assert edition is not None
    return get_live(edition.document_id)


def count(model: type[Blob | Document | Version | AuditEvent]) -> int:
    """Rows of a table."""
    makers.release()
    return db.session.scalars(select(func.count()).select_from(model)).one()


@SQLITE_ONLY
def test_a_directory_is_shown_without_copying_anything(folder: Path, settings: Settings) -> None:
    assert scan(folder) == {"added": 2}

    assert (read("into/a"), read("into/sub/b")) == (b"one", b"two")
    assert count(Blob) == 0
    assert [path for path in (settings.storage / "blobs").rglob("*") if path.is_file()] == []


@SQLITE_ONLY
def test_a_second_look_reads_and_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan(folder)
    written = count(AuditEvent)

    def never(_source: Source, path: str) -> SourceDigest:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(Source, "digest", never)

    assert scan(folder) == {"unchanged": 2}
    assert (count(AuditEvent), count(Version)) == (written, 2)


@SQLITE_ONLY
def test_a_look_is_dated(folder: Path) -> None:
    scan(folder)
    source = db.session.scalars(select(SourceDirectory)).one()

    assert source.scanned_at is not None
    assert source.directory == str(folder)


def test_a_second_look_finds_what_was_added_changed_and_removed(folder: Path) -> None:
    lay(folder, "c", "three")
    scan(folder)
    lay(folder, "new", "four")
    lay(folder, "a", "one more")
    (folder / "c").unlink()

    assert scan(folder) == {"added": 1, "versioned": 1, "unchanged": 1, "vanished": 1}

    assert (read("into/a"), read("into/new")) == (b"one more", b"four")
    assert find_at_path(PORTAL, "into/c") is None
    assert document_at("into/a").version_count == 2


@SQLITE_ONLY
def test_a_changed_file_is_not_served_until_it_is_looked_at_again(folder: Path) -> None:
    scan(folder)
    lay(folder, "a", "something else")

    with pytest.raises(SourceChanged) as refused:
        read("into/a")
    assert refused.value.status == 503
    scan(folder)
    assert read("into/a") == b"something else"


def test_a_touched_file_is_not_served_until_it_is_looked_at_again(folder: Path) -> None:
    scan(folder)
    os.utime(folder / "a", ns=(5, 5))
    with pytest.raises(SourceChanged):
        read("into/a")

    assert scan(folder) == {"unchanged": 2}

    assert read("into/a") == b"one"
    assert document_at("into/a").version_count == 1


@SQLITE_ONLY
def test_an_old_version_of_a_file_is_not_served(folder: Path) -> None:
    scan(folder)
    document = document_at("into/a")
    first = document.current_version_id
    lay(folder, "a", "something else")
    scan(folder)

    edition = find_edition(document.id, first)
    assert edition is not None
    with pytest.raises(ContentUnavailable):
        open_bytes(edition)


@SQLITE_ONLY
def test_a_file_put_back_as_it_was_is_a_version_again(folder: Path) -> None:
    scan(folder)
    first = (folder / "a").stat().st_mtime_ns
    lay(folder, "a", "something else")
    scan(folder)
    lay(folder, "a", "one")
    os.utime(folder / "a", ns=(first, first))

    assert scan(folder) == {"versioned": 1, "unchanged": 1}
    assert (read("into/a"), document_at("into/a").version_count) == (b"one", 3)


def test_a_file_that_comes_back_is_the_same_document(folder: Path) -> None:
    scan(folder)
    document_id = document_at("into/a").id
    shutil.move(folder / "a", folder.parent / "a")
    assert scan(folder) == {"unchanged": 1, "vanished": 1}
    shutil.move(folder.parent / "a", folder / "a")

    assert scan(folder) == {"added": 1, "unchanged": 1}

    assert document_at("into/a").id == document_id
    assert (read("into/a"), document_at("into/a").version_count) == (b"one", 1)
    assert scan(folder) == {"unchanged": 2}


@SQLITE_ONLY
def test_a_file_that_comes_back_with_other_bytes_is_a_version_of_the_same_document(folder: Path) -> None:
    scan(folder)
    document_id = document_at("into/a").id
    (folder / "a").unlink()
    scan(folder)
    lay(folder, "a", "changed meanwhile")
    scan(folder)

    assert (document_at("into/a").id, document_at("into/a").version_count) == (document_id, 2)
    assert read("into/a") == b"changed meanwhile"


@SQLITE_ONLY
def test_a_whole_directory_that_was_away_comes_back_as_it_was(folder: Path) -> None:
    scan(folder)
    ids = sorted(db.session.scalars(select(Document.id)))
    away = folder.rename(folder.parent / "away")
    folder.mkdir()
    assert scan(folder) == {"vanished": 2}
    folder.rmdir()
    away.rename(folder)

    assert scan(folder) == {"added": 2}
    assert sorted(db.session.scalars(select(Document.id).where(Document.trashed_at.is_(None)))) == ids


@SQLITE_ONLY
def test_what_somebody_put_into_the_trash_stays_there(folder: Path) -> None:
    scan(folder)
    trash_document(None, document_at("into/a").id)

    assert scan(folder) == {"unchanged": 2}
    lay(folder, "a", "changed")
    assert scan(folder) == {"unchanged": 2}

    assert find_at_path(PORTAL, "into/a") is None
    assert count(Document) == 2


@SQLITE_ONLY
def test_what_somebody_brings_back_from_the_trash_is_served(folder: Path) -> None:
    scan(folder)
    document_id = document_at("into/a").id
    trash_document(None, document_id)
    scan(folder)
    restore_document(None, document_id)

    assert read("into/a") == b"one"
    assert scan(folder) == {"unchanged": 2}


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_renamed_document_stays_with_its_file(folder: Path, is_changed: bool) -> None:
    scan(folder)
    document = document_at("into/a")
    change_document(
        None, document.id, title="New", filename="new", description="", published_at=makers.now(), expires_at=None
    )
    if is_changed:
        lay(folder, "a", "changed")

    scan(folder)

    assert document_at("into/new").id == document.id
    assert read("into/new") == (b"changed" if is_changed else b"one")
    assert find_at_path(PORTAL, "into/a") is None


@SQLITE_ONLY
def test_a_moved_document_stays_with_its_file(folder: Path) -> None:
    scan(folder)
    document = document_at("into/a")
    move_document(None, document.id, makers.category("elsewhere").id)
    lay(folder, "a", "changed")

    assert scan(folder) == {"versioned": 1, "unchanged": 1}
    assert read("elsewhere/a") == b"changed"
    assert count(Document) == 2


@SQLITE_ONLY
def test_a_version_that_was_uploaded_is_not_overwritten_by_the_file_as_it_was(folder: Path) -> None:
    scan(folder)
    into = makers.category("into")
    makers.document(into, "a", b"uploaded")

    assert scan(folder) == {"unchanged": 2}
    assert read("into/a") == b"uploaded"
    lay(folder, "a", "changed on disk after that")
    scan(folder)
    assert read("into/a") == b"changed on disk after that"
    assert len(list_versions(document_at("into/a").id)) == 3


@SQLITE_ONLY
def test_a_document_whose_file_vanished_after_an_upload_stays(folder: Path) -> None:
    scan(folder)
    makers.document(makers.category("into"), "a", b"uploaded")
    (folder / "a").unlink()

    assert scan(folder) == {"unchanged": 1}
    assert read("into/a") == b"uploaded"


@SQLITE_ONLY
def test_a_file_that_is_cleaned_to_another_name_is_found_again(folder: Path) -> None:
    lay(folder, " a", "other")
    scan(folder)

    assert read("into/a (2)") in (b"one", b"other")
    assert {read("into/a"), read("into/a (2)")} == {b"one", b"other"}
    assert scan(folder) == {"unchanged": 3}


@SQLITE_ONLY
def test_a_name_that_meets_another_later_takes_nothing_away(folder: Path) -> None:
    scan(folder)
    first = document_at("into/a").id
    lay(folder, " a", "comes first by name")

    scan(folder)
    lay(folder, "a", "changed")
    scan(folder)

    assert document_at("into/a").id == first


@SQLITE_ONLY
def test_a_link_put_in_the_way_is_not_followed(folder: Path, tmp_path: Path) -> None:
    scan(folder)
    secret = lay(tmp_path, "secret", "one")
    kept = (folder / "a").stat().st_mtime_ns
    (folder / "a").unlink()
    (folder / "a").symlink_to(secret)
    os.utime(secret, ns=(kept, kept))

    with pytest.raises(ContentUnavailable):
        read("into/a")
    report = index_directory(None, folder, "into")
    assert (report.skipped, report.vanished) == (1, 1)


@SQLITE_ONLY
def test_the_portal_does_not_show_itself(settings: Settings) -> None:
    with pytest.raises(BadInput, match="storage"):
        index_directory(None, settings.data, "into")


@SQLITE_ONLY
def test_the_same_bytes_in_two_files_are_two_documents(folder: Path) -> None:
    lay(folder, "copy", "one")
    scan(folder)

    assert (read("into/copy"), read("into/a"), count(Document)) == (b"one", b"one", 3)


@SQLITE_ONLY
def test_a_directory_shown_where_it_was_imported_adds_nothing(folder: Path) -> None:
    import_directory(None, folder, "into")

    assert scan(folder) == {"unchanged": 2}
    assert count(Version) == 2


@SQLITE_ONLY
def test_another_directory_in_its_place_is_followed(folder: Path, tmp_path: Path) -> None:
    scan(folder)
    other = tmp_path / "other"
    lay(other, "a", "of the other directory")

    assert scan(other) == {"versioned": 1, "vanished": 1}
    assert read("into/a") == b"of the other directory"


@SQLITE_ONLY
def test_a_file_that_cannot_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Source.digest

    def digest(source: Source, path: str) -> SourceDigest:
        if path == "a":
            raise SourceChanged
        return real(source, path)

    monkeypatch.setattr(Source, "digest", digest)
    report = index_directory(None, folder, "into")

    assert (report.added, len(report.problems)) == (1, 1)
    assert report.problems[0].startswith("'a' was not indexed:")


def test_no_connection_is_held_while_files_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    real = Source.digest

    def digest(source: Source, path: str) -> SourceDigest:
        held.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]
        return real(source, path)

    monkeypatch.setattr(Source, "digest", digest)
    scan(folder)
    for name in ("a", "sub/b"):
        lay(folder, name, "changed")
    scan(folder)

    assert held == [0] * 4


def test_three_who_look_at_once_find_the_same(folder: Path, context: Flask) -> None:
    for number in range(8):
        lay(folder, f"sub/{number}", str(number))

    for turn in range(2):
        reports = makers.at_once(context, *[lambda: index_directory(None, folder, "into")] * 3)
        assert all(isinstance(report, Report) and not report.problems for report in reports), reports
        assert count(Document) == 10
        assert read("into/a") == (b"changed" if turn else b"one")
        lay(folder, "a", "changed")


@SQLITE_ONLY
def test_documents_put_beside_the_files_stay(folder: Path) -> None:
    scan(folder)
    put_document(None, makers.category("into").id, "by hand", makers.content_of(b"by hand"))

    assert scan(folder) == {"unchanged": 2}
    assert set(db.session.scalars(select(Category.path))) == {"into", "into/sub"}
    assert count(Document) == 3
