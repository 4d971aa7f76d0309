"""Tokens of programs over HTTP: only in their header, within their scope, and never more than the person may do."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from portal import accounts
from portal.extensions import close_connections, db, transaction
from portal.models import PUBLISH, ApiToken, AuditEvent, Download, Session, User
from portal.settings import Settings
from tests import makers
from tests.databases import watched
from tests.views.desk import TOKEN, Desk, said, sentence

SECRET = re.compile(r'<div class="sheet once"><code>([A-Za-z0-9_-]{43})</code>')


@dataclass
class World:
    """Ada, an administrator, and Bo, who may publish in ``reports``; a document in there."""

    app: Flask
    ada: int
    bo: int
    document: int
    tokens: dict[str, str]

    def ask(self, token: str, path: str, method: str = "GET", **more: object) -> TestResponse:
        """What a program gets with this token, by the name of its scope or whole."""
        headers = {"Authorization": f"Bearer {self.tokens.get(token, token)}", **more.pop("headers", {})}  # type: ignore[dict-item]
        return self.app.test_client().open(path, method=method, headers=headers, **more)  # type: ignore[arg-type]

    def desk(self, user_id: int) -> Desk:
        with self.app.app_context():
            return Desk(self.app, accounts.get_user(user_id))

    def browser(self, user_id: int) -> FlaskClient:
        with self.app.app_context():
            return makers.signed_in(self.app, accounts.get_user(user_id))


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    with makers.running(settings) as app:
        with app.app_context():
            ada, bo = makers.person("Ada", is_admin=True), makers.person("Bo", password=makers.PASSWORD)
            makers.person("Root", is_admin=True, password=makers.PASSWORD)
            shelf = makers.category("reports")
            makers.grant(shelf, user=bo, permission=PUBLISH)
            document = makers.document(shelf, "annual.pdf", b"%PDF-1.7 annual")
            tokens = {
                "read": accounts.add_api_token(None, bo.id, "Read", "read")[1],
                "publish": accounts.add_api_token(None, bo.id, "Publish", "publish")[1],
                "admin": accounts.add_api_token(None, ada.id, "Admin", "admin")[1],
            }
            made = World(app, ada.id, bo.id, document.id, tokens)
        yield made


def test_a_program_downloads_in_the_name_of_its_person(world: World) -> None:
    answer = world.ask("read", f"/documents/{world.document}/download")

    assert (answer.status_code, answer.data) == (200, b"%PDF-1.7 annual")
    with world.app.app_context():
        row = db.session.scalars(select(Download)).one()
        assert (row.actor_key, row.user_id, row.state) == (f"u:{world.bo}", world.bo, "completed")


@pytest.mark.parametrize(
    "path", ["/", "/documents", "/search?q=annual", "/categories/reports", "/categories/reports/download"]
)
def test_a_program_reads_lists_and_bytes_without_any_cookie(world: World, path: str) -> None:
    answer = world.ask("read", path)

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert set(answer.headers["Vary"].split(", ")) == {"Cookie", "Authorization"}


def test_a_download_by_token_costs_the_three_statements_it_costs_in_a_session(world: World) -> None:
    """Token, document and ledger."""
    world.ask("read", "/documents")  # when the token was used is written down now
    close_connections(world.app)  # those kept ready were given out before anybody watched
    with world.app.app_context(), watched(db.engine) as seen:
        assert world.ask("read", f"/documents/{world.document}/download").status_code == 200

    assert [statement.split()[0] for statement in seen] == ["SELECT", "SELECT", "INSERT"]
    assert "api_tokens" in seen[0]


def test_a_token_decides_and_the_cookie_beside_it_is_ignored(world: World) -> None:
    ada = world.browser(world.ada)
    bearer = {"Authorization": f"Bearer {world.tokens['read']}"}

    assert ada.get("/admin/people").status_code == 200
    assert ada.get("/admin/people", headers=bearer).status_code == 403
    assert ada.get("/documents", headers={"Authorization": "Bearer no token"}).status_code == 401


def test_another_kind_of_header_is_no_token(world: World) -> None:
    ada = world.browser(world.ada)

    assert ada.get("/documents", headers={"Authorization": "Basic YTpi"}).status_code == 200
    assert world.app.test_client().get("/documents", headers={"Authorization": "Basic YTpi"}).status_code == 302


@pytest.mark.parametrize("word", ["Bearer", "bearer", "BEARER"])
def test_the_word_before_the_token_may_be_written_in_any_case(world: World, word: str) -> None:
    headers = {"Authorization": f"{word} {world.tokens['read']}"}

    assert world.app.test_client().get("/documents", headers=headers).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 8000, "ä" * 43])
def test_an_unknown_token_is_told_so_and_never_led_to_the_sign_in(world: World, token: str) -> None:
    header = f"Bearer {token}".encode().decode("latin-1")
    answer = world.app.test_client().get("/documents", headers={"Authorization": header})

    assert (answer.status_code, answer.mimetype) == (401, "text/plain")
    assert answer.text == "This token is unknown, has expired or was revoked.\n"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("column", ["revoked_at", "expires_at"])
def test_a_token_that_is_over_opens_nothing(world: World, column: str) -> None:
    with world.app.app_context(), transaction() as session:
        session.execute(update(ApiToken).values({column: makers.now()}))

    assert world.ask("read", "/documents").status_code == 401


def test_the_tokens_of_a_disabled_person_are_dead_on_the_next_request(world: World) -> None:
    assert world.ask("read", "/documents").status_code == 200
    with world.app.app_context():
        accounts.disable_user(None, world.bo)

    assert world.ask("read", "/documents").status_code == 401


@pytest.mark.parametrize("where", ["query", "cookie", "form"])
def test_a_token_is_only_taken_from_its_header(world: World, where: str) -> None:
    client, token = world.app.test_client(), world.tokens["read"]
    if where == "query":
        answer = client.get(f"/documents?access_token={token}&token={token}")
    elif where == "cookie":
        client.set_cookie("portal", token)
        answer = client.get("/documents")
    else:
        answer = client.post("/documents/download", data={"access_token": token, "token": token})

    assert answer.status_code in (302, 400)


def test_a_scope_that_is_missing_is_named(world: World) -> None:
    answer = world.ask("read", "/admin/upload")

    assert (answer.status_code, answer.mimetype) == (403, "text/plain")
    assert answer.text == "This token may not do this: it needs the scope publish.\n"
    assert 'scope="publish"' in answer.headers["WWW-Authenticate"]
    assert "scope admin" in world.ask("publish", "/admin/people").text


def test_a_scope_opens_nothing_that_the_person_may_not(world: World) -> None:
    """What is forbidden to the person is the same 404 as for everybody else."""
    with world.app.app_context():
        accounts.change_user(None, world.ada, name="Ada", is_admin=False)

    answer = world.ask("admin", "/admin/people")

    assert answer.status_code == 404
    assert answer.data == world.app.test_client().get("/nowhere").data
    assert world.ask("admin", f"/documents/{world.document}").status_code == 404


def test_a_program_uploads_without_a_form_of_ours(world: World) -> None:
    fields = {"category": "reports", "files": (io.BytesIO(b"%PDF-1.7 new"), "new.pdf")}
    answer = world.ask("publish", "/admin/upload", "POST", data=fields)

    assert answer.status_code == 200
    with world.app.app_context():
        event = db.session.scalars(select(AuditEvent).where(AuditEvent.object_label == "new")).one()
        assert event.action == "document.added"


def test_a_reading_token_changes_nothing(world: World) -> None:
    answer = world.ask("read", "/documents/download", "POST", data={"document": str(world.document)})

    assert answer.status_code == 403
    assert answer.text == "No token opens this page: it is for people, who sign in with a browser.\n"


def test_a_cookie_still_needs_the_form_of_ours_also_beside_other_headers(world: World) -> None:
    ada = world.browser(world.ada)

    for headers in ({}, {"Authorization": "Basic YTpi"}, {"X-Authorization": f"Bearer {world.tokens['admin']}"}):
        assert ada.post("/admin/groups", data={"name": "X"}, headers=headers).status_code == 400


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("token", ["read", "publish", "admin"])
def test_no_token_opens_a_page_of_an_account(world: World, token: str, method: str) -> None:
    own = [
        rule for rule in world.app.url_map.iter_rules()
        if (rule.rule.startswith("/account") or rule.rule == "/logout") and method in (rule.methods or ())
    ]  # fmt: skip
    assert own
    for rule in own:
        answer = world.ask(token, re.sub(r"<[^>]+>", "1", rule.rule), method)
        assert answer.status_code == 403, rule.rule
    with world.app.app_context():
        assert len(db.session.scalars(select(ApiToken).where(ApiToken.revoked_at.is_(None))).all()) == 3


def test_a_token_is_no_sign_in(world: World) -> None:
    """The page to sign in stays what it is, and gives no session to a program."""
    answer = world.ask("admin", "/login")

    assert answer.status_code == 200
    with world.app.app_context():
        assert db.session.scalars(select(Session)).all() == []


def test_a_program_is_no_visit(world: World) -> None:
    with world.app.app_context():
        before = accounts.get_user(world.bo).seen_at
    world.ask("read", "/")
    with world.app.app_context():
        user: User = accounts.get_user(world.bo)
        assert (user.seen_at, user.visited_at) == (before, None)


def test_a_token_is_made_on_its_page_and_shown_once(world: World) -> None:
    bo = world.desk(world.bo)

    answer = bo.send("/account/tokens/new", name="Backup <b>", scope="publish", days="30")

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "private, no-store"
    found = SECRET.search(answer.text)
    assert found is not None
    assert f'curl -H "Authorization: Bearer {found[1]}" http://localhost/documents' in answer.text
    assert world.ask(found[1], "/admin/upload").status_code == 200
    listed = bo.client.get("/account/tokens").text
    assert found[1] not in listed
    assert f"{found[1][:6]}…" in listed
    assert "Backup &lt;b&gt;" in listed
    assert "Three tokens let programs act in your name" in bo.read("/account")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": ""}, "A name has 1 to 100 characters that can be seen."),
        ({"days": "366"}, "A token works for 1 to 365 days."),
        ({"days": "soon"}, "This is not a whole number above zero."),
        ({"scope": "admin"}, "The scope admin is only for administrators."),
        ({"scope": ""}, "Choose what the token may do."),
    ],
)
def test_a_token_that_cannot_be_is_refused_with_the_reason(world: World, fields: dict[str, str], reason: str) -> None:
    bo = world.desk(world.bo)
    answer = bo.send("/account/tokens/new", {"name": "Backup", "scope": "read", "days": "90"} | fields)

    assert (answer.status_code, sentence(answer)) == (422, reason)


def test_ninety_days_are_offered_and_meant_without_another_number(world: World) -> None:
    bo = world.desk(world.bo)
    assert 'name="days" type="number" value="90"' in bo.client.get("/account/tokens/new").text

    bo.send("/account/tokens/new", name="Backup", scope="read", days="")

    with world.app.app_context():
        token = db.session.scalars(select(ApiToken).where(ApiToken.name == "Backup")).one()
        assert round((token.expires_at - token.created_at).total_seconds() / 86400) == 90


def test_a_reader_is_offered_no_scope_but_to_read(world: World) -> None:
    with world.app.app_context():
        desk = Desk(world.app, makers.person("Reader"))
    page = desk.read("/account/tokens/new")

    assert "<select" not in page
    assert '<input type="hidden" name="scope" value="read">' in page


def test_making_a_token_asks_for_the_password_when_the_sign_in_is_old(world: World) -> None:
    bo = world.desk(world.bo)
    token = bo.token()
    with world.app.app_context(), transaction() as session:
        session.execute(update(Session).values(fresh_at=makers.now(minutes=-11)))

    answer = bo.client.post("/account/tokens/new", data={"name": "X", "scope": "read", "csrf_token": token})

    assert (answer.status_code, answer.location) == (303, "/account/confirm?next=/account/tokens/new%3Fdone%3Dproved")


def test_a_token_is_revoked_on_the_page(world: World) -> None:
    bo = world.desk(world.bo)
    with world.app.app_context():
        token = next(one for one in accounts.list_api_tokens(world.bo) if one.name == "Read")

    assert said(bo, bo.send(f"/account/tokens/{token.id}/revoke")) == "The token is revoked. It opens nothing any more."

    assert world.ask("read", "/documents").status_code == 401
    assert world.ask("publish", "/documents").status_code == 200
    assert bo.send(f"/account/tokens/{token.id}/revoke").status_code == 404


def test_nobody_revokes_what_is_somebody_elses(world: World) -> None:
    with world.app.app_context():
        token = accounts.list_api_tokens(world.ada)[0]

    assert world.desk(world.bo).send(f"/account/tokens/{token.id}/revoke").status_code == 404
    assert world.ask("admin", "/documents").status_code == 200


def test_an_administrator_sees_and_revokes_the_tokens_of_a_person(world: World) -> None:
    ada, path = world.desk(world.ada), f"/admin/people/{world.bo}"
    with world.app.app_context():
        token = next(one for one in accounts.list_api_tokens(world.bo) if one.name == "Read")
    assert "read, publish" in ada.read(path)

    assert said(ada, ada.send(f"{path}/tokens/{token.id}/revoke")) == "The token is revoked. It opens nothing any more."
    assert world.ask("read", "/documents").status_code == 401

    assert said(ada, ada.send(f"{path}/tokens/revoke")) == "All tokens of this person are revoked."
    assert world.ask("publish", "/documents").status_code == 401
    log = re.sub(r"<[^>]+>", "", ada.read("/admin/log"))
    assert "Ada revoked a token for programs of Bo: read, publish" in log
    assert "Bo made a token for programs" not in log
    assert "The operator made a token for programs of Bo: read, 90 days" in log


def test_the_token_of_one_person_is_not_revoked_on_the_page_of_another(world: World) -> None:
    ada = world.desk(world.ada)
    with world.app.app_context():
        token = accounts.list_api_tokens(world.bo)[0]

    assert ada.send(f"/admin/people/{world.ada}/tokens/{token.id}/revoke").status_code == 404
    assert world.ask("publish", "/documents").status_code == 200


def test_a_page_for_a_program_holds_forms_that_are_worth_nothing_in_a_browser(world: World) -> None:
    found = TOKEN.search(world.ask("admin", "/documents").text)
    assert found is not None

    answer = world.browser(world.ada).post("/logout", data={"csrf_token": found[1]})

    assert answer.status_code == 400
