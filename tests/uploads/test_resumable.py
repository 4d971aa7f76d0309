"""Uploads that are taken up again: row and file, cuts and crashes, and who finishes what was left."""

import errno
import hashlib
import io
import os
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update

from portal import integrity
from portal.actors import Actor
from portal.catalog import change_rules, get_category, merge_category, seal_category
from portal.errors import (
    BadInput,
    CategoryNotFound,
    ChecksumWrong,
    Conflict,
    Forbidden,
    StorageFailed,
    StorageFull,
    UploadBusy,
    UploadGone,
    UploadMisplaced,
    UploadRefused,
    UploadTooLarge,
)
from portal.extensions import db, storage, transaction
from portal.models import MANAGE, PUBLISH, Blob, Category, Distribution, Document, Grant, Upload, User, Version
from portal.storage import LocalStorage, Partial, Received, Stamp
from portal.uploads import resumable
from portal.uploads.distributing import making
from portal.uploads.resumable import Announced, Progress, Target, finding, finishing, holding, receiving, sweeping
from tests import makers
from tests.uploads.sending import Cut, Line, begin, checksum, publisher, send

BODY = bytes(range(256)) * 40
LONG = bytes(range(251)) * 40_000
"""More than the disk takes at once."""


class Killed(BaseException):
    """The process ends here."""


def temps() -> list[str]:
    """Names of the files of uploads."""
    return sorted(path.name for path in (storage().root / "tmp").glob("upload-*"))


def bytes_of(upload: Progress) -> bytes:
    """What the document of an upload has, read from the storage."""
    row = db.session.execute(select(Version.sha256, Version.size).join(Upload, Upload.version_id == Version.id)).one()
    with storage().open(row.sha256, row.size) as opened:
        return opened.handle.read()


def count(model: type[Document] | type[Blob] | type[Upload] | type[Category]) -> int:
    makers.release()
    return db.session.scalars(select(func.count()).select_from(model)).one()


def forget_digests() -> None:
    """As another process would begin."""
    storage().partials._digests.clear()


def test_any_process_goes_on_where_another_left_off(context: Flask) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    for start in range(0, len(BODY), 1000):
        send(ada, upload, start, BODY[start : start + 1000])
        if start % 3000 == 0:
            forget_digests()

    found = resumable.find_own(ada, upload.uuid)

    assert (found.state, found.outcome, found.number) == ("done", "added", 1)
    assert bytes_of(upload) == BODY
    assert temps() == []


def test_long_goes_are_hashed_and_flushed_beside_their_writing(context: Flask) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(LONG))
    send(ada, upload, 0, LONG[: len(LONG) // 2])
    send(ada, upload, len(LONG) // 2, LONG[len(LONG) // 2 :])

    assert bytes_of(upload) == LONG


def test_a_flush_that_fails_beside_their_writing_is_noticed(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(LONG))
    failures = [OSError(errno.EIO, "once")]

    def flush(descriptor: int) -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(os, "fdatasync", flush)
    with pytest.raises(StorageFailed):
        send(ada, upload, 0, LONG[:-1])

    assert resumable.offset_of(resumable.find_own(ada, upload.uuid)) == 0
    send(ada, upload, 0, LONG)
    assert bytes_of(upload) == LONG


def test_what_came_before_the_line_was_cut_is_kept_to_the_byte(context: Flask) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    with pytest.raises(Cut):
        resumable.append(ada, upload.uuid, 0, Line(BODY[:1237]).read, announced=len(BODY))

    assert resumable.offset_of(resumable.find_own(ada, upload.uuid)) == 1237
    send(ada, upload, 1237, BODY[1237:])
    assert bytes_of(upload) == BODY


def test_bytes_with_a_checksum_are_kept_whole_or_not_at_all(context: Flask) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    send(ada, upload, 0, BODY[:100], checksum=checksum(BODY[:100]))
    with pytest.raises(Cut):
        resumable.append(ada, upload.uuid, 100, Line(BODY[100:300]).read, checksum=checksum(BODY[100:]))
    with pytest.raises(ChecksumWrong):
        send(ada, upload, 100, BODY[100:], checksum=checksum(BODY))

    assert resumable.find_own(ada, upload.uuid).received == 100
    send(ada, upload, 100, BODY[100:], checksum=checksum(BODY[100:], "sha1"))
    assert bytes_of(upload) == BODY


def test_the_offset_is_committed_now_and_then(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "COMMITTED_BYTES", 1000)
    monkeypatch.setattr(receiving, "BLOCK", 100)
    ada, _ = publisher()
    upload = begin(ada, len(BODY))

    def die(size: int) -> bytes:
        if line.tell() >= 2500:
            raise Killed
        return line.read(size)

    line = open_bytes(BODY)
    with pytest.raises(Killed):
        resumable.append(ada, upload.uuid, 0, die)

    assert resumable.find_own(ada, upload.uuid).received == 2000
    send(ada, upload, 2000, BODY[2000:])
    assert bytes_of(upload) == BODY


def test_too_many_bytes_of_unknown_length_take_all_of_that_go_back(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "COMMITTED_BYTES", 1000)
    monkeypatch.setattr(receiving, "BLOCK", 100)
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    send(ada, upload, 0, BODY[:50])
    with pytest.raises(UploadTooLarge):
        resumable.append(ada, upload.uuid, 50, open_bytes(BODY[50:] + b"+").read)

    assert resumable.find_own(ada, upload.uuid).received == 50
    send(ada, upload, 50, BODY[50:])
    assert bytes_of(upload) == BODY


def test_nobody_else_writes_while_somebody_does(context: Flask) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))

    def meanwhile(size: int) -> bytes:
        with pytest.raises(UploadBusy):
            send(ada, upload, 0, BODY)
        return line.read(size)

    line = open_bytes(BODY)
    resumable.append(ada, upload.uuid, 0, meanwhile)
    assert bytes_of(upload) == BODY


@pytest.mark.parametrize("left", [0, 1, 999])
def test_a_file_that_lost_bytes_takes_the_offset_back(context: Flask, left: int) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    send(ada, upload, 0, BODY[:1000])
    os.truncate(file_of(upload), left)

    assert resumable.offset_of(resumable.find_own(ada, upload.uuid)) == left
    with pytest.raises(UploadMisplaced):
        send(ada, upload, 1000, BODY[1000:])
    send(ada, upload, left, BODY[left:])
    assert bytes_of(upload) == BODY


def test_a_file_that_is_lost_begins_anew(context: Flask) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    send(ada, upload, 0, BODY[:1000])
    file_of(upload).unlink()

    assert resumable.offset_of(resumable.find_own(ada, upload.uuid)) == 0
    send(ada, upload, 0, BODY)
    assert bytes_of(upload) == BODY


def test_what_was_written_after_the_last_commit_does_not_count(context: Flask) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    send(ada, upload, 0, BODY[:1000])
    with file_of(upload).open("ab") as file:
        file.write(b"half a block that nobody acknowledged")

    assert resumable.offset_of(resumable.find_own(ada, upload.uuid)) == 1000
    send(ada, upload, 1000, BODY[1000:])
    assert bytes_of(upload) == BODY


STEPS = [
    (Partial, "finish"), (finishing, "commit"), (LocalStorage, "_store"), (LocalStorage, "keep_all"),
    (finishing, "_close"), (finishing, "put_document"), (Partial, "remove"),
]  # fmt: skip


@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize(("owner", "name"), STEPS, ids=[name for _, name in STEPS])
def test_whoever_asks_next_finishes_what_ended_at_any_step(
    context: Flask, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, is_before: bool
) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    send(ada, upload, 0, BODY[:1000])
    patched = ending(getattr(owner, name), is_before=is_before)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, patched)
        with pytest.raises(Killed):
            send(ada, upload, 1000, BODY[1000:])
    forget_digests()

    found = resumable.find_own(ada, upload.uuid)
    if found.state == "receiving":
        assert found.received == 1000, "what is not committed is not told to be there"
        found = send(ada, found, 1000, BODY[1000:])

    assert (found.state, found.outcome, found.number) == ("done", "added", 1)
    assert bytes_of(upload) == BODY
    resumable.remove_stale_partials(-1)
    assert (temps(), count(Document)) == ([], 1)
    assert integrity.verify().is_clean


def test_the_worker_finishes_what_nobody_asks_for(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    leave_whole(ada, upload, monkeypatch)
    resumable.sweep()
    assert count(Document) == 0, "its sender has a minute"
    let_time_pass(active_at=makers.now(minutes=-2))

    resumable.sweep()

    assert bytes_of(upload) == BODY


def test_the_worker_lets_in_nobody_who_may_not_publish_any_more(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    leave_whole(ada, upload, monkeypatch)
    with transaction() as session:
        session.execute(update(Grant).values(permission=1))
    let_time_pass(active_at=makers.now(minutes=-2))

    resumable.sweep()

    assert (count(Document), temps()) == (0, [])
    with pytest.raises(UploadRefused):
        resumable.find_own(ada, upload.uuid)


@pytest.mark.parametrize("column", ["disabled_at", "erased_at"])
def test_the_worker_lets_in_nothing_of_an_account_that_was_closed(
    context: Flask, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    leave_whole(ada, upload, monkeypatch)
    makers.change(db.session.get_one(User, ada.user_id), **{column: makers.now()})
    let_time_pass(active_at=makers.now(minutes=-2))

    resumable.sweep()

    assert (count(Document), temps()) == (0, [])
    assert [one.progress.state for one in resumable.list_own(ada)] == ["refused"]


def test_an_upload_that_breaks_off_leaves_those_after_it_to_the_worker(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, _ = publisher()
    broken = begin(ada, len(BODY))
    leave_whole(ada, broken, monkeypatch)
    leave_whole(ada, begin(ada, len(BODY), "b.bin"), monkeypatch)
    let_time_pass(active_at=makers.now(minutes=-2))
    complete = receiving.complete

    def stumbling(actor: Actor, upload: Progress) -> Progress:
        if upload.id == broken.id:
            raise RuntimeError
        return complete(actor, upload)

    monkeypatch.setattr(sweeping, "complete", stumbling)
    resumable.sweep()

    assert [one.progress.state for one in resumable.list_own(ada)] == ["receiving", "done"]


def test_bytes_lost_between_two_steps_are_asked_for_again(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    leave_whole(ada, upload, monkeypatch)
    file_of(upload).unlink()

    assert resumable.offset_of(resumable.find_own(ada, upload.uuid)) == 0
    send(ada, upload, 0, BODY)
    assert bytes_of(upload) == BODY


def test_no_space_is_said_and_the_upload_goes_on_afterwards(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    send(ada, upload, 0, BODY[:1000])
    for owner, name in ((Partial, "append"), (Partial, "flush"), (LocalStorage, "_open_shelf")):
        body = BODY[1000:2000] if name != "_open_shelf" else BODY[1000:]
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, raising(StorageFull()))
            with pytest.raises(StorageFull):
                send(ada, upload, 1000, body)
        if name != "_open_shelf":
            assert resumable.find_own(ada, upload.uuid).received == 1000

    found = resumable.find_own(ada, upload.uuid)
    assert found.outcome == "added"
    assert bytes_of(upload) == BODY


def test_a_disk_that_does_not_flush_acknowledges_nothing(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    with monkeypatch.context() as patch:
        patch.setattr(Partial, "flush", raising(StorageFailed()))
        with pytest.raises(StorageFailed):
            send(ada, upload, 0, BODY[:1000])

    assert resumable.find_own(ada, upload.uuid).received == 0
    send(ada, upload, 0, BODY)
    assert bytes_of(upload) == BODY


def test_two_who_finish_at_once_make_one_document(context: Flask) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    send(ada, upload, 0, BODY[:1000])
    with transaction() as session:
        whole = {"received": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest()}
        session.execute(update(Upload).values(**whole))
    with file_of(upload).open("ab") as file:
        file.write(BODY[1000:])

    done = makers.at_once(context, *[lambda: resumable.find_own(ada, upload.uuid)] * 4)

    assert {type(one) for one in done} <= {Progress, UploadBusy}
    assert resumable.find_own(ada, upload.uuid).outcome == "added"
    assert count(Document) == 1


def test_an_upload_given_up_while_bytes_come_takes_no_more(context: Flask) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))

    def meanwhile(size: int) -> bytes:
        if not line.tell():
            resumable.cancel(ada, upload.uuid)
        return line.read(size)

    line = open_bytes(BODY)
    with pytest.raises(UploadGone):
        resumable.append(ada, upload.uuid, 0, meanwhile)
    assert (count(Document), temps()) == (0, [])


def test_who_is_cut_off_while_taking_hold_of_an_upload_lets_go_of_it(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    with monkeypatch.context() as patch:
        patch.setattr(holding, "_look_again", raising(StorageFailed()))
        with pytest.raises(StorageFailed):
            send(ada, upload, 0, BODY)

    send(ada, upload, 0, BODY)
    assert bytes_of(upload) == BODY


def test_a_long_go_that_ends_before_its_row_is_finished_and_not_asked_for_again(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    line = open_bytes(BODY)
    with monkeypatch.context() as patch:
        patch.setattr(receiving, "COMMITTED_BYTES", 1000)
        patch.setattr(finishing, "_close", ending(finishing._close, is_before=True))
        with pytest.raises(Killed):
            resumable.append(ada, upload.uuid, 0, lambda size: line.read(min(size, 1000)))
    forget_digests()

    assert resumable.find_own(ada, upload.uuid).state == "done"
    assert bytes_of(upload) == BODY


def test_a_category_that_is_merged_while_bytes_come_has_them_go_where_it_went(context: Flask) -> None:
    ada, inbox = publisher()
    other = makers.category("other")
    makers.grant(other, user=db.session.get_one(User, ada.user_id), permission=PUBLISH)
    upload = begin(ada, len(BODY), folder="2026/may")

    def meanwhile(size: int) -> bytes:
        if not line.tell():
            merge_category(None, inbox.id, other.id)
        return line.read(size)

    line = open_bytes(BODY)
    resumable.append(ada, upload.uuid, 0, meanwhile)

    document = db.session.scalars(select(Document)).one()
    assert get_category(document.category_id).path == "other/2026/may"


def test_gc_takes_no_file_of_an_upload_that_is_under_way_and_every_other(context: Flask) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))
    stray = storage().partials.make()
    young = storage().partials.make()
    for name in (upload.temp, stray):
        os.utime(storage().root / "tmp" / name, (0, 0))

    report = integrity.collect()

    assert report.temps == 1
    assert temps() == sorted([upload.temp, young])


def test_what_is_over_is_forgotten_after_a_week(context: Flask) -> None:
    ada, _ = publisher()
    send(ada, begin(ada, len(BODY)), 0, BODY)
    left = begin(ada, len(BODY), "b.bin")
    let_time_pass(expires_at=makers.now(hours=-1))
    resumable.sweep()
    assert [one.progress.state for one in resumable.list_own(ada)] == ["expired", "done"]
    let_time_pass(closed_at=makers.now(days=-8))

    resumable.sweep()

    assert (count(Upload), temps()) == (0, [])
    assert left.temp not in temps()


def test_what_is_under_way_is_listed_as_long_as_it_is_kept_and_before_what_is_over(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "LISTED", 1)
    ada, _ = publisher()
    left = begin(ada, len(BODY))
    let_time_pass(active_at=makers.now(days=-2))
    send(ada, begin(ada, len(BODY), "b.bin"), 0, BODY)

    assert [one.progress.uuid for one in resumable.list_own(ada)] == [left.uuid]


def test_what_is_being_sent_does_not_expire(context: Flask) -> None:
    ada, _ = publisher()
    upload = begin(ada, len(BODY))

    def meanwhile(size: int) -> bytes:
        let_time_pass(expires_at=makers.now(hours=-1))
        resumable.sweep()
        return line.read(size)

    line = open_bytes(BODY)
    resumable.append(ada, upload.uuid, 0, meanwhile)
    assert bytes_of(upload) == BODY


def test_files_of_a_distribution_arrive_and_stay_though_no_version_has_them(context: Flask) -> None:
    ada, inbox = publisher()
    given = distribution(ada.user_id or 0, inbox.id)
    target = resumable.find_target(ada, "distribution", str(given.uuid), "")
    upload = resumable.start(ada, Announced(target, "a.pdf", len(BODY)))
    with pytest.raises(UploadRefused):
        send(ada, upload, 0, BODY)
    upload = resumable.start(ada, Announced(target, "a.bin", len(BODY)))

    send(ada, upload, 0, BODY)

    with transaction() as session:
        session.execute(update(Blob).values(touched_at=makers.now(days=-3)))
    integrity.collect()
    makers.release()
    row = db.session.scalars(select(Upload).where(Upload.id == upload.id)).one()
    assert (row.state, row.closed_at, row.version_id) == ("arrived", None, None)
    assert storage().digest(db.session.get_one(Blob, row.blob_id).sha256, len(BODY))
    assert count(Document) == 0


def test_a_distribution_that_is_running_takes_no_more(context: Flask) -> None:
    ada, inbox = publisher()
    given = distribution(ada.user_id or 0, inbox.id)
    target = resumable.find_target(ada, "distribution", str(given.uuid), "")
    upload = resumable.start(ada, Announced(target, "a.bin", len(BODY)))
    makers.change(given, state="running")

    with pytest.raises(UploadRefused):
        send(ada, upload, 0, BODY)


def test_a_distribution_takes_files_only_of_who_may_still_distribute_there(context: Flask) -> None:
    ada, inbox = publisher()
    given = distribution(ada.user_id or 0, inbox.id)
    target = resumable.find_target(ada, "distribution", str(given.uuid), "")
    upload = resumable.start(ada, Announced(target, "a.bin", len(BODY)))
    with transaction() as session:
        session.execute(update(Grant).values(permission=PUBLISH))

    with pytest.raises(Forbidden):
        resumable.find_target(ada, "distribution", str(given.uuid), "")
    with pytest.raises(UploadRefused):
        send(ada, upload, 0, BODY)
    assert db.session.scalars(select(Upload.state)).one() == "refused"


def test_a_distribution_takes_no_more_files_than_one_may_have(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "MOST_FILES", 2)
    ada, inbox = publisher()
    given = distribution(ada.user_id or 0, inbox.id)
    target = resumable.find_target(ada, "distribution", str(given.uuid), "")
    first = resumable.start(ada, Announced(target, "a.bin", len(BODY)))
    resumable.start(ada, Announced(target, "b.bin", len(BODY)))

    with pytest.raises(Conflict):
        resumable.start(ada, Announced(target, "c.bin", len(BODY)))

    assert send(ada, first, 0, BODY).state == "arrived"
    assert len(temps()) == 1


def test_folders_are_made_as_deep_as_categories_go_and_no_deeper(context: Flask) -> None:
    ada, _ = publisher()
    send(ada, begin(ada, 1, folder="/".join("d" * 63)), 0, b"x")
    assert count(Category) == 64
    with pytest.raises(BadInput):
        begin(ada, 1, folder="/".join("d" * 64))


def test_folders_are_no_way_into_a_category_that_is_sealed(context: Flask) -> None:
    ada, _ = publisher()
    makers.category("inbox/board/minutes")
    sealed = makers.category("inbox/board")
    upload = begin(ada, 1, folder="board/minutes/new")
    seal_category(None, sealed.id, True)

    with pytest.raises(UploadRefused):
        send(ada, upload, 0, b"x")
    assert count(Category) == 3


@pytest.mark.parametrize("kind", ["category", "document", "distribution"])
def test_bytes_of_somebody_who_may_not_send_them_any_more_are_not_kept(context: Flask, kind: str) -> None:
    ada, inbox = publisher()
    upload = resumable.start(ada, Announced(target_of(kind, ada, inbox), "a.bin", len(BODY)))
    send(ada, upload, 0, BODY[:1000])
    before = keys()
    take_away_all()

    with pytest.raises(UploadRefused):
        send(ada, upload, 1000, BODY[1000:])

    assert (keys(), temps()) == (before, [])


@pytest.mark.parametrize("kind", ["category", "document", "distribution"])
def test_a_right_that_ends_while_bytes_are_kept_is_asked_for_again_before_anything_is_told(
    context: Flask, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    ada, inbox = publisher()
    upload = resumable.start(ada, Announced(target_of(kind, ada, inbox), "a.bin", len(BODY)))
    there, keep = count(Document), LocalStorage.keep

    def keeping(local: LocalStorage, received: Received) -> Stamp:
        change_rules(None, inbox.id, types=["pdf"], expiry_days=None)
        take_away_all()
        return keep(local, received)

    monkeypatch.setattr(LocalStorage, "keep", keeping)
    with pytest.raises(UploadRefused) as refusal:
        send(ada, upload, 0, BODY)

    assert (refusal.value.status, refusal.value.sentence) == (410, finishing.PLACE_GONE)
    assert (count(Document), temps()) == (there, [])


def test_which_types_a_category_takes_that_was_sealed_while_bytes_came_is_not_told(context: Flask) -> None:
    ada, _ = publisher()
    board = makers.category("inbox/board")
    upload = begin(ada, 1, folder="board")
    change_rules(None, board.id, types=["pdf"], expiry_days=None)
    seal_category(None, board.id, True)

    with pytest.raises(UploadRefused) as refusal:
        send(ada, upload, 0, b"x")

    assert (refusal.value.status, refusal.value.sentence) == (410, finishing.PLACE_GONE)


@pytest.mark.parametrize("name", ["there.bin", "elsewhere.bin"])
def test_nothing_is_told_of_a_folder_one_may_not_publish_in(context: Flask, name: str) -> None:
    ada, _ = publisher()
    sealed = makers.category("inbox/board")
    makers.document(sealed, "there.bin")
    seal_category(None, sealed.id, True)

    with pytest.raises(CategoryNotFound):
        begin(ada, 1, name, folder="board", said={"on_conflict": "refuse"})
    assert temps() == []


def test_folders_meet_categories_that_are_there(context: Flask) -> None:
    ada, inbox = publisher()
    for name in ("a.bin", "b.bin"):
        send(ada, begin(ada, 1, name, folder="x/y"), 0, name[:1].encode())

    assert count(Category) == 3
    documents = list(db.session.scalars(select(Document)))
    assert {get_category(one.category_id).path for one in documents} == {"inbox/x/y"}
    assert inbox.path == "inbox"


@pytest.mark.parametrize(("name", "problem"), [("nowhere", CategoryNotFound), ("shown", Forbidden)])
def test_where_one_may_not_publish_nothing_begins(context: Flask, name: str, problem: type[Exception]) -> None:
    ada, _ = publisher()
    shown = makers.category("shown")
    makers.grant(shown, user=makers.person("Bo"))
    makers.grant(shown, group=makers.group("All", db.session.get_one(User, ada.user_id)))
    with pytest.raises(problem):
        resumable.find_target(ada, "category", name, "")


def distribution(user_id: int, category_id: int) -> Distribution:
    """One of this person, who may distribute there."""
    with transaction() as session:
        session.execute(update(Grant).where(Grant.category_id == category_id).values(permission=MANAGE))
        found = Distribution(title="Payslips", category_id=category_id, created_by_id=user_id)
        session.add(found)
        session.flush()
        return found


def target_of(kind: str, actor: Actor, inbox: Category) -> Target:
    """Where this person may send something by now: the inbox, a document in it, or a distribution below it."""
    if kind == "distribution":
        name = str(distribution(actor.user_id or 0, inbox.id).uuid)
    else:
        name = inbox.path if kind == "category" else str(makers.document(inbox, "there.bin").id)
    return resumable.find_target(actor, kind, name, "")


def take_away_all() -> None:
    """Nobody but administrators may do anything any more."""
    with transaction() as session:
        session.execute(delete(Grant))


def keys() -> list[str]:
    """What is kept of all bytes that ever came."""
    return [key for key, _ in storage().list_keys()]


def leave_whole(actor: Actor, upload: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send all bytes in two goes, and end before they are placed."""
    send(actor, upload, 0, BODY[:1000])
    with monkeypatch.context() as patch:
        patch.setattr(finishing, "_place", ending(finishing._place, is_before=True))
        with pytest.raises(Killed):
            send(actor, upload, 1000, BODY[1000:])


def open_bytes(body: bytes) -> io.BytesIO:
    return io.BytesIO(body)


def file_of(upload: Progress) -> Path:
    """The temp file of an upload."""
    return storage().root / "tmp" / upload.temp


def let_time_pass(**moments: object) -> None:
    with transaction() as session:
        session.execute(update(Upload).values(**moments))


def ending(original: object, *, is_before: bool) -> object:
    def stepped(*args: object, **kwargs: object) -> object:
        if is_before:
            raise Killed
        original(*args, **kwargs)  # type: ignore[operator]
        raise Killed

    return stepped


def raising(problem: Exception) -> object:
    def fail(*_args: object, **_kwargs: object) -> object:
        raise problem

    return fail
