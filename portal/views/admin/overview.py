"""The overview: what needs somebody, then what happened."""

from dataclasses import dataclass

from flask import Blueprint, Response, url_for

from portal import accounts, audit, catalog, downloads, shares
from portal.accounts import SignedIn
from portal.views.admin import house
from portal.views.admin.sentences import sentence
from portal.views.guard import allow, person

bp = Blueprint("overview", __name__, url_prefix="/admin")

PENDING = 50
"""Documents that are not out are counted no further."""
SHOWN = 8


@dataclass(frozen=True)
class Task:
    """Something that waits for somebody: how many, what, and where it is done."""

    count: str
    words: str
    href: str
    verb: str


@bp.get("/")
@allow("publisher")
def show() -> Response:
    """Figures that lead to their rows, what needs the person, and the last events."""
    who = person()
    links = shares.count_links(who)
    people = accounts.count_people() if who.is_admin else {}
    rows, _ = downloads.list_downloads(who, limit=SHOWN)
    return house.show(
        "admin/overview.html",
        links=links,
        people=people,
        downloads=downloads.count_downloads(who),
        most=downloads.MOST_COUNTED,
        tasks=[task for task in _tasks(who, links, people) if task.count != "0"],
        rows=rows,
        events=audit.list_events(limit=SHOWN)[0] if who.is_admin else [],
        sentence=sentence,
    )


@bp.get("/documents")
@allow("publisher")
def pending() -> Response:
    """Documents that readers do not see: drafts, those to come and those that are over."""
    rows = catalog.list_unpublished(person(), limit=PENDING + 1)
    return house.show("admin/pending.html", rows=rows[:PENDING], has_more=len(rows) > PENDING)


def _tasks(who: SignedIn, links: dict[str, int], people: dict[str, int]) -> list[Task]:
    found = len(catalog.list_unpublished(who, limit=PENDING + 1))
    hidden = f"{PENDING}+" if found > PENDING else str(found)
    waiting = str(people.get("waiting", 0))
    return [
        Task(str(links["soon"]), "expire within three days", url_for("links.show", state="soon"), "Look at them"),
        Task(waiting, "have not signed in yet", url_for("people.show", state="waiting"), "See who"),
        Task(hidden, "not seen by readers", url_for("overview.pending"), "Look at them"),
        Task(str(links["unused"]), "never used", url_for("links.show", state="unused"), "Look at them"),
    ]
