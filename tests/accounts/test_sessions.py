"""Sessions: a row each, found by one query, over when the row is gone, idle too long or too old."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import func, select, update

from portal.accounts import (
    SignedIn,
    change_user,
    check_password,
    disable_user,
    enable_user,
    end_all_sessions,
    end_other_sessions,
    end_session,
    find_session,
    hash_password,
    list_sessions,
    note_visit,
    set_password,
    sign_in,
    sign_out,
)
from portal.accounts.sessions import SESSIONS_EACH, start_session
from portal.errors import SignInFailed
from portal.extensions import db, transaction
from portal.models import AuditEvent, Session, User
from portal.settings import Settings
from portal.tokens import make_token, token_hash
from tests.databases import SQLITE_ONLY
from tests.factors import with_app
from tests.makers import NETWORK, PASSWORD, actor, at_once, change, now, person, release

pytestmark = pytest.mark.usefixtures("context")


def start(user: User) -> str:
    return start_session(user.id, network=NETWORK, agent="tests")


def found(token: str) -> SignedIn:
    """The person of a token that must work."""
    signed_in = find_session(token)
    release()
    assert signed_in is not None
    return signed_in


def move_all(**columns: object) -> None:
    """Set columns of every session, past the verbs."""
    with transaction() as session:
        session.execute(update(Session).values(columns))


def test_the_right_password_starts_a_session() -> None:
    ada = person("Ada Byron", is_admin=True, password=PASSWORD)
    token = sign_in(" ADA.byron@example.org ", PASSWORD, network=NETWORK, agent="tests").token
    signed_in = find_session(token, network="192.0.2.0/24")
    assert signed_in is not None
    assert (signed_in.user_id, signed_in.is_admin, signed_in.name) == (ada.id, True, "Ada Byron")
    assert (signed_in.email, signed_in.network, signed_in.kind) == ("ada.byron@example.org", "192.0.2.0/24", "person")
    assert signed_in.is_authenticated


def test_every_session_has_another_token_and_only_its_hash_is_kept() -> None:
    ada = person()
    tokens = {start(ada) for _ in range(3)}
    stored = set(db.session.scalars(select(Session.token_hash)))
    assert stored == {token_hash("session", token) for token in tokens}
    assert len(stored) == 3


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "ä" * 43, "a" * 44, "a" * 42 + "\n", "\x00" * 43])
def test_what_is_no_token_of_a_session_finds_nobody(token: str) -> None:
    start(person())
    assert find_session(token) is None
    assert find_session(make_token()) is None


def test_what_has_not_the_shape_of_a_token_asks_the_database_nothing(statements: list[str]) -> None:
    statements.clear()
    assert find_session("no token") is None
    assert statements == []


def test_a_person_is_found_by_one_query(statements: list[str]) -> None:
    token = start(person())
    release()
    statements.clear()
    assert find_session(token) is not None
    assert len(statements) == 1


@pytest.mark.parametrize("kind", ["unknown", "wrong", "disabled", "without a password", "with an app"])
def test_whoever_cannot_sign_in_gets_the_same_answer_for_the_same_work(
    kind: str, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    person("Known", password=PASSWORD)
    disable_user(None, person("Disabled", password=PASSWORD).id)
    person("Waiting")
    with_app(person("Careful", password=PASSWORD))
    check_password(None, PASSWORD)  # what a process does only once
    hashes: list[str] = []
    verify = PasswordHasher.verify

    def counted(hasher: PasswordHasher, hashed: str | bytes, password: str | bytes) -> bool:
        hashes.append(str(hashed))
        return verify(hasher, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    release()
    names = {"unknown": "nobody", "wrong": "known", "disabled": "disabled"}
    names |= {"without a password": "waiting", "with an app": "careful"}

    def refused(name: str, password: str) -> tuple[str, int, list[str]]:
        statements.clear()
        hashes.clear()
        with pytest.raises(SignInFailed) as failure:
            sign_in(f"{name}@example.org", password, network=NETWORK, agent="")
        return failure.value.sentence, len(hashes), [" ".join(statement.split()[:3]) for statement in statements]

    reference = refused("known", "not the password at all")
    password = "not the password at all" if kind in ("wrong", "with an app") else PASSWORD
    assert refused(names[kind], password) == reference
    assert reference[1] == 1


def test_a_refusal_is_logged_without_the_address() -> None:
    with pytest.raises(SignInFailed):
        sign_in("nobody@example.org", PASSWORD, network=NETWORK, agent="")
    event = db.session.scalars(select(AuditEvent)).one()
    assert (event.action, event.network, event.object_id) == ("session.refused", NETWORK, None)
    assert "nobody" not in repr(event.details)


def test_a_token_copied_before_signing_out_is_dead_after_it() -> None:
    ada = person()
    token, other = start(ada), start(ada)
    sign_out(found(token))
    assert find_session(token) is None
    assert find_session(other) is not None


def test_a_disabled_person_is_nobody_from_the_next_request_on() -> None:
    ada = person()
    token = start(ada)
    disable_user(None, ada.id)
    assert find_session(token) is None


def test_even_a_session_that_outlived_the_disabling_is_nobodys() -> None:
    ada = person()
    token = start(ada)
    change(ada, disabled_at=now())
    assert find_session(token) is None


def test_a_session_ends_after_its_days_however_busy_it_is(settings: Settings) -> None:
    ada = person()
    token = start(ada)
    row = db.session.scalars(select(Session)).one()
    assert row.expires_at - row.created_at == pytest.approx(timedelta(days=settings.session_days), abs=MOMENT)
    change(row, expires_at=now(minutes=1))
    assert find_session(token) is not None
    change(row, expires_at=now(seconds=-1))
    assert find_session(token) is None
    assert list_sessions(ada.id) == []


def test_a_session_ends_when_nothing_was_asked_for_hours(settings: Settings) -> None:
    ada = person()
    token = start(ada)
    move_all(seen_at=now(hours=-settings.session_idle_hours, minutes=1))
    assert find_session(token) is not None
    move_all(seen_at=now(hours=-settings.session_idle_hours, seconds=-1))
    assert find_session(token) is None
    assert list_sessions(ada.id) == []


MOMENT = timedelta(seconds=30)


def test_the_hours_and_days_are_settings(context: Flask, settings: Settings) -> None:
    token = start(person())
    move_all(seen_at=now(hours=-2))
    context.config["PORTAL"] = replace(settings, session_idle_hours=1)
    assert find_session(token) is None


def test_sessions_that_are_over_are_swept_out_when_another_begins() -> None:
    ada, bob = person("Ada"), person("Bob")
    start(ada)
    move_all(expires_at=now(seconds=-1))
    start(bob)
    assert [row.user_id for row in db.session.scalars(select(Session))] == [bob.id]


def test_beyond_twenty_sessions_of_a_person_the_oldest_ends() -> None:
    ada, bob = person("Ada"), person("Bob")
    others = start(bob)
    tokens = [start(ada) for _ in range(SESSIONS_EACH + 2)]
    assert [find_session(token) is not None for token in tokens] == [False] * 2 + [True] * SESSIONS_EACH
    assert find_session(others) is not None


def test_twenty_is_the_most_even_when_all_begin_at_once(context: Flask) -> None:
    ada_id = person().id
    begin = [lambda: start_session(ada_id, network=NETWORK, agent="")] * (SESSIONS_EACH + 8)
    answers = at_once(context, *begin)
    assert {type(answer) for answer in answers} == {str}
    assert db.session.scalars(select(func.count()).select_from(Session)).one() == SESSIONS_EACH


def test_a_person_sees_and_ends_their_own_sessions_only() -> None:
    ada, bob = person("Ada"), person("Bob")
    tokens = [start(ada), start(ada), start(bob)]
    here, theirs = found(tokens[0]), found(tokens[2])
    assert {row.id for row in list_sessions(ada.id)} == {here.session_id, found(tokens[1]).session_id}
    assert not end_session(here, theirs.session_id)
    assert end_session(here, found(tokens[1]).session_id)
    assert [find_session(token) is not None for token in tokens] == [True, False, True]


def test_all_other_sessions_can_be_ended_at_once() -> None:
    ada, bob = person("Ada"), person("Bob")
    tokens = [start(ada), start(ada), start(ada), start(bob)]
    assert end_other_sessions(found(tokens[1])) == 2
    assert [find_session(token) is not None for token in tokens] == [False, True, False, True]


def test_an_administrator_can_end_every_session_of_somebody() -> None:
    ada, root = person("Ada"), person("Root", is_admin=True)
    tokens = [start(ada), start(ada), start(root)]
    assert end_all_sessions(actor(root), ada.id) == 2
    assert [find_session(token) is not None for token in tokens] == [False, False, True]


def test_the_last_used_session_is_listed_first() -> None:
    ada = person()
    first, second = found(start(ada)), found(start(ada))
    assert [row.id for row in list_sessions(ada.id)] == [second.session_id, first.session_id]
    change(db.session.get_one(Session, first.session_id), seen_at=now(minutes=1))
    assert [row.id for row in list_sessions(ada.id)] == [first.session_id, second.session_id]


def test_being_here_is_written_down_at_most_every_five_minutes(statements: list[str]) -> None:
    token = start(person())
    move_all(seen_at=now(minutes=-4))
    here = found(token)
    statements.clear()
    note_visit(here)
    assert statements == []
    move_all(seen_at=now(minutes=-6))
    note_visit(found(token))
    assert found(token).seen_at == pytest.approx(now(), abs=MOMENT)


@pytest.mark.parametrize(("minutes_away", "is_new_visit"), [(10, False), (31, True)])
def test_after_half_an_hour_away_a_new_visit_begins(minutes_away: int, is_new_visit: bool) -> None:
    ada = person()
    token = start(ada)
    last_time = now(minutes=-minutes_away)
    move_all(seen_at=last_time)
    change(ada, seen_at=last_time, visited_at=now(days=-3))
    note_visit(found(token))
    visited_at = found(token).visited_at
    assert (visited_at == last_time) == is_new_visit


def test_a_second_browser_does_not_end_a_visit() -> None:
    ada, since = person(), now(days=-3)
    first, idle = start(ada), start(ada)
    change(ada, seen_at=now(minutes=-2), visited_at=since)
    assert found(start(ada)).visited_at == since
    move_all(seen_at=now(hours=-1))
    change(db.session.get_one(Session, found(first).session_id), seen_at=now(minutes=-1))
    change(ada, seen_at=now(minutes=-1))
    assert note_visit(found(idle)).visited_at == since


def test_a_first_sign_in_has_no_visit_before_it() -> None:
    assert found(start(person())).visited_at is None


def test_signing_in_begins_a_new_visit() -> None:
    ada = person()
    change(ada, seen_at=now(days=-1))
    yesterday = ada.seen_at
    assert found(start(ada)).visited_at == yesterday


def test_an_endless_name_of_a_browser_is_cut() -> None:
    start_session(person().id, network=NETWORK, agent="x" * 5000)
    assert len(db.session.scalars(select(Session.agent)).one()) == 300


@SQLITE_ONLY
def test_a_password_that_is_changed_while_the_old_one_is_checked_lets_nobody_in(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada_id = person(password=PASSWORD).id
    verify = PasswordHasher.verify

    def meanwhile(hasher: PasswordHasher, hashed: str | bytes, password: str | bytes) -> bool:
        is_right = verify(hasher, hashed, password)
        with context.app_context():
            set_password(None, ada_id, "another four good words")
        return is_right

    monkeypatch.setattr(PasswordHasher, "verify", meanwhile)
    with pytest.raises(SignInFailed):
        sign_in("ada@example.org", PASSWORD, network=NETWORK, agent="")
    assert db.session.scalars(select(Session)).all() == []


@SQLITE_ONLY
def test_somebody_disabled_while_their_password_is_checked_is_not_let_in(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada_id = person(password=PASSWORD).id
    verify = PasswordHasher.verify

    def meanwhile(hasher: PasswordHasher, hashed: str | bytes, password: str | bytes) -> bool:
        is_right = verify(hasher, hashed, password)
        with context.app_context():
            disable_user(None, ada_id)
        return is_right

    monkeypatch.setattr(PasswordHasher, "verify", meanwhile)
    with pytest.raises(SignInFailed):
        sign_in("ada@example.org", PASSWORD, network=NETWORK, agent="")
    enable_user(None, ada_id)
    assert db.session.scalars(select(Session)).all() == []


@SQLITE_ONLY
def test_no_connection_is_held_while_a_password_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    person(password=PASSWORD)
    hash_password(PASSWORD)
    held: list[int] = []
    verify = PasswordHasher.verify

    def looked_at(hasher: PasswordHasher, hashed: str | bytes, password: str | bytes) -> bool:
        held.append(int(db.engine.pool.status().rpartition("Current Checked out connections: ")[2]))
        return verify(hasher, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", looked_at)
    sign_in("ada@example.org", PASSWORD, network=NETWORK, agent="")
    assert held == [0]


@pytest.mark.parametrize("act", ["sign out", "end it", "end all", "give up the role", "change the password"])
def test_whoever_ends_their_own_session_may_and_is_written_down(act: str) -> None:
    ada, _ = person("Ada", is_admin=True, password=PASSWORD), person("Bo", is_admin=True, password=PASSWORD)
    who = found(start(ada))
    acts: dict[str, Callable[[], object]] = {
        "sign out": lambda: sign_out(who),
        "end it": lambda: end_session(who, who.session_id),
        "end all": lambda: end_all_sessions(who, ada.id),
        "give up the role": lambda: change_user(who, ada.id, name="Ada", is_admin=False),
        "change the password": lambda: set_password(who, ada.id, "another four good words"),
    }
    actions = {"sign out": "session.ended", "end it": "session.ended", "end all": "session.all_ended"}
    actions |= {"give up the role": "user.changed", "change the password": "user.password_changed"}

    acts[act]()

    assert list_sessions(ada.id) == []
    last = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()
    assert last.action == actions[act]


def test_a_session_that_was_ended_already_is_signed_out_of_once() -> None:
    who = found(start(person()))
    sign_out(who)
    sign_out(who)
    ended = select(func.count()).where(AuditEvent.action == "session.ended")
    assert db.session.scalars(ended).one() == 1
