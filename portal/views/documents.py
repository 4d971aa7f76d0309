"""The page of one document, that of each of its versions, and how an older one comes back."""

from functools import partial

from flask import Blueprint, Response
from werkzeug.wrappers import Response as AnyResponse

from portal import access, catalog, deliveries, downloads, previews
from portal.accounts import SignedIn
from portal.catalog import Edition, parse_id, parse_ref
from portal.catalog.versions import PAGE
from portal.downloads import DownloadRow
from portal.errors import BadInput, Conflict, DocumentNotFound, PortalError, VersionGone
from portal.models import PUBLISH
from portal.views import forms
from portal.views.admin import house
from portal.views.guard import allow, person
from portal.views.notices import done
from portal.views.pages import render
from portal.views.shown import view_of

bp = Blueprint("documents", __name__)

REMEMBERED = 200
"""How many of the person's own downloads of one document are looked at."""


@bp.get("/documents/<ref>")
@allow("signed in", scope="read")
def show(ref: str) -> str:
    """A document by id or uuid, in its newest version; ``?before=`` a number, for the versions before that;
    ``?page=`` for another page of its preview."""
    who, named = person(), parse_ref(ref)
    shown = catalog.find_shown(who, named) if named is not None else None
    if shown is None:
        raise DocumentNotFound
    edition = shown.edition
    before = forms.query_id("before")
    rows = catalog.list_versions(edition.document_id, before=before, limit=PAGE + 2, beside=edition.number)
    current = next((row for row in rows if row.version.id == edition.version_id), None)
    if current is None:
        raise DocumentNotFound
    if before and before <= edition.number:
        rows.remove(current)
    page = render(
        "browse/document.html",
        category=shown.category,
        document=shown.document,
        said=shown,
        edition=edition,
        preview=view_of(previews.shown_in(shown.preview), edition, forms.query_id("page")),
        current=current,
        versions=rows[:PAGE],
        before=before,
        goes_on=len(rows) > PAGE,
        mine=_mine(who, edition.document_id),
        count_outdated=partial(_count_outdated, edition),
    )
    catalog.note_seen(who, edition.document_id, edition.number, shown.opened)
    return page


@bp.get("/documents/<ref>/versions/<number>")
@allow("signed in", scope="read")
def version(ref: str, number: str) -> str:
    """One version of a document, pinned for ever; a newer one is told of."""
    who, edition = person(), get_pinned(ref, number)
    return render(
        "browse/version.html",
        category=catalog.get_category(edition.category_id),
        document=catalog.get_live(edition.document_id),
        edition=edition,
        preview=view_of(previews.find_shown(edition), edition, forms.query_id("page"), edition.number),
        pinned=catalog.get_pinned(edition.document_id, edition.number),
        mine=_mine(who, edition.document_id),
    )


@bp.get("/documents/<ref>/versions/<number>/restore")
@allow("publisher")
def ask_restore(ref: str, number: str) -> Response:
    """What bringing an older version back means."""
    return _restore_page(_get_restorable(ref, number))


@bp.post("/documents/<ref>/versions/<number>/restore")
@allow("publisher")
def restore(ref: str, number: str) -> AnyResponse:
    """Make a new version with the bytes of this one."""
    edition = _get_restorable(ref, number)
    try:
        outcome = catalog.restore_version(person(), edition.document_id, edition.number, forms.text("note"))
    except (BadInput, Conflict) as problem:
        return _restore_page(edition, problem)
    word = "version-known" if outcome.kind == "unchanged" else "version-restored"
    return done(word, "documents.show", ref=ref)


def get_pinned(ref: str, number: str) -> Edition:
    """One version as addresses name it, for who may read its document.

    Raises DocumentNotFound, and VersionGone where the bytes were removed for good.
    """
    who, named, pinned = person(), parse_ref(ref), parse_id(number)
    if named is None or pinned is None:
        raise DocumentNotFound
    edition = catalog.find_readable(who, named, pinned)
    if edition is None and catalog.is_purged(who, named, pinned):
        raise VersionGone
    if edition is None:
        raise DocumentNotFound
    return edition


def _get_restorable(ref: str, number: str) -> Edition:
    edition = get_pinned(ref, number)
    access.require_permission(person(), edition.category_id, PUBLISH)
    return edition


def _restore_page(edition: Edition, problem: PortalError | None = None) -> Response:
    document, pinned = catalog.get_live(edition.document_id), catalog.get_pinned(edition.document_id, edition.number)
    return house.show("admin/version_restore.html", document=document, pinned=pinned, problem=problem)


def _count_outdated(edition: Edition) -> int:
    """How many people have only an older version; asked by the page once it knows that a publisher looks at it."""
    return deliveries.count_deliveries(edition)["old"]


def _mine(who: SignedIn, document_id: int) -> dict[int, DownloadRow]:
    """Version number to the person's last complete download of it, or to the last one that is not."""
    rows, _ = downloads.list_downloads(who, document_id=document_id, user_id=who.user_id, limit=REMEMBERED)
    mine: dict[int, DownloadRow] = {}
    for row in sorted(rows, key=lambda row: (row.state == "completed", row.id)):
        mine[row.number] = row
    return mine
