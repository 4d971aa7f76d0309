"""What takes how much room: the parts add up to what lies on the disk, whatever happened before."""

import random

import pytest
from sqlalchemy import exists, select

from portal.accounts.quotas import change_quota_of_group, change_quota_of_person
from portal.catalog import put_document, restore_document, trash_document
from portal.extensions import db, storage, transaction
from portal.integrity import (
    collect,
    count_usage,
    held_bytes,
    list_groups_by_use,
    list_people_by_use,
    unfinished_uploads,
    usage,
)
from portal.integrity.usage import SHOWN, Owner, Part
from portal.models import Blob, Document, Upload, Version
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.integrity.stock import age_blobs, ago

pytestmark = pytest.mark.usefixtures("context")


def put(path: str, content: bytes, filename: str = "a.bin") -> Document:
    return makers.document(makers.category(path), filename, content, "application/octet-stream")


def on_disk() -> int:
    return sum(found.st_size for _, found in storage().list_keys())


def total() -> int:
    """What the parts come to."""
    found = count_usage()
    shelved = sum(row.part.size for row in found.categories) + found.others.size
    return shelved + found.older.size + found.trash.size + found.in_none.size - found.saved


def test_each_byte_is_told_as_what_it_is() -> None:
    put("reports/2018", b"a" * 100)
    put("reports/2018", b"b" * 120)
    put("letters", b"c" * 50)
    put("letters", b"b" * 120, "the same.bin")
    trash_document(None, put("letters", b"d" * 30, "gone.bin").id)
    makers.release()
    found = count_usage()

    assert [(row.path, row.part) for row in found.categories] == [
        ("letters", Part(2, 170)),
        ("reports", Part(1, 120)),
    ]
    assert (found.others, found.older, found.trash) == (Part(0, 0), Part(1, 100), Part(1, 30))
    assert (found.saved, found.stored, found.in_none) == (120, 300, Part(0, 0))
    assert total() == on_disk() == 300
    storage().albums.keep("0" * 64, 1, [b"image"])
    assert (count_usage().previews.count, total()) == (1, 300)


def test_whatever_happened_the_parts_add_up_to_what_lies_on_the_disk() -> None:
    chance = random.Random(7)
    for step in range(40):
        live = db.session.scalars(select(Document.id).where(Document.trashed_at.is_(None))).all()
        kept = exists().where(Version.document_id == Document.id, Version.purged_at.is_(None))
        gone = db.session.scalars(select(Document).where(Document.trashed_at.is_not(None), kept)).all()
        what = chance.randrange(6)
        if what < 3 or not live:
            content = bytes([chance.randrange(12)]) * chance.randrange(1, 200)
            put(f"shelf {chance.randrange(4)}/below", content, f"{chance.randrange(6)}.bin")
        elif what == 3:
            trash_document(None, chance.choice(live))
        elif what == 4 and gone:
            restore_document(None, chance.choice(gone).id)
        elif step % 2:
            for document in gone[:2]:
                makers.change(document, trashed_at=ago(40))
            age_blobs()
            collect()
        makers.release()
        found = count_usage()
        assert total() == found.stored == on_disk(), step


@SQLITE_ONLY
def test_the_largest_categories_are_named_and_the_rest_is_one_line() -> None:
    for number in range(SHOWN + 3):
        put_document(None, makers.category(f"shelf {number:02}").id, "a.bin", makers.content_of(b"x" * (number + 1)))
    makers.release()
    found = count_usage()

    assert [row.path for row in found.categories][:2] == ["shelf 22", "shelf 21"]
    assert (len(found.categories), found.others) == (SHOWN, Part(3, 1 + 2 + 3))


def test_people_and_groups_are_listed_by_what_they_put_in() -> None:
    ada, bob, _ = (makers.person(name) for name in ("Ada", "Bob", "Eve"))
    makers.change(ada, used_bytes=100)
    makers.change(bob, used_bytes=300)
    staff, board, _ = makers.group("Staff", ada, bob), makers.group("Board"), makers.group("Nobody")
    change_quota_of_person(None, bob.id, 500)
    change_quota_of_group(None, board.id, 1_000)
    makers.release()

    assert list_people_by_use() == [Owner(bob.id, "Bob", 300, 500), Owner(ada.id, "Ada", 100, None)]
    assert list_groups_by_use() == [Owner(staff.id, "Staff", 400, None), Owner(board.id, "Board", 0, 1_000)]


def test_what_is_on_its_way_and_what_is_held_is_counted_beside() -> None:
    ada, shelf = makers.person("Ada"), makers.category("reports").id
    facts = {"user_id": ada.id, "category_id": shelf, "filename": "a.bin", "temp": "none"}
    until = makers.now(days=1)
    with transaction() as session:
        session.add(Upload(**facts, size=100, received=40, expires_at=until))
        session.add(Upload(**facts, size=100, received=100, state="done", expires_at=until))
    put("reports", b"v" * 70)
    makers.change(db.session.scalars(select(Blob)).one(), scan_state="infected", finding="Eicar.Test")

    assert unfinished_uploads() == Part(1, 40)
    assert held_bytes() == (Part(0, 0), Part(1, 70))


@SQLITE_ONLY
def test_very_many_versions_are_added_up_when_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    put("reports", b"a")
    assert usage.is_counted_at_once()
    monkeypatch.setattr(usage, "AT_ONCE", 0)
    assert not usage.is_counted_at_once()
