"""A backup is one file, whole or absent, of one moment: no row of it points at bytes that are not in it."""

import dataclasses
import json
import os
import sqlite3
import stat
import subprocess
import tarfile
import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal import schema
from portal.catalog import trash_document
from portal.errors import BadInput, Conflict
from portal.extensions import db, storage, transaction
from portal.integrity import backup, collect, restore, verify
from portal.models import Document
from portal.settings import Settings
from portal.uploads import index_directory
from tests.databases import POSTGRESQL_ONLY, SQLITE_ONLY
from tests.integrity.stock import (
    POSTGRESQL_IN_SOAK,
    Dying,
    age_blobs,
    ago,
    beside,
    blob_path,
    content_of,
    files_below,
    version_of,
    wait_for_lock,
)
from tests.makers import category, document, release, running

CONTENT = b"Report of February\n"
OTHER = b"Report of March\n"
MOST_UPLOADS = 150


@pytest.fixture
def stored(context: Flask) -> Document:
    made = document(category("reports"), "february.txt", CONTENT, "text/plain")
    document(category("reports"), "february.txt", OTHER, "text/plain")
    return made


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "portal.tar"


def names_in(target: Path) -> list[str]:
    with tarfile.open(target, "r:") as tar:
        return tar.getnames()


def read_in(target: Path, name: str) -> bytes:
    with tarfile.open(target, "r:") as tar:
        member = tar.extractfile(name)
        assert member
        return member.read()


def manifest_in(target: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read_in(target, "manifest.json"))
    return found


def test_a_backup_is_a_plain_tar_of_database_bytes_and_manifest(stored: Document, target: Path) -> None:
    report = backup(target)
    kind = db.engine.dialect.name
    name = {"sqlite": "database.sqlite", "postgresql": "database.sql"}[kind]
    shelves = sorted(f"blobs/{key[:2]}/{key[2:4]}/{key}" for key, _ in storage().list_keys())
    assert names_in(target) == [name, *shelves, "manifest.json"]
    assert sorted(read_in(target, shelf) for shelf in shelves) == sorted([CONTENT, OTHER])
    assert (report.documents, report.versions, report.blobs) == (1, 2, 2)
    assert (report.blob_bytes, report.size, report.path) == (len(CONTENT + OTHER), target.stat().st_size, target)
    assert report.is_whole


def test_the_manifest_says_what_the_backup_is(stored: Document, target: Path) -> None:
    backup(target)
    manifest = manifest_in(target)
    assert (manifest["format"], manifest["kind"]) == (1, db.engine.dialect.name)
    assert manifest["revision"] == schema.head()
    assert (manifest["counts"]["documents"], manifest["counts"]["versions"], manifest["blobs"]) == (1, 2, 2)
    assert (manifest["damaged"], manifest["sources"]) == ([], [])


@SQLITE_ONLY
def test_gnu_tar_reads_it(stored: Document, target: Path, tmp_path: Path) -> None:
    backup(target)
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "-xf", target, "-C", tmp_path / "out"], check=True)
    assert (tmp_path / "out" / "manifest.json").read_bytes() == read_in(target, "manifest.json")


@SQLITE_ONLY
def test_the_sqlite_database_in_it_is_one_file_that_opens_by_itself(
    stored: Document, target: Path, tmp_path: Path
) -> None:
    backup(target)
    (tmp_path / "alone.db").write_bytes(read_in(target, "database.sqlite"))
    with sqlite3.connect(f"file:{tmp_path / 'alone.db'}?mode=ro&immutable=1", uri=True) as connection:
        assert connection.execute("SELECT filename FROM documents").fetchall() == [("february.txt",)]
    connection.close()


@POSTGRESQL_ONLY
def test_the_postgresql_database_in_it_is_text_that_psql_takes(stored: Document, target: Path) -> None:
    backup(target)
    lines = read_in(target, "database.sql").decode().splitlines()
    (start,) = (at for at, line in enumerate(lines) if line.startswith('COPY "documents" ("id", "uuid", '))
    assert lines[start].endswith(") FROM stdin;")
    assert lines[start + 1].split("\t")[:2] == [str(stored.id), str(stored.uuid)]
    assert lines[start + 2] == "\\."
    assert "SELECT pg_catalog.setval('\"documents_id_seq\"', 1, true);" in lines


@SQLITE_ONLY
@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
def test_a_backup_is_its_owners_alone_whatever_the_umask(stored: Document, target: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        backup(target)
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@SQLITE_ONLY
@pytest.mark.parametrize("what", ["a file", "an empty file", "a directory", "a dangling link"])
def test_nothing_is_overwritten(stored: Document, target: Path, what: str) -> None:
    if what == "a directory":
        target.mkdir()
    elif what == "a dangling link":
        target.symlink_to("nowhere")
    else:
        target.write_bytes(b"precious" if what == "a file" else b"")
    before = target.lstat()
    with pytest.raises(Conflict, match="already there"):
        backup(target)
    assert target.lstat() == before


@SQLITE_ONLY
def test_what_appears_while_the_backup_is_written_is_not_overwritten(stored: Document, target: Path) -> None:
    with pytest.raises(Conflict):
        backup(target, progress=lambda _done, _total: target.touch())
    assert target.read_bytes() == b""
    assert names_beside(target) == [target.name]


def names_beside(target: Path) -> list[str]:
    ours = ("data", "portal.toml", "portal.db", "portal.db-wal", "portal.db-shm")
    return sorted(path.name for path in target.parent.iterdir() if path.name not in ours)


@SQLITE_ONLY
def test_a_directory_that_is_not_there_is_said(stored: Document, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="There is no directory"):
        backup(tmp_path / "nowhere" / "portal.tar")


def test_nothing_but_the_backup_is_left_beside_it(stored: Document, target: Path) -> None:
    files = files_below(storage().root)
    backup(target)
    assert names_beside(target) == [target.name]
    assert [path for path in files_below(storage().root) if path.name != ".lock"] == [
        path for path in files if path.name != ".lock"
    ]


def test_a_backup_that_fails_leaves_nothing(stored: Document, target: Path) -> None:
    def fail(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup(target, progress=fail)
    assert names_beside(target) == []


@SQLITE_ONLY
def test_progress_ends_with_all_bytes(stored: Document, target: Path) -> None:
    told: list[tuple[int, int]] = []
    backup(target, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(CONTENT + OTHER), len(CONTENT + OTHER))


@SQLITE_ONLY
def test_the_signing_key_is_in_it(settings: Settings, target: Path) -> None:
    with running(dataclasses.replace(settings, secret_key="")) as app, app.app_context():
        (settings.secrets_dir / ".half-written").write_text("not this one")
        backup(target)
        assert read_in(target, "secrets/secret_key").decode() == app.config["SECRET_KEY"]
    assert [name for name in names_in(target) if "secrets" in name] == ["secrets/secret_key"]


def test_sources_are_named_and_not_copied(stored: Document, target: Path, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "plan.txt").write_bytes(b"in place")
    index_directory(None, tmp_path / "source", "plans")
    report = backup(target)
    assert report.sources == manifest_in(target)["sources"] == [str(tmp_path / "source")]
    assert report.blobs == 2


@SQLITE_ONLY
@pytest.mark.parametrize("damage", ["a flipped bit", "absence", "truncation"])
def test_a_damaged_blob_is_named_and_left_out_and_the_rest_is_saved(
    stored: Document, target: Path, damage: str
) -> None:
    key, path = version_of(stored).sha256, blob_path(stored)
    if damage == "absence":
        path.unlink()
    else:
        path.write_bytes(OTHER[:-1] if damage == "truncation" else OTHER.swapcase())
    report = backup(target)
    assert not report.is_whole
    assert report.problems == [f"The blob {key} is missing or damaged and is not in the backup."]
    assert manifest_in(target)["damaged"] == [key]
    blobs = [name for name in names_in(target) if name.startswith("blobs/")]
    assert [read_in(target, name) for name in blobs] == [CONTENT]
    assert (report.blobs, manifest_in(target)["blobs"]) == (1, 1)


def test_gc_waits_for_a_backup_and_uploads_do_not(
    context: Flask, stored: Document, target: Path, elsewhere: Settings
) -> None:
    """What the backup has a row for is given up, aged and collected while the first of its bytes are copied."""
    with ExitStack() as gc:

        def give_up_everything(_done: int, _total: int) -> None:
            if db.session.get_one(Document, stored.id).trashed_at is None:
                trash_document(None, stored.id)
                with transaction():
                    db.session.get_one(Document, stored.id).trashed_at = moment(31)
                age_blobs(40)
                assert wait_for_lock(gc.enter_context(beside(context, collect)))
                document(category("meanwhile"), "new.txt", b"new", "text/plain")

        backup(target, progress=give_up_everything)
    assert collect().files == 0, "gc has done its work by now"
    assert [key for key, _ in storage().list_keys()] == [version_of(find("new.txt")).sha256]
    with running(elsewhere) as app, app.app_context():
        assert restore(target).is_whole
        assert verify().problems == []
        assert content_of(find("february.txt")) == OTHER


def moment(days: float) -> Any:
    """The stored moment so many days ago."""
    return db.session.scalars(select(ago(days))).one()


def find(filename: str) -> Document:
    release()
    return db.session.scalars(select(Document).where(Document.filename == filename)).one()


@pytest.mark.faults
def test_a_backup_under_uploads_has_all_that_was_acknowledged_before_it(
    context: Flask, target: Path, elsewhere: Settings
) -> None:
    shelf = category("inbox")
    acknowledged: list[str] = []
    is_over: list[bool] = []

    def upload(letter: str) -> None:
        for number in range(MOST_UPLOADS):
            if is_over:
                return
            name = f"{letter}{number}.txt"
            document(shelf, name, name.encode() * 1000, "text/plain")
            acknowledged.append(name)

    with beside(context, lambda: upload("a")) as first, beside(context, lambda: upload("b")):
        while len(acknowledged) < 10 and first.is_alive():
            time.sleep(0.01)
        before = list(acknowledged)
        report = backup(target)
        is_over.append(True)
    assert report.is_whole
    with running(elsewhere) as app, app.app_context():
        restored = restore(target)
        assert (restored.documents, restored.is_whole) == (report.documents, True)
        assert verify().problems == []
        found = {each.filename: each for each in db.session.scalars(select(Document))}
        assert set(before) <= set(found)
        assert all(content_of(each) == name.encode() * 1000 for name, each in found.items())


@POSTGRESQL_IN_SOAK
@pytest.mark.faults
@pytest.mark.timeout(300)
def test_a_kill_at_any_step_leaves_a_whole_backup_or_none(stored: Document, settings: Settings, tmp_path: Path) -> None:
    with Dying() as dying:
        for step in count(1):
            target = tmp_path / f"{step}.tar"
            is_killed = dying.work(settings, "backup", step, target)
            assert not target.exists() or manifest_in(target)["blobs"] == 2
            assert verify().problems == []
            if not is_killed:
                break
    assert step > 2
    assert target.exists()
