"""People: found, added, changed, let in again and kept out."""

from collections.abc import Collection

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts, catalog
from portal.accounts.apps import find_app
from portal.accounts.passkeys import list_passkeys
from portal.accounts.quotas import room_of_person
from portal.accounts.recovery import count_recovery_codes
from portal.errors import BadInput, Conflict, GroupNotFound, PortalError
from portal.extensions import settings
from portal.models import User
from portal.programs import device
from portal.views import forms
from portal.views.admin import house
from portal.views.guard import allow, person
from portal.views.notices import done
from portal.views.pages import counted, plural

bp = Blueprint("people", __name__, url_prefix="/admin/people")

STATES = {"active": "active", "waiting": "wait for first sign-in", "disabled": "disabled", "erased": "erased"}
"""State of a list to the words of its tally."""
TRAITS = {"administrators": "Administrators", "never_here": "Never signed in", "unprotected": "Without a second factor"}
"""What else people are narrowed to, in the words of the choice."""
QUERY_LENGTH = 200
LAST_SIGN_INS = 5
"""How many of them the page of a person shows; all have a page of their own."""


@bp.get("")
@allow("administrator")
def show() -> Response:
    """Everybody by name, narrowed by ``?q=``, ``?state=``, ``?only=`` (one of ``TRAITS``) and ``?group=``."""
    query = request.args.get("q", "")[:QUERY_LENGTH]
    state, trait = _offered("state", STATES), _offered("only", TRAITS)
    groups = accounts.list_all_groups()
    group_id = next((group.id for group in groups if group.id == forms.query_id("group")), None)
    page = accounts.list_people(query, forms.query_id("after"), state=state, trait=trait, group_id=group_id)
    ids = [user.id for user in page.people]
    return house.show(
        "admin/people.html",
        page=page,
        sought=query,
        states=STATES,
        traits=TRAITS,
        all_groups=groups,
        wanted={"q": query or None, "state": state, "only": trait, "group": group_id},
        counts=accounts.count_people(),
        most=accounts.MOST_COUNTED,
        groups=accounts.groups_of_each(ids),
        addresses=accounts.open_addresses(ids),
        state_of=accounts.state_of_person,
    )


@bp.get("/new")
@allow("administrator", fresh=True)
def new() -> Response:
    """The form for one more person."""
    return _new_page()


@bp.post("/new")
@allow("administrator", fresh=True)
def add() -> Response:
    """Add the account. The one-time address stands on this answer and nowhere else."""
    try:
        user, token = accounts.invite_user(
            person(),
            forms.text("email"),
            forms.text("name"),
            is_admin=forms.flag("is_admin"),
            group_ids=forms.identifiers("groups"),
        )
    except (BadInput, Conflict, GroupNotFound) as problem:
        return _new_page(problem)
    return _address_page(user, token)


@bp.get("/<user_id>")
@allow("administrator")
def edit(user_id: str) -> Response:
    """One person: account, groups, what counts for them, sessions."""
    return person_page(_get(user_id))


@bp.get("/<user_id>/sign-ins")
@allow("administrator")
def sign_ins(user_id: str) -> Response:
    """How a person came in, and who was refused as them, the newest first."""
    user, after = _get(user_id), forms.query_id("after")
    rows, further = accounts.list_sign_ins(user.id, after)
    return house.show("admin/person_sign_ins.html", user=user, rows=rows, is_first=after is None, after=further)


@bp.get("/<user_id>/categories")
@allow("administrator")
def categories(user_id: str) -> Response:
    """Every category a person may see, and why."""
    user, after = _get(user_id), forms.query_id("after")
    rows, further = catalog.list_seen(user, after)
    return house.show("admin/person_categories.html", user=user, rows=rows, is_first=after is None, after=further)


@bp.post("/<user_id>")
@allow("administrator", fresh=True, page="people.edit")
def change(user_id: str) -> AnyResponse:
    """Change name, address, reference and role. Who has no way in yet is invited at a new address."""
    user = _get(user_id)
    try:
        user, token = accounts.correct_user(
            person(),
            user.id,
            name=forms.text("name"),
            email=forms.text("email", user.email),
            is_admin=forms.flag("is_admin"),
            reference=forms.text("reference", user.reference),
        )
    except (BadInput, Conflict) as problem:
        return person_page(user, problem)
    if token is not None:
        return _address_page(user, token)
    return done("account-changed", "people.edit", user_id=user.id)


@bp.post("/<user_id>/disable")
@allow("administrator")
def disable(user_id: str) -> AnyResponse:
    """Keep a person out from now on."""
    user = _get(user_id)
    try:
        accounts.disable_user(person(), user.id)
    except Conflict as problem:
        return person_page(user, problem)
    return done("account-disabled", "people.edit", user_id=user.id)


@bp.post("/<user_id>/enable")
@allow("administrator", fresh=True, page="people.edit")
def enable(user_id: str) -> AnyResponse:
    """Let a person in again."""
    user = _get(user_id)
    accounts.enable_user(person(), user.id)
    return done("account-enabled", "people.edit", user_id=user.id)


@bp.post("/<user_id>/address")
@allow("administrator", fresh=True, page="people.edit")
def issue_address(user_id: str) -> Response:
    """A new one-time address, shown on this answer and nowhere else. Older ones stop working."""
    user = _get(user_id)
    try:
        return _address_page(user, accounts.issue_address(person(), user.id))
    except Conflict as problem:
        return person_page(user, problem)


@bp.post("/<user_id>/sessions")
@allow("administrator")
def end_sessions(user_id: str) -> AnyResponse:
    """Sign a person out everywhere."""
    user = _get(user_id)
    accounts.end_all_sessions(person(), user.id)
    return done("sessions-ended", "people.edit", user_id=user.id)


@bp.post("/<user_id>/groups")
@allow("administrator")
def join(user_id: str) -> AnyResponse:
    """Put a person into one more group."""
    user = _get(user_id)
    try:
        joined = accounts.join_group(person(), forms.identifier("group"), user.id)
    except (BadInput, GroupNotFound) as problem:
        return person_page(user, problem)
    return done("group-joined" if joined else "nobody-new", "people.edit", user_id=user.id)


@bp.post("/<user_id>/groups/<group_id>/leave")
@allow("administrator")
def leave(user_id: str, group_id: str) -> AnyResponse:
    """Take a person out of a group."""
    user, group = _get(user_id), accounts.get_group(forms.path_id(group_id))
    accounts.leave_group(person(), group.id, user.id)
    return done("group-left", "people.edit", user_id=user.id)


def _offered(name: str, offered: Collection[str]) -> str | None:
    value = request.args.get(name)
    return value if value in offered else None


def _get(user_id: str) -> User:
    return accounts.get_user(forms.path_id(user_id))


def _factors(user_id: int) -> list[str]:
    """The second factors of a person in words, with how many recovery codes are left; empty for none."""
    passkeys, codes = len(list_passkeys(user_id)), count_recovery_codes(user_id)
    found = ["app"] if find_app(user_id) is not None else []
    if passkeys:
        found.append(f"{counted(passkeys)} {plural(passkeys, 'passkey', 'passkeys')}")
    return [*found, f"{counted(codes)} {plural(codes, 'recovery code', 'recovery codes')} left"] if found else []


def _new_page(problem: PortalError | None = None) -> Response:
    values = {"groups": accounts.list_all_groups(), "sends_mail": accounts.sends_mail()}
    return house.show("admin/person_new.html", problem=problem, **values)


def _address_page(user: User, token: str) -> Response:
    address = house.setup_address(token)
    return house.show("admin/person_address.html", user=user, address=address, sends_mail=accounts.sends_mail())


def person_page(user: User, problem: PortalError | None = None) -> Response:
    """The page of a person, with why something was refused."""
    if user.erased_at is not None:
        return house.show("admin/person_erased.html", user=user, problem=problem, refusal=problem)
    mine = accounts.list_groups_of(user.id)
    joined = {group.id for group in mine}
    grants = catalog.list_grants_of_person(user.id)
    return house.show(
        "admin/person.html",
        user=user,
        state=accounts.state_of_person(user),
        until=accounts.open_addresses([user.id]).get(user.id),
        groups=mine,
        others=[group for group in accounts.list_all_groups() if group.id not in joined],
        grants=grants,
        ends=catalog.seals_below({row.category.id for row in grants}),
        sessions=[(row, device(row.agent)) for row in accounts.list_sessions(user.id)],
        factors=_factors(user.id),
        sign_ins=accounts.list_sign_ins(user.id, limit=LAST_SIGN_INS),
        identities=accounts.list_identities(user.id),
        links_by_email=settings().oidc_link_by_email,
        tokens=accounts.list_api_tokens(user.id),
        room=room_of_person(user.id),
        problem=problem,
    )
