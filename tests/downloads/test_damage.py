"""Bytes that somebody or something changed on disk: hashed again before any leaves, quarantined, and healed."""

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from portal.audit import list_events
from portal.catalog import Edition, soundness
from portal.downloads import claim_of, looking, open_bytes, open_for_download, opening, sending
from portal.errors import ContentUnavailable, ContentUnverified, SourceChanged
from portal.extensions import db
from portal.models import Blob, Document, Download, Version
from portal.ranges import Span
from portal.uploads import arrive, import_directory, index_directory, receive, store_documents, store_version
from tests import makers
from tests.damages import DAMAGES, blob_of, keeping_times, path_of, rot, swap
from tests.databases import SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")

CONTENT = b"Report of February, second edition\n"
OTHER = CONTENT.swapcase()
HASHED = ("seen_inode", "seen_mtime_ns", "seen_ctime_ns")


@pytest.fixture
def stored(context: Flask) -> Document:
    return makers.document(makers.category("reports"), "february.txt", CONTENT, "text/plain")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of what is hashed from now on."""
    keys: list[str] = []
    real = looking.judge

    def judge(kept: soundness.Kept, *more: object) -> str | None:
        keys.append(kept.sha256)
        return real(kept, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(looking, "judge", judge)
    monkeypatch.setattr(opening, "judge", judge)
    return keys


def content_of(document: Document) -> bytes:
    """What the one door gives."""
    with open_bytes(makers.edition(document)) as opened:
        return opened.handle.read()


def require_refused(document: Document) -> None:
    with pytest.raises(ContentUnavailable) as refusal:
        content_of(document)
    assert not isinstance(refusal.value, ContentUnverified)


def told(action: str) -> int:
    """How many events of this kind are in the log."""
    makers.release()
    return len(list_events(actions=[action])[0])


def stamp_in_row(blob: Blob) -> tuple[int | None, ...]:
    return (blob.seen_inode, blob.seen_mtime_ns, blob.seen_ctime_ns)


def stamp_on_disk(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return (found.st_ino, found.st_mtime_ns, found.st_ctime_ns)


def finish(begun: sending.Sending) -> list[object]:
    """Every block that is left."""
    return list(iter(begun.next_block, None))


def write_other(path: Path, _: random.Random) -> None:
    path.write_bytes(OTHER)


def upload(shelf: int, filename: str, content: bytes) -> None:
    incoming = receive()
    incoming.write(content)
    store_documents(None, shelf, [arrive(incoming, filename)])


class TestOpening:
    def test_what_is_as_it_was_costs_no_hashing_and_no_statement(
        self, stored: Document, hashed: list[str], statements: list[str]
    ) -> None:
        edition = makers.edition(stored)
        statements.clear()
        open_bytes(edition).close()
        assert (hashed, statements) == ([], [])

    def test_a_file_that_was_touched_is_hashed_once(self, stored: Document, hashed: list[str]) -> None:
        path_of(stored).chmod(0o400)
        assert (content_of(stored), content_of(stored)) == (CONTENT, CONTENT)
        assert hashed == [blob_of(stored).sha256]
        assert stamp_in_row(blob_of(stored)) == stamp_on_disk(path_of(stored))
        assert told("blob.damaged") == told("blob.healed") == 0

    def test_a_file_nobody_has_seen_since_the_upgrade_is_hashed_once(self, stored: Document, hashed: list[str]) -> None:
        makers.change(blob_of(stored), **dict.fromkeys(HASHED), verified_at=None)
        assert (content_of(stored), content_of(stored)) == (CONTENT, CONTENT)
        assert len(hashed) == 1
        assert blob_of(stored).verified_at is not None

    @pytest.mark.parametrize("damage", DAMAGES)
    @pytest.mark.parametrize("is_quiet", [False, True], ids=["", "times set back"])
    @SQLITE_ONLY
    def test_no_damage_passes_and_each_is_noticed_once(self, stored: Document, damage: str, is_quiet: bool) -> None:
        spoil = keeping_times(DAMAGES[damage]) if is_quiet else DAMAGES[damage]
        spoil(path_of(stored), random.Random(7))
        require_refused(stored)
        first = blob_of(stored)
        require_refused(stored)
        assert first.damage in ("missing", "kind", "size", "bytes")
        assert blob_of(stored).damaged_at == first.damaged_at
        assert told("blob.damaged") == 1

    def test_what_is_wrong_and_since_when_is_written_down_with_an_event(self, stored: Document) -> None:
        before = makers.now()
        path_of(stored).write_bytes(OTHER)
        require_refused(stored)
        blob = blob_of(stored)
        assert blob.damage == "bytes"
        assert blob.damaged_at is not None
        assert blob.damaged_at >= before
        ((row,), _) = list_events(actions=["blob.damaged"])
        assert (row.event.object_type, row.event.object_id, row.event.object_label) == (
            "document",
            stored.id,
            stored.title,
        )
        assert row.event.details == {"sha256": blob.sha256, "damage": "bytes"}
        assert path_of(stored).read_bytes() == OTHER, "the file stays where it is"

    @SQLITE_ONLY
    def test_swapped_files_are_both_noticed(self, stored: Document) -> None:
        other = makers.document(makers.category("reports"), "other.txt", OTHER, "text/plain")
        swap(path_of(stored), path_of(other))
        require_refused(stored)
        require_refused(other)
        assert told("blob.damaged") == 2

    def test_what_is_known_to_be_wrong_is_not_hashed_again(self, stored: Document, hashed: list[str]) -> None:
        path_of(stored).write_bytes(OTHER)
        for _ in range(3):
            require_refused(stored)
        assert len(hashed) == 1

    @SQLITE_ONLY
    def test_every_version_and_document_with_these_bytes_is_closed(self, stored: Document) -> None:
        same = makers.document(makers.category("letters"), "same.txt", CONTENT, "text/plain")
        path_of(stored).write_bytes(OTHER)
        require_refused(stored)
        require_refused(same)
        assert told("blob.damaged") == 1

    @SQLITE_ONLY
    @pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE])
    def test_a_machine_that_has_no_room_to_open_it_is_no_damage(
        self, stored: Document, monkeypatch: pytest.MonkeyPatch, code: int
    ) -> None:
        edition = makers.edition(stored)

        def fail(*_: object, **__: object) -> int:
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patch:
            patch.setattr(os, "open", fail)
            with pytest.raises(ContentUnavailable):
                open_bytes(edition)
        assert blob_of(stored).damage is None
        assert content_of(stored) == CONTENT


class TestLargeFiles:
    @pytest.fixture(autouse=True)
    def everything_is_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(opening, "INLINE", len(CONTENT) - 1)

    def test_what_was_touched_waits_for_the_scrub_and_says_when_to_come_back(
        self, stored: Document, hashed: list[str]
    ) -> None:
        path_of(stored).chmod(0o400)
        with pytest.raises(ContentUnverified) as refusal:
            content_of(stored)
        assert refusal.value.retry_after == 10
        assert refusal.value.status == 503
        first = blob_of(stored).wanted_at
        assert first is not None
        with pytest.raises(ContentUnverified):
            content_of(stored)
        assert blob_of(stored).wanted_at == first, "the first who waits counts"
        assert hashed == []

    @SQLITE_ONLY
    def test_a_large_file_is_guessed_to_take_longer(self, stored: Document, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(opening, "HASHED_A_SECOND", 1)
        path_of(stored).chmod(0o400)
        with pytest.raises(ContentUnverified) as refusal:
            content_of(stored)
        assert refusal.value.retry_after == 10 + len(CONTENT)

    @SQLITE_ONLY
    def test_one_of_the_limit_is_hashed_at_once(
        self, stored: Document, hashed: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(opening, "INLINE", len(CONTENT))
        path_of(stored).chmod(0o400)
        assert content_of(stored) == CONTENT
        assert len(hashed) == 1


class TestHealing:
    def test_the_right_bytes_put_back_are_hashed_and_given_out(self, stored: Document, hashed: list[str]) -> None:
        path_of(stored).write_bytes(OTHER)
        require_refused(stored)
        path_of(stored).write_bytes(CONTENT)
        assert content_of(stored) == CONTENT
        assert len(hashed) == 2
        blob = blob_of(stored)
        assert (blob.damage, blob.damaged_at) == (None, None)
        assert told("blob.healed") == 1

    @SQLITE_ONLY
    def test_other_wrong_bytes_put_back_stay_closed_and_are_no_second_event(self, stored: Document) -> None:
        path_of(stored).write_bytes(OTHER)
        require_refused(stored)
        since = blob_of(stored).damaged_at
        path_of(stored).write_bytes(CONTENT[::-1])
        require_refused(stored)
        assert blob_of(stored).damaged_at == since
        assert told("blob.damaged") == 1

    def test_a_file_that_was_away_and_is_back_as_it_was_needs_no_hashing(
        self, stored: Document, hashed: list[str], tmp_path: Path
    ) -> None:
        """As a disk that was not mounted: no file on it changes by that."""
        shelf = path_of(stored).parents[1]
        shelf.rename(tmp_path / "away")
        require_refused(stored)
        assert blob_of(stored).damage == "missing"
        (tmp_path / "away").rename(shelf)
        assert content_of(stored) == CONTENT
        assert (hashed, blob_of(stored).damage, told("blob.healed")) == ([], None, 1)

    @SQLITE_ONLY
    def test_a_file_that_was_found_wrong_and_then_was_away_is_still_wrong(
        self, stored: Document, tmp_path: Path
    ) -> None:
        path_of(stored).write_bytes(OTHER)
        require_refused(stored)
        shelf = path_of(stored).parents[1]
        shelf.rename(tmp_path / "away")
        require_refused(stored)
        (tmp_path / "away").rename(shelf)
        require_refused(stored)

    @pytest.mark.parametrize("damage", DAMAGES)
    @SQLITE_ONLY
    def test_the_same_document_stored_once_more_heals(self, stored: Document, damage: str) -> None:
        DAMAGES[damage](path_of(stored), random.Random(7))
        require_refused(stored)
        upload(stored.category_id, stored.filename, CONTENT)
        assert content_of(stored) == CONTENT
        assert (blob_of(stored).damage, told("blob.healed")) == (None, 1)
        assert stamp_in_row(blob_of(stored)) == stamp_on_disk(path_of(stored))

    @pytest.mark.parametrize("way", ["as another document", "as a version", "by import", "by import beside it"])
    def test_the_same_bytes_heal_however_they_come(
        self, stored: Document, way: str, tmp_path: Path, hashed: list[str]
    ) -> None:
        path_of(stored).write_bytes(OTHER)
        require_refused(stored)
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "february.txt").write_bytes(CONTENT)
        other = makers.document(makers.category("letters"), "letter.txt", b"a letter", "text/plain")
        incoming = receive()
        incoming.write(CONTENT)
        ways: dict[str, Callable[[], object]] = {
            "as another document": lambda: store_documents(None, other.category_id, [arrive(incoming, "same.txt")]),
            "as a version": lambda: store_version(None, other.id, arrive(incoming, "letter.txt")),
            "by import": lambda: import_directory(None, tmp_path / "in", "reports"),
            "by import beside it": lambda: import_directory(None, tmp_path / "in", "imported"),
        }
        ways[way]()
        incoming.discard()
        hashed.clear()
        assert content_of(stored) == CONTENT
        assert (hashed, blob_of(stored).damage, told("blob.healed")) == ([], None, 1)

    def test_the_log_says_who_healed(self, stored: Document) -> None:
        publisher = makers.person("Pam", is_admin=True)
        path_of(stored).write_bytes(OTHER)
        require_refused(stored)
        incoming = receive()
        incoming.write(CONTENT)
        store_documents(makers.actor(publisher), stored.category_id, [arrive(incoming, stored.filename)])
        ((row,), _) = list_events(actions=["blob.healed"])
        assert row.who is not None
        assert row.who.name == "Pam"

    def test_what_was_found_is_not_written_down_when_an_upload_was_faster(self, stored: Document) -> None:
        path_of(stored).write_bytes(OTHER)
        edition = makers.edition(stored)
        with looking.open_kept(edition.kept) as opened:
            path_of(stored).unlink()
            path_of(stored).write_bytes(CONTENT)
            with pytest.raises(ContentUnverified):
                looking.judge(edition.kept, opened)
            soundness.found_damaged(edition.kept, "bytes", opened.stamp, lambda: looking.stamp_now(edition.kept))
        assert blob_of(stored).damage is None
        assert content_of(stored) == CONTENT

    def test_what_was_found_is_not_written_down_over_newer_knowledge(self, stored: Document) -> None:
        edition = makers.edition(stored)
        makers.change(blob_of(stored), seen_ctime_ns=1)
        stamp = edition.seen
        assert stamp is not None
        soundness.found_damaged(edition.kept, "bytes", stamp, lambda: stamp)
        soundness.found_sound(edition.kept, stamp)
        assert (blob_of(stored).damage, blob_of(stored).seen_ctime_ns) == (None, 1)


class TestRemembering:
    def test_an_upload_remembers_the_file_as_it_ended_up(self, context: Flask) -> None:
        shelf = makers.category("reports")
        upload(shelf.id, "a.txt", CONTENT)
        document = db.session.scalars(select(Document)).one()
        assert stamp_in_row(blob_of(document)) == stamp_on_disk(path_of(document))
        assert blob_of(document).verified_at is not None

    def test_an_import_remembers_the_files_as_they_ended_up(self, context: Flask, tmp_path: Path) -> None:
        for number in range(5):
            (tmp_path / f"{number}.txt").write_bytes(b"text %d" % number)
        made = tmp_path / "in"
        made.mkdir()
        for path in tmp_path.glob("*.txt"):
            path.rename(made / path.name)
        import_directory(None, made, "imported")
        for document in db.session.scalars(select(Document)).all():
            assert stamp_in_row(blob_of(document)) == stamp_on_disk(path_of(document))

    @SQLITE_ONLY
    def test_the_same_bytes_once_more_leave_the_file_and_its_row_alone(
        self, stored: Document, hashed: list[str]
    ) -> None:
        before = stamp_on_disk(path_of(stored))
        upload(stored.category_id, "copy.txt", CONTENT)
        assert stamp_on_disk(path_of(stored)) == before == stamp_in_row(blob_of(stored))
        assert (content_of(stored), hashed) == (CONTENT, [])


class TestWhileItIsSent:
    """Blocks of ten bytes: a change between two of them never ends as a whole answer."""

    @pytest.fixture(autouse=True)
    def blocks_of_ten_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sending, "BLOCK", 10)

    @pytest.fixture
    def reader(self, context: Flask) -> Callable[[Edition, Span], sending.Sending]:
        claim = claim_of(makers.actor(makers.person("Ada")), "tests")
        return lambda edition, span: open_for_download(claim, edition, [span])

    @pytest.mark.parametrize("span", [Span(0, len(CONTENT)), Span(5, 25), Span(len(CONTENT) - 12, len(CONTENT))])
    @pytest.mark.parametrize("is_quiet", [False, True])
    @SQLITE_ONLY
    def test_a_change_after_the_first_block_breaks_it_off(
        self, stored: Document, reader: Callable[[Edition, Span], sending.Sending], span: Span, is_quiet: bool
    ) -> None:
        begun = reader(makers.edition(stored), span)
        begun.next_block()
        spoil = DAMAGES["a stray write"]
        (keeping_times(spoil) if is_quiet else spoil)(path_of(stored), random.Random(1))
        with pytest.raises(ContentUnavailable):
            finish(begun)
        begun.close()
        (row,) = db.session.scalars(select(Download)).all()
        assert row.state == "aborted"
        assert blob_of(stored).wanted_at is not None, "it is hashed soon, though nobody asks again"

    @SQLITE_ONLY
    def test_a_change_before_the_only_block_is_a_refusal(
        self, stored: Document, reader: Callable[[Edition, Span], sending.Sending]
    ) -> None:
        begun = reader(makers.edition(stored), Span(0, 10))
        DAMAGES["a stray write"](path_of(stored), random.Random(1))
        with pytest.raises(ContentUnavailable):
            begun.next_block()
        begun.close()

    @SQLITE_ONLY
    def test_a_file_that_gets_shorter_breaks_it_off(
        self, stored: Document, reader: Callable[[Edition, Span], sending.Sending]
    ) -> None:
        begun = reader(makers.edition(stored), Span(0, len(CONTENT)))
        begun.next_block()
        os.truncate(path_of(stored), 12)
        with pytest.raises(ContentUnavailable):
            finish(begun)
        begun.close()


class TestFilesShownInPlace:
    @pytest.fixture
    def file(self, context: Flask, tmp_path: Path) -> Path:
        directory = tmp_path / "source"
        directory.mkdir()
        (directory / "february.txt").write_bytes(CONTENT)
        index_directory(None, directory, "reports")
        return directory / "february.txt"

    @pytest.fixture
    def shown(self, file: Path) -> Document:
        return db.session.scalars(select(Document)).one()

    def version(self) -> Version:
        makers.release()
        return db.session.scalars(select(Version).execution_options(populate_existing=True)).one()

    def test_as_indexed_it_costs_no_hashing(self, shown: Document, hashed: list[str]) -> None:
        assert (content_of(shown), hashed) == (CONTENT, [])

    def test_a_touch_is_looked_into_once(self, shown: Document, file: Path, hashed: list[str]) -> None:
        file.chmod(0o444)
        assert (content_of(shown), content_of(shown)) == (CONTENT, CONTENT)
        assert len(hashed) == 1

    def test_other_bytes_of_the_same_size_and_time_are_noticed(self, shown: Document, file: Path) -> None:
        keeping_times(write_other)(file, random.Random())
        require_refused(shown)
        require_refused(shown)
        assert self.version().damage == "bytes"
        assert told("source.damaged") == 1

    @SQLITE_ONLY
    def test_the_right_bytes_at_the_same_time_heal(self, shown: Document, file: Path) -> None:
        before = file.stat()
        for content in (OTHER, CONTENT):
            file.write_bytes(content)
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
            if content == OTHER:
                require_refused(shown)
        assert content_of(shown) == CONTENT
        assert (self.version().damage, told("source.healed")) == (None, 1)

    def test_what_its_owner_changed_or_removed_is_no_damage(self, shown: Document, file: Path) -> None:
        file.write_bytes(b"more")
        with pytest.raises(SourceChanged):
            content_of(shown)
        file.unlink()
        require_refused(shown)
        assert self.version().damage is None
        assert told("source.damaged") == 0

    def test_indexing_the_right_bytes_again_heals(self, shown: Document, file: Path, hashed: list[str]) -> None:
        keeping_times(write_other)(file, random.Random())
        require_refused(shown)
        file.write_bytes(CONTENT)
        os.utime(file, (1, 1))
        index_directory(None, file.parent, "reports")
        hashed.clear()
        assert (content_of(shown), hashed) == (CONTENT, [])
        assert (self.version().damage, told("source.healed")) == (None, 1)


@SQLITE_ONLY
def test_rot_that_changes_no_stamp_is_not_seen_at_the_door(stored: Document) -> None:
    """What the documentation says about it: that is what the scrub is for."""
    rot(stored, OTHER)
    assert content_of(stored) == OTHER
