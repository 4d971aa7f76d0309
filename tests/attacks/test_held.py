"""Requests whose head comes at once and whose body is held back, until who sent it may not do it any more."""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPResponse
from urllib.parse import urlencode

import pytest
from sqlalchemy import func, select, update

from portal.accounts import add_api_token, revoke_api_tokens, set_password
from portal.extensions import db, transaction
from portal.models import ApiToken, Session, User
from tests import makers
from tests.attacks.oracle import ON_BOTH, Target
from tests.attacks.racing import asked
from tests.servers import FORM

pytestmark = pytest.mark.xdist_group("attacks-held")

NEW = "another four good words"
PATIENCE = 30
AT_ONCE = 5
"""How many bytes of the body come with the head."""
FORMS: list[tuple[str, dict[str, str], int]] = [
    ("/account/tokens/new", {"name": "Kept", "scope": "read", "days": "90"}, 302),
    ("/account/email", {"email": "eve@example.net"}, 302),
    ("/account/security/app", {"secret": "JBSWY3DPEHPK3PXP", "code": "123456"}, 302),
    ("/account/profile", {"name": "Eve", "timezone": ""}, 403),
    ("/account/sessions/end-others", {}, 403),
    ("/admin/groups", {"name": "Held"}, 403),
    ("/admin/people/new", {"name": "Eve", "email": "eve@example.net", "is_admin": "1"}, 302),
]
"""Form, its fields, and what is answered: who has to be fresh is looked up again, of others the log takes nothing."""


@dataclass
class Victim:
    """An administrator of this test alone."""

    id: int
    who: str


@pytest.fixture
def victim(target: Target) -> Victim:
    """Signed in by somebody who found their session."""
    with target.app.app_context():
        name = f"Held {db.session.scalars(select(func.count()).select_from(User)).one()}"
        user = makers.person(name, is_admin=True, password=makers.PASSWORD)
        target.admit("victim", user.id)
        return Victim(user.id, "victim")


@contextmanager
def held(
    target: Target, victim: Victim, path: str, headers: Mapping[str, str], fields: Mapping[str, str]
) -> Iterator[Callable[[], HTTPResponse]]:
    """A form whose head the guard has read, and a way to send the rest of it."""
    body = urlencode({**fields, "more": "x" * 9}).encode()
    request = asked(target, "POST", path, {"Content-Type": FORM, **headers}, body)
    now, rest = len(request) - len(body) + AT_ONCE, len(body) - AT_ONCE
    with target.app.app_context():
        ago = makers.now(minutes=-30)
        with transaction() as session:
            session.execute(update(Session).where(Session.user_id == victim.id).values(seen_at=ago))
            session.execute(update(ApiToken).where(ApiToken.user_id == victim.id).values(used_at=ago))
    with socket.create_connection(("127.0.0.1", target.server.port), timeout=PATIENCE) as line:
        line.sendall(request[:now])
        await_look(target, victim, ago)

        def go_on() -> HTTPResponse:
            line.sendall(request[-rest:])
            response = HTTPResponse(line, method="POST")
            response.begin()
            response.read()
            return response

        yield go_on


def await_look(target: Target, victim: Victim, ago: datetime) -> None:
    """Wait until the guard has looked, which it writes down of whoever was last here long ago."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with target.app.app_context():
            seen = db.session.scalars(select(Session.seen_at).where(Session.user_id == victim.id)).all()
            used = db.session.scalars(select(ApiToken.used_at).where(ApiToken.user_id == victim.id)).all()
        if any(moment != ago for moment in (*seen, *used)):
            return
        time.sleep(0.02)
    raise AssertionError("the guard never looked")


def browser(target: Target, victim: Victim) -> dict[str, str]:
    return {"Cookie": f"portal={target.tokens[victim.who]}", "X-CSRFToken": target.form(victim.who)}


@ON_BOTH
@pytest.mark.parametrize(("path", "fields", "status"), FORMS)
def test_a_body_that_comes_after_the_session_has_ended_changes_nothing(
    target: Target, victim: Victim, path: str, fields: dict[str, str], status: int
) -> None:
    headers = browser(target, victim)
    with held(target, victim, path, headers, fields) as go_on:
        with target.app.app_context():
            set_password(None, victim.id, NEW)
        with target.untouched():
            assert go_on().status == status


@ON_BOTH
def test_a_body_that_comes_when_the_sign_in_is_not_fresh_any_more_changes_nothing(
    target: Target, victim: Victim
) -> None:
    headers = browser(target, victim)
    path, fields, _ = FORMS[0]
    with held(target, victim, path, headers, fields) as go_on:
        with target.app.app_context(), transaction() as session:
            session.execute(
                update(Session).where(Session.user_id == victim.id).values(fresh_at=makers.now(minutes=-11))
            )
        with target.untouched():
            answer = go_on()
    assert answer.status == 303
    assert str(answer.getheader("Location")).startswith("/account/confirm?next=")


@ON_BOTH
def test_a_body_that_comes_after_the_token_was_revoked_changes_nothing(target: Target, victim: Victim) -> None:
    with target.app.app_context():
        token = add_api_token(None, victim.id, "Held", "admin")[1]
    headers = {"Authorization": f"Bearer {token}"}
    with held(target, victim, "/admin/groups", headers, {"name": "Held"}) as go_on:
        with target.app.app_context():
            revoke_api_tokens(None, victim.id)
        with target.untouched():
            assert go_on().status == 403


@ON_BOTH
def test_a_body_that_is_only_slow_is_taken(target: Target, victim: Victim) -> None:
    headers = browser(target, victim)
    path, fields, _ = FORMS[0]
    with held(target, victim, path, headers, fields) as go_on:
        assert go_on().status == 200
