"""What nobody goes on with: whole uploads that a crash left unfinished, those whose time is over, and their files."""

import logging
from collections.abc import Callable

from sqlalchemy import Select, and_, delete, select, update

from portal import accounts
from portal.errors import Forbidden, PortalError, UploadBusy, UploadNotFound
from portal.extensions import db, release_connection, storage, transaction
from portal.models import Upload, User, db_later, db_now
from portal.uploads.resumable.finding import get_progress
from portal.uploads.resumable.receiving import complete, reject

EXPIRY = "uploads"
"""The name of the worker's look."""
AT_ONCE = 500
CLOSED_DAYS = 7
"""So long a row that is over still says what became of it."""
DAY_SECONDS = 86_400
PATIENCE_SECONDS = 60
"""So long whoever sent the last bytes may take to have them finished."""
SENDER_CLOSED = "The account of whoever sent it was closed before it was taken in."

_log = logging.getLogger("portal.uploads")


def sweep(is_stopping: Callable[[], bool] = lambda: False) -> None:
    """The worker's look, and a step of gc; safe at any time and beside any sender."""
    for upload_id in _list_unfinished():
        if is_stopping():
            return
        _finish(upload_id)
    for upload_id in _list_expired():
        if is_stopping():
            return
        _expire(upload_id)
    _forget()


def remove_stale_partials(older_than_seconds: float) -> int:
    """Remove files no upload is waiting for, if not written to for so long; how many. Raises StorageFailed."""
    stale = storage().partials.list_stale(older_than_seconds)
    removed = 0
    for start in range(0, len(stale), AT_ONCE):
        names = stale[start : start + AT_ONCE]
        waiting = select(Upload.temp).where(Upload.temp.in_(names), Upload.state == "receiving")
        gone = set(names) - set(db.session.scalars(waiting))
        release_connection()
        for name in gone:
            storage().partials.remove(name)
        removed += len(gone)
    return removed


def _list_unfinished() -> list[int]:
    whole = (Upload.state == "receiving", Upload.received == Upload.size, Upload.user_id.is_not(None))
    found = select(Upload.id).where(*whole, Upload.active_at < db_later(-PATIENCE_SECONDS))
    return _ids(found.order_by(Upload.id).limit(AT_ONCE))


def _list_expired() -> list[int]:
    over = select(Upload.id).where(Upload.state == "receiving", Upload.expires_at < db_now())
    return _ids(over.order_by(Upload.expires_at).limit(AT_ONCE))


def _ids(statement: Select[int]) -> list[int]:
    found = list(db.session.scalars(statement))
    release_connection()
    return found


def _finish(upload_id: int) -> None:
    """As whoever sent it, with the rights they have now. One that breaks it off leaves the others alone."""
    try:
        upload = get_progress(upload_id)
        sender = db.session.get_one(User, upload.user_id, populate_existing=True)
        if sender.disabled_at is not None or sender.erased_at is not None:
            reject(upload, Forbidden(SENDER_CLOSED))
        else:
            complete(accounts.actor_of(sender), upload)
    except (UploadBusy, UploadNotFound):
        return
    except PortalError as problem:
        _log.warning("Upload %d was not taken in: %s", upload_id, problem.sentence)
    except Exception:
        db.session.rollback()
        _log.exception("Upload %d was not taken in", upload_id)


def _expire(upload_id: int) -> None:
    try:
        partial = storage().partials.hold(get_progress(upload_id).temp)
    except (UploadBusy, UploadNotFound):
        return
    over = (Upload.id == upload_id, Upload.state == "receiving", Upload.expires_at < db_now())
    values = {"state": "expired", "closed_at": db_now()}
    try:
        with transaction() as session:
            is_over = session.execute(update(Upload).where(*over).values(**values).returning(Upload.id)).first()
        if is_over and partial is not None:
            partial.remove()
    finally:
        if partial is not None:
            partial.close()


def _forget() -> None:
    closed = and_(
        Upload.state.in_(("done", "refused", "cancelled", "expired")),
        Upload.closed_at < db_later(-CLOSED_DAYS * DAY_SECONDS),
        # What a distribution filed and what outsiders sent is asked for long after.
        Upload.distribution_id.is_(None),
        Upload.submission_id.is_(None),
    )
    some = select(Upload.id).where(closed).order_by(Upload.id).limit(AT_ONCE)
    if db.session.scalar(some.limit(1)) is None:
        return
    with transaction() as session:
        session.execute(delete(Upload).where(Upload.id.in_(list(session.scalars(some)))))
