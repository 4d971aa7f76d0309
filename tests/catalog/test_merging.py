"""Categories made one: documents, what is below and old paths go over, nothing is lost, and no link opens more."""

import threading

import pytest
from flask import Flask
from sqlalchemy import select

from portal import access
from portal.catalog import (
    Principal,
    add_field,
    add_grant,
    find_category,
    find_moved,
    find_trashed,
    follow,
    get_category,
    is_followed,
    list_fields,
    list_values,
    merge_category,
    plan_merger,
    put_document,
    restore_category,
    shift_of_merge,
    shift_of_move,
    shift_of_seal,
    trash_category,
    trash_document,
)
from portal.catalog.describing import change_document
from portal.errors import BadInput, CategoryNotFound, Conflict, Forbidden
from portal.extensions import db, transaction
from portal.integrity.rows import category_problems
from portal.models import (
    MANAGE,
    PUBLISH,
    Category,
    Document,
    Follow,
    Grant,
    SearchChange,
    ShareLink,
    SourceDirectory,
)
from tests import makers
from tests.databases import POSTGRESQL_ONLY, SQLITE_ONLY
from tests.integrity.stock import wait_for_database_lock
from tests.makers import content_of

pytestmark = pytest.mark.usefixtures("context")


def put(path: str, filename: str = "a.pdf", content: str = "") -> int:
    """The id of a new document at this path."""
    bytes_in = content_of((content or path + filename).encode())
    return put_document(None, makers.category(path).id, filename, bytes_in).document_id


def live() -> dict[str, int]:
    """The paths of all documents that are not in the trash, with their ids."""
    there = (Category.id == Document.category_id, Document.trashed_at.is_(None))
    rows = db.session.execute(select(Category.path + "/" + Document.filename, Document.id).where(*there))
    return dict(rows.all())


def merge(path: str, into: str) -> Category:
    return merge_category(None, makers.category(path).id, makers.category(into).id)


def require_sound() -> None:
    makers.release()
    assert list(category_problems()) == []


def test_documents_and_what_is_below_go_over_and_keep_their_ids() -> None:
    one, deep, kept = put("old"), put("old/2026", "b.pdf"), put("new", "c.pdf")
    gone = makers.category("old").id
    assert merge("old", "new").document_count == 2

    assert live() == {"new/a.pdf": one, "new/2026/b.pdf": deep, "new/c.pdf": kept}
    assert db.session.get(Category, gone) is None
    require_sound()


def test_where_names_meet_categories_merge_in_turn_and_filenames_get_a_number() -> None:
    first, second = put("old/2026/q1"), put("new/2026/q1")
    third = put("old/2026/q1", "a (2).pdf")
    put("old/2026/q2")

    plan = plan_merger(None, makers.category("old").id, makers.category("new").id)
    assert [(one.path, other.path) for one, other in plan.pairs] == [
        ("old", "new"),
        ("old/2026", "new/2026"),
        ("old/2026/q1", "new/2026/q1"),
    ]
    assert (plan.documents, plan.moving) == (2, 1)
    assert [(row.path, row.before, row.after) for row in plan.renamings] == [("new/2026/q1", "a.pdf", "a (3).pdf")]

    merge("old", "new")
    found = live()
    assert (found["new/2026/q1/a.pdf"], found["new/2026/q1/a (3).pdf"]) == (second, first)
    assert found["new/2026/q1/a (2).pdf"] == third
    assert "new/2026/q2/a.pdf" in found
    require_sound()


def test_old_paths_lead_on_through_chains_of_mergers() -> None:
    put("a/x"), put("b/x"), put("c/x")
    merge("a", "b")
    merge("b", "c")

    for path, leads_to in (("a", "c"), ("b", "c"), ("a/x", "c/x"), ("b/x", "c/x")):
        found = find_moved(path)
        assert found is not None
        assert found.path == leads_to


@SQLITE_ONLY
def test_a_category_merges_into_the_one_it_is_in_also_where_one_below_is_called_like_it() -> None:
    inner, deepest = put("a/b"), put("a/b/b/c")
    merge("a/b", "a")

    assert live() == {"a/a.pdf": inner, "a/b/c/a.pdf": deepest}
    assert find_moved("a/b") is None
    require_sound()


@SQLITE_ONLY
def test_a_category_merges_into_one_far_above_it_where_names_lead_back_to_itself() -> None:
    put("a/b/c/b/c"), put("a/b/c")
    merge("a/b/c", "a")

    assert set(live()) == {"a/a.pdf", "a/b/c/a.pdf"}
    require_sound()


@SQLITE_ONLY
def test_a_category_is_not_merged_into_itself_or_below() -> None:
    makers.category("a/b/c")
    for into in ("a", "a/b", "a/b/c"):
        with pytest.raises(Conflict, match="into itself"):
            merge("a", into)


@SQLITE_ONLY
def test_what_is_in_the_trash_comes_back_where_the_rest_went() -> None:
    paper, inner = put("old"), makers.category("old/inner")
    put("old/inner", "deep.pdf")
    trash_document(None, paper)
    trash_category(None, inner.id)

    merge("old", "new")
    require_sound()
    assert restore_category(None, inner.id).path == "new/inner"
    assert db.session.get_one(Document, paper).category_id == makers.category("new").id
    require_sound()


@SQLITE_ONLY
def test_grants_end_and_followers_go_over() -> None:
    old, new = makers.category("old"), makers.category("new")
    ada, bob = makers.person("Ada"), makers.person("Bob")
    makers.grant(old, user=ada)
    with transaction() as session:
        rows = ((ada.id, old.id), (bob.id, old.id), (bob.id, new.id))
        session.add_all(Follow(user_id=user_id, category_id=category_id) for user_id, category_id in rows)
    assert plan_merger(None, old.id, new.id).grants == 1

    merge("old", "new")
    assert db.session.scalars(select(Grant)).all() == []
    assert sorted(tuple(row) for row in db.session.execute(select(Follow.user_id, Follow.category_id))) == [
        (ada.id, new.id),
        (bob.id, new.id),
    ]
    assert access.permission_on(makers.actor(ada), new.id) == 0


def link_on(category: Category, **columns: object) -> ShareLink:
    with transaction() as session:
        link = ShareLink(token_hash=b"x" * 32, token_hint="abcdef", category_id=category.id, **columns)
        session.add(link)
    return link


@POSTGRESQL_ONLY
def test_whoever_follows_a_category_while_it_is_merged_hears_that_it_is_gone(context: Flask, database: str) -> None:
    ada, one, other = makers.person("Ada"), makers.category("one"), makers.category("other")
    makers.grant(one, user=ada)
    who, one_id, problems = makers.actor(ada), one.id, list[Exception]()

    def follow_it() -> None:
        with context.app_context():
            try:
                follow(who, one_id)
            except Exception as problem:
                problems.append(problem)

    following = threading.Thread(target=follow_it)
    with transaction():
        merge_category(None, one_id, other.id)
        following.start()
        assert wait_for_database_lock(following, database)
    following.join(30)

    assert [type(problem) for problem in problems] == [CategoryNotFound]
    assert not is_followed(who, other.id)


@SQLITE_ONLY
def test_a_link_that_lets_somebody_in_would_open_more_and_is_named() -> None:
    makers.category("new/x")
    link_on(makers.category("old/x"), label="for the press")
    with pytest.raises(Conflict, match="for the press"):
        merge("old", "new")


@SQLITE_ONLY
@pytest.mark.parametrize("how", ["revoked", "expired", "used up"])
def test_a_link_that_is_over_stays_and_opens_nothing(how: str) -> None:
    old = makers.category("old")
    ends = {"revoked": {"revoked_at": makers.now()}, "expired": {"expires_at": makers.now()}}
    link_on(old, **ends.get(how, {"max_downloads": 1, "used": 1}))
    put("old")
    merge("old", "new")

    assert find_category("old") is None
    left = db.session.get_one(Category, old.id)
    assert (left.trashed_at is not None, left.document_count) == (True, 0)
    assert find_trashed("old") is not None
    require_sound()


@SQLITE_ONLY
def test_both_have_to_be_managed() -> None:
    mia = makers.person("Mia")
    old, new = makers.category("old"), makers.category("new")
    makers.grant(old, user=mia, permission=MANAGE)
    who = makers.actor(mia)
    with pytest.raises(CategoryNotFound):
        merge_category(who, old.id, new.id)
    makers.grant(new, user=mia, permission=PUBLISH)
    with pytest.raises(Forbidden):
        merge_category(who, old.id, new.id)
    makers.grant(new, user=mia, permission=MANAGE)
    makers.category("old/x")
    makers.category("new/x", is_sealed=True)
    with pytest.raises(Conflict, match="sealed"):
        merge_category(who, old.id, new.id)


@SQLITE_ONLY
def test_what_would_be_too_deep_is_refused() -> None:
    makers.category("/".join(f"t{number}" for number in range(40)))
    makers.category("/".join(f"o{number}" for number in range(30)))
    with pytest.raises(BadInput, match="64"):
        merge("t0", "/".join(f"o{number}" for number in range(30)))


@SQLITE_ONLY
def test_a_directory_shown_in_place_stays_where_it_is() -> None:
    shelf = makers.category("old/files")
    with transaction() as session:
        session.add(SourceDirectory(category_id=shelf.id, directory="/srv/files"))
    with pytest.raises(Conflict, match="directory in place"):
        merge("old", "new")


@SQLITE_ONLY
def test_fields_of_one_name_become_one_and_others_go_over() -> None:
    old, new = makers.category("old"), makers.category("new")
    number, colour = add_field(None, old.id, "Number", "number"), add_field(None, old.id, "Colour", "text")
    same = add_field(None, new.id, "NUMBER", "number")
    paper = put("old")
    change_document(None, paper, fields={number.id: "7", colour.id: "red"})

    merge("old", "new")
    assert [field.id for field in list_fields(get_category(new.id))] == [same.id, colour.id]
    assert [(field.id, value) for field, value in list_values([paper])[paper]] == [(same.id, "7"), (colour.id, "red")]


@SQLITE_ONLY
def test_fields_of_one_name_and_two_kinds_keep_categories_apart() -> None:
    add_field(None, makers.category("old").id, "Number", "number")
    add_field(None, makers.category("new").id, "Number", "text")
    with pytest.raises(Conflict, match="Number"):
        merge("old", "new")


@SQLITE_ONLY
def test_the_index_hears_of_what_came() -> None:
    paper = put("old/deep")
    merge("old", "new")
    assert paper in set(db.session.scalars(select(SearchChange.document_id)))


@SQLITE_ONLY
def test_who_gains_and_who_loses_sight_is_told_before() -> None:
    old, new, top = makers.category("top/old"), makers.category("new"), makers.category("top")
    people = {name: makers.person(name) for name in ("Ada", "Bob", "Cy", "Dan")}
    makers.person("Root", is_admin=True)
    makers.grant(top, user=people["Ada"])
    makers.grant(old, user=people["Bob"])
    makers.grant(new, user=people["Cy"])
    makers.grant(new, user=people["Bob"], permission=MANAGE)

    merged = shift_of_merge([(old, new)])
    assert (merged.gaining.names, merged.losing.names, merged.more.names) == (("Cy",), ("Ada",), ("Bob",))
    moved = shift_of_move(old, new)
    assert (moved.gaining.names, moved.losing.names, moved.more.names) == (("Cy",), ("Ada",), ("Bob",))
    sealed = shift_of_seal(old, True)
    assert (sealed.gaining.count, sealed.losing.names) == (0, ("Ada",))
    assert shift_of_move(old, top).is_none


@SQLITE_ONLY
def test_of_many_people_a_few_are_named() -> None:
    old, new = makers.category("old"), makers.category("new")
    for number in range(7):
        makers.person(f"Person {number}")
    add_grant(None, new.id, Principal(is_everyone=True), "read")

    gaining = shift_of_merge([(old, new)]).gaining
    assert (gaining.count, len(gaining.names), gaining.others) == (7, 5, 2)
