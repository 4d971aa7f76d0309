"""Distributions: files dropped, whose each of them is, what would become of them, and how it goes."""

from typing import NamedTuple
from uuid import UUID

from flask import Blueprint, Response, request, stream_with_context, url_for
from werkzeug.datastructures import FileStorage
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts, catalog, deliveries
from portal.catalog import Facts, parse_ref
from portal.errors import (
    BadInput,
    BadRequest,
    CategoryNotFound,
    Conflict,
    DistributionNotFound,
    Forbidden,
    PortalError,
    UploadRejected,
)
from portal.models import MANAGE
from portal.storage import Incoming
from portal.uploads import Arrival, distributing
from portal.uploads.distributing import OUTCOMES, DistributionRow
from portal.uploads.distributing.lines import BYTES
from portal.views import forms
from portal.views.admin import house
from portal.views.admin.upload import arrive
from portal.views.clock import here
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("distributions", __name__, url_prefix="/admin/distributions")

LOOKS_AGAIN_SECONDS = 3
PAGE = 50
LINES = "lines"
"""In the place of an outcome: the lines of the table without a file."""
ENDED = ("added", "versioned", "unchanged", "refused", "cancelled")
TWO_WAYS = "Write a pattern, or choose a table: one of the two."
NO_CATEGORY = "Choose below which category."
NO_TABLE = "Choose a table, or write a pattern."
NO_FILES = "No document came with the form. Choose one."
REFUSALS = (BadInput, BadRequest, CategoryNotFound, Conflict, Forbidden, UploadRejected)


class _Came(NamedTuple):
    """What came with the form of a distribution."""

    has_files: bool
    says_whose: bool


@bp.get("")
@allow("publisher")
def show() -> Response:
    """The distributions of the person, for administrators everybody's."""
    rows, after = distributing.list_distributions(person(), after=forms.query_id("after"))
    return house.show("admin/distributions.html", rows=rows, after=after)


@bp.get("/new")
@allow("publisher")
def choose() -> Response:
    """The form that begins one."""
    return _new()


@bp.post("")
@allow("publisher")
def add() -> AnyResponse:
    """Begin one. Nobody is given anything yet."""
    try:
        path = forms.text("category")
        if not path:
            raise BadInput(NO_CATEGORY, field="category")
        category = catalog.find_category(path)
        if category is None:
            raise CategoryNotFound(field="category")
        made = distributing.add_distribution(person(), category.id, forms.text("title"))
    except REFUSALS as problem:
        return _new(problem)
    return redirect(url_for("distributions.look", distribution=made.uuid), 303)


@bp.get("/<distribution>")
@allow("publisher")
def look(distribution: str) -> Response:
    """What would become of its files while they are collected, and what became of them afterwards."""
    return _page(_get(distribution))


@bp.post("/<distribution>/files")
@allow("publisher", files=True)
def drop(distribution: str) -> AnyResponse:
    """Take in the files of the form; one that is not taken is in the list, with the reason."""
    row = _get(distribution)
    try:
        if not any(_take_in(row)):
            raise BadRequest(NO_FILES, field="files")
    except REFUSALS as problem:
        return _page(row, problem)
    return redirect(url_for("distributions.look", distribution=distribution), 303)


@bp.post("/<distribution>/whose")
@allow("publisher", files=True)
def say_whose(distribution: str) -> AnyResponse:
    """Have a pattern or a table say whose each file is."""
    row = _get(distribution)
    try:
        if not _take_in(row).says_whose:
            raise BadInput(NO_TABLE, field="lines")
    except REFUSALS as problem:
        return _page(row, problem)
    return redirect(url_for("distributions.look", distribution=distribution) + "#plan", 303)


@bp.post("/<distribution>/files/<file_id>/remove")
@allow("publisher", files=True)
def take_out(distribution: str, file_id: str) -> AnyResponse:
    """Take a file out again."""
    row = _get(distribution)
    try:
        _take_in(row)
        distributing.take_out(person(), row.id, forms.path_id(file_id))
    except REFUSALS as problem:
        return _page(row, problem)
    return redirect(url_for("distributions.look", distribution=distribution) + "#plan", 303)


@bp.post("/<distribution>/start")
@allow("publisher", files=True)
def start(distribution: str) -> AnyResponse:
    """Do what was looked at. What came along with it was not, and is to be looked at first."""
    row = _get(distribution)
    try:
        _take_in(row)
        distributing.start_distribution(person(), row.id, forms.text("seal"))
    except REFUSALS as problem:
        return _page(row, problem)
    return redirect(url_for("distributions.look", distribution=distribution), 303)


@bp.post("/<distribution>/stop")
@allow("publisher")
def stop(distribution: str) -> AnyResponse:
    """End a running one where it is."""
    row = _get(distribution)
    distributing.stop_distribution(person(), row.id)
    return redirect(url_for("distributions.look", distribution=distribution), 303)


@bp.post("/<distribution>/drop")
@allow("publisher")
def give_up(distribution: str) -> AnyResponse:
    """Give up one that was not confirmed."""
    row = _get(distribution)
    try:
        distributing.drop_distribution(person(), row.id)
    except REFUSALS as problem:
        return _page(row, problem)
    return done("distribution-dropped", "distributions.show")


@bp.get("/<distribution>/people")
@allow("publisher")
def people(distribution: str) -> Response:
    """Who has theirs and who has not, narrowed by ``?state=``."""
    row = _get(distribution)
    state = request.args.get("state", "")
    state = state if state in deliveries.RECEPTION_STATES else ""
    rows, after = deliveries.list_receptions(person(), row.id, state, after=request.args.get("after"))
    counts = deliveries.count_receptions(person(), row.id)
    return house.show("admin/distribution_people.html", row=row, rows=rows, after=after, counts=counts, state=state)


@bp.get("/<distribution>/report.csv")
@allow("publisher")
def report(distribution: str) -> AnyResponse:
    """What became of every file, and whether it was downloaded, as a CSV."""
    row = _get(distribution)
    headers = {"Content-Disposition": 'attachment; filename="distribution.csv"'}
    lines = stream_with_context(deliveries.export_files(person(), row.id))
    return Response(lines, mimetype="text/csv", headers=headers)


def _get(distribution: str) -> DistributionRow:
    named = parse_ref(distribution)
    if not isinstance(named, UUID):
        raise DistributionNotFound
    return distributing.get_distribution(person(), named)


def _take_in(row: DistributionRow) -> _Came:
    """Take in all that was chosen on the page, whichever of its buttons was pressed: no browser chooses it again."""
    if forms.flag("seal"):  # the tick stands beside it
        distributing.change_notice(person(), row.id, wants_notice=forms.flag("notice"))
    files = [file for file in request.files.getlist("files") if file.filename]
    arrivals = [found for file in files if (found := _arrive(row.id, file)) is not None]
    if arrivals:
        distributing.add_files(person(), row.id, arrivals)
    return _Came(bool(files), _take_whose(row))


def _take_whose(row: DistributionRow) -> bool:
    """Have the pattern or the table of the form say whose each file is; whether there was one."""
    table, pattern = request.files.get("lines"), forms.text("pattern").strip()
    if table is None or not table.filename:
        if pattern:
            distributing.set_pattern(person(), row.id, pattern)
        return bool(pattern)
    if pattern:
        raise BadInput(TWO_WAYS, field="lines")
    distributing.set_lines(person(), row.id, _bytes_of(table), here())
    return True


def _arrive(distribution_id: int, file: FileStorage) -> Arrival | None:
    stream: object = file.stream
    size = stream.size if isinstance(stream, Incoming) else 0
    try:
        return arrive(file, Facts())
    except UploadRejected as problem:
        distributing.refuse_file(person(), distribution_id, file.filename or "", size, problem.sentence)
        return None


def _bytes_of(file: FileStorage) -> bytes:
    """A table whole; one that is far too large is refused by its reader."""
    file.stream.seek(0)
    return file.stream.read(BYTES + 1)


def _new(problem: PortalError | None = None) -> Response:
    categories = [category for category, _ in catalog.list_shown(person(), MANAGE)]
    chosen = request.args.get("category", "")
    return house.show("admin/distribution_new.html", categories=categories, chosen=chosen, problem=problem)


def _page(row: DistributionRow, problem: PortalError | None = None) -> Response:
    row = distributing.get_distribution(person(), row.id)
    return _collecting(row, problem) if row.state == "collecting" else _report(row, problem)


def _collecting(row: DistributionRow, problem: PortalError | None) -> Response:
    plan = distributing.plan_distribution(person(), row.id)
    outcome = request.args.get("outcome", "")
    outcome = outcome if outcome in (*OUTCOMES, LINES) else ""
    start = min(forms.query_id("from") or 0, distributing.MOST_FILES)
    without = plan.lines_without_file
    shown = without if outcome == LINES else [one for one in plan.files if not outcome or one.outcome == outcome]
    return house.show(
        "admin/distribution.html",
        row=row,
        plan=plan,
        outcome=outcome,
        shown=shown[start : start + PAGE],
        start=start,
        total=len(shown),
        most=distributing.MOST_FILES,
        at_once=distributing.AT_ONCE,
        sends_mail=accounts.sends_mail(),
        problem=problem,
        refusal=problem,
        posted=house.Form(problem),
    )


def _report(row: DistributionRow, problem: PortalError | None) -> Response:
    outcome = request.args.get("outcome", "")
    outcome = outcome if outcome in ENDED else ""
    after = forms.query_id("after")
    files, more = distributing.list_files(person(), row.id, outcome, after=after)
    is_over = row.state != "running" and not row.was_given_up  # it is asked again and again while it runs
    is_told = is_over and deliveries.may_follow(person(), row.id)
    page = house.show(
        "admin/distribution_report.html",
        people=deliveries.count_receptions(person(), row.id) if is_told else None,
        row=row,
        outcome=outcome,
        files=files,
        after=more,
        reasons=distributing.list_reasons(row.id),
        sends_mail=accounts.sends_mail(),
        problem=problem,
        refusal=problem,
    )
    if row.state == "running" and after is None and problem is None:
        page.headers["Refresh"] = str(LOOKS_AGAIN_SECONDS)
    return page
