"""The ledger of downloads: who got what, and how far; and the whole life of one."""

from collections.abc import Callable

from flask import Blueprint, Response, request

from portal import accounts, catalog, deliveries, downloads, search, shares
from portal.downloads import DownloadRow
from portal.errors import ShareNotFound, UserNotFound
from portal.models import User
from portal.programs import device
from portal.views import forms
from portal.views.admin import house
from portal.views.guard import allow, person
from portal.views.pieces import pieces_of

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
"""The id nobody has: what the list is narrowed to while nobody, or not yet one person, is chosen."""
OFFERED = 12
"""Of more people than this who are called alike, the first are offered."""


@bp.get("/downloads")
@allow("publisher")
def show() -> Response:
    """Downloads, narrowed by ``?document=``, ``?person=``, ``?link=`` and ``?state=``.

    ``?email=`` is a part of the name or address of a person; of several who are called so, one is to be chosen.
    """
    state = request.args.get("state", "")
    state = state if state in STATES else ""
    document_id, link_id = forms.query_id("document"), forms.query_id("link")
    sought = request.args.get("email", "")[: search.MOST_CHARACTERS].strip()
    people = _called(sought)
    user_id = _user_id(sought, people)
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
        email=sought,
        people=people[:OFFERED] if user_id == NOBODY else [],
        has_more_people=len(people) > OFFERED,
        wanted={name: value for name, value in request.args.items() if name in NARROWING},
        chosen=_chosen(rows),
    )


@bp.get("/downloads/<download_id>")
@allow("publisher")
def life(download_id: str) -> Response:
    """One download from its beginning to its end, with the bytes that left."""
    row = downloads.get_download(person(), forms.path_id(download_id))
    return house.show(
        "admin/download.html",
        row=row,
        program=device(row.agent) if row.agent else "",
        pieces=pieces_of(row.intervals, row.size),
        waiting=pieces_of(downloads.list_handed_over(row.id), row.size),
        join_seconds=downloads.JOIN_SECONDS,
    )


def _called(sought: str) -> list[User]:
    """Who is called so among those whose downloads this person may see; who has this very address alone."""
    exact = accounts.find_user(sought) if sought else None
    return [exact] if exact is not None else deliveries.find_downloaders(person(), sought, limit=OFFERED + 1)


def _user_id(sought: str, people: list[User]) -> int | None:
    if not sought:
        return forms.query_id("person")
    return people[0].id if len(people) == 1 else NOBODY


def _chosen(rows: list[DownloadRow]) -> dict[str, str]:
    """What the list is narrowed to, by name. Rows know the names; without any they are looked up."""
    wanted = {name: found for name in LOOK_UP if (found := forms.query_id(name)) is not None}
    first = rows[0] if rows else None
    if first is not None:
        names = {"document": first.title, "person": first.user_name, "link": first.link_label}
        return {name: names[name] or f"one {name}" for name in wanted}
    return {name: LOOK_UP[name](found) or f"one {name}" for name, found in wanted.items()}


def _title(document_id: int) -> str:
    edition = catalog.find_readable(person(), document_id)
    return edition.title if edition is not None else ""


def _person_name(user_id: int) -> str:
    who = person()
    if who.user_id == user_id:
        return who.name
    try:
        return accounts.get_user(user_id).name if who.is_admin else ""
    except UserNotFound:
        return ""


def _link_label(link_id: int) -> str:
    try:
        return shares.get_row(person(), link_id).link.label
    except ShareNotFound:
        return ""


LOOK_UP: dict[str, Callable[[int], str]] = {"document": _title, "person": _person_name, "link": _link_label}
"""What the list may be narrowed to, and its name where no row tells it; "" for what is not this person's to know."""
