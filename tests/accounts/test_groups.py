"""Groups: named once whatever the capitals, joined once however often one is put in."""

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal import access, audit
from portal.accounts import (
    add_group,
    add_members,
    change_group,
    find_group,
    get_group,
    join_group,
    leave_group,
    list_groups,
    list_groups_of,
    list_people,
    remove_group,
)
from portal.errors import BadInput, GroupNotFound, NameTaken, UnknownAddresses, UserNotFound
from portal.extensions import db
from portal.models import AuditEvent, Grant, Membership
from tests.databases import SQLITE_ONLY
from tests.makers import actor, at_once, category, document, grant, group, person, release

pytestmark = pytest.mark.usefixtures("context")


def test_a_name_is_taken_whatever_its_capitals() -> None:
    clients = group("Clients")
    with pytest.raises(NameTaken, match="already a group called CLIENTS"):
        add_group(None, " CLIENTS ")
    found = find_group("cLIENTS")
    assert found is not None
    assert found.id == clients.id


@SQLITE_ONLY
@pytest.mark.parametrize("name", ["", " ", "x" * 101, "\ufdfa" * 50, "a\x00b"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        add_group(None, name)
    assert list_groups() == []


def test_of_many_at_once_one_gets_the_name(context: Flask) -> None:
    answers = at_once(context, *[lambda: group("Clients")] * 12)
    assert sorted(type(answer).__name__ for answer in answers) == ["Group"] + ["NameTaken"] * 11


def test_one_person_is_in_a_group_once_however_often_they_join(context: Flask) -> None:
    ada_id, clients_id = person().id, group().id
    answers = at_once(context, *[lambda: join_group(None, clients_id, ada_id)] * 12)
    assert sorted(map(str, answers)) == ["False"] * 11 + ["True"]
    assert db.session.scalars(select(func.count()).select_from(Membership)).one() == 1
    joined = select(func.count()).where(AuditEvent.action == "group.joined")
    assert db.session.scalars(joined).one() == 1


def test_who_left_is_out_and_leaving_again_is_nothing() -> None:
    ada = person()
    clients = group("Clients", ada)
    assert leave_group(None, clients.id, ada.id)
    assert not leave_group(None, clients.id, ada.id)
    assert list_people(group_id=clients.id).people == []


def test_groups_and_people_are_listed_by_name() -> None:
    ada, bob = person("Ada"), person("Bob")
    group("staff", bob)
    clients = group("Clients", bob, ada)
    group("Empty")
    assert [(found.name, count) for found, count in list_groups()] == [("Clients", 2), ("Empty", 0), ("staff", 1)]
    assert [member.name for member in list_people(group_id=clients.id).people] == ["Ada", "Bob"]
    assert [found.name for found in list_groups_of(bob.id)] == ["Clients", "staff"]


def test_several_people_join_together_or_not_at_all() -> None:
    clients = group("Clients", person("Ada"))
    person("Bob")
    with pytest.raises(BadInput, match=r"Nobody was added.*eve@example\.org"):
        add_members(None, clients.id, ["bob@example.org", "eve@example.org"])
    assert len(list_people(group_id=clients.id).people) == 1
    assert add_members(None, clients.id, ["ADA@example.org", "bob@example.org"]) == 1
    assert len(list_people(group_id=clients.id).people) == 2


def test_a_group_may_be_renamed_but_not_to_a_name_that_is_taken() -> None:
    clients = group("Clients")
    group("Staff")
    assert change_group(None, clients.id, "CLIENTS").name == "CLIENTS"
    with pytest.raises(NameTaken):
        change_group(None, clients.id, "staff")
    assert get_group(clients.id).name == "CLIENTS"


def test_a_group_that_is_removed_takes_its_grants_with_it_and_leaves_its_people() -> None:
    ada = person()
    clients, paper = group("Clients", ada), document(category())
    grant(category(), group=clients)
    assert access.may_read(actor(ada), paper.id)
    remove_group(None, clients.id)
    assert not access.may_read(actor(ada), paper.id)
    assert db.session.scalars(select(Grant)).all() == []
    assert list_groups_of(ada.id) == []
    assert find_group("Clients") is None


def test_the_id_of_a_removed_group_is_not_given_to_another() -> None:
    gone = group("Clients").id
    remove_group(None, gone)
    release()
    assert group("Clients").id > gone


def test_nothing_is_done_with_a_group_or_a_person_that_is_not_there() -> None:
    clients, ada = group(), person()
    with pytest.raises(GroupNotFound):
        join_group(None, 99, ada.id)
    with pytest.raises(UserNotFound):
        join_group(None, clients.id, 99)
    with pytest.raises(GroupNotFound):
        remove_group(None, 99)


def test_ten_thousand_addresses_are_put_in_by_a_few_statements(statements: list[str]) -> None:
    clients = group("Clients", person("Reader 7"))
    for number in (1, 2, 3):
        person(f"Reader {number}")
    emails = [f"reader.{number}@example.org" for number in range(10_000)]
    with pytest.raises(UnknownAddresses) as refused:
        add_members(None, clients.id, emails)
    assert len(refused.value.addresses) == 9_996
    statements.clear()
    assert add_members(None, clients.id, emails, skip_unknown=True) == 3
    assert len(statements) < 40
    members = list_people(group_id=clients.id).people
    assert [member.name for member in members] == ["Reader 1", "Reader 2", "Reader 3", "Reader 7"]


def test_each_person_who_is_put_in_with_others_has_a_line_in_the_log() -> None:
    ada, bob, clients = person("Ada"), person("Bob"), group("Clients")
    add_members(None, clients.id, [bob.email, ada.email, "ADA@example.org"])
    rows, _ = audit.list_events(actions=["group.joined"])
    assert [(row.whom and row.whom.name, row.event.object_label) for row in rows] == [
        ("Bob", "Clients"),
        ("Ada", "Clients"),
    ]
