"""An upload begins, is described anew while it is under way, and is given up."""

import uuid as uuids
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update

from portal import filenames
from portal.actors import Actor
from portal.errors import BadInput, Conflict, UploadTooLarge
from portal.extensions import release_connection, settings, storage, transaction
from portal.models import Upload, db_later, db_now
from portal.uploads.distributing.making import hold_collecting, require_places
from portal.uploads.quotas import require_room
from portal.uploads.resumable.facts import on_conflict_of
from portal.uploads.resumable.finding import Progress, get_own, get_progress, require_standing
from portal.uploads.resumable.targets import Target, require_takes

HOUR = 3600
SEEN_TOO_LATE = "This upload is complete. What its document is called is changed on the page of the document."


@dataclass(frozen=True)
class Announced:
    """A file as its sender announces it; ``sha256`` is what its bytes are to have, None when they did not say."""

    target: Target
    filename: str
    size: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    sha256: str | None = None
    metadata: str = ""


def start(actor: Actor, announced: Announced) -> Progress:
    """Make room for a file that ``actor`` may send there; the sender goes on with ``append``.

    Raises UploadTooLarge, QuotaExceeded, Conflict for a distribution that takes no more files, and like
    ``require_takes`` for what would be refused at its end.
    """
    if announced.size > settings().max_upload:
        raise UploadTooLarge
    filename = filenames.clean(announced.filename)
    require_takes(actor, announced.target, filename, on_conflict_of(announced.facts))
    release_connection()
    temp = storage().partials.make()
    try:
        with transaction() as session:
            if announced.target.distribution_id is not None:
                hold_collecting(actor, announced.target.distribution_id)
                require_places(announced.target.distribution_id, 1)
            require_room(actor.user_id, announced.size)
            upload = Upload(
                user_id=actor.user_id,
                category_id=announced.target.category_id,
                document_id=announced.target.document_id,
                distribution_id=announced.target.distribution_id,
                folder=announced.target.folder,
                filename=filename,
                size=announced.size,
                facts=_kept(announced),
                announced=announced.metadata,
                temp=temp,
                expires_at=session.scalars(select(db_later(settings().upload_hours * HOUR))).one(),
            )
            session.add(upload)
            session.flush()
            return get_progress(upload.id)
    except BaseException:
        storage().partials.remove(temp)
        raise


def change_facts(actor: Actor, uuid: uuids.UUID, facts: Mapping[str, Any]) -> None:
    """Say something else of a document whose bytes are still coming. Raises Conflict when they are all there."""
    with transaction() as session:
        upload = require_standing(get_own(actor, uuid))
        kept = dict(facts) | {key: value for key, value in upload.facts.items() if key == "sha256"}
        mine = (Upload.id == upload.id, Upload.state == "receiving")
        if not session.execute(update(Upload).where(*mine).values(facts=kept).returning(Upload.id)).first():
            raise Conflict(SEEN_TOO_LATE)


def cancel(actor: Actor, uuid: uuids.UUID) -> None:
    """Give an upload up; what has come of it goes. Raises Conflict for one that is complete."""
    with transaction() as session:
        upload = require_standing(get_own(actor, uuid))
        mine = (Upload.id == upload.id, Upload.state == "receiving")
        values = {"state": "cancelled", "closed_at": db_now()}
        if not session.execute(update(Upload).where(*mine).values(**values).returning(Upload.id)).first():
            raise Conflict("This upload is complete; there is nothing left to cancel.")
    storage().partials.remove(upload.temp)


def _kept(announced: Announced) -> dict[str, Any]:
    if announced.sha256 is None:
        return dict(announced.facts)
    if len(announced.sha256) != 64 or not set(announced.sha256) <= set("0123456789abcdef"):
        raise BadInput("A SHA-256 is 64 hex digits in small letters.", field="sha256")
    return {**announced.facts, "sha256": announced.sha256}
