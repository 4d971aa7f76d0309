"""The pages for rules of the sign-in: the house's, a group's, and help for who lost a second factor."""

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal.accounts import has_second_factor, must_have_second_factor
from portal.accounts.rules import second_factor_rule
from portal.extensions import db, transaction
from portal.models import Group, Session, User
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.factors import with_app
from tests.views.desk import Desk

pytestmark = SQLITE_ONLY


@pytest.fixture
def desk(app: Flask) -> Desk:
    """An administrator who gave a second factor at sign-in."""
    with app.app_context():
        boss = Desk(app, makers.person("Boss", is_admin=True))
        with transaction() as session:
            session.execute(update(Session).values(second_factor_at=makers.now()))
    return boss


def rule(desk: Desk) -> str:
    with desk.app.app_context():
        return second_factor_rule()


def test_the_rule_is_set_and_shown(desk: Desk) -> None:
    assert '<option value="nobody" selected>' in desk.read("/admin/security")
    answer = desk.send("/admin/security", of="everybody")
    assert answer.location == "/admin/security?done=rule-changed"
    assert rule(desk) == "everybody"
    assert '<option value="everybody" selected>' in desk.read("/admin/security")
    assert "Tokens of programs go on; they are listed on each person’s page." in desk.read("/admin/security")
    assert "changed of whom a second factor is asked: everybody" in desk.read("/admin/log")


@pytest.mark.parametrize("of", ["", "somebody", "Everybody"])
def test_nothing_else_is_a_rule(desk: Desk, of: str) -> None:
    assert desk.send("/admin/security", of=of).status_code == 422
    assert rule(desk) == "nobody"


def test_whoever_gave_none_themself_is_told_what_to_do_first(app: Flask) -> None:
    with app.app_context():
        desk = Desk(app, makers.person("Boss", is_admin=True))
        board = makers.group("Board").id
    answer = desk.send("/admin/security", of="everybody")
    assert answer.status_code == 409
    assert "Set one up under “How you sign in”" in answer.text
    there = desk.send(f"/admin/groups/{board}/second-factor", asks="1")
    assert there.status_code == 409
    for page in (answer, there):
        assert '<a class="button" href="/account/security">How you sign in</a>' in page.text
    assert '<h1 dir="auto">Board</h1>' in there.text
    assert rule(desk) == "nobody"


def test_a_group_asks_and_asks_no_more(app: Flask, desk: Desk) -> None:
    with app.app_context():
        ada = makers.person()
        ada_id, board = ada.id, makers.group("Board", ada).id
    answer = desk.send(f"/admin/groups/{board}/second-factor", asks="1")
    assert answer.location == f"/admin/groups/{board}?done=group-asks"
    assert "Asked of everybody in it" in desk.read(f"/admin/groups/{board}")
    with app.app_context():
        assert must_have_second_factor(ada_id)
    desk.send(f"/admin/groups/{board}/second-factor")
    assert "The group asks for none" in desk.read(f"/admin/groups/{board}")
    with app.app_context():
        assert db.session.scalars(select(Group.second_factor_since)).one() is None


def test_whoever_lost_a_factor_is_helped_from_their_page(app: Flask, desk: Desk) -> None:
    with app.app_context():
        ada = makers.person()
        with_app(ada)
        page = f"/admin/people/{ada.id}"
    assert f'href="{page}/factors"' in desk.read(page)
    assert "call them" in desk.read(f"{page}/factors")
    assert desk.send(f"{page}/factors").location == f"{page}?done=factors-reset"
    with app.app_context():
        assert not has_second_factor(int(page.rpartition("/")[2]))
    assert "removed the second factors of" in desk.read("/admin/log")


def test_ones_own_are_removed_elsewhere(desk: Desk) -> None:
    with desk.app.app_context():
        boss = db.session.scalars(select(User)).one()
        with_app(boss)
        boss_id = boss.id
    answer = desk.send(f"/admin/people/{boss_id}/factors")
    assert answer.status_code == 409
    assert "These are your own" in answer.text
    with desk.app.app_context():
        assert has_second_factor(boss_id)


@pytest.mark.parametrize("path", ["/admin/security", "/admin/groups/1/second-factor", "/admin/people/1/factors"])
def test_all_of_it_asks_for_a_fresh_sign_in(desk: Desk, path: str) -> None:
    with desk.app.app_context():
        makers.group("Board")
        with transaction() as session:
            session.execute(update(Session).values(fresh_at=makers.now(minutes=-11)))
    answer = desk.send(path, of="everybody", asks="1")
    assert answer.status_code == 303
    back = path.removesuffix("/second-factor")
    assert answer.location == f"/account/confirm?next={back}%3Fdone%3Dproved"
    assert rule(desk) == "nobody"
