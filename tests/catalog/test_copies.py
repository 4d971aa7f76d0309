"""Copies: which version of what they are, told only to those who may read the document."""

import hashlib
from dataclasses import dataclass

import pytest
from flask import Flask

from portal.actors import Actor
from portal.catalog import (
    Copy,
    find_copies,
    find_copy,
    get_pinned,
    parse_sha256,
    restore_version,
    trash_document,
)
from portal.errors import BadInput
from portal.models import Category, Document
from tests import makers
from tests.databases import SQLITE_ONLY

ONE, TWO, SAME = b"%PDF one", b"%PDF two", b"%PDF the same everywhere"
HASH = hashlib.sha256(ONE).hexdigest()
OTHER = hashlib.sha256(TWO).hexdigest()


@dataclass
class House:
    """A document in its second version on a shelf with a reader, and one that nobody but administrators sees."""

    shelf: Category
    document: Document
    hidden: Document
    reader: Actor
    stranger: Actor
    administrator: Actor


@pytest.fixture
def house(context: Flask) -> House:
    shelf = makers.category("reports")
    reader, stranger = makers.person("Reader"), makers.person("Stranger")
    makers.grant(shelf, user=reader)
    document = makers.document(shelf, "report.pdf", ONE)
    makers.document(shelf, "report.pdf", TWO)
    hidden = makers.document(makers.category("vault"), "hidden.pdf", SAME)
    people = (makers.actor(reader), makers.actor(stranger), makers.actor(makers.person("Root", is_admin=True)))
    return House(shelf, document, hidden, *people)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def told(copy: Copy | None) -> tuple[int, int, bool] | None:
    """The number of the copy, that of the newest version, and whether they are the same."""
    return (copy.number, copy.current, copy.is_current) if copy else None


def test_a_copy_is_current_or_was_replaced_or_is_unknown(house: House) -> None:
    ask = house.document.id
    assert told(find_copy(house.reader, ask, sha256(TWO))) == (2, 2, True)
    assert told(find_copy(house.reader, ask, sha256(ONE))) == (1, 2, False)
    assert find_copy(house.reader, ask, sha256(SAME)) is None
    assert find_copy(house.reader, ask, "0" * 64) is None


def test_a_copy_tells_what_replaced_it_and_what_is_newest(house: House) -> None:
    makers.document(house.shelf, "report.pdf", b"%PDF three")
    copy = find_copy(house.reader, house.document.id, sha256(ONE))

    assert copy is not None
    assert copy.replaced is not None
    assert (copy.replaced.number, copy.current, copy.title) == (2, 3, "report")
    assert copy.replaced.at == get_pinned(house.document.id, 2).version.created_at


def test_what_came_back_is_current_again(house: House) -> None:
    restore_version(None, house.document.id, 1)

    assert told(find_copy(house.reader, house.document.id, sha256(ONE))) == (3, 3, True)
    assert told(find_copy(house.reader, house.document.id, sha256(TWO))) == (2, 3, False)


def test_every_document_with_these_bytes_is_named_that_one_may_read(house: House) -> None:
    makers.document(house.shelf, "a.pdf", SAME)
    makers.document(house.shelf, "b.pdf", SAME)
    makers.document(house.shelf, "b.pdf", ONE)

    found = [(copy.filename, *(told(copy) or ())) for copy in find_copies(house.reader, sha256(SAME))]
    assert found == [("b.pdf", 1, 2, False), ("a.pdf", 1, 1, True)]
    assert [copy.filename for copy in find_copies(house.administrator, sha256(SAME))] == [
        "b.pdf",
        "a.pdf",
        "hidden.pdf",
    ]


def test_unknown_and_forbidden_are_one_statement_and_nothing(house: House, statements: list[str]) -> None:
    document_id = house.document.id
    cases = [
        (house.reader, sha256(SAME)),
        (house.reader, "0" * 64),
        (house.stranger, sha256(ONE)),
        (Actor(user_id=None, kind="link"), sha256(ONE)),
    ]
    for actor, wanted in cases:
        statements.clear()
        assert find_copies(actor, wanted) == []
        assert find_copy(actor, document_id, wanted) is None
        assert len(statements) == 2


@SQLITE_ONLY
def test_a_version_whose_bytes_are_gone_is_still_known_to_readers_and_to_nobody_else(house: House) -> None:
    makers.change(get_pinned(house.document.id, 1).version, blob_id=None, purged_at=makers.now())

    assert [told(copy) for copy in find_copies(house.reader, sha256(ONE))] == [(1, 2, False)]
    assert find_copies(house.stranger, sha256(ONE)) == []


@SQLITE_ONLY
def test_what_is_not_out_or_in_the_trash_is_as_if_it_were_not(house: House) -> None:
    makers.change(house.document, published_at=None)
    assert find_copies(house.reader, sha256(ONE)) == []

    makers.change(house.document, published_at=makers.now())
    trash_document(None, house.document.id)
    assert find_copies(house.administrator, sha256(ONE)) == []


@pytest.mark.parametrize(
    "pasted",
    [
        HASH,
        HASH.upper(),
        f"  {HASH}\n",
        f"sha256:{HASH}",
        f"SHA-256: {HASH.upper()}",
        f"{HASH}  report.pdf",
        f"{HASH} *report.pdf\n",
        f"\\{HASH}  two\\nlines.pdf",
        f"{HASH}  {OTHER}",
        f"SHA256 (report.pdf) = {HASH}",
        f"SHA256 ({OTHER}) = {HASH}",
        f"SHA256          {HASH.upper()}       C:\\report.pdf",
        " ".join(HASH[start : start + 2] for start in range(0, 64, 2)),
        ":".join(HASH[start : start + 2] for start in range(0, 64, 2)).upper(),
        f"{HASH[:32]}\r\n{HASH[32:]}",
    ],
)
def test_a_hash_is_taken_as_programs_print_it(pasted: str) -> None:
    assert parse_sha256(pasted) == HASH


@pytest.mark.parametrize(
    ("pasted", "sentence"),
    [
        ("", "Choose your copy, or paste its SHA-256."),
        ("sha256:", "Choose your copy, or paste its SHA-256."),
        (HASH[:-1], "A SHA-256 has 64 signs. These are 63."),
        (f"{HASH}0", "A SHA-256 has 64 signs. These are 65."),
        ("da39a3ee5e6b4b0d3255bfef95601890afd80709", "A SHA-256 has 64 signs. These are 40."),
        ("report.pdf", "This is no SHA-256: that has 64 signs, each 0 to 9 or a to f."),
        ("\uff10" * 64, "This is no SHA-256: that has 64 signs, each 0 to 9 or a to f."),
        ("g" * 64, "This is no SHA-256: that has 64 signs, each 0 to 9 or a to f."),
        ("\x00\ud800", "This is no SHA-256: that has 64 signs, each 0 to 9 or a to f."),
        ("0" * 1_000_000, "A SHA-256 has 64 signs. These are 5000."),
    ],
    ids=lambda value: str(len(value)) if len(value) > 80 else ascii(value),
)
def test_what_is_no_hash_is_refused_with_a_sentence(pasted: str, sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_sha256(pasted)
    assert (refused.value.sentence, refused.value.field) == (sentence, "sha256")
