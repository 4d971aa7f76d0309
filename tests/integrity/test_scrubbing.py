"""The scrub: reads everything in time, goes on where it was, finds silent rot, serves who waits, and ends at once."""

import dataclasses
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import delete, select

from portal.audit import list_events
from portal.catalog import soundness, trash_document
from portal.downloads import looking, open_bytes
from portal.errors import ContentUnavailable, StorageFailed
from portal.extensions import db, settings, storage, transaction
from portal.integrity import collect, count_damaged, is_any_damaged, list_damaged, passes, scrub, scrubbing, verify
from portal.integrity.passes import Pass, find_last, find_running, rate_of
from portal.integrity.scrubbing import Scrubber, keep_scrubbing
from portal.models import Blob, Document, ScrubPass, Version
from portal.uploads import index_directory
from tests import makers
from tests.damages import blob_of, path_of, rot
from tests.databases import SQLITE_ONLY
from tests.integrity.stock import age_blobs, ago

CONTENT = b"Report of February\n"
OTHER = CONTENT.swapcase()
DAY = 86400
MIB = 1024 * 1024

pytestmark = pytest.mark.usefixtures("context")


@pytest.fixture
def stored(context: Flask) -> Document:
    return makers.document(makers.category("reports"), "february.txt", CONTENT, "text/plain")


@pytest.fixture
def many(context: Flask) -> list[Document]:
    shelf = makers.category("reports")
    return [makers.document(shelf, f"{number}.txt", b"text %d" % number, "text/plain") for number in range(7)]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of what is hashed from now on."""
    keys: list[str] = []
    real = looking._hash

    def hashing(opened: object, each: object) -> str:
        keys.append(real(opened, each))  # type: ignore[arg-type]
        return keys[-1]

    monkeypatch.setattr(looking, "_hash", hashing)
    return keys


@pytest.fixture
def no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that need not wait for its first pass."""
    monkeypatch.setattr(scrubbing, "START_SECONDS", 0.0)


def keys_of(documents: list[Document]) -> list[str]:
    return [blob_of(document).sha256 for document in documents]


def is_given_out(document: Document) -> bool:
    try:
        open_bytes(makers.edition(document)).close()
    except ContentUnavailable:
        return False
    return True


def told(action: str) -> int:
    makers.release()
    return len(list_events(actions=[action])[0])


def the_pass() -> ScrubPass:
    """The one there is."""
    makers.release()
    return db.session.scalars(select(ScrubPass).execution_options(populate_existing=True)).one()


class Clerk:
    """Rests without waiting, and writes down how long it would have been; says stop after so many times."""

    def __init__(self, patience: int = 1_000_000) -> None:
        self.waited: list[float] = []
        self.patience = patience

    def rest(self, seconds: float) -> bool:
        self.waited.append(seconds)
        return len(self.waited) > self.patience


class TestAPass:
    def test_reads_everything_once_and_says_so(self, many: list[Document], read: list[str]) -> None:
        done = scrub()
        assert sorted(read) == sorted(keys_of(many))
        assert (done.files, done.bytes, done.total_bytes, done.damaged) == (7, 42, 42, 0)
        assert done.finished_at is not None
        assert done.part == 1
        assert (find_running(), find_last()) == (None, done)

    def test_of_an_empty_portal_ends_at_once(self) -> None:
        done = scrub()
        assert (done.files, done.bytes, done.part) == (0, 0, 1)
        assert done.finished_at is not None

    def test_finds_rot_that_the_door_cannot_see(self, stored: Document) -> None:
        rot(stored, OTHER)
        assert is_given_out(stored)
        assert scrub().damaged == 1
        assert not is_given_out(stored)
        assert (blob_of(stored).damage, told("blob.damaged")) == ("bytes", 1)

    def test_finds_what_is_missing_or_of_another_length(self, many: list[Document]) -> None:
        path_of(many[0]).unlink()
        os.truncate(path_of(many[1]), 3)
        assert scrub().damaged == 2
        assert [blob_of(document).damage for document in many[:3]] == ["missing", "size", None]

    def test_tells_of_damage_once_however_often_it_is_found(self, stored: Document) -> None:
        rot(stored, OTHER)
        assert [scrub().damaged, scrub().damaged] == [1, 1]
        assert told("blob.damaged") == 1

    def test_heals_what_is_right_again(self, stored: Document) -> None:
        path_of(stored).write_bytes(OTHER)
        scrub()
        path_of(stored).write_bytes(CONTENT)
        assert scrub().damaged == 0
        assert (blob_of(stored).damage, told("blob.healed")) == (None, 1)

    def test_remembers_files_that_nobody_has_seen_since_the_upgrade(self, stored: Document, read: list[str]) -> None:
        makers.change(blob_of(stored), seen_inode=None, seen_mtime_ns=None, seen_ctime_ns=None, verified_at=None)
        scrub()
        read.clear()
        assert is_given_out(stored)
        assert read == []
        assert blob_of(stored).verified_at is not None

    def test_renews_when_each_was_verified(self, stored: Document) -> None:
        makers.change(blob_of(stored), verified_at=makers.now(days=-5))
        scrub()
        verified_at = blob_of(stored).verified_at
        assert verified_at is not None
        assert verified_at > makers.now(hours=-1)

    @SQLITE_ONLY
    def test_leaves_what_comes_meanwhile_to_the_next(
        self, many: list[Document], read: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scrubbing, "STEP_FILES", 2)
        scrubber = Scrubber(Clerk().rest, is_slow=False)
        first = passes.begin()
        scrubber.advance(first)
        makers.document(makers.category("reports"), "late.txt", b"late", "text/plain")
        done = scrub()
        assert (done.id, done.files) == (first.id, 7)
        assert len(read) == 7

    @SQLITE_ONLY
    def test_of_a_storage_that_is_not_there_calls_nothing_missing(self, many: list[Document]) -> None:
        blobs = storage().root / "blobs"
        blobs.rename(storage().root / "mounted elsewhere")
        blobs.mkdir()
        with pytest.raises(StorageFailed, match="mounted"):
            scrub()
        assert not is_any_damaged()

    @SQLITE_ONLY
    def test_tells_its_progress_in_bytes(self, many: list[Document]) -> None:
        said: list[tuple[int, int]] = []
        scrub(progress=lambda done, total: said.append((done, total)))
        assert said == [(6 * number, 42) for number in range(1, 8)]

    @SQLITE_ONLY
    def test_holds_no_connection_while_it_reads(self, stored: Document, no_start: None) -> None:
        held: list[int] = []

        def rest(seconds: float) -> bool:
            held.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]
            return False

        scrubber = Scrubber(rest)
        while find_last() is None:
            makers.release()
            scrubber.turn()
        assert set(held) == {0}


class TestGoingOn:
    def test_a_pass_that_is_interrupted_goes_on_where_it_was(
        self, many: list[Document], read: list[str], no_start: None
    ) -> None:
        """Whatever the moment: every file is read, and at most the one under way twice."""
        for patience in range(3, 60, 3):
            read.clear()
            clerk = Clerk(patience)
            keep_scrubbing(clerk.rest)
            done = find_last() or scrub()
            assert (done.files, done.bytes) == (7, 42)
            assert set(read) == set(keys_of(many))
            assert len(read) <= 7 + 1, patience
            with transaction() as session:
                session.execute(delete(ScrubPass))

    @SQLITE_ONLY
    def test_a_step_is_written_down_when_its_time_is_over(
        self, many: list[Document], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scrubbing, "STEP_SECONDS", 0.0)
        Scrubber(Clerk().rest, is_slow=False).advance(passes.begin())
        running = find_running()
        assert running is not None
        assert (running.files, running.bytes, running.blob_id) == (1, 6, blob_of(many[0]).id)
        assert 0 < running.part < 1

    def test_trouble_of_the_storage_is_survived(self, stored: Document, no_start: None) -> None:
        tmp = storage().root / "tmp"
        waited: list[float] = []

        def rest(seconds: float) -> bool:
            if seconds:
                waited.append(seconds)
            if len(waited) == 1:
                tmp.rename(storage().root / "away")
            elif len(waited) == 2:
                (storage().root / "away").rename(tmp)
            return find_last() is not None or len(waited) > 50

        keep_scrubbing(rest)
        assert waited[1] == scrubbing.AGAIN_SECONDS
        assert find_last() is not None

    def test_a_server_that_starts_lets_its_first_pass_wait(self, stored: Document) -> None:
        assert Scrubber(Clerk().rest).turn() is False
        assert find_running() is None

    def test_while_one_scrubs_another_only_waits(self, many: list[Document], no_start: None) -> None:
        with storage().scrubbing():
            keep_scrubbing(Clerk(20).rest)
        assert find_running() is None
        keep_scrubbing(Clerk(20).rest)
        assert find_running() or find_last()

    def test_of_two_at_once_each_file_is_read_by_one(
        self, app: Flask, many: list[Document], read: list[str], no_start: None
    ) -> None:
        makers.release()

        def work() -> None:
            until = time.monotonic() + 60

            def rest(_: float) -> bool:
                makers.release()
                time.sleep(0.001)
                return find_last() is not None or time.monotonic() > until

            keep_scrubbing(rest)

        assert makers.at_once(app, work, work) == [None, None]
        assert sorted(read) == sorted(keys_of(many))

    def test_it_ends_while_a_file_is_read(self, context: Flask, no_start: None) -> None:
        makers.document(makers.category("reports"), "large.bin", os.urandom(4 * MIB))
        clerk = Clerk()
        blocks: list[float] = []

        def rest(seconds: float) -> bool:
            if seconds:
                blocks.append(seconds)
            return clerk.rest(seconds) or len(blocks) > 3

        keep_scrubbing(rest)
        running = find_running()
        assert running is not None
        assert running.files == 0


class TestHowFast:
    def running(self, *, gone: float = 0, read: int = 0, total: int = 0) -> Pass:
        now = makers.now()
        return Pass(1, now - timedelta(seconds=gone), now, None, 0, 9, 0, 9, 0, read, total, 0)

    @SQLITE_ONLY
    def test_little_is_read_as_fast_as_the_setting_says(self) -> None:
        assert rate_of(self.running(total=1000)) == 8 * MIB

    @SQLITE_ONLY
    def test_much_is_read_as_fast_as_the_days_want(self) -> None:
        total = 100 * 1024 * 1024 * MIB
        half = 3.5 * DAY
        assert rate_of(self.running(total=total)) == pytest.approx(total / half, rel=0.01)
        assert rate_of(self.running(total=total, read=total // 2)) == pytest.approx(total / 2 / half, rel=0.01)
        later = self.running(total=total, read=total // 2, gone=half / 2)
        assert rate_of(later) == pytest.approx(total / half, rel=0.01)

    @SQLITE_ONLY
    def test_a_late_pass_does_not_storm(self) -> None:
        total = 100 * 1024 * 1024 * MIB
        assert rate_of(self.running(total=total, gone=30 * DAY)) == pytest.approx(total / DAY, rel=0.01)

    @SQLITE_ONLY
    def test_it_rests_between_blocks_as_long_as_the_rate_wants(self, context: Flask, no_start: None) -> None:
        """The clerk does not really wait, so the last rest is what all blocks together should have taken."""
        context.config["PORTAL"] = dataclasses.replace(settings(), scrub_mib_per_second=1)
        makers.document(makers.category("reports"), "large.bin", os.urandom(4 * MIB))
        clerk = Clerk()
        began = time.monotonic()
        scrubber = Scrubber(clerk.rest)
        while find_last() is None:
            makers.release()
            scrubber.turn()
        assert 4 - scrubbing.CREDIT_SECONDS - (time.monotonic() - began) <= max(clerk.waited) <= 4

    @pytest.mark.parametrize(("days_ago", "is_due"), [(3, False), (4, True)])
    def test_a_pass_begins_half_of_the_days_after_the_last_began(
        self, stored: Document, no_start: None, days_ago: int, is_due: bool
    ) -> None:
        """So that a file read early in one and late in the next is not read later than the days allow."""
        done = scrub()
        makers.change(db.session.get_one(ScrubPass, done.id), started_at=ago(days_ago))
        Scrubber(Clerk().rest).turn()
        assert (find_running() is not None) == is_due

    @SQLITE_ONLY
    def test_the_days_are_a_setting(self, context: Flask, stored: Document, no_start: None) -> None:
        context.config["PORTAL"] = dataclasses.replace(settings(), scrub_days=30)
        done = scrub()
        makers.change(db.session.get_one(ScrubPass, done.id), started_at=ago(14))
        Scrubber(Clerk().rest).turn()
        assert find_running() is None


class TestWhoeverWaits:
    def wanted(self, document: Document) -> bool:
        return blob_of(document).wanted_at is not None

    def test_is_served_before_any_pass(self, stored: Document) -> None:
        path_of(stored).chmod(0o400)
        soundness.want(makers.edition(stored).kept)
        assert self.wanted(stored)
        Scrubber(Clerk().rest).turn()
        assert not self.wanted(stored)
        assert find_running() is None
        assert is_given_out(stored)

    def test_is_told_when_the_bytes_are_wrong(self, stored: Document) -> None:
        path_of(stored).write_bytes(OTHER)
        soundness.want(makers.edition(stored).kept)
        Scrubber(Clerk().rest).turn()
        assert not self.wanted(stored)
        assert blob_of(stored).damage == "bytes"

    def test_waits_no_longer_when_it_was_right_all_the_time(self, stored: Document) -> None:
        soundness.want(makers.edition(stored).kept)
        Scrubber(Clerk().rest).turn()
        assert not self.wanted(stored)

    @SQLITE_ONLY
    def test_is_served_in_the_middle_of_a_large_file(
        self, stored: Document, no_start: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scrubbing, "POLL_SECONDS", 0.0)
        makers.document(makers.category("reports"), "large.bin", os.urandom(3 * MIB))
        makers.change(blob_of(stored), wanted_at=None)
        asked: list[bool] = []

        def rest(seconds: float) -> bool:
            if seconds > 0 and not asked:
                soundness.want(makers.edition(stored).kept)
                asked.append(True)
            elif asked and not self.wanted(stored):
                asked.append(False)
            return len(asked) > 1

        keep_scrubbing(rest)
        running = find_running()
        assert running is not None
        assert running.finished_at is None

    def test_files_in_place_are_served_too(self, context: Flask, tmp_path: Path) -> None:
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / "a.txt").write_bytes(CONTENT)
        index_directory(None, tmp_path / "source", "shown")
        document = db.session.scalars(select(Document)).one()
        (tmp_path / "source" / "a.txt").chmod(0o400)
        soundness.want(makers.edition(document).kept)
        Scrubber(Clerk().rest).turn()
        makers.release()
        version = db.session.scalars(select(Version).execution_options(populate_existing=True)).one()
        assert version.wanted_at is None
        assert version.seen_ctime_ns == (tmp_path / "source" / "a.txt").stat().st_ctime_ns


class TestQuarantine:
    def test_right_bytes_put_back_are_found_without_anybody_asking(self, stored: Document) -> None:
        path_of(stored).write_bytes(OTHER)
        assert not is_given_out(stored)
        path_of(stored).write_bytes(CONTENT)
        Scrubber(Clerk().rest).turn()
        assert (blob_of(stored).damage, told("blob.healed")) == (None, 1)

    @SQLITE_ONLY
    def test_a_disk_that_is_mounted_again_heals_without_reading(
        self, many: list[Document], read: list[str], tmp_path: Path
    ) -> None:
        blobs = storage().root / "blobs"
        blobs.rename(tmp_path / "away")
        blobs.mkdir()
        assert [is_given_out(document) for document in many] == [False] * 7
        blobs.rmdir()
        (tmp_path / "away").rename(blobs)
        Scrubber(Clerk().rest).turn()
        assert not is_any_damaged()
        assert read == []

    @SQLITE_ONLY
    def test_what_is_still_wrong_is_not_read_each_minute(self, stored: Document, read: list[str]) -> None:
        path_of(stored).write_bytes(OTHER)
        assert not is_given_out(stored)
        read.clear()
        Scrubber(Clerk().rest).turn()
        assert read == []

    def test_is_listed_with_what_and_since_when(self, stored: Document) -> None:
        other = makers.document(makers.category("letters"), "same.txt", CONTENT, "text/plain")
        makers.document(makers.category("letters"), "same.txt", b"a second edition", "text/plain")
        sound = makers.document(makers.category("letters"), "sound.txt", b"sound", "text/plain")
        rot(stored, OTHER)
        scrub()
        rows, after = list_damaged()
        assert after is None
        assert [(row.document_id, row.category_path, row.number, row.is_current, row.damage) for row in rows] == [
            (other.id, "letters", 1, False, "bytes"),
            (stored.id, "reports", 1, True, "bytes"),
        ]
        assert {row.damaged_at for row in rows} == {blob_of(stored).damaged_at}
        assert sound.id not in {row.document_id for row in rows}
        assert dataclasses.astuple(count_damaged()) == (1, 2)
        assert is_any_damaged()

    def test_is_listed_a_page_at_a_time(self, many: list[Document]) -> None:
        for document in many:
            path_of(document).unlink()
        scrub()
        seen: list[int] = []
        after: int | None = None
        while True:
            rows, after = list_damaged(after=after, limit=3)
            seen += [row.document_id for row in rows]
            if after is None:
                break
        assert seen == [document.id for document in reversed(many)]

    def test_of_nothing_is_empty(self, stored: Document) -> None:
        assert list_damaged() == ([], None)
        assert dataclasses.astuple(count_damaged()) == (0, 0)
        assert not is_any_damaged()

    def test_gc_keeps_what_a_document_needs_and_says_what_it_removes(self, stored: Document) -> None:
        gone = makers.document(makers.category("reports"), "gone.txt", b"gone", "text/plain")
        path_of(stored).write_bytes(OTHER)
        path_of(gone).write_bytes(b"GONE")
        scrub()
        trash_document(None, gone.id)
        makers.change(db.session.get_one(Document, gone.id), trashed_at=ago(31))
        age_blobs()
        collect()
        age_blobs()
        collect()
        assert [blob.damage for blob in db.session.scalars(select(Blob))] == ["bytes"]
        ((row,), _) = list_events(actions=["blob.removed"])
        assert row.event.details["damage"] == "bytes"
        assert path_of(stored).read_bytes() == OTHER
        assert dataclasses.astuple(count_damaged()) == (1, 1)


class TestFilesInPlace:
    @pytest.fixture
    def file(self, context: Flask, tmp_path: Path) -> Path:
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / "a.txt").write_bytes(CONTENT)
        index_directory(None, tmp_path / "source", "shown")
        return tmp_path / "source" / "a.txt"

    def forget(self, file: Path) -> None:
        """Let the row remember the file as it is now, as if its bytes had changed below the file system."""
        found = file.stat()
        version = db.session.scalars(select(Version)).one()
        makers.change(version, seen_ctime_ns=found.st_ctime_ns, seen_inode=found.st_ino)

    def test_are_read_too_and_rot_is_found(self, file: Path) -> None:
        before = file.stat()
        file.write_bytes(OTHER)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.forget(file)
        document = db.session.scalars(select(Document)).one()
        assert is_given_out(document)
        done = scrub()
        assert (done.files, done.bytes, done.damaged) == (1, len(CONTENT), 1)
        assert not is_given_out(document)
        assert [row.document_id for row in list_damaged()[0]] == [document.id]
        assert told("source.damaged") == 1

    def test_that_their_owner_changed_or_removed_are_no_damage(self, file: Path) -> None:
        file.write_bytes(b"more")
        assert scrub().damaged == 0
        file.unlink()
        assert scrub().damaged == 0
        assert not is_any_damaged()

    def test_that_were_replaced_are_damaged_no_more(self, file: Path) -> None:
        before = file.stat()
        file.write_bytes(OTHER)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert scrub().damaged == 1
        os.utime(file)
        index_directory(None, file.parent, "shown")
        assert not is_any_damaged()
        assert list_damaged() == ([], None)


class TestVerifying:
    def test_quarantines_and_heals_like_the_scrub(self, stored: Document) -> None:
        rot(stored, OTHER)
        (problem,) = verify().problems
        assert "does not have the bytes it is named by" in problem
        assert not is_given_out(stored)
        path_of(stored).write_bytes(CONTENT)
        assert verify().is_clean
        assert is_given_out(stored)
        assert (told("blob.damaged"), told("blob.healed")) == (1, 1)

    @SQLITE_ONLY
    def test_names_what_is_still_damaged_again(self, stored: Document) -> None:
        rot(stored, OTHER)
        assert verify().problems == verify().problems
