"""Many documents at once: which ones, what to change, what that would come to, and how it goes."""

from datetime import datetime

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from portal import catalog
from portal.accounts import SignedIn
from portal.catalog import bulk_edits, trash
from portal.catalog.bulk_edits import Changes, EditRow
from portal.catalog.responsible import find_responsible
from portal.catalog.tags import split_tags
from portal.errors import BadInput, CategoryNotFound, Conflict, Forbidden, PortalError
from portal.models import PUBLISH, BulkEdit
from portal.views import forms
from portal.views.admin import house
from portal.views.admin.bulk_words import sentences_of, verb_of
from portal.views.admin.trash import sought
from portal.views.admin.upload import target_category
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("bulk", __name__, url_prefix="/admin/bulk")

OUTCOMES = ("changed", "unchanged", "refused")
VISIBLE = ("", "now", "at", "draft")
ENDS = ("", "at", "never")
ASKED = ("", "person", "nobody")
NO_MOMENT = "Say from when."
NO_END = "Say until when."
NO_PERSON = "Say who."
LOOKS_AGAIN_SECONDS = 3
REFUSALS = (BadInput, CategoryNotFound, Conflict, Forbidden)


@bp.get("")
@allow("publisher")
def show() -> Response:
    """The edits of the person, for administrators everybody's."""
    return _list_page()


@bp.post("")
@allow("publisher")
def choose() -> AnyResponse:
    """Plan an edit of the ticked documents, or of all: in a category, that a search finds, or that the trash shows."""
    try:
        edit = _plan(person())
    except REFUSALS as problem:
        return _list_page(problem)
    return redirect(url_for("bulk.look", edit_id=edit.id), 303)


@bp.get("/<edit_id>")
@allow("publisher")
def look(edit_id: str) -> AnyResponse:
    """What an edit would come to while it is planned, and what it came to once it was begun."""
    row = bulk_edits.get_edit(person(), forms.path_id(edit_id))
    if row.state != "planned":
        return _report(row)
    if row.changes.is_nothing:
        return redirect(url_for("bulk.edit", edit_id=row.id), 303)
    return _forecast(row)


@bp.get("/<edit_id>/changes")
@allow("publisher")
def edit(edit_id: str) -> AnyResponse:
    """The form that says what should change."""
    row = bulk_edits.get_edit(person(), forms.path_id(edit_id))
    if row.state != "planned":
        return redirect(url_for("bulk.look", edit_id=row.id), 303)
    return _form(row)


@bp.post("/<edit_id>/changes")
@allow("publisher")
def change(edit_id: str) -> AnyResponse:
    """Say what should change. Nothing is changed yet."""
    row = bulk_edits.get_edit(person(), forms.path_id(edit_id))
    try:
        bulk_edits.choose_changes(person(), row.id, _changes())
    except REFUSALS as problem:
        return _form(row, problem)
    return redirect(url_for("bulk.look", edit_id=row.id), 303)


@bp.post("/<edit_id>/start")
@allow("publisher")
def start(edit_id: str) -> AnyResponse:
    """Make the changes that were looked at."""
    row = bulk_edits.get_edit(person(), forms.path_id(edit_id))
    try:
        bulk_edits.start_edit(person(), row.id, forms.text("seal"))
    except Conflict as problem:
        return _forecast(row, problem) if row.state == "planned" else _report(row, problem)
    return redirect(url_for("bulk.look", edit_id=row.id), 303)


@bp.post("/<edit_id>/stop")
@allow("publisher")
def stop(edit_id: str) -> AnyResponse:
    """End a running edit where it is."""
    row = bulk_edits.get_edit(person(), forms.path_id(edit_id))
    bulk_edits.stop_edit(person(), row.id)
    return redirect(url_for("bulk.look", edit_id=row.id), 303)


@bp.post("/<edit_id>/drop")
@allow("publisher")
def drop(edit_id: str) -> AnyResponse:
    """Leave all as it is."""
    row = bulk_edits.get_edit(person(), forms.path_id(edit_id))
    try:
        bulk_edits.drop_plan(person(), row.id)
    except Conflict as problem:
        return _report(row, problem)
    return done("bulk-dropped", "bulk.show")


def _plan(who: SignedIn) -> BulkEdit:
    if forms.flag("back") and forms.flag("all"):
        return bulk_edits.plan_return_of(who, sought(trash.list_places(who)))
    if forms.flag("back"):
        return bulk_edits.plan_return(who, forms.identifiers("document"))
    if not forms.flag("all"):
        return bulk_edits.plan_selected(who, forms.identifiers("document"))
    query = forms.text("query").strip()
    return bulk_edits.plan_found(who, query) if query else bulk_edits.plan_category(who, forms.identifier("category"))


def _changes() -> Changes:
    """What the form says. Raises BadInput with the field that is wrong."""
    if forms.flag("trash"):
        return Changes(place="trash")
    path, field_id = forms.text("category"), forms.number("field")
    visible = forms.choice("visible", VISIBLE)
    ends = forms.choice("ends", ENDS)
    asked = forms.choice("asked", ASKED)
    found = find_responsible(forms.text("responsible")) if asked == "person" else None
    if asked == "person" and found is None:
        raise BadInput(NO_PERSON, field="responsible")
    return Changes(
        category_id=target_category(path).id if path else None,
        add_tags=tuple(split_tags(forms.text("add_tags"))),
        remove_tags=tuple(split_tags(forms.text("remove_tags"))),
        field_id=field_id,
        field_value=forms.text("field_value").strip() if field_id else "",
        asked=asked,  # type: ignore[arg-type]  # forms.choice gives one of them
        responsible_id=found.id if found else None,
        ends=ends,  # type: ignore[arg-type]  # forms.choice gives one of them
        expires_at=_moment("expires_at", NO_END) if ends == "at" else None,
        visible=visible,  # type: ignore[arg-type]  # forms.choice gives one of them
        published_at=_moment("published_at", NO_MOMENT) if visible == "at" else None,
    )


def _moment(name: str, sentence: str) -> datetime:
    found = forms.moment(name)
    if found is None:
        raise BadInput(sentence, field=name)
    return found


def _list_page(problem: PortalError | None = None) -> Response:
    rows, after = bulk_edits.list_edits(person(), after=forms.query_id("after"))
    sentences = {row.id: sentences_of(row.changes, is_over=row.is_over) for row in rows}
    return house.show("admin/bulk.html", rows=rows, after=after, sentences=sentences, problem=problem, refusal=problem)


def _form(row: EditRow, problem: PortalError | None = None) -> Response:
    return house.show(
        "admin/bulk_changes.html",
        row=row,
        categories=[category for category, _ in catalog.list_shown(person(), PUBLISH)],
        fields=bulk_edits.list_offered_fields(person(), row.id),
        problem=problem,
        refusal=problem,
    )


def _forecast(row: EditRow, problem: PortalError | None = None) -> Response:
    row = bulk_edits.get_edit(person(), row.id)
    return house.show(
        "admin/bulk_plan.html",
        row=row,
        forecast=bulk_edits.forecast(person(), row.id),
        sentences=sentences_of(row.changes),
        verb=verb_of(row.changes),
        at_once=bulk_edits.AT_ONCE,
        problem=problem,
        refusal=problem,
    )


def _report(row: EditRow, problem: PortalError | None = None) -> Response:
    outcome = request.args.get("outcome", "")
    outcome = outcome if outcome in OUTCOMES else ""
    after = forms.query_id("after")
    items, more = bulk_edits.list_items(person(), row.id, outcome, after=after)
    page = house.show(
        "admin/bulk_report.html",
        row=row,
        outcome=outcome,
        items=items,
        after=more,
        reasons=bulk_edits.list_reasons(person(), row.id),
        sentences=sentences_of(row.changes, is_over=row.is_over),
        problem=problem,
        refusal=problem,
    )
    if row.state == "running" and after is None and problem is None:
        page.headers["Refresh"] = str(LOOKS_AGAIN_SECONDS)
    return page
