"""Group A.1 of the attack table: paths that climb, ids in other spellings, and what somebody put into the storage.

Every row of the group is the first word of a test here, but these:

A015: pages of previews, in tests/views/test_previews.py.
A019: tags; nothing is there for them yet.

The reference has no rows A004, A008, A012, A016, A020 and A024. A025 asks for more than is promised (docs/promises.md):
a download finds bytes of another length, and ``portal verify`` those of the same length.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select
from werkzeug.routing import Rule

from portal.catalog.categories import ensure_category
from portal.catalog.paths import DEEPEST
from portal.errors import BadInput
from portal.extensions import db
from portal.models import Version
from portal.shares import reserve
from tests import makers
from tests.attacks.conftest import NEW
from tests.attacks.oracle import ON_BOTH, Answer, Target, extended_part, part

pytestmark = pytest.mark.xdist_group("attacks")

TRIED = {"sign_in_attempts"}
"""Where a token that never was is counted."""
UPLOADED = {"documents", "versions", "blobs", "categories", "audit_events", "search_changes", "previews", "users"}
CONTENT = b"%PDF-1.7 of the attacks"
DAMAGED = "damaged and quarantined: blob "
ABSOLUTE = ["/etc/passwd", "C:\\Windows\\win.ini", "\\\\host\\share", "//host/share", "file:///etc/passwd"]


@pytest.mark.parametrize(
    "path",
    [
        "/documents/../../etc/passwd",
        "/documents/../download",
        "/documents/./1",
        "/get-report/../../etc/passwd",
        "/get-report/2018/../annual.pdf",
        "/get-pdf/..",
        "/get-pdf/../vault/takeover.pdf",
        "/categories/../vault",
        "/categories/reports/../vault",
        "/static/../settings.py",
        "/s/../healthz",
        "/../../../etc/passwd",
        "/..",
        "/.",
    ],
)
def test_a_path_that_climbs_leads_nowhere(target: Target, path: str) -> None:
    """A001"""
    target.ask(path, 404, writes=TRIED)
    require_local(target, target.ask(path, {302, 404}, who="nobody", writes=TRIED))


@pytest.mark.parametrize("climb", ["%2e%2e", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%2f..%2fetc%2fpasswd", "%2e/%2e%2e"])
@pytest.mark.parametrize("door", ["documents", "s", "t", "setup", "get-report", "get-pdf", "categories", "static"])
def test_an_encoded_path_that_climbs_leads_nowhere(target: Target, door: str, climb: str) -> None:
    """A002"""
    target.ask(f"/{door}/{climb}", 404, writes=TRIED)


@pytest.mark.parametrize("climb", ["%252e%252e%252fetc%252fpasswd", "%25252e%25252e%25252f", "2018%252fweather.csv"])
@pytest.mark.parametrize("door", ["/documents/", "/s/", "/get-report/", "/get-pdf/", "/categories/"])
def test_an_address_is_decoded_only_once(target: Target, door: str, climb: str) -> None:
    """A003"""
    target.ask(door + climb, 404, writes=TRIED)


@pytest.mark.parametrize("climb", ["..\\..\\x", "..%5c..%5cx", "%5c..%5c", "2018\\weather.csv", "2018%5cweather.csv"])
@pytest.mark.parametrize("door", ["/documents/", "/get-report/", "/get-image/", "/categories/reports/"])
def test_a_backslash_is_no_separator(target: Target, door: str, climb: str) -> None:
    """A005"""
    target.ask(door + climb, 404)


@pytest.mark.parametrize("absolute", ABSOLUTE)
def test_an_absolute_path_in_a_parameter_opens_nothing(target: Target, absolute: str) -> None:
    """A006"""
    quoted = absolute.replace("\\", "%5C").replace("/", "%2F")
    for path in ("/search?q={}", "/?name={}&file={}", "/admin/upload?category={}", "/admin/downloads?document={}"):
        target.ask(path.format(quoted, quoted), 200, who="publisher")
    target.ask(f"/documents?after={quoted}", 400)
    target.ask(f"/documents/{target.things['letter']}/download?path={quoted}", 200, writes={"downloads"})


@pytest.mark.parametrize("absolute", [*ABSOLUTE, "/outside"])
def test_an_absolute_path_in_a_form_opens_nothing(target: Target, absolute: str) -> None:
    """A006"""
    path = str(target.directory / "outside.txt") if absolute == "/outside" else absolute
    letter = f"/documents/{target.things['letter']}"

    target.upload("/admin/upload", 404, {"category": path}, part("files", b"a.pdf", CONTENT), who="publisher")
    target.post(f"{letter}/move", 404, {"category": path}, who="publisher")
    target.post(f"/admin/categories/{target.things['category']}/move", 422, {"parent": path}, who="manager")


@pytest.mark.parametrize("ref", ["file:///etc/passwd", "file:%2f%2f%2fetc%2fpasswd", "http:%2f%2f127.0.0.1%2fx"])
@pytest.mark.parametrize("door", ["/documents/{}", "/documents/{}/download", "/get-csv/{}", "/get-report/{}"])
def test_an_address_is_no_id(target: Target, door: str, ref: str) -> None:
    """A007"""
    answer = target.ask(door.format(ref), {404, 308})
    require_local(target, answer)
    if answer.status == 308:
        target.ask(answer.header("Location").partition(str(target.server.port))[2], 404)


@ON_BOTH
@pytest.mark.parametrize("spelling", ["upper case", "braces", "no dashes", "urn", "blank", "NUL", "line break"])
def test_a_uuid_has_one_spelling(target: Target, spelling: str) -> None:
    """A009"""
    uuid = target.things["letter"]
    spelled = {
        "upper case": uuid.upper() if uuid.upper() != uuid else "x",
        "braces": f"%7B{uuid}%7D",
        "no dashes": uuid.replace("-", ""),
        "urn": f"urn:uuid:{uuid}",
        "blank": f"{uuid}%20",
        "NUL": f"{uuid}%00",
        "line break": f"{uuid}%0A",
    }[spelling]
    with target.untouched():
        for address in ("/documents/{}", "/documents/{}/download", "/documents/{}/versions/1/download", "/get-pdf/{}"):
            target.ask(address.format(spelled), 404)


FEW = ["0{}", "{}.0", "%D9%A1", "9" * 23, "999999"]
"""Spellings that every address with an id is tried with."""
MANY = [
    *(
        "x",
        "+{}",
        "-{}",
        "%EF%BC%91",
        "%C2%B9",
        "%E2%91%A0",
        "1_0",
        "0_{}",
        "0x{}",
        "{}e0",
        "0",
        "null",
        "true",
        "999999",
    ),
    *("%20{}", "{}%20", "{}%00", "{}%0A", "{};x=1", "..%2f{}", "[{}]", "{},{}"),
]
LARGE = [str(2**31), str(2**63), str(2**64 + 1), "9" * 400]


@ON_BOTH
@pytest.mark.parametrize("spelling", FEW)
def test_an_id_has_one_spelling_at_every_address(target: Target, spelling: str) -> None:
    """A010"""
    addresses = list(addresses_with_ids(target))
    assert len(addresses) > 40
    with target.untouched():
        for method, address, own in addresses:
            path = address.format(spelling.format(*[own] * 2))
            headers = {"X-CSRFToken": target.form("admin")} if method == "POST" else {}
            target.ask(path, 404, who="admin", method=method, headers=headers)


@ON_BOTH
@pytest.mark.parametrize("spelling", MANY)
def test_an_id_has_one_spelling(target: Target, spelling: str) -> None:
    """A010"""
    spelled = spelling.format(*[target.things["letter_id"]] * 2)
    with target.untouched():
        for address in ("/documents/{}", "/documents/{}/download", "/get-pdf/{}"):
            target.ask(address.format(spelled), 404)


def test_the_one_spelling_of_an_id_leads_there(target: Target) -> None:
    """A010"""
    with target.untouched({"downloads"}):
        for method, address, own in addresses_with_ids(target):
            # Some pages ask what else they need to know; no worker has made an image of anything here.
            if method == "GET" and "/preview/" not in address:
                target.ask(address.format(own), (200, 422), who="admin")
        for address in ("/documents/{}", "/documents/{}/download", "/documents/{}/versions/1/download", "/get-pdf/{}"):
            target.ask(address.format(target.things["letter"]), 200)


@ON_BOTH
@pytest.mark.parametrize("number", LARGE)
def test_an_id_no_column_can_hold_is_unknown(target: Target, number: str) -> None:
    """A011"""
    with target.untouched():
        for address in (
            "/documents/{}",
            "/documents/{}/download",
            "/get-pdf/{}",
            "/admin/people/{}",
            "/admin/links/{}",
        ):
            target.ask(address.format(number), 404, who="admin")
        for query in ("document={}", "person={}", "link={}", "after={}"):
            target.ask(f"/admin/downloads?{query.format(number)}", 200, who="admin")
        target.post(f"/admin/categories/{target.things['category']}/move", 422, {"parent": number}, who="manager")


@pytest.mark.parametrize(
    "path",
    [
        "/documents/{};x=1",
        "/documents;/{}",
        "//documents//{}",
        "/documents//{}",
        "/./documents/{}",
        "/documents/./{}",
        "/documents/{}/",
        "/documents/{}/.",
        "//evil.example/..",
        "//evil.example/%2e%2e",
        "//evil.example//documents//{}",
        "/%5Cevil.example/..",
        "/%09/evil.example",
        "//evil.example/admin",
        "/categories//evil.example/",
    ],
)
@pytest.mark.parametrize("who", ["reader", "nobody"])
def test_separators_twice_lead_to_no_other_place(target: Target, path: str, who: str) -> None:
    """A013"""
    answer = target.ask(path.format(target.things["letter"]), {302, 308, 404}, who=who)
    require_local(target, answer)


@ON_BOTH
@pytest.mark.parametrize("number", ["0", "-1", "999999", "1e3", "null", "latest;1", "01", "%D9%A1", "1.0", "9" * 23])
def test_a_version_number_has_one_spelling(target: Target, number: str) -> None:
    """A014"""
    target.ask(f"/documents/{target.things['annual']}/versions/{number}/download", 404)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/etc/cron.d/x", "x"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\a\\doc.pdf", "doc.pdf"),
        ("\\\\host\\share\\scan.pdf", "scan.pdf"),
        ("..\\../mixed.pdf", "mixed.pdf"),
        ("..", "document"),
        ("blobs/ab/cd", "cd"),
    ],
)
@pytest.mark.parametrize("form", [part, extended_part])
def test_of_an_uploaded_path_only_the_last_name_is_kept(target: Target, form: object, given: str, kept: str) -> None:
    """A017"""
    content = CONTENT + os.urandom(8)
    one = part("files", given.encode(), content) if form is part else extended_part("files", given, content)

    target.upload("/admin/upload", 200, {"category": "csv"}, one, who="publisher", writes=UPLOADED)

    sha256 = hashlib.sha256(content).hexdigest()
    with target.app.app_context():
        newest = db.session.scalars(select(Version).order_by(Version.id.desc()).limit(1)).one()
        assert (newest.filename, newest.sha256) == (kept, sha256)
    assert blob(target, content).read_bytes() == content


@ON_BOTH
@pytest.mark.parametrize(
    "name", ["..", ".", "", "/", "a/b", "../..", "download", "a\x00b", "a\nb", "\u202e", "x" * 101]
)
def test_a_category_with_a_name_that_cannot_be_is_not_made(target: Target, name: str) -> None:
    """A018"""
    target.post(f"/admin/categories/{target.things['category']}/children", 422, {"name": name}, who="manager")


def test_categories_go_no_deeper_than_addresses_can(target: Target) -> None:
    """A018"""
    with target.app.app_context():
        deepest = makers.category("/".join(["deep"] * DEEPEST)).id

    target.post(f"/admin/categories/{deepest}/children", 422, {"name": "deeper"}, who="admin")
    with target.untouched(), target.app.app_context(), pytest.raises(BadInput):
        ensure_category(None, "/".join(["deeper"] * 300))


@ON_BOTH
@pytest.mark.parametrize("key", ["../../../../etc/passwd", "../../../outside.txt", "\\x00", "", "A" * 64])
def test_a_key_changed_in_the_database_opens_nothing(target: Target, key: str) -> None:
    """A021"""
    address = new_document(target, f"key {len(key)}.pdf")
    with target.app.app_context():
        version = db.session.scalars(select(Version).order_by(Version.id.desc()).limit(1)).one()
        makers.change(version, sha256=key.ljust(64, "x")[:64])

    require_refused(target, address)


@pytest.mark.parametrize("place", ["outside.txt", "/etc/passwd", "another blob", "nowhere"])
def test_a_blob_replaced_by_a_link_is_not_opened(target: Target, place: str) -> None:
    """A022"""
    content = CONTENT + place.encode()
    address, own = new_document(target, "linked.pdf", content), blob(target, content)
    own.unlink()
    other = {"outside.txt": target.directory / place, "another blob": blob(target, NEW), "nowhere": own.parent / "none"}
    own.symlink_to(other.get(place, Path(place)))

    require_refused(target, address, first=DAMAGED)


@pytest.mark.parametrize("parent", ["ab/cd", "ab", "blobs"])
def test_bytes_below_a_linked_directory_are_not_opened(target: Target, parent: str) -> None:
    """A023"""
    content = CONTENT + parent.encode()
    address, own = new_document(target, f"below {parent.replace('/', ' ')}.pdf", content), blob(target, content)
    directory = {"ab/cd": own.parent, "ab": own.parent.parent, "blobs": own.parent.parent.parent}[parent]

    with swapped(directory):
        require_refused(target, address, first=DAMAGED)
    target.ask(address, 200, writes={"downloads", "blobs", "audit_events"})


@pytest.mark.parametrize("name", ["plain.txt", "below/deep.txt"])
def test_a_file_of_a_source_replaced_by_a_link_is_not_opened(target: Target, name: str) -> None:
    """A022"""
    with swapped(target.directory / "folder" / name):
        require_refused(target, source_documents(target)[name])


def test_a_directory_of_a_source_replaced_by_a_link_is_not_entered(target: Target) -> None:
    """A023"""
    with swapped(target.directory / "folder" / "below"):
        require_refused(target, source_documents(target)["below/deep.txt"])


@pytest.mark.parametrize("name", ["link.txt", "linked/outside.txt"])
def test_a_link_in_a_source_is_no_document(target: Target, name: str) -> None:
    """A022"""
    target.ask(f"/categories/shown/{name.rpartition('/')[0]}".rstrip("/"), 404 if "/" in name else 200, who="admin")
    assert name not in source_documents(target)


def test_a_hard_link_to_a_secret_under_a_valid_key_is_not_given_out(target: Target) -> None:
    """A025"""
    content = CONTENT + b"hard link"
    address, own = new_document(target, "hard.pdf", content), blob(target, content)
    own.unlink()
    own.hardlink_to(target.directory / "outside.txt")

    require_refused(target, address, first=DAMAGED)


@ON_BOTH
def test_a_right_on_one_category_is_none_on_another_that_begins_alike(target: Target) -> None:
    """A026"""
    target.ask("/categories/reports", 200)
    for path in ("/categories/reports2", "/get-report/../reports2/beyond.pdf", "/get-report/2/beyond.pdf"):
        target.ask(path, 404)
    for address in ("/documents/{}", "/documents/{}/download", "/get-pdf/{}"):
        for ref in (target.things["beyond"], target.things["beyond_id"]):
            target.ask(address.format(ref), 404)
    assert "beyond" not in target.ask("/documents", 200).text


@pytest.mark.parametrize("secret", ["token", "ticket", "setup", "session"])
def test_a_secret_opens_only_its_own_door(target: Target, secret: str) -> None:
    """A027"""
    doors = {"token": "/s/{}", "ticket": "/t/{}", "setup": "/setup/{}", "session": "/account"}
    value = target.tokens["reader"] if secret == "session" else target.things[secret]
    own = {"Cookie": f"portal={value}"}
    for name, door in doors.items():
        is_own = name == secret
        headers = own if name == "session" else {"Accept": "text/html"}
        status = 200 if is_own else 302 if name == "session" else 404
        writes = {"downloads", "share_links", *TRIED}
        target.ask(door.format(value), status, who="nobody", headers=headers, writes=writes)


def test_a_ticket_gives_the_version_it_was_for_and_no_other(target: Target) -> None:
    """A027"""
    queries = ("", "?version=2", "?document=1", f"?ref={target.things['takeover']}", "?path=vault/takeover.pdf")
    with target.app.app_context():
        shelf = makers.category("csv")
        _, token = makers.link(makers.document(shelf, "ticket.pdf", b"%PDF for a ticket"))
        tickets = [reserve(token, None, network=makers.NETWORK, agent="tests") for _ in queries]
        makers.document(shelf, "ticket.pdf", b"%PDF newer than the tickets")

    for ticket, query in zip(tickets, queries, strict=True):
        for more in ("/1", "/versions/2/download", f"/../{target.things['takeover']}"):
            target.ask(f"/t/{ticket}{more}", 404, who="nobody", writes=TRIED)
        assert target.ask(f"/t/{ticket}{query}", 200, who="nobody", writes={"downloads"}).body == b"%PDF for a ticket"


def require_local(target: Target, answer: Answer) -> None:
    """Fails when the answer sends a browser to another origin."""
    place = answer.header("Location")
    assert not place or place.startswith((f"http://127.0.0.1:{target.server.port}/", "/login?next=/")), place
    assert "evil.example" not in place.partition("evil.example")[0]


def require_refused(target: Target, address: str, *, first: str = "") -> None:
    """Fails unless the answer is a sentence, the operator has a line and nobody has a byte.

    ``first`` is what the operator is told before that, by who writes the damage down.
    """
    told = (*([first] if first else []), f" at GET {address}")
    writes = {"blobs", "audit_events"} if first else set()
    answer = target.ask(address, 503, told=told, writes=writes)
    assert "cannot be given out just now" in answer.text
    assert answer.header("Retry-After") == "300"


def new_document(target: Target, filename: str, content: bytes = CONTENT) -> str:
    """The address of the bytes of another document that the reader may read."""
    with target.app.app_context():
        return f"/documents/{makers.document(makers.category('csv'), filename, content).uuid}/download"


def source_documents(target: Target) -> dict[str, str]:
    """Path in the source to the address of its bytes."""
    with target.app.app_context():
        versions = db.session.scalars(select(Version).where(Version.source_path.is_not(None)))
        return {str(version.source_path): f"/documents/{version.document_id}/download" for version in versions}


def blob(target: Target, content: bytes) -> Path:
    """Where these bytes are stored."""
    sha256 = hashlib.sha256(content).hexdigest()
    return target.settings.storage / "blobs" / sha256[:2] / sha256[2:4] / sha256


@contextmanager
def swapped(path: Path) -> Iterator[None]:
    """The file or directory moved aside, and a link to it in its place."""
    aside = path.with_name(f"{path.name} aside")
    path.rename(aside)
    path.symlink_to(aside)
    yield
    path.unlink()
    aside.rename(path)


IDS = {
    "ref": "letter_id",
    "document_id": "trashed_id",
    "category_id": "category",
    "field_id": "field",
    "image": "thumb",
    "grant_id": "grant",
    "link_id": "link",
    "group_id": "group",
    "user_id": "reader_user",
    "session_id": "999999",
    "number": "1",
}
"""The arguments of addresses that are ids, and the thing of each kind there is."""


def addresses_with_ids(target: Target) -> Iterator[tuple[str, str, str]]:
    """Method, address with one id left open, and the id that belongs there; one for each id of each address."""
    own = {name: target.things.get(thing, thing) for name, thing in IDS.items()}
    for rule in target.app.url_map.iter_rules():
        for name in sorted(rule.arguments & IDS.keys()):
            for method in sorted((rule.methods or set()) & {"GET", "POST"}):
                yield method, _left_open(rule, name, own), own[name]


def _left_open(rule: Rule, name: str, own: dict[str, str]) -> str:
    address = rule.rule.replace(f"<{name}>", "{}")
    for other in rule.arguments & own.keys() - {name}:
        address = address.replace(f"<{other}>", own[other])
    return address
