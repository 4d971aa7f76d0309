"""Group A.7 of the attack table: names, labels and other words that somebody sends.

Every row of the group is the first word of a test here, but those that nothing is there for yet:

A174, A175: cells of a CSV export; there is no export.

A171 is about mails; none is sent yet, and what no mail could be addressed to is refused where it is typed. A163 is on
JSON, which nobody takes yet; in a form, half a character is kept as the sign for it or as its codes. What
``portal/filenames.py`` makes of any name is shown in ``tests/test_filenames.py``, how names stand in a zip in
``tests/archives/test_names.py``, and what Chromium saves in ``tests/browser/test_filenames.py``.
"""

import hashlib
import re
import subprocess
from io import BytesIO
from itertools import count
from pathlib import Path
from unicodedata import normalize
from urllib.parse import unquote
from zipfile import ZipFile

import pytest
from sqlalchemy import select

from portal.extensions import db
from portal.models import Document, Download, ShareLink, Version
from tests import makers
from tests.attacks.oracle import ON_BOTH, Target, extended_part, part
from tests.parts import program

pytestmark = pytest.mark.xdist_group("attacks")

UPLOADED = {"documents", "versions", "blobs", "categories", "audit_events", "search_changes", "previews", "users"}
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
_numbers = count(1)
"""So that no two documents have equal bytes: those that are known are only touched."""
SPOOFED = "\u0440\u0430ypal.txt"
"""The first two letters are Cyrillic."""

CONTROLS = [
    ("a\x00b.txt", "ab.txt"),
    ("\x1b[31mred.txt", "[31mred.txt"),
    ("a\x7f\x85\x9bb.txt", "ab.txt"),
    ("a\r\nX-Injected: 1.txt", "aX-Injected: 1.txt"),
    ("a\u2028b\u2029c.txt", "abc.txt"),
    ("invoice\u202etxt.exe", "invoicetxt.exe"),
    ("\u2066a\u2069\u200f.txt", "a.txt"),
]
SIGNS = ['a"b;c,d.txt', "a%0d%0ab%22.txt", "100%25.txt", "a'b (1)*.txt", "<script>alert(1)<.script>.txt", "{{7*7}}.txt"]
SCRIPTS = ["\u062a\u0642\u0631\u064a\u0631.txt", "\u5831\u544a\u66f8.txt", f"{FAMILY}.txt", "r\u00e9sum\u00e9.txt"]
INVISIBLE = ["\u200b", "\ufeff", "\xad", "\u2060", "\U000e0041"]
NAMELESS = [("...", "document"), (" . ", "document"), (".pdf", "document.pdf"), ("..pdf", "document.pdf")]
DEVICES = ["CON", "nul.txt", "COM\u00b9.txt", "aux", "desktop.ini", "con .txt"]
PLAIN = [".htaccess", "~$x.txt", "name.txt. . ."]
ARGUMENTS = ["-rf.txt", "--output=x", "@list", "$(id).txt", "`id`;.txt", "|id", "&& id"]


@ON_BOTH
@pytest.mark.parametrize(("given", "kept"), CONTROLS)
def test_what_cannot_be_seen_is_not_in_a_name(target: Target, given: str, kept: str) -> None:
    """A157"""
    require_kept(target, given, kept)


@pytest.mark.parametrize("name", SIGNS)
def test_signs_of_headers_are_quoted_and_never_meant(target: Target, name: str) -> None:
    """A158"""
    require_kept(target, name, name)


def test_curl_saves_a_document_under_its_plain_name_where_it_is_told_to(target: Target, tmp_path: Path) -> None:
    """A158"""
    curl = program("curl", "curl")
    for name, saved in (('a"b;c,d%2f.txt', "a_b_c,d_2f.txt"), ("\u5831\u544a\u66f8.txt", "document.txt")):
        content = b"by curl: " + name.encode()
        address = put(target, extended_part("files", name, content))
        url = f"http://127.0.0.1:{target.server.port}{address}/download"
        cookie = f"portal={target.tokens['reader']}"
        subprocess.run([curl, "-sfOJ", "--cookie", cookie, "--output-dir", tmp_path, url], check=True, timeout=60)

        assert (tmp_path / saved).read_bytes() == content
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_name_of_any_script_comes_out_as_it_went_in(target: Target, name: str) -> None:
    """A159"""
    require_kept(target, name, name)


@pytest.mark.parametrize("character", INVISIBLE)
def test_invisible_characters_are_removed(target: Target, character: str) -> None:
    """A161"""
    require_kept(target, f"{character}in{character}voice.txt{character}", "invoice.txt")


def test_a_look_alike_is_kept_and_publishers_get_a_quiet_hint(target: Target) -> None:
    """A162"""
    address = require_kept(target, SPOOFED, SPOOFED)
    honest = put(target, extended_part("files", "paypal.txt", b"paypal"))

    hint = "A word of this name mixes letters of several scripts."
    assert hint in target.ask(address, 200, who="publisher").text
    assert hint not in target.ask(address, 200, who="reader").text
    assert hint not in target.ask(honest, 200, who="publisher").text


@ON_BOTH
def test_half_a_character_is_kept_as_the_sign_for_it(target: Target) -> None:
    """A163"""
    address = require_kept(target, "a\ud800b.txt", "a\ufffd\ufffd\ufffdb.txt")
    raw = part("files", b"c\xed\xa0\x80.txt", b"c")
    target.upload("/admin/upload", 400, {"category": "csv"}, raw, who="publisher")

    fields = {"title": b"t\xed\xa0\x80", "filename": b"e\xed\xbf\xbf.txt", "description": b"\xed\xa0\x80"}
    target.post(f"{address}/edit", 303, fields, who="publisher", writes=UPLOADED)
    assert newest(target).filename == "e%ED%BF%BF.txt"


@pytest.mark.parametrize(("given", "kept"), NAMELESS)
def test_a_name_of_nothing_becomes_a_document(target: Target, given: str, kept: str) -> None:
    """A165"""
    require_kept(target, given, kept, b"%PDF-1.7 " + given.encode())


@pytest.mark.parametrize("name", DEVICES)
def test_a_name_that_windows_would_obey_is_kept_and_sent_with_an_underscore(target: Target, name: str) -> None:
    """A166"""
    require_kept(target, name, name, sent=f"_{name}")


@pytest.mark.parametrize("name", PLAIN)
def test_a_name_some_system_hides_or_cuts_stays_one_that_can_be_seen(target: Target, name: str) -> None:
    """A166"""
    require_kept(target, name, name.strip(". "))


@ON_BOTH
def test_names_that_are_equal_but_for_composition_are_one_and_but_for_case_are_two(target: Target) -> None:
    """A167"""
    first = put(target, extended_part("files", normalize("NFC", "r\u00e9sum\u00e9.txt"), b"composed"))
    second = put(target, extended_part("files", normalize("NFD", "r\u00e9sum\u00e9.txt"), b"decomposed"))
    third = put(target, extended_part("files", "R\u00c9SUM\u00c9.txt", b"in capitals"))

    assert first == second
    assert third != first


def test_names_in_a_zip_are_safe_and_each_of_them_once(target: Target) -> None:
    """A166 A167"""
    with target.app.app_context():
        shelf = makers.category("zipped")
        makers.grant(shelf, everyone=True)
        for number, name in enumerate(
            ("CON", "Report.txt", "report.TXT", "r\u00e9sum\u00e9.txt", "R\u00c9SUM\u00c9.txt", "a:b?.txt")
        ):
            makers.document(shelf, name, b"zipped %d" % number, "text/plain")

    answer = target.ask("/categories/zipped/download", 200, writes={"downloads"})

    names = [normalize("NFC", name.rpartition("/")[2]) for name in ZipFile(BytesIO(answer.body)).namelist()]
    assert len({name.casefold() for name in names}) == len(names)
    assert {"_CON", "a_b_.txt"} <= set(names)
    assert len([name for name in names if name.casefold().startswith("report")]) == 2


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_name_is_no_argument_and_no_command(target: Target, name: str) -> None:
    """A169"""
    require_kept(target, name, name)


@pytest.mark.parametrize("ending", ["html", "svg", "x\r\ny", "<b>", "js", "\u540d"])
def test_type_and_validator_are_not_made_of_what_was_sent(target: Target, ending: str) -> None:
    """A170"""
    content = f"<svg>{ending}</svg>".encode()
    one = extended_part("files", f"a.{ending}", content)
    hostile = b'\r\nContent-Type: text/html; charset="utf-7\r\nETag: "mine"\r\nX-Injected: 1\r\n\r\n'
    address = put(target, one.replace(b"\r\n\r\n", hostile, 1))

    answer = target.ask(f"{address}/download", 200, writes={"downloads"})

    assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+(; charset=utf-8)?", answer.header("Content-Type"))
    assert answer.header("ETag") == f'"sha256-{hashlib.sha256(content).hexdigest()}"'
    assert answer.header("Content-Disposition").startswith("attachment; ")
    assert answer.header("Content-Security-Policy").startswith("sandbox; default-src 'none'")
    assert answer.header("X-Injected") == ""


@pytest.mark.parametrize(
    "email", ["a@b.example\r\nBcc: c@b.example", "a@b.example\nc", "a@\u2028b", "a@b\x00c", "a b@c"]
)
def test_an_address_no_mail_could_be_sent_to_is_refused(target: Target, email: str) -> None:
    """A171"""
    target.post("/admin/people/new", 422, {"name": "Eve", "email": email}, who="admin")


@pytest.mark.parametrize("label", ["a\u202eb", "a\nb\x00", "\x1b[31m", "x" * 201, "a\u200bb"])
def test_a_label_holds_only_what_can_be_seen(target: Target, label: str) -> None:
    """A173"""
    target.post(f"/documents/{target.things['letter']}/links", 422, {"label": label}, who="publisher")


@pytest.mark.parametrize("blank", ["\u2028", "\u2029", "\r\n", "\x85", "\u3000"])
def test_a_line_break_in_a_label_is_a_blank(target: Target, blank: str) -> None:
    """A173"""
    writes = {"share_links", "audit_events"}
    address, fields = f"/documents/{target.things['letter']}/links", {"label": f"a{blank}b"}
    target.post(address, 200, fields, who="publisher", writes=writes)
    with target.app.app_context():
        assert db.session.scalars(select(ShareLink.label).order_by(ShareLink.id.desc()).limit(1)).one() == "a b"


@pytest.mark.parametrize("agent", ["a\u2028b\u202e", "x" * 8000, "a\x85b\xa0", 'a" 200 "b\\'])
def test_a_header_is_one_short_line_of_what_can_be_seen(target: Target, agent: str) -> None:
    """A173"""
    address = f"/documents/{target.things['weather']}/download"
    before = len(target.server.output)

    target.ask(address, 200, who="manager", headers={"User-Agent": agent}, writes={"downloads"})

    line = target.server.output[before:]
    assert len(line) < 1024 + 300
    with target.app.app_context():
        assert len(db.session.scalars(select(Download.agent).order_by(Download.id.desc()).limit(1)).one()) <= 300


def require_kept(target: Target, given: str, kept: str, content: bytes = b"", sent: str = "") -> str:
    """The address of a document uploaded by that name; fails unless it is kept under this one, and sent so."""
    content = content or b"%d: " % next(_numbers) + given.encode("utf-8", "replace")
    address = put(target, extended_part("files", given, content))
    assert newest(target).filename == kept

    target.ask(address, 200)
    answer = target.ask(f"{address}/download", 200, writes={"downloads"})
    assert answer.body == content
    header = answer.header("Content-Disposition")
    assert re.fullmatch(r"[\x20-\x7e]+", header)
    plain = re.match(r'attachment; filename="([^"\\/%;]+)"(?:; filename\*=UTF-8\'\'([^"; ]+))?\Z', header)
    assert plain is not None, header
    assert (unquote(plain[2], errors="strict") if plain[2] else plain[1]) == (sent or kept)
    return address


def put(target: Target, one: bytes) -> str:
    """The address of the document that came of a form with this part."""
    target.upload("/admin/upload", 200, {"category": "csv"}, one, who="publisher", writes=UPLOADED)
    return f"/documents/{newest(target).uuid}"


def newest(target: Target) -> Document:
    """The document whose version came last."""
    with target.app.app_context():
        statement = select(Document).join(Version, Version.document_id == Document.id).order_by(Version.id.desc())
        return db.session.scalars(statement.limit(1)).one()
