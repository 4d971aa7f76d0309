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
            return [user.name for user in accounts.list_members(self.clients)]


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
        ("", "Write 1 to 1000 addresses, one on each line."),
        ("a@b.example " * 1001, "Write 1 to 1000 addresses, one on each line."),
        ("chi@example.org x@y.example", "Nobody was added. There is no account for x@y.example."),
        (
            " ".join(f"{number}@y.example" for number in range(12)),
            "Nobody was added. There is no account for "
            + ", ".join(f"{number}@y.example" for number in range(10))
            + " and 2 more.",
        ),
    ],
)
def test_one_unknown_address_adds_nobody(world: World, emails: str, reason: str) -> None:
    answer = world.admin.send(f"{world.path}/members", emails=emails)

    assert answer.status_code == 422
    assert sentence(answer) == reason
    assert world.members() == ["Bo"]


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
