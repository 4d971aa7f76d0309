"""Row A210 of the attack table, and what else a zip can be asked for: nothing, too much, and names that collide.

That a program on any system unpacks it is in ``tests/archives``; that memory stays flat is measured.
"""

import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from urllib.parse import quote

import pytest
from sqlalchemy import select, update

from portal.extensions import db, transaction
from portal.models import READ, User, Version
from tests import makers
from tests.attacks.oracle import ON_BOTH, Answer, Target
from tests.servers import FORM

pytestmark = pytest.mark.xdist_group("attacks-bytes")

TICKETS = {"packs", "pack_items", "tickets", "audit_events"}


@ON_BOTH
def test_a_zip_of_nothing_says_so(target: Target) -> None:
    """A210"""
    with target.app.app_context():
        makers.category("pdf/empty")
        draft = makers.document(makers.category("pdf/only drafts"), "draft.pdf", published_at=None)
        draft_id = draft.id
    for path in ("pdf/empty", "pdf/only drafts"):
        answer = target.ask(f"/categories/{quote(path)}/download", 422)
        assert "draft" not in answer.text
    choose(target, 422, [])
    choose(target, 404, [str(draft_id)])


@pytest.mark.parametrize(
    "ids", [["x"], ["-1"], ["0"], ["1", ""], ["9" * 40], ["1.0"], ["\u0661"], ["+1"], ["1 "], ["0x1"]]
)
def test_a_choice_of_what_is_no_document_is_refused(target: Target, ids: list[str]) -> None:
    """A210"""
    choose(target, {404, 422}, ids)


def test_the_same_document_chosen_a_thousand_times_is_once_in_the_zip(target: Target) -> None:
    """A210"""
    with target.app.app_context():
        document_id = makers.document(makers.category("pdf"), "once.pdf", b"%PDF once").id

    ticket = choose(target, 303, [str(document_id)] * 1_000).header("Location")

    made = unpacked(target.ask(ticket, 200, writes={"downloads"}))
    assert made.namelist()[:1] == ["once.pdf"]
    assert len(made.namelist()) == 3


def test_more_than_a_form_holds_is_refused_before_it_is_read(target: Target) -> None:
    """A210"""
    choose(target, 413, ["1"] * 120_000)


@ON_BOTH
def test_more_than_a_zip_may_hold_is_refused_before_its_first_byte(target: Target) -> None:
    """A210"""
    with target.app.app_context():
        shelf = makers.category("pdf/huge")
        ids = [makers.document(shelf, f"{name}.bin", name.encode()).id for name in ("one", "two")]

    with said_to_have(target, 60 * 2**30, ids):
        for method, headers in product(("GET", "HEAD"), ({}, {"Range": "bytes=0-0"}, {"Range": "bytes=-1"})):
            target.ask("/categories/pdf/huge/download", 413, method=method, headers=headers)
        target.ask(choose(target, 303, [str(document_id) for document_id in ids]).header("Location"), 413)


def test_a_member_whose_bytes_are_not_what_the_catalog_says_begins_no_zip(target: Target) -> None:
    """A210"""
    with target.app.app_context():
        document_id = makers.document(makers.category("pdf/lying"), "lying.bin", b"lying").id

    with said_to_have(target, 2**33, [document_id]):
        answer = target.ask("/categories/pdf/lying/download", 503, told="ContentDamaged", writes={"downloads"})

    assert b"PK" not in answer.body


NAMES = ["Report.pdf", "report.pdf", "REPORT.PDF", "report (2).pdf", "Stra\u00dfe.pdf", "STRASSE.pdf", "strasse.pdf"]
NAMES += ["\u01c5.pdf", "\u01c6.pdf", "I\u0307.pdf", "i\u0307.pdf", "MANIFEST.csv", "manifest.CSV", "sha256sums"]


@ON_BOTH
def test_names_that_differ_only_by_case_are_all_in_the_zip_under_names_of_their_own(target: Target) -> None:
    """A210: on a system that knows no case none overwrites another."""
    path = "pdf/collisions"
    with target.app.app_context():
        shelf = makers.category(path)
        for number, name in enumerate(NAMES):
            makers.document(shelf, name, b"content %d" % number, "text/plain")
        for number, name in enumerate(("Folder", "folder", "Report.pdf", "FOLDER")):
            makers.document(makers.category(f"{path}/{name}"), "same.txt", b"below %d" % number, "text/plain")

    made = unpacked(target.ask(f"/categories/{path}/download", 200, writes={"downloads"}))

    names = made.namelist()
    assert not [name for name, count in Counter(name.casefold() for name in names).items() if count > 1]
    folders = {name.partition("/")[0].casefold() for name in names if "/" in name}
    assert not folders & {name.casefold() for name in names}, "or a file would stand in the way of a folder"
    contents = {made.read(name) for name in names if name not in ("MANIFEST.csv", "SHA256SUMS")}
    assert contents == {b"content %d" % n for n in range(len(NAMES))} | {b"below %d" % n for n in range(4)}
    assert made.testzip() is None


@ON_BOTH
def test_a_door_knows_names_that_differ_only_by_case_apart(target: Target) -> None:
    """A210: also beside it, in the doors and in the search."""
    with target.app.app_context():
        shelf = makers.category("reports/case")
        for name in ("Annual.pdf", "annual.pdf", "ANNUAL.pdf"):
            makers.document(shelf, name, f"%PDF {name}".encode())
    for name in ("Annual.pdf", "annual.pdf", "ANNUAL.pdf"):
        answer = target.ask(f"/get-report/case/{name}", 200, writes={"downloads"})
        assert answer.body == f"%PDF {name}".encode()
    target.ask("/get-report/case/aNNUAL.pdf", 404)
    target.ask("/get-report/CASE/annual.pdf", 404)


@ON_BOTH
def test_categories_that_differ_only_by_case_have_rights_of_their_own(target: Target) -> None:
    """A210"""
    with target.app.app_context():
        reader_id = int(target.things["reader_user"])
        for name in ("cased", "Cased", "CASED"):
            made = makers.category(name)
            makers.document(made, "secret.pdf", name.encode())
            if name == "cased":
                makers.grant(made, user=db.session.get_one(User, reader_id), permission=READ)

    target.ask("/categories/cased", 200)
    with target.untouched():
        for name in ("Cased", "CASED", "cAsed"):
            target.ask(f"/categories/{name}", 404)
            target.ask(f"/categories/{name}/download", 404)


def choose(target: Target, status: int | set[int], ids: list[str]) -> Answer:
    """Ask for a zip of these documents."""
    body = "&".join(f"document={quote(document_id)}" for document_id in ids).encode()
    headers = {"X-CSRFToken": target.form("reader"), "Content-Type": FORM}
    writes = TICKETS if status == 303 else set()
    return target.ask("/documents/download", status, method="POST", headers=headers, body=body, writes=writes)


def unpacked(answer: Answer) -> zipfile.ZipFile:
    """The zip in an answer."""
    return zipfile.ZipFile(io.BytesIO(answer.body))


@contextmanager
def said_to_have(target: Target, size: int, document_ids: list[int]) -> Iterator[None]:
    """The catalog says that these documents have so many bytes each, for the length of a block."""
    these = Version.document_id.in_(document_ids)
    with target.app.app_context():
        before = {row.id: row.size for row in db.session.execute(select(Version.id, Version.size).where(these))}
        with transaction() as session:
            session.execute(update(Version).where(these).values(size=size))
    try:
        yield
    finally:
        with target.app.app_context(), transaction() as session:
            for version_id, was in before.items():
                session.execute(update(Version).where(Version.id == version_id).values(size=was))
