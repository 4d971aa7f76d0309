"""Uploads: counted, looked at, all or none; a refusal leaves no bytes, no rows and no temporary file."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.actors import Actor
from portal.catalog import Facts, list_versions, trash_document
from portal.downloads import open_bytes
from portal.errors import (
    BadInput,
    CategoryNotFound,
    DocumentNotFound,
    Forbidden,
    NameTaken,
    PortalError,
    UploadIncomplete,
    UploadTooLarge,
    UploadTypeRejected,
)
from portal.extensions import db, storage
from portal.models import PUBLISH, READ, AuditEvent, Blob, Document, Version
from portal.settings import Settings
from portal.storage import Received, Stamp
from portal.uploads import Arrival, arrive, receive, store_documents, store_version
from tests import makers
from tests.databases import SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")

PDF = b"%PDF-1.7\n"


def came(filename: str, content: bytes = PDF, facts: Facts | None = None, announced: int | None = None) -> Arrival:
    """A document that has arrived."""
    incoming = receive()
    incoming.write(content)
    return arrive(incoming, filename, facts=facts, announced=announced)


def bytes_of(document_id: int) -> bytes:
    """What a reader would get."""
    with open_bytes(makers.edition(db.session.get_one(Document, document_id))) as opened:
        return opened.handle.read()


@pytest.fixture
def require_nothing(settings: Settings) -> Callable[[], None]:
    """Fails unless there is neither a temporary file nor a row of a document, version or blob."""

    def check() -> None:
        makers.release()
        assert [path.name for path in (settings.storage / "tmp").glob("incoming-*")] == []
        for model in (Document, Version, Blob):
            assert db.session.scalars(select(func.count()).select_from(model)).one() == 0

    return check


@SQLITE_ONLY
def test_what_was_sent_is_what_is_given_out() -> None:
    (outcome,) = store_documents(None, makers.category().id, [came("a.pdf", PDF * 100)])

    assert outcome.kind == "added"
    assert bytes_of(outcome.document_id) == PDF * 100


def test_several_are_stored_together(settings: Settings) -> None:
    arrivals = [came(f"{number}.pdf", PDF + bytes([number])) for number in range(5)]

    outcomes = store_documents(None, makers.category().id, arrivals)

    assert [outcome.filename for outcome in outcomes] == [f"{number}.pdf" for number in range(5)]
    assert list((settings.storage / "tmp").glob("incoming-*")) == []


@SQLITE_ONLY
def test_equal_bytes_in_one_upload_are_one_blob() -> None:
    outcomes = store_documents(None, makers.category().id, [came("a.pdf"), came("b.pdf")])

    assert {bytes_of(outcome.document_id) for outcome in outcomes} == {PDF}
    assert db.session.scalars(select(func.count()).select_from(Blob)).one() == 1


@SQLITE_ONLY
def test_one_name_twice_in_one_upload_is_two_versions() -> None:
    outcomes = store_documents(None, makers.category().id, [came("a.pdf"), came("a.pdf", PDF + b"2")])

    assert [(outcome.kind, outcome.number) for outcome in outcomes] == [("added", 1), ("versioned", 2)]


@SQLITE_ONLY
def test_nothing_is_stored_as_an_empty_document() -> None:
    (outcome,) = store_documents(None, makers.category().id, [came("a.txt", b"", announced=0)])

    assert bytes_of(outcome.document_id) == b""


@SQLITE_ONLY
@pytest.mark.parametrize("announced", [0, len(PDF) - 1, len(PDF) + 1])
def test_another_length_than_announced_is_refused(require_nothing: Callable[[], None], announced: int) -> None:
    with pytest.raises(UploadIncomplete):
        came("a.pdf", announced=announced)
    require_nothing()


@SQLITE_ONLY
def test_another_type_than_its_name_says_is_refused(require_nothing: Callable[[], None]) -> None:
    with pytest.raises(UploadTypeRejected):
        came("a.pdf", b"MZ\x90\0")
    require_nothing()


@SQLITE_ONLY
def test_a_type_that_is_not_taken_is_refused(
    context: Flask, settings: Settings, require_nothing: Callable[[], None]
) -> None:
    context.config["PORTAL"] = replace(settings, allowed_types=frozenset({"csv"}))

    with pytest.raises(UploadTypeRejected, match="CSV"):
        came("a.pdf")
    require_nothing()


@SQLITE_ONLY
def test_more_than_allowed_is_refused(context: Flask, settings: Settings, require_nothing: Callable[[], None]) -> None:
    context.config["PORTAL"] = replace(settings, max_upload=len(PDF))
    came("a.pdf").received.temp.unlink()

    with pytest.raises(UploadTooLarge):
        came("a.pdf", PDF + b"x")
    require_nothing()


def refuse(refusal: type[PortalError], actor: Actor | None, category_id: int, arrivals: Iterable[Arrival]) -> None:
    """Store and expect to be refused."""
    with pytest.raises(refusal) as refused:
        store_documents(actor, category_id, list(arrivals))
    assert type(refused.value) is refusal


@pytest.mark.parametrize(("level", "refusal"), [(None, CategoryNotFound), (READ, Forbidden)])
def test_whoever_may_not_publish_leaves_nothing(
    require_nothing: Callable[[], None], level: int | None, refusal: type[PortalError]
) -> None:
    shelf, user = makers.category(), makers.person()
    if level:
        makers.grant(shelf, user=user, permission=level)

    refuse(refusal, makers.actor(user), shelf.id, [came("a.pdf"), came("b.pdf")])
    require_nothing()


@SQLITE_ONLY
def test_a_category_that_never_was_leaves_nothing(require_nothing: Callable[[], None]) -> None:
    refuse(CategoryNotFound, None, 4711, [came("a.pdf")])
    require_nothing()


@SQLITE_ONLY
def test_one_that_cannot_be_stored_keeps_the_others_out(require_nothing: Callable[[], None]) -> None:
    bad = came("b.pdf", facts=Facts(title="x" * 301))

    refuse(BadInput, None, makers.category().id, [came("a.pdf"), bad, came("c.pdf")])
    require_nothing()


def test_one_name_that_is_taken_keeps_the_others_out() -> None:
    shelf = makers.category()
    store_documents(None, shelf.id, [came("b.pdf")])

    with pytest.raises(NameTaken):
        store_documents(None, shelf.id, [came("a.pdf"), came("b.pdf", PDF + b"2")], on_conflict="refuse")
    assert list(db.session.scalars(select(Document.filename))) == ["b.pdf"]
    assert (
        db.session.scalars(
            select(func.count()).select_from(AuditEvent).where(AuditEvent.action == "document.added")
        ).one()
        == 1
    )


@SQLITE_ONLY
def test_a_storage_that_fails_leaves_nothing(settings: Settings, require_nothing: Callable[[], None]) -> None:
    shelf_id = makers.category().id
    arrival = came("a.pdf")
    (settings.storage / "blobs").rmdir()
    (settings.storage / "blobs").touch()

    with pytest.raises(PortalError, match="storage"):
        store_documents(None, shelf_id, [arrival])
    require_nothing()


def test_a_version_is_stored_with_its_note() -> None:
    (first,) = store_documents(None, makers.category().id, [came("a.pdf")])

    outcome = store_version(None, first.document_id, came("from my desk.pdf", PDF + b"2", Facts(note="corrected")))

    assert (outcome.kind, outcome.number, outcome.filename) == ("versioned", 2, "a.pdf")
    assert bytes_of(first.document_id) == PDF + b"2"
    assert list_versions(first.document_id)[0].version.note == "corrected"


@SQLITE_ONLY
@pytest.mark.parametrize(("level", "refusal"), [(None, DocumentNotFound), (READ, Forbidden)])
def test_whoever_may_not_publish_leaves_no_version(
    settings: Settings, level: int | None, refusal: type[PortalError]
) -> None:
    shelf, user = makers.category(), makers.person()
    if level:
        makers.grant(shelf, user=user, permission=level)
    (first,) = store_documents(None, shelf.id, [came("a.pdf")])

    with pytest.raises(refusal) as refused:
        store_version(makers.actor(user), first.document_id, came("a.pdf", PDF + b"2"))
    assert type(refused.value) is refusal
    assert len(list_versions(first.document_id)) == 1
    assert list((settings.storage / "tmp").glob("incoming-*")) == []


@SQLITE_ONLY
def test_a_version_of_nothing_leaves_nothing(require_nothing: Callable[[], None]) -> None:
    with pytest.raises(DocumentNotFound):
        store_version(None, 4711, came("a.pdf"))
    require_nothing()


@SQLITE_ONLY
def test_a_version_of_what_is_in_the_trash_leaves_no_temporary_file(settings: Settings) -> None:
    (first,) = store_documents(None, makers.category().id, [came("a.pdf")])
    trash_document(None, first.document_id)

    with pytest.raises(DocumentNotFound):
        store_version(None, first.document_id, came("a.pdf", PDF + b"2"))
    assert list((settings.storage / "tmp").glob("incoming-*")) == []


@SQLITE_ONLY
def test_a_publisher_stores(context: Flask) -> None:
    shelf, user = makers.category(), makers.person()
    makers.grant(shelf, user=user, permission=PUBLISH)

    (outcome,) = store_documents(makers.actor(user), shelf.id, [came("a.pdf")])

    assert db.session.get_one(Document, outcome.document_id).created_by_id == user.id


def test_two_uploads_with_the_same_bytes_in_other_order_do_not_wait_for_each_other(context: Flask) -> None:
    shelves = [makers.category(name).id for name in ("left", "right")]
    contents = [PDF + bytes([number]) for number in range(12)]
    for turn in range(3):
        left = [came(f"{turn}-{number}.pdf", content) for number, content in enumerate(contents)]
        right = [came(f"{turn}-{number}.pdf", content) for number, content in enumerate(reversed(contents))]

        outcomes = makers.at_once(
            context,
            lambda left=left: len(store_documents(None, shelves[0], left)),  # type: ignore[misc]
            lambda right=right: len(store_documents(None, shelves[1], right)),  # type: ignore[misc]
        )

        assert outcomes == [12, 12]
        contents = [content + b"." for content in contents]


@SQLITE_ONLY
def test_a_damaged_blob_is_mended_by_whoever_brings_its_bytes(settings: Settings) -> None:
    shelf = makers.category()
    (first,) = store_documents(None, shelf.id, [came("a.pdf")])
    digest = makers.edition(db.session.get_one(Document, first.document_id)).sha256
    (settings.storage / "blobs" / digest[:2] / digest[2:4] / digest).write_bytes(b"damaged")

    store_documents(None, shelf.id, [came("b.pdf")])

    assert bytes_of(first.document_id) == PDF


def test_no_connection_is_held_while_bytes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, user = makers.category(), makers.person()
    makers.grant(shelf, user=user, permission=PUBLISH)
    arrival, held = came("a.pdf"), []
    kept = storage().keep_all

    def keep_all(received: list[Received]) -> dict[str, Stamp]:
        held.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]
        return kept(received)

    monkeypatch.setattr(storage(), "keep_all", keep_all)
    store_documents(makers.actor(user), shelf.id, [arrival])

    assert held == [0]
