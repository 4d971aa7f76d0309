"""Many people at once: shown row by row, and then done as shown, all together or not at all."""

import time

import pytest
from flask import Flask
from sqlalchemy import event, func, select

from portal.accounts import (
    add_user,
    change_group,
    export_people,
    find_token,
    find_user,
    invite_all,
    list_groups_of,
    plan_invitations,
    remove_group,
)
from portal.errors import BadInput, Conflict, GroupNotFound
from portal.extensions import db
from portal.models import AuditEvent, AuditPerson, Mail, Membership, OneTimeToken, User
from tests.makers import PASSWORD, actor, at_once, change, group, now, person, release

pytestmark = pytest.mark.usefixtures("context")

HEAD = "email,name,groups\n"


def kinds(text: str, *group_ids: int) -> list[str]:
    return [row.kind for row in plan_invitations(text, group_ids).rows]


def count(table: type) -> int:
    release()
    return db.session.scalars(select(func.count()).select_from(table)).one()


def test_a_plan_says_of_each_row_what_it_would_do_and_does_nothing() -> None:
    person("Bo")
    text = "ada@example.org\nBo <BO@example.org>\nAda <ADA@example.org>\nnobody\ncy@nowhere\n"
    plan = plan_invitations(text)
    assert [(row.line, row.kind) for row in plan.rows] == [
        (1, "new"),
        (2, "known"),
        (3, "repeated"),
        (4, "broken"),
        (5, "broken"),
    ]
    assert plan.rows[2].first == 1
    assert plan.rows[4].problem == "This is not an email address."
    assert plan.counts == {"new": 1, "known": 1, "repeated": 1, "broken": 2, "joining": 0, "referred": 0}
    assert count(User) == 1


def test_everybody_new_gets_an_account_a_token_that_works_and_a_mail() -> None:
    clients = group("Clients")
    done = invite_all(None, "Ada Byron <ada@example.org>\nbo@example.org\nnobody", [clients.id])
    assert [(user.email, user.name) for user, _ in done.people] == [
        ("ada@example.org", "Ada Byron"),
        ("bo@example.org", "bo"),
    ]
    for user, token in done.people:
        found = find_token(token)
        assert found is not None
        assert (found.user_id, found.purpose) == (user.id, "invitation")
        assert [one.name for one in list_groups_of(user.id)] == ["Clients"]
        mail = db.session.scalars(select(Mail).where(Mail.user_id == user.id)).one()
        assert (mail.kind, mail.email, mail.state) == ("invitation", user.email, "waiting")
        assert token in (mail.text or "")
        assert token in (mail.html or "")


def test_the_log_tells_of_each_person_as_if_they_had_been_added_alone() -> None:
    root = person("Root", is_admin=True, password=PASSWORD)
    clients = group("Clients")
    invite_all(actor(root), "ada@example.org", [clients.id])
    ada = find_user("ada@example.org")
    assert ada is not None
    events = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(3)).all()
    assert {(one.action, one.object_id) for one in events} == {
        ("user.added", ada.id),
        ("token.issued", ada.id),
        ("group.joined", clients.id),
    }
    assert db.session.scalars(select(AuditPerson.email).where(AuditPerson.user_id == ada.id)).one() == ada.email


def test_who_has_an_account_joins_the_groups_and_is_not_invited_again() -> None:
    bo = person("Bo", password=PASSWORD)
    clients, board = group("Clients", bo), group("Board")
    text = HEAD + "bo@example.org,Another Name,Clients;Board"
    (row,) = plan_invitations(text).rows
    assert (row.kind, set(row.groups)) == ("known", {board.id})
    assert invite_all(None, text).joined == 1
    assert {one.id for one in list_groups_of(bo.id)} == {clients.id, board.id}
    assert count(Mail) == 0
    assert db.session.get_one(User, bo.id).name == "Bo"


def test_groups_of_several_lines_of_one_person_are_put_together() -> None:
    clients, board = group("Clients"), group("Board")
    invite_all(None, HEAD + "ada@example.org,Ada,Clients\nADA@example.org,,board")
    ada = find_user("ada@example.org")
    assert ada is not None
    assert {one.id for one in list_groups_of(ada.id)} == {clients.id, board.id}


def test_a_group_nobody_knows_breaks_its_line_alone() -> None:
    plan = plan_invitations(HEAD + "ada@example.org,Ada,Clints\nbo@example.org,Bo,")
    assert [row.kind for row in plan.rows] == ["broken", "new"]
    assert plan.rows[0].problem == "There is no group called Clints."
    with pytest.raises(GroupNotFound):
        plan_invitations("ada@example.org", [999])


@pytest.mark.parametrize("text", ["nobody", "bo@example.org", "nobody\nbo@example.org\nBO@example.org"])
def test_a_list_with_nothing_to_do_is_refused(text: str) -> None:
    person("Bo")
    with pytest.raises(BadInput, match="nobody to invite"):
        invite_all(None, text)


def test_nobody_becomes_an_administrator_by_a_list() -> None:
    invite_all(None, "email,name,admin\nada@example.org,Ada,yes")
    assert db.session.scalars(select(User.is_admin)).all() == [False]


def test_what_is_done_is_what_was_shown_or_nothing() -> None:
    clients, board = group("Clients"), group("Board")
    text = HEAD + "ada@example.org,Ada,Clients\nbo@example.org,Bo,Board"
    seal = plan_invitations(text).seal
    add_user(None, "bo@example.org", "Bo")
    with pytest.raises(Conflict, match=r"Since you looked something changed for bo@example.org \(line 3\)"):
        invite_all(None, text, seal=seal)
    assert count(Mail) == 0
    seal = plan_invitations(text).seal
    remove_group(None, board.id)
    with pytest.raises(Conflict, match="Nobody was invited"):
        invite_all(None, text, seal=seal)
    change_group(None, clients.id, "Customers")
    with pytest.raises(BadInput, match="nobody to invite"):
        invite_all(None, text)
    assert find_user("ada@example.org") is None


def test_another_text_than_the_one_shown_is_refused() -> None:
    seal = plan_invitations("ada@example.org").seal
    with pytest.raises(Conflict):
        invite_all(None, "ada@example.org\nevil@example.org", seal=seal)
    with pytest.raises(Conflict):
        invite_all(None, "eve@example.org", seal=seal)


def test_it_is_all_or_nothing(context: Flask) -> None:
    before = (count(User), count(AuditEvent), count(Membership), count(OneTimeToken))

    @event.listens_for(db.engine, "before_cursor_execute")
    def fail(*told: object) -> None:
        if "INSERT INTO mails" in str(told[2]):
            raise RuntimeError("the last step")

    with pytest.raises(RuntimeError):
        invite_all(None, "ada@example.org\nbo@example.org")
    event.remove(db.engine, "before_cursor_execute", fail)
    assert (count(User), count(AuditEvent), count(Membership), count(OneTimeToken)) == before


def test_of_many_at_once_one_invites_and_the_others_hear_why_not(context: Flask) -> None:
    answers = at_once(context, *[lambda: invite_all(None, "ada@example.org\nbo@example.org")] * 6)
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert len(refused) == 5
    assert all(isinstance(answer, Conflict | BadInput) for answer in refused)
    assert (count(User), count(Mail)) == (2, 2)


def test_ten_thousand_of_which_three_hundred_are_broken_are_done_by_a_few_statements() -> None:
    clients = group("Clients")
    lines = [f"broken {number}" if number % 33 == 0 else f"p{number}@example.org" for number in range(9_900)]
    text = "\n".join([*lines, *(f"q{number}@example.org" for number in range(100))])
    begun = time.process_time()
    plan = plan_invitations(text, [clients.id])
    assert plan.counts == {"new": 9_700, "known": 0, "repeated": 0, "broken": 300, "joining": 0, "referred": 0}
    release()
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    done = invite_all(None, text, [clients.id], plan.seal)
    assert len(done.people) == 9_700
    assert len(statements) < 1_000
    assert time.process_time() - begun < 60
    assert (count(User), count(Mail), count(Membership)) == (9_700, 9_700, 9_700)
    assert plan_invitations(text, [clients.id]).counts["known"] == 9_700


@pytest.mark.parametrize("name", ["Ada\r\nBcc: evil@example.org", "Ada\x00", "Ada\u202e", '"=cmd|x"'])
def test_no_name_in_a_list_writes_a_header_of_a_mail(name: str) -> None:
    text = f"email,name\nada@example.org,{name}"
    for row in plan_invitations(text).rows:
        assert row.name.isprintable()
    if "new" in kinds(text):
        invite_all(None, text)
        for mail in db.session.scalars(select(Mail)):
            assert "\n" not in mail.subject + mail.email
            assert not any(line.startswith("Bcc:") for line in (mail.text or "").splitlines())


def test_an_export_is_read_again_as_it_was() -> None:
    clients, board = group("Clients"), group("=Board")
    ada = person("Ada", password=PASSWORD)
    names = {
        ada.email: "Ada",
        "eve@example.org": '=HYPERLINK("http://evil","x")',
        "+1@example.org": "'=quoted",
        "ö@example.org": "Ö, “quoted”",
    }
    for email, name in list(names.items())[1:]:
        add_user(None, email, name)
    invite_all(None, "\n".join(names), [clients.id, board.id])
    text = "".join(export_people(None))
    lines = text.split("\r\n")
    assert lines[0] == "email,name,groups,state,admin,created,last seen,reference"
    assert not any(cell.startswith(("=", "+")) for line in lines for cell in line.replace('"', "").split(","))
    plan = plan_invitations(text)
    assert all((row.kind, row.groups) == ("known", frozenset()) for row in plan.rows)
    for user in db.session.scalars(select(User)).all():
        change(user, email_key=f"gone{user.id}", email="gone")
    plan = plan_invitations(text)
    assert {row.email: row.name for row in plan.rows} == names
    assert {row.groups for row in plan.rows} == {frozenset({clients.id, board.id})}


def test_an_export_leaves_out_who_was_erased_and_is_written_down() -> None:
    ada, bo = person("Ada"), person("Bo")
    change(ada, erased_at=now(), disabled_at=now())
    change(bo, disabled_at=now(), is_admin=True, seen_at=now())
    text = "".join(export_people(None))
    assert "ada@example.org" not in text
    assert "bo@example.org,Bo,,disabled,yes," in text
    release()
    assert "people.exported" in db.session.scalars(select(AuditEvent.action)).all()
    assert kinds(text) == ["broken"]
