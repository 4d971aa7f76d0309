"""A restored portal is the one that was backed up; what cannot be restored is refused and leaves nothing behind."""

import dataclasses
import gzip
import io
import json
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, inspect, select, text

from portal import notices, schema
from portal.accounts.sessions import find_session, start_session
from portal.catalog import put_document, trash_document
from portal.catalog.soundness import UNSEEN
from portal.downloads import Claim, looking, open_for_download, opening
from portal.errors import BadInput, Conflict, PortalError, SchemaMismatch, ShareRevoked
from portal.extensions import db, release_connection, storage, transaction
from portal.integrity import BackupUnusable, backup, collect, restore, scrub, verify
from portal.models import (
    INDEX_TABLES,
    ApiToken,
    AuditEvent,
    AuthenticatorApp,
    Blob,
    BulkEdit,
    BulkItem,
    CategoryField,
    Challenge,
    Distribution,
    DistributionLine,
    Document,
    DocumentTag,
    FieldValue,
    FileRequest,
    Follow,
    HouseRule,
    Identity,
    KnownDevice,
    Mail,
    PendingSignIn,
    Preview,
    ProviderRequest,
    RecoveryCode,
    ResetRequest,
    SavedSearch,
    SearchTerm,
    Seen,
    SignInAttempt,
    Submission,
    Tag,
    Upload,
)
from portal.ranges import Span
from portal.settings import Settings
from portal.shares import find_ticket, open_link, reserve, revoke_link
from portal.uploads import index_directory
from tests.databases import SQLITE_ONLY, connected
from tests.integrity.conftest import Install
from tests.integrity.stock import (
    POSTGRESQL_IN_SOAK,
    Dying,
    blob_path,
    content_of,
    facts_of,
    files_below,
    keep_without_row,
    path_of,
    rows_of,
    version_of,
)
from tests.makers import (
    NETWORK,
    actor,
    category,
    document,
    edition,
    grant,
    group,
    link,
    mail,
    now,
    passkey,
    person,
    release,
    running,
    settings_for,
)

LEFT_OUT = (*UNSEEN, "search_key")
"""Columns that say what was found on this machine."""
CONTENT = b"Report of February\n"
OTHER = b"Report of March\n"


@pytest.fixture
def stored(context: Flask) -> Document:
    made = document(category("reports/2018"), "february.txt", CONTENT, "text/plain")
    document(category("reports/2018"), "february.txt", OTHER, "text/plain")
    return made


@pytest.fixture
def saved(stored: Document, tmp_path: Path) -> Path:
    """A backup of a portal with a document in it."""
    backup(tmp_path / "portal.tar")
    return tmp_path / "portal.tar"


@pytest.fixture
def there(elsewhere: Settings, saved: Path) -> Iterator[Flask]:
    """Another, empty portal, whose context is the one in force."""
    with running(elsewhere) as app, app.app_context():
        yield app


def find(filename: str) -> Document:
    release()
    return db.session.scalars(select(Document).where(Document.filename == filename)).one()


def test_rows_bytes_and_derived_values_are_those_that_were_saved(
    stored: Document, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    fill_every_table(tmp_path)
    keys = [key for key, _ in storage().list_keys()]
    backup(tmp_path / "portal.tar")
    with running(elsewhere) as app, app.app_context():
        report = restore(tmp_path / "portal.tar")
        assert report.is_whole
        assert (report.problems, report.remarks, report.sources) == ([], [], [str(tmp_path / "source")])
        assert verify().problems == []
        assert [key for key, _ in storage().list_keys()] == keys
        assert content_of(find("february.txt")) == OTHER
    before, after = (_compared(rows_of(one.database_url, LEFT_OUT)) for one in (settings, elsewhere))
    assert all(before.values()), "rows in every table"
    log, restored_log = before.pop("audit_events"), after.pop("audit_events")
    assert after == before
    (added,) = [row for row in restored_log if row not in log]
    assert len(restored_log) == len(log) + 1
    assert "portal.restored" in added


def _compared(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Without the index of words, which is made anew."""
    return {
        name: found
        for name, found in rows.items()
        if not name.startswith((*INDEX_TABLES, "search_changes", "search_terms"))
    }


def fill_every_table(directory: Path) -> None:
    """Sessions, links, tickets, downloads, sources, aliases and the rest, most by the verbs that make them."""
    ada = person("Ada", is_admin=True)
    february = find("february.txt")
    grant(category("reports"), group=group("Clients", ada))
    start_session(ada.id, network=NETWORK, agent="tests")
    _, token = link(february, by=ada, password=None)
    reserve(token, None, network=NETWORK, agent="tests")
    claim = Claim("t:1", link_id=1, ticket_id=1)
    open_for_download(claim, edition(february), [Span(0, len(OTHER))]).close()
    (directory / "source").mkdir()
    (directory / "source" / "plan.txt").write_bytes(b"in place")
    index_directory(None, directory / "source", "plans")
    scrub()
    with transaction() as session:
        for statement in (
            "INSERT INTO packs (uuid, title, created_at) SELECT uuid, 'Pack', created_at FROM documents WHERE id = 1",
            "INSERT INTO pack_items (pack_id, position, document_id) VALUES (1, 0, 1)",
            "INSERT INTO category_aliases (path, category_id, created_at) SELECT 'was', id, created_at"
            " FROM categories WHERE id = 1",
            "INSERT INTO sign_in_attempts (key, at) SELECT 'line\\nbreak\tand \\ ü', created_at FROM users",
            "INSERT INTO one_time_tokens (token_hash, purpose, user_id, created_at, expires_at)"
            " SELECT token_hash, 'reset', 1, created_at, created_at FROM sessions WHERE id = 1",
            "INSERT INTO delegations (uuid, download_id, start, stop, made_at)"
            " SELECT uuid, id, 0, 5, started_at FROM downloads WHERE id = 1",
            "INSERT INTO transfers (download_id, worker, spans)"
            " SELECT id, 'somebody', '[[0, 5]]' FROM downloads WHERE id = 1",
            "INSERT INTO import_runs (directory, into_path, created_at)"
            " SELECT 'scans', 'in', started_at FROM downloads",
            "INSERT INTO imported_files (import_run_id, path, size, mtime_ns, ctime_ns)"
            " SELECT id, 'a/b.pdf', 1, 2, 3 FROM import_runs",
            "INSERT INTO followed_logs (first_line, position, read_at) SELECT 'abc', 7, started_at FROM downloads",
        ):
            session.execute(text(statement))
    passkey(ada)
    notices.send_due(lambda text: None, lambda: False)
    later = now(hours=1)
    with transaction() as session:
        session.add_all(
            [
                AuthenticatorApp(user_id=ada.id, secret="A" * 32),
                RecoveryCode(user_id=ada.id, code_hash=bytes(32)),
                Challenge(challenge=bytes(32), purpose="add", expires_at=later),
                PendingSignIn(token_hash=bytes(32), user_id=ada.id, method="password", expires_at=later),
                KnownDevice(user_id=ada.id, token_hash=bytes(32)),
                ApiToken(
                    user_id=ada.id,
                    name="script",
                    token_hash=bytes(32),
                    token_hint="abcdef",
                    scopes="read",
                    expires_at=later,
                ),
                Identity(user_id=ada.id, issuer="https://id.example.org", subject="ada", email=ada.email),
                ProviderRequest(state_hash=bytes(32), nonce="n", verifier="v", target="/", expires_at=later),
                HouseRule(name="second_factor", value="nobody"),
                ResetRequest(email=ada.email),
                SearchTerm(term="february", grams="feb ebr bru rua uar ary"),
                SavedSearch(user_id=ada.id, name="Reports", query="report"),
                Follow(user_id=ada.id, category_id=february.category_id),
                Seen(user_id=ada.id, document_id=february.id, number=1),
                BulkEdit(created_by_id=ada.id, changes={"tags": ["old"]}, state="done"),
                Tag(name="Weather", name_key="weather"),
                CategoryField(category_id=february.category_id, name="Number", name_key="number", kind="text"),
                Preview(sha256="a" * 64, text="within"),
                Distribution(title="Payslips", category_id=february.category_id, created_by_id=ada.id),
                FileRequest(token_hash=bytes(32), token_hint="abcdef", category_id=1, title="Your papers"),
            ]
        )
    with transaction() as session:
        session.add_all(
            [
                BulkItem(bulk_edit_id=1, document_id=february.id, outcome="changed"),
                DocumentTag(document_id=february.id, tag_id=1),
                FieldValue(document_id=february.id, field_id=1, value="17"),
                DistributionLine(distribution_id=1, number=2, filename="a.pdf", recipient=ada.email),
                Submission(file_request_id=1, sender="Bea", network=NETWORK, receipt_hash=b"r" * 32),
                Upload(user_id=ada.id, category_id=1, filename="a.pdf", size=7, temp="upload-a", expires_at=later),
            ]
        )


def test_a_mail_that_waited_in_a_backup_is_not_sent_a_second_time_unasked(
    context: Flask, elsewhere: Settings, tmp_path: Path
) -> None:
    waiting = mail(person("Ada"))
    backup(tmp_path / "portal.tar")
    with running(elsewhere) as app, app.app_context():
        restore(tmp_path / "portal.tar")
        notices.send_due(pytest.fail, lambda: False)
        found = db.session.get_one(Mail, waiting.id)
        assert (found.state, found.text == waiting.text) == ("parked", True)
        assert found.problem.startswith("It came back with a backup")


def test_what_was_seen_of_files_is_what_is_seen_of_them_here(
    stored: Document, elsewhere: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(tmp_path / "portal.tar")
    with running(elsewhere) as app, app.app_context():
        restore(tmp_path / "portal.tar")
        for blob in db.session.scalars(select(Blob)):
            found = path_of(blob.sha256).stat()
            assert blob.verified_at is not None
            assert (blob.seen_inode, blob.seen_mtime_ns, blob.seen_ctime_ns) == (
                found.st_ino,
                found.st_mtime_ns,
                found.st_ctime_ns,
            )
        release_connection()
        monkeypatch.setattr(looking, "judge", pytest.fail)
        monkeypatch.setattr(opening, "judge", pytest.fail)
        assert content_of(find("february.txt")) == OTHER


def test_bytes_that_are_not_in_the_backup_are_known_to_be_missing(
    stored: Document, elsewhere: Settings, tmp_path: Path
) -> None:
    february = find("february.txt")
    blob_path(february).unlink()
    assert not backup(tmp_path / "portal.tar").is_whole
    release_connection()
    assert db.session.scalars(select(Blob.wanted_at).where(Blob.wanted_at.is_not(None))).one()
    release_connection()
    with running(elsewhere) as app, app.app_context():
        assert not restore(tmp_path / "portal.tar").is_whole
        damaged = [blob.sha256 for blob in db.session.scalars(select(Blob)) if blob.damage == "missing"]
        assert damaged == [version_of(find("february.txt")).sha256]


def test_sessions_and_links_still_work(stored: Document, elsewhere: Settings, tmp_path: Path) -> None:
    ada = person("Ada", is_admin=True)
    session = start_session(ada.id, network=NETWORK, agent="tests")
    _, token = link(stored, by=ada)
    ticket = reserve(token, None, network=NETWORK, agent="tests")
    closed, closed_token = link(stored, by=ada)
    revoke_link(actor(ada), closed.id)
    backup(tmp_path / "portal.tar")
    with running(elsewhere) as app, app.app_context():
        restore(tmp_path / "portal.tar")
        found = find_session(session)
        assert found is not None
        assert (found.name, found.is_admin) == ("Ada", True)
        assert open_link(token, NETWORK).edition.sha256 == facts_of(OTHER).sha256
        assert find_ticket(ticket, NETWORK, "tests") is not None
        with pytest.raises(ShareRevoked):
            open_link(closed_token, NETWORK)


def test_the_log_goes_on_and_is_insert_only_again(saved: Path, there: Flask) -> None:
    restore(saved)
    last = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()
    assert (last.action, last.actor_kind) == ("portal.restored", "operator")
    assert last.details["documents"] == 1
    release()
    with pytest.raises(Exception, match="insert-only"), transaction() as session:
        session.execute(delete(AuditEvent))


def test_an_id_is_never_given_twice_whatever_was_removed_before_the_backup(
    stored: Document, elsewhere: Settings, tmp_path: Path
) -> None:
    highest = stored.id
    with transaction() as session:
        session.add_all([SignInAttempt(key="first"), SignInAttempt(key="second")])
        session.flush()
        session.execute(delete(SignInAttempt))
    backup(tmp_path / "portal.tar")
    with running(elsewhere) as app, app.app_context():
        restore(tmp_path / "portal.tar")
        with transaction() as session:
            session.add(third := SignInAttempt(key="third"))
            session.flush()
            assert third.id == 3
        added = put_document(None, category("new").id, "new.txt", facts_of(CONTENT))
        assert added.document_id == highest + 1


def test_people_and_categories_of_the_empty_portal_give_way(saved: Path, there: Flask) -> None:
    ada = person("Ada", is_admin=True)
    session = start_session(ada.id, network=NETWORK, agent="tests")
    category("its/own")
    restore(saved)
    assert find_session(session) is None
    assert verify().problems == []


def test_a_restored_portal_can_be_saved_and_restored_again(
    saved: Path, there: Flask, install: Install, tmp_path: Path
) -> None:
    restore(saved)
    backup(tmp_path / "again.tar")
    with running(install()) as app, app.app_context():
        restore(tmp_path / "again.tar")
        assert verify().problems == []
        restorations = select(AuditEvent).where(AuditEvent.action == "portal.restored")
        assert len(db.session.scalars(restorations).all()) == 2


def test_nothing_is_left_beside_what_was_restored(saved: Path, there: Flask, elsewhere: Settings) -> None:
    restore(saved)
    require_no_leftovers(elsewhere)


def test_progress_ends_with_all_bytes(saved: Path, there: Flask) -> None:
    told: list[tuple[int, int]] = []
    restore(saved, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(CONTENT + OTHER), len(CONTENT + OTHER))


@SQLITE_ONLY
def test_restored_files_are_the_portals_alone(saved: Path, there: Flask) -> None:
    restore(saved)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in files_below(storage().root / "blobs")}
    assert modes == {0o600}


@SQLITE_ONLY
def test_a_backup_without_damaged_bytes_brings_back_the_rest_and_says_so(
    stored: Document, elsewhere: Settings, tmp_path: Path
) -> None:
    key = version_of(stored).sha256
    blob_path(stored).unlink()
    backup(tmp_path / "portal.tar")
    with running(elsewhere) as app, app.app_context():
        report = restore(tmp_path / "portal.tar")
        assert not report.is_whole
        assert report.problems == [f"The blob {key} was damaged before the backup and is missing."]
        (problem,) = verify().problems
        assert "is missing" in problem


@pytest.fixture
def keyed(settings: Settings, tmp_path: Path) -> tuple[Path, str]:
    """A backup of a portal that made its signing key itself, and the key."""
    with running(dataclasses.replace(settings, secret_key="")) as app, app.app_context():
        backup(tmp_path / "keyed.tar")
        key: str = app.config["SECRET_KEY"]
    return tmp_path / "keyed.tar", key


@SQLITE_ONLY
def test_a_signing_key_comes_back_where_there_is_none(keyed: tuple[Path, str], elsewhere: Settings) -> None:
    saved, key = keyed
    with running(elsewhere) as app, app.app_context():
        report = restore(saved)
    path = elsewhere.secrets_dir / "secret_key"
    assert (path.read_text(), report.remarks) == (key, [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with running(dataclasses.replace(elsewhere, secret_key="")) as app:
        assert app.config["SECRET_KEY"] == key


@SQLITE_ONLY
def test_a_signing_key_that_differs_is_kept_and_said(keyed: tuple[Path, str], elsewhere: Settings) -> None:
    with running(dataclasses.replace(elsewhere, secret_key="")) as app, app.app_context():
        report = restore(keyed[0])
        assert (elsewhere.secrets_dir / "secret_key").read_text() == app.config["SECRET_KEY"] != keyed[1]
    (remark,) = report.remarks
    assert "was kept" in remark
    assert keyed[1] not in remark
    assert report.is_whole


@SQLITE_ONLY
def test_the_same_signing_key_is_nothing_to_remark_on(keyed: tuple[Path, str], elsewhere: Settings) -> None:
    elsewhere.secrets_dir.mkdir(parents=True)
    path = elsewhere.secrets_dir / "secret_key"
    path.write_text(keyed[1])
    path.chmod(0o600)
    with running(dataclasses.replace(elsewhere, secret_key="")) as app, app.app_context():
        assert restore(keyed[0]).remarks == []


EXTRA = """
import sqlalchemy as sa
from alembic import op
revision = "extra"
down_revision = "{head}"

def upgrade():
    op.create_table("extra", sa.Column("a", sa.Text()))
    op.execute("UPDATE documents SET title = title || ' (migrated)'")
"""


def test_a_backup_of_an_older_schema_is_migrated(
    saved: Path, elsewhere: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, newer, ignore=shutil.ignore_patterns("__pycache__"))
    (newer / "versions" / "extra.py").write_text(EXTRA.format(head=schema.head()))
    monkeypatch.setattr(schema, "MIGRATIONS", newer)
    schema.migrate(elsewhere.database_url)
    with running(elsewhere) as app, app.app_context():
        restore(saved)
        assert find("february.txt").title == "february (migrated)"
        with db.engine.connect() as connection:
            assert schema.current(connection) == "extra"


def test_a_backup_of_a_newer_schema_is_refused(
    stored: Document, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    with transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'of_tomorrow'"))
    backup(tmp_path / "portal.tar")
    with running(elsewhere) as app, app.app_context():
        require_refused(tmp_path / "portal.tar", elsewhere, Conflict, "newer version of the portal")


def test_a_portal_whose_schema_is_not_this_programs_is_migrated_first(saved: Path, there: Flask) -> None:
    with transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'of_yesterday'"))
    with pytest.raises(SchemaMismatch, match="portal migrate"):
        restore(saved)


@pytest.mark.parametrize("is_trashed", [False, True])
def test_a_portal_with_documents_is_not_restored_into(saved: Path, settings: Settings, is_trashed: bool) -> None:
    if is_trashed:
        trash_document(None, find("february.txt").id)
    before, files = rows_of(settings.database_url), files_below(storage().root / "blobs")
    with pytest.raises(Conflict, match="There are documents here already"):
        restore(saved)
    assert rows_of(settings.database_url) == before
    assert files_below(storage().root / "blobs") == files


@pytest.mark.parametrize("kinds", [("sqlite", "PostgreSQL"), ("postgresql", "SQLite")])
def test_a_backup_of_another_kind_of_database_is_refused(
    request: pytest.FixtureRequest, tmp_path: Path, kinds: tuple[str, str]
) -> None:
    here: Settings = settings_for(request.getfixturevalue(f"{kinds[0]}_database"), tmp_path)
    with running(here) as app, app.app_context():
        document(category(), "february.txt", CONTENT, "text/plain")
        backup(tmp_path / "portal.tar")
    (tmp_path / "there").mkdir()
    there = settings_for(request.getfixturevalue(f"{kinds[1].lower()}_database"), tmp_path / "there")
    with running(there) as app, app.app_context():
        require_refused(tmp_path / "portal.tar", there, Conflict, f"this portal uses {kinds[1]}")


def require_refused(saved: Path, there: Settings, kind: type[PortalError], words: str) -> None:
    """A refusal with a sentence, after which everything is as it was."""
    release()
    before = rows_of(there.database_url)
    with pytest.raises(kind, match=words) as refusal:
        restore(saved)
    assert refusal.value.sentence[-1] in ".:"
    assert rows_of(there.database_url) == before
    assert files_below(storage().root / "blobs") == []
    assert not there.secrets_dir.exists() or files_below(there.secrets_dir) == []
    require_no_leftovers(there)


def require_no_leftovers(there: Settings) -> None:
    """Neither temp files, nor a second database."""
    assert [path.name for path in files_below(storage().root / "tmp")] in ([], [".lock"])
    require_nothing_beside(there)


def require_nothing_beside(there: Settings) -> None:
    """No second database."""
    assert not (there.data / "restoring").exists()
    with connected(there.database_url) as connection:
        assert "portal_restoring" not in inspect(connection).get_schema_names()


@SQLITE_ONLY
def test_a_file_that_is_not_there_is_said(there: Flask, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="There is no file"):
        restore(tmp_path / "nothing.tar")


def alien(path: Path, **contents: bytes) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


ALIENS: dict[str, Callable[[Path], object]] = {
    "an empty file": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(10_240)),
    "noise": lambda path: path.write_bytes(bytes(range(256)) * 100),
    "a text": lambda path: path.write_text("a backup, honestly\n" * 100),
    "somebody else's tar": lambda path: alien(path, readme=b"hello"),
    "an empty manifest": lambda path: alien(path, **{"manifest.json": b""}),
    "a manifest of something else": lambda path: alien(path, **{"manifest.json": b'{"format": 1}'}),
    "a manifest that is a list": lambda path: alien(path, **{"manifest.json": b"[1]"}),
    "a manifest of brackets": lambda path: alien(path, **{"manifest.json": b"[" * 100_000}),
}


@SQLITE_ONLY
@pytest.mark.parametrize("what", ALIENS)
def test_what_is_no_backup_is_refused(there: Flask, elsewhere: Settings, tmp_path: Path, what: str) -> None:
    ALIENS[what](tmp_path / "alien.tar")
    require_refused(tmp_path / "alien.tar", elsewhere, BackupUnusable, "Nothing was changed")


@SQLITE_ONLY
@pytest.mark.parametrize("content", [b"", b"a note", bytes(511), bytes(4096), b"no tar at all" * 400])
def test_a_file_that_never_was_a_backup_is_called_none(
    there: Flask, elsewhere: Settings, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "alien.tar").write_bytes(content)
    require_refused(tmp_path / "alien.tar", elsewhere, BackupUnusable, "This file is not a backup of the portal")


@SQLITE_ONLY
def test_a_compressed_backup_is_refused(saved: Path, there: Flask, elsewhere: Settings) -> None:
    saved.write_bytes(gzip.compress(saved.read_bytes()))
    require_refused(saved, elsewhere, BackupUnusable, "Nothing was changed")


@SQLITE_ONLY
def test_a_backup_cut_off_anywhere_is_refused(saved: Path, there: Flask, elsewhere: Settings) -> None:
    whole = saved.read_bytes()
    records = range(0, len(whole) - 1024, 512)
    for size in (*records[:: len(records) // 12], *records[-6:], 100, 513, len(whole) - 1025):
        saved.write_bytes(whole[:size])
        require_refused(saved, elsewhere, BackupUnusable, "Nothing was changed")


Members = list[tuple[tarfile.TarInfo, bytes]]


def rewritten(saved: Path, change: Callable[[Members], object]) -> None:
    """Write the backup anew after a change to its list of members."""
    members: Members = []
    with tarfile.open(saved, "r:") as tar:
        for info in tar:
            found = tar.extractfile(info)
            members.append((info, found.read() if found else b""))
    change(members)
    with tarfile.open(saved, "w", format=tarfile.GNU_FORMAT) as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def member(name: str, content: bytes = b"", **facts: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info, content


def in_manifest(members: Members, **facts: object) -> None:
    """Change the manifest too, as somebody would who means it."""
    info, content = members[-1]
    members[-1] = (info, json.dumps(json.loads(content) | facts).encode())


def rename(members: Members, at: int, name: str) -> None:
    members[at][0].name = name


def blob_of(content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    key = facts_of(content).sha256
    return member(f"blobs/{key[:2]}/{key[2:4]}/{key}", content)


def replace_a_blob_by_another(members: Members) -> None:
    """Sound bytes under their own key, but not those the database needs."""
    members[1:3] = sorted([members[1], blob_of(b"something else")], key=lambda each: each[0].name)


def damage_the_database(members: Members) -> None:
    info, content = members[0]
    middle = len(content) // 2  # turned round, for there may be nothing but zeros
    turned = bytes(byte ^ 0xFF for byte in content[middle : middle + 64])
    members[0] = (info, content[:middle] + turned + content[middle + 64 :])


def drop_a_blob(members: Members) -> None:
    del members[1]
    in_manifest(members, blobs=1)


CHANGES: dict[str, Callable[[Members], object]] = {
    "a member more": lambda members: members.insert(0, member("readme", b"hello")),
    "a member after the end": lambda members: members.append(blob_of(b"\xff")),
    "a member above the directory": lambda members: members.insert(0, member("../../secrets/secret_key", b"x" * 48)),
    "an absolute member": lambda members: members.insert(0, member("/etc/passwd", b"root")),
    "a secret in a sub-directory": lambda members: members.insert(1, member("secrets/../../key", b"x" * 48)),
    "a huge secret": lambda members: members.insert(1, member("secrets/secret_key", b"x" * 100_000)),
    "a link": lambda members: members.insert(1, member("secrets/key", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
    "a hard link": lambda members: members.insert(1, member("secrets/key", type=tarfile.LNKTYPE, linkname="x")),
    "a device": lambda members: members.insert(1, member("secrets/key", type=tarfile.CHRTYPE)),
    "a directory": lambda members: members.insert(1, member("secrets/key", type=tarfile.DIRTYPE)),
    "a blob twice": lambda members: members.insert(1, members[1]),
    "blobs in another order": lambda members: members.insert(1, members.pop(2)),
    "a blob less": lambda members: members.pop(1),
    "a blob less in the manifest too": drop_a_blob,
    "a blob more": lambda members: members.insert(3, blob_of(b"more")),
    "another blob": replace_a_blob_by_another,
    "other bytes of a blob": lambda members: members.insert(1, (members[1][0], members.pop(1)[1].swapcase())),
    "fewer bytes of a blob": lambda members: members.insert(1, (members[1][0], members.pop(1)[1][1:])),
    "a blob on another shelf": lambda members: rename(members, 1, "blobs/00/00/" + members[1][0].name[-64:]),
    "a blob in capitals": lambda members: rename(members, 1, members[1][0].name.upper().replace("BLOBS", "blobs")),
    "no database": lambda members: members.pop(0),
    "two databases": lambda members: members.insert(0, members[0]),
    "another database": lambda members: members.insert(0, (members.pop(0)[0], b"SQLite format 3\0" + bytes(4096))),
    "a damaged database": damage_the_database,
    "no manifest": lambda members: members.pop(),
    "the manifest first": lambda members: members.insert(0, members.pop()),
    "other counts": lambda members: in_manifest(members, counts={"documents": 5}),
    "counts that are texts": lambda members: in_manifest(members, counts={"documents": "5"}),
    "no counts": lambda members: in_manifest(members, counts=None),
    "another revision": lambda members: in_manifest(members, revision="20200101_never"),
    "a revision that is no text": lambda members: in_manifest(members, revision=[]),
    "another kind": lambda members: in_manifest(members, kind="oracle"),
    "a newer format": lambda members: in_manifest(members, format=2),
    "something unknown": lambda members: in_manifest(members, colour="blue"),
}


@SQLITE_ONLY
@pytest.mark.parametrize("what", CHANGES)
def test_a_backup_that_was_changed_is_refused(saved: Path, there: Flask, elsewhere: Settings, what: str) -> None:
    rewritten(saved, CHANGES[what])
    require_refused(saved, elsewhere, PortalError, "Nothing was changed|newer version")


def database_of(members: Members, change: Callable[[bytes], bytes]) -> None:
    """Other contents of the database, and a manifest that stands by them."""
    info, before = members[0]
    content = change(before)
    assert content != before
    members[0] = (info, content)
    in_manifest(members, database_sha256=facts_of(content).sha256, database_size=len(content))


DATABASES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "no database": ("sqlite", lambda _: b"not a database"),
    "an empty one": ("sqlite", lambda _: b""),
    "a broken page": ("sqlite", lambda content: content[:8192] + b"\xff" * 4096 + content[12288:]),
    "half of one": ("sqlite", lambda content: content[: len(content) // 2]),
    "SQL": ("postgresql", lambda content: content + b"DROP TABLE users;\n"),
    "SQL behind a COPY": (
        "postgresql",
        lambda content: content.replace(b"FROM stdin;", b"FROM stdin; DROP TABLE users;"),
    ),
    "a program": ("postgresql", lambda content: content.replace(b"FROM stdin", b"FROM PROGRAM 'id'")),
    "a table twice": ("postgresql", lambda content: content * 2),
    "a table less": ("postgresql", lambda content: content[content.index(b'COPY "blobs"') :]),
    "an unknown table": ("postgresql", lambda content: content.replace(b'COPY "packs"', b'COPY "pg_authid"')),
    "an unknown column": ("postgresql", lambda content: content.replace(b'"token_hint"', b'"token_hints"')),
    "half a row": ("postgresql", lambda content: content.replace(b"february.txt\t", b"february.txt")),
    "a row of nothing": ("postgresql", lambda content: content.replace(b"\t2\tfebruary", b"\t77\tfebruary")),
    "a value that is none": ("postgresql", lambda content: content.replace(b"\tf\t", b"\tperhaps\t")),
    "no end": ("postgresql", lambda content: content[: content.rindex(b"\\.") - 1] + b"\n"),
    "a foreign sequence": (
        "postgresql",
        lambda content: content.replace(b"'\"users_id_seq\"'", b'\'"public"."users_id_seq"\''),
    ),
}


@pytest.mark.parametrize(
    ("database", "what"), [(kind, what) for what, (kind, _) in DATABASES.items()], indirect=["database"]
)
def test_a_database_in_a_backup_that_is_none_of_ours_is_refused(
    saved: Path, there: Flask, elsewhere: Settings, what: str
) -> None:
    rewritten(saved, lambda members: database_of(members, DATABASES[what][1]))
    require_refused(saved, elsewhere, BackupUnusable, "Nothing was changed")


@SQLITE_ONLY
@pytest.mark.parametrize("flips", [8, pytest.param(240, marks=pytest.mark.soak)])
def test_a_flipped_bit_anywhere_is_refused_or_harmless(saved: Path, install: Install, flips: int) -> None:
    whole = saved.read_bytes()
    there = install()
    for number in range(flips):
        at = number * len(whole) // flips + number
        saved.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with running(there) as app, app.app_context():
            try:
                restore(saved)
            except BackupUnusable:
                assert files_below(storage().root / "blobs") == []
                continue
            assert verify().problems == []
            assert content_of(find("february.txt")) == OTHER
        there = install()


@SQLITE_ONLY
def test_bytes_that_were_there_before_stay_when_a_restore_fails(
    saved: Path, there: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.integrity.restoring.KEPT_AT_ONCE", 1)
    first, last = sorted([CONTENT, OTHER], key=lambda content: facts_of(content).sha256)
    mine = keep_without_row(b"of somebody else")
    rewritten(saved, lambda members: members.insert(2, (members.pop(2)[0], bytes(len(last)))))
    with pytest.raises(BackupUnusable):
        restore(saved)
    assert files_below(storage().root / "blobs") == [mine], "the first blob was brought and taken away again"
    same = keep_without_row(first)
    with pytest.raises(BackupUnusable):
        restore(saved)
    assert files_below(storage().root / "blobs") == sorted([mine, same])


def test_a_database_that_refuses_the_rows_stays_as_it_was(saved: Path, there: Flask, elsewhere: Settings) -> None:
    person("Ada", is_admin=True)
    refusing = {
        "sqlite": "CREATE TRIGGER refusing BEFORE INSERT ON versions BEGIN SELECT RAISE(ABORT, 'not here'); END",
        "postgresql": "ALTER TABLE versions ADD CONSTRAINT refusing CHECK (id < 0)",
    }
    with transaction() as session:
        session.execute(text(refusing[db.engine.dialect.name]))
    require_refused(saved, elsewhere, BackupUnusable, "Nothing was changed")
    assert find_session("") is None


@POSTGRESQL_IN_SOAK
@pytest.mark.faults
@pytest.mark.timeout(300)
def test_a_kill_at_any_step_leaves_a_portal_that_is_empty_or_whole(
    saved: Path, settings: Settings, install: Install
) -> None:
    with Dying() as dying:
        for step in count(1):
            there = install()
            is_killed = dying.work(there, "restore", step, saved)
            with running(there) as app, app.app_context():
                if rows_of(there.database_url)["documents"]:
                    collect()
                else:
                    restore(saved)
                assert verify().problems == []
                assert content_of(find("february.txt")) == OTHER
                require_nothing_beside(there)
            if not is_killed:
                break
    assert step > 8
