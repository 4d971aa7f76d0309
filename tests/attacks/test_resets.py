"""Rows of group A.4 that are about passwords set anew: A085, A086 and A093 to A095.

Of A094: what never was a token is 404, and what was one is 410 (DESIGN, 9), not 401, for no sign-in would help.
"""

import re
from dataclasses import dataclass

import pytest
from sqlalchemy import func, select, update

from portal.accounts import check_password, get_user, hash_password, resolve_resets, set_password
from portal.extensions import db, transaction
from portal.models import Mail, OneTimeToken, ResetRequest, SignInAttempt, User
from tests import makers
from tests.attacks.oracle import ON_BOTH, Answer, Target
from tests.servers import FORM, TOKEN

pytestmark = pytest.mark.xdist_group("attacks-resets")

NEW = "another four good words"
ASKED = {"reset_requests", "sign_in_attempts"}


@dataclass
class Guest:
    """A browser nobody is signed in in, with a form open."""

    target: Target
    cookie: str
    form: str

    def post(self, path: str, status: int, body: str, *, writes: set[str] = frozenset(), **headers: str) -> Answer:  # type: ignore[assignment]
        """Send the form."""
        own = {"Content-Type": FORM, "X-CSRFToken": self.form, "Cookie": self.cookie}
        own |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.target.ask(
            path, status, who="nobody", method="POST", headers=own, body=body.encode(), writes=writes
        )


def guest(target: Target, path: str) -> Guest:
    answer = target.ask(path, 200, who="nobody")
    found = TOKEN.search(answer.body)
    assert found is not None
    return Guest(target, answer.header("Set-Cookie").partition(";")[0], found[1].decode())


@dataclass
class Somebody:
    """A person, as the test knows them."""

    id: int
    email: str


@pytest.fixture
def somebody(target: Target) -> Somebody:
    """A person of this test alone, with a password."""
    with target.app.app_context():
        name = f"Reset {db.session.scalars(select(func.count()).select_from(User)).one()}"
        user = makers.person(name, password=makers.PASSWORD)
        found = Somebody(user.id, user.email)
        target.admit("somebody", user.id)
        with transaction() as session:
            session.execute(update(SignInAttempt).values(key="over"))
    return found


def stored(target: Target, user: Somebody) -> str | None:
    with target.app.app_context():
        return get_user(user.id).password_hash


def resolve(target: Target, user: Somebody) -> list[str]:
    """The tokens of the mails to a person, once the worker has looked."""
    with target.app.app_context():
        resolve_resets(lambda: False)
        texts = db.session.scalars(select(Mail.text).where(Mail.kind == "reset", Mail.user_id == user.id))
        return [found[1] for text in texts if (found := re.search(r"/setup/([A-Za-z0-9_-]{43})", text or ""))]


@ON_BOTH
def test_passwords_that_are_alike_for_72_bytes_are_two(target: Target) -> None:
    """A085"""
    long = "a row of words that is longer than what older hashes look at, by far indeed"
    with target.app.app_context():
        assert len(long) > 72
        hashed = hash_password(long + " one")
        assert check_password(hashed, long + " one")
        assert not check_password(hashed, long + " two")
        assert not check_password(hashed, long)


@ON_BOTH
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (f"password={NEW}", 403),
        (f"current=&password={NEW}", 403),
        (f"current=not+the+password+at+all&password={NEW}", 403),
        (f"current=&current=&password={NEW}", 403),
    ],
)
def test_a_password_is_not_changed_by_who_does_not_know_it(
    target: Target, somebody: Somebody, fields: str, status: int
) -> None:
    """A086"""
    before = stored(target, somebody)
    headers = {"Content-Type": FORM, "X-CSRFToken": target.form("somebody")}
    body = fields.replace(" ", "+").encode()
    target.ask(
        "/account/password", status, who="somebody", method="POST", headers=headers, body=body,
        writes={"sign_in_attempts", "audit_events"},
    )  # fmt: skip
    assert stored(target, somebody) == before


@ON_BOTH
def test_a_password_is_not_changed_by_the_form_of_another_site(target: Target, somebody: Somebody) -> None:
    """A086"""
    before = stored(target, somebody)
    body = f"current={makers.PASSWORD}&password={NEW}".replace(" ", "+").encode()
    for status, headers in (
        (400, {}),
        (403, {"Origin": "https://evil.example"}),
        (403, {"Sec-Fetch-Site": "cross-site", "X-CSRFToken": target.form("somebody")}),
    ):
        sent = {"Content-Type": FORM} | headers
        target.ask("/account/password", status, who="somebody", method="POST", headers=sent, body=body)
    assert stored(target, somebody) == before


@ON_BOTH
def test_a_changed_password_ends_every_other_session_and_every_open_address(target: Target, somebody: Somebody) -> None:
    """A086"""
    with target.app.app_context():
        target.admit("elsewhere", somebody.id)
    guest(target, "/reset").post("/reset", 303, f"email={somebody.email}", writes=ASKED)
    (token,) = resolve(target, somebody)
    target.ask(f"/setup/{token}", 200, who="nobody")
    writes = {"users", "sessions", "audit_events", "sign_in_attempts", "one_time_tokens", "mails"}
    target.post("/account/password", 303, {"current": makers.PASSWORD, "password": NEW}, who="somebody", writes=writes)
    target.ask("/account", 302, who="elsewhere")
    target.ask(f"/setup/{token}", 410, who="nobody")
    target.ask("/account", 200, who="somebody")


@ON_BOTH
def test_known_and_unknown_addresses_get_one_answer(target: Target, somebody: Somebody) -> None:
    """A093"""
    answers = set()
    for email in (somebody.email, "nobody@example.org", somebody.email.upper(), "x@" + "y" * 200 + ".org"):
        answer = guest(target, "/reset").post("/reset", 303, f"email={email}", writes=ASKED)
        answers.add((answer.body, answer.header("Location")))
    assert len(answers) == 1


@ON_BOTH
def test_a_hundred_requests_are_at_most_three_mails_in_an_hour(target: Target, somebody: Somebody) -> None:
    """A093"""
    browser = guest(target, "/reset")
    statuses = [303] * 30 + [429] * 70
    for status in statuses:
        browser.post("/reset", status, f"email={somebody.email}", writes=ASKED if status == 303 else set())
    assert len(resolve(target, somebody)) == 3
    with target.app.app_context():
        assert db.session.scalars(select(func.count()).select_from(ResetRequest)).one() == 0


@ON_BOTH
@pytest.mark.parametrize("kind", ["used", "expired", "after a change", "after a newer one", "of a disabled person"])
def test_a_reset_that_was_one_changes_nothing_any_more(target: Target, somebody: Somebody, kind: str) -> None:
    """A094"""
    guest(target, "/reset").post("/reset", 303, f"email={somebody.email}", writes=ASKED)
    (token,) = resolve(target, somebody)
    browser = guest(target, f"/setup/{token}")
    with target.app.app_context(), transaction() as session:
        mine = OneTimeToken.user_id == somebody.id
        if kind == "used":
            session.execute(update(OneTimeToken).where(mine).values(used_at=makers.now()))
        elif kind == "expired":
            session.execute(update(OneTimeToken).where(mine).values(expires_at=makers.now(minutes=-1)))
        elif kind == "of a disabled person":
            session.execute(update(User).where(User.id == somebody.id).values(disabled_at=makers.now()))
    if kind == "after a change":
        with target.app.app_context():
            set_password(None, somebody.id, "a password in between")
    elif kind == "after a newer one":
        guest(target, "/reset").post("/reset", 303, f"email={somebody.email}", writes=ASKED)
        assert len(resolve(target, somebody)) == 2
    before = stored(target, somebody)
    answer = browser.post(f"/setup/{token}", 410, f"password={NEW}".replace(" ", "+"))
    assert "Ask an administrator" in answer.text or "ask an administrator" in answer.text
    assert stored(target, somebody) == before


@ON_BOTH
@pytest.mark.parametrize(
    "token", ["", "null", "undefined", "[]", "%5B%5D", "{}", "x" * 43, "x" * 42, "%00", "..%2f..", "-" * 4000]
)
def test_what_never_was_a_reset_opens_nothing(target: Target, somebody: Somebody, token: str) -> None:
    """A094"""
    browser = guest(target, "/reset")
    target.ask(f"/setup/{token}", 404, who="nobody")
    browser.post(f"/setup/{token}", 404, f"password={NEW}".replace(" ", "+"))


@ON_BOTH
def test_a_tampered_reset_opens_nothing(target: Target, somebody: Somebody) -> None:
    """A094"""
    guest(target, "/reset").post("/reset", 303, f"email={somebody.email}", writes=ASKED)
    (token,) = resolve(target, somebody)
    browser = guest(target, f"/setup/{token}")
    before = stored(target, somebody)
    for tampered in (token[:-1] + ("A" if token[-1] != "A" else "B"), token.swapcase(), token[1:] + token[0]):
        browser.post(f"/setup/{tampered}", 404, f"password={NEW}".replace(" ", "+"))
    assert stored(target, somebody) == before


@ON_BOTH
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 400),
        ({"Host": "evil.example:80"}, 400),
        ({"X_Forwarded_Host": "evil.example"}, 303),
        ({"Forwarded": "host=evil.example;proto=https"}, 303),
        ({"X_Forwarded_Proto": "https", "X_Forwarded_Port": "1"}, 303),
        ({"X_Original_URL": "https://evil.example/reset"}, 303),
    ],
)
def test_the_mail_leads_to_the_portal_whatever_a_request_says(
    target: Target, somebody: Somebody, headers: dict[str, str], status: int
) -> None:
    """A095"""
    browser = guest(target, "/reset")
    writes = ASKED if status == 303 else set()
    answer = browser.post("/reset", status, f"email={somebody.email}", writes=writes, **headers)
    assert b"evil" not in answer.body
    with target.app.app_context():
        resolve_resets(lambda: False)
        texts = db.session.scalars(select(Mail.text).where(Mail.kind == "reset", Mail.user_id == somebody.id)).all()
        assert len(texts) == (1 if status == 303 else 0)
        assert not any("evil" in (text or "") for text in texts)
        assert all("http://" in (text or "") and "/setup/" in (text or "") for text in texts)


@ON_BOTH
def test_an_address_for_the_request_that_names_another_host_is_not_followed(target: Target, somebody: Somebody) -> None:
    """A095"""
    browser = guest(target, "/reset")
    body = f"email={somebody.email}"
    head = (
        f"POST http://evil.example/reset HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n"
        f"Content-Type: {FORM}\r\nX-CSRFToken: {browser.form}\r\nCookie: {browser.cookie}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    with target.untouched():
        target.say(head.encode(), 400)
