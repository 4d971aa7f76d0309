"""Versions: an older one comes back as the newest, each is pinned by its number, and each tells what replaced it."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import delete, func, select

from portal.actors import Actor
from portal.catalog import (
    add_version,
    change_document,
    find_readable,
    get_live,
    get_pinned,
    get_version,
    is_purged,
    list_versions,
    restore_version,
    trash_document,
)
from portal.errors import BadInput, Conflict, DocumentNotFound, Forbidden
from portal.extensions import db, storage, transaction
from portal.integrity import collect
from portal.models import PUBLISH, AuditEvent, Blob, Category, Document, SearchChange, Version
from portal.uploads import index_directory
from tests import makers
from tests.databases import SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")

ONE, TWO = b"%PDF one", b"%PDF two"


@dataclass
class House:
    """Two versions of one document, which a reader and a publisher see and a stranger does not."""

    shelf: Category
    document: Document
    reader: Actor
    publisher: Actor
    stranger: Actor

    def numbers(self) -> list[int]:
        return [row.version.number for row in list_versions(self.document.id)]


@pytest.fixture
def house(context: Flask) -> House:
    shelf = makers.category("reports")
    people = {name: makers.person(name) for name in ("Reader", "Publisher", "Stranger")}
    makers.grant(shelf, user=people["Reader"])
    makers.grant(shelf, user=people["Publisher"], permission=PUBLISH)
    document = makers.document(shelf, "report.pdf", ONE)
    makers.document(shelf, "report.pdf", TWO)
    return House(shelf, document, *(makers.actor(user) for user in people.values()))


def test_an_older_version_comes_back_as_the_newest(house: House) -> None:
    outcome = restore_version(house.publisher, house.document.id, 1, " It was right after all. ")
    makers.release()

    newest, *older = list_versions(house.document.id)
    assert (outcome.kind, outcome.number, newest.version.number) == ("versioned", 3, 3)
    assert (newest.author, newest.version.note, newest.restored_from) == ("Publisher", "It was right after all.", 1)
    assert [row.restored_from for row in older] == [None, None]
    facts = ("sha256", "size", "crc32", "content_type", "blob_id")
    assert [getattr(newest.version, name) for name in facts] == [getattr(older[1].version, name) for name in facts]
    found = find_readable(house.reader, house.document.id)
    assert found is not None
    assert (found.number, found.sha256) == (3, older[1].version.sha256)


@SQLITE_ONLY
def test_what_was_brought_back_is_in_the_log(house: House) -> None:
    restore_version(house.publisher, house.document.id, 1)

    event = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()
    assert (event.action, event.object_id) == ("version.restored", house.document.id)
    assert (event.details["restored"], event.details["number"]) == (1, 3)


@SQLITE_ONLY
def test_the_newest_version_cannot_come_back(house: House) -> None:
    written = db.session.scalars(select(func.count()).select_from(AuditEvent)).one()

    outcome = restore_version(house.publisher, house.document.id, 2)

    assert (outcome.kind, outcome.number, house.numbers()) == ("unchanged", 2, [2, 1])
    assert db.session.scalars(select(func.count()).select_from(AuditEvent)).one() == written


@SQLITE_ONLY
def test_an_older_version_with_the_bytes_of_the_newest_changes_nothing(house: House) -> None:
    restore_version(None, house.document.id, 1)

    assert restore_version(None, house.document.id, 1).kind == "unchanged"
    assert house.numbers() == [3, 2, 1]


@SQLITE_ONLY
def test_a_version_of_another_type_brings_its_ending_along(house: House) -> None:
    add_version(None, house.document.id, "report.docx", makers.content_of(b"PK", "application/msword"))

    restore_version(None, house.document.id, 1)

    assert get_live(house.document.id).filename == "report.pdf"
    assert [row.version.filename for row in list_versions(house.document.id)] == [
        "report.pdf",
        "report.docx",
        "report.pdf",
        "report.pdf",
    ]


@SQLITE_ONLY
def test_a_version_comes_back_under_the_name_the_document_has_now(house: House) -> None:
    document = get_live(house.document.id)
    change_document(
        None,
        document.id,
        title="Annual",
        filename="annual.pdf",
        description="",
        published_at=document.published_at,
        expires_at=None,
    )
    restore_version(None, house.document.id, 1)

    assert list_versions(house.document.id)[0].version.filename == "annual.pdf"


@SQLITE_ONLY
def test_what_comes_back_is_indexed_anew(house: House) -> None:
    with transaction() as session:
        session.execute(delete(SearchChange))
    restore_version(None, house.document.id, 1)

    assert list(db.session.scalars(select(SearchChange.document_id))) == [house.document.id]


def test_gc_leaves_what_came_back(house: House) -> None:
    blob = get_pinned(house.document.id, 1).version.blob_id
    long_ago = makers.now(days=-9)
    makers.change(db.session.get_one(Blob, blob), touched_at=long_ago)

    restore_version(None, house.document.id, 1)
    makers.release()
    touched = db.session.get_one(Blob, blob).touched_at
    makers.release()
    collect()

    assert touched > long_ago
    found = find_readable(house.reader, house.document.id)
    assert found is not None
    assert storage().stat(found.sha256) is not None


@SQLITE_ONLY
def test_who_may_only_read_brings_nothing_back(house: House) -> None:
    with pytest.raises(Forbidden):
        restore_version(house.reader, house.document.id, 1)
    with pytest.raises(DocumentNotFound):
        restore_version(house.stranger, house.document.id, 1)

    assert house.numbers() == [2, 1]


@SQLITE_ONLY
def test_a_number_that_never_was_and_a_document_in_the_trash_are_not_found(house: House) -> None:
    with pytest.raises(DocumentNotFound):
        restore_version(None, house.document.id, 3)
    trash_document(None, house.document.id)
    with pytest.raises(DocumentNotFound):
        restore_version(None, house.document.id, 1)


@SQLITE_ONLY
def test_a_version_whose_bytes_are_gone_does_not_come_back(house: House) -> None:
    makers.change(get_pinned(house.document.id, 1).version, blob_id=None, purged_at=makers.now())

    with pytest.raises(Conflict, match="removed for good"):
        restore_version(None, house.document.id, 1)


@SQLITE_ONLY
def test_damaged_bytes_do_not_come_back(house: House) -> None:
    blob = db.session.get_one(Blob, get_pinned(house.document.id, 1).version.blob_id)
    makers.change(blob, damage="bytes", damaged_at=makers.now())

    with pytest.raises(Conflict, match="damaged"):
        restore_version(None, house.document.id, 1)


@SQLITE_ONLY
def test_a_version_in_a_directory_of_others_does_not_come_back(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for text in ("one", "two"):
        (folder / "plain.txt").write_text(text)
        index_directory(None, folder, "shown")
    document = db.session.scalars(select(Document).where(Document.filename == "plain.txt")).one()

    with pytest.raises(Conflict, match="directory that others write to"):
        restore_version(None, document.id, 1)


@SQLITE_ONLY
def test_a_note_that_is_too_long_is_refused_and_nothing_comes_back(house: House) -> None:
    with pytest.raises(BadInput):
        restore_version(None, house.document.id, 1, "x" * 10_001)

    assert house.numbers() == [2, 1]


def test_each_version_tells_what_replaced_it(house: House) -> None:
    restore_version(house.publisher, house.document.id, 1)
    rows = [get_pinned(house.document.id, number) for number in (1, 2, 3)]

    replaced = [(row.replaced.number, row.replaced.author) if row.replaced else None for row in rows]
    assert replaced == [(2, None), (3, "Publisher"), None]
    assert rows[0].replaced is not None
    assert rows[0].replaced.at == rows[1].version.created_at
    with pytest.raises(DocumentNotFound):
        get_pinned(house.document.id, 4)


@SQLITE_ONLY
def test_many_versions_come_in_pages(house: House) -> None:
    for number in range(3, 8):
        makers.document(house.shelf, "report.pdf", f"%PDF {number}".encode())

    first = list_versions(house.document.id, limit=3)
    rest = list_versions(house.document.id, before=first[-1].version.number)
    assert [row.version.number for row in first] == [7, 6, 5]
    assert [row.version.number for row in rest] == [4, 3, 2, 1]


@SQLITE_ONLY
def test_that_a_version_is_gone_is_known_to_whoever_may_read_the_document(house: House) -> None:
    version = get_version(get_pinned(house.document.id, 1).version.id)
    makers.change(version, blob_id=None, purged_at=makers.now())

    for ref in (house.document.id, house.document.uuid):
        assert is_purged(house.reader, ref, 1)
        assert not is_purged(house.stranger, ref, 1)
        assert not is_purged(house.reader, ref, 2)
    assert db.session.scalars(select(func.count()).select_from(Version)).one() == 2
