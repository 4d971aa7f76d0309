"""Who asks: the one value that access, ledger and log all take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """Who asks. ``kind`` is ``person``, ``link`` or ``portal``; a person has a ``user_id``."""

    user_id: int | None
    is_admin: bool = False
    kind: str = "person"
    network: str = ""
    viewer_id: int | None = None
    """The administrator who looks at the portal as this person does, and changes nothing: the log names them."""
    session_id: int = 0
    """The session in which they ask; 0 outside of any."""
    token_id: int = 0
    """The token of the program that asks in their name; 0 for none."""

    @property
    def key(self) -> str:
        """How the ledger names a person."""
        return f"u:{self.user_id}"


PORTAL = Actor(user_id=None, is_admin=True, kind="portal")
"""The portal itself, for work nobody asked for by hand."""
