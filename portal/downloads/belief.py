"""What the ledger believes though nobody wrote it down.

Of a block that was refused an unknown part has left; of an answer whose worker died, an unknown number of blocks.
Nobody may hold a whole document without a completed row, so whoever goes on from within is believed to have what is
before. A row that holds such bytes is not confirmed for them.
"""

from portal.downloads import transfers
from portal.downloads.intervals import Intervals, gone_on, near, unknown


def on_going_on(download_id: int, state: str, had: Intervals, wanted: Intervals) -> Intervals:
    """What a client must have got that asks for ``wanted`` of a row in this ``state``, which holds ``had``.

    Answers of dead workers that are believed in are used up by it: for inside a transaction.
    """
    gaps = unknown(wanted, had)
    if not gaps:
        return []
    refused = near(gaps) if state == "aborted" else []
    return [*refused, *transfers.take_dead(download_id, gaps, is_silent=state == "interrupted")]


def on_telling(state: str, had: Intervals, handed: Intervals, broke_off_at: int | None) -> Intervals:
    """What a refused block may have brought, when ``handed`` is told of a row in this ``state``, which holds ``had``.

    That of another answer, or of this one, refused at ``broke_off_at``: somebody may have gone on from within it.
    """
    earlier = unknown(handed, had) if state == "aborted" else []
    return [*near(earlier), *gone_on(broke_off_at, had)]
