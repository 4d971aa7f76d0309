"""What publishers do with one document: change what is said of it, add a version, move it, put it into the trash."""

from datetime import datetime

from flask import Blueprint, Response
from werkzeug.wrappers import Response as AnyResponse

from portal import access, catalog, shares, uploads
from portal.catalog import KEEP, Facts, Keep, parse_ref
from portal.catalog.texts import require_text
from portal.catalog.versions import PAGE
from portal.errors import (
    BadInput,
    BadRequest,
    CategoryNotFound,
    Conflict,
    DocumentNotFound,
    Forbidden,
    PortalError,
    UploadRejected,
    UploadTypeRejected,
)
from portal.extensions import settings
from portal.models import PUBLISH, Document
from portal.shares import Terms
from portal.views import describing, forms
from portal.views.admin import house
from portal.views.admin.upload import arrive, files_of, target_category
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("editing", __name__)

UNUSED_MOMENT = (
    "A moment stands here, but the choice above is another. Choose “from the moment below”, or empty this field."
)
VISIBLE = ("keep", "now", "at", "draft")
"""When readers see a document: as it is, from this moment, from a moment to come, not at all."""


@bp.get("/documents/<ref>/edit")
@allow("publisher")
def edit(ref: str) -> Response:
    """What is said about a document."""
    return _edit_page(_get(ref))


@bp.post("/documents/<ref>/edit")
@allow("publisher")
def change(ref: str) -> AnyResponse:
    """Change what is said about it."""
    document = _get(ref)
    try:
        catalog.change_document(
            person(),
            document.id,
            title=forms.text("title"),
            filename=forms.text("filename"),
            description=forms.text("description"),
            published_at=_published_at(document),
            expires_at=_expires_at(document),
            **describing.typed(document),
        )
    except (BadInput, Conflict) as problem:
        return _edit_page(document, problem)
    return done("document-changed", "documents.show", ref=ref)


@bp.post("/documents/<ref>/publish")
@allow("publisher")
def publish(ref: str) -> AnyResponse:
    """Let readers see it from now on; back to the list it was published from, or to its page."""
    document = _get(ref)
    try:
        catalog.publish_document(person(), document.id)
    except BadInput as problem:
        return _edit_page(document, problem)
    if forms.flag("from_list"):
        return done("document-published", "overview.pending")
    return done("document-published", "documents.show", ref=ref)


@bp.get("/documents/<ref>/versions")
@allow("publisher")
def versions(ref: str) -> Response:
    """The form for a new version, above those there are."""
    return _versions_page(_get(ref))


@bp.post("/documents/<ref>/versions")
@allow("publisher", files=True)
def add_version(ref: str) -> AnyResponse:
    """Take the bytes of the form in as the newest version."""
    document = _get(ref)
    try:
        facts = Facts(note=require_text(forms.text("note"), "note"))
        outcome = uploads.store_version(person(), document.id, arrive(files_of("file")[0], facts))
    except (BadInput, BadRequest, Conflict, UploadRejected) as problem:
        return _versions_page(document, problem)
    word = "version-known" if outcome.kind == "unchanged" else "version-added"
    return done(word, "documents.show", ref=ref)


@bp.get("/documents/<ref>/move")
@allow("publisher")
def choose_category(ref: str) -> Response:
    """Where the document may go."""
    return _move_page(_get(ref))


@bp.post("/documents/<ref>/move")
@allow("publisher")
def move(ref: str) -> AnyResponse:
    """Shelve it in another category."""
    document = _get(ref)
    try:
        catalog.move_document(person(), document.id, target_category(forms.text("category")).id)
    except (BadInput, CategoryNotFound, Conflict, Forbidden, UploadTypeRejected) as problem:
        return _move_page(document, problem)
    return done("document-moved", "documents.show", ref=ref)


@bp.get("/documents/<ref>/trash")
@allow("publisher")
def ask_trash(ref: str) -> Response:
    """What putting it into the trash means."""
    document = _get(ref)
    rows, after = shares.list_links(person(), document_id=document.id, state="live")
    days = settings().trash_days
    return house.show(
        "admin/document_trash.html", document=document, links=len(rows), has_more=after is not None, days=days
    )


@bp.post("/documents/<ref>/trash")
@allow("publisher")
def trash(ref: str) -> AnyResponse:
    """Put it into the trash."""
    catalog.trash_document(person(), _get(ref).id)
    return done("document-trashed", "trash.show")


@bp.get("/documents/<ref>/links")
@allow("publisher")
def links(ref: str) -> Response:
    """The links to a document, and the form for one more."""
    return _links_page(_get(ref))


@bp.post("/documents/<ref>/links")
@allow("publisher")
def add_link(ref: str) -> Response:
    """Make a link. Its address stands on this answer and nowhere else, ever: only a hash of it is stored."""
    document = _get(ref)
    try:
        link, token = shares.add_link(person(), document.id, terms(), password=forms.text("password") or None)
    except BadInput as problem:
        return _links_page(document, problem)
    return house.show("admin/link_made.html", document=document, link=link, address=house.share_address(token))


def terms(stored: datetime | None = None) -> Terms:
    """What a form says a link allows; ``stored`` is when it expires so far."""
    return Terms(
        label=forms.text("label"),
        message=forms.text("message"),
        expires_at=forms.moment("expires_at", stored),
        max_downloads=forms.number("max_downloads"),
    )


def _get(ref: str) -> Document:
    """The document, for those who may change it.

    Raises DocumentNotFound for who may not read it, Forbidden for who may only read it.
    """
    named = parse_ref(ref)
    edition = catalog.find_readable(person(), named) if named is not None else None
    if edition is None:
        raise DocumentNotFound
    access.require_permission(person(), edition.category_id, PUBLISH)
    return catalog.get_live(edition.document_id)


def _published_at(document: Document) -> datetime | None:
    visible = forms.choice("visible", VISIBLE, "keep")
    so_far = document.published_at
    if visible != "at" and forms.moment("published_at", so_far) not in (None, so_far):
        raise BadInput(UNUSED_MOMENT, field="published_at")
    if visible == "keep":
        return document.published_at
    if visible == "now":
        return person().checked_at  # the database's clock at the start of this request
    return _moment_to_come() if visible == "at" else None


def _expires_at(document: Document) -> datetime | Keep | None:
    """An end that a draft never had is left to its category."""
    expires_at = forms.moment("expires_at", document.expires_at)
    is_unsaid = document.published_at is None and document.expires_at is None and expires_at is None
    return KEEP if is_unsaid else expires_at


def _moment_to_come() -> datetime:
    moment = forms.moment("published_at")
    if moment is None:
        raise BadInput("Say from when people see it.", field="published_at")
    return moment


def _edit_page(document: Document, problem: PortalError | None = None) -> Response:
    return house.show("admin/document_edit.html", document=document, problem=problem, **describing.shown(document))


def _versions_page(document: Document, problem: PortalError | None = None) -> Response:
    rows = catalog.list_versions(document.id, limit=PAGE)
    return house.show("admin/document_versions.html", document=document, versions=rows, problem=problem)


def _move_page(document: Document, problem: PortalError | None = None) -> Response:
    shown = [category for category, _ in catalog.list_shown(person(), PUBLISH)]
    here = next((category for category in shown if category.id == document.category_id), None)
    return house.show("admin/document_move.html", document=document, here=here, categories=shown, problem=problem)


def _links_page(document: Document, problem: PortalError | None = None) -> Response:
    rows, after = shares.list_links(person(), document_id=document.id, after=forms.query_id("after"))
    return house.show("admin/document_links.html", document=document, rows=rows, after=after, problem=problem)
