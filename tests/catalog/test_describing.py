"""What is said about documents: tags, fields by their kind, reference and responsible person; each change is told."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.accounts import disable_user, erase_user
from portal.catalog import (
    Facts,
    change_document,
    ensure_tags,
    find_readable,
    find_responsible,
    find_shown,
    get_live,
    list_fields,
    list_offered_people,
    list_offered_tags,
    list_tags,
    list_values,
    move_document,
    name_of_field,
    put_document,
    require_tags,
    split_tags,
)
from portal.errors import BadInput, CategoryNotFound, DocumentNotFound, Forbidden
from portal.extensions import db, transaction
from portal.models import PUBLISH, READ, AuditEvent, Category, CategoryField, Document, FieldValue, SearchChange, Tag
from tests import makers
from tests.databases import POSTGRESQL_ONLY, SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")


def field(category: Category, name: str, kind: str = "text", choices: str = "", position: int = 0) -> int:
    """Have a category ask for something; gives the id of the field."""
    with transaction() as session:
        key = name.casefold()
        asked = CategoryField(category_id=category.id, name=name, name_key=key, kind=kind, choices=choices)
        asked.position = position
        session.add(asked)
        session.flush()
        return asked.id


def paper(into: Category, **facts: Any) -> int:
    """A document with these facts; gives its id."""
    return put_document(None, into.id, "a.pdf", makers.content_of(), facts=Facts(**facts)).document_id


def tags_of(document_id: int) -> list[str]:
    makers.release()
    return [tag.name for tag in list_tags([document_id]).get(document_id, [])]


def values_of(document_id: int) -> dict[str, str]:
    makers.release()
    return {field.name: value for field, value in list_values([document_id]).get(document_id, [])}


def told(document_id: int) -> list[tuple[str, dict[str, Any]]]:
    """What the log has of a document since it was put in."""
    makers.release()
    of_it = (AuditEvent.object_type == "document", AuditEvent.object_id == document_id)
    statement = select(AuditEvent.action, AuditEvent.details).where(*of_it, AuditEvent.action != "document.added")
    return [(action, details) for action, details in db.session.execute(statement.order_by(AuditEvent.id))]


def test_a_tag_is_made_on_first_use_and_spelled_as_it_was_first_written() -> None:
    first, second = paper(makers.category("a"), tags=("Annual Report",)), paper(makers.category("b"))

    assert change_document(None, second, tags=["ANNUAL  report", "Ｎew"])

    assert tags_of(first) == ["Annual Report"]
    assert tags_of(second) == ["Annual Report", "Ｎew"]
    assert db.session.scalars(select(func.count()).select_from(Tag)).one() == 2


@SQLITE_ONLY
@pytest.mark.parametrize(
    "name", ["", "x" * 61, "a,b", "a:b", 'a"b', "“a", "a\x00b", "a\ud800", "\u200b", "\ufdfa" * 60]
)
def test_what_a_search_could_not_name_is_no_tag(name: str) -> None:
    with pytest.raises(BadInput) as refused:
        require_tags([name])
    assert refused.value.field == "tags"


@SQLITE_ONLY
def test_a_document_has_at_most_thirty_tags() -> None:
    names = [f"t{number}" for number in range(30)]
    document_id = paper(makers.category(), tags=names)

    with pytest.raises(BadInput, match="at most 30"):
        change_document(None, document_id, tags=[*names, "one more"])
    assert change_document(None, document_id, tags=[*names[1:], "another"])


@SQLITE_ONLY
def test_tags_are_parted_by_commas_and_lines() -> None:
    assert split_tags(" one, two words ,,\r\nthree;four") == ["one", "two words", "three;four"]


def test_two_who_use_the_same_new_tags_at_once_share_them(context: Flask) -> None:
    papers = [paper(makers.category(f"c{number}")) for number in range(6)]
    names = [f"tag {number}" for number in range(8)]

    outcomes = makers.at_once(
        context, *[lambda one=one: change_document(None, one, tags=names[:: -1 if one % 2 else 1]) for one in papers]
    )

    assert outcomes == [True] * 6
    assert all(tags_of(one) == names for one in papers)


@SQLITE_ONLY
def test_tags_of_many_are_made_before_any_is_described() -> None:
    with transaction():
        made = ensure_tags(require_tags(["b", "a"]))
    assert sorted(made) == ["a", "b"]


def test_a_publisher_is_offered_tags_of_what_they_may_read() -> None:
    ada = makers.person()
    mine, other = makers.category("mine"), makers.category("other")
    makers.grant(mine, user=ada, permission=PUBLISH)
    paper(mine, tags=("Budget", "annual"))
    paper(other, tags=("secret",))

    for near in (mine.id, other.id, 0):
        assert list(list_offered_tags(makers.actor(ada), near)) == ["annual", "Budget"]


@pytest.mark.parametrize(
    ("kind", "text", "stored"),
    [
        ("text", "  two   words ", "two words"),
        ("date", "2026-11-30", "2026-11-30"),
        ("number", "0042.500", "42.5"),
        ("number", "-0", "0"),
        ("number", "1.234,50", "1234.5"),
        ("number", "1,234.50", "1234.5"),
        ("number", "1.234.567", "1234567"),
        ("number", "1\u202f234,5", "1234.5"),
        ("number", "1’234", "1234"),
        ("number", "−3,5", "-3.5"),
        ("number", "0,125", "0.125"),
        ("number", "1.234", "1.234"),
        ("choice", "paid", "Paid"),
        ("text", " ", ""),
    ],
)
@SQLITE_ONLY
def test_a_field_keeps_what_it_takes_in_one_spelling(kind: str, text: str, stored: str) -> None:
    shelf = makers.category()
    asked = field(shelf, "Field", kind, "Open\nPaid")

    document_id = paper(shelf, fields={asked: text})

    assert values_of(document_id) == ({"Field": stored} if stored else {})


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text", "x" * 501),
        ("text", "a\x07"),
        ("date", "30.11.2026"),
        ("date", "2026-02-30"),
        ("date", "20261130"),
        ("number", "1,234"),
        ("number", "1.2.3"),
        ("number", "1,23,456"),
        ("number", "twelve"),
        ("number", "1e5"),
        ("number", "٣"),
        ("number", "1" * 41),
        ("choice", "lost"),
    ],
)
@SQLITE_ONLY
def test_what_is_of_another_kind_is_refused_and_the_refusal_names_the_field(kind: str, text: str) -> None:
    shelf = makers.category()
    asked, document_id = field(shelf, "Field", kind, "Open\nPaid"), paper(shelf)

    with pytest.raises(BadInput) as refused:
        change_document(None, document_id, fields={asked: text})

    assert refused.value.field == name_of_field(asked)
    assert values_of(document_id) == {}


def test_a_document_has_the_fields_of_its_category_and_of_those_above() -> None:
    top, shelf, aside = makers.category("a"), makers.category("a/b"), makers.category("a2")
    number, due = field(top, "Number", position=2), field(shelf, "Due", "date", position=1)
    elsewhere = field(aside, "Elsewhere")

    assert [asked.name for asked in list_fields(shelf)] == ["Number", "Due"]
    document_id = paper(shelf, fields={number: "7", due: "2026-11-30"})
    assert list(values_of(document_id).items()) == [("Number", "7"), ("Due", "2026-11-30")]
    with pytest.raises(BadInput, match="does not ask") as refused:
        change_document(None, document_id, fields={elsewhere: "x"})
    assert refused.value.field == name_of_field(elsewhere)


def test_what_no_category_asks_for_after_a_move_is_hidden_and_comes_back() -> None:
    shelf, other = makers.category("shelf"), makers.category("other")
    document_id = paper(shelf, fields={field(shelf, "Number"): "7"})

    move_document(None, document_id, other.id)
    assert values_of(document_id) == {}
    move_document(None, document_id, shelf.id)
    assert values_of(document_id) == {"Number": "7"}


@SQLITE_ONLY
def test_a_value_that_stands_there_is_kept_although_the_field_takes_it_no_more() -> None:
    shelf = makers.category()
    asked = field(shelf, "State", "choice", "Open\nPaid")
    document_id = paper(shelf, fields={asked: "Open"})
    makers.change(db.session.get_one(CategoryField, asked), choices="Paid")

    assert not change_document(None, document_id, fields={asked: "Open"})
    assert change_document(None, document_id, fields={asked: ""})
    assert db.session.scalars(select(func.count()).select_from(FieldValue)).one() == 0


@SQLITE_ONLY
def test_all_that_is_said_anew_at_once_is_one_event_that_names_it() -> None:
    shelf, ada = makers.category(), makers.person()
    number, document_id = field(shelf, "Number"), paper(shelf)
    said: dict[str, Any] = {"title": "New", "reference": " R  7 ", "responsible_id": ada.id, "tags": ["a"]}

    news = [change_document(None, document_id, **said, fields={number: "7"}) for _ in range(2)]

    changed = get_live(document_id)
    assert news == [True, False]
    assert (changed.title, changed.reference, changed.responsible_id) == ("New", "R 7", ada.id)
    what = ["title", "reference", "responsible_id", "tags"]
    assert told(document_id) == [("document.changed", {"what": what, "fields": ["Number"]})]


@SQLITE_ONLY
def test_what_is_left_out_of_a_change_stays() -> None:
    ada, moment = makers.person(), makers.now(days=-1)
    facts = {"description": "All.", "reference": "R7", "responsible_id": ada.id, "tags": ("a",)}
    document_id = paper(makers.category(), published_at=moment, expires_at=moment + timedelta(days=9), **facts)

    change_document(None, document_id, title="New")

    document = db.session.get_one(Document, document_id)
    assert (document.description, document.reference, document.responsible_id) == ("All.", "R7", ada.id)
    assert (document.published_at, document.expires_at) == (moment, moment + timedelta(days=9))
    assert tags_of(document_id) == ["a"]


@SQLITE_ONLY
def test_the_index_hears_of_a_change_and_not_of_a_form_saved_as_it_was() -> None:
    document_id = paper(makers.category(), tags=("a",))
    with transaction() as session:
        session.execute(SearchChange.__table__.delete())  # type: ignore[attr-defined]

    change_document(None, document_id, tags=["A"])
    assert db.session.scalars(select(SearchChange.document_id)).all() == []
    makers.release()
    change_document(None, document_id, tags=["b"])
    assert db.session.scalars(select(SearchChange.document_id)).all() == [document_id]


@SQLITE_ONLY
@pytest.mark.parametrize("reference", ["x" * 101, "a\x00"])
def test_a_reference_has_at_most_a_hundred_characters_that_can_be_seen(reference: str) -> None:
    with pytest.raises(BadInput) as refused:
        paper(makers.category(), reference=reference)
    assert refused.value.field == "reference"


@pytest.mark.parametrize("close", [disable_user, erase_user])
def test_only_somebody_whose_account_is_open_becomes_responsible(close: Any) -> None:
    ada, document_id = makers.person(), paper(makers.category())
    close(None, ada.id)

    for user_id in (ada.id, 4711):
        with pytest.raises(BadInput) as refused:
            change_document(None, document_id, responsible_id=user_id)
        assert refused.value.field == "responsible"
    assert not told(document_id)


@POSTGRESQL_ONLY
def test_whoever_is_being_erased_does_not_become_responsible(context: Flask) -> None:
    ada, document_id, is_erasing = makers.person(), paper(makers.category()), threading.Event()

    def erase() -> None:
        with transaction():
            erase_user(None, ada.id)
            is_erasing.set()
            time.sleep(0.3)  # while the other waits for the row of the person

    def change() -> None:
        is_erasing.wait(10)
        change_document(None, document_id, responsible_id=ada.id)

    erased, refused = makers.at_once(context, erase, change)

    assert erased is None
    assert isinstance(refused, BadInput)


@SQLITE_ONLY
def test_a_person_is_found_by_the_whole_name_or_address() -> None:
    ada = makers.person("Ada Byron")

    for text in ("ada  byron", " ADA.BYRON@example.org "):
        found = find_responsible(text)
        assert found is not None
        assert found.id == ada.id
    assert find_responsible("  ") is None


@SQLITE_ONLY
def test_a_part_of_a_name_finds_nobody_and_a_shared_name_asks_for_the_address() -> None:
    ada = makers.person("Ada")
    makers.change(makers.person("Bo"), name="Ada", name_key="ada")

    for text, sentence in (("ad", "Nobody"), ("Ada", "Several people are called Ada"), ("x@example.org", "Nobody")):
        with pytest.raises(BadInput, match=sentence) as refused:
            find_responsible(text)
        assert refused.value.field == "responsible"
    assert find_responsible(ada.email) is not None


@SQLITE_ONLY
def test_those_who_publish_in_a_category_are_offered() -> None:
    shelf, ada, bo = makers.category(), makers.person("Ada"), makers.person("Bo")
    makers.grant(shelf, user=ada, permission=PUBLISH)
    makers.grant(shelf, user=bo)

    assert [user.name for user in list_offered_people(shelf.id)] == ["Ada"]


@SQLITE_ONLY
@pytest.mark.parametrize(("level", "refusal"), [(None, DocumentNotFound), (READ, Forbidden)])
def test_whoever_may_not_publish_says_nothing(level: int | None, refusal: type[Exception]) -> None:
    shelf, user = makers.category("shelf"), makers.person()
    if level:
        makers.grant(shelf, user=user, permission=level)
    document_id, who = paper(shelf), makers.actor(user)

    with pytest.raises(refusal):
        change_document(who, document_id, tags=["a"])
    with pytest.raises((Forbidden, CategoryNotFound)):
        put_document(who, shelf.id, "b.pdf", makers.content_of(), facts=Facts(tags=("a",)))
    assert not told(document_id)


@SQLITE_ONLY
def test_a_document_that_would_be_over_before_it_comes_out_is_not_taken_in() -> None:
    with pytest.raises(BadInput, match="before it is published"):
        paper(makers.category(), published_at=makers.now(days=2), expires_at=makers.now(days=1))


def test_the_page_of_a_document_finds_it_with_all_that_is_said_about_it() -> None:
    top, shelf = makers.category("a"), makers.category("a/b")
    ada, reader = makers.person("Ada"), makers.person("Bo")
    makers.grant(shelf, user=reader)
    own, inherited = field(shelf, "Own", position=1), field(top, "Above", "date", position=2)
    other = field(makers.category("elsewhere"), "Other")
    said: dict[str, Any] = {"tags": ("Two", "one"), "fields": {own: "x", inherited: "2026-11-30"}}
    document_id = paper(shelf, responsible_id=ada.id, **said)
    with transaction() as session:
        session.add(FieldValue(document_id=document_id, field_id=other, value="hidden"))

    shown = find_shown(makers.actor(reader), document_id)

    assert shown is not None
    assert shown.edition == find_readable(makers.actor(reader), document_id)
    assert (shown.document.id, shown.category.path, shown.responsible) == (document_id, "a/b", "Ada")
    assert (shown.tags, shown.values) == (("one", "Two"), (("Above", "date", "2026-11-30"), ("Own", "text", "x")))


def test_the_page_of_a_document_is_for_who_may_read_it() -> None:
    document_id, reader, admin = paper(makers.category()), makers.person(), makers.person("Root", is_admin=True)

    assert find_shown(makers.actor(reader), document_id) is None
    shown = find_shown(makers.actor(admin), document_id)
    assert shown is not None
    assert (shown.responsible, shown.tags, shown.values) == (None, (), ())
