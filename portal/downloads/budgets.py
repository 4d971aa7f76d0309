"""What a ticket sends at most: one download and what a client loses of it, and not a copy for each who has its address.

The same for what we send and for what a proxy does. People who are signed in, and links without a limit, have none.
"""

from sqlalchemy import bindparam, func, select

from portal.downloads import transfers
from portal.downloads.claims import Last
from portal.downloads.statements import DELEGATED_SECONDS
from portal.errors import ShareExpired, TooManyTransfers
from portal.extensions import run
from portal.models import Delegation, db_later

TICKET_BUDGET = 2
"""How many times its size is on its way at once, and may have been sent for a complete ticket to send more: enough for
what a client lost, too little to hand the ticket on."""
TICKET_MOST = 8
"""How many times its size one sends that is not complete: who cannot resume begins anew after each cut."""
TICKET_LEAST = 64 * 1024 * 1024
"""A small document may be tried so often that this much was sent, over however bad a line."""
TICKET_OVER = "This download address has expired. Open the link again."
TICKET_DONE = "This download is complete. Open the link again if you need another one."
TICKET_SPENT = "This download was begun too often and never finished. Open the link again if you need another one."
TICKET_BUSY = "This download is running already, on as many connections as it may. Wait for one of them to finish."

_HANDED_OVER = select(func.coalesce(func.sum(Delegation.stop - Delegation.start), 0)).where(
    Delegation.download_id == bindparam("download"), Delegation.made_at > db_later(-DELEGATED_SECONDS)
)


def require_budget(last: Last | None, size: int, wanted: int) -> None:
    """Refuse so many bytes more of a document of this size to a ticket whose newest row is this one.

    Raises ShareExpired for good, TooManyTransfers while others are sent. Inside the transaction that writes down what
    is sent, and holds the row of the ticket: who asks at the same time comes after.
    """
    if last is None:
        return
    is_complete = last.state == "completed"
    if is_complete and not (last.is_late and last.bytes_sent < TICKET_BUDGET * size):
        raise ShareExpired(TICKET_DONE)
    most = max(TICKET_MOST * size, TICKET_LEAST)
    if not is_complete and last.bytes_sent + wanted > most:
        raise ShareExpired(TICKET_SPENT)
    offered = _offered(last)
    is_used_up = is_complete and last.bytes_sent + offered >= TICKET_BUDGET * size  # should all of it arrive
    if is_used_up or offered + wanted > TICKET_BUDGET * size or last.bytes_sent + offered + wanted > most:
        raise TooManyTransfers(TICKET_BUSY)


def _offered(last: Last) -> int:
    """Bytes on their way now, by us and by a proxy, as far as they were offered; what dead workers offered is not."""
    ours = transfers.count_offered(last.id, is_silent=last.state == "interrupted")
    return ours + int(run(_HANDED_OVER, download=last.id).scalar_one())
