"""The overview: what needs somebody, then what happened."""

from dataclasses import dataclass

from flask import Blueprint, Response, url_for

from portal import accounts, audit, catalog, downloads, integrity, notices, shares
from portal.accounts import SignedIn
from portal.uploads import requesting
from portal.views.admin import house
from portal.views.admin.sentences import sentence
from portal.views.guard import allow, person

bp = Blueprint("overview", __name__, url_prefix="/admin")

PENDING = 50
"""Documents that are not out are counted no further."""
SHOWN = 8


@dataclass(frozen=True)
class Task:
    """Something that waits for somebody: how many, in words for one and for several, and where it is done."""

    count: int
    one: str
    many: str
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
        pending=PENDING,
        is_fresh=who.is_admin and _is_empty(who),
        tasks=[task for task in _tasks(who, links, people) if task.count],
        damaged=integrity.count_damaged() if who.is_admin else None,
        infected=catalog.count_scans().infected if who.is_admin else 0,
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


def _is_empty(who: SignedIn) -> bool:
    """Whether there is no document yet, out or not: then there are first steps to take."""
    return not catalog.list_documents(who, limit=1).rows and not catalog.list_unpublished(who, limit=1)


def _tasks(who: SignedIn, links: dict[str, int], people: dict[str, int]) -> list[Task]:
    hidden = len(catalog.list_unpublished(who, limit=PENDING + 1))
    soon, unused = url_for("links.show", state="soon"), url_for("links.show", state="unused")
    waiting, sent = url_for("people.show", state="waiting"), url_for("requests.show", state="waiting")
    came = requesting.count_waiting(who)
    stuck = notices.count_mails()["parked"] if who.is_admin else 0
    return [
        Task(stuck, "mail was not taken", "mails were not taken", url_for("mail.show", state="parked"), "Look at them"),
        Task(
            came, "file request has something to review", "file requests have something to review", sent, "Look at it"
        ),
        Task(links["soon"], "link expires within three days", "links expire within three days", soon, "Look at them"),
        Task(people.get("waiting", 0), "person has never signed in", "people have never signed in", waiting, "See who"),
        Task(hidden, "document is not out", "documents are not out", url_for("overview.pending"), "Look at them"),
        Task(links["unused"], "live link was never used", "live links were never used", unused, "Look at them"),
    ]
