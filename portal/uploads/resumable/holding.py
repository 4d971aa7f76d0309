"""One upload held by one sender: its file locked, its row read anew, and both brought to the same offset."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import select, update

from portal.errors import UploadBusy, UploadGone
from portal.extensions import release_connection, settings, storage, transaction
from portal.models import Upload, db_later, db_now
from portal.storage import Partial
from portal.uploads.resumable.finding import Progress, get_progress, require_standing

HOUR = 3600


@contextmanager
def held(upload: Progress) -> Iterator[tuple[Progress, Partial]]:
    """The upload as it is once nobody else writes to it, with its file cut to what the row says.

    A file that is lost, or shorter than that, takes the offset back. Raises UploadBusy, UploadGone and UploadRefused.
    """
    with _hold(upload) as partial:
        upload = _look_again(upload.id)
        if upload.is_over:
            partial.remove()
        elif upload.temp != partial.name:  # somebody else began a lost file anew before this one did
            partial.remove()
            raise UploadBusy
        else:
            upload = _meet(upload, partial)
        release_connection()  # none is held while bytes come
        yield upload, partial


def _hold(upload: Progress) -> Partial:
    partials = storage().partials
    return partials.hold(upload.temp) or partials.restart(_look_again(upload.id).temp)


def _meet(upload: Progress, partial: Partial) -> Progress:
    """Bring the file to what the row says, or the row back to what the file has, before anything is written to it."""
    partial.rewind(upload.received)
    if partial.size == upload.received or upload.sha256 is not None:
        return upload
    temp = partial.rename()
    commit(upload, partial)
    return replace(upload, received=partial.size, temp=temp)


def commit(upload: Progress, partial: Partial, *, sha256: str | None = None) -> None:
    """Write down that all there is in the file is on the disk, where it has been flushed to. Raises UploadGone.

    ``sha256`` says that it is the whole, and what that has.
    """
    values: dict[str, Any] = {"received": partial.size, "sha256": sha256, "temp": partial.name}
    with transaction() as session:
        lasting = session.scalars(select(db_later(settings().upload_hours * HOUR))).one()
        values |= {"active_at": db_now(), "expires_at": lasting}
        mine = (Upload.id == upload.id, Upload.state == "receiving")
        if not session.execute(update(Upload).where(*mine).values(**values).returning(Upload.id)).first():
            raise UploadGone
    partial.settle()


def _look_again(upload_id: int) -> Progress:
    release_connection()
    return require_standing(get_progress(upload_id))
