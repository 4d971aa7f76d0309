"""Backup: database, bytes and secrets of one moment in one tar, taken while the portal is in use.

First the database, then the bytes its rows name: what is uploaded meanwhile is in neither, and gc, the only one who
removes bytes, waits until the backup is done. So no row of the backup points at bytes that are not in it, unless they
were damaged already: then the backup is finished without them, names them, and reports a problem. A backup that stopped
at the first damaged document would leave its owner without any of the others.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from portal.catalog.soundness import want_blob
from portal.errors import BadInput, Conflict, ContentUnavailable
from portal.extensions import db, release_connection, settings, storage
from portal.integrity import postgresql, sqlite
from portal.integrity.archive import DATABASES, MANIFEST, ArchiveWriter, blob_name, secret_name
from portal.integrity.manifest import FORMAT, Manifest
from portal.integrity.reading import Checksums, Progress, Tally, blocks_of, private_file
from portal.integrity.snapshot import Snapshot
from portal.storage import BLOCK, OpenedBytes
from portal.storage.files import sync_directory


@dataclass
class BackupReport:
    """What the backup has: rows and blobs by number, ``size`` of the file in bytes.

    ``sources`` are directories indexed in place, which stay where they are and are not in it; ``problems`` are
    sentences about bytes that were damaged before and are missing in it.
    """

    path: Path
    size: int = 0
    documents: int = 0
    versions: int = 0
    blobs: int = 0
    blob_bytes: int = 0
    sources: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing that should be in it is missing; otherwise commands exit with a failure."""
        return not self.problems


class DamagedBlob(Exception):
    """The bytes are not those the key names."""


def backup(target: Path, *, progress: Progress | None = None) -> BackupReport:
    """Write a backup to ``target``, which must not exist; 0600, for it holds everything, the signing key too.

    It appears whole or not at all. ``progress`` is told bytes. Raises Conflict when there is something at ``target``,
    BadInput when its directory is not there, OSError when it cannot be written.
    """
    target = target.absolute()
    _require_free(target)
    release_connection()
    with TemporaryDirectory(prefix=".backup-", dir=target.parent) as work, storage().placing():
        snapshot = _dump(Path(work))
        temp = Path(work) / "archive"
        report = BackupReport(target, sources=snapshot.sources)
        with private_file(temp) as file:
            _write(file, snapshot, report, progress)
        _require_free(target)
        os.rename(temp, target)
        sync_directory(target.parent)
    return report


def _require_free(target: Path) -> None:
    if not target.parent.is_dir():
        raise BadInput(f"There is no directory {target.parent}.")
    if os.path.lexists(target):
        raise Conflict(f"{target} is already there. A backup overwrites nothing; choose another name.")


def _dump(directory: Path) -> Snapshot:
    kind = db.engine.dialect.name
    file = directory / DATABASES[kind]
    return sqlite.dump(file) if kind == "sqlite" else postgresql.dump(file)


def _write(file: BinaryIO, snapshot: Snapshot, report: BackupReport, progress: Progress | None) -> None:
    made_at = datetime.now(UTC)
    writer = ArchiveWriter(file, int(made_at.timestamp()))
    _add_file(writer, snapshot.file.name, snapshot.file)
    _add_secrets(writer)
    damaged = _add_blobs(writer, snapshot, report, progress)
    report.documents, report.versions = snapshot.counts["documents"], snapshot.counts["versions"]
    manifest = Manifest(
        format=FORMAT,
        program=version("portal"),
        made_at=made_at.isoformat(timespec="seconds"),
        kind=db.engine.dialect.name,
        revision=snapshot.revision,
        database_sha256=_sha256_of(snapshot.file),
        database_size=snapshot.file.stat().st_size,
        counts=snapshot.counts,
        blobs=report.blobs,
        blob_bytes=report.blob_bytes,
        damaged=damaged,
        sources=snapshot.sources,
    ).to_json()
    writer.add(MANIFEST, len(manifest), [manifest])
    report.size = writer.finish()


def _add_blobs(writer: ArchiveWriter, snapshot: Snapshot, report: BackupReport, progress: Progress | None) -> list[str]:
    """Every blob the snapshot has a row for, hashed while it is copied; the keys of those that are not as they were."""
    damaged = []
    tally = Tally(progress, sum(size for _, size in snapshot.each_blob()))
    for sha256, size in snapshot.each_blob():
        try:
            with storage().open(sha256, size) as opened:
                writer.add(blob_name(sha256), size, _checked(opened, sha256))
        except (ContentUnavailable, DamagedBlob):
            damaged.append(sha256)
            want_blob(sha256)  # who scrubs finds out what is wrong with it
            report.problems.append(f"The blob {sha256} is missing or damaged and is not in the backup.")
        else:
            report.blobs += 1
            report.blob_bytes += size
        tally.add(size)
    return damaged


def _checked(opened: OpenedBytes, sha256: str) -> Iterator[bytes]:
    """The bytes, and at their end DamagedBlob unless they were those the key names."""
    checksums = Checksums()
    blocks = blocks_of(opened)
    while block := _next(blocks):
        checksums.update(block)
        yield block
    if checksums.sha256 != sha256:
        raise DamagedBlob


def _next(blocks: Iterator[bytes]) -> bytes:
    """The next block, empty at the end: an OSError in here is of the blob, not of the backup's own file."""
    try:
        return next(blocks, b"")
    except OSError as problem:
        raise DamagedBlob from problem


def _add_secrets(writer: ArchiveWriter) -> None:
    directory = settings().secrets_dir
    for path in sorted(directory.iterdir()) if directory.is_dir() else []:
        name = secret_name(path.name)
        if name is not None and path.is_file():
            _add_file(writer, name, path)


def _add_file(writer: ArchiveWriter, name: str, path: Path) -> None:
    with path.open("rb") as file:
        writer.add(name, path.stat().st_size, iter(lambda: file.read(BLOCK), b""))


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
