"""Uploads as their sender may know them: how far they are, and what became of them."""

import uuid as uuids
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, or_, select

from portal import access
from portal.actors import Actor
from portal.errors import UploadGone, UploadNotFound, UploadRefused
from portal.extensions import db, storage
from portal.models import PUBLISH, Category, Distribution, Document, Upload, Version, db_later
from portal.uploads.resumable.targets import Target

LISTED = 1000
LISTED_SECONDS = 86_400
WHOLE = frozenset({"arrived", "done"})
"""States in which all bytes were taken in."""


@dataclass(frozen=True)
class Progress:
    """One upload as its row is. ``document`` and ``number`` say which version of what it became."""

    id: int
    uuid: uuids.UUID
    user_id: int | None
    target: Target
    filename: str
    size: int
    received: int
    sha256: str | None
    facts: Mapping[str, Any]
    announced: str
    state: str
    reason: str
    refused_as: int | None
    temp: str
    outcome: str | None
    expires_at: datetime
    document: uuids.UUID | None
    number: int | None

    @property
    def is_over(self) -> bool:
        """Whether it takes nothing any more."""
        return self.state != "receiving"


@dataclass(frozen=True)
class Listed:
    """One upload in a list, with what it goes to: a kind of target, and the path or title of that.

    ``label`` is "" where that is gone, or not for its sender to see any more.
    """

    progress: Progress
    kind: str
    label: str


def get_own(actor: Actor, uuid: uuids.UUID) -> Progress:
    """The upload of this person, whatever its state. Raises UploadNotFound, also for somebody else's."""
    found = _first(_rows().where(Upload.uuid == uuid, Upload.user_id == (actor.user_id or 0)))
    if found is None:
        raise UploadNotFound
    return found


def get_progress(upload_id: int) -> Progress:
    """The upload as it is now. Raises UploadNotFound when it was forgotten."""
    found = _first(_rows().where(Upload.id == upload_id))
    if found is None:
        raise UploadNotFound
    return found


def require_standing(upload: Progress) -> Progress:
    """The upload unless it came to nothing. Raises UploadGone, and UploadRefused as it was refused."""
    if upload.state == "refused":
        raise UploadRefused(upload.refused_as or UploadGone.status, upload.reason)
    if upload.state not in WHOLE and upload.state != "receiving":
        raise UploadGone
    return upload


def offset_of(upload: Progress) -> int:
    """How many bytes are there to go on from: what the row says, and not more than the disk has."""
    if upload.is_over or upload.sha256 is not None:
        return upload.received
    return min(upload.received, storage().partials.size_of(upload.temp)) if upload.received else 0


def list_own(actor: Actor) -> list[Listed]:
    """The person's uploads: those under way, then those of the last day; the newest first."""
    is_open = Upload.state == "receiving"
    mine = (Upload.user_id == (actor.user_id or 0), or_(is_open, Upload.active_at > db_later(-LISTED_SECONDS)))
    order = (case((is_open, 0), else_=1), Upload.id.desc())
    rows = db.session.execute(_rows().where(*mine).order_by(*order).limit(LISTED)).all()
    labels = _labels(actor, [row.Upload for row in rows])
    return [Listed(_progress(row), *labels[row.Upload.id]) for row in rows]


def _rows() -> Select[*tuple[Any, ...]]:
    return (
        select(Upload, Document.uuid.label("document"), Version.number.label("number"))
        .outerjoin(Version, Version.id == Upload.version_id)
        .outerjoin(Document, Document.id == Version.document_id)
        .execution_options(populate_existing=True)
    )


def _first(statement: Select[*tuple[Any, ...]]) -> Progress | None:
    row = db.session.execute(statement).first()
    return _progress(row) if row is not None else None


def _progress(row: Any) -> Progress:
    upload: Upload = row.Upload
    return Progress(
        id=upload.id,
        uuid=upload.uuid,
        user_id=upload.user_id,
        target=Target(upload.category_id, upload.document_id, upload.distribution_id, upload.folder),
        filename=upload.filename,
        size=upload.size,
        received=upload.received,
        sha256=upload.sha256,
        facts=upload.facts,
        announced=upload.announced,
        state=upload.state,
        reason=upload.reason,
        refused_as=upload.refused_as,
        temp=upload.temp,
        outcome=upload.outcome,
        expires_at=upload.expires_at,
        document=row.document,
        number=row.number,
    )


def _labels(actor: Actor, uploads: list[Upload]) -> dict[int, tuple[str, str]]:
    """Upload to the kind of its target, and the path or title of that, "" unless it may still be sent there."""
    shelves = select(Category.id, Category.path).where(access.level_at(Category.id, actor) >= PUBLISH)
    paths = _by_id(shelves, Category.id, {one.category_id for one in uploads})
    standing = (Document.trashed_at.is_(None), access.level_at(Document.category_id, actor) >= PUBLISH)
    readable = select(Document.id, Document.title).where(*standing)
    papers = _by_id(readable, Document.id, {one.document_id for one in uploads})
    titles = _by_id(
        select(Distribution.id, Distribution.title), Distribution.id, {one.distribution_id for one in uploads}
    )
    found: dict[int, tuple[str, str]] = {}
    for one in uploads:
        if one.category_id is not None:
            found[one.id] = ("category", paths.get(one.category_id, ""))
        elif one.document_id is not None:
            found[one.id] = ("document", papers.get(one.document_id, ""))
        elif one.distribution_id is not None:
            found[one.id] = ("distribution", titles[one.distribution_id])
        else:  # it went to a category that was removed since
            found[one.id] = ("category", "")
    return found


def _by_id(statement: Select[int, str], column: Any, wanted: set[int | None]) -> dict[int, str]:
    ids = sorted(one for one in wanted if one is not None)
    return {row[0]: row[1] for row in db.session.execute(statement.where(column.in_(ids)))} if ids else {}
