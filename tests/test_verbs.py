"""Every change of an account or a permission is in the log, in the transaction of the change: verb by verb."""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal import accounts, audit
from portal.accounts import (
    SignedIn,
    api_tokens,
    apps,
    identities,
    passkeys,
    quotas,
    recovery,
    references,
    rules,
    viewing,
)
from portal.accounts.people import add_first_user
from portal.accounts.sessions import start_session
from portal.catalog import Principal, add_grant, remove_grant
from portal.extensions import db, transaction
from portal.models import AuditEvent, Base, Category, Group, User
from portal.openid import Proof
from tests import factors, makers

PORTAL = Path(__file__).parents[1] / "portal"
PLACES = [*sorted((PORTAL / "accounts").rglob("*.py")), PORTAL / "catalog" / "grants.py"]
PROOF = Proof("https://id.example", "ada")
NEW_PASSWORD = "another four good words"

SILENT = {
    "begin_request": "nobody is anybody yet",
    "issue_challenge": "nobody is anybody yet",
    "note_device": "a cookie of somebody whose sign-in is in the log",
    "note_visit": "everybody is here all the time",
    "options_to_add": "a question, not yet an answer",
    "record_try": "a count",
    "refresh_hash": "the same password",
    "request_reset": "whoever asked is not known to be anybody; the address that is made for it is in the log",
    "spend_challenge": "part of what it proves",
    "spend_request": "part of what comes back",
}
"""Verbs that write and tell the log nothing, with the reason."""
BESIDE = {
    "admit",
    "confirm_by_code",
    "confirm_email",
    "enter",
    "enter_proven",
    "enter_set_up",
    "remove_own_app",
    "request_email_change",
    "set_up_app",
    "spend_setup_token",
}
"""Verbs whose tests beside them look at the log: they need a way that is half gone, a mail server, or nobody yet."""


Act = Callable[[], object]


@dataclass
class World:
    """An administrator and Ada, both signed in; a group, a category and a permission of hers on it."""

    root_token: str
    root: SignedIn
    me: SignedIn
    ada: User
    group: Group
    category: Category
    grant_id: int


def _after(before: Act, act: Act) -> Act:
    before()
    return act


def _add_app(at: World) -> Act:
    secret = apps.make_secret()
    return lambda: apps.add_app(at.me, at.ada.id, secret, factors.code_of(secret))


def _set_up_app(at: World) -> Act:
    secret = apps.make_secret()
    return lambda: accounts.own_factors.set_up_own_app(at.me, secret, factors.code_of(secret))


def _with_identity(at: World, act: Callable[[int], object]) -> Act:
    found = identities.link_identity(at.me, at.ada.id, PROOF).id
    return lambda: act(found)


def _with_passkey(at: World, act: Callable[[int], object]) -> Act:
    found = makers.passkey(at.ada).id
    return lambda: act(found)


def _with_token(at: World, act: Callable[[int], object]) -> Act:
    row, _ = api_tokens.add_api_token(at.me, at.ada.id, "Script", "read")
    return lambda: act(row.id)


def _spend(token: str) -> Act:
    return lambda: accounts.spend_token(token, NEW_PASSWORD)


def _viewing(at: World) -> Act:
    viewing.start_viewing(at.root, at.ada.id)
    seen = _of(at.root_token)
    return lambda: viewing.stop_viewing(seen)


VERBS: dict[str, Callable[[World], Act]] = {
    "add_api_token": lambda at: lambda: api_tokens.add_api_token(at.me, at.ada.id, "Script", "read"),
    "add_app": _add_app,
    "add_grant": lambda at: lambda: add_grant(at.root, at.category.id, Principal(group_id=at.group.id), "read"),
    "add_group": lambda at: lambda: accounts.add_group(at.root, "Board"),
    "add_members": lambda at: lambda: accounts.add_members(at.root, at.group.id, [at.ada.email]),
    "add_passkey": lambda at: lambda: makers.passkey(at.ada),
    "add_first_user": lambda at: lambda: add_first_user("bob@example.org", "Bob", "no hash"),
    "add_user": lambda at: lambda: accounts.add_user(at.root, "bob@example.org", "Bob"),
    "ask_group": lambda at: lambda: rules.ask_group(at.root, at.group.id, asks=True),
    "change_group": lambda at: lambda: accounts.change_group(at.root, at.group.id, "Board"),
    "change_profile": lambda at: lambda: accounts.change_profile(at.me, name="Ada King", timezone=""),
    "change_quota_of_group": lambda at: lambda: quotas.change_quota_of_group(at.root, at.group.id, 5),
    "change_quota_of_person": lambda at: lambda: quotas.change_quota_of_person(at.root, at.ada.id, 5),
    "change_reference": lambda at: lambda: references.change_reference(at.root, at.ada.id, "S-1"),
    "change_second_factor_rule": lambda at: lambda: rules.change_second_factor_rule(at.root, "administrators"),
    "change_user": lambda at: lambda: accounts.change_user(at.root, at.ada.id, name="Ada", is_admin=True),
    "correct_user": lambda at: (
        lambda: accounts.correct_user(at.root, at.ada.id, name="Ada", is_admin=False, email="new@example.org")
    ),
    "disable_user": lambda at: lambda: accounts.disable_user(at.root, at.ada.id),
    "enable_user": lambda at: _after(
        lambda: accounts.disable_user(None, at.ada.id), lambda: accounts.enable_user(at.root, at.ada.id)
    ),
    "end_all_sessions": lambda at: lambda: accounts.end_all_sessions(at.root, at.ada.id),
    "end_other_sessions": lambda at: lambda: accounts.end_other_sessions(at.me),
    "end_session": lambda at: lambda: accounts.end_session(at.me, at.me.session_id),
    "erase_user": lambda at: lambda: accounts.erase_user(at.root, at.ada.id),
    "export_people": lambda at: lambda: accounts.export_people(at.root),
    "invite_all": lambda at: lambda: accounts.invite_all(at.root, "bob@example.org"),
    "invite_user": lambda at: lambda: accounts.invite_user(at.root, "bob@example.org", "Bob"),
    "issue_address": lambda at: lambda: accounts.issue_address(at.root, at.ada.id),
    "issue_own_recovery_codes": lambda at: _after(
        lambda: factors.with_app(at.ada), lambda: accounts.own_factors.issue_own_recovery_codes(at.me)
    ),
    "issue_recovery_codes": lambda at: lambda: recovery.issue_recovery_codes(at.me, at.ada.id),
    "issue_token": lambda at: lambda: accounts.issue_token(at.root, "reset", at.ada.id),
    "join_group": lambda at: lambda: accounts.join_group(at.root, at.group.id, at.ada.id),
    "leave_group": lambda at: _after(
        lambda: accounts.join_group(None, at.group.id, at.ada.id),
        lambda: accounts.leave_group(at.root, at.group.id, at.ada.id),
    ),
    "link_identity": lambda at: lambda: identities.link_identity(at.me, at.ada.id, PROOF),
    "make_fresh": lambda at: lambda: accounts.make_fresh(at.me),
    "record_refusal": lambda at: lambda: accounts.record_refusal(at.ada.id, "password", network="", agent=""),
    "remove_app": lambda at: _after(lambda: factors.with_app(at.ada), lambda: apps.remove_app(at.me, at.ada.id)),
    "remove_grant": lambda at: lambda: remove_grant(at.root, at.grant_id),
    "remove_group": lambda at: lambda: accounts.remove_group(at.root, at.group.id),
    "remove_identity": lambda at: _with_identity(
        at, lambda found: identities.remove_identity(at.root, at.ada.id, found)
    ),
    "remove_passkey": lambda at: _with_passkey(at, lambda found: passkeys.remove_passkey(at.me, found)),
    "rename_passkey": lambda at: _with_passkey(at, lambda found: passkeys.rename_passkey(at.me, found, "Phone")),
    "reset_factors": lambda at: _after(
        lambda: factors.with_app(at.ada), lambda: rules.reset_factors(at.root, at.ada.id)
    ),
    "revoke_api_token": lambda at: _with_token(at, lambda found: api_tokens.revoke_api_token(at.me, at.ada.id, found)),
    "revoke_api_tokens": lambda at: _with_token(at, lambda _: api_tokens.revoke_api_tokens(at.root, at.ada.id)),
    "set_up_own_app": _set_up_app,
    "sign_out": lambda at: lambda: accounts.sign_out(at.me),
    "spend_token": lambda at: _spend(accounts.issue_token(None, "reset", at.ada.id)),
    "start_session": lambda at: lambda: start_session(at.ada.id, network="", agent=""),
    "start_viewing": lambda at: lambda: viewing.start_viewing(at.root, at.ada.id),
    "stop_viewing": _viewing,
    "store_password": lambda at: lambda: accounts.set_password(at.me, at.ada.id, NEW_PASSWORD),
    "unlink_identity": lambda at: _with_identity(at, lambda found: identities.unlink_identity(at.me, found)),
}
"""Each verb: what has to be there before, and then the act itself."""


@pytest.fixture
def world(context: Flask) -> World:
    root = makers.person("Root", is_admin=True, password=makers.PASSWORD)
    ada = makers.person("Ada", password=makers.PASSWORD)
    group, category = makers.group("Clients"), makers.category("reports")
    given = makers.grant(category, user=ada)
    token = start_session(root.id, network=makers.NETWORK, agent="tests", is_two_factor=True)
    mine = start_session(ada.id, network=makers.NETWORK, agent="tests")
    return World(token, _of(token), _of(mine), ada, group, category, given.id)


def _of(token: str) -> SignedIn:
    found = accounts.find_session(token)
    assert found is not None
    return found


class Undone(Exception):
    """Something went wrong after the change, in the same transaction."""


def everything() -> dict[str, list[str]]:
    """Every row of every table."""
    makers.release()
    return {
        table.name: sorted(map(repr, db.session.execute(select(table)).all())) for table in Base.metadata.sorted_tables
    }


def verbs_in(path: Path) -> set[str]:
    """Public functions that open a transaction themselves."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            calls = {inner.func.id for inner in ast.walk(node) if _is_call(inner)}  # type: ignore[attr-defined]
            found |= {node.name} if "transaction" in calls else set()
    return found


def _is_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def test_every_verb_that_writes_is_tried_here_or_says_why_not() -> None:
    written = set().union(*map(verbs_in, PLACES))
    assert written == set(VERBS) | set(SILENT) | BESIDE


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_change_and_its_line_in_the_log_come_and_go_together(world: World, verb: str) -> None:
    act = VERBS[verb](world)
    before = everything()

    def fail() -> None:
        with transaction():
            act()
            raise Undone

    with pytest.raises(Undone):
        fail()
    assert everything() == before
    last = db.session.scalars(select(func.max(AuditEvent.id))).one()
    act()
    makers.release()
    events = list(db.session.scalars(select(AuditEvent).where(AuditEvent.id > last)))
    assert events
    assert all(event.action in audit.NAMING for event in events if event.details.get("person"))
