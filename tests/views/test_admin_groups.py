"""Groups: added, filled by pasted addresses, renamed, removed with what they were given."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import select

from portal import accounts
from portal.extensions import db
from portal.models import Grant, Group
from portal.settings import Settings
from tests import makers
from tests.views.desk import Desk, said, sentence


@dataclass
class World:
    """An administrator at their desk, and the group Clients with Bo in it."""

    app: Flask
    admin: Desk
    clients: int

    @property
    def path(self) -> str:
        return f"/admin/groups/{self.clients}"

    def members(self) -> list[str]:
        """The names of the people in Clients."""
        with self.app.app_context():
            return [user.name for user in accounts.list_people(group_id=self.clients).people]


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            ada, bo = makers.person("Ada", is_admin=True), makers.person("Bo")
            for name in ("Chi", "Dan"):
                makers.person(name)
            made = World(app, Desk(app, ada), makers.group("Clients", bo).id)
        yield made


def test_a_group_is_added_and_leads_to_its_page(world: World) -> None:
    answer = world.admin.send("/admin/groups", name=" The  board ")

    assert said(world.admin, answer) == "The group is added."
    assert "The board" in world.admin.read("/admin/groups")


@pytest.mark.parametrize("path", ["/admin/groups", "/admin/groups/1"])
@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("", 422, "A name has 1 to 200 characters that can be seen."),
        ("x" * 101, 422, "The name of a group has at most 100 characters."),
        ("a\u202eb", 422, "A name has 1 to 200 characters that can be seen."),
        ("BOARD", 409, "There is already a group called BOARD."),
    ],
)
def test_a_name_that_cannot_be_is_refused(world: World, path: str, name: str, status: int, reason: str) -> None:
    with world.app.app_context():
        makers.group("Board")
    answer = world.admin.send(path, name=name)

    assert answer.status_code == status
    assert sentence(answer) == reason


def test_many_people_are_put_in_by_pasted_addresses(world: World) -> None:
    answer = world.admin.send(f"{world.path}/members", emails="CHI@example.org,\r\n dan@example.org; bo@example.org")

    assert said(world.admin, answer) == "The group has more people now."
    assert world.members() == ["Bo", "Chi", "Dan"]
    again = world.admin.send(f"{world.path}/members", emails="chi@example.org")
    assert said(world.admin, again) == "They were in the group already; nothing changed."


@pytest.mark.parametrize(
    ("emails", "reason"),
    [
        ("", "Write 1 to 10,000 addresses, one on each line."),
        ("a@b.example " * 10_001, "Write 1 to 10,000 addresses, one on each line."),
        ("chi@example.org x@y.example", "Nobody was added. There is no account for x@y.example."),
        (
            " ".join(f"{number}@y.example" for number in range(12)),
            "Nobody was added. There is no account for " + "0@y.example, 1@y.example, 2@y.example and 9 more.",
        ),
    ],
)
def test_one_unknown_address_adds_nobody(world: World, emails: str, reason: str) -> None:
    answer = world.admin.send(f"{world.path}/members", emails=emails)

    assert answer.status_code == 422
    assert sentence(answer) == reason
    assert world.members() == ["Bo"]


def test_unknown_addresses_are_all_listed_and_can_be_left_out(world: World) -> None:
    unknown = [f"{number}@y.example" for number in range(300)]
    pasted = "\n".join(["chi@example.org", *unknown])
    page = world.admin.send(f"{world.path}/members", emails=pasted).text
    assert "300 addresses without an account" in page
    listed = re.search(r'name="unknown"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    assert listed is not None
    assert listed[1].split() == unknown

    answer = world.admin.send(f"{world.path}/members", emails=pasted, skip_unknown="1")
    assert said(world.admin, answer) == "The group has more people now."
    assert world.members() == ["Bo", "Chi"]
    nobody = world.admin.send(f"{world.path}/members", emails="x@y.example", skip_unknown="1")
    assert sentence(nobody) == "Nobody was added. There is no account for x@y.example."


def test_the_people_of_a_group_are_searched_and_go_on_where_a_page_ends(world: World) -> None:
    with world.app.app_context():
        readers = [makers.person(f"Reader {number:02}") for number in range(55)]
        group = makers.group("Many", *readers)
    first = world.admin.read(f"/admin/groups/{group.id}?q=reader")
    more = re.search(rf'href="(/admin/groups/{group.id}\?q=reader&after=\d+)"', first)
    assert more is not None
    second = world.admin.read(more[1])

    assert re.findall(r'dir="auto">(Reader \d\d)</a>', first + second) == [f"Reader {n:02}" for n in range(55)]
    assert "55 people are in it." in first
    assert "Nobody in it has “<span" in world.admin.read(f"/admin/groups/{group.id}?q=bo")


def test_groups_are_searched_and_go_on_where_a_page_ends(world: World) -> None:
    with world.app.app_context():
        for number in range(55):
            makers.group(f"Team {number:02}")
    first = world.admin.read("/admin/groups?q=TEAM")
    more = re.search(r'href="(/admin/groups\?q=TEAM&after=\d+)"', first)
    assert more is not None
    second = world.admin.read(more[1])

    assert re.findall(r'dir="auto">(Team \d\d)</a>', first + second) == [f"Team {number:02}" for number in range(55)]
    assert "No group is called like that" in world.admin.read("/admin/groups?q=nonsense")


def test_a_member_is_taken_out(world: World) -> None:
    with world.app.app_context():
        bo = accounts.find_user("bo@example.org")
        assert bo is not None
    answer = world.admin.send(f"{world.path}/members/{bo.id}/remove")

    assert said(world.admin, answer) == "One person less is in the group."
    assert world.members() == []


def test_a_group_is_renamed_also_only_in_its_capitals(world: World) -> None:
    assert said(world.admin, world.admin.send(world.path, name="CLIENTS")) == "The group has its new name."
    with world.app.app_context():
        assert db.session.get_one(Group, world.clients).name == "CLIENTS"


def test_a_group_is_removed_with_its_permissions_after_saying_which(world: World) -> None:
    with world.app.app_context():
        makers.grant(makers.category("reports"), group=accounts.get_group(world.clients))
    page = " ".join(re.sub(r"<[^>]+>", "", world.admin.read(f"{world.path}/remove")).split())
    assert "Its permission goes with it: reports. One person keeps the account" in page
    assert world.members() == ["Bo"]

    answer = world.admin.send(f"{world.path}/remove")

    assert said(world.admin, answer) == "The group is removed. Its people still have their accounts."
    world.admin.read(world.path, 404)
    with world.app.app_context():
        assert db.session.scalars(select(Grant)).all() == []
        assert accounts.find_user("bo@example.org") is not None
