"""Verify: whether rows and bytes still agree. Changes nothing, and may run while the portal is in use."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, exists, func, literal, select
from sqlalchemy.exc import DatabaseError

from portal.errors import ContentUnavailable, SourceChanged, StorageFailed
from portal.extensions import db, release_connection, storage
from portal.integrity import rows
from portal.integrity.reading import (
    BATCH,
    Checksums,
    Progress,
    Tally,
    blocks_of,
    in_groups,
    in_pages,
    is_old,
    known_keys,
)
from portal.models import Blob, Document, SourceDirectory, Version
from portal.storage import Source

TOLD = 3
"""So many of the documents that need damaged bytes are named."""


@dataclass
class VerifyReport:
    """What was looked at, and what is wrong in sentences that name rows by their ids.

    ``source_files`` are the current versions of live documents in sources: older ones are nobody's promise there.
    ``on_their_way`` are files younger than a day that no row refers to (yet).
    """

    documents: int = 0
    versions: int = 0
    blobs: int = 0
    source_files: int = 0
    bytes_read: int = 0
    on_their_way: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


class Verification:
    """One pass over everything."""

    def __init__(self, progress: Progress | None) -> None:
        self.report = VerifyReport()
        self._progress = progress
        self._tally = Tally(None, 0)

    def run(self) -> VerifyReport:
        """Every check in turn; one that cannot be made is a problem and does not keep the others from being made."""
        for check in (
            rows.database_problems,
            rows.category_problems,
            rows.document_problems,
            rows.version_problems,
            rows.search_problems,
            self._count,
            self._blob_problems,
            self._source_problems,
            self._file_problems,
            self._stranger_problems,
        ):
            self._collect(check)
        return self.report

    def _collect(self, check: Callable[[], Iterator[str]]) -> None:
        try:
            for problem in check():
                self.report.problems.append(problem)
            release_connection()
        except DatabaseError as problem:
            db.session.rollback()
            self.report.problems.append(f"The database cannot be read: {problem.orig}.")
        except StorageFailed as problem:
            self.report.problems.append(f"The storage cannot be looked through: {problem.__cause__ or problem}.")

    def _count(self) -> Iterator[str]:
        self.report.documents = db.session.scalars(select(func.count(Document.id))).one()
        self.report.versions = db.session.scalars(select(func.count(Version.id))).one()
        in_blobs = db.session.scalars(select(func.coalesce(func.sum(Blob.size), 0))).one()
        indexed = _indexed().with_only_columns(func.coalesce(func.sum(Version.size), 0))
        self._tally = Tally(self._progress, int(in_blobs) + int(db.session.scalars(indexed).one()))
        yield from ()

    def _blob_problems(self) -> Iterator[str]:
        for page in in_pages(select(Blob.id, Blob.sha256, Blob.size, Blob.crc32), Blob.id):
            for blob in page:
                self.report.blobs += 1
                problem = self._problem_of_blob(blob)
                if problem is not None and _has_row(Blob.id == blob.id):  # gc may have removed it meanwhile
                    yield f"Blob {blob.id} {problem}{_needed_by(blob.id)}."
                self._tally.add(blob.size)

    def _problem_of_blob(self, blob: Row[Any]) -> str | None:
        checksums = Checksums()
        try:
            with storage().open(blob.sha256, blob.size) as opened:
                for block in blocks_of(opened):
                    checksums.update(block)
        except ContentUnavailable:
            return _what_is_there(blob)
        except OSError as problem:
            return f"cannot be read ({problem.strerror})"
        self.report.bytes_read += checksums.size
        if checksums.sha256 != blob.sha256:
            return "does not have the bytes it is named by"
        return "has another CRC-32 than its row says" if checksums.crc32 != blob.crc32 else None

    def _source_problems(self) -> Iterator[str]:
        for page in in_pages(_indexed(), Version.id):
            for version in page:
                self.report.source_files += 1
                problem = self._problem_of_source(version)
                if problem is not None and _is_still_indexed(version):
                    where = f"Version {version.number} of document {version.document_id}"
                    yield f"{where}: {version.source_path!r} in {version.directory} {problem}."
                self._tally.add(version.size)

    def _problem_of_source(self, version: Row[Any]) -> str | None:
        try:
            found = Source(Path(version.directory)).digest(version.source_path)
        except SourceChanged:
            return "is being written to"
        except ContentUnavailable:
            return "is missing or cannot be read"
        self.report.bytes_read += found.size
        if (found.size, found.mtime_ns) != (version.size, version.source_mtime_ns):
            return "changed on disk since it was indexed"
        if (found.sha256, found.crc32) != (version.sha256, version.crc32):
            return "has other bytes than those indexed, though its size and time are the same"
        return None

    def _file_problems(self) -> Iterator[str]:
        for group in in_groups(storage().list_keys(), BATCH):
            known = known_keys([key for key, _ in group])
            for key, found in group:
                if key in known:
                    continue
                if is_old(found.st_mtime):
                    yield f"The file {key} among the blobs belongs to no row; `portal gc` removes it."
                else:
                    self.report.on_their_way += 1

    def _stranger_problems(self) -> Iterator[str]:
        for path in storage().list_strangers():
            name = str(path.relative_to(storage().root)).encode("utf-8", "backslashreplace").decode()
            yield f"{name!r} in the storage is nothing of the portal's."


def verify(*, progress: Progress | None = None) -> VerifyReport:
    """Hash every blob once and every indexed source file, and compare all that is derived with what it comes from.

    ``progress`` is told bytes. What changes meanwhile is looked at again before it is called a problem.
    """
    return Verification(progress).run()


def _indexed() -> Select[*tuple[Any, ...]]:
    """Current versions of live documents that lie in sources."""
    return (
        select(
            Version.id,
            Version.document_id,
            Version.number,
            Version.size,
            Version.sha256,
            Version.crc32,
            Version.source_path,
            Version.source_mtime_ns,
            SourceDirectory.directory,
        )
        .join(Document, Document.current_version_id == Version.id)
        .join(SourceDirectory, SourceDirectory.id == Version.source_id)
        .where(Document.trashed_at.is_(None))
    )


def _is_still_indexed(version: Row[Any]) -> bool:
    same = (Version.source_path == version.source_path, Version.source_mtime_ns == version.source_mtime_ns)
    found = db.session.execute(_indexed().where(Version.id == version.id, *same)).first() is not None
    release_connection()
    return found


def _has_row(condition: Any) -> bool:
    release_connection()
    found = db.session.scalar(select(literal(1)).where(exists().where(condition))) is not None
    release_connection()
    return found


def _what_is_there(blob: Row[Any]) -> str:
    """Why a blob could not be opened."""
    try:
        found = storage().stat(blob.sha256)
    except (StorageFailed, ContentUnavailable):
        return "cannot be reached"
    if found is None:
        return "is missing"
    if found.st_size != blob.size:
        return f"has {found.st_size} bytes instead of {blob.size}"
    return "is no regular file or cannot be read"


def _needed_by(blob_id: int) -> str:
    """Whose bytes they are, for the end of a sentence."""
    statement = select(Version.document_id, Version.number).where(Version.blob_id == blob_id).order_by(Version.id)
    versions = db.session.execute(statement.limit(TOLD + 1)).all()
    release_connection()
    named = [f"version {number} of document {document}" for document, number in versions[:TOLD]]
    more = ["others"] if len(versions) > TOLD else []
    return f"; it is needed by {', '.join(named + more)}" if named else ""
