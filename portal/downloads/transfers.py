"""Large answers on their way, of which nothing is written down yet: what they offered is known if their worker dies."""

from sqlalchemy import bindparam, delete, select

from portal.downloads import statements, workers
from portal.downloads.intervals import Intervals, length_of, offered, pairs
from portal.downloads.statements import JOIN_SECONDS
from portal.extensions import db, find_one, release_connection, run, transaction, write_one
from portal.models import Download, Transfer, db_later

_OF_ONE = select(Transfer.worker, Transfer.spans).where(Transfer.download_id == bindparam("download"))


def note(download_id: int, spans: Intervals) -> int:
    """Note an answer of this process that offers these spans; its row."""
    row = write_one(statements.BEGIN_TRANSFER, download=download_id, name=workers.name(), offers=spans)
    if row is None:
        raise LookupError("a row that was written has an id")
    number: int = row[0]
    return number


def end(transfer: int) -> None:
    """It has ended, or all of it is written down."""
    write_one(statements.END_TRANSFER, transfer=transfer)


def take_dead(download_id: int, gaps: Intervals, *, is_silent: bool) -> Intervals:
    """What answers whose worker is dead may have filled of these gaps; each such answer is believed in once.

    Of several that offered a place, the one that began last before it counts, which claims least. ``is_silent``: nobody
    has heard of the download for long, so workers nobody can tell of are dead too.
    """
    if find_one(statements.FIND_TRANSFER, download=download_id) is None:  # as a rule, and cheap to ask
        return []
    with transaction() as session:
        these = select(Transfer.id, Transfer.worker, Transfer.spans).where(Transfer.download_id == download_id)
        rows = session.execute(these).all()
        dead = [row for row in rows if _is_dead(row.worker, is_silent=is_silent)]
        filled, used = [], []
        for gap in gaps:
            candidates = [(piece, row.id) for row in dead for piece in offered([gap], pairs(row.spans))]
            if candidates:
                piece, transfer = max(candidates)
                filled.append(piece)
                used.append(transfer)
        if used:
            session.execute(delete(Transfer).where(Transfer.id.in_(used)))
    return filled


def count_offered(download_id: int, *, is_silent: bool) -> int:
    """How many bytes answers of a download offer whose worker lives; ``is_silent`` as above. Inside a transaction."""
    rows = run(_OF_ONE, download=download_id)
    return sum(length_of(pairs(row.spans)) for row in rows if not _is_dead(row.worker, is_silent=is_silent))


def forget_closed() -> None:
    """Drop what is left of answers whose download is closed: nobody goes on with it. What is still sent counts.

    Of workers nobody can tell of it is dropped when the download is closed for a day.
    """
    is_long_ago = Download.closed_at < db_later(-JOIN_SECONDS)
    statement = select(Transfer.id, Transfer.worker, is_long_ago).join(Download, Download.id == Transfer.download_id)
    rows = db.session.execute(statement.where(Download.closed_at.is_not(None))).all()
    release_connection()
    left = [transfer for transfer, worker, is_silent in rows if _is_dead(worker, is_silent=is_silent)]
    if left:
        with transaction() as session:
            session.execute(delete(Transfer).where(Transfer.id.in_(left)))


def _is_dead(worker: str, *, is_silent: bool) -> bool:
    alive = workers.is_alive(worker)
    return is_silent if alive is None else not alive
