"""What the person signed in reaches, asked once for all that one request shows."""

from flask import g

from portal.reach import Reach
from portal.views.guard import person


def reach() -> Reach:
    """It is asked for when a list needs it first, and never kept for another request."""
    if "reach" not in g:
        g.reach = Reach(person())
    found: Reach = g.reach
    return found
