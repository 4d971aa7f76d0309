"""The log in words: a sentence for every action there is, narrowed by action, person and thing."""

import ast
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, insert, select, update

from portal import accounts, audit, catalog, shares
from portal.accounts.sessions import start_session
from portal.catalog import Principal
from portal.errors import SignInFailed
from portal.extensions import db, transaction
from portal.models import AuditEvent, AuditPerson, Ticket
from portal.settings import Settings
from portal.views.admin.wording import CHOICES, GROUPS, OF_THEIR_OWN, SENTENCES
from tests import makers
from tests.views.desk import Desk

PORTAL = Path(__file__).parents[2] / "portal"
ACTION = re.compile(r"[a-z]+\.[a-z_]+")
RECORDERS = {"record_event", "_record", "record_category", "record_distribution", "record_document"}


@dataclass
class World:
    """An administrator at their desk."""

    app: Flask
    admin: Desk
    ada: int


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            ada = makers.person("Ada", is_admin=True)
            made = World(app, Desk(app, ada), ada.id)
        yield made


def sentences(page: str) -> list[str]:
    """Every sentence of the page, as words."""
    found = re.findall(r"</time><span>(.*?)</span>(?:<small>.*?</small>)?</li>", page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", "", sentence).split()) for sentence in found]


def actions_in(source: str) -> set[str]:
    """Every action a module writes down: what is given to a recorder, or kept in a variable called ``action``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        is_record = isinstance(node, ast.Call) and _name(node.func) in RECORDERS
        is_action = isinstance(node, ast.Assign) and [_name(target) for target in node.targets] == ["action"]
        if is_record or is_action:
            constants = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Constant)]
            found |= {value for value in constants if isinstance(value, str) and ACTION.fullmatch(value)}
    return found


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def test_every_action_the_portal_writes_down_has_a_sentence_and_every_sentence_an_action() -> None:
    sources = (path for path in PORTAL.rglob("*.py") if path.name != "wording.py")
    written = set().union(*(actions_in(path.read_text(encoding="utf-8")) for path in sources))

    assert written == set(SENTENCES) == set(CHOICES)
    assert set(OF_THEIR_OWN) <= set(SENTENCES)


def test_an_action_is_found_however_it_is_given_to_the_log() -> None:
    assert actions_in("audit.record_event('a.b' if x else 'c.d_e', actor=None)") == {"a.b", "c.d_e"}
    assert actions_in("_record(None, 'thing.done')") == {"thing.done"}
    assert actions_in("action = 'seal.set' if x else 'seal.broken'\nrecord(action)") == {"seal.set", "seal.broken"}
    assert actions_in("url_for('auth.login')\ntable = 'users.id'") == set()


def test_the_log_tells_what_was_done_by_whom_to_whom(world: World) -> None:
    with world.app.app_context():
        me = accounts.actor_of(accounts.get_user(world.ada))
        user, _ = accounts.invite_user(me, "bo@example.org", "Bo")
        group = accounts.add_group(me, "Clients")
        accounts.join_group(me, group.id, user.id)
        shelf = catalog.add_category(me, None, "reports")
        for principal in (Principal(group_id=group.id), Principal(user_id=user.id), Principal(is_everyone=True)):
            catalog.add_grant(me, shelf.id, principal, "publish")
        accounts.remove_group(me, group.id)
        document = makers.document(shelf, "annual.pdf")
        link, _ = shares.add_link(me, document.id, shares.Terms(label="The bank"))
        shares.revoke_link(me, link.id)
        accounts.set_password(accounts.actor_of(user), user.id, makers.PASSWORD)
        accounts.change_user(me, user.id, name="Bo Ek", is_admin=True)

    assert sentences(world.admin.read("/admin/log"))[:14] == [
        "Ada changed the account of Bo Ek, an administrator",
        "Bo Ek set a new password",
        "Ada revoked the link The bank to annual",
        "Ada made the link The bank to annual",
        "The operator added annual",
        "Ada removed the group Clients",
        "Ada took permission for reports from the group Clients",
        "Ada gave everyone permission to publish in reports",
        "Ada gave Bo Ek permission to publish in reports",
        "Ada gave the group Clients permission to publish in reports",
        "Ada added the category reports",
        "Ada put Bo Ek into the group Clients",
        "Ada added the group Clients",
        "Ada made an invitation for Bo Ek",
    ]


def test_the_network_is_no_part_of_the_sentence(world: World) -> None:
    page = world.admin.read("/admin/log?action=session.started")

    assert '</span><small><span class="visually-hidden">Network </span>127.0.0.0/24</small></li>' in page
    assert " from 127" not in page


def test_every_action_can_be_chosen_in_words_by_itself_or_with_its_group(world: World) -> None:
    page = world.admin.read("/admin/log")
    choice = page[page.index('<select id="action"') : page.index("</select>", page.index('<select id="action"'))]
    groups = re.findall(
        r'<optgroup label="([^"]+)"><option value="[a-z-]+"[^>]*>\1, all</option>(.*?)</optgroup>', choice
    )
    chosen = [re.findall(r'<option value="([a-z._]+)"[^>]*>([^<]+)</option>', options) for _, options in groups]

    assert [words for words, _ in groups] == [words for words, _ in GROUPS.values()]
    assert sorted(one for options in chosen for one in options) == sorted(CHOICES.items())
    for options in chosen:
        assert [words for _, words in options] == sorted(words for _, words in options)


def test_the_log_is_narrowed_to_a_group_of_actions(world: World) -> None:
    with world.app.app_context():
        makers.grant(makers.category("reports"), group=makers.group("Clients"))
    assert sentences(world.admin.read("/admin/log?action=permissions")) == [
        "The operator gave the group Clients permission to read reports",
        "The operator added the group Clients",
    ]


def test_a_person_is_found_by_a_part_of_the_name_with_what_they_did_and_what_was_done_to_them(world: World) -> None:
    with world.app.app_context():
        bo = makers.person("Bo Ek")
        group = accounts.add_group(makers.actor(accounts.get_user(world.ada)), "Clients")
        accounts.join_group(None, group.id, bo.id)
        accounts.set_password(makers.actor(bo), bo.id, makers.PASSWORD)
        accounts.disable_user(None, bo.id)
    read = world.admin.read
    both = [
        "The operator disabled the account of Bo Ek",
        "Bo Ek set a new password",
        "The operator put Bo Ek into the group Clients",
        "The operator added Bo Ek",
    ]

    assert sentences(read("/admin/log?email=EK")) == both
    assert sentences(read("/admin/log?email=bo.ek@example.org&part=to")) == both
    assert sentences(read("/admin/log?email=ek&part=by")) == [both[1]]
    assert sentences(read("/admin/log?email=ek&part=to&action=permissions")) == [both[2]]
    assert "Only what Bo Ek did" in re.sub(r"<[^>]+>", "", read(f"/admin/log?person={bo.id}&part=by"))


def test_of_several_people_who_are_called_alike_one_is_chosen(world: World) -> None:
    with world.app.app_context():
        ids = [makers.person(name).id for name in ("Bo Ek", "Bo Ekman")]
    page = world.admin.read("/admin/log?email=bo&action=user.added&part=to")

    assert sentences(page) == []
    assert "Two people are called like that" in page
    for user_id in ids:
        assert f'href="/admin/log?action=user.added&part=to&person={user_id}"' in page


def test_the_log_is_narrowed_to_days_where_the_person_lives(world: World) -> None:
    with world.app.app_context():
        berlin = accounts.get_user(world.ada)
        makers.change(berlin, timezone="Europe/Berlin")
        for moment in ("2026-03-01 22:59", "2026-03-01 23:00", "2026-03-02 22:59", "2026-03-02 23:00"):
            at = datetime.fromisoformat(f"{moment}+00:00")
            with transaction() as session:
                values = {"at": at, "action": "group.added", "actor_kind": "operator", "object_label": moment}
                session.execute(insert(AuditEvent).values(values))
    read = world.admin.read

    assert sentences(read("/admin/log?from=2026-03-02&to=2026-03-02")) == [
        "The operator added the group 2026-03-02 22:59",
        "The operator added the group 2026-03-01 23:00",
    ]
    assert len(sentences(read("/admin/log?to=2026-03-02"))) == 3
    assert len(sentences(read("/admin/log?from=2026-03-02&action=group.added"))) == 3
    for nonsense in ("from=x", "to=9999-12-31", "from=0001-01-01&to=2999-13-01"):
        assert sentences(read(f"/admin/log?{nonsense}&action=group.added")) != []


def test_refused_sign_ins_say_as_whom(world: World) -> None:
    with world.app.app_context():
        for email in ("ada@example.org", "nobody@example.org"):
            with pytest.raises(SignInFailed):
                accounts.sign_in(email, "wrong", network="192.0.2.0/24", agent="")

    assert sentences(world.admin.read("/admin/log?action=session.refused")) == [
        "A sign-in as an unknown address with a password was refused",
        "A sign-in as Ada with a password was refused",
    ]


def test_a_sign_in_says_with_what(world: World) -> None:
    with world.app.app_context():
        user, client = makers.person("Zoe"), {"network": makers.NETWORK, "agent": ""}
        start_session(user.id, **client, method="password", is_two_factor=True, second_factor="recovery")

    page = world.admin.read("/admin/log?action=session.started")

    assert sentences(page)[0] == "Zoe signed in with a password and a recovery code"


def test_an_erased_name_and_a_new_action_are_still_told(world: World) -> None:
    with world.app.app_context(), transaction() as session:
        bo = makers.person("Bo")
        audit.record_event("comet.seen", actor=makers.actor(bo), thing=("comet", 7), label="<b>Halley</b>")
        session.execute(update(AuditPerson).where(AuditPerson.user_id == bo.id).values(name=None, email=None))
    answer = world.admin.client.get("/admin/log")

    assert f"Erased person {bo.id}: comet seen" in re.sub(r"<[^>]+>", "", answer.text)
    assert "&lt;b&gt;Halley&lt;/b&gt;" in answer.text


def test_the_log_is_narrowed_to_an_action_a_person_and_a_thing(world: World) -> None:
    with world.app.app_context():
        me = accounts.actor_of(accounts.get_user(world.ada))
        first, second = (accounts.add_group(by, name).id for by, name in ((me, "First"), (None, "Second")))

    read = world.admin.read
    assert sentences(read("/admin/log?action=group.added")) == [
        "The operator added the group Second",
        "Ada added the group First",
    ]
    assert sentences(read("/admin/log?action=group.added&email=ADA@example.org")) == ["Ada added the group First"]
    assert sentences(read(f"/admin/log?action=group.added&person={world.ada}")) == ["Ada added the group First"]
    assert sentences(read(f"/admin/log?thing=group-{second}")) == ["The operator added the group Second"]
    assert f'href="/admin/log?thing=group-{first}"' in read("/admin/log")
    assert sentences(read("/admin/log?email=nobody@example.org")) == []
    assert sentences(read("/admin/log?action=nonsense")) == []


@pytest.mark.parametrize(
    "query",
    ["thing=x", "thing=document-", "thing=document-99999999999999999999999", "thing=users-1", "person=x", "after=x"],
)
def test_what_cannot_narrow_the_log_does_not(world: World, query: str) -> None:
    assert sentences(world.admin.read(f"/admin/log?{query}")) == [
        "Ada signed in",
        "The operator added Ada, an administrator",
    ]


def test_whoever_set_the_portal_up_did_so_themselves(sqlite_settings: Settings) -> None:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            token = accounts.issue_token(None, "setup")
            desk = Desk(app, accounts.spend_setup_token(token, "ada@example.org", "Ada", makers.PASSWORD))

        assert "Ada set up the portal and is its first administrator" in sentences(desk.read("/admin/log"))


def test_the_log_goes_on_where_a_page_ends_none_twice_none_missing(world: World) -> None:
    with world.app.app_context():
        for number in range(60):
            accounts.add_group(None, f"Group {number:02}")
    first = world.admin.read("/admin/log?action=group.added")
    more = re.search(r'href="(/admin/log\?[^"]*after=\d+[^"]*)"', first)
    assert more is not None
    second = world.admin.read(more[1])

    names = re.findall(r"Group \d\d", first + second)
    assert names == [f"Group {number:02}" for number in reversed(range(60))]


def test_the_log_is_for_administrators(world: World) -> None:
    with world.app.app_context():
        mia = makers.person("Mia")
        makers.grant(makers.category("reports"), user=mia, permission=3)
        manager = Desk(world.app, mia)

    manager.read("/admin/log", 404)
    assert "/admin/log" not in manager.read("/admin/")
    assert "/admin/people" not in manager.read("/admin/")


def test_a_change_of_the_dates_is_told_as_what_it_means(world: World) -> None:
    with world.app.app_context():
        me = accounts.actor_of(accounts.get_user(world.ada))
        document = makers.document(makers.category("reports"), "annual.pdf")
        for published_at, expires_at in (
            (None, None),
            (datetime(2999, 12, 1, 9, tzinfo=UTC), None),
            (datetime(2020, 12, 1, 9, tzinfo=UTC), None),
            (datetime(2020, 12, 1, 9, tzinfo=UTC), datetime(2999, 12, 2, 9, tzinfo=UTC)),
            (datetime(2020, 12, 1, 9, tzinfo=UTC), None),
        ):
            catalog.change_document(me, document.id, published_at=published_at, expires_at=expires_at)

    assert sentences(world.admin.read("/admin/log"))[:5] == [
        "Ada let readers see annual without an end",
        "Ada let readers see annual only until Monday, 2 December 2999, 09:00 UTC",
        "Ada published annual",
        "Ada scheduled annual for Sunday, 1 December 2999, 09:00 UTC",
        "Ada made annual a draft: readers do not see it",
    ]


def test_a_change_of_words_is_told_by_their_names_and_not_by_what_they_say(world: World) -> None:
    with world.app.app_context():
        me, shelf = accounts.actor_of(accounts.get_user(world.ada)), makers.category("reports")
        field = catalog.add_field(None, shelf.id, "Number <b>", "text")
        document = makers.document(shelf, "annual.pdf")
        catalog.change_document(
            me, document.id, reference="R7", responsible_id=world.ada, tags=["a"], fields={field.id: "secret"}
        )
    page = world.admin.client.get("/admin/log").text

    told = sentences(page)[0]
    assert told == ("Ada changed what is said about annual: reference, responsible person, tags, “Number &lt;b&gt;”")
    assert "secret" not in page


def test_a_move_says_from_where_to_where(world: World) -> None:
    with world.app.app_context():
        me = accounts.actor_of(accounts.get_user(world.ada))
        shelf = makers.category("reports/2026")
        document = makers.document(shelf, "annual.pdf")
        catalog.move_document(me, document.id, makers.category("archive").id)
        catalog.move_category(me, shelf.id, makers.category("archive").id)
        catalog.change_category(me, shelf.id, name="2025", description="", is_sealed=False)

    told = [line for line in sentences(world.admin.read("/admin/log")) if "Ada" in line]
    assert told[:3] == [
        "Ada changed the category archive/2025, which was archive/2026 before",
        "Ada moved the category archive/2026, which was reports/2026 before",
        "Ada moved annual from reports/2026 to archive",
    ]


def test_an_event_about_a_link_says_which_link_and_which_document(world: World) -> None:
    with world.app.app_context():
        me = accounts.actor_of(accounts.get_user(world.ada))
        document = makers.document(makers.category("reports"), "annual.pdf")
        link, token = shares.add_link(me, document.id, shares.Terms(max_downloads=3))
        unnamed = f"{link.token_hint}…"
        shares.reserve(token, None, network="192.0.2.0/24", agent="")
        shares.refund(db.session.scalars(select(Ticket.id)).one())
        before = sentences(world.admin.read("/admin/log"))[:3]
        shares.change_link(me, link.id, shares.Terms(label="The bank", max_downloads=3))
    page = world.admin.read("/admin/log")

    assert before == [
        f"A download of annual that never began was given back to the link {unnamed}",
        f"Somebody with the link {unnamed} took a download of annual",
        f"Ada made the link {unnamed} to annual",
    ]
    assert sentences(page)[0] == "Ada changed the link The bank to annual"
    assert sentences(page)[3] == "Ada made the link The bank to annual"
    assert f'href="/admin/log?thing=share-{link.id}"' in page
    assert f'href="/admin/log?thing=document-{document.id}"' in page


def test_the_label_of_a_link_is_no_part_of_the_log_itself(world: World) -> None:
    with world.app.app_context():
        document = makers.document(makers.category("reports"), "annual.pdf")
        shares.add_link(None, document.id, shares.Terms(label="For Bo Ek"))
        rows = db.session.execute(select(AuditEvent.object_label, AuditEvent.details)).all()

    assert "Bo Ek" not in str(rows)


def test_saving_what_is_there_already_is_no_event(world: World) -> None:
    with world.app.app_context():
        shelf = makers.category("reports")
        document = makers.document(shelf, "annual.pdf")
        link, _ = makers.link(document, label="The bank", password=makers.PASSWORD)
        bo, group = makers.person("Bo"), makers.group("Clients")
        seen = db.session.scalars(select(func.max(AuditEvent.id))).one()
        addresses = [
            f"/documents/{document.uuid}/edit",
            f"/admin/links/{link.id}",
            f"/admin/categories/{shelf.id}",
            f"/admin/people/{bo.id}",
            f"/admin/groups/{group.id}",
        ]
    for address in addresses:
        assert world.admin.save(address).status_code == 303, address
    with world.app.app_context():
        later = db.session.scalars(select(AuditEvent.action).where(AuditEvent.id > seen)).all()

    assert later == []


def test_the_log_is_exported_as_it_is_narrowed_and_all_of_it(world: World) -> None:
    with world.app.app_context():
        for number in range(600):
            accounts.add_group(None, f"Group {number:03}")
        accounts.join_group(makers.actor(accounts.get_user(world.ada)), 1, makers.person("Bo Ek").id)
    answer = world.admin.client.get("/admin/log.csv?action=permissions")
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))

    assert answer.data.startswith(b"\xef\xbb\xbf"), "Excel takes it for UTF-8 by these"
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert len(rows) == 601
    assert len({row["id"] for row in rows}) == 601
    first = rows[0]
    assert (first["action"], first["name"], first["whom"], first["thing"]) == (
        "group.joined",
        "Ada",
        "Bo Ek",
        "group-1",
    )
    assert first["sentence"] == "Ada put Bo Ek into the group Group 000"
    assert datetime.fromisoformat(first["at"]).tzinfo is not None
    assert sentences(world.admin.read("/admin/log"))[0] == "Ada exported the log, or a part of it"


def test_no_cell_of_the_export_is_a_formula(world: World) -> None:
    with world.app.app_context():
        accounts.add_group(None, '=HYPERLINK("https://evil.example")')
    answer = world.admin.client.get("/admin/log.csv?action=group.added")
    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))

    assert row["label"] == '\'=HYPERLINK("https://evil.example")'
