"""Closing downloads that nobody goes on with: their day is over, their link was revoked, or they fell silent."""

from collections.abc import Callable

from sqlalchemy import case, select, update

from portal.downloads import transfers, workers
from portal.downloads.statements import ACTIVE_SECONDS, JOIN_SECONDS
from portal.extensions import db, release_connection, transaction
from portal.models import Download, Transfer, db_later, db_now

LOOK = "downloads"
"""The name of the worker's look."""
SILENT_SECONDS = 300
"""A transfer nobody has heard of for so long is over; on PostgreSQL another host may be sending it."""

_ENDED = {
    "state": case((Download.state.in_(("started", "delegated")), "interrupted"), else_=Download.state),
    "closed_at": db_now(),
}
"""What a download becomes whose end nobody told."""


def close(download_id: int) -> None:
    """Close one, inside of the running transaction."""
    db.session.execute(update(Download).where(Download.id == download_id).values(_ENDED))


def close_for_link(link_id: int) -> None:
    """Close what is open by a link that was revoked; its next request gets nothing, so nothing goes on."""
    with transaction() as session:
        these = (Download.link_id == link_id, Download.closed_at.is_(None))
        session.execute(update(Download).where(*these).values(_ENDED))


def look_for_silent(_is_stopping: Callable[[], bool]) -> None:
    """The worker's: what nobody goes on with while the server runs, such as what a worker sent that was killed."""
    sweep(SILENT_SECONDS)


def sweep(idle_seconds: int) -> int:
    """Mark transfers nobody has heard of for so long as ``interrupted``; how many that were.

    Those whose worker lives are left alone, however slow their reader is; those whose workers are known to be dead are
    marked as soon as nothing has moved for two minutes. They stay open for a day, so that whoever comes back resumes
    the same download. A proxy has that day to report what became of its transfers. What finds nothing writes nothing.
    """
    marked = _interrupt(idle_seconds)
    _end_what_is_over()
    transfers.forget_closed()
    return marked


def _interrupt(idle_seconds: int) -> int:
    silent = _list_silent(idle_seconds)
    release_connection()
    if not silent:
        return 0
    with transaction() as session:
        these = select(Download.id).where(Download.id.in_(silent)).order_by(Download.id)
        session.execute(these.with_for_update())  # whoever goes on with one stands in line, and is seen after that
        silent &= _list_silent(idle_seconds)
        session.execute(update(Download).where(Download.id.in_(silent)).values(state="interrupted"))
    return len(silent)


def _list_silent(idle_seconds: int) -> set[int]:
    """Downloads that say they run, and of which nobody who lives has anything to say."""
    least = min(idle_seconds, ACTIVE_SECONDS)
    is_running = (Download.state == "started", Download.closed_at.is_(None))
    statement = (
        select(Download.id, Transfer.worker, Download.active_at < db_later(-idle_seconds))
        .outerjoin(Transfer, Transfer.download_id == Download.id)
        .where(*is_running, Download.active_at < db_later(-least))
    )
    silent, alive = set(), set()
    for download_id, worker, is_idle in db.session.execute(statement):
        is_alive = _is_alive(worker)
        if is_alive:
            alive.add(download_id)
        elif is_alive is False or is_idle:
            silent.add(download_id)
    return silent - alive


def _is_alive(worker: str | None) -> bool | None:
    """Whether the worker of an answer lives; None when there is no answer, or nobody here can tell."""
    return None if worker is None else workers.is_alive(worker)


def _end_what_is_over() -> None:
    over = (Download.closed_at.is_(None), Download.active_at < db_later(-JOIN_SECONDS))
    is_any = db.session.scalar(select(Download.id).where(*over).limit(1)) is not None
    release_connection()
    if is_any:
        with transaction() as session:
            session.execute(update(Download).where(*over).values(_ENDED))
