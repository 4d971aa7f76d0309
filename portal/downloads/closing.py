"""Closing downloads that nobody goes on with: their day is over, their link was revoked, or they fell silent."""

from sqlalchemy import case, update

from portal.downloads import transfers
from portal.downloads.statements import JOIN_SECONDS
from portal.extensions import db, transaction
from portal.models import Download, db_later, db_now

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


def sweep(idle_seconds: int) -> int:
    """Mark transfers nobody has heard of for so long as ``interrupted``; how many that were.

    They stay open for a day, so that whoever comes back resumes the same download. A proxy has that day to report what
    became of its transfers.
    """
    with transaction() as session:
        silent = (
            Download.state == "started",
            Download.closed_at.is_(None),
            Download.active_at < db_later(-idle_seconds),
        )
        marked = session.execute(
            update(Download).where(*silent).values(state="interrupted").returning(Download.id)
        ).all()
        over = (Download.closed_at.is_(None), Download.active_at < db_later(-JOIN_SECONDS))
        session.execute(update(Download).where(*over).values(_ENDED))
        transfers.forget_closed()
    return len(marked)
