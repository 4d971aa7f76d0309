"""Quotas and references on the pages of people and groups, and what a publisher is told of theirs."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import select

from portal.extensions import db
from portal.models import PUBLISH, AuditEvent, Group, User
from portal.settings import Settings
from tests import makers
from tests.views.desk import Desk, said, sentence

GB = 10**9


@dataclass
class World:
    """An administrator at their desk; Bo, who may publish, in the group Clients."""

    app: Flask
    admin: Desk
    bo: int
    clients: int

    def quota_of(self, kind: type[User] | type[Group], row_id: int) -> int | None:
        with self.app.app_context():
            return db.session.scalar(select(kind.quota_bytes).where(kind.id == row_id))


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            ada, bo = makers.person("Ada", is_admin=True), makers.person("Bo")
            clients = makers.group("Clients", bo)
            makers.grant(makers.category("reports"), user=bo, permission=PUBLISH)
            made = World(app, Desk(app, ada), bo.id, clients.id)
        yield made


def test_the_quota_of_a_person_is_set_and_taken_away(world: World) -> None:
    path = f"/admin/people/{world.bo}"

    answer = world.admin.send(f"{path}/quota", quota="1.5 GB")
    assert said(world.admin, answer) == "The quota is changed. What is there already stays."
    assert world.quota_of(User, world.bo) == 1_500_000_000
    page = world.admin.read(path)
    assert 'value="1.5 GB"' in page
    assert "They have put in 0 bytes of 1.5 GB" in page
    world.admin.send(f"{path}/quota", quota="")
    assert world.quota_of(User, world.bo) is None


def test_the_quota_of_a_group_says_what_its_people_have_together(world: World) -> None:
    path = f"/admin/groups/{world.clients}"
    with world.app.app_context():
        makers.change(db.session.get_one(User, world.bo), used_bytes=2 * GB)

    world.admin.send(f"{path}/quota", quota="5 gb")
    assert world.quota_of(Group, world.clients) == 5 * GB
    assert "Its people have together put in 2.0 GB of 5.0 GB" in world.admin.read(path)


@pytest.mark.parametrize("kind", ["people", "groups"])
def test_what_is_no_size_is_refused_in_its_field(world: World, kind: str) -> None:
    answer = world.admin.send(f"/admin/{kind}/{world.bo if kind == 'people' else world.clients}/quota", quota="lots")

    assert answer.status_code == 422
    assert sentence(answer) == "Write a size such as 500 MB or 1.5 GB."
    assert 'value="lots"' in answer.text


def test_the_log_says_who_set_which_quota_and_nothing_when_it_stays(world: World) -> None:
    for quota in ("5 GB", "5 GB", "none"):
        world.admin.send(f"/admin/people/{world.bo}/quota", quota=quota)
        world.admin.send(f"/admin/groups/{world.clients}/quota", quota=quota)

    with world.app.app_context():
        events = db.session.scalars(select(AuditEvent.action).where(AuditEvent.action.like("%quota%"))).all()
    assert sorted(events) == ["group.quota_changed"] * 2 + ["user.quota_changed"] * 2
    page = world.admin.read("/admin/log")
    for words in ("changed the quota of", "changed the quota of the group", ": 5.0 GB", ": none"):
        assert words in page


def test_a_publisher_is_told_what_is_left_where_they_upload(world: World) -> None:
    with world.app.app_context():
        bo = db.session.get_one(User, world.bo)
        makers.change(bo, quota_bytes=5 * GB, used_bytes=3_800_000_000)
        desk = Desk(world.app, bo)

    assert "The quota of your account is 5.0 GB, 1.2 GB of it is left." in desk.read("/admin/upload")


def test_what_is_not_finished_counts_and_is_named_wherever_the_numbers_stand(world: World) -> None:
    with world.app.app_context():
        bo = db.session.get_one(User, world.bo)
        makers.change(bo, quota_bytes=5 * GB, used_bytes=2 * GB)
        makers.change(db.session.get_one(Group, world.clients), quota_bytes=8 * GB)
        makers.upload(bo, GB)
        desk = Desk(world.app, bo)
    unfinished = "1.0 GB is taken by uploads that are not finished, or not given out yet."

    assert f"The quota of your account is 5.0 GB, 2.0 GB of it is left. {unfinished}" in desk.read("/admin/upload")
    person = world.admin.read(f"/admin/people/{world.bo}")
    assert f"They have put in 3.0 GB of 5.0 GB. {unfinished}" in person
    group = world.admin.read(f"/admin/groups/{world.clients}")
    assert f"Its people have together put in 3.0 GB of 8.0 GB. {unfinished}" in group
    storage = world.admin.read("/admin/storage")
    assert f"The same bytes put in twice count twice here. {unfinished}" in storage


def test_what_others_have_not_finished_takes_nothing_of_somebodys_quota(world: World) -> None:
    with world.app.app_context():
        makers.upload(makers.person("Cy"), GB)

    for path in (f"/admin/people/{world.bo}", f"/admin/groups/{world.clients}"):
        page = world.admin.read(path)
        assert "put in 0 bytes." in page
        assert "not finished" not in page


def test_an_upload_beyond_the_quota_is_refused_in_the_form(world: World) -> None:
    with world.app.app_context():
        bo = db.session.get_one(User, world.bo)
        makers.change(bo, quota_bytes=10)
        desk = Desk(world.app, bo)

    answer = desk.send("/admin/upload", category="reports", files=[("a.txt", b"more than ten bytes")])
    assert answer.status_code == 413
    assert "The quota of your account is 10 bytes, and 10 bytes of it is left. This needs 19 bytes." in answer.text


def test_a_reference_is_given_on_the_page_of_a_person_and_is_nobody_elses(world: World) -> None:
    own = {"name": "Bo", "email": "bo@example.org", "reference": " S-0042 "}
    answer = world.admin.send(f"/admin/people/{world.bo}", own)
    assert said(world.admin, answer) == "The account is changed."
    assert 'value="S-0042"' in world.admin.read(f"/admin/people/{world.bo}")

    refused = world.admin.send("/admin/people/1", name="Ada", email="ada@example.org", is_admin="1", reference="S-0042")
    assert refused.status_code == 409
    assert sentence(refused) == "Somebody else has the reference S-0042."
