"""Group A.3 of the attack table: links for people without an account, what opens them and what does not.

A right password opens one download and leaves nothing behind that could be taken for another link or outlive a change:
A057, A058 and A078 are about what there is instead, the ticket and its cookie. A ticket that was handed out before a
password was changed is still for its one download (DESIGN, P5).

A070: a link leads to one document; there are no links to a category or a choice yet.
A079: nobody chooses the token of a link; there are no names of their own.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from portal.accounts import disable_user
from portal.catalog import move_document, remove_grant
from portal.extensions import db, storage
from portal.models import PUBLISH, AuditEvent, Document, Download, ShareLink, Ticket
from portal.shares import revoke_link
from portal.tokens import make_token
from tests import makers
from tests.attacks.oracle import ON_BOTH, Answer, Target
from tests.attacks.racing import asked, race
from tests.servers import FORM, TOKEN

pytestmark = pytest.mark.xdist_group("attacks-links")

PASSWORD = "a password of a link"
CONTENT = bytes(range(256)) * 100
SPENT = {"share_links", "tickets", "audit_events"}


@dataclass
class Made:
    """A document of its own with a link to it."""

    id: int
    token: str
    document_id: int
    name: str


@dataclass
class Guest:
    """A browser that has the page of a link open."""

    target: Target
    token: str
    cookie: str
    form: str

    def press(self, status: int, password: str | bytes = "", **extra: str) -> Answer:
        """Send the form of the page."""
        typed = password.encode() if isinstance(password, str) else password
        headers = {"Content-Type": FORM, "X-CSRFToken": self.form, "Cookie": self.cookie} | extra
        body = b"password=" + typed.replace(b" ", b"+")
        written = SPENT if status == 303 else {"sign_in_attempts"} if status == 403 else set()
        path = f"/s/{self.token}/download"
        return self.target.ask(path, status, who="nobody", method="POST", headers=headers, body=body, writes=written)


@pytest.mark.parametrize(
    "token", ["x", "", "0" * 43, "A" * 44, "../login", "%00", "%2e%2e", "' OR 1=1--", "\u0661" * 9]
)
def test_whatever_was_never_a_token_gets_the_same_404(target: Target, token: str) -> None:
    """A051"""
    spelled = "".join(
        character if character.isalnum() and character.isascii() else quoted(character) for character in token
    )
    never = target.ask(f"/s/{make_token()}", 404, who="nobody", writes={"sign_in_attempts"})
    written = {"sign_in_attempts"}
    for path in (f"/s/{spelled}", f"/t/{spelled}", f"/t/{make_token()}"):
        assert target.ask(path, 404, who="nobody", writes=written).body == never.body


def test_a_revoked_link_and_its_tickets_say_so_and_nothing_else(target: Target) -> None:
    """A051"""
    made = link(target)
    ticket = guest(target, made).press(303).header("Location")
    with target.app.app_context():
        revoke_link(None, made.id)

    with target.untouched():
        for path in (f"/s/{made.token}", ticket):
            for method in ("GET", "HEAD"):
                answer = target.ask(path, 410, who="nobody", method=method)
                assert made.name not in answer.text


def test_a_page_behind_a_password_tells_nothing_of_what_is_behind(target: Target) -> None:
    """A053"""
    made = link(target, password=PASSWORD)
    paths = [f"/s/{made.token}", f"/s/{made.token}?download=1"]
    elsewhere = [
        f"/s/{made.token}/{more}" for more in ("preview", "thumbnail", "oembed", "zip", "metadata", "versions/1")
    ]
    elsewhere += [f"/documents/{made.document_id}", f"/documents/{made.document_id}/download"]
    with target.untouched({"share_links"}):
        for path in paths:
            for headers in ({}, {"Accept": "application/json"}, {"Range": "bytes=0-9"}, {"User-Agent": "curl/8"}):
                for method in ("GET", "HEAD"):
                    answer = target.ask(path, 200, who="nobody", method=method, headers=headers)
                    told = f"{answer.headers}{answer.text}"
                    assert not [word for word in told_by(made) if word in told]
                    assert answer.header("Content-Type") == "text/html; charset=utf-8"
        for path in elsewhere:
            target.ask(path, {302, 404}, who="nobody")
    target.ask(f"/s/{made.token}/download", 405, who="nobody")


def test_the_sixth_password_waits_even_when_it_is_right(target: Target) -> None:
    """A054"""
    made = link(target, password=PASSWORD)
    visitor = guest(target, made)
    for _ in range(target.settings.share_tries):
        visitor.press(403, "something else")

    for password in ("something else", PASSWORD):
        answer = visitor.press(429, password)
        assert int(answer.header("Retry-After")) > 0
        assert made.name not in answer.text


@pytest.mark.parametrize(("size", "status"), [(2_000, 403), (20_001, 422), (2**20, 413)])
def test_an_endless_password_is_not_hashed(target: Target, size: int, status: int) -> None:
    """A055: that nothing is hashed beyond 1,024 characters is in ``tests/accounts/test_passwords.py``."""
    visitor = guest(target, link(target, password=PASSWORD))

    answer = visitor.press(status, b"x" * size)

    assert "x" * 2_000 not in answer.text


def test_a_password_too_long_for_any_form_is_not_even_read(target: Target) -> None:
    """A055"""
    visitor = guest(target, link(target, password=PASSWORD))

    visitor.press(413, **{"Content-Length": str(10 * 2**20)})


def test_what_one_link_gave_is_nothing_at_another(target: Target) -> None:
    """A057"""
    one, other = link(target, max_downloads=1), link(target, password=PASSWORD, max_downloads=1)
    visitor = guest(target, one)
    given = visitor.press(303)
    ticket, cookie = given.header("Location"), given.header("Set-Cookie").partition(";")[0]

    page = target.ask(f"/s/{other.token}", 200, who="nobody", headers={"Cookie": cookie}, writes={"share_links"})
    assert not [word for word in (*told_by(other), ticket) if word in page.text]
    stranger = guest(target, other)
    stranger.cookie += f"; {cookie}"
    stranger.press(403, "")
    assert target.ask(ticket, 200, who="nobody", writes={"downloads"}).body == content_of(one)


def test_a_password_that_was_changed_opens_no_more(target: Target) -> None:
    """A058"""
    made = link(target, password=PASSWORD)
    visitor = guest(target, made)
    visitor.press(303, PASSWORD)

    change(target, made, {"password": "another password"})

    visitor.press(403, PASSWORD)
    visitor.press(303, "another password")


def test_a_password_that_was_added_while_the_page_was_open_is_asked_for(target: Target) -> None:
    """A058"""
    made = link(target)
    visitor = guest(target, made)

    change(target, made, {"password": PASSWORD})

    visitor.press(403)
    target.ask(f"/s/{made.token}", 200, who="nobody", headers={"Accept": "*/*"}, writes={"share_links"})


def test_a_link_that_expires_while_its_page_is_open_is_over_at_the_click(target: Target) -> None:
    """A059: that the very moment is over is in ``tests/shares/test_links.py``."""
    made = link(target)
    visitor = guest(target, made)
    with target.app.app_context():
        makers.change(db.session.get_one(ShareLink, made.id), expires_at=makers.now())

    answer = visitor.press(410)

    assert made.name not in answer.text
    target.ask(f"/s/{made.token}", 410, who="nobody")


@ON_BOTH
@pytest.mark.parametrize("limit", [1, 5])
def test_fifty_at_once_get_no_more_than_the_limit_and_ranges_without_a_ticket_get_nothing(
    target: Target, limit: int
) -> None:
    """A061 A066: with four processes and on each database it is ``tests/faults/test_limits.py``."""
    made = link(target, max_downloads=limit)
    visitor = guest(target, made)
    look = asked(target, "GET", f"/s/{made.token}", {"Range": "bytes=0-0", "Accept": "*/*"})
    press = asked(target, "POST", f"/s/{made.token}/download", {"X-CSRFToken": visitor.form, "Cookie": visitor.cookie})

    answers = race(target, *[look, press] * 50)

    statuses = [answer.status for answer in answers[1::2]]
    assert (statuses.count(303), statuses.count(410)) == (limit, 50 - limit)
    assert all(b"<!doctype html>" in answer.body and CONTENT[:64] not in answer.body for answer in answers)
    with target.app.app_context():
        assert db.session.get_one(ShareLink, made.id).used == limit
        assert db.session.scalars(select(func.count()).where(Ticket.link_id == made.id)).one() == limit
        assert db.session.scalars(select(func.count()).where(Download.link_id == made.id)).one() == 0


AGENTS = {
    "a browser": {"Accept": "text/html"},
    "a program": {"User-Agent": "curl/8.5", "Accept": "*/*"},
    "a prefetch": {"Sec-Purpose": "prefetch", "Purpose": "prefetch"},
    "a chat": {"User-Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"},
    "a messenger": {"User-Agent": "WhatsApp/2.23", "Range": "bytes=0-524287"},
    "a scanner": {"User-Agent": "Mozilla/5.0 (compatible; bingbot/2.0)"},
}


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_looking_spends_nothing_whoever_looks(target: Target, name: str) -> None:
    """A062"""
    made = link(target, max_downloads=1)
    with target.untouched({"share_links"}):
        for method in ("GET", "HEAD", "OPTIONS") * 10:
            answer = target.ask(f"/s/{made.token}", 200, who="nobody", method=method, headers=AGENTS[name])
            assert "og:" not in answer.text
            assert CONTENT[:64] not in answer.body

    with target.app.app_context():
        assert db.session.get_one(ShareLink, made.id).used == 0
    guest(target, made).press(303)


@pytest.mark.parametrize("name", ["a chat", "a messenger", "a scanner"])
def test_what_looks_at_a_ticket_gets_no_bytes_and_leaves_it_as_it_was(target: Target, name: str) -> None:
    """A062"""
    made = link(target, max_downloads=1)
    ticket = guest(target, made).press(303).header("Location")
    with target.untouched():
        for method in ("GET", "HEAD") * 3:
            answer = target.ask(ticket, 200, who="nobody", method=method, headers=AGENTS[name])
            assert answer.header("Content-Type").startswith("text/html")
            assert CONTENT[:64] not in answer.body

    theirs = {"User-Agent": "curl/8.5"}
    assert target.ask(ticket, 200, who="nobody", headers=theirs, writes={"downloads"}).body == content_of(made)


def test_a_browser_inside_of_an_app_that_shows_previews_gets_what_its_person_pressed_the_button_for(
    target: Target,
) -> None:
    """It names itself as the one that looks for the previews does."""
    made = link(target, max_downloads=1)
    ticket = guest(target, made).press(303).header("Location")
    headers = {"User-Agent": "Mozilla/5.0 (Linux; Android 14) [LinkedInApp]", "Sec-Fetch-Site": "same-origin"}

    assert target.ask(ticket, 200, who="nobody", headers=headers, writes={"downloads"}).body == content_of(made)


def test_a_download_whose_bytes_are_gone_is_given_back_once(target: Target) -> None:
    """A063"""
    made = link(target, max_downloads=1)
    ticket = guest(target, made).press(303).header("Location")
    with target.app.app_context():
        kept = storage().place(makers.edition(db.session.get_one(Document, made.document_id)).sha256)
    place = Path(kept.directory) / kept.name
    away = place.rename(target.directory / "away")
    damaged = ("damaged and quarantined", "ContentDamaged at GET /t/")
    try:
        target.ask(ticket, 503, who="nobody", writes={*SPENT, "blobs"}, told=damaged)
        target.ask(ticket, 410, who="nobody")
    finally:
        away.rename(place)

    with target.app.app_context():
        refunded = (AuditEvent.action == "share.refunded", AuditEvent.object_id == made.id)
        assert db.session.scalars(select(func.count()).where(*refunded)).one() == 1
        assert db.session.get_one(ShareLink, made.id).used == 0
    guest(target, made).press(303)


def test_a_download_that_broke_off_goes_on_and_is_one_use(target: Target) -> None:
    """A065"""
    made = link(target, max_downloads=1)
    visitor = guest(target, made)
    ticket = visitor.press(303).header("Location")
    whole, half = content_of(made), len(content_of(made)) // 2
    writes = {"downloads", "tickets"}
    first = target.ask(ticket, 206, who="nobody", headers={"Range": f"bytes=0-{half - 1}"}, writes=writes)
    rest = {"Range": f"bytes={half}-", "If-Range": first.header("ETag")}
    assert first.body + target.ask(ticket, 206, who="nobody", headers=rest, writes=writes).body == whole

    guest_of_another_browser = Guest(target, made.token, visitor.cookie, visitor.form)
    guest_of_another_browser.press(410)
    with target.app.app_context():
        assert db.session.get_one(ShareLink, made.id).used == 1
        states = list(db.session.scalars(select(Download.state).where(Download.link_id == made.id)))
    assert states == ["completed"]


def test_a_limit_is_what_it_was_last_set_to_but_never_below_what_is_used(target: Target) -> None:
    """A067"""
    made = link(target, max_downloads=3)
    visitor = guest(target, made)
    for _ in range(2):
        visitor.press(303)

    change(target, made, {"max_downloads": "1"})
    visitor.press(410)
    change(target, made, {"max_downloads": "3"})
    visitor.press(303)
    visitor.press(410)
    change(target, made, {"max_downloads": ""})
    visitor.press(303)


@pytest.mark.parametrize(
    "more", ["?id={}", "?document={}", "?path=/documents/{}", "/../{}", "/%2e%2e/{}", "/{}", "%2F{}"]
)
def test_a_link_leads_to_its_own_document_whatever_stands_beside_it(target: Target, more: str) -> None:
    """A069"""
    made, other = link(target), link(target)
    address = f"/s/{made.token}{more.format(other.document_id)}"
    answer = target.ask(address, {200, 404}, who="nobody", writes={"downloads", "share_links", "sign_in_attempts"})

    assert other.name.encode() not in answer.body
    assert answer.body == content_of(made) or answer.status == 404


def test_a_form_cannot_name_another_document(target: Target) -> None:
    """A069"""
    made, other = link(target), link(target)
    fields = f"x&document={other.document_id}&document_id={other.document_id}&id={other.id}&token={other.token}"
    ticket = guest(target, made).press(303, fields.encode()).header("Location")

    assert target.ask(ticket, 200, who="nobody", writes={"downloads"}).body == content_of(made)


@pytest.mark.parametrize("event", ["right taken", "author disabled", "moved to where they may not look"])
def test_a_link_ends_with_the_right_of_who_made_it(target: Target, event: str) -> None:
    """A071"""
    with target.app.app_context():
        author = makers.person(f"Author {event}")
        shelf = makers.category(f"authors/{event}")
        grant_id, author_id = makers.grant(shelf, user=author, permission=PUBLISH).id, author.id
        document = makers.document(shelf, "theirs.bin", CONTENT)
        document_id, token = document.id, makers.link(document, by=author)[1]
    visitor = guest(target, Made(0, token, document_id, "theirs.bin"))
    ticket = visitor.press(303).header("Location")

    with target.app.app_context():
        events: dict[str, Callable[[], object]] = {
            "right taken": lambda: remove_grant(None, grant_id),
            "author disabled": lambda: disable_user(None, author_id),
            "moved to where they may not look": lambda: move_document(None, document_id, makers.category("vault").id),
        }
        events[event]()

    visitor.press(410)
    for path in (f"/s/{token}", ticket):
        assert "theirs.bin" not in target.ask(path, 410, who="nobody").text


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "PUT", "POST"])
def test_a_link_is_not_there_to_be_changed(target: Target, method: str) -> None:
    """A073"""
    made = link(target, max_downloads=1)
    visitor = guest(target, made)
    headers = {"Content-Type": "application/json", "X-CSRFToken": visitor.form, "Cookie": visitor.cookie}
    request: Any = {"who": "nobody", "method": method, "headers": headers, "body": b'{"max_downloads": 9}'}
    with target.untouched():
        target.ask(f"/s/{made.token}", 405, **request)
        target.ask(f"/t/{make_token()}", 405, **request)
        if method != "POST":
            target.ask(f"/s/{made.token}/download", 405, **request)


def test_a_token_is_shown_once_and_its_password_never(target: Target) -> None:
    """A074"""
    with target.app.app_context():
        document = makers.document(makers.category("pdf"), "told once.pdf", b"%PDF once")
        address = f"/documents/{document.uuid}/links"
    fields = {"label": "once", "password": PASSWORD, "max_downloads": "", "expires_at": "", "message": ""}
    page = target.post(address, 200, fields, who="publisher", writes={"share_links", "audit_events"}).text
    token = re.findall(r"/s/([A-Za-z0-9_-]{43})", page)[0]
    assert PASSWORD not in page
    with target.app.app_context():
        made = db.session.scalars(select(ShareLink).order_by(ShareLink.id.desc()).limit(1)).one()
        secrets = [token, PASSWORD, made.password_hash or "", made.token_hash.hex()]
        number = made.id

    for path in (address, "/admin/links", f"/admin/links/{number}", f"/admin/links/{number}/revoke", "/admin/"):
        for who in ("publisher", "admin"):
            text = target.ask(path, 200, who=who).text
            assert not [secret for secret in secrets if secret in text], path


@pytest.mark.parametrize(
    ("name", "value"),
    [("expires_at", "2020-01-01T00:00"), ("expires_at", "9999999-01-01"), ("expires_at", "tomorrow")]
    + [("max_downloads", value) for value in ("0", "-1", "1.5", "2147483648", "1e9", "true", "9" * 30, "\u0661", "NaN")]
    + [("password", "short"), ("password", "x" * 1_025), ("label", "a\x1b[31m"), ("label", "x" * 201)],
)
def test_terms_that_cannot_be_make_no_link(target: Target, name: str, value: str) -> None:
    """A075"""
    fields = {"label": "x", "password": "", "max_downloads": "", "expires_at": "", "message": ""} | {name: value}
    made = link(target)

    target.post(f"/documents/{made.document_id}/links", 422, fields, who="publisher")
    target.post(f"/admin/links/{made.id}", 422, fields, who="publisher")


def test_no_token_is_in_the_log_of_the_server_or_of_the_portal(target: Target) -> None:
    """A077: there are no mails yet that could bounce."""
    made = link(target, password=PASSWORD)
    ticket = guest(target, made).press(303, PASSWORD).header("Location").removeprefix("/t/")
    target.ask(f"/t/{ticket}", 200, who="nobody", writes={"downloads"})
    writes = {"share_links", "sign_in_attempts"}
    for secret in (made.token, ticket):
        for path in (
            f"/login?next=/s/{secret}",
            f"/nothing/{secret}",
            f"/s/%{ord(secret[0]):02x}{secret[1:]}",
            f"/T/{secret}",
        ):
            target.ask(path, {200, 404}, who="nobody", headers={"User-Agent": secret}, writes=writes)

    with target.app.app_context():
        told = str([vars(event) for event in db.session.scalars(select(AuditEvent))])
    for secret in (made.token, ticket):
        assert secret not in target.server.output
        assert secret not in told
        assert f"{secret[:6]}…" in target.server.output


def test_what_somebody_planted_in_a_browser_is_worth_nothing_after_the_button(target: Target) -> None:
    """A078"""
    made = link(target)
    visitor = guest(target, made)
    planted = make_token()
    visitor.cookie += f"; portal-ticket={planted}; portal={make_token()}"
    visitor = guest(target, made, planted=f"portal-ticket={planted}; portal-guest=planted")

    given = visitor.press(303)

    assert planted not in given.header("Location") + given.header("Set-Cookie")
    assert re.match(r"portal-ticket=[A-Za-z0-9_-]{43};", given.header("Set-Cookie"))
    target.ask(f"/t/{planted}", 404, who="nobody", writes={"sign_in_attempts"})


def link(target: Target, password: str | None = None, max_downloads: int | None = None) -> Made:
    """A new link to a document of its own, made by the operator."""
    with target.app.app_context():
        name = f"linked-{make_token()[:12]}.bin"
        document = makers.document(makers.category("pdf"), name, CONTENT + name.encode(), "application/octet-stream")
        made, token = makers.link(document, password=password, max_downloads=max_downloads)
        return Made(made.id, token, document.id, name)


def content_of(made: Made) -> bytes:
    """The bytes the link leads to."""
    return CONTENT + made.name.encode()


def told_by(made: Made) -> list[str]:
    """Words that tell of the document of a link."""
    return [
        made.name,
        made.name.removesuffix(".bin"),
        "Operator",
        "octet-stream",
        f"{len(content_of(made)):,}",
        "26 kB",
    ]


def guest(target: Target, made: Made, planted: str = "") -> Guest:
    """Somebody who opens the page of a link in a browser of their own."""
    headers = {"Accept": "text/html"} | ({"Cookie": planted} if planted else {})
    page = target.ask(f"/s/{made.token}", 200, who="nobody", headers=headers, writes={"share_links"})
    form = TOKEN.search(page.body)
    assert form is not None
    return Guest(target, made.token, page.header("Set-Cookie").partition(";")[0], form[1].decode())


def change(target: Target, made: Made, fields: dict[str, str]) -> None:
    """Send the form of a link as who publishes its document."""
    with target.app.app_context():
        limit = db.session.get_one(ShareLink, made.id).max_downloads
    known = {"label": "", "message": "", "expires_at": "", "max_downloads": str(limit or ""), "password": ""}
    writes = {"share_links", "audit_events"}
    target.post(f"/admin/links/{made.id}", 303, known | fields, who="publisher", writes=writes)


def quoted(character: str) -> str:
    """Percent-encoded, but what is so already."""
    return character if character == "%" else "".join(f"%{byte:02X}" for byte in character.encode())
