"""Who fetches, and the row of the ledger that it is written to."""

from dataclasses import dataclass
from typing import NamedTuple

from portal.actors import Actor
from portal.downloads.intervals import Intervals
from portal.errors import Forbidden

NOT_THEIRS = "Nothing is downloaded while you see the portal as somebody else does: it would count as theirs."


@dataclass(frozen=True)
class Claim:
    """Who fetches, as the ledger names them.

    ``key`` is ``u:<user>``, ``t:<ticket>``, or ``l:<link>:<network>:<agent hash>`` for an open link.
    """

    key: str
    user_id: int | None = None
    link_id: int | None = None
    ticket_id: int | None = None
    network: str = ""
    agent: str = ""


@dataclass(frozen=True)
class Entry:
    """The row a transfer writes to.

    ``is_late``: it was complete already, and these are pieces asked for once more. ``is_scattered``: it holds so many
    pieces that the whole is to be sent. ``transfer`` is the row of the answer itself while nothing of it is written
    down.
    """

    id: int
    is_late: bool = False
    is_scattered: bool = False
    transfer: int | None = None


class Last(NamedTuple):
    """What the newest row of an actor and version says, and whether it is open, alive, or completed just now."""

    id: int
    intervals: list[list[int]]
    bytes_sent: int
    state: str
    is_open: bool
    is_alive: bool
    is_late: bool


@dataclass(frozen=True)
class Told:
    """What telling the ledger came to: whether the download is complete, and which bytes it did not have before."""

    is_complete: bool
    fresh: Intervals


def claim_of(actor: Actor, agent: str) -> Claim:
    """The claim of a signed-in person.

    Raises Forbidden for an administrator who looks at the portal as they do: the download would stand there as theirs.
    """
    if actor.viewer_id is not None:
        raise Forbidden(NOT_THEIRS)
    return Claim(key=actor.key, user_id=actor.user_id, network=actor.network, agent=agent)
