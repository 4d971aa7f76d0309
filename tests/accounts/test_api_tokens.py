"""Tokens of programs: a row each, found by one query, never more than the person, over when it is revoked."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from portal.accounts import (
    MOST_DAYS,
    SignedIn,
    add_api_token,
    change_user,
    count_api_tokens,
    disable_user,
    enable_user,
    end_all_sessions,
    find_session,
    list_api_tokens,
    offered_scopes,
    require_bearer,
    revoke_api_token,
    revoke_api_tokens,
    set_password,
)
from portal.accounts.api_tokens import MOST_TOKENS
from portal.errors import BadInput, BearerRefused, Conflict, NotFound, TooManyTries
from portal.extensions import db
from portal.models import PUBLISH, ApiToken, AuditEvent, Mail, User
from portal.tokens import make_token, token_hash
from tests.makers import NETWORK, PASSWORD, actor, at_once, category, change, grant, now, person, release

pytestmark = pytest.mark.usefixtures("context")


def made(user: User, scope: str = "read", days: int = 90) -> str:
    """The secret of a new token."""
    secret = add_api_token(actor(user), user.id, "Backup", scope, days)[1]
    release()
    return secret


def found(secret: str) -> SignedIn:
    who = require_bearer(secret, NETWORK)
    release()
    return who


def row() -> ApiToken:
    """The only token there is."""
    return db.session.scalars(select(ApiToken)).one()


def is_refused(secret: str) -> bool:
    try:
        found(secret)
    except BearerRefused:
        return True
    return False


def test_a_token_acts_for_its_person() -> None:
    ada = person("Ada Byron", is_admin=True)

    who = found(made(ada, "admin"))

    assert (who.user_id, who.is_admin, who.name, who.network) == (ada.id, True, "Ada Byron", NETWORK)
    assert who.scopes == frozenset({"read", "publish", "admin"})
    assert (who.session_id, who.key, who.is_fresh) == (0, f"u:{ada.id}", False)


def test_only_the_hash_of_a_token_is_kept_and_how_it_begins() -> None:
    secret = made(person())

    kept = row()
    assert (kept.token_hash, kept.token_hint) == (token_hash("api", secret), secret[:6])
    told = [*db.session.scalars(select(AuditEvent)), *db.session.scalars(select(Mail))]
    assert not any(secret in repr(one.__dict__) for one in told)


def test_a_token_is_found_by_one_query(statements: list[str]) -> None:
    secret = made(person())
    found(secret)
    statements.clear()
    require_bearer(secret, NETWORK)

    assert len(statements) == 1


def test_that_it_was_used_is_written_at_most_every_five_minutes() -> None:
    secret = made(person())
    assert row().used_at is None
    found(secret)
    first = row().used_at
    assert first is not None
    found(secret)
    assert row().used_at == first
    change(row(), used_at=now(minutes=-6))

    found(secret)

    used_at = row().used_at
    assert used_at is not None
    assert used_at >= first


def test_a_program_is_no_visit_of_its_person() -> None:
    ada = person()
    change(ada, seen_at=now(hours=-2), visited_at=now(hours=-9))
    before = ada.seen_at, ada.visited_at

    who = found(made(ada))

    db.session.refresh(ada)
    assert (ada.seen_at, ada.visited_at) == before
    assert who.visited_at == ada.visited_at


@pytest.mark.parametrize("secret", ["", "x", "x" * 43, "ä" * 43, "a" * 44, "\x00" * 43])
def test_what_is_no_token_opens_nothing(secret: str) -> None:
    made(person())

    assert is_refused(secret)


def test_a_session_is_no_token_and_a_token_is_no_session() -> None:
    secret = made(person())

    assert find_session(secret) is None


def test_an_expired_token_opens_nothing() -> None:
    secret = made(person())
    change(row(), expires_at=now())

    assert is_refused(secret)


def test_a_revoked_token_opens_nothing_and_is_listed_no_more() -> None:
    ada = person()
    secret, other = made(ada), made(ada)
    tokens = list_api_tokens(ada.id)

    revoke_api_token(actor(ada), ada.id, tokens[1].id)

    assert is_refused(secret)
    assert not is_refused(other)
    assert [one.id for one in list_api_tokens(ada.id)] == [tokens[0].id]


def test_nobody_revokes_the_token_of_somebody_else() -> None:
    ada, bob = person("Ada"), person("Bob")
    secret = made(ada)

    with pytest.raises(NotFound):
        revoke_api_token(actor(bob), bob.id, row().id)

    assert not is_refused(secret)


def test_all_tokens_of_a_person_are_revoked_at_once() -> None:
    ada, bob = person("Ada"), person("Bob")
    secrets, other = [made(ada), made(ada)], made(bob)

    assert revoke_api_tokens(None, ada.id) == 2
    assert [is_refused(secret) for secret in [*secrets, other]] == [True, True, False]
    assert revoke_api_tokens(None, ada.id) == 0


def test_a_disabled_person_has_no_token_any_more_also_when_they_are_back() -> None:
    ada = person()
    secret = made(ada)
    disable_user(None, ada.id)
    assert is_refused(secret)

    enable_user(None, ada.id)

    assert is_refused(secret)
    assert count_api_tokens(ada.id) == 0


def test_nobody_makes_a_token_for_a_disabled_account() -> None:
    ada = person()
    disable_user(None, ada.id)

    with pytest.raises(Conflict):
        made(ada)


def test_an_account_disabled_past_the_verbs_lets_no_program_in() -> None:
    ada = person()
    secret = made(ada)
    change(ada, disabled_at=now())

    assert is_refused(secret)


def test_a_new_password_and_the_end_of_all_sessions_leave_tokens_alone() -> None:
    ada = person()
    secret = made(ada)

    set_password(actor(ada), ada.id, PASSWORD)
    end_all_sessions(actor(person("Root", is_admin=True)), ada.id)

    assert not is_refused(secret)


def test_guessing_is_throttled_and_a_good_token_still_works(context: Flask) -> None:
    secret = made(person())
    allowed = context.config["PORTAL"].unknown_tries
    for _ in range(allowed):
        assert is_refused(make_token())

    with pytest.raises(TooManyTries):
        require_bearer(make_token(), NETWORK)

    release()
    assert not is_refused(secret)
    assert is_refused_elsewhere()


def is_refused_elsewhere() -> bool:
    """Whether another network may still try."""
    try:
        require_bearer(make_token(), "192.0.2.0/24")
    except BearerRefused:
        return True
    return False


def test_each_scope_is_only_for_people_who_have_a_use_for_it() -> None:
    reader, publisher, admin = person("Reader"), person("Publisher"), person("Admin", is_admin=True)
    grant(category("reports"), user=publisher, permission=PUBLISH)

    assert [offered_scopes(actor(one)) for one in (reader, publisher, admin)] == [
        ["read"],
        ["read", "publish"],
        ["read", "publish", "admin"],
    ]
    for user, scope in ((reader, "publish"), (reader, "admin"), (publisher, "admin")):
        with pytest.raises(BadInput, match=f"The scope {scope} is only for"):
            made(user, scope)
    made(publisher, "publish")
    assert row().scopes == "read publish"


@pytest.mark.parametrize("scope", ["", "write", "read publish", "ADMIN"])
def test_a_scope_that_is_none_is_refused(scope: str) -> None:
    with pytest.raises(BadInput) as refusal:
        made(person(is_admin=True), scope)
    assert refusal.value.field == "scope"


def test_the_token_of_somebody_who_was_demoted_does_no_more_than_they_may() -> None:
    ada, _ = person("Ada", is_admin=True), person("Root", is_admin=True, password=PASSWORD)
    secret = made(ada, "admin")

    change_user(None, ada.id, name="Ada", is_admin=False)

    assert not found(secret).is_admin


@pytest.mark.parametrize("days", [0, -1, MOST_DAYS + 1])
def test_a_token_has_its_days_counted(days: int) -> None:
    with pytest.raises(BadInput) as refusal:
        made(person(), days=days)
    assert refusal.value.field == "days"


def test_a_token_works_for_as_many_days_as_were_asked_for() -> None:
    made(person(), days=MOST_DAYS)

    kept = row()
    off = kept.expires_at - kept.created_at - timedelta(days=MOST_DAYS)
    assert abs(off) < timedelta(minutes=1)


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\x00b", "a\u202eb"])
def test_a_name_can_be_seen_and_has_an_end(name: str) -> None:
    ada = person()
    with pytest.raises(BadInput) as refusal:
        add_api_token(actor(ada), ada.id, name, "read")
    assert refusal.value.field == "name"


def test_nobody_gathers_tokens_without_end_also_not_all_at_once(context: Flask) -> None:
    ada = person()
    for _ in range(MOST_TOKENS - 1):
        made(ada)
    who, user_id = actor(ada), ada.id

    def one_more() -> bool:
        return bool(add_api_token(who, user_id, "Backup", "read"))

    outcomes = at_once(context, *[one_more] * 4)

    assert sorted(isinstance(outcome, Conflict) for outcome in outcomes) == [False, True, True, True]
    assert count_api_tokens(user_id) == MOST_TOKENS


def test_the_log_and_the_person_hear_of_a_new_token() -> None:
    ada = person("Ada", is_admin=True)
    secret = made(ada, "publish", 30)
    revoke_api_token(actor(ada), ada.id, row().id)

    events = db.session.scalars(
        select(AuditEvent).where(AuditEvent.action.startswith("token.")).order_by(AuditEvent.id)
    )
    added, revoked = [(event.action, event.object_id, event.details) for event in events]
    told = {"hint": secret[:6], "scopes": "read publish"}
    assert added == ("token.added", ada.id, {**told, "days": 30})
    assert revoked == ("token.revoked", ada.id, told)
    mail = db.session.scalars(select(Mail).where(Mail.kind == "api_token_added")).one()
    assert (mail.user_id, mail.email) == (ada.id, ada.email)
    assert "A token named “Backup”" in str(mail.text)
    assert "read, publish" in str(mail.text)


def test_a_program_may_revoke_the_token_it_comes_with() -> None:
    ada = person(is_admin=True)
    row, secret = add_api_token(None, ada.id, "Backup", "admin")
    who = require_bearer(secret, NETWORK)
    revoke_api_token(who, ada.id, row.id)
    with pytest.raises(BearerRefused):
        require_bearer(secret, NETWORK)
