"""Restore: a backup into an installation without documents, wholly or not at all.

Bytes first, rows last: the database of the backup is checked aside, every blob it names is hashed on its way into the
storage, and one transaction then replaces all rows. Whatever fails before its commit is undone; a kill leaves bytes
that nobody can reach and a database without documents, into which the same backup can be restored again, or the whole.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import exists, select, text
from sqlalchemy.exc import DataError, IntegrityError

from portal import audit, notices, previews, schema, search
from portal.errors import Conflict
from portal.extensions import db, release_connection, settings, storage, transaction
from portal.integrity import postgresql, sqlite
from portal.integrity.archive import DATABASES, MANIFEST, ArchiveReader, BackupUnusable, Member, opened
from portal.integrity.manifest import Manifest
from portal.integrity.reading import Checksums, Progress, Tally, in_groups, private_file
from portal.integrity.snapshot import Staged
from portal.integrity.stamps import Stamps
from portal.models import Document
from portal.storage import Received

KINDS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
MANIFEST_BYTES = 64 * 1024 * 1024
SECRET_BYTES = 64 * 1024
KEPT_AT_ONCE = 200
"""Blobs made durable together."""


@dataclass
class RestoreReport:
    """What came back. ``sources`` are directories indexed in place, which must be where they were.

    ``problems`` are sentences about bytes that were damaged before the backup and did not come back, ``remarks`` about
    secrets that were kept.
    """

    made_at: str
    documents: int
    versions: int
    blobs: int
    blob_bytes: int
    sources: list[str]
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether every document has its bytes back; otherwise commands exit with a failure."""
        return not self.problems


@dataclass(frozen=True)
class Contents:
    """The members of an archive that are not blobs, looked up before anything is done."""

    manifest: Manifest
    database: Member
    secrets: list[Member]


def restore(source: Path, *, progress: Progress | None = None) -> RestoreReport:
    """Bring back the backup at ``source``. Uploads and gc wait meanwhile; ``progress`` is told bytes.

    Raises Conflict when there are documents already or the backup is of another kind of database or a newer program,
    BackupUnusable when it is none or not whole, BadInput when it is not there.
    """
    schema.require_head(settings().database_url)
    with opened(source) as archive:
        contents = _look_through(archive)
        _require_fitting(contents.manifest)
        release_connection()
        with storage().removing(), _cleared_workroom() as work, ExitStack() as undo:
            _require_empty()
            staged = _stage(archive, contents, work)
            report = _report_of(contents.manifest)
            stamps = Stamps(work / "stamps")
            _bring_blobs(archive, contents.manifest, staged, stamps, undo, progress=progress)
            _bring_secrets(archive, contents.secrets, report, undo)
            _move_in(staged, contents.manifest, stamps)
            undo.pop_all()
    return report


def _look_through(archive: ArchiveReader) -> Contents:
    """Read every header once: nothing that is not ours, nothing twice, blobs by rising key, the manifest at the end."""
    found: dict[str, Member] = {}
    last, blobs, is_over = "", 0, False
    for member in archive.members():
        if is_over or member.name in found or (member.blob is not None and member.blob <= last):
            raise BackupUnusable
        if member.blob is None:
            found[member.name] = member
            is_over = member.name == MANIFEST
        else:
            last, blobs = member.blob, blobs + 1
    if not is_over:
        raise BackupUnusable("This backup was never finished. Nothing was changed.")
    manifest = Manifest.from_json(archive.read(found.pop(MANIFEST), MANIFEST_BYTES))
    database = found.pop(DATABASES.get(manifest.kind, ""), None)
    if database is None or database.size != manifest.database_size or blobs != manifest.blobs:
        raise BackupUnusable
    secrets = [member for member in found.values() if member.secret and member.size <= SECRET_BYTES]
    if len(secrets) != len(found):
        raise BackupUnusable
    return Contents(manifest, database, secrets)


def _require_fitting(manifest: Manifest) -> None:
    here = db.engine.dialect.name
    if manifest.kind != here:
        raise Conflict(
            f"This is a backup of a {KINDS[manifest.kind]} database, and this portal uses {KINDS[here]}."
            " Set PORTAL_DATABASE_URL to one of the same kind, run portal migrate, then restore."
        )
    scripts = ScriptDirectory.from_config(schema.config(""))
    if manifest.revision not in {script.revision for script in scripts.walk_revisions()}:
        raise Conflict("This backup was made by a newer version of the portal. Update this one first.")


def _require_empty() -> None:
    if db.session.scalar(select(exists().select_from(Document))):
        raise Conflict("There are documents here already. A backup is restored only into a portal without any.")
    release_connection()


def remove_leftovers() -> None:
    """Remove the database that a restore has brought beside the one in use when it was killed."""
    if _workroom().exists():
        with storage().removing():
            _clear()


def _clear() -> None:
    """The directory goes last: while it is there, there may be more."""
    if db.engine.dialect.name == "postgresql":
        postgresql.discard(db.engine.url)
    shutil.rmtree(_workroom(), ignore_errors=True)


def _workroom() -> Path:
    return settings().data / "restoring"


@contextmanager
def _cleared_workroom() -> Iterator[Path]:
    """A directory of our own, empty, and nothing else of a restore before this one or after it."""
    _clear()
    _workroom().mkdir(mode=0o700)
    try:
        yield _workroom()
    finally:
        _clear()


def _stage(archive: ArchiveReader, contents: Contents, work: Path) -> Staged:
    """The database of the backup, checked against the manifest and brought to this program's schema."""
    manifest, file = contents.manifest, work / contents.database.name
    checksums = Checksums()
    with file.open("xb") as out:
        for block in archive.blocks(contents.database):
            checksums.update(block)
            out.write(block)
    if checksums.sha256 != manifest.database_sha256:
        raise BackupUnusable("The database in this backup is damaged. Nothing was changed.")
    stage = sqlite.stage if manifest.kind == "sqlite" else postgresql.stage
    staged: Staged = stage(file, manifest.revision)
    if staged.snapshot.counts != manifest.counts:
        raise BackupUnusable
    return staged


def _bring_blobs(
    archive: ArchiveReader,
    manifest: Manifest,
    staged: Staged,
    stamps: Stamps,
    undo: ExitStack,
    *,
    progress: Progress | None,
) -> None:
    """Every blob that has a row, and no other; both stand in the same order. On failure those that were not here go."""
    damaged = set(manifest.damaged)
    wanted = (row for row in staged.snapshot.each_blob() if row[0] not in damaged)
    blobs = (member for member in archive.members() if member.blob is not None)
    tally = Tally(progress, manifest.blob_bytes)
    added: list[str] = []
    undo.callback(_remove_all, added)
    for group in in_groups(zip_longest(blobs, wanted), KEPT_AT_ONCE):
        if any(member is None or (member.blob, member.size) != row for member, row in group):
            raise BackupUnusable
        with ExitStack() as temps:
            received = [_receive(archive, member, temps) for member, _ in group if member is not None]
            added += [one.sha256 for one in received if storage().stat(one.sha256) is None]
            stamps.note(storage().keep_all(received))
        tally.add(sum(one.size for one in received))


def _receive(archive: ArchiveReader, member: Member, temps: ExitStack) -> Received:
    """The bytes of a blob, flushed to disk and found to be those its key names."""
    incoming = storage().receive(member.size)
    temps.callback(incoming.discard)
    for block in archive.blocks(member):
        incoming.write(block)
    received = incoming.finish()
    if received.sha256 != member.blob:
        raise BackupUnusable(f"The blob {member.blob} in this backup is damaged. Nothing was changed.")
    return received


def _remove_all(keys: list[str]) -> None:
    for key in keys:
        storage().remove(key)


def _bring_secrets(archive: ArchiveReader, secrets: list[Member], report: RestoreReport, undo: ExitStack) -> None:
    """Secrets that are not here yet; one that is here and differs is kept, for others may rely on it."""
    directory = settings().secrets_dir
    directory.mkdir(mode=0o700, exist_ok=True)
    for member in secrets:
        path, content = directory / str(member.secret), archive.read(member, SECRET_BYTES)
        if not os.path.lexists(path):
            undo.callback(path.unlink, missing_ok=True)
            with private_file(path) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        elif path.read_bytes() != content:
            report.remarks.append(
                f"{path} is not the one of the backup and was kept. To go on with that one, stop the portal and take"
                f" {member.name} out of the backup with tar."
            )


def _move_in(staged: Staged, manifest: Manifest, stamps: Stamps) -> None:
    """The one transaction that makes the backup the database in use."""
    try:
        with transaction() as session:
            if manifest.kind == "postgresql":
                session.execute(text("LOCK TABLE documents IN ACCESS EXCLUSIVE MODE"))
            _require_empty()
            staged.move_in(session)
            notices.park_waiting()
            search.start_over()
            previews.start_over()
            stamps.remember()
            made_at, documents = manifest.made_at, manifest.counts["documents"]
            audit.record_event("portal.restored", actor=None, made_at=made_at, documents=documents)
    except (IntegrityError, DataError) as problem:
        raise BackupUnusable from problem
    db.session.expunge_all()  # whatever was read before is of another portal


def _report_of(manifest: Manifest) -> RestoreReport:
    return RestoreReport(
        made_at=manifest.made_at,
        documents=manifest.counts["documents"],
        versions=manifest.counts["versions"],
        blobs=manifest.blobs,
        blob_bytes=manifest.blob_bytes,
        sources=manifest.sources,
        problems=[f"The blob {key} was damaged before the backup and is missing." for key in manifest.damaged],
    )
