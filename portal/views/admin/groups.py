"""Groups: named sets of people that permissions are given to."""

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts, catalog
from portal.accounts.quotas import room_of_group
from portal.errors import BadInput, Conflict, PortalError, UnknownAddresses
from portal.models import Group
from portal.views import forms
from portal.views.admin import house
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("groups", __name__, url_prefix="/admin/groups")

MOST = accounts.MOST_MEMBERS_COUNTED
QUERY_LENGTH = 200


@bp.get("")
@allow("administrator")
def show() -> Response:
    """Groups by name with how many are in each, narrowed by ``?q=``, and the form for one more."""
    return _list_page()


@bp.post("")
@allow("administrator")
def add() -> AnyResponse:
    """Add a group."""
    try:
        group = accounts.add_group(person(), forms.text("name"))
    except (BadInput, Conflict) as problem:
        return _list_page(problem)
    return done("group-added", "groups.edit", group_id=group.id)


@bp.get("/<group_id>")
@allow("administrator")
def edit(group_id: str) -> Response:
    """One group: who is in it, narrowed by ``?q=``, and what it was given."""
    return group_page(_get(group_id))


@bp.post("/<group_id>")
@allow("administrator")
def change(group_id: str) -> AnyResponse:
    """Rename it."""
    group = _get(group_id)
    try:
        accounts.change_group(person(), group.id, forms.text("name"))
    except (BadInput, Conflict) as problem:
        return group_page(group, problem)
    return done("group-changed", "groups.edit", group_id=group.id)


@bp.post("/<group_id>/members")
@allow("administrator")
def add_members(group_id: str) -> AnyResponse:
    """Put everybody whose address stands in the form into it, all or none, or all that have an account."""
    group = _get(group_id)
    try:
        emails, skip = forms.words("emails"), forms.flag("skip_unknown")
        added = accounts.add_members(person(), group.id, emails, skip_unknown=skip)
    except BadInput as problem:
        return group_page(group, problem)
    return done("group-joined" if added else "nobody-new", "groups.edit", group_id=group.id)


@bp.post("/<group_id>/members/<user_id>/remove")
@allow("administrator")
def remove_member(group_id: str, user_id: str) -> AnyResponse:
    """Take one person out."""
    group, user = _get(group_id), accounts.get_user(forms.path_id(user_id))
    accounts.leave_group(person(), group.id, user.id)
    return done("group-left", "groups.edit", group_id=group.id)


@bp.get("/<group_id>/remove")
@allow("administrator")
def ask_remove(group_id: str) -> Response:
    """What removing the group takes away."""
    group = _get(group_id)
    members, grants = _count(group), catalog.list_grants_of_group(group.id)
    return house.show("admin/group_remove.html", group=group, members=members, most=MOST, grants=grants)


@bp.post("/<group_id>/remove")
@allow("administrator")
def remove(group_id: str) -> AnyResponse:
    """Remove it, its permissions with it."""
    accounts.remove_group(person(), _get(group_id).id)
    return done("group-removed", "groups.show")


def _get(group_id: str) -> Group:
    return accounts.get_group(forms.path_id(group_id))


def _count(group: Group) -> int:
    return accounts.count_members([group.id])[group.id]


def _sought() -> str:
    return request.args.get("q", "")[:QUERY_LENGTH].strip()


def _list_page(problem: PortalError | None = None) -> Response:
    page = accounts.list_group_page(_sought(), forms.query_id("after"))
    counts = accounts.count_members(group.id for group in page.groups)
    return house.show("admin/groups.html", page=page, counts=counts, most=MOST, sought=_sought(), problem=problem)


def group_page(group: Group, problem: PortalError | None = None) -> Response:
    """The page of a group, with why something was refused."""
    return house.show(
        "admin/group.html",
        group=group,
        page=accounts.list_people(_sought(), forms.query_id("after"), group_id=group.id),
        count=_count(group),
        most=MOST,
        sought=_sought(),
        unknown=problem.addresses if isinstance(problem, UnknownAddresses) else (),
        grants=catalog.list_grants_of_group(group.id),
        room=room_of_group(group.id),
        problem=problem,
    )
