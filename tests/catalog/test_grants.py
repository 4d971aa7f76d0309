"""Grants: given to exactly one principal, changed in place, taken back at once, listed up to the first seal."""

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.access import permission_on
from portal.catalog import (
    GrantRow,
    Principal,
    add_grant,
    get_grant,
    list_grants,
    list_grants_of_group,
    list_grants_of_person,
    remove_grant,
)
from portal.errors import BadInput, CategoryNotFound, Forbidden, GrantNotFound, GroupNotFound, PortalError, UserNotFound
from portal.extensions import db
from portal.models import MANAGE, PUBLISH, READ, AuditEvent, Grant
from tests import makers
from tests.databases import SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")


def count() -> int:
    """Grants there are."""
    return db.session.scalars(select(func.count()).select_from(Grant)).one()


def told(rows: list[GrantRow]) -> list[tuple[str, str, str]]:
    """Path, principal and permission of each."""
    return [
        (row.category.path, row.group.name if row.group else row.user.name if row.user else "everyone", row.permission)
        for row in rows
    ]


def test_a_grant_given_again_is_changed() -> None:
    shelf, user = makers.category(), makers.person()
    for principal in (Principal(user_id=user.id), Principal(group_id=makers.group().id), Principal(is_everyone=True)):
        first = add_grant(None, shelf.id, principal, "read")
        second = add_grant(None, shelf.id, principal, "manage", makers.now(days=1))

        assert (first.id, second.permission, second.expires_at is not None) == (second.id, MANAGE, True)
    assert count() == 3


def test_a_grant_cannot_end_before_it_begins() -> None:
    shelf, user = makers.category(), makers.person()
    grant = makers.grant(shelf, user=user)

    for over in (makers.now(), makers.now(days=-1)):
        with pytest.raises(BadInput, match="in the future"):
            add_grant(None, shelf.id, Principal(user_id=user.id), "manage", over)

    db.session.refresh(grant)
    assert (grant.permission, grant.expires_at) == (READ, None)


def test_a_grant_taken_back_counts_for_nothing_at_once() -> None:
    shelf, user = makers.category(), makers.person()
    grant = makers.grant(shelf, user=user)
    assert permission_on(makers.actor(user), shelf.id) == READ

    remove_grant(None, grant.id)

    assert permission_on(makers.actor(user), shelf.id) == 0
    with pytest.raises(GrantNotFound):
        remove_grant(None, grant.id)
    actions = list(db.session.scalars(select(AuditEvent.action).where(AuditEvent.action.startswith("grant."))))
    assert actions == ["grant.added", "grant.removed"]


@SQLITE_ONLY
def test_a_grant_is_for_exactly_one_that_exists() -> None:
    shelf, user = makers.category(), makers.person()
    cases: list[tuple[Principal, str, type[PortalError]]] = [
        (Principal(), "read", BadInput),
        (Principal(user_id=user.id, is_everyone=True), "read", BadInput),
        (Principal(user_id=4711), "read", UserNotFound),
        (Principal(group_id=4711), "read", GroupNotFound),
        (Principal(user_id=user.id), "own", BadInput),
    ]
    for principal, permission, refusal in cases:
        with pytest.raises(refusal):
            add_grant(None, shelf.id, principal, permission)
    assert count() == 0


@SQLITE_ONLY
@pytest.mark.parametrize(("level", "refusal"), [(None, CategoryNotFound), (READ, Forbidden), (PUBLISH, Forbidden)])
def test_whoever_may_not_manage_gives_and_takes_nothing(level: int | None, refusal: type[PortalError]) -> None:
    shelf, user = makers.category(), makers.person()
    given = makers.grant(shelf, everyone=True) if level else makers.grant(shelf, group=makers.group())
    if level:
        makers.grant(shelf, user=user, permission=level)
    before = count()

    for attempt in (
        lambda: add_grant(makers.actor(user), shelf.id, Principal(user_id=user.id), "manage"),
        lambda: remove_grant(makers.actor(user), given.id),
    ):
        with pytest.raises(refusal) as refused:
            attempt()
        assert type(refused.value) is refusal
    assert count() == before


def test_the_grants_that_count_are_listed_up_to_the_first_seal() -> None:
    top, sealed, deep = makers.category("a"), makers.category("a/b", is_sealed=True), makers.category("a/b/c")
    makers.grant(top, everyone=True)
    makers.grant(deep, user=makers.person("Ada"), permission=MANAGE)
    makers.grant(sealed, group=makers.group("Clients"), permission=PUBLISH)

    assert told(list_grants(top)) == [("a", "everyone", "read")]
    assert told(list_grants(sealed)) == [("a/b", "Clients", "publish")]
    assert told(list_grants(deep)) == [("a/b", "Clients", "publish"), ("a/b/c", "Ada", "manage")]


@SQLITE_ONLY
def test_a_list_costs_the_same_however_deep(statements: list[str]) -> None:
    costs = []
    for path in ("a", "b/c/d/e/f/g"):
        category = makers.category(path)
        makers.release()
        statements.clear()
        list_grants(category)
        costs.append(len(statements))

    assert costs[0] == costs[1]


def test_what_counts_for_a_person_is_theirs_their_groups_and_everyones() -> None:
    user, shelf = makers.person("Ada"), makers.category("shelf")
    mine, other = makers.group("Mine", user), makers.group("Other")
    for name, principal in {"a": mine, "b": other}.items():
        makers.grant(makers.category(name), group=principal)
    makers.grant(shelf, user=user, permission=PUBLISH)
    makers.grant(makers.category("c"), everyone=True)

    assert told(list_grants_of_person(user.id)) == [
        ("a", "Mine", "read"), ("c", "everyone", "read"), ("shelf", "Ada", "publish")
    ]  # fmt: skip
    assert told(list_grants_of_group(other.id)) == [("b", "Other", "read")]


@SQLITE_ONLY
def test_a_grant_is_found_on_its_own_category_only() -> None:
    shelf, other = makers.category("a"), makers.category("b")
    grant = makers.grant(shelf, everyone=True)

    assert get_grant(shelf.id, grant.id).grant.id == grant.id
    with pytest.raises(GrantNotFound):
        get_grant(other.id, grant.id)


def test_a_grant_given_and_taken_at_once_is_one_or_none(context: Flask) -> None:
    shelf_id, user_id = makers.category().id, makers.person().id
    principal = Principal(user_id=user_id)
    for _ in range(4):
        grant_id = add_grant(None, shelf_id, principal, "read").id

        outcomes = makers.at_once(
            context,
            *[lambda: add_grant(None, shelf_id, principal, "publish").permission] * 4,
            *[lambda grant_id=grant_id: remove_grant(None, grant_id)] * 4,
        )

        assert outcomes[:4] == [PUBLISH] * 4
        assert outcomes[4:].count(None) == 1
        assert all(outcome is None or isinstance(outcome, GrantNotFound) for outcome in outcomes[4:]), outcomes
        makers.release()
        assert count() <= 1
