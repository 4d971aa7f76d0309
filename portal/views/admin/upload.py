"""The upload page: several documents at once into one category, all or none, without a script."""

from flask import Blueprint, Response, request
from werkzeug.datastructures import FileStorage

from portal import access, catalog, uploads
from portal.accounts import sends_mail
from portal.accounts.quotas import list_rooms
from portal.catalog import Facts, OnConflict, Outcome
from portal.catalog.moments import require_order
from portal.catalog.texts import require_reference, require_title
from portal.errors import BadInput, BadRequest, CategoryNotFound, Conflict, Forbidden, PortalError, UploadRejected
from portal.extensions import settings
from portal.models import PUBLISH, READ, Category
from portal.storage import Incoming
from portal.uploads import Arrival
from portal.views import forms
from portal.views.admin import house
from portal.views.guard import allow, person

bp = Blueprint("upload", __name__, url_prefix="/admin")

ON_CONFLICT: dict[str, OnConflict] = {"version": "version", "rename": "rename", "refuse": "refuse"}
DRAFT_WITH_MOMENT = "A draft is seen from no moment on. Empty this field, or take the tick away."
REFUSALS = (BadInput, BadRequest, CategoryNotFound, Conflict, Forbidden, UploadRejected)


@bp.get("/upload")
@allow("publisher")
def choose() -> Response:
    """The form, with the category of ``?category=PATH`` chosen."""
    return _page(request.args.get("category", ""))


@bp.post("/upload")
@allow("publisher", files=True)
def store() -> Response:
    """Take in every document of the form and say what became of each."""
    try:
        category = target_category(forms.text("category"))
        on_conflict = ON_CONFLICT[forms.choice("on_conflict", ON_CONFLICT, "version")]
        outcomes = uploads.store_documents(person(), category.id, _arrivals(), on_conflict=on_conflict)
    except REFUSALS as problem:
        return _page(request.form.get("category", ""), problem)
    counts, is_scanned = _counts(outcomes), bool(settings().clamd)
    return house.show("admin/uploaded.html", category=category, outcomes=outcomes, counts=counts, is_scanned=is_scanned)


def files_of(name: str) -> list[FileStorage]:
    """The files of a field. One left empty comes as a file without a name and counts as none.

    Raises BadRequest when there is no other.
    """
    files = [file for file in request.files.getlist(name) if file.filename]
    if not files:
        raise BadRequest("No document came with the form. Choose one.", field=name)
    return files


def arrive(file: FileStorage, facts: Facts) -> Arrival:
    """One file of a form, come to its end; the parser has written it into the storage already."""
    stream: object = file.stream
    if not isinstance(stream, Incoming):
        raise TypeError("the form was read by somebody else's parser")
    return uploads.arrive(stream, file.filename or "", facts=facts)


def target_category(path: str) -> Category:
    """The category chosen for documents, which the person may publish in.

    Raises BadInput when none is named, CategoryNotFound when there is none they may see, Forbidden when they may only
    read it.
    """
    if not path:
        raise BadInput("Choose where the documents go.", field="category")
    category = catalog.find_category(path)
    level = access.level_on(person(), category)
    if category is None or level < READ:
        raise CategoryNotFound(field="category")
    if level < PUBLISH:
        raise Forbidden("You may read this category, but not publish in it.", field="category")
    return category


def _arrivals() -> list[Arrival]:
    files = files_of("files")
    facts = _facts(len(files))
    return [arrive(file, facts) for file in files]


def _facts(count: int) -> Facts:
    """What the form says of each of so many documents, refused before any of their bytes are kept."""
    title, reference = forms.text("title").strip(), forms.text("reference")
    if title and count > 1:
        raise BadInput("A title is for one document. Choose one, or leave the title empty.", field="title")
    if reference.strip() and count > 1:
        raise BadInput("A reference is for one document. Choose one, or leave it empty.", field="reference")
    is_draft, published_at, expires_at = forms.flag("draft"), forms.moment("published_at"), forms.moment("expires_at")
    if is_draft and published_at is not None:
        raise BadInput(DRAFT_WITH_MOMENT, field="published_at")
    require_order(published_at, expires_at)
    return Facts(
        title=require_title(title) if title else None,
        is_draft=is_draft,
        published_at=published_at,
        expires_at=expires_at,
        reference=require_reference(reference),
        tags=tuple(catalog.require_tags(catalog.split_tags(forms.text("tags"))).values()),
    )


def _counts(outcomes: list[Outcome]) -> dict[str, int]:
    return {kind: sum(outcome.kind == kind for outcome in outcomes) for kind in ("added", "versioned", "unchanged")}


def _page(chosen: str, problem: PortalError | None = None) -> Response:
    limits, categories = settings(), [category for category, _ in catalog.list_shown(person(), PUBLISH)]
    category = next((one for one in categories if one.path == chosen or len(categories) == 1), None)
    return house.show(
        "admin/upload.html",
        problem=problem,
        categories=categories,
        all_rules=catalog.rules_of_many(categories),
        chosen=chosen,
        rules=catalog.rules_of(category) if category is not None else None,
        largest=limits.max_upload,
        room=next(iter(list_rooms(person().user_id or 0)), None),
        types=sorted(limits.allowed_types),
        hours=limits.upload_hours,
        sends_mail=sends_mail(),
        offered_tags=catalog.list_offered_tags(person(), category.id if category is not None else access.NO_CATEGORY),
    )
