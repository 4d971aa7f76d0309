"""Categories and who may see them: for administrators all, for managers those they manage. The core decides."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from portal import access, accounts, catalog
from portal.catalog import PERMISSIONS, GrantRow, Principal
from portal.errors import (
    BadInput,
    CategoryNotFound,
    Conflict,
    Forbidden,
    GroupNotFound,
    PortalError,
    UserNotFound,
)
from portal.models import MANAGE, Category
from portal.views import forms
from portal.views.admin import house
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("categories", __name__, url_prefix="/admin/categories")

AT_THE_TOP = "top"
"""What the choice of a parent says for no parent at all; only administrators may."""
WHOM = {"group": "A group", "person": "A person", "everyone": "Everyone signed in"}
"""Whom a permission may be for, as the form offers it."""
FILLED = {
    "email": "An email is filled in, but the permission is not for a person.",
    "group": "A group is chosen, but the permission is not for a group.",
}
NEITHER = "Choose a group, type the email of a person, or choose everyone signed in."
BOTH = "A group is chosen and an email is filled in. Empty one of the two: a permission is for one of them."
TAKES = {"inherit": "As it is further up", "all": "Every type", "these": "Only these endings"}
EXPIRES = {"inherit": "As it is further up", "never": "Do not expire", "after": "Expire after so many days"}
MAY = {"read": "read", "publish": "read and publish in", "manage": "read, publish in and manage"}
REFUSALS = (BadInput, CategoryNotFound, Conflict, Forbidden, GroupNotFound, UserNotFound)


@dataclass(frozen=True)
class Row:
    """A category in the tree as a list: how deep below the edge it stands."""

    category: Category
    level: int

    @property
    def label(self) -> str:
        """Its name, or at the edge its whole path."""
        return self.category.name if self.level else self.category.path


@bp.get("")
@allow("publisher")
def show() -> Response:
    """The tree of what the person manages, with how many documents are in each."""
    return _list_page()


@bp.post("")
@allow("publisher")
def add_top() -> AnyResponse:
    """Add a category at the top."""
    try:
        category = catalog.add_category(person(), None, forms.text("name"))
    except (BadInput, Conflict, Forbidden) as problem:
        return _list_page(problem)
    return done("category-added", "categories.edit", category_id=category.id)


@bp.get("/<category_id>")
@allow("publisher")
def edit(category_id: str) -> Response:
    """One category: what it is called, who may see it and why, what is below it."""
    return show_category(managed_category(category_id))


@bp.post("/<category_id>")
@allow("publisher")
def change(category_id: str) -> AnyResponse:
    """Rename or describe."""
    category = managed_category(category_id)
    try:
        name, description = forms.text("name"), forms.text("description")
        catalog.change_category(person(), category.id, name=name, description=description)
    except REFUSALS as problem:
        return show_category(category, problem)
    return after_change("category-changed", category.id)


@bp.post("/<category_id>/children")
@allow("publisher")
def add(category_id: str) -> AnyResponse:
    """Add a category below it."""
    category = managed_category(category_id)
    try:
        child = catalog.add_category(person(), category.id, forms.text("name"), is_sealed=forms.flag("is_sealed"))
    except REFUSALS as problem:
        return show_category(category, problem)
    return after_change("category-added", child.id)


@bp.post("/<category_id>/rules")
@allow("publisher")
def change_rules(category_id: str) -> AnyResponse:
    """Say what new documents may be, and when they expire."""
    category = managed_category(category_id)
    try:
        takes = forms.choice("takes", TAKES, "inherit")
        types = forms.words("types") if takes == "these" else []
        if takes == "these" and not types:
            raise BadInput("Write the endings that are taken.", field="types")
        expires = forms.choice("expires", EXPIRES, "inherit")
        days = forms.number("expiry_days") if expires == "after" else 0
        if days is None:
            raise BadInput("Write after how many days.", field="expiry_days")
        catalog.change_rules(
            person(),
            category.id,
            types=None if takes == "inherit" else types,
            expiry_days=None if expires == "inherit" else days,
        )
    except REFUSALS as problem:
        return show_category(category, problem)
    return after_change("category-changed", category.id)


@bp.get("/<category_id>/remove")
@allow("publisher")
def ask_remove(category_id: str) -> Response:
    """What removing it means."""
    return _remove_page(managed_category(category_id))


@bp.post("/<category_id>/remove")
@allow("publisher")
def remove(category_id: str) -> AnyResponse:
    """Remove an empty category."""
    category = managed_category(category_id)
    try:
        catalog.remove_category(person(), category.id)
    except Conflict as problem:
        return _remove_page(category, problem)
    return done("category-removed", "categories.show")


@bp.post("/<category_id>/grants")
@allow("publisher")
def grant(category_id: str) -> AnyResponse:
    """Give a permission, or change the one somebody has here."""
    category = managed_category(category_id)
    try:
        principal = _principal()
        permission = forms.choice("permission", PERMISSIONS)
        given = catalog.add_grant(person(), category.id, principal, permission, forms.moment("expires_at"))
    except REFUSALS as problem:
        return show_category(category, problem)
    return after_change("grant-added", category.id, given=given.id)


@bp.post("/<category_id>/grants/<grant_id>/remove")
@allow("publisher")
def revoke(category_id: str, grant_id: str) -> AnyResponse:
    """Take a permission back that was given on this very category."""
    category = managed_category(category_id)
    row = catalog.get_grant(category.id, forms.path_id(grant_id))
    catalog.remove_grant(person(), row.grant.id)
    return after_change("grant-removed", category.id)


def managed_category(category_id: str) -> Category:
    """The category, for those who manage it; for everybody else there is none."""
    found = forms.path_id(category_id)
    if access.permission_on(person(), found) < MANAGE:
        raise CategoryNotFound
    return catalog.get_category(found)


def _principal() -> Principal:
    """Whom a permission is for, as the form says it: everyone, one group, or the person of an address.

    Where it does not say so, a group or an address alone does. Raises BadInput when a field is filled in that says
    somebody else: nobody gets what was meant for another.
    """
    whom = forms.choice("whom", WHOM, _filled())
    for other, field in (("person", "email"), ("group", "group")):
        if whom != other and forms.text(field).strip():
            raise BadInput(f"{FILLED[field]} Choose “{WHOM[other]}”, or empty the field.", field=field)
    if whom == "everyone":
        return Principal(is_everyone=True)
    if whom == "group":
        return Principal(group_id=forms.identifier("group"))
    user = accounts.find_user(forms.text("email"))
    if user is None:
        raise UserNotFound("There is no account with this address. An administrator can add the person.", field="email")
    return Principal(user_id=user.id)


def _filled() -> str:
    """Whom the fields alone mean. Raises BadInput where none is filled in, or both are, and nothing else says whom."""
    filled = [whom for whom, field in (("group", "group"), ("person", "email")) if forms.text(field).strip()]
    if "whom" not in request.form and len(filled) != 1:
        raise BadInput(BOTH if filled else NEITHER, field="whom")
    return filled[0] if filled else ""


def after_change(word: str, category_id: int, **values: int) -> AnyResponse:
    """Back to the category, unless the change took it out of the person's own hands."""
    if access.permission_on(person(), category_id) < MANAGE:
        return done(word, "categories.show")
    return done(word, "categories.edit", category_id=category_id, **values)


def _list_page(problem: PortalError | None = None) -> Response:
    rows = _rows(category for category, _ in catalog.list_shown(person(), MANAGE))
    total = sum(row.category.document_count for row in rows)
    return house.show("admin/categories.html", rows=rows, total=total, problem=problem)


def show_category(category: Category, problem: PortalError | None = None) -> Response:
    """The page of a category, with the problem beside the form that it is about."""
    managed = _rows(other for other, _ in catalog.list_shown(person(), MANAGE))
    grants = catalog.list_grants(category)
    return house.show(
        "admin/category.html",
        category=category,
        above=catalog.list_ancestors(category)[:-1],
        children=[row.category for row in managed if row.category.parent_id == category.id],
        parents=[row.category for row in managed if not _is_within(row.category, category)],
        rules=catalog.rules_of(category),
        fields=catalog.list_fields(category),
        takes=TAKES,
        expires=EXPIRES,
        managed={row.category.id for row in managed},
        own=[row for row in grants if row.grant.category_id == category.id],
        inherited=[row for row in grants if row.grant.category_id != category.id],
        who_may=who_may(grants, person().checked_at),
        groups=accounts.list_all_groups(),
        whom=WHOM,
        given=_given(grants),
        problem=problem,
    )


def _given(grants: Iterable[GrantRow]) -> str:
    """Who may do what from now on, when the address says that it was given just now; else ""."""
    given = forms.query_id("given")
    row = next((row for row in grants if row.grant.id == given), None)
    if row is None:
        return ""
    who = f"The group {row.group.name}" if row.group else row.user.name if row.user else WHOM["everyone"]
    return f"{who} may {MAY[row.permission]} {row.category.path} from now on."


def who_may(grants: Iterable[GrantRow], now: datetime | None) -> dict[str, list[GrantRow]]:
    """Permission to the grants that give it at ``now``, everyone's first, then by name.

    Whoever has several is named once, with the best one.
    """
    best: dict[tuple[int | None, int | None], GrantRow] = {}
    for row in sorted(grants, key=lambda row: row.grant.permission):
        if row.grant.expires_at is None or now is None or row.grant.expires_at > now:
            best[row.grant.group_id, row.grant.user_id] = row
    named = sorted(best.values(), key=_name)
    return {name: [row for row in named if row.permission == name] for name in PERMISSIONS}


def _name(row: GrantRow) -> str:
    named = row.group or row.user
    return named.name.casefold() if named is not None else ""


def _rows(categories: Iterable[Category]) -> list[Row]:
    """The tree as lines, parents before their children; what hangs in a category not among them is at the edge."""
    found = sorted(categories, key=lambda category: category.path.split("/"))
    levels: dict[int, int] = {}
    for category in found:
        levels[category.id] = levels.get(category.parent_id or 0, -1) + 1
    return [Row(category, levels[category.id]) for category in found]


def _remove_page(category: Category, problem: PortalError | None = None) -> Response:
    above = catalog.list_ancestors(category)[:-1]
    return house.show(
        "admin/category_remove.html", category=category, above=above, managed=managed_ids(), problem=problem
    )


def managed_ids() -> set[int]:
    """The categories the person manages, by id: where a breadcrumb leads."""
    return {category.id for category, _ in catalog.list_shown(person(), MANAGE)}


def _is_within(other: Category, category: Category) -> bool:
    return (other.lineage or "").startswith(category.lineage or "/")
