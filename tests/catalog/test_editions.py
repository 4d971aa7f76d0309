"""Editions: what a ref, an old address or a path names for somebody, and nothing for everybody else."""

import uuid
from dataclasses import dataclass

import pytest
from flask import Flask

from portal.actors import PORTAL, Actor
from portal.catalog import (
    Edition,
    Ref,
    find_at_path,
    find_edition,
    find_in_door,
    find_readable,
    find_ref,
    get_version,
    move_document,
    parse_id,
    parse_ref,
    trash_document,
)
from portal.models import PUBLISH, Category, Document
from tests import makers
from tests.databases import SQLITE_ONLY

LINK = Actor(user_id=None, kind="link")


@dataclass
class House:
    """Two versions of one document in ``pdf/annual``, which a reader and a publisher see and a stranger does not."""

    shelf: Category
    document: Document
    reader: Actor
    publisher: Actor
    stranger: Actor
    administrator: Actor


@pytest.fixture
def house(context: Flask) -> House:
    shelf = makers.category("pdf/annual")
    people = {name: makers.person(name) for name in ("Reader", "Publisher", "Stranger")}
    makers.grant(shelf, user=people["Reader"])
    makers.grant(shelf, user=people["Publisher"], permission=PUBLISH)
    document = makers.document(shelf, "report.pdf", b"%PDF one")
    makers.document(shelf, "report.pdf", b"%PDF two")
    actors = [makers.actor(user) for user in (*people.values(), makers.person("Root", is_admin=True))]
    return House(shelf, document, *actors)


def found(edition: Edition | None) -> tuple[str, int] | None:
    """Name and number, to compare."""
    return (edition.filename, edition.number) if edition else None


def test_every_kind_of_reader_finds_the_current_version_by_id_and_uuid(house: House) -> None:
    for actor in (house.reader, house.publisher, house.administrator, PORTAL):
        for ref in (house.document.id, house.document.uuid):
            assert found(find_readable(actor, ref)) == ("report.pdf", 2)


@SQLITE_ONLY
def test_an_old_version_is_pinned_by_its_number(house: House) -> None:
    edition = find_readable(house.reader, house.document.id, 1)

    assert edition is not None
    assert (edition.number, edition.is_current, edition.size) == (1, False, 8)


@SQLITE_ONLY
def test_a_number_that_never_was_is_nothing(house: House) -> None:
    for number in (0, 3, 2**31 - 1):
        assert find_readable(house.reader, house.document.id, number) is None


def test_unknown_and_forbidden_are_one_statement_and_nothing(house: House, statements: list[str]) -> None:
    cases: list[tuple[Actor, Ref, int | None]] = [
        (house.stranger, house.document.id, None),
        (house.stranger, house.document.uuid, None),
        (house.stranger, house.document.id, 1),
        (house.stranger, 4711, None),
        (house.reader, uuid.uuid4(), None),
        (LINK, house.document.id, None),
    ]
    for actor, ref, number in cases:
        statements.clear()
        assert find_readable(actor, ref, number) is None
        assert len([statement for statement in statements if "SELECT" in statement]) == 1


@SQLITE_ONLY
def test_unknown_and_forbidden_paths_take_equally_many_statements(house: House, statements: list[str]) -> None:
    counts = set()
    for path in ("pdf/annual/report.pdf", "pdf/annual/nothing.pdf", "nothing/x.pdf", "x"):
        makers.release()
        statements.clear()
        assert find_at_path(house.stranger, path) is None
        counts.add(len(statements))
    assert len(counts) == 1


@SQLITE_ONLY
def test_unknown_and_forbidden_door_names_take_equally_many_statements(house: House, statements: list[str]) -> None:
    document = makers.document(makers.category("pdf"), "letter.pdf")
    for forbidden, unknown in [("letter.pdf", "nothing.pdf"), ("letter", "nothing"), (str(document.id), "4711")]:
        counts = []
        for name in (forbidden, unknown):
            makers.release()
            statements.clear()
            assert find_in_door(house.stranger, "pdf", name, ".pdf") is None
            counts.append(len(statements))
        assert counts[0] == counts[1]


def test_what_is_not_out_is_found_by_publishers_only(house: House) -> None:
    past, later = makers.now(seconds=-1), makers.now(hours=1)
    for published_at, expires_at in ((None, None), (later, None), (past, past)):
        makers.change(house.document, published_at=published_at, expires_at=expires_at)

        assert find_readable(house.reader, house.document.id) is None
        assert find_at_path(house.reader, "pdf/annual/report.pdf") is None
        assert find_in_door(house.reader, "pdf", str(house.document.id), ".pdf") is None
        for actor in (house.publisher, house.administrator):
            assert found(find_readable(actor, house.document.id)) == ("report.pdf", 2)


@SQLITE_ONLY
def test_what_is_in_the_trash_is_found_by_nobody(house: House) -> None:
    trash_document(None, house.document.id)

    assert find_readable(house.administrator, house.document.id) is None
    assert find_at_path(PORTAL, "pdf/annual/report.pdf") is None
    assert find_edition(house.document.id, None) is None
    assert find_ref(str(house.document.id)) is None


@SQLITE_ONLY
def test_a_version_whose_bytes_were_removed_is_not_found(house: House) -> None:
    edition = find_readable(house.reader, house.document.id, 1)
    assert edition is not None
    makers.change(get_version(edition.version_id), blob_id=None, purged_at=makers.now())

    assert find_readable(house.reader, house.document.id, 1) is None
    assert find_edition(house.document.id, edition.version_id) is None


@SQLITE_ONLY
def test_an_edition_carries_its_validators(house: House) -> None:
    edition = makers.edition(house.document)

    assert edition.etag == f'"sha256-{edition.sha256}"'
    assert edition.digest == "sha-256=:RilqHMlcTwbVnhhAGadsqs2GRoi6u+aqe752/TJLs1A=:"


@pytest.fixture
def door(house: House) -> dict[str, str]:
    """Documents directly in ``pdf`` that everybody may read; gives their uuids by filename."""
    shelf = makers.category("pdf")
    makers.grant(shelf, everyone=True)
    names = ["letter.pdf", "letter", "0.pdf", str(house.document.id)]
    return {name: str(makers.document(shelf, name, name.encode()).uuid) for name in names}


@SQLITE_ONLY
@pytest.mark.usefixtures("door")
def test_a_door_tries_the_filename_first(house: House) -> None:
    assert found(find_in_door(house.reader, "pdf", "letter", ".pdf")) == ("letter", 1)
    assert found(find_in_door(house.reader, "pdf", "letter.pdf", ".pdf")) == ("letter.pdf", 1)


@SQLITE_ONLY
@pytest.mark.usefixtures("door")
def test_a_door_tries_the_filename_with_its_ending_second(house: House) -> None:
    assert found(find_in_door(house.reader, "pdf", "0", ".pdf")) == ("0.pdf", 1)


@SQLITE_ONLY
def test_a_door_without_an_ending_adds_none(house: House) -> None:
    makers.document(house.shelf, "x.jpg")

    assert find_in_door(house.administrator, "pdf/annual", "x", "") is None


@SQLITE_ONLY
@pytest.mark.usefixtures("door")
def test_a_filename_made_of_digits_wins_over_the_id(house: House) -> None:
    assert found(find_in_door(house.reader, "pdf", str(house.document.id), ".pdf")) == (str(house.document.id), 1)


def test_a_door_finds_ids_and_uuids_anywhere_below_it(house: House) -> None:
    for name in (str(house.document.id), str(house.document.uuid)):
        assert found(find_in_door(house.reader, "pdf", name, ".pdf")) == ("report.pdf", 2)


@SQLITE_ONLY
def test_a_door_does_not_find_names_below_its_own_category(house: House) -> None:
    assert find_in_door(house.reader, "pdf", "report.pdf", ".pdf") is None


@SQLITE_ONLY
def test_a_door_does_not_find_ids_next_door(house: House) -> None:
    move_document(None, house.document.id, makers.category("pdf2").id)

    assert find_in_door(house.administrator, "pdf", str(house.document.id), ".pdf") is None


@SQLITE_ONLY
def test_a_door_to_no_category_finds_nothing(house: House) -> None:
    assert find_in_door(house.administrator, "images", str(house.document.id), "") is None


@SQLITE_ONLY
def test_a_door_knows_a_name_however_its_accents_are_made(house: House) -> None:
    makers.document(makers.category("pdf"), "r\u00e9sum\u00e9.pdf")

    assert found(find_in_door(house.administrator, "pdf", "re\u0301sume\u0301", ".pdf")) == ("r\u00e9sum\u00e9.pdf", 1)


def test_a_name_that_cannot_be_leads_nowhere(house: House) -> None:
    for name in ("a\x00b", "\ud800", "", "..", "/", "%"):
        assert find_in_door(house.administrator, "pdf", name, ".pdf") is None
        assert find_at_path(house.administrator, f"pdf/{name}") is None
        assert find_ref(f"pdf/{name}") is None


def test_a_path_is_category_path_and_filename(house: House) -> None:
    assert found(find_at_path(house.reader, "pdf/annual/report.pdf")) == ("report.pdf", 2)
    for path in ("/pdf/annual/report.pdf", "pdf//annual/report.pdf", "pdf/annual/REPORT.pdf", "pdf/annual/report.pdf/"):
        assert find_at_path(house.reader, path) is None


@SQLITE_ONLY
def test_an_operator_means_a_document_by_id_uuid_or_path(house: House) -> None:
    for text in (str(house.document.id), str(house.document.uuid), "pdf/annual/report.pdf"):
        document = find_ref(text)
        assert document is not None
        assert document.id == house.document.id


CANONICAL = "202de685-1dcb-4272-9aff-3dc10b65ef77"


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "01", "+1", "-1", " 1", "1 ", "1_0", "1.0", "1e3", "0x1", "1\n", "1\x00"),
        *("\u0661", "\uff11", "9" * 23, "2147483648"),
        *(CANONICAL.upper(), CANONICAL.replace("-", ""), f"{{{CANONICAL}}}", f"urn:uuid:{CANONICAL}", f"{CANONICAL}\n"),
    ],
)
def test_a_ref_has_exactly_one_spelling(text: str) -> None:
    assert parse_ref(text) is None
    assert parse_id(text) is None


def test_refs_are_ids_and_uuids() -> None:
    assert (parse_ref("1"), parse_ref("2147483647")) == (1, 2147483647)
    assert parse_ref(CANONICAL) == uuid.UUID(CANONICAL)
    assert parse_id(CANONICAL) is None


@SQLITE_ONLY
def test_a_link_follows_its_document_and_not_the_path(house: House) -> None:
    move_document(None, house.document.id, makers.category("far").id)

    assert found(find_edition(house.document.id, None)) == ("report.pdf", 2)
