"""Search: what was asked for stands in the address, what was found below it, and beside it what narrows it."""

from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for

from portal import accounts, catalog, search
from portal.accounts import SignedIn
from portal.catalog import Found, FoundPage, saved
from portal.search import Query
from portal.views import narrowing
from portal.views.browse import marked_new
from portal.views.clock import here
from portal.views.guard import allow, person
from portal.views.pages import kind, render
from portal.views.reaching import reach

bp = Blueprint("searching", __name__)

PAGE = 20
"""Rows of one page: each may have a few lines of its text below it."""
SUGGESTED = 8
RELEVANCE = "relevance"


@bp.get("/search")
@allow("signed in", scope="read")
def show() -> str:
    """What a query finds, newest first or the best first; without one, how to ask."""
    who, query = person(), asked()
    text = " ".join(query.text.split())
    if query.is_empty:
        mine = saved.list_searches(who)
        return render("browse/search_start.html", query=text, problems=query.problems, searches=mine)
    order = RELEVANCE if request.args.get("order") == RELEVANCE and query.words else ""
    after = request.args.get("after") or None
    page = catalog.find_documents(who, query, after=after, by_relevance=bool(order), limit=PAGE, reach=reach())
    known = saved.find_search(who, text)
    values = _found(who, page.corrected or text, page, order) if page.found else _nothing(text, order)
    values |= {"known": known, "after": after, "sends_mail": accounts.sends_mail()}
    return render("browse/search.html", query=text, problems=query.problems, **values)


@bp.get("/search/suggest")
@allow("signed in", scope="read")
def suggest() -> Response:
    """A few documents whose title or filename goes on as somebody types, for portal.js."""
    who = person()
    rows = catalog.suggest_documents(who, request.args.get("q", ""), SUGGESTED)
    return jsonify(
        documents=[
            {
                "title": row.title,
                "where": row.category_path.replace("/", " / "),
                "kind": kind(row.filename),
                "href": url_for("documents.show", ref=row.uuid),
            }
            for row in rows
        ]
    )


@bp.get("/tags")
@allow("signed in", scope="read")
def tags() -> str:
    """The tags of the newest documents the person may read, each with the search for what has it."""
    return render("browse/tags.html", tags=catalog.list_tags_seen(person()))


def asked() -> Query:
    """The query of the address, with days as whoever asks counts them."""
    return search.parse(request.args.get("q", ""), here())


def _found(who: SignedIn, text: str, page: FoundPage, order: str) -> dict[str, Any]:
    """What was found, and how to go on: narrower, in another order, further down."""
    query = search.parse(text, here())
    facets = search.facets(who, query, found=page.keys, reach=reach())
    rows = marked_new(who, [found.row for found in page.found])
    texts = [_snippet(query, found) for found in page.found]
    return {
        "shown": query,
        "said": narrowing.words_in(text),
        "corrected": page.corrected,
        "rows": list(zip(rows, texts, strict=True)),
        "total": max(facets.total, len(rows)),  # which looked at the newest only, and this may be a later page
        "is_capped": facets.is_capped,
        "choices": narrowing.choices(text, order, facets),
        "chips": narrowing.chips(text, order),
        "order": order,
        "other_order": narrowing.address(text, "" if order else RELEVANCE) if query.words else None,
        "next_page": url_for("searching.show", q=text, order=order or None, after=page.after) if page.after else None,
    }


def _nothing(text: str, order: str) -> dict[str, Any]:
    return {"said": narrowing.words_in(text), "chips": narrowing.chips(text, order), "choices": [], "order": order}


def _snippet(query: Query, found: Found) -> list[tuple[str, bool]]:
    """The part of its description, or of the text inside it, that says why it was found, in pieces; nothing where no
    word of the query is.
    """
    if not query.words:
        return []
    for take, text in ((search.snippet, found.description), (search.excerpt, found.body)):
        pieces = take(query, text) if text else []
        if any(is_found for _, is_found in pieces):
            return pieces
    return []
