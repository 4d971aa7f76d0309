"""Lists of people: taken in after a look at what they would do, and given out."""

from itertools import chain

from flask import Blueprint, Response, request, stream_with_context
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.accounts import BROKEN, KNOWN, NEW, REPEATED
from portal.cells import BYTE_ORDER_MARK
from portal.errors import BadInput, Conflict, GroupNotFound, PortalError
from portal.views import forms
from portal.views.admin import house
from portal.views.guard import allow, person

bp = Blueprint("lists", __name__, url_prefix="/admin/people")

NO_TEXT = "This file is no text in UTF-8. Save it as “CSV UTF-8”, and take it again."


@bp.get("/export.csv")
@allow("administrator", fresh=True, page="people.show")
def export() -> AnyResponse:
    """Everybody as a CSV."""
    lines = chain([BYTE_ORDER_MARK], accounts.export_people(person()))
    headers = {"Content-Disposition": 'attachment; filename="people.csv"'}
    return Response(stream_with_context(lines), mimetype="text/csv", headers=headers)


@bp.get("/import")
@allow("administrator", fresh=True)
def choose() -> Response:
    """The form that takes a list."""
    return _form()


@bp.post("/import")
@allow("administrator")
def look() -> Response:
    """What the list would do, row by row; with ``back`` the list once more, as it was. Nothing is done."""
    if forms.flag("back"):
        return _form()
    try:
        return _look(_text())
    except (BadInput, GroupNotFound) as problem:
        return _form(problem)


@bp.post("/import/confirm")
@allow("administrator", fresh=True, page="lists.choose")
def confirm() -> Response:
    """Do what was shown, or show what would be done now when that is something else."""
    text = forms.text("people", most=forms.MOST_PASTED)
    try:
        seal = forms.text("seal", most=forms.MOST_PASTED)
        invited = accounts.invite_all(person(), text, forms.identifiers("groups"), seal)
    except Conflict as problem:
        return _look(text, problem)
    except (BadInput, GroupNotFound) as problem:
        return _form(problem)
    addresses = [(user, house.setup_address(token)) for user, token in invited.people]
    return house.show(
        "admin/people_invited.html",
        people=addresses,
        joined=invited.joined,
        referred=invited.referred,
        sends_mail=accounts.sends_mail(),
    )


def _text() -> str:
    """What was pasted, or what is in the file."""
    taken = request.files.get("file")
    pasted = forms.text("people", most=forms.MOST_PASTED)
    if taken is None or not taken.filename:
        return pasted
    if pasted.strip():
        raise BadInput("Paste a list, or choose a file: one of the two.", field="people")
    try:
        text = taken.read().decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise BadInput(NO_TEXT, field="file") from problem
    return forms.checked(text, "file", forms.MOST_PASTED)


def _look(text: str, problem: PortalError | None = None) -> Response:
    groups = forms.identifiers("groups")
    plan = accounts.plan_invitations(text, groups)
    rows = {kind: [row for row in plan.rows if row.kind == kind] for kind in (NEW, KNOWN, REPEATED, BROKEN)}
    return house.show(
        "admin/people_import.html", problem=problem, plan=plan, rows=rows, text=text, groups=groups, refusal=problem
    )


def _form(problem: PortalError | None = None) -> Response:
    return house.show("admin/people_paste.html", groups=accounts.list_all_groups(), problem=problem, refusal=problem)
