"""Following categories, what a person has opened, and the mail of the day."""

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.orm import InstrumentedAttribute

from portal.accounts import disable_user
from portal.catalog import (
    follow,
    is_followed,
    list_by_ids,
    list_followed,
    note_seen,
    put_document,
    remove_grant,
    scans,
    trash_document,
    unfollow,
)
from portal.catalog.following import MOST_FOLLOWS
from portal.catalog.news import SHOWN, tell_news
from portal.catalog.saved import add_search
from portal.errors import CategoryNotFound, Conflict
from portal.extensions import db, transaction
from portal.models import Blob, Category, Document, Follow, Mail, SavedSearch, Seen, User, Version, db_later
from tests import makers
from tests.databases import SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")
DAY = 86400


@pytest.fixture
def shelf() -> Category:
    """A category with one below it."""
    makers.category("reports/2018")
    return makers.category("reports")


@pytest.fixture
def ada(shelf: Category) -> User:
    """Somebody who may read it."""
    made = makers.person("Ada")
    makers.grant(shelf, user=made)
    return made


def age(hours: int = 25) -> None:
    """What was told until now was told so long ago."""
    with transaction() as session:
        session.execute(update(Follow).values(told_at=db_later(-hours * 3600)))
        session.execute(update(SavedSearch).values(told_at=db_later(-hours * 3600)))


def tell() -> list[str]:
    """What is mailed now."""
    makers.release()
    before = db.session.scalars(select(func.coalesce(func.max(Mail.id), 0))).one()
    tell_news(lambda: False)
    makers.release()
    return [text or "" for text in db.session.scalars(select(Mail.text).where(Mail.id > before).order_by(Mail.id))]


def test_what_comes_out_below_a_followed_category_is_told_once(ada: User, shelf: Category) -> None:
    follow(makers.actor(ada), shelf.id)
    age()
    made = makers.document(makers.category("reports/2018"), "new.pdf")

    (text,) = tell()

    assert f"- {made.title} (reports/2018)" in text
    assert f"/documents/{made.uuid}" in text
    age(hours=2)
    assert tell() == []


def test_a_new_version_is_told(ada: User, shelf: Category) -> None:
    makers.document(shelf, "old.pdf")
    with transaction() as session:
        session.execute(update(Document).values(published_at=db_later(-9 * DAY)))
        session.execute(update(Version).values(created_at=db_later(-9 * DAY)))
    follow(makers.actor(ada), shelf.id)
    age()
    put_document(None, shelf.id, "old.pdf", makers.content_of(b"%PDF other"))
    (text,) = tell()
    assert "(reports), version 2" in text


def test_a_day_without_news_is_a_day_without_mail(ada: User, shelf: Category) -> None:
    makers.document(shelf, "old.pdf")
    makers.release()
    follow(makers.actor(ada), shelf.id)
    makers.change(db.session.scalars(select(Follow)).one(), told_at=makers.now())
    assert tell() == []


def test_nothing_is_told_of_what_one_may_not_read_any_more(ada: User, shelf: Category) -> None:
    grant = makers.grant(makers.category("secret"), user=ada)
    follow(makers.actor(ada), shelf.id)
    follow(makers.actor(ada), makers.category("secret").id)
    age()
    makers.document(makers.category("secret"), "hidden.pdf")
    remove_grant(None, grant.id)
    assert tell() == []


@SQLITE_ONLY
@pytest.mark.parametrize("what", ["draft", "scheduled", "trashed", "sealed"])
def test_nothing_is_told_of_what_is_not_out(ada: User, shelf: Category, what: str) -> None:
    follow(makers.actor(ada), shelf.id)
    age()
    where = makers.category("reports/sealed", is_sealed=True) if what == "sealed" else shelf
    made = makers.document(where, "a.pdf")
    if what in ("draft", "scheduled"):
        makers.change(made, published_at=None if what == "draft" else makers.now(days=1))
    if what == "trashed":
        trash_document(None, made.id)
    assert tell() == []


@pytest.mark.parametrize("state", ["waiting", "infected"])
def test_what_is_held_or_quarantined_is_told_of_once_when_it_is_released(
    ada: User, shelf: Category, state: str
) -> None:
    follow(makers.actor(ada), shelf.id)
    add_search(makers.actor(ada), "Weather", "weather", wants_notice=True)
    age()
    blob_id = put(shelf, "weather.pdf", state)
    assert tell() == []
    age()
    put(shelf, "another.pdf", "clean", b"%PDF another")
    (text,) = tell()
    assert "- another (reports)" in text
    assert "weather" not in text.lower()

    came_out_before_the_last_mail()
    scans.release(None, blob_id)
    (text,) = tell()
    assert "- weather (reports)" in text
    assert "- “Weather”: 1 new document" in text
    assert "another" not in text
    age(hours=2)
    assert tell() == []


@SQLITE_ONLY
@pytest.mark.parametrize("state", ["waiting", "infected"])
def test_a_new_version_is_told_when_it_is_released(ada: User, shelf: Category, state: str) -> None:
    makers.document(shelf, "old.pdf")
    with transaction() as session:
        session.execute(update(Document).values(published_at=db_later(-90 * DAY)))
    follow(makers.actor(ada), shelf.id)
    age()
    blob_id = put(shelf, "old.pdf", state, b"%PDF other")
    assert tell() == []
    came_out_before_the_last_mail(of=Version.created_at)
    scans.found(blob_id, None)
    (text,) = tell()
    assert "- old (reports), version 2" in text


@SQLITE_ONLY
@pytest.mark.parametrize("state", [None, "clean"])
def test_what_was_always_given_out_is_no_news_when_it_is_looked_at(
    ada: User, shelf: Category, state: str | None
) -> None:
    follow(makers.actor(ada), shelf.id)
    blob_id = put(shelf, "old.pdf", state)
    came_out_before_the_last_mail()
    scans.found(blob_id, None)
    assert tell() == []


@SQLITE_ONLY
def test_what_nobody_is_to_look_at_any_more_is_told(ada: User, shelf: Category) -> None:
    follow(makers.actor(ada), shelf.id)
    put(shelf, "held.pdf", "waiting")
    came_out_before_the_last_mail()
    assert tell() == []
    age()
    scans.give_up_waiting()
    assert len(tell()) == 1


def put(shelf: Category, filename: str, state: str | None, content: bytes = b"%PDF") -> int:
    """A document with these bytes, of whose viruses this is known; the id of their blob."""
    made = makers.document(shelf, filename, content)
    edition = makers.edition(made)
    blob = db.session.scalars(select(Blob).where(Blob.sha256 == edition.sha256)).one()
    makers.change(blob, scan_state=state, finding="Eicar" if state == "infected" else None)
    makers.release()
    return blob.id


def came_out_before_the_last_mail(of: InstrumentedAttribute[Any] = Document.published_at) -> None:
    """Everything came out three days ago, and the last mail is a day old."""
    with transaction() as session:
        session.execute(update(of.class_).values({of: db_later(-3 * DAY)}))
    age()


@SQLITE_ONLY
def test_a_closed_account_hears_nothing(ada: User, shelf: Category) -> None:
    follow(makers.actor(ada), shelf.id)
    age()
    makers.document(shelf, "a.pdf")
    makers.person("Root", is_admin=True)
    disable_user(None, ada.id)
    assert tell() == []


@SQLITE_ONLY
def test_more_than_a_mail_names_is_said_to_be_more(ada: User, shelf: Category) -> None:
    follow(makers.actor(ada), shelf.id)
    age()
    for number in range(SHOWN + 2):
        makers.document(shelf, f"{number}.pdf")
    (text,) = tell()
    assert (text.count("(reports)"), "- and more" in text) == (SHOWN, True)


def test_a_saved_search_that_wants_it_is_told_in_the_same_mail(ada: User, shelf: Category) -> None:
    follow(makers.actor(ada), shelf.id)
    add_search(makers.actor(ada), "Weather", "weather", wants_notice=True)
    age()
    makers.document(shelf, "weather.pdf")
    (text,) = tell()
    assert "- “Weather”: 1 new document" in text
    assert tell() == []


def test_two_workers_tell_it_once(ada: User, shelf: Category, context: Flask) -> None:
    follow(makers.actor(ada), shelf.id)
    age()
    makers.document(shelf, "a.pdf")
    makers.at_once(context, *[lambda: tell_news(lambda: False)] * 3)
    makers.release()
    news = select(func.count()).select_from(Mail).where(Mail.kind == "news")
    assert db.session.scalars(news).one() == 1


@SQLITE_ONLY
def test_a_worker_that_is_to_end_tells_nobody_else(ada: User, shelf: Category) -> None:
    follow(makers.actor(ada), shelf.id)
    age()
    makers.document(shelf, "a.pdf")
    tell_news(lambda: True)
    assert len(tell()) == 1


def test_following_twice_is_once_and_ends(ada: User, shelf: Category) -> None:
    who = makers.actor(ada)
    follow(who, shelf.id)
    follow(who, shelf.id)
    assert [one.category.path for one in list_followed(who)] == ["reports"]
    unfollow(who, shelf.id)
    assert not is_followed(who, shelf.id)


def test_what_is_not_theirs_to_see_cannot_be_followed_and_is_not_named(ada: User, shelf: Category) -> None:
    who, secret = makers.actor(ada), makers.category("secret")
    with pytest.raises(CategoryNotFound):
        follow(who, secret.id)
    grant = makers.grant(secret, user=ada)
    follow(who, secret.id)
    remove_grant(None, grant.id)
    assert [one.is_visible for one in list_followed(who)] == [False]


@SQLITE_ONLY
def test_nobody_follows_very_many(ada: User, shelf: Category) -> None:
    who = makers.actor(ada)
    for number in range(MOST_FOLLOWS):
        follow(who, makers.category(f"reports/{number}").id)
    with pytest.raises(Conflict):
        follow(who, shelf.id)


def test_an_opened_document_is_seen_until_there_is_another_version(ada: User, shelf: Category) -> None:
    who, made = makers.actor(ada), makers.document(shelf, "a.pdf")
    note_seen(who, made.id, 1, 0)
    note_seen(who, made.id, 1, 0)
    makers.release()
    assert list_by_ids(who, [made.id])[0].state == "seen"
    put_document(None, shelf.id, "a.pdf", makers.content_of(b"%PDF other"))
    makers.release()
    assert list_by_ids(who, [made.id])[0].state == "none"
    note_seen(who, made.id, 2, 1)
    makers.release()
    assert db.session.scalars(select(Seen.number)).all() == [2]


@SQLITE_ONLY
def test_programs_and_viewers_open_nothing(ada: User, shelf: Category) -> None:
    made = makers.document(shelf, "a.pdf")
    note_seen(replace(makers.actor(ada), token_id=1), made.id, 1, 0)
    note_seen(replace(makers.actor(ada), viewer_id=9), made.id, 1, 0)
    makers.release()
    assert db.session.scalars(select(Seen)).all() == []
