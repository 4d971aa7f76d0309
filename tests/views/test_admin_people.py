"""People: found, added, changed, let in again and kept out, by administrators only."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from portal import accounts
from portal.accounts import check_password
from portal.accounts.sessions import start_session
from portal.extensions import db
from portal.models import OneTimeToken, Session, User
from portal.settings import Settings
from tests import makers
from tests.factors import with_app, with_recovery_codes
from tests.views.desk import Desk, said, sentence

ADDRESS = re.compile(r"http://localhost/setup/([A-Za-z0-9_-]{43})")
HOSTILE = "<script>alert(1)</script>"


@dataclass
class World:
    """An administrator at their desk, and Bo, who has a password and is in the group Clients."""

    app: Flask
    admin: Desk
    bo: int
    clients: int
    board: int

    def user(self, email: str) -> User | None:
        """The account of an address as it stands now."""
        with self.app.app_context():
            return accounts.find_user(email)

    @property
    def path(self) -> str:
        return f"/admin/people/{self.bo}"


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            ada, bo = makers.person("Ada", is_admin=True), makers.person("Bo", password=makers.PASSWORD)
            clients, board = makers.group("Clients", bo), makers.group("Board")
            made = World(app, Desk(app, ada), bo.id, clients.id, board.id)
        yield made


def test_a_person_is_added_with_groups_and_an_address_that_is_shown_once(world: World) -> None:
    groups = [world.clients, world.board]
    answer = world.admin.send("/admin/people/new", name="Zoë Ek", email="zoe@example.org", groups=groups)

    assert answer.status_code == 200
    found = set(ADDRESS.findall(answer.text))
    assert len(found) == 1
    assert 'data-copy="http://localhost/setup/' in answer.text
    user = world.user("zoe@example.org")
    assert user is not None
    assert not user.is_admin
    token = found.pop()
    assert token not in world.admin.read(f"/admin/people/{user.id}")
    assert "Zoë Ek" in world.admin.read(f"/admin/groups/{world.board}")
    assert "Zoë Ek" in world.app.test_client().get(f"/setup/{token}").text
    assert "Address works until" in world.admin.read("/admin/people?state=waiting")


def test_an_administrator_is_added_only_when_that_is_ticked(world: World) -> None:
    world.admin.send("/admin/people/new", name="Zoë", email="zoe@example.org", is_admin="1")

    user = world.user("zoe@example.org")
    assert user is not None
    assert user.is_admin


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({"name": ""}, 422, "A name has 1 to 200 characters that can be seen."),
        ({"name": "x" * 201}, 422, "A name has 1 to 200 characters that can be seen."),
        ({"name": "a\x00b"}, 422, "A text holds characters that cannot be seen. Type it again."),
        ({"email": "nobody"}, 422, "This is not an email address."),
        ({"email": "a@b.example\r\nBcc: c@d.example"}, 422, "This is not an email address."),
        ({"email": "BO@example.org"}, 409, "BO@example.org already has an account."),
        ({"groups": ["999"]}, 404, "There is no such group."),
        ({"groups": ["x"]}, 422, "Choose among what is offered here."),
        ({"groups": ["9" * 23]}, 422, "Choose among what is offered here."),
    ],
)
def test_a_person_who_cannot_be_is_not_added(world: World, fields: dict[str, object], status: int, reason: str) -> None:
    answer = world.admin.send("/admin/people/new", {"name": "Zoë", "email": "zoe@example.org"} | fields)

    assert answer.status_code == status
    assert sentence(answer) == reason
    assert world.user("zoe@example.org") is None
    assert len(re.findall('scope="row"', world.admin.read("/admin/people"))) == 2


def test_what_was_typed_and_ticked_stays_when_a_form_is_refused(world: World) -> None:
    answer = world.admin.send("/admin/people/new", name=HOSTILE, email="bo@example.org", groups=[world.board])

    assert answer.status_code == 409
    assert 'value="&lt;script&gt;alert(1)&lt;/script&gt;"' in answer.text
    assert f'name="groups" value="{world.board}" checked' in answer.text
    assert f'name="groups" value="{world.clients}" checked' not in answer.text
    assert HOSTILE not in answer.text


def test_a_hostile_name_is_only_a_name(world: World) -> None:
    world.admin.send("/admin/people/new", name=HOSTILE, email="zoe@example.org")
    user = world.user("zoe@example.org")
    assert user is not None

    for path in ("/admin/people", f"/admin/people/{user.id}", "/admin/log", "/admin/"):
        answer = world.admin.client.get(path)
        assert answer.status_code == 200
        assert HOSTILE not in answer.text


def test_the_address_of_a_person_is_changed_on_their_page(world: World) -> None:
    answer = world.admin.send(world.path, name="Bo", email="bo.ek@example.org")

    assert said(world.admin, answer) == "The account is changed."
    assert world.user("bo@example.org") is None
    changed = world.user("bo.ek@example.org")
    assert changed is not None
    assert changed.id == world.bo
    assert "bo.ek@example.org" in world.admin.read(world.path).replace("<wbr>", "")


def test_whoever_never_signed_in_is_invited_at_the_address_that_was_corrected(world: World) -> None:
    first = ADDRESS.search(world.admin.send("/admin/people/new", name="Zoë", email="zoo@example.org").text)
    user = world.user("zoo@example.org")
    assert first is not None
    assert user is not None

    answer = world.admin.send(f"/admin/people/{user.id}", name="Zoë", email="zoe@example.org")

    again = ADDRESS.search(answer.text)
    assert again is not None
    assert "Send it to zoe@example.org" in answer.text.replace("<wbr>", "")
    assert world.app.test_client().get(f"/setup/{again[1]}").status_code == 200
    assert world.app.test_client().get(f"/setup/{first[1]}").status_code == 410


def test_a_session_left_open_gives_itself_no_power(world: World) -> None:
    """Whoever finds it knows no password: neither an accomplice nor an address of their own makes it fresh."""
    ada, page = world.user("ada@example.org"), world.admin.read("/admin/people")
    assert ada is not None
    with world.app.app_context():
        makers.change(db.session.scalars(select(Session)).one(), fresh_at=makers.now() - timedelta(hours=1))
    own = f"/admin/people/{ada.id}"
    tries: dict[str, dict[str, object]] = {
        "/admin/people/new": {"name": "Eve", "email": "eve@example.net", "is_admin": "1"},
        world.path: {"name": "Bo", "email": "bo@example.org", "is_admin": "1"},
        own: {"name": "Ada", "email": "eve@example.net", "is_admin": "1"},
        f"{own}/address": {},
        f"{world.path}/address": {},
        f"{world.path}/enable": {},
        "/admin/people/import/confirm": {"people": "Eve <eve@example.net>", "seal": ""},
    }

    for path, fields in tries.items():
        answer = world.admin.send(path, fields)
        assert answer.status_code == 303, path
        assert answer.location.startswith("/account/confirm?next="), path
        assert not ADDRESS.search(answer.text)

    with world.app.app_context():
        makers.change(db.session.scalars(select(Session)).one(), fresh_at=makers.now())
    assert world.admin.read("/admin/people") == page
    bo = world.user("bo@example.org")
    assert bo is not None
    assert not bo.is_admin


def test_nobody_makes_a_one_time_address_for_themself(world: World) -> None:
    ada = world.user("ada@example.org")
    assert ada is not None
    path = f"/admin/people/{ada.id}"

    answer = world.admin.send(f"{path}/address")

    assert answer.status_code == 409
    assert sentence(answer).startswith("This is your own account. Change your password on your account page")
    assert "one-time address</button>" not in world.admin.read(path)
    assert "one-time address</button>" in world.admin.read(world.path)


def test_an_address_that_somebody_has_is_refused_and_stays_typed(world: World) -> None:
    answer = world.admin.send(world.path, name="Bo", email="ADA@example.org")

    assert answer.status_code == 409
    assert sentence(answer) == "ADA@example.org already has an account."
    assert 'value="ADA@example.org"' in answer.text
    assert world.user("bo@example.org") is not None


def test_people_are_found_by_words_and_counted_by_state(world: World) -> None:
    with world.app.app_context():
        makers.person("Chimamanda Eze")
        accounts.disable_user(None, makers.person("Dan").id)

    page = world.admin.read("/admin/people")
    assert re.findall(r"<b>(\d+)</b>([^<]+)", page) == [
        ("4", "all"),
        ("2", "active"),
        ("1", "wait for first sign-in"),
        ("1", "disabled"),
    ]
    assert "Chimamanda" in world.admin.read("/admin/people?q=EZE")
    assert "Chimamanda" not in world.admin.read("/admin/people?q=eze&state=disabled")
    assert "Nobody is like that" in world.admin.read("/admin/people?q=%25")
    assert "Chimamanda" in world.admin.read("/admin/people?state=nonsense")


def test_people_are_narrowed_to_a_group_administrators_and_those_who_never_came(world: World) -> None:
    with world.app.app_context():
        eze = makers.person("Chimamanda Eze")
        makers.change(makers.person("Old"), disabled_at=makers.now(), erased_at=makers.now())
        group = makers.group("Novelists", eze)

    def listed(query: str) -> list[str]:
        return re.findall(r'class="who" href="/admin/people/\d+" dir="auto">([^<]+)</a>', world.admin.read(query))

    assert listed("/admin/people?only=administrators") == ["Ada"]
    assert listed("/admin/people?only=never_here") == ["Bo", "Chimamanda Eze"]
    assert listed("/admin/people?only=never_here&state=waiting") == ["Chimamanda Eze"]
    assert listed(f"/admin/people?group={group.id}") == ["Chimamanda Eze"]
    assert listed(f"/admin/people?group={group.id}&only=administrators") == []
    assert listed("/admin/people?state=erased") == ["Old"]
    assert listed("/admin/people?only=nonsense&group=x") == ["Ada", "Bo", "Chimamanda Eze"]


def test_the_list_of_people_goes_on_where_a_page_ends(world: World) -> None:
    with world.app.app_context():
        for number in range(55):
            makers.person(f"Reader {number:02}")
    first = world.admin.read("/admin/people?q=reader")
    more = re.search(r'href="(/admin/people\?q=reader&after=\d+)"', first)
    assert more is not None
    second = world.admin.read(more[1])

    names = re.findall(r'dir="auto">(Reader \d\d)</a>', first + second)
    assert names == [f"Reader {number:02}" for number in range(55)]
    assert "after=" not in second


def test_name_address_and_role_change_and_nothing_else(world: World) -> None:
    answer = world.admin.send(
        world.path,
        name="Bo Ek",
        is_admin="1",
        email_key="evil@example.org",
        password_hash="x",
        disabled_at="2020-01-01",
    )

    assert said(world.admin, answer) == "The account is changed."
    bo = world.user("bo@example.org")
    assert bo is not None
    assert (bo.id, bo.name, bo.is_admin, bo.disabled_at) == (world.bo, "Bo Ek", True, None)
    with world.app.app_context():
        assert check_password(bo.password_hash, makers.PASSWORD)


def test_the_last_administrator_keeps_the_role(world: World) -> None:
    with world.app.app_context():
        ada = accounts.find_user("ada@example.org")
        assert ada is not None
    answer = world.admin.send(f"/admin/people/{ada.id}", name="Ada")

    assert answer.status_code == 409
    assert sentence(answer) == "This is the last administrator. Make somebody else one first."


def test_nobody_disables_their_own_account(world: World) -> None:
    with world.app.app_context():
        makers.person("Root", is_admin=True)
        ada = accounts.find_user("ada@example.org")
        assert ada is not None
    answer = world.admin.send(f"/admin/people/{ada.id}/disable")

    assert answer.status_code == 409
    assert sentence(answer) == "This is your own account. Somebody else has to disable it."
    world.admin.read("/admin/people")


def test_a_disabled_person_is_out_at_once_and_in_again_when_enabled(world: World) -> None:
    with world.app.app_context():
        bo = Desk(world.app, accounts.get_user(world.bo))
    bo.read("/")

    answer = world.admin.send(f"{world.path}/disable")
    assert said(world.admin, answer).startswith("The account is disabled.")
    assert bo.client.get("/").status_code == 302
    assert "New one-time address" not in world.admin.read(world.path)

    answer = world.admin.send(f"{world.path}/enable")
    assert said(world.admin, answer) == "The account is open again, with the password it had."
    assert bo.client.get("/").status_code == 302


def test_a_new_address_replaces_the_one_before(world: World) -> None:
    tokens = [ADDRESS.findall(world.admin.send(f"{world.path}/address").text)[0] for _ in range(2)]

    assert world.app.test_client().get(f"/setup/{tokens[0]}").status_code == 410
    assert world.app.test_client().get(f"/setup/{tokens[1]}").status_code == 200


def test_a_disabled_account_gets_no_address(world: World) -> None:
    world.admin.send(f"{world.path}/disable")
    answer = world.admin.send(f"{world.path}/address")

    assert answer.status_code == 409
    assert sentence(answer) == "This account is disabled. Enable it first, then make an address."
    with world.app.app_context():
        assert db.session.scalars(select(OneTimeToken)).all() == []


def test_a_person_is_signed_out_everywhere(world: World) -> None:
    with world.app.app_context():
        browsers = [Desk(world.app, accounts.get_user(world.bo)) for _ in range(2)]
    assert "Nowhere." not in world.admin.read(world.path)

    answer = world.admin.send(f"{world.path}/sessions")

    assert said(world.admin, answer) == "All sessions of this person have ended."
    assert [browser.client.get("/").status_code for browser in browsers] == [302, 302]
    assert "Nowhere." in world.admin.read(world.path)


def test_groups_are_joined_and_left_on_the_page_of_a_person(world: World) -> None:
    assert said(world.admin, world.admin.send(f"{world.path}/groups", group=world.board)) == (
        "The group has more people now."
    )
    again = world.admin.send(f"{world.path}/groups", group=world.board)
    assert said(world.admin, again) == "They were in the group already; nothing changed."
    world.admin.send(f"{world.path}/groups/{world.clients}/leave")

    page = world.admin.read(world.path)
    assert f'action="/admin/people/{world.bo}/groups/{world.board}/leave"' in page
    assert f'action="/admin/people/{world.bo}/groups/{world.clients}/leave"' not in page
    assert world.admin.send(f"{world.path}/groups", group="").status_code == 422
    assert world.admin.send(f"{world.path}/groups", group="999").status_code == 404


def test_why_a_group_cannot_be_joined_is_said_though_none_is_left_to_choose(world: World) -> None:
    world.admin.send(f"{world.path}/groups", group=world.board)

    answer = world.admin.send(f"{world.path}/groups", group="")

    assert 'name="group"' not in answer.text
    assert sentence(answer) == "Something has to be chosen here."


def test_what_a_person_may_see_says_by_way_of_what(world: World) -> None:
    with world.app.app_context():
        clients = accounts.get_group(world.clients)
        makers.grant(makers.category("for clients"), group=clients)
        makers.grant(makers.category("for all"), everyone=True)
        over = makers.grant(makers.category("for bo"), user=accounts.get_user(world.bo))
        makers.change(over, expires_at=makers.now(days=-1))
        makers.grant(makers.category("for others"), user=makers.person("Zoë"))
    page = " ".join(re.sub(r"<[^>]+>", " ", world.admin.read(world.path).replace("<wbr>", "")).split())

    assert "for clients May read Clients" in page
    assert "for all May read everyone signed in" in page
    assert "for bo May read own permission over since" in page
    assert "for others" not in page


def test_groups_and_permissions_of_a_person_lead_to_their_pages(world: World) -> None:
    with world.app.app_context():
        own, shared = makers.category("for bo"), makers.category("for clients")
        makers.grant(own, user=accounts.get_user(world.bo))
        makers.grant(shared, group=accounts.get_group(world.clients))
        paths = [f"/admin/categories/{own.id}", f"/admin/categories/{shared.id}", f"/admin/groups/{world.clients}"]
    page = world.admin.read(world.path)

    assert [page.count(f'href="{path}"') for path in paths] == [1, 1, 2]


def test_what_an_administrator_was_given_is_shown_though_they_need_none_of_it(world: World) -> None:
    with world.app.app_context():
        makers.grant(makers.category("for clients"), group=accounts.get_group(world.clients))
        accounts.change_user(None, world.bo, name="Bo", is_admin=True)
    page = " ".join(re.sub(r"<[^>]+>", " ", world.admin.read(world.path).replace("<wbr>", "")).split())

    assert "Everything: administrators need no permission. Without the role these would count:" in page
    assert "for clients May read Clients" in page


def test_the_last_sign_ins_of_a_person_stand_on_their_page_and_all_on_one_of_their_own(world: World) -> None:
    with world.app.app_context():
        for number in range(60):
            start_session(world.bo, network=f"192.0.2.{number}", agent="curl/8", method="password")
    page = world.admin.read(world.path)
    assert re.findall(r"192\.0\.2\.\d+", page[page.index('id="sign-ins"') :]) == [
        f"192.0.2.{n}" for n in range(59, 54, -1)
    ]
    assert f'href="{world.path}/sign-ins"' in page
    first = world.admin.read(f"{world.path}/sign-ins")
    more = re.search(rf'href="({world.path}/sign-ins\?after=\d+)"', first)
    assert more is not None
    assert len(re.findall(r"192\.0\.2\.\d+<", first + world.admin.read(more[1]))) == 60


def test_the_page_says_which_second_factors_somebody_has_and_in_what_program_they_are(world: World) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    assert "recovery codes left" not in world.admin.read(world.path)
    with world.app.app_context():
        bo = accounts.get_user(world.bo)
        with_app(bo)
        with_recovery_codes(bo)
        start_session(bo.id, network=makers.NETWORK, agent=agent)

    page = world.admin.read(world.path)

    assert "App, ten recovery codes left" in page
    assert '<th scope="row">Firefox on Linux</th>' in page
    assert "Mozilla" not in page
