"""Verify finds every kind of damage, says which row it is, and takes nothing for damage that is none."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text, update

from portal import search
from portal.catalog import trash_document
from portal.extensions import db, storage, transaction
from portal.integrity import collect, verify
from portal.models import Blob, Category, Document, Version
from portal.settings import Settings
from portal.uploads import index_directory
from tests.databases import SQLITE_ONLY
from tests.integrity.stock import age, age_blobs, ago, blob_path, keep_without_row, version_of
from tests.makers import category, document, link, person, release

CONTENT = b"Report of February, second edition\n"
OTHER = b"Report of February, 2nd corrected.\n"
assert len(OTHER) == len(CONTENT)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def replace_by(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a flipped bit": (flip_a_bit, "does not have the bytes it is named by"),
    "other bytes": (
        lambda path: replace_by(path, lambda gone: gone.write_bytes(OTHER)),
        "does not have the bytes it is named by",
    ),
    "truncation": (lambda path: os.truncate(path, 5), "has 5 bytes instead of 35"),
    "emptiness": (lambda path: os.truncate(path, 0), "has 0 bytes instead of 35"),
    "extension": (lambda path: os.truncate(path, 36), "has 36 bytes instead of 35"),
    "absence": (lambda path: path.unlink(), "is missing"),
    "a directory": (lambda path: replace_by(path, Path.mkdir), "bytes instead of 35"),
    "a fifo": (lambda path: replace_by(path, os.mkfifo), "has 0 bytes instead of 35"),
}


@pytest.fixture
def stored(context: Flask) -> Document:
    return document(category("reports/2018"), "february.txt", CONTENT, "text/plain")


def problems() -> list[str]:
    release()
    report = verify()
    assert report.is_clean == (not report.problems)
    return report.problems


def test_a_sound_portal_is_clean_and_counted(stored: Document) -> None:
    document(category("reports"), "february.txt", CONTENT, "text/plain")
    document(category("reports"), "february.txt", OTHER, "text/plain")
    report = verify()
    assert report.problems == []
    assert (report.documents, report.versions, report.blobs) == (2, 3, 2)
    assert report.bytes_read == len(CONTENT) + len(OTHER), "a blob is read once, however many versions use it"


def test_an_empty_portal_is_clean(context: Flask) -> None:
    report = verify()
    assert (report.problems, report.bytes_read) == ([], 0)


@SQLITE_ONLY
def test_progress_ends_with_all_bytes(stored: Document) -> None:
    told: list[tuple[int, int]] = []
    verify(progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(CONTENT), len(CONTENT))


@SQLITE_ONLY
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_bytes_are_found(stored: Document, damage: str) -> None:
    make, sentence = DAMAGES[damage]
    sound = document(category("reports"), "sound.txt", b"sound", "text/plain")
    blob = version_of(stored).blob_id
    make(blob_path(stored))
    found = [problem for problem in problems() if f"Blob {blob} " in problem]
    assert len(found) == 1
    assert sentence in found[0]
    assert f"version 1 of document {stored.id}" in found[0]
    assert not [problem for problem in problems() if f"Blob {version_of(sound).blob_id} " in problem]


@SQLITE_ONLY
def test_swapped_bytes_are_both_found(stored: Document) -> None:
    other = document(category("reports"), "other.txt", OTHER, "text/plain")
    first, second = blob_path(stored), blob_path(other)
    first.rename(first.with_name("aside"))
    second.rename(first)
    first.with_name("aside").rename(second)
    assert len(problems()) == 2


@SQLITE_ONLY
def test_a_link_instead_of_bytes_is_found(stored: Document, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(CONTENT)
    path = blob_path(stored)
    path.unlink()
    path.symlink_to(outside)
    damaged, stranger = problems()
    assert f"Blob {version_of(stored).blob_id} " in damaged
    assert "is nothing of the portal's" in stranger


@SQLITE_ONLY
def test_damaged_bytes_name_a_few_of_the_documents_that_need_them(stored: Document) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        document(category("reports"), name, CONTENT, "text/plain")
    blob_path(stored).unlink()
    (problem,) = problems()
    assert problem.endswith(", others.")
    assert problem.count("document") == 3


def test_an_old_file_without_a_row_is_a_problem(context: Flask) -> None:
    path = keep_without_row(CONTENT)
    age(path)
    (problem,) = problems()
    assert path.name in problem
    assert "portal gc" in problem


def test_a_young_file_without_a_row_is_on_its_way(context: Flask) -> None:
    age(keep_without_row(CONTENT), days=0.9)
    report = verify()
    assert (report.problems, report.on_their_way) == ([], 1)


@SQLITE_ONLY
@pytest.mark.parametrize("name", ["notes.txt", "ab/cd/short", "ab/cd/" + "0" * 64])
def test_a_stranger_in_the_storage_is_named(context: Flask, name: str) -> None:
    path = storage().root / "blobs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert problems() == [f"'blobs/{name}' in the storage is nothing of the portal's."]


@SQLITE_ONLY
def test_a_shelf_that_is_a_link_makes_its_blobs_unreachable(stored: Document, tmp_path: Path) -> None:
    shelf = blob_path(stored).parent.parent
    shelf.rename(tmp_path / "shelf")
    shelf.symlink_to(tmp_path / "shelf")
    damaged, stranger = problems()
    assert "cannot be reached" in damaged
    assert "is nothing of the portal's" in stranger


BROKEN_ROWS: dict[str, tuple[Callable[[Document], object], str]] = {
    "a category's counter": (
        lambda made: update(Category).where(Category.id == made.category_id).values(document_count=7),
        "counts 7 live documents and has 1",
    ),
    "a category's path": (
        lambda made: update(Category).where(Category.id == made.category_id).values(path="elsewhere"),
        "has a path, lineage or depth",
    ),
    "a category's lineage": (
        lambda made: update(Category).where(Category.id == made.category_id).values(lineage="/9/"),
        "has a path, lineage or depth",
    ),
    "a category's depth": (
        lambda made: update(Category).where(Category.id == made.category_id).values(depth=5),
        "has a path, lineage or depth",
    ),
    "a document's counter": (
        lambda made: update(Document).where(Document.id == made.id).values(version_count=3),
        "counts 3 versions, has 1",
    ),
    "a gap between versions": (
        lambda made: update(Version).where(Version.document_id == made.id).values(number=2),
        "the last has the number 2",
    ),
    "no current version": (
        lambda made: update(Document).where(Document.id == made.id).values(current_version_id=None),
        "has no current version of its own",
    ),
    "bytes given up too early": (
        lambda made: (
            update(Version).where(Version.document_id == made.id).values(blob_id=None, purged_at=Version.created_at)
        ),
        "were given up",
    ),
    "a version's hash": (
        lambda made: update(Version).where(Version.document_id == made.id).values(sha256="0" * 64),
        "says other things of its bytes",
    ),
    "a version's size": (
        lambda made: update(Version).where(Version.document_id == made.id).values(size=1),
        "says other things of its bytes",
    ),
    "a version's checksum": (
        lambda made: update(Version).where(Version.document_id == made.id).values(crc32=1),
        "says other things of its bytes",
    ),
    "a blob's checksum": (
        lambda _: update(Blob).values(crc32=1),
        "has another CRC-32 than its row says",
    ),
    "a document's words": (
        lambda made: update(Document).where(Document.id == made.id).values(search_text="other"),
        "is not found by the words",
    ),
    "the index of words": (
        lambda _: text("DELETE FROM document_words"),
        "run `portal reindex`",
    ),
}


@pytest.mark.parametrize("broken", BROKEN_ROWS)
def test_rows_that_disagree_are_found(stored: Document, broken: str) -> None:
    search.catch_up(lambda: False)
    make, sentence = BROKEN_ROWS[broken]
    with transaction() as session:
        session.execute(make(stored))  # type: ignore[call-overload]  # each makes an UPDATE
    assert any(sentence in problem for problem in problems())


def test_a_current_version_of_another_document_is_found(stored: Document) -> None:
    other = document(category("reports"), "other.txt", OTHER, "text/plain")
    with transaction() as session:
        values = {"current_version_id": other.current_version_id}
        session.execute(update(Document).where(Document.id == stored.id).values(values))
    assert problems() == [f"Document {stored.id} has no current version of its own."]


def test_a_document_in_the_trash_is_not_counted(stored: Document) -> None:
    trash_document(None, stored.id)
    assert problems() == []


@pytest.fixture
def indexed(context: Flask, tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    directory.mkdir()
    (directory / "february.txt").write_bytes(CONTENT)
    index_directory(None, directory, "reports")
    return directory / "february.txt"


def test_a_sound_source_is_clean_and_hashed(indexed: Path) -> None:
    report = verify()
    assert (report.problems, report.source_files, report.bytes_read) == ([], 1, len(CONTENT))


@SQLITE_ONLY
def test_a_missing_source_file_is_found(indexed: Path) -> None:
    indexed.unlink()
    assert "is missing or cannot be read" in problems()[0]


def test_a_changed_source_file_is_found(indexed: Path) -> None:
    indexed.write_bytes(b"more")
    (problem,) = problems()
    assert "changed on disk since it was indexed" in problem
    assert "'february.txt'" in problem


@SQLITE_ONLY
def test_a_source_file_with_other_bytes_of_the_same_size_and_time_is_found(indexed: Path) -> None:
    before = indexed.stat()
    indexed.write_bytes(OTHER)
    os.utime(indexed, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "has other bytes than those indexed" in problems()[0]


def test_versions_that_a_source_has_replaced_are_nobodys_promise(indexed: Path) -> None:
    indexed.write_bytes(b"more")
    index_directory(None, indexed.parent, "reports")
    report = verify()
    assert (report.problems, report.versions, report.source_files) == ([], 2, 1)


def test_what_gc_removes_meanwhile_is_no_problem(stored: Document) -> None:
    last = document(category("reports"), "last.txt", OTHER, "text/plain", trashed_at=None)

    def remove_the_last(_done: int, _total: int) -> None:
        with transaction() as session:
            session.execute(update(Document).where(Document.id == last.id).values(trashed_at=ago(31)))
            session.execute(update(Category).where(Category.id == last.category_id).values(document_count=0))
        age_blobs()
        collect()

    assert verify(progress=remove_the_last).problems == []


def test_no_token_is_ever_named(stored: Document) -> None:
    made, token = link(stored, by=person(is_admin=True))
    blob_path(stored).unlink()
    found = " ".join(problems())
    assert found
    assert token not in found
    assert made.token_hint not in found


@SQLITE_ONLY
def test_a_damaged_database_file_is_found(stored: Document, settings: Settings) -> None:
    sha256 = version_of(stored).sha256.encode()
    file = close(settings)
    with sqlite3.connect(file) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_blobs_1'")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    content = file.read_bytes()
    at = content.index(sha256, (page[0] - 1) * size)  # in the index, which then disagrees with its table
    file.write_bytes(content[:at] + b"f" * 8 + content[at + 8 :])
    assert any(problem.startswith("The database file is damaged") for problem in problems())


@SQLITE_ONLY
def test_a_database_that_cannot_be_read_is_a_problem_and_no_crash(stored: Document, settings: Settings) -> None:
    file = close(settings)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 3] + b"\xff" * (len(content) - len(content) // 3))
    assert any("The database " in problem for problem in problems())


@SQLITE_ONLY
def test_a_row_that_refers_to_nothing_is_found(stored: Document, settings: Settings) -> None:
    file = close(settings)
    with sqlite3.connect(file) as connection:  # foreign keys are off unless asked for
        connection.execute("UPDATE documents SET category_id = 99")
    connection.close()
    assert f"Row {stored.id} of documents refers to a row of categories that is not there." in problems()


def close(settings: Settings) -> Path:
    """End every connection, so that the file alone is the database; gives its path."""
    db.session.remove()
    db.engine.dispose()
    return Path(settings.database_url.removeprefix("sqlite:///"))
