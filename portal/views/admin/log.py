"""The log: who did what, one sentence for each event."""

from itertools import groupby

from flask import Blueprint, Response, request

from portal import accounts, audit
from portal.catalog import parse_id
from portal.views import forms
from portal.views.admin import house
from portal.views.admin.sentences import CHOICES, HISTORIES, sentence
from portal.views.clock import local
from portal.views.guard import allow

bp = Blueprint("log", __name__, url_prefix="/admin")

NOBODY = 0
"""The id nobody has: what an address without an account is looked for with."""


@bp.get("/log")
@allow("administrator")
def show() -> Response:
    """Events, narrowed by ``?action=``, ``?email=`` or ``?person=`` (who did it) and ``?thing=KIND-ID``."""
    action, thing = _action(), _thing(request.args.get("thing", ""))
    email = request.args.get("email", "")
    rows, after = audit.list_events(action=action, user_id=_user_id(email), thing=thing, after=forms.query_id("after"))
    return house.show(
        "admin/log.html",
        days=[(day, list(events)) for day, events in groupby(rows, key=lambda row: local(row.event.at).date())],
        after=after,
        actions=sorted(CHOICES.items(), key=lambda choice: choice[1]),
        action=action or "",
        email=email,
        thing=thing,
        sentence=sentence,
        wanted={name: value for name, value in request.args.items() if name in ("action", "email", "person", "thing")},
    )


def _action() -> str | None:
    return request.args.get("action") or None


def _user_id(email: str) -> int | None:
    if not email.strip():
        return forms.query_id("person")
    user = accounts.find_user(email)
    return user.id if user is not None else NOBODY


def _thing(text: str) -> tuple[str, int] | None:
    """``document-7``; None for anything else."""
    kind, _, number = text.rpartition("-")
    found = parse_id(number)
    return (kind, found) if kind in HISTORIES and found is not None else None
