"""The page of one document: what it is, what the person has of it, and every version."""

from flask import Blueprint

from portal import catalog, downloads
from portal.accounts import SignedIn
from portal.catalog import parse_ref
from portal.downloads import DownloadRow
from portal.errors import DocumentNotFound
from portal.views.guard import allow, person
from portal.views.pages import render

bp = Blueprint("documents", __name__)

REMEMBERED = 200
"""How many of the person's own downloads of one document are looked at."""


@bp.get("/documents/<ref>")
@allow("signed in", scope="read")
def show(ref: str) -> str:
    """A document by id or uuid."""
    who, named = person(), parse_ref(ref)
    edition = catalog.find_readable(who, named) if named is not None else None
    if edition is None:
        raise DocumentNotFound
    versions = catalog.list_versions(edition.document_id)
    return render(
        "browse/document.html",
        category=catalog.get_category(edition.category_id),
        document=catalog.get_live(edition.document_id),
        edition=edition,
        versions=versions,
        current=next((version, author) for version, author in versions if version.id == edition.version_id),
        mine=_mine(who, edition.document_id),
    )


def _mine(who: SignedIn, document_id: int) -> dict[int, DownloadRow]:
    """Version number to the person's last complete download of it, or to the last one that is not."""
    rows, _ = downloads.list_downloads(who, document_id=document_id, user_id=who.user_id, limit=REMEMBERED)
    mine: dict[int, DownloadRow] = {}
    for row in sorted(rows, key=lambda row: (row.state == "completed", row.id)):
        mine[row.number] = row
    return mine
