"""The ledger of downloads: who got what, and how far."""

from flask import Blueprint, Response, request

from portal import accounts, downloads
from portal.downloads import DownloadRow
from portal.views import forms
from portal.views.admin import house
from portal.views.guard import allow, person

bp = Blueprint("downloads", __name__, url_prefix="/admin")

STATES = {
    "completed": "completed",
    "started": "running",
    "aborted": "stopped",
    "interrupted": "broken off",
    "delegated": "handed over",
}
"""State of a download to the words of its tally."""
NARROWING = ("document", "person", "link", "email")
NOBODY = 0
"""The id nobody has: what an address without an account is looked for with."""


@bp.get("/downloads")
@allow("publisher")
def show() -> Response:
    """Downloads, narrowed by ``?document=``, ``?person=`` or ``?email=``, ``?link=`` and ``?state=``."""
    state = request.args.get("state", "")
    state = state if state in STATES else ""
    document_id, link_id = forms.query_id("document"), forms.query_id("link")
    user_id = _user_id(request.args.get("email", ""))
    rows, after = downloads.list_downloads(
        person(),
        document_id=document_id,
        user_id=user_id,
        link_id=link_id,
        state=state or None,
        after=forms.query_id("after"),
    )
    counts = downloads.count_downloads(person(), document_id=document_id, user_id=user_id, link_id=link_id)
    return house.show(
        "admin/downloads.html",
        rows=rows,
        after=after,
        state=state,
        states=STATES,
        counts=counts,
        most=downloads.MOST_COUNTED,
        email=request.args.get("email", ""),
        wanted={name: value for name, value in request.args.items() if name in NARROWING},
        chosen=_chosen(rows),
    )


def _user_id(email: str) -> int | None:
    if not email.strip():
        return forms.query_id("person")
    user = accounts.find_user(email)
    return user.id if user is not None else NOBODY


def _chosen(rows: list[DownloadRow]) -> dict[str, str]:
    """What the list is narrowed to, by name. The names come from the rows: an id alone tells nobody what it is."""
    first = rows[0] if rows else None
    names = {
        "document": first.title if first else None,
        "person": first.user_name if first else None,
        "link": first.link_label if first else None,
    }
    return {name: found or f"one {name}" for name, found in names.items() if forms.query_id(name) is not None}
