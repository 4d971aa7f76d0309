"""Verify: whether rows and bytes still agree. May run while the portal is in use.

It mends nothing, but writes down what it finds of bytes like anybody who hashes them: wrong ones are quarantined, and
those that are right again are given out again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, exists, func, literal, select
from sqlalchemy.exc import DatabaseError

from portal import downloads
from portal.catalog.soundness import blobs, kept_blob
from portal.errors import ContentUnavailable, ContentUnverified, SourceChanged, StorageFailed
from portal.extensions import db, release_connection, storage
from portal.integrity import rows
from portal.integrity.reading import (
    BATCH,
    Checksums,
    Progress,
    Tally,
    in_groups,
    in_pages,
    is_old,
    known_keys,
)
from portal.integrity.stock import files_in_place, kept_file
from portal.models import Blob, Document, Version

WRONG = {"bytes": "does not have the bytes it is named by", "unreadable": "cannot be read"}
"""What is wrong with a file that could be opened."""
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
            rows.people_problems,
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
        indexed = files_in_place().with_only_columns(func.coalesce(func.sum(Version.size), 0))
        self._tally = Tally(self._progress, int(in_blobs) + int(db.session.scalars(indexed).one()))
        yield from ()

    def _blob_problems(self) -> Iterator[str]:
        for page in in_pages(blobs(), Blob.id):
            for row in page:
                self.report.blobs += 1
                problem = self._problem_of_blob(row)
                if problem is not None and _has_row(Blob.id == row.id):  # gc may have removed it meanwhile
                    yield f"Blob {row.id} {problem}{_needed_by(row.id)}."
                self._tally.add(row.size)

    def _problem_of_blob(self, row: Row[Any]) -> str | None:
        checksums = Checksums()
        try:
            damage = downloads.look(kept_blob(row), checksums.update)
        except ContentUnverified:
            return "is being written to"
        except ContentUnavailable as problem:
            return f"cannot be opened ({problem.__cause__ or problem})"
        self.report.bytes_read += checksums.size
        if damage is not None:
            return WRONG.get(damage) or _what_is_there(row)
        return "has another CRC-32 than its row says" if checksums.crc32 != row.crc32 else None

    def _source_problems(self) -> Iterator[str]:
        for page in in_pages(files_in_place(), Version.id):
            for row in page:
                self.report.source_files += 1
                problem = self._problem_of_source(row)
                if problem is not None and _is_still_indexed(row):
                    where = f"Version {row.number} of document {row.document_id}"
                    yield f"{where}: {row.source_path!r} in {row.directory} {problem}."
                self._tally.add(row.size)

    def _problem_of_source(self, row: Row[Any]) -> str | None:
        checksums = Checksums()
        try:
            damage = downloads.look(kept_file(row), checksums.update)
        except ContentUnverified:
            return "is being written to"
        except SourceChanged:
            return "changed on disk since it was indexed"
        except ContentUnavailable:
            return "is missing or cannot be read"
        self.report.bytes_read += checksums.size
        if damage == "unreadable":
            return WRONG[damage]
        if damage is not None or checksums.crc32 != row.crc32:
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


def _is_still_indexed(row: Row[Any]) -> bool:
    same = (Version.source_path == row.source_path, Version.source_mtime_ns == row.source_mtime_ns)
    found = db.session.execute(files_in_place().where(Version.id == row.id, *same)).first() is not None
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
