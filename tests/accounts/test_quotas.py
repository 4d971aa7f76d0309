"""Quotas of people, groups and everybody (P4): what was put in and what is on its way never exceed them."""

import dataclasses
import random
from collections.abc import Iterator
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.accounts.quotas import list_rooms
from portal.actors import Actor
from portal.catalog import put_document, restore_version, trash_document
from portal.catalog.bulk import Item, put_documents
from portal.errors import QuotaExceeded
from portal.extensions import db, storage, transaction
from portal.integrity import collect
from portal.integrity.rows import people_problems
from portal.models import Document, Upload, User, Version
from portal.settings import Settings
from portal.uploads import arrive, receive, store_documents, store_version
from portal.uploads.quotas import require_room
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.integrity.stock import ago

HERE = pytest.mark.usefixtures("context")
PEOPLE = 6
KIB = 1024


def begin(user_id: int | None, size: int, category_id: int, state: str = "receiving") -> None:
    """Begin an upload, as whoever takes them does: the room is looked for where the row is written."""
    facts = {"filename": "a.bin", "size": size, "temp": "none", "state": state, "expires_at": makers.now(days=1)}
    with transaction() as session:
        require_room(user_id, size)
        session.add(Upload(user_id=user_id, category_id=category_id, **facts))


def publisher(name: str = "Ada", quota: int | None = None) -> User:
    """Somebody who may publish everywhere, with a quota of their own."""
    made = makers.person(name, is_admin=True)
    makers.change(made, quota_bytes=quota)
    return made


def store(by: User | Actor, size: int, filename: str = "a.bin", into: str = "reports") -> None:
    """Put so many bytes in by the form."""
    incoming = receive()
    incoming.write(filename.encode().ljust(size, b".")[:size])
    who = by if isinstance(by, Actor) else makers.actor(by)
    store_documents(who, makers.category(into).id, [arrive(incoming, filename)])


def used_by(user: User) -> int:
    makers.release()
    return db.session.scalars(select(User.used_bytes).where(User.id == user.id)).one()


@pytest.fixture
def limited(settings: Settings) -> Iterator[Flask]:
    """A portal whose people may put in a MiB together."""
    with makers.core(dataclasses.replace(settings, quota=1024 * KIB)) as app:
        yield app


@HERE
@SQLITE_ONLY
def test_what_fits_to_the_byte_is_taken_and_one_more_is_refused_with_what_is_left() -> None:
    ada = publisher(quota=10_000)
    store(ada, 4_000)

    with pytest.raises(QuotaExceeded) as refused:
        store(ada, 6_001, "b.bin")
    assert refused.value.status == 413
    assert refused.value.sentence == "The quota of your account is 10 KB, and 6 KB of it is left."
    assert (used_by(ada), db.session.scalars(select(func.count(Document.id))).one()) == (4_000, 1)
    assert not list((storage().root / "tmp").glob("incoming-*"))
    store(ada, 6_000, "b.bin")
    assert used_by(ada) == 10_000


@HERE
def test_what_is_on_its_way_takes_room_until_it_ends() -> None:
    ada, shelf = publisher(quota=10_000), makers.category()
    begin(ada.id, 4_000, shelf.id)
    begin(ada.id, 5_000, shelf.id)

    with pytest.raises(QuotaExceeded, match="1 KB of it is left"):
        begin(ada.id, 1_001, shelf.id)
    makers.change(db.session.scalars(select(Upload).order_by(Upload.id).limit(1)).one(), state="cancelled")
    begin(ada.id, 5_000, shelf.id)


@HERE
def test_the_people_of_a_group_share_its_quota() -> None:
    ada, bob, eve = publisher("Ada"), publisher("Bob"), publisher("Eve")
    staff = makers.group("Staff", ada, bob)
    makers.change(staff, quota_bytes=10_000)
    store(ada, 7_000)

    with pytest.raises(QuotaExceeded, match="quota of the group Staff is 10 KB, and 3 KB of it is left"):
        store(bob, 3_001, "b.bin")
    store(eve, 50_000, "c.bin")
    store(bob, 3_000, "b.bin")


def test_all_people_together_have_a_quota_and_outsiders_are_among_them(limited: Flask) -> None:
    ada, bob = publisher("Ada"), publisher("Bob")
    store(ada, 1000 * KIB)

    with pytest.raises(QuotaExceeded, match=r"quota of all people together is 1\.0 MB, and 25 KB of it is left"):
        store(bob, 25 * KIB, "b.bin")
    with transaction(), pytest.raises(QuotaExceeded):
        require_room(None, 25 * KIB)
    with transaction():
        require_room(None, 24 * KIB)


@HERE
@SQLITE_ONLY
def test_an_operator_is_not_limited_and_does_not_use_what_people_have(settings: Settings) -> None:
    ada = publisher(quota=10)
    makers.document(makers.category(), content=b"x" * 1_000)

    assert used_by(ada) == 0


@HERE
@SQLITE_ONLY
def test_the_same_bytes_once_more_take_no_room() -> None:
    ada = publisher(quota=1_000)
    store(ada, 1_000)
    store(ada, 1_000)

    assert used_by(ada) == 1_000


@HERE
@SQLITE_ONLY
def test_bringing_an_older_version_back_needs_room_too() -> None:
    ada = publisher(quota=1_000)
    store(ada, 600)
    document = db.session.scalars(select(Document)).one()
    store(ada, 300)

    with pytest.raises(QuotaExceeded, match="100 bytes of it is left"):
        restore_version(makers.actor(ada), document.id, 1)
    assert used_by(ada) == 900


@HERE
@SQLITE_ONLY
def test_the_quota_with_the_least_room_is_named_first() -> None:
    ada = publisher(quota=10_000)
    makers.change(makers.group("Staff", ada), quota_bytes=5_000)
    store(ada, 2_000)

    assert [(room.whose, room.most, room.used, room.left) for room in list_rooms(ada.id)] == [
        ("the group Staff", 5_000, 2_000, 3_000),
        ("your account", 10_000, 2_000, 8_000),
    ]


@pytest.mark.parametrize("whose", ["person", "group", "everybody"])
def test_uploads_that_begin_at_once_never_exceed_a_quota(settings: Settings, whose: str) -> None:
    quota = 3_000 if whose == "everybody" else 0
    with makers.core(dataclasses.replace(settings, quota=quota)) as app:
        people = [publisher(f"Person {number}") for number in range(PEOPLE)]
        shelf, staff = makers.category().id, makers.group("Staff", *people)
        if whose == "person":
            people = people[:1] * PEOPLE
            makers.change(people[0], quota_bytes=3_000)
        if whose == "group":
            makers.change(staff, quota_bytes=3_000)

        ended = makers.at_once(app, *(partial(begin, one.id, 1_000, shelf) for one in people))

        assert sorted(type(end).__name__ for end in ended) == ["NoneType"] * 3 + ["QuotaExceeded"] * 3
        makers.release()
        assert db.session.scalars(select(func.sum(Upload.size))).one() == 3_000


def test_documents_stored_at_once_never_exceed_a_quota(context: Flask) -> None:
    people = [publisher(f"Person {number}") for number in range(PEOPLE)]
    staff = makers.group("Staff", *people)
    makers.change(staff, quota_bytes=3_000)
    for number in range(PEOPLE):
        makers.category(f"shelf {number}")

    actors = [makers.actor(one) for one in people]

    jobs = (partial(store, who, 1_000, f"{n}.bin", f"shelf {n}") for n, who in enumerate(actors))
    ended = makers.at_once(context, *jobs)

    assert sorted(type(end).__name__ for end in ended) == ["NoneType"] * 3 + ["QuotaExceeded"] * 3
    makers.release()
    assert db.session.scalars(select(func.sum(User.used_bytes))).one() == 3_000


@HERE
def test_what_people_are_said_to_use_equals_the_sum_whatever_happened() -> None:
    chance = random.Random(6)
    people = [publisher(f"Person {number}") for number in range(3)]
    shelves = [makers.category(f"shelf {number}").id for number in range(3)]
    steps = [add_one, add_many, add_version, bring_back, throw_away, give_up]

    for step in range(40):
        chance.choice(steps)(chance, chance.choice([*people, None]), chance.choice(shelves), step)

    makers.release()
    assert list(people_problems()) == []
    assert sum(used_by(one) for one in people) > 0


def add_one(chance: random.Random, by: User | None, shelf: int, step: int) -> None:
    content = makers.content_of(bytes([step]) * chance.randrange(500))
    put_document(makers.actor(by) if by else None, shelf, f"{chance.randrange(8)}.bin", content)


def add_many(chance: random.Random, by: User | None, shelf: int, step: int) -> None:
    contents = [makers.content_of(bytes([step, number]) * chance.randrange(500)) for number in range(4)]
    items = [Item(shelf, f"{chance.randrange(8)}.bin", content) for content in contents]
    put_documents(makers.actor(by) if by else None, items)


def add_version(chance: random.Random, by: User | None, shelf: int, step: int) -> None:
    live = db.session.scalars(select(Document.id).where(Document.trashed_at.is_(None))).all()
    if live and by is not None:
        incoming = receive()
        incoming.write(bytes([step]) * chance.randrange(500))
        store_version(makers.actor(by), chance.choice(live), arrive(incoming, f"{step}.bin"))


def bring_back(chance: random.Random, by: User | None, shelf: int, step: int) -> None:
    live = select(Document.id).where(Document.trashed_at.is_(None), Document.version_count > 1)
    for document_id in db.session.scalars(live.limit(2)).all():
        restore_version(makers.actor(by) if by else None, document_id, 1)


def throw_away(chance: random.Random, by: User | None, shelf: int, step: int) -> None:
    live = db.session.scalars(select(Document.id).where(Document.trashed_at.is_(None))).all()
    if live:
        trash_document(None, chance.choice(live))


def give_up(chance: random.Random, by: User | None, shelf: int, step: int) -> None:
    for document in db.session.scalars(select(Document).where(Document.trashed_at.is_not(None))).all():
        makers.change(document, trashed_at=ago(40))
    collect()


@HERE
@SQLITE_ONLY
def test_a_wrong_sum_is_found() -> None:
    ada = publisher()
    store(ada, 500)
    makers.change(ada, used_bytes=499)

    assert list(people_problems()) == [
        f"Person {ada.id} counts 499 bytes put in, and the versions they put in have 500."
    ]


@HERE
@SQLITE_ONLY
def test_a_quota_below_what_is_there_takes_nothing_away_and_nothing_in() -> None:
    ada = publisher()
    store(ada, 500)
    makers.change(ada, quota_bytes=100)

    with pytest.raises(QuotaExceeded, match="100 bytes, and 0 bytes of it is left"):
        store(ada, 1, "b.bin")
    assert db.session.scalars(select(func.count(Version.id))).one() == 1
