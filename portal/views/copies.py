"""Is my copy current? Whoever has the SHA-256 of a copy learns which version it is, and what replaced it.

A browser hashes the copy itself (static/copies.js) and asks here; nothing but the hash is ever sent.
"""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from portal import catalog
from portal.catalog import Copy, parse_ref, parse_sha256
from portal.errors import BadInput, DocumentNotFound
from portal.views.guard import allow, person
from portal.views.pages import answer, render

bp = Blueprint("copies", __name__)


@bp.get("/documents/<ref>/current")
@allow("signed in", scope="read")
def of_document(ref: str) -> Response:
    """Whether ``?sha256=`` is that of the newest version of a document, of an older one, or of none."""
    who, named = person(), parse_ref(ref)
    edition = catalog.find_readable(who, named) if named is not None else None
    if edition is None:
        raise DocumentNotFound
    document_id, category_id = edition.document_id, edition.category_id

    def find(sha256: str) -> list[Copy]:
        found = catalog.find_copy(who, document_id, sha256)
        return [found] if found is not None else []

    category, document = catalog.get_category(category_id), catalog.get_live(document_id)
    return _answer(find, category=category, document=document)


@bp.get("/current")
@allow("signed in", scope="read")
def of_any() -> Response:
    """The same of every document the person may read. Of others they learn nothing: it is as if there were none."""
    who = person()
    return _answer(lambda sha256: catalog.find_copies(who, sha256), document=None)


def _answer(find: Callable[[str], list[Copy]], **values: Any) -> Response:
    """The page with the answer; without a question with the form alone."""
    asked = request.args.get("sha256")
    if asked is None:
        return answer(render("browse/current.html", asked="", **values))
    asked = asked.replace("\0", " ")
    try:
        copies = find(parse_sha256(asked))
    except BadInput as problem:
        page = render("browse/current.html", asked=asked, problem=problem.sentence, **values)
        return answer(page, problem)
    return answer(render("browse/current.html", asked=asked, copies=copies, **values))
