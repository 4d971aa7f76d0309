"""Fields of a category, and what it says of new documents: inherited by all below it."""

import pytest
from sqlalchemy import select

from portal.catalog import (
    Facts,
    add_field,
    change_document,
    change_field,
    change_rules,
    get_category,
    list_fields,
    list_own_fields,
    list_values,
    move_category,
    move_field,
    publish_document,
    put_document,
    put_documents,
    remove_category,
    remove_field,
    rules_of,
)
from portal.catalog.bulk import Item
from portal.errors import BadInput, CategoryNotFound, Conflict, Forbidden, NameTaken, NotFound, UploadTypeRejected
from portal.extensions import db
from portal.models import MANAGE, PUBLISH, CategoryField, Document
from portal.uploads import arrive, receive, store_documents, store_version
from portal.uploads.storing import Arrival
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.makers import content_of

pytestmark = [SQLITE_ONLY, pytest.mark.usefixtures("context")]


def names(path: str) -> list[str]:
    return [field.name for field in list_fields(makers.category(path))]


def test_a_field_is_asked_for_in_the_category_and_below() -> None:
    top = makers.category("firm")
    add_field(None, top.id, "Number", "number")
    add_field(None, makers.category("firm/tax").id, "Year", "choice", ["2025", " 2026 ", "2025", ""])

    assert (names("firm"), names("firm/tax"), names("other")) == (["Number"], ["Number", "Year"], [])
    assert list_own_fields(makers.category("firm/tax"))[0].choices == "2025\n2026"


def test_a_name_meets_no_other_further_up_or_down() -> None:
    top, inner = makers.category("firm"), makers.category("firm/tax")
    add_field(None, top.id, "Number", "number")
    with pytest.raises(NameTaken, match="NUMBER"):
        add_field(None, inner.id, "NUMBER", "text")
    other = add_field(None, inner.id, "Year", "number")
    with pytest.raises(Conflict, match="firm/tax"):
        add_field(None, top.id, "year", "text")
    with pytest.raises(NameTaken):
        change_field(None, other.id, name="number")


def test_a_move_to_where_a_name_meets_another_is_refused() -> None:
    inner, top = makers.category("tax"), makers.category("firm")
    add_field(None, inner.id, "Number", "number")
    add_field(None, top.id, "number", "text")
    with pytest.raises(Conflict, match="have a field called Number"):
        move_category(None, inner.id, top.id)
    assert get_category(inner.id).path == "tax"


def test_twenty_are_enough() -> None:
    shelf = makers.category("firm")
    for number in range(20):
        add_field(None, shelf.id, f"Field {number}", "text")
    with pytest.raises(BadInput, match="20"):
        add_field(None, shelf.id, "One more", "text")


@pytest.mark.parametrize(
    ("name", "kind", "choices"),
    [("", "text", ()), ("x" * 61, "text", ()), ("a\x00b", "text", ()), ("a", "colour", ()), ("a", "choice", ()),
     ("a", "choice", ("x" * 201,)), ("a", "choice", tuple(map(str, range(201))))],
)  # fmt: skip
def test_what_cannot_be_a_field_is_refused(name: str, kind: str, choices: tuple[str, ...]) -> None:
    with pytest.raises(BadInput):
        add_field(None, makers.category("firm").id, name, kind, choices)


def test_fields_change_places_within_their_category() -> None:
    shelf = makers.category("firm")
    first, *_ = [add_field(None, shelf.id, name, "text") for name in ("a", "b", "c")]
    move_field(None, first.id, 1)
    assert names("firm") == ["b", "a", "c"]
    move_field(None, first.id, 9)
    assert names("firm") == ["b", "c", "a"]
    move_field(None, first.id, -9)
    assert names("firm") == ["a", "b", "c"]


def test_what_was_written_into_a_removed_field_comes_back_with_it() -> None:
    shelf = makers.category("firm")
    field = add_field(None, shelf.id, "Number", "number")
    paper = put_document(None, shelf.id, "a.pdf", content_of()).document_id
    change_document(None, paper, fields={field.id: "7"})
    remove_field(None, field.id)
    assert (names("firm"), list_values([paper])) == ([], {})

    assert add_field(None, shelf.id, "number", "text").id != field.id
    remove_field(None, list_own_fields(shelf)[0].id)
    assert add_field(None, shelf.id, "NUMBER", "number").id == field.id
    assert [value for _, value in list_values([paper])[paper]] == ["7"]


def test_a_field_is_gone_with_its_category() -> None:
    shelf = makers.category("firm")
    add_field(None, shelf.id, "Number", "number")
    remove_category(None, shelf.id)
    assert db.session.scalars(select(CategoryField)).all() == []


def test_only_who_manages_a_category_decides_about_its_fields() -> None:
    shelf, user = makers.category("firm"), makers.person()
    field = add_field(None, shelf.id, "Number", "number")
    who = makers.actor(user)
    attempts = (
        lambda: add_field(who, shelf.id, "x", "text"),
        lambda: change_field(who, field.id, name="x"),
        lambda: move_field(who, field.id, 1),
        lambda: remove_field(who, field.id),
        lambda: change_rules(who, shelf.id, types=None, expiry_days=None),
    )
    for attempt in attempts:
        with pytest.raises(CategoryNotFound):
            attempt()
    makers.grant(shelf, user=user, permission=PUBLISH)
    for attempt in attempts:
        with pytest.raises(Forbidden):
            attempt()
    with pytest.raises(NotFound):
        remove_field(None, 4711)


def arrival(filename: str, content: bytes = b"content") -> Arrival:
    incoming = receive()
    incoming.write(content)
    return arrive(incoming, filename)


def test_the_nearest_category_that_says_so_decides_about_types_and_ends() -> None:
    top, inner, deep = makers.category("a"), makers.category("a/b"), makers.category("a/b/c")
    change_rules(None, top.id, types=[".PDF", "Docx"], expiry_days=30)
    change_rules(None, inner.id, types=None, expiry_days=0)
    change_rules(None, deep.id, types=[], expiry_days=None)

    rules = {path: rules_of(makers.category(path)) for path in ("a", "a/b", "a/b/c", "other")}
    assert {path: (one.types, one.expiry_days) for path, one in rules.items()} == {
        "a": (("docx", "pdf"), 30),
        "a/b": (("docx", "pdf"), None),
        "a/b/c": ((), None),
        "other": ((), None),
    }


@pytest.mark.parametrize("types", [["a b"], ["x" * 21], ["../x"], [str(number) for number in range(51)]])
def test_what_cannot_be_endings_is_refused(types: list[str]) -> None:
    with pytest.raises(BadInput):
        change_rules(None, makers.category("a").id, types=types, expiry_days=None)


@pytest.mark.parametrize("days", [-1, 36_501])
def test_days_are_bounded(days: int) -> None:
    with pytest.raises(BadInput):
        change_rules(None, makers.category("a").id, types=None, expiry_days=days)


def test_a_type_that_is_not_taken_is_refused_and_an_operator_is_not() -> None:
    shelf, user = makers.category("a"), makers.person()
    makers.grant(shelf, user=user, permission=MANAGE)
    who = makers.actor(user)
    change_rules(None, shelf.id, types=["txt"], expiry_days=None)

    with pytest.raises(UploadTypeRejected, match="Taken are: TXT"):
        store_documents(who, shelf.id, [arrival("a.bin")])
    paper = store_documents(who, shelf.id, [arrival("a.txt")])[0].document_id
    with pytest.raises(UploadTypeRejected):
        store_version(who, paper, arrival("b.bin", b"other"))
    assert store_documents(None, shelf.id, [arrival("a.bin")])[0].kind == "added"


def days_left(document_id: int) -> int | None:
    paper = db.session.get_one(Document, document_id)
    return (paper.expires_at - paper.published_at).days if paper.expires_at and paper.published_at else None


def test_new_documents_expire_as_their_category_says_unless_somebody_said_when() -> None:
    shelf = makers.category("a/b")
    change_rules(None, makers.category("a").id, types=None, expiry_days=30)
    put = {name: Facts() for name in ("plain", "later", "said", "draft")}
    put["later"] = Facts(published_at=makers.now(days=5))
    put["said"] = Facts(expires_at=makers.now(days=2, minutes=1))
    put["draft"] = Facts(is_draft=True)
    ids = {
        name: put_document(None, shelf.id, f"{name}.pdf", content_of(name.encode()), facts=facts).document_id
        for name, facts in put.items()
    }
    assert {name: days_left(one) for name, one in ids.items()} == {"plain": 30, "later": 30, "said": 2, "draft": None}
    publish_document(None, ids["draft"])
    assert days_left(ids["draft"]) == 30

    put_documents(None, [Item(shelf.id, "many.pdf", content_of(b"many"))])
    many = db.session.scalars(select(Document.id).where(Document.filename == "many.pdf")).one()
    assert days_left(many) == 30
