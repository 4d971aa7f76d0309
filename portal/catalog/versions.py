"""Versions of one document: listed, pinned for ever by their number, and an older one brought back as the newest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, literal, or_, select
from sqlalchemy.orm import aliased

from portal import access
from portal.accounts.quotas import require_room
from portal.actors import Actor
from portal.catalog.contents import Content
from portal.catalog.documents import Outcome, hold_live, put_version
from portal.catalog.refs import Ref
from portal.errors import Conflict, DocumentNotFound
from portal.extensions import db, transaction
from portal.models import Blob, Document, Submission, Upload, User, Version

PAGE = 25
NEXT, NEXT_AUTHOR = aliased(Version), aliased(User)
"""The version after one, and who published it."""
_ORIGINAL = aliased(Version)
_IS_SENT = and_(Upload.submission_id.is_not(None), Upload.outcome == "added")
"""Whether an outsider sent these bytes, and nobody had before."""


@dataclass(frozen=True)
class Successor:
    """The version that replaced another: its number, when it came, and who published it, None for the operator."""

    number: int
    at: datetime
    author: str | None


@dataclass(frozen=True)
class VersionRow:
    """One version with who published it, None for the operator and for an outsider, whose name is the ``sender``.

    ``restored_from`` is the number of the older one whose bytes it brought back; ``replaced`` is None for the newest.
    """

    version: Version
    author: str | None
    sender: str | None
    restored_from: int | None
    replaced: Successor | None


def list_versions(
    document_id: int, *, before: int | None = None, limit: int | None = None, beside: int | None = None
) -> list[VersionRow]:
    """The versions of a document that have their bytes, the newest first; ``before`` a number, for the next page.

    The version of the number ``beside`` is among them in any case.
    """
    statement = _rows(document_id).where(Version.purged_at.is_(None))
    if before is not None:
        statement = statement.where(or_(Version.number < before, Version.number == beside))
    statement = statement.order_by(Version.number.desc()).limit(limit)
    return [_row(found) for found in db.session.execute(statement)]


def get_pinned(document_id: int, number: int) -> VersionRow:
    """One version of a document by its number. Raises DocumentNotFound."""
    found = db.session.execute(_rows(document_id).where(Version.number == number)).one_or_none()
    if found is None:
        raise DocumentNotFound
    return _row(found)


def is_purged(actor: Actor, ref: Ref, number: int) -> bool:
    """Whether this version of a document that ``actor`` may read once was, and its bytes were removed for good."""
    named = Document.id == ref if isinstance(ref, int) else Document.uuid == ref
    statement = select(literal(1)).select_from(Document).join(Version, Version.document_id == Document.id)
    statement = statement.where(named, Version.number == number, Version.purged_at.is_not(None))
    return db.session.scalar(access.readable(statement, actor)) is not None


def restore_version(actor: Actor | None, document_id: int, number: int, note: str = "") -> Outcome:
    """A new version with the bytes of an older one; ``unchanged`` when they are those of the newest.

    Needs ``publish``. Raises Conflict for a version whose bytes are not ours to keep, or not right any more, and
    QuotaExceeded: its bytes count once more.
    """
    with transaction():
        document = hold_live(actor, document_id)
        wanted = (Version.document_id == document_id, Version.number == number)
        old = db.session.scalar(select(Version).where(*wanted).execution_options(populate_existing=True))
        if old is None:
            raise DocumentNotFound
        _require_kept(old)
        content = Content(old.sha256, old.crc32, old.size, old.content_type)
        outcome = put_version(actor, document, old.filename, content, note, restored=old)
        if actor is not None and outcome.kind != "unchanged":
            require_room(actor.user_id, old.size, is_counted=True)
        return outcome


def _require_kept(version: Version) -> None:
    """Raise Conflict unless the bytes of a version are in our own storage, and right as far as anybody knows."""
    if version.purged_at is not None:
        raise Conflict(f"The bytes of version {version.number} were removed for good; it cannot come back.")
    if version.blob_id is None:
        raise Conflict(
            f"Version {version.number} is shown from a directory that others write to. "
            "Download it and add it as a new version."
        )
    if db.session.scalar(select(Blob.damage).where(Blob.id == version.blob_id)) is not None:
        raise Conflict(f"The bytes of version {version.number} were found damaged; it cannot come back.")


def _rows(document_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(Version, User.name, Submission.sender, _ORIGINAL.number, NEXT.number, NEXT.created_at, NEXT_AUTHOR.name)
        .outerjoin(User, User.id == Version.created_by_id)
        .outerjoin(Upload, and_(Upload.version_id == Version.id, _IS_SENT))
        .outerjoin(Submission, Submission.id == Upload.submission_id)
        .outerjoin(_ORIGINAL, _ORIGINAL.id == Version.restored_from_id)
        .outerjoin(NEXT, and_(NEXT.document_id == Version.document_id, NEXT.number == Version.number + 1))
        .outerjoin(NEXT_AUTHOR, NEXT_AUTHOR.id == NEXT.created_by_id)
        .where(Version.document_id == document_id)
    )


def _row(found: Sequence[Any]) -> VersionRow:
    version, author, sender, restored_from, *following = found
    return VersionRow(version, author, sender, restored_from, successor(*following))


def successor(number: int | None, at: datetime | None, author: str | None) -> Successor | None:
    """What stands in the columns of ``NEXT``; None when there was none."""
    return Successor(number, at, author) if number is not None and at is not None else None
