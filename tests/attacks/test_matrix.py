"""Who gets which answer where: every route of the portal × every kind of visitor.

The table is written by hand and read by people; a route that is missing in it fails. Each cell is the status of a bare
request: for forms that is one without any field, so 422 or 400 means "you may, but say what".
"""

import hashlib
import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from portal import accounts, shares, uploads
from portal.catalog import add_field, saved, trash_category, trash_document
from portal.downloads import Claim
from portal.downloads.ledger import begin
from portal.extensions import transaction
from portal.models import MANAGE, PUBLISH, READ, Blob, BulkEdit, BulkItem, Category, Distribution, Session, Upload
from portal.openid import Proof
from portal.settings import Settings
from portal.shares import Terms
from portal.uploads import requesting
from tests import makers
from tests.attacks.matrix import EXPECTED, FRESH, ROLES
from tests.attacks.narrowed import CLOSED, NARROWED, OTHER_WAYS
from tests.databases import SqliteTemplate, sqlite_url

ISSUER = "http://127.0.0.1:9"
"""A provider, so that its routes are there; nobody listens at its address."""


@dataclass
class World:
    """One thing of every kind for each role, so that what one of them removes is still there for the next."""

    clients: dict[str, str]
    things: dict[str, dict[str, object]]


def build(app: Flask) -> World:
    """A category tree with people of every kind, and a document, link, group and person for each of them to meet."""
    shelves = [makers.category(path) for path in ("shelf", "images", "reports")]
    holders = {"disabled": MANAGE, "reader": READ, "publisher": PUBLISH, "manager": MANAGE}
    tokens: dict[str, str] = {}
    passkeys: dict[str, int] = {}
    users: dict[str, int] = {}
    own: dict[str, int] = {}
    for role in ROLES:
        if role in ("anonymous", "link holder"):
            tokens[role] = ""
            continue
        user = makers.person(role.title(), is_admin=role == "administrator")
        tokens[role] = accounts.sessions.start_session(user.id, network=makers.NETWORK, agent="tests")
        users[role] = user.id
        passkeys[role] = makers.passkey(user).id
        for shelf in shelves if role in holders else []:
            makers.grant(shelf, user=user, permission=holders[role])
        if role == "disabled":
            makers.change(user, disabled_at=makers.now())
        proof = Proof(ISSUER, f"own {role}")
        own[role] = accounts.link_identity(makers.actor(user), user.id, proof).id if role != "disabled" else 999_999
    tokens |= _other_ways()
    programmer = accounts.find_user("programmer@example.org")
    assert programmer is not None
    users |= dict.fromkeys(OTHER_WAYS, programmer.id)
    everybody = (*ROLES, *OTHER_WAYS)
    things = {role: _things(role) | {"passkey_id": passkeys.get(role, 999_999)} for role in everybody}
    for role in everybody:
        things[role]["own_identity_id"] = own.get(role, 999_999)
        things[role]["edit_id"] = _plan(users.get(role), things[role]["document_id"])
        things[role]["distribution"], things[role]["file_id"] = _distribute(users.get(role), shelves[0].id)
    return World(tokens, things)


def _quarantined(name: str) -> int:
    """Bytes that no document has, in which a virus was found."""
    facts = {"sha256": hashlib.sha256(f"quarantined {name}".encode()).hexdigest(), "size": 1, "crc32": 0}
    with transaction() as session:
        blob = Blob(**facts, scan_state="infected", finding="Eicar.Test")
        session.add(blob)
        session.flush()
    return blob.id


def _plan(user_id: int | None, document_id: object) -> int:
    """A change of many documents that this person has planned."""
    if user_id is None:
        return 999_999
    with transaction() as session:
        edit = BulkEdit(created_by_id=user_id, changes={"add_tags": ["x"]})
        session.add(edit)
        session.flush()
        session.add(BulkItem(bulk_edit_id=edit.id, document_id=document_id))
    return edit.id


def _distribute(user_id: int | None, category_id: int) -> tuple[UUID, int]:
    """A distribution this person has begun, and a file somebody dropped for it that is not taken."""
    if user_id is None:
        return uuid4(), 999_999
    with transaction() as session:
        made = Distribution(title="Payslips", category_id=category_id, created_by_id=user_id)
        session.add(made)
        session.flush()
        kept = {"state": "refused", "temp": "", "size": 0, "expires_at": makers.now(), "filename": "a.pdf"}
        session.add(Upload(user_id=user_id, distribution_id=made.id, **kept))
    return made.uuid, 1


def _other_ways() -> dict[str, str]:
    """Tokens of an administrator, so that nothing but their scope narrows them; and one who sees what a reader does."""
    admin, seen = makers.person("Programmer", is_admin=True), makers.person("Seen")
    for path in ("shelf", "images", "reports"):
        makers.grant(makers.category(path), user=seen, permission=READ)
    found = {f"token {scope}": accounts.add_api_token(None, admin.id, scope, scope)[1] for scope in accounts.SCOPES}
    found["viewing"] = accounts.sessions.start_session(admin.id, network=makers.NETWORK, agent="tests")
    viewer = accounts.find_session(found["viewing"])
    assert viewer is not None
    accounts.start_viewing(viewer, seen.id)
    return found


def _things(role: str) -> dict[str, object]:
    shelf, name = makers.category("shelf"), role.replace(" ", "-")
    below = makers.category(f"shelf/{name}")
    document = makers.document(shelf, f"{name}.pdf", f"%PDF-1.7 {role}".encode())
    makers.preview(document)
    for path in ("images", "reports"):
        makers.document(makers.category(path), f"{name}.bin", role.encode(), "application/octet-stream")
    trashed = makers.document(shelf, f"{name}-old.pdf", f"%PDF-1.7 old {role}".encode())
    trash_document(None, trashed.id)
    link, token = shares.add_link(None, document.id, Terms())
    target = makers.person(f"Target {role}")
    group = makers.group(f"Group {role}", target)
    claim = Claim(key=f"u:{target.id}", user_id=target.id, network=makers.NETWORK)
    row = begin(claim, makers.edition(document), [(0, 1)], [(0, 1)])
    identity = accounts.link_identity(makers.actor(target), target.id, Proof(ISSUER, name))
    ticket = shares.reserve(token, None, network=makers.NETWORK, agent="tests")
    return {
        "ref": document.uuid,
        "document_id": trashed.id,
        "download_id": row.id,
        "number": 1,
        "category_id": below.id,
        "field_id": add_field(None, below.id, "Number", "number").id,
        "gone_id": trash_category(None, makers.category(f"shelf/{name}-gone").id).id,
        "grant_id": makers.grant(below, user=target).id,
        "link_id": link.id,
        "token": token,
        "ticket": ticket,
        **_asked(shelf, role),
        "group_id": group.id,
        "user_id": target.id,
        "token_id": accounts.add_api_token(None, target.id, "Backup", "read")[0].id,
        "session_id": 999_999,
        "search_id": saved.add_search(makers.actor(target), "Mine", role).id,
        "identity_id": identity.id,
        "blob_id": _quarantined(name),
        "mail_id": makers.mail(target, state="parked").id,
        "name": f"{name}.bin",
        "door": "image",
        "path": "shelf",
        "filename": "portal.css",
        "upload": document.uuid,
        "image": "thumb",
    }


def _asked(shelf: Category, role: str) -> dict[str, object]:
    """A file request by which something came, with the token of its page and that of the receipt."""
    made, token = requesting.add_request(None, shelf.id, requesting.Terms(f"Proofs {role}"))
    incoming = uploads.receive()
    incoming.write(b"%PDF-1.7 proof of " + role.encode())
    opened = requesting.open_request(token, makers.NETWORK)
    arrival = uploads.arrive(incoming, f"proof {role}.pdf")
    sent = requesting.submit(opened, requesting.Sender("Bea"), [arrival], makers.NETWORK)
    return {
        "request_id": made.id,
        "submission_id": sent.submission.id,
        "request_token": token,
        "receipt": sent.receipt,
    }


@pytest.fixture(scope="module")
def template(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, World]:
    directory = tmp_path_factory.mktemp("matrix")
    settings = makers.settings_for(sqlite_template.copy(directory / "portal.db"), directory)
    settings = replace(settings, oidc_issuer=ISSUER, oidc_client_id="portal")
    with makers.running(settings) as app, app.app_context():
        world = build(app)
    return settings, world


@pytest.fixture
def fresh(template: tuple[Settings, World], tmp_path: Path) -> Iterator[tuple[Flask, World]]:
    settings, world = template
    copy = tmp_path / "portal.db"
    shutil.copy(settings.data.parent / "portal.db", copy)
    with makers.running(replace(settings, database_url=sqlite_url(copy))) as app:
        app.config["WTF_CSRF_METHODS"] = []
        yield app, world


def test_every_route_is_in_the_table(fresh: tuple[Flask, World]) -> None:
    app, _ = fresh
    routes = {
        f"{method} {rule.endpoint}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes == set(EXPECTED)


@pytest.mark.parametrize("route", sorted(EXPECTED))
def test_everybody_gets_the_answer_of_the_table(fresh: tuple[Flask, World], route: str) -> None:
    app, world = fresh
    answers = {role: status_for(app, world, route, role) for role in ROLES}

    assert answers == dict(zip(ROLES, EXPECTED[route], strict=True))


@pytest.mark.parametrize("route", sorted(EXPECTED))
def test_whoever_signed_in_long_ago_proves_it_again_where_the_table_says(
    fresh: tuple[Flask, World], route: str
) -> None:
    """They come back to a page that answers, and whoever may not call the route is not even asked."""
    app, world = fresh
    with app.app_context(), transaction() as session:
        session.execute(update(Session).values(fresh_at=makers.now(minutes=-11)))
    for role, status in zip(ROLES, EXPECTED[route], strict=True):
        answer = ask(app, world, route, role)
        is_asked = answer.status_code == 303 and answer.location.startswith("/account/confirm?next=/")
        assert is_asked == (route in FRESH and status not in (302, 404)), role
        if is_asked:
            back = parse_qs(urlsplit(answer.location).query)["next"][0]
            assert app.test_client().get(back).status_code == 302, "a page for people who are signed in"


def test_whatever_moves_power_asks_for_a_fresh_sign_in() -> None:
    """Who adds people, changes their role or address, or sees an address that signs them in has just proved who they
    are: a session somebody left open does not become an account of whoever finds it.
    """
    whole = ("erasing.", "rules.", "lists.confirm", "lists.export", "identities.remove", "viewing.start")
    moving = {route for route in EXPECTED if route.startswith("POST ") and route.split()[1].startswith(whole)}
    moving |= {f"POST people.{name}" for name in ("add", "change", "enable", "issue_address")}
    moving |= {"POST tokens.add", "POST profile.change_email", "POST providers.link", "POST passkeys.add"}
    assert moving <= FRESH


@pytest.mark.parametrize("route", sorted(EXPECTED))
def test_programs_and_whoever_sees_as_others_do_get_no_more_than_the_table_says(
    fresh: tuple[Flask, World], route: str
) -> None:
    app, world = fresh
    answers = {way: status_for(app, world, route, way) for way in OTHER_WAYS}

    assert answers == dict(zip(OTHER_WAYS, NARROWED.get(route, CLOSED), strict=True))


def status_for(app: Flask, world: World, route: str, role: str) -> int:
    """The status of a bare request of this role to its own thing of the kind the route is about."""
    return ask(app, world, route, role).status_code


def ask(app: Flask, world: World, route: str, role: str) -> TestResponse:
    """The answer to it."""
    method, endpoint = route.split(" ")
    things = dict(world.things[role])
    if endpoint == "shares.ticket":
        things["token"] = things["ticket"]
    if endpoint.startswith("requesting."):
        things["token"] = things["request_token"]
    if endpoint == "identities.unlink":
        things["identity_id"] = things["own_identity_id"]
    if endpoint == "trash.restore_category":
        things["category_id"] = things["gone_id"]
    if endpoint == "download.report":
        things["path"] = things["name"]
    rules = (rule for rule in app.url_map.iter_rules() if rule.endpoint == endpoint and method in (rule.methods or ()))
    values: dict[str, Any] = {name: things[name] for name in next(rules).arguments}
    with app.test_request_context():
        path = app.url_for(endpoint, **values)
    client: FlaskClient = app.test_client()
    given, headers = world.clients[role], {}
    if role.startswith("token "):
        headers["Authorization"] = f"Bearer {given}"
    elif given:
        client.set_cookie("portal", given)
    if role == "link holder":
        client.get(f"/s/{things['token']}")
    data = {"nothing": (io.BytesIO(b""), "")} if method == "POST" and endpoint in ("upload.store",) else None
    return client.open(path, method=method, data=data, headers=headers)
