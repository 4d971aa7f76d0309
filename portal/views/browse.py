"""What a person may read: what is new for them, everything, and one category."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from portal import access, accounts, catalog
from portal.accounts import SignedIn
from portal.catalog import DocumentPage, DocumentRow, saved
from portal.errors import CategoryNotFound
from portal.models import PUBLISH, READ
from portal.views.guard import allow, person
from portal.views.pages import render
from portal.views.reaching import reach

bp = Blueprint("browse", __name__)

NEW, EARLIER, PENDING, OUTDATED, SEARCHES = 20, 12, 8, 8, 5
"""How many rows the sections of the home page show at most; of the searches, how many are looked through for news."""
ROWS = 30
"""Of a page of documents, with those of what is not out: a third more, and it would weigh above 60 KB."""


@bp.get("/")
@allow("signed in", scope="read")
def home() -> str:
    """What is new for the person, then what was there before; publishers also see what is not out."""
    who = person()
    lists = catalog.list_home(
        who,
        who.visited_at,
        new=NEW + 1,
        outdated=OUTDATED + 1,
        newest=NEW + EARLIER,
        unpublished=PENDING,
        reach=reach(),
    )
    has_more = len(lists.fresh) > NEW
    above = {row.id for row in (*lists.fresh, *lists.outdated)}
    earlier = [] if has_more else [row for row in lists.newest if row.id not in above]
    has_any = any(row.has_version for row in lists.newest)
    return render(
        "browse/home.html",
        fresh=lists.fresh[:NEW],
        has_more=has_more,
        outdated=lists.outdated[:OUTDATED],
        has_more_outdated=len(lists.outdated) > OUTDATED,
        pending=lists.unpublished,
        earlier=earlier[:EARLIER],
        has_more_earlier=lists.has_more or len(earlier) > EARLIER,
        has_all=not lists.has_more and all(row.state == "has" for row in lists.newest),
        searches=[news for news in saved.list_with_news(who, SEARCHES, reach=reach()) if news.count],
        since=who.visited_at,
        is_first_visit=not has_any and who.visited_at is None and not accounts.has_come_back(who.user_id or 0),
    )


@bp.get("/documents")
@allow("signed in", scope="read")
def documents() -> str:
    """Every document the person may read, newest first."""
    who, after = person(), _after()
    page = _marked(who, catalog.list_documents(who, after=after, limit=ROWS, reach=reach()))
    return render("browse/documents.html", page=page, after=after, next_page=_next(page, "browse.documents"))


@bp.get("/categories/<path:path>")
@allow("signed in", scope="read")
def category(path: str) -> AnyResponse | str:
    """One category: what is below it and what is in it. Where it once was, its old address leads on."""
    who, after = person(), _after()
    found = catalog.find_category(path)
    level = access.level_on(who, found)
    if found is None or level < READ:
        return _moved(who, path)
    shows_pending = level >= PUBLISH and not after
    pending = catalog.list_unpublished(who, found, limit=PENDING + 1, reach=reach()) if shows_pending else []
    rows = ROWS - len(pending[:PENDING])
    page = catalog.list_documents(
        who, category=found, directly=True, only_out=True, after=after, limit=rows, reach=reach()
    )
    return render(
        "browse/category.html",
        category=found,
        page=_marked(who, page),
        below=catalog.size_below(who, found, reach=reach()),
        pending=pending[:PENDING],
        has_more_pending=len(pending) > PENDING,
        is_followed=catalog.is_followed(who, found.id),
        after=after,
        next_page=_next(page, "browse.category", path=found.path),
    )


def _marked(who: SignedIn, page: DocumentPage) -> DocumentPage:
    return replace(page, rows=marked_new(who, page.rows))


def marked_new(who: SignedIn, rows: Sequence[DocumentRow]) -> list[DocumentRow]:
    """The rows with what came since the last visit marked as new."""
    return [replace(row, is_new=_is_new(who, row)) for row in rows]


def _is_new(who: SignedIn, row: DocumentRow) -> bool:
    if who.visited_at is None or who.checked_at is None or row.published_at is None:
        return False
    return who.visited_at < row.published_at <= who.checked_at


def _moved(who: SignedIn, path: str) -> AnyResponse:
    """On to where the category of this old path is now, if the person may know."""
    moved = catalog.find_moved(path)
    level = access.level_on(who, moved)  # asked for nothing too: how long it takes tells nobody what there was
    if moved is None or level < READ:
        raise CategoryNotFound
    return redirect(url_for("browse.category", path=moved.path), 301)


def _after() -> str | None:
    return request.args.get("after") or None


def _next(page: DocumentPage, endpoint: str, **values: Any) -> str | None:
    return url_for(endpoint, after=page.after, **values) if page.after else None
