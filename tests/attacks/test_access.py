"""Group A.2 of the attack table: what is not theirs is not there, by whatever name they ask for it.

Every row of the group is the first word of a test here, but those that nothing is there for yet, and one:

A030: every route for every kind of visitor is the table of ``tests/attacks/test_matrix.py``.
A042: a token that may only read; there are no API tokens.
A046: what a virus scanner has put aside; there is no scanner.

The reference has no rows A028, A032, A036, A040, A044 and A048. A049 is as DESIGN §5 says: only failures are throttled,
and a walk over ids gets nothing but the way to the sign-in page.
"""

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select

from portal.accounts import change_user, issue_token
from portal.catalog import move_document, remove_grant, trash_category, trash_document
from portal.extensions import close_connections, db, transaction
from portal.models import AuditEvent, Category, Document, Grant, ShareLink, SignInAttempt, User
from tests import makers
from tests.attacks.conftest import NEW, OLD
from tests.attacks.oracle import ON_BOTH, Answer, Target
from tests.databases import watched

pytestmark = pytest.mark.xdist_group("attacks")

REFUSED = {"audit_events", "sign_in_attempts"}
"""Where it is written down that somebody asked for a page that is not theirs, and counted."""
VALUE = re.compile(r"[xX]?'(?:[^']|'')*'|\b[0-9]+\b")
CHANGING = re.compile(r'name="csrf_token" value="[^"]+"')
RANDOM = re.compile(r'name="csrf_token" value="[^"]+"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')
"""Where any short word may stand by chance."""
ANSWERS = (200, 302, 303, 404, 422)
"""Of a page that is asked for alone: some lead on at once, such as the one that asks people who they are, once told."""
NEW_PASSWORD = "other words without any meaning"


@ON_BOTH
def test_unknown_and_forbidden_are_the_same_bytes(target: Target) -> None:
    """A029"""
    form = {"X-CSRFToken": target.form("elsewhere")}
    with target.untouched(REFUSED):
        for method, foreign, unknown in pairs(target):
            asked: Any = {"who": "elsewhere", "method": method, "headers": form if method == "POST" else {}}
            one, other = target.ask(foreign, 404, **asked), target.ask(unknown, 404, **asked)
            assert (undated(one), one.body) == (undated(other), other.body), foreign


@ON_BOTH
def test_unknown_and_forbidden_ask_the_database_the_same(target: Target) -> None:
    """A029"""
    for method, foreign, unknown in pairs(target):
        one, other = (statements(target, "elsewhere", method, path) for path in (foreign, unknown))
        assert one == other, (method, foreign)
        assert one, "nobody was asked"


@ON_BOTH
@pytest.mark.parametrize(
    ("path", "name", "foreign", "unknown"),
    [
        ("/admin/upload", "category", "vault", "nowhere"),
        ("/documents/download", "document", "{takeover_id}", "999999"),
        ("/documents/{own}/move", "category", "vault", "nowhere"),
        ("/admin/categories/{own_category}/move", "parent", "{vault}", "999999"),
        ("/admin/categories/{own_category}/grants/{}/remove", "", "{grant}", "999999"),
    ],
)
def test_unknown_and_forbidden_are_the_same_in_a_form(
    target: Target, path: str, name: str, foreign: str, unknown: str
) -> None:
    """A029"""
    own = {"own": own_document(target), "own_category": own_category(target)}
    answers = []
    for value in (foreign.format(**target.things), unknown):
        address, data = path.format(value, **own), {name: value} if name else {}
        asked = statements(target, "elsewhere", "POST", address, data)
        client = browser(target, "elsewhere")
        answer = client.post(address, data=data, headers={"X-CSRFToken": target.form("elsewhere")})
        answers.append((asked, answer.status_code, CHANGING.sub("", answer.text).replace(f'"{value}"', "")))

    assert answers[0] == answers[1]
    assert answers[0][1] == 404


@ON_BOTH
def test_a_choice_with_one_foreign_document_is_nothing_at_all(target: Target) -> None:
    """A031"""
    own, foreign = target.things["letter_id"], target.things["takeover_id"]
    headers = {"X-CSRFToken": target.form("reader"), "Content-Type": "application/x-www-form-urlencoded"}
    asked: Any = {"method": "POST", "headers": headers}

    hidden = target.ask("/documents/download", 404, body=f"document={own}&document={foreign}".encode(), **asked)
    nothing = target.ask("/documents/download", 404, body=f"document={own}&document=999999".encode(), **asked)

    assert (undated(hidden), hidden.body) == (undated(nothing), nothing.body)
    assert "takeover" not in hidden.text


@pytest.mark.parametrize("who", ["reader", "publisher", "elsewhere", "stranger"])
def test_no_page_tells_of_what_is_not_theirs(target: Target, who: str) -> None:
    """A033"""
    foreign = {"takeover", "vault", "unseen", "beyond", "reports2"}
    if who in ("elsewhere", "stranger"):
        foreign |= {"annual", "lettre", "weather", "shared", "trashed", "2018", "plain.txt"}
    with target.untouched(REFUSED):
        for path in pages(target):
            text = RANDOM.sub("", target.ask(path, ANSWERS, who=who).text.replace("<wbr>", ""))
            assert not [word for word in foreign if word in text], path


@pytest.mark.parametrize("path", ["/admin/", "/admin/downloads", "/admin/links", "/admin/trash"])
def test_totals_count_only_what_is_theirs(target: Target, path: str) -> None:
    """A033"""
    target.ask(f"/documents/{target.things['letter']}/download", 200, writes={"downloads"})

    page = target.ask(path, 200, who="elsewhere").text

    assert set(re.findall(r"<b>([0-9,]+)</b>", page)) <= {"0"}


def test_an_old_version_is_not_had_once_the_document_is_narrowed(target: Target) -> None:
    """A034"""
    with target.app.app_context():
        shelf = makers.category("csv")
        makers.document(shelf, "narrowed.pdf", OLD)
        document = makers.document(shelf, "narrowed.pdf", NEW)
        address = f"/documents/{document.uuid}"
    assert target.ask(f"{address}/versions/1/download", 200, writes={"downloads"}).body == OLD

    with target.app.app_context():
        move_document(None, document.id, makers.category("vault").id)

    for more in ("/versions/1/download", "/versions/2/download", "/download", ""):
        target.ask(address + more, 404)


HOW = ("grant removed", "grant expired", "category sealed", "trashed", "category trashed", "draft", "expired")


@pytest.mark.parametrize("how", HOW)
def test_a_right_taken_back_while_the_page_is_open_is_gone_at_the_click(target: Target, how: str) -> None:
    """A035"""
    with target.app.app_context():
        shelf = makers.category(f"brief/{how}")
        above = makers.category("brief")
        grant = makers.grant(above, user=reader(target)) if how == "category sealed" else None
        above_id = above.id
        grant_id = (grant or makers.grant(shelf, user=reader(target))).id
        document = makers.document(shelf, "brief.pdf", b"%PDF brief")
        address, document_id = f"/documents/{document.uuid}", document.id
    target.ask(address, 200)
    etag = target.ask(f"{address}/download", 200, writes={"downloads"}).header("ETag")

    with target.app.app_context():
        document = db.session.get_one(Document, document_id)
        ends: dict[str, Callable[[], object]] = {
            "grant removed": lambda: remove_grant(None, grant_id),
            "grant expired": lambda: makers.change(db.session.get_one(Grant, grant_id), expires_at=makers.now()),
            "category sealed": lambda: makers.change(makers.category(f"brief/{how}"), is_sealed=True),
            "trashed": lambda: trash_document(None, document_id),
            "category trashed": lambda: trash_category(None, above_id),
            "draft": lambda: makers.change(document, published_at=None),
            "expired": lambda: makers.change(document, expires_at=makers.now()),
        }
        ends[how]()

    with target.untouched():
        target.ask(address, 404)
        for headers in ({}, {"Range": "bytes=0-1"}, {"If-None-Match": etag}):
            target.ask(f"{address}/download", 404, headers=headers)
            target.ask(f"{address}/download", 404, headers=headers, method="HEAD")


@pytest.mark.parametrize(("who", "where"), [("reader", "/admin/"), ("publisher", "/admin/(people|groups|log)")])
def test_the_house_is_not_there_for_whoever_may_not_use_it_and_the_log_says_who_tried(
    target: Target, who: str, where: str
) -> None:
    """A037"""
    addresses = [(method, path) for method, path in house(target) if re.match(where, path)]
    assert len(addresses) > 15
    before = denied(target)
    with target.untouched(REFUSED):
        for number, (method, path) in enumerate(addresses):
            if number % 50 == 0:
                forget_attempts(target)  # the log has a hundred a minute of one person
            if method == "GET":
                target.ask(path, 404, who=who)
            else:
                target.post(path, 404, {"name": "x", "is_admin": "1"}, who=who)
    assert denied(target) == before + len(addresses)


def forget_attempts(target: Target) -> None:
    with target.app.app_context(), transaction() as session:
        session.execute(delete(SignInAttempt))


def test_a_form_gives_nobody_what_it_does_not_offer(target: Target) -> None:
    """A038"""
    with target.app.app_context():
        person_id = makers.person("Mass", password=makers.PASSWORD).id
        target.admit("mass", person_id)
    extra = {"is_admin": "1", "role": "admin", "id": "1", "email": "root@example.org", "name": "Root", "quota": "-1"}
    writes = {"users", "sessions", "audit_events", "sign_in_attempts", "one_time_tokens", "mails", "known_devices"}

    fields = {"current": makers.PASSWORD, "password": NEW_PASSWORD} | extra
    target.post("/account/password", 303, fields, who="mass", writes=writes)
    with target.app.app_context():
        token = issue_token(None, "reset", person_id)
    guest = target.ask(f"/setup/{token}", 200, who="nobody")
    form = re.search(r'name="csrf_token" value="([^"]+)"', guest.text)
    assert form is not None
    body = "&".join(f"{name}={value}" for name, value in ({"password": NEW_PASSWORD} | extra).items()).replace(" ", "+")
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-CSRFToken": form[1],
        "Cookie": guest.header("Set-Cookie").partition(";")[0],
    }
    target.ask(f"/setup/{token}", 303, who="nobody", method="POST", headers=headers, body=body.encode(), writes=writes)

    with target.app.app_context():
        after = db.session.get_one(User, person_id)
        assert (after.is_admin, after.email, after.name) == (False, "mass@example.org", "Mass")


def test_fields_a_form_does_not_have_change_nothing(target: Target) -> None:
    """A039"""
    columns = ("id", "uuid", "category_id", "trashed_at", "created_by_id", "version_count", "current_version_id")
    before = row(target, "annual")
    fields = {"title": "Changed", "filename": before.filename, "category_id": target.things["vault"], "owner_id": "1"}
    fields |= {"id": "77", "uuid": "x", "trashed_at": "2020-01-01", "created_by_id": "1", "version_count": "9"}

    address = f"/documents/{target.things['annual']}/edit"
    target.post(address, 303, fields, who="publisher", writes={"documents", "audit_events", "search_changes"})

    after = row(target, "annual")
    assert after.title == "Changed"
    assert [getattr(after, column) for column in columns] == [getattr(before, column) for column in columns]


@pytest.mark.parametrize("category", ["vault", "nowhere"])
def test_a_document_does_not_move_to_where_one_may_not_look(target: Target, category: str) -> None:
    """A039"""
    target.post(f"/documents/{target.things['letter']}/move", 404, {"category": category}, who="publisher")


def test_a_link_is_revoked_alone_and_only_by_whoever_publishes_there(target: Target) -> None:
    """A041"""
    with target.app.app_context():
        made, _ = makers.link(document_of(target, "letter"))
        while makers.link(document_of(target, "letter"))[0].id < made.id * 10 + 9:
            pass
    for who in ("reader", "stranger", "elsewhere"):
        target.post(f"/admin/links/{made.id}/revoke", 404, {}, who=who, writes=REFUSED)
    target.post(f"/admin/links/{target.things['unseen_link']}/revoke", 404, {}, who="publisher")

    target.post(f"/admin/links/{made.id}/revoke", 303, {}, who="publisher", writes={"share_links", "audit_events"})

    with target.app.app_context():
        assert list(db.session.scalars(select(ShareLink.id).where(ShareLink.revoked_at.is_not(None)))) == [made.id]


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?access_token={}", {}),
        ("?portal={}", {}),
        ("", {"Authorization": "Basic {}"}),
        ("", {"X-Auth-Token": "{}"}),
        ("", {"Cookie": "token={}"}),
        ("", {"Cookie": "portal-guest={}"}),
        ("", {"Cookie": "__Host-portal={}"}),
    ],
)
def test_a_session_is_only_in_its_cookie_and_never_in_the_log(
    target: Target, query: str, headers: dict[str, str]
) -> None:
    """A043"""
    token = target.tokens["reader"]
    given = {name: value.format(token) for name, value in headers.items()}

    answer = target.ask("/account" + query.format(token), 302, who="nobody", headers=given)

    assert answer.header("Location").startswith("/login?next=")
    assert token not in target.server.output


def test_a_session_is_no_token_of_a_program(target: Target) -> None:
    """A043"""
    token = target.tokens["reader"]
    given = {"Authorization": f"Bearer {token}"}

    with target.untouched({"sign_in_attempts"}):
        answer = target.ask("/documents", 401, who="nobody", headers=given)

    assert answer.header("WWW-Authenticate") == 'Bearer error="invalid_token"'
    assert token not in target.server.output


def test_what_is_in_the_trash_is_only_there_for_publishers_and_only_in_the_trash(target: Target) -> None:
    """A045"""
    with target.untouched(REFUSED):
        for ref in (target.things["trashed"], target.things["trashed_id"]):
            for who in ("reader", "publisher", "admin"):
                for more in ("", "/download", "/versions/1/download", "/edit", "/links"):
                    target.ask(f"/documents/{ref}{more}", 404, who=who)
    target.ask("/get-report/trashed.pdf", 404)

    assert "trashed" not in target.ask("/admin/trash", 200, who="elsewhere").text
    for who in ("publisher", "admin"):
        assert "trashed" in target.ask("/admin/trash", 200, who=who).text


@pytest.mark.parametrize("who", ["reader", "publisher", "admin"])
def test_no_page_holds_a_secret(target: Target, who: str) -> None:
    """A047"""
    with target.app.app_context():
        hashes = list(db.session.scalars(select(User.password_hash)))
        hidden = {value.hex() for value in db.session.scalars(select(ShareLink.token_hash))}
        addresses = set(db.session.scalars(select(User.email))) - {f"{who}@example.org"}
    secrets = {*hashes, *hidden, *target.tokens.values(), target.things["token"], target.things["ticket"]}
    if who == "reader":
        secrets |= addresses
    with target.untouched(REFUSED):
        for path in (*pages(target), f"/documents/{target.things['shared']}", "/categories/reports"):
            text = target.ask(path, ANSWERS, who=who).text.replace("<wbr>", "")
            assert not [secret for secret in secrets if secret and secret in text], path


def test_a_walk_over_ids_gets_nothing_but_the_way_to_sign_in(target: Target) -> None:
    """A049"""
    seen = set()
    with target.untouched():
        for number in range(1, 60):
            for address in (f"/documents/{number}/download", f"/documents/{number}"):
                answer = target.ask(address, 302, who="nobody")
                assert answer.header("Location") == f"/login?next={address}"
                seen.add(without(answer, f"/documents/{number}"))

    assert len(seen) == 2


@ON_BOTH
def test_a_demoted_administrator_is_nobody_from_the_next_request_on(target: Target) -> None:
    """A050"""
    with target.app.app_context():
        former_id = makers.person("Former", is_admin=True).id
        target.admit("former", former_id)
    target.ask("/admin/people/new", 200, who="former")
    form = target.form("former")

    with target.app.app_context():
        change_user(None, former_id, name="Former", is_admin=False)

    headers = {"X-CSRFToken": form, "Content-Type": "application/x-www-form-urlencoded"}
    fields = b"name=Eve&email=eve@example.org&is_admin=1"
    target.ask("/admin/people/new", 302, who="former", method="POST", headers=headers, body=fields)
    target.ask("/admin/people", 302, who="former")
    with target.app.app_context():
        target.admit("former", former_id)
    target.post("/admin/people/new", 404, {"name": "Eve", "email": "e@example.org"}, who="former", writes=REFUSED)


NOBODY = {"ref": str(uuid.UUID(int=7, version=4))}
THINGS = {
    "ref": "unseen",
    "category_id": "vault",
    "link_id": "unseen_link",
    "document_id": "trashed_id",
    "group_id": "group",
    "user_id": "reader_user",
    "grant_id": "grant",
    "session_id": "reader_session",
}
"""The arguments of addresses, and for each a thing that is not for the one who manages elsewhere."""


def pairs(target: Target) -> Iterator[tuple[str, str, str]]:
    """Method, address of something that is not theirs, the same address of nothing; one for each id of each address."""
    for rule in target.app.url_map.iter_rules():
        for name in sorted(rule.arguments & THINGS.keys()):
            rest = {other: target.things[THINGS[other]] for other in rule.arguments & THINGS.keys() - {name}}
            address = filled(rule.rule, rest | {"number": "1"})
            for method in sorted((rule.methods or set()) & {"GET", "POST"}):
                foreign, unknown = target.things[THINGS[name]], NOBODY.get(name, "999999")
                yield method, filled(address, {name: foreign}), filled(address, {name: unknown})
    for more in ("", "/download"):
        yield "GET", f"/categories/vault{more}", f"/categories/nowhere{more}"
    yield "GET", "/categories/old vault".replace(" ", "%20"), "/categories/nowhere"
    yield "GET", "/get-report/annual.pdf", "/get-report/nothing.pdf"
    yield "GET", "/get-report/2018/weather.csv", "/get-report/2018/nothing.csv"
    for foreign, unknown in (("lettre.pdf", "x.pdf"), ("lettre", "x"), (target.things["letter_id"], "999999")):
        yield "GET", f"/get-pdf/{foreign}", f"/get-pdf/{unknown}"
    yield "GET", f"/get-pdf/{target.things['letter']}", f"/get-pdf/{NOBODY['ref']}"


def filled(rule: str, values: dict[str, str]) -> str:
    """The address of a rule with these arguments in their places."""
    for name, value in values.items():
        rule = rule.replace(f"<{name}>", value)
    return rule


def house(target: Target) -> Iterator[tuple[str, str]]:
    """Method and address of everything below /admin."""
    for rule in target.app.url_map.iter_rules():
        for method in (rule.methods or set()) & {"GET", "POST"}:
            if rule.rule.startswith("/admin"):
                yield method, filled(rule.rule, dict.fromkeys(rule.arguments, "1"))


def pages(target: Target) -> list[str]:
    """The address of every page that needs nothing to be named."""
    rules = (rule for rule in target.app.url_map.iter_rules() if "GET" in (rule.methods or ()) and not rule.arguments)
    return [*(rule.rule for rule in rules if rule.endpoint not in ("auth.login", "health.metrics")), "/search?q=pdf"]


def statements(target: Target, who: str, method: str, path: str, data: dict[str, str] | None = None) -> list[str]:
    """The text of every statement that the request made, in order, without the values SQLite tells with it."""
    with target.app.app_context():
        engine = db.engine
    client, headers = browser(target, who), {"X-CSRFToken": target.form(who)}
    close_connections(target.app)  # those kept ready were given out before anybody watched
    with watched(engine) as seen:
        client.open(path, method=method, data=data, headers=headers)
    return [VALUE.sub("?", statement) for statement in seen]


def browser(target: Target, who: str) -> FlaskClient:
    """Somebody signed in, in this process."""
    client = target.app.test_client()
    client.set_cookie("portal", target.tokens[who])
    return client


def undated(answer: Answer) -> list[tuple[str, str]]:
    """The headers but the date."""
    return [(name, value) for name, value in answer.headers if name != "Date"]


def without(answer: Answer, word: str) -> tuple[str, str]:
    """Headers and body without what was asked for and how long that is."""
    headers = str([(name, value) for name, value in undated(answer) if name != "Content-Length"])
    return headers.replace(word, "…"), answer.text.replace(word, "…")


def denied(target: Target) -> int:
    """How often the log says that somebody was turned away."""
    with target.app.app_context():
        return db.session.scalars(select(func.count()).where(AuditEvent.action == "access.denied")).one()


def document_of(target: Target, thing: str) -> Document:
    """The document of this name; inside a context."""
    return db.session.get_one(Document, int(target.things[f"{thing}_id"]))


def row(target: Target, thing: str) -> Document:
    """The document of this name as it stands now."""
    with target.app.app_context():
        return document_of(target, thing)


def reader(target: Target) -> User:
    """The reader; inside a context."""
    return db.session.get_one(User, int(target.things["reader_user"]))


def own_category(target: Target) -> str:
    """The id of the category of the one who manages elsewhere."""
    with target.app.app_context():
        return str(db.session.scalars(select(Category.id).where(Category.path == "elsewhere")).one())


def own_document(target: Target) -> str:
    """The id of a document in it."""
    with target.app.app_context():
        return str(makers.document(makers.category("elsewhere"), "own.pdf").id)
