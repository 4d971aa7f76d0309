"""Collect removes exactly what it may: nothing that is needed, nothing younger than a day, and all the rest."""

import dataclasses
import os
import random
import threading
from contextlib import ExitStack
from itertools import count as count_from
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, insert, select, update

from portal.accounts import add_api_token
from portal.accounts.sessions import find_session, start_session
from portal.accounts.tokens import issue_token
from portal.catalog import put_document, restore_document, trash_document
from portal.downloads import Claim, open_for_download
from portal.errors import Conflict
from portal.extensions import db, storage, transaction
from portal.integrity import collect, verify
from portal.integrity.collecting import CollectReport
from portal.models import (
    ApiToken,
    AuditEvent,
    Base,
    Blob,
    Document,
    Download,
    OneTimeToken,
    Pack,
    PackItem,
    Session,
    SignInAttempt,
    Ticket,
    Version,
)
from portal.ranges import Span
from portal.settings import Settings, load
from portal.shares import add_pack, issue_ticket, reserve
from portal.uploads import arrive, index_directory, receive, store_documents
from tests.databases import POSTGRESQL_ONLY, SQLITE_ONLY
from tests.integrity.stock import (
    POSTGRESQL_IN_SOAK,
    Dying,
    age,
    age_blobs,
    ago,
    beside,
    blob_path,
    content_of,
    facts_of,
    files_below,
    keep_without_row,
    path_of,
    rows_of,
    version_of,
    wait_for_database_lock,
    wait_for_lock,
)
from tests.makers import NETWORK, actor, category, change, document, edition, link, person, release, running

CONTENT = b"Report of February\n"
OTHER = b"Report of March\n"


@pytest.fixture
def stored(context: Flask) -> Document:
    return document(category("reports"), "february.txt", CONTENT, "text/plain")


def trash(made: Document, days: float) -> None:
    """Into the trash, so many days ago; all bytes were last used long before."""
    trash_document(None, made.id)
    with transaction() as session:
        session.execute(update(Document).where(Document.id == made.id).values(trashed_at=ago(days)))
    age_blobs(days + 1)
    release()


def count(model: type[Base]) -> int:
    found = db.session.scalars(select(func.count()).select_from(model)).one()
    release()
    return found


def blobs_on_disk() -> set[str]:
    return {key for key, _ in storage().list_keys()}


def test_nothing_of_a_portal_in_use_is_removed(stored: Document, settings: Settings, tmp_path: Path) -> None:
    document(category("reports"), "february.txt", OTHER, "text/plain")
    ada = person(password="four words without meaning")
    session = start_session(ada.id, network=NETWORK, agent="tests")
    issue_token(None, "reset", ada.id)
    ticket = reserve(link(stored)[1], None, network=NETWORK, agent="tests")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.txt").write_bytes(b"in place")
    index_directory(None, tmp_path / "source", "indexed")
    age_blobs()
    before, files = rows_of(settings.database_url), files_below(storage().root)
    assert collect() == CollectReport()
    assert rows_of(settings.database_url) == before
    assert files_below(storage().root) == files
    assert find_session(session) is not None
    assert ticket


def test_a_document_long_in_the_trash_gives_up_its_bytes(stored: Document) -> None:
    document(category("reports"), "february.txt", OTHER, "text/plain")
    paths = [path_of(key) for key in blobs_on_disk()]
    trash(stored, days=31)
    report = collect()
    assert (report.purged, report.blobs, report.files) == (1, 2, 2)
    assert report.freed_bytes == len(CONTENT) + len(OTHER)
    assert not any(path.exists() for path in paths)
    assert count(Blob) == 0
    versions = db.session.scalars(select(Version).order_by(Version.number)).all()
    assert [version.purged_at is not None for version in versions] == [True, True]
    assert [version.size for version in versions] == [len(CONTENT), len(OTHER)], "what it was is still known"
    assert verify().problems == []


def test_giving_up_bytes_stands_in_the_log(stored: Document) -> None:
    trash(stored, days=31)
    collect()
    event = db.session.scalars(select(AuditEvent).where(AuditEvent.action == "document.purged")).one()
    assert (event.object_type, event.object_id, event.object_label) == ("document", stored.id, stored.title)
    assert (event.actor_kind, event.details) == ("portal", {"versions": 1})


def test_a_document_whose_bytes_were_given_up_cannot_come_back(stored: Document) -> None:
    trash(stored, days=31)
    collect()
    with pytest.raises(Conflict):
        restore_document(None, stored.id)


def test_a_document_not_long_enough_in_the_trash_keeps_its_bytes(stored: Document) -> None:
    trash(stored, days=29.9)
    assert collect() == CollectReport()
    restore_document(None, stored.id)
    assert content_of(stored) == CONTENT


def test_how_long_the_trash_keeps_bytes_is_a_setting(settings: Settings) -> None:
    with running(dataclasses.replace(settings, trash_days=3)) as app, app.app_context():
        old = document(category(), "old.txt", CONTENT, "text/plain")
        young = document(category(), "young.txt", OTHER, "text/plain")
        trash(old, days=3.1)
        trash(young, days=2.9)
        assert collect().purged == 1
        assert version_of(young).blob_id is not None


@SQLITE_ONLY
def test_the_setting_comes_from_the_environment_and_is_thirty_days_otherwise(settings: Settings) -> None:
    assert settings.trash_days == 30
    assert load({"PORTAL_TRASH_DAYS": "7"}).trash_days == 7


def test_bytes_that_another_document_has_stay(stored: Document) -> None:
    other = document(category("other"), "same.txt", CONTENT, "text/plain")
    trash(stored, days=31)
    report = collect()
    assert (report.purged, report.blobs, report.files) == (1, 0, 0)
    assert content_of(other) == CONTENT
    assert verify().problems == []


def test_a_document_of_a_source_gives_up_its_place_and_the_file_stays(context: Flask, tmp_path: Path) -> None:
    file = tmp_path / "source" / "a.txt"
    file.parent.mkdir()
    file.write_bytes(CONTENT)
    index_directory(None, file.parent, "reports")
    trash(db.session.scalars(select(Document)).one(), days=31)
    assert collect().purged == 1
    assert file.read_bytes() == CONTENT
    assert verify().problems == []


def test_more_than_fits_into_one_batch_is_removed_at_once(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.integrity.collecting.BATCH", 2)
    monkeypatch.setattr("portal.integrity.collecting.REMOVED_AT_ONCE", 1)
    made = [document(category(f"c{number % 3}"), f"{number}.txt", b"%d" % number, "text/plain") for number in range(5)]
    for each in made:
        trash(each, days=31)
    report = collect()
    assert (report.purged, report.blobs, report.files) == (5, 5, 5)


def test_an_unused_blob_of_today_stays(stored: Document) -> None:
    make_unused(stored)
    age(blob_path(stored))
    assert collect() == CollectReport()
    assert count(Blob) == 1


def test_an_unused_blob_goes_row_and_file(stored: Document) -> None:
    make_unused(stored)
    age_blobs()
    assert (collect().blobs, blobs_on_disk()) == (1, set())


def make_unused(made: Document) -> None:
    """The document is purged by hand; its blob has nobody left."""
    change(made, trashed_at=None)
    trash_document(None, made.id)
    with transaction() as session:
        values = {"blob_id": None, "purged_at": Version.created_at}
        session.execute(update(Version).where(Version.document_id == made.id).values(values))


def test_an_unused_blob_whose_file_was_used_today_keeps_the_file(stored: Document) -> None:
    path = blob_path(stored)
    make_unused(stored)
    age_blobs()
    os.utime(path)
    report = collect()
    assert (report.blobs, report.files) == (1, 0)
    assert path.exists()


def test_an_old_file_without_a_row_goes_and_a_young_one_stays(stored: Document) -> None:
    old, young = keep_without_row(b"old"), keep_without_row(b"young")
    age(old)
    age(young, days=0.9)
    age(blob_path(stored))
    report = collect()
    assert (report.files, report.freed_bytes) == (1, 3)
    assert not old.exists()
    assert young.exists()
    assert content_of(stored) == CONTENT


def test_strangers_in_the_storage_stay(stored: Document) -> None:
    stranger = storage().root / "blobs" / "notes.txt"
    stranger.write_text("mine")
    age(stranger)
    collect()
    assert stranger.exists()


def test_what_a_crash_left_in_tmp_goes_after_a_day(context: Flask) -> None:
    old, young = (storage().root / "tmp" / f"incoming-{letter * 32}" for letter in "ab")
    for temp in (old, young):
        temp.touch()
    age(old)
    assert collect().temps == 1
    assert young.exists()


def test_a_second_run_finds_nothing(stored: Document) -> None:
    trash(stored, days=31)
    collect()
    assert collect() == CollectReport()


def test_progress_is_told_files(stored: Document) -> None:
    told: list[tuple[int, int]] = []
    collect(progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 1)]


@pytest.mark.parametrize("column", ["expires_at", "used_at"])
def test_one_time_addresses_that_are_over_go_a_day_later(context: Flask, column: str) -> None:
    for name in ("Ada", "Bob", "Cleo"):
        issue_token(None, "reset", person(name).id)
    with transaction() as session:
        session.execute(update(OneTimeToken).where(OneTimeToken.id == 1).values({column: ago(1.1)}))
        session.execute(update(OneTimeToken).where(OneTimeToken.id == 2).values({column: ago(0.9)}))
    assert collect().tokens == 1
    assert list(db.session.scalars(select(OneTimeToken.id).order_by(OneTimeToken.id))) == [2, 3]


@pytest.mark.parametrize(("column", "over", "alive"), [("expires_at", 1.1, 0.9), ("seen_at", 1.4, 1.3)])
def test_sessions_that_are_over_go_a_day_later(context: Flask, column: str, over: float, alive: float) -> None:
    ada = person()
    for _ in range(3):
        start_session(ada.id, network=NETWORK, agent="tests")
    with transaction() as session:
        session.execute(update(Session).where(Session.id == 1).values({column: ago(over)}))
        session.execute(update(Session).where(Session.id == 2).values({column: ago(alive)}))
    assert collect().sessions == 1
    assert list(db.session.scalars(select(Session.id).order_by(Session.id))) == [2, 3]


@pytest.mark.parametrize("column", ["expires_at", "revoked_at"])
def test_tokens_of_programs_that_are_over_go_ninety_days_later(context: Flask, column: str) -> None:
    ada = person()
    for _ in range(3):
        add_api_token(None, ada.id, "Backup", "read", 365)
    with transaction() as session:
        session.execute(update(ApiToken).where(ApiToken.id == 1).values({column: ago(91)}))
        session.execute(update(ApiToken).where(ApiToken.id == 2).values({column: ago(89)}))
    collect()
    assert list(db.session.scalars(select(ApiToken.id).order_by(ApiToken.id))) == [2, 3]


def test_tries_of_signing_in_go_after_a_day(context: Flask) -> None:
    with transaction() as session:
        session.execute(insert(SignInAttempt).values(key="old", at=ago(1.1)))
        session.execute(insert(SignInAttempt).values(key="young", at=ago(0.9)))
    assert collect().attempts == 1
    assert db.session.scalars(select(SignInAttempt.key)).all() == ["young"]


def test_tickets_go_ninety_days_after_their_end_unless_the_ledger_names_them(stored: Document) -> None:
    _, token = link(stored)
    for _ in range(3):
        reserve(token, None, network=NETWORK, agent="tests")
    sending = open_for_download(Claim("t:1", ticket_id=1), edition(stored), [Span(0, len(CONTENT))])
    sending.close()
    with transaction() as session:
        session.execute(update(Ticket).where(Ticket.id.in_([1, 2])).values(expires_at=ago(91)))
        session.execute(update(Ticket).where(Ticket.id == 3).values(expires_at=ago(89)))
    assert collect().tickets == 1
    assert list(db.session.scalars(select(Ticket.id).order_by(Ticket.id))) == [1, 3]


def test_a_choice_goes_with_the_last_ticket_that_leads_to_it(stored: Document) -> None:
    ada = actor(person("Ada", is_admin=True))
    packs = [add_pack(ada, title, [stored.id]) for title in ("kept", "over", "fresh")]
    for pack in packs[:2]:
        issue_ticket(ada, pack)
    with transaction() as session:
        session.execute(update(Pack).where(Pack.id.in_([packs[0].id, packs[1].id])).values(created_at=ago(91)))
        session.execute(update(Ticket).where(Ticket.pack_id == packs[1].id).values(expires_at=ago(91)))

    assert collect().tickets == 1

    assert list(db.session.scalars(select(Pack.title).order_by(Pack.id))) == ["kept", "fresh"]
    assert sorted(db.session.scalars(select(PackItem.pack_id))) == [packs[0].id, packs[2].id]


def test_transfers_nobody_has_heard_of_are_written_down_as_interrupted(stored: Document) -> None:
    started = {"actor_key": "u:1", "document_id": stored.id, "version_id": stored.current_version_id}
    with transaction() as session:
        rows = {**started, "state": "started", "intervals": [], "active_at": ago(0.1)}
        session.execute(insert(Download).values(rows))
    assert collect().interrupted == 1


def test_gc_waits_for_an_upload_between_its_bytes_and_its_row(context: Flask) -> None:
    shelf = category()
    age(keep_without_row(CONTENT))
    with ExitStack() as upload:
        upload.enter_context(storage().placing())
        with beside(context, collect) as gc:
            assert wait_for_lock(gc)
            made = put_document(None, shelf.id, "february.txt", facts_of(CONTENT))
            upload.close()
    assert content_of(db.session.get_one(Document, made.document_id)) == CONTENT
    assert verify().problems == []


def test_an_upload_of_bytes_whose_row_is_just_gone_keeps_them(context: Flask, stored: Document) -> None:
    trash(stored, days=31)
    with ExitStack() as upload:
        upload.enter_context(storage().placing())
        with beside(context, collect) as gc:
            assert wait_for_lock(gc), "the row is gone, the bytes are not"
            again = document(category("again"), "february.txt", CONTENT, "text/plain")
            age_blobs()
            upload.close()
    assert content_of(again) == CONTENT
    assert verify().problems == []


@POSTGRESQL_ONLY
def test_a_document_brought_back_while_gc_looks_at_it_keeps_its_bytes(
    context: Flask, stored: Document, settings: Settings
) -> None:
    """On SQLite one of the two would wait for the other from its beginning."""
    trash(stored, days=31)
    with ExitStack() as coming_back:
        coming_back.enter_context(transaction())
        restore_document(None, stored.id)
        with beside(context, collect) as gc:
            assert wait_for_database_lock(gc, settings.database_url)
            coming_back.close()
    assert content_of(stored) == CONTENT
    assert verify().problems == []


@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.parametrize("rounds", [20, pytest.param(200, marks=pytest.mark.soak)])
def test_uploads_of_the_same_bytes_against_gc_of_everything_old(context: Flask, rounds: int) -> None:
    shelf = category()
    contents = [b"one", b"two two", b"three three three"]
    is_over = threading.Event()

    def upload(seed: int) -> None:
        choice = random.Random(seed)
        for number in range(rounds):
            content = choice.choice(contents)
            with receive() as incoming:
                incoming.write(content)
                arrivals = [arrive(incoming, f"{seed}-{number}.txt")]
                (outcome,) = store_documents(None, shelf.id, arrivals)
            made = db.session.get_one(Document, outcome.document_id)
            assert content_of(made) == content
            if choice.random() < 0.8:
                trash_document(None, made.id)

    def collect_all_the_time() -> None:
        while not is_over.is_set():
            make_all_old()
            collect()

    with beside(context, collect_all_the_time):
        with beside(context, lambda: upload(1)), beside(context, lambda: upload(2)):
            pass
        is_over.set()
    require_exactly_what_is_live()


def make_all_old() -> None:
    with transaction() as session:
        in_trash = Document.trashed_at.is_not(None)
        session.execute(update(Document).where(in_trash).values(trashed_at=ago(31)))
    age_blobs()


def require_exactly_what_is_live() -> None:
    """After a last run: clean, and on disk what live documents need and nothing else."""
    release()
    make_all_old()
    collect()
    assert verify().problems == []
    live = (
        select(Version.sha256).join(Document, Document.id == Version.document_id).where(Document.trashed_at.is_(None))
    )
    assert blobs_on_disk() == set(db.session.scalars(live))
    assert db.session.scalars(select(func.count(Version.id)).where(Version.purged_at.is_(None))).one() > 0


@POSTGRESQL_IN_SOAK
@pytest.mark.faults
@pytest.mark.timeout(300)
def test_a_kill_at_any_step_of_gc_leaves_what_a_second_run_finishes(context: Flask, settings: Settings) -> None:
    live = document(category(), "live.txt", b"live", "text/plain")
    shared = document(category(), "shared.txt", b"shared", "text/plain")
    with Dying() as dying:
        for step in count_from(1):
            for name, content in (("own", b"own %d" % step), ("shared", b"shared")):
                trash(document(category("trash"), f"{name} {step}.txt", content, "text/plain"), days=31)
            age(keep_without_row(b"orphan %d" % step))
            temp = storage().root / "tmp" / f"incoming-{step:032x}"
            temp.touch()
            age(temp)
            is_killed = dying.work(settings, "collect", step)
            assert [content_of(live), content_of(shared)] == [b"live", b"shared"]
            require_exactly_what_is_live()
            assert not temp.exists()
            if not is_killed:
                break
    assert step > 12
