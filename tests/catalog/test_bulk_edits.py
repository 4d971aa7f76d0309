"""Edits of many documents: what is said before is what is done, each document wholly or not at all, and only once."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import get_args

import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import func, select

from portal import accounts, search
from portal.actors import Actor
from portal.catalog import (
    bulk_edits,
    change_document,
    change_rules,
    fields,
    merge_category,
    move_category,
    move_document,
    restore_document,
    trash_category,
    trash_document,
)
from portal.catalog.bulk_edits import Changes, changes, judging, planning, running
from portal.catalog.bulk_edits.changes import Asked, Ends, Visible, pack, unpack
from portal.catalog.grants import remove_grant
from portal.catalog.tags import list_tags
from portal.catalog.values import list_values
from portal.errors import BadInput, BulkEditNotFound, Conflict, Forbidden
from portal.extensions import db, transaction
from portal.integrity.rows import category_problems
from portal.models import PUBLISH, READ, AuditEvent, BulkEdit, BulkItem, Category, CategoryField, Document, Grant, User
from tests import makers
from tests.databases import POSTGRESQL_ONLY, SQLITE_ONLY
from tests.integrity.stock import wait_for_database_lock
from tests.properties import examples

pytestmark = pytest.mark.usefixtures("context")

NUMBERS = count()
ASKED, ENDS, VISIBLE = get_args(Asked), get_args(Ends), get_args(Visible)


@dataclass
class House:
    """Ada publishes in two categories and only reads a third."""

    ada: User
    shelf: Category
    target: Category
    closed: Category
    given: Grant

    @property
    def me(self) -> Actor:
        return makers.actor(self.ada)


@pytest.fixture
def house() -> House:
    return build(makers.person("Ada"))


def build(ada: User, below: str = "") -> House:
    shelf, target, closed = (makers.category(f"{below}{name}") for name in ("shelf", "target", "closed"))
    given = makers.grant(shelf, user=ada, permission=PUBLISH)
    makers.grant(target, user=ada, permission=PUBLISH)
    makers.grant(closed, user=ada, permission=READ)
    return House(ada, shelf, target, closed, given)


def put(into: Category, *names: str) -> list[Document]:
    return [makers.document(into, name) for name in names]


def plan(house: House, documents: list[Document], wanted: Changes) -> BulkEdit:
    edit = bulk_edits.plan_selected(house.me, [one.id for one in documents])
    bulk_edits.choose_changes(house.me, edit.id, wanted)
    return edit


def make(house: House, documents: list[Document], wanted: Changes) -> int:
    edit = plan(house, documents, wanted)
    bulk_edits.start_edit(house.me, edit.id, wanted.seal)
    return edit.id


def outcomes(house: House, edit_id: int) -> dict[int, tuple[str, str]]:
    makers.release()
    items, _ = bulk_edits.list_items(house.me, edit_id, limit=100)
    return {item.document_id: (item.outcome, item.reason) for item in items}


def field(on: Category, name: str = "Invoice", kind: str = "text") -> CategoryField:
    with transaction() as session:
        made = CategoryField(category_id=on.id, name=name, name_key=name.casefold(), kind=kind)
        session.add(made)
    return made


def events(*actions: str) -> int:
    return db.session.scalars(select(func.count()).where(AuditEvent.action.in_(actions))).one()


def test_every_kind_of_change_is_made_together(house: House) -> None:
    (paper,) = put(house.shelf, "a.pdf")
    bo, asked, end = makers.person("Bo"), field(house.target), makers.now(days=9)
    change_document(None, paper.id, tags=["old", "kept"])
    wanted = Changes(
        category_id=house.target.id,
        add_tags=("New",),
        remove_tags=("OLD",),
        field_id=asked.id,
        field_value=" 12 ",
        asked="person",
        responsible_id=bo.id,
        ends="at",
        expires_at=end,
        visible="draft",
    )

    edit_id = make(house, [paper], wanted)

    assert outcomes(house, edit_id) == {paper.id: ("changed", "")}
    now = db.session.get_one(Document, paper.id)
    assert (now.category_id, now.responsible_id, now.published_at, now.expires_at) == (
        house.target.id,
        bo.id,
        None,
        end,
    )
    assert [tag.name for tag in list_tags([paper.id])[paper.id]] == ["kept", "New"]
    assert [value for _, value in list_values([paper.id])[paper.id]] == ["12"]


@SQLITE_ONLY
def test_one_thing_that_cannot_be_leaves_the_whole_document_as_it_was(house: House) -> None:
    mine, other = put(house.shelf, "a.pdf"), put(house.target, "a.pdf")

    edit_id = make(house, mine, Changes(category_id=house.target.id, add_tags=("new",)))

    assert outcomes(house, edit_id) == {mine[0].id: ("refused", judging.NAME_TAKEN)}
    assert list_tags([mine[0].id, other[0].id]) == {}


@SQLITE_ONLY
def test_what_the_category_does_not_take_is_refused_and_the_rest_goes(house: House) -> None:
    wrong, right = put(house.shelf, "a.pdf", "b.csv")
    change_rules(None, house.target.id, types=["csv"], expiry_days=None)
    wanted = Changes(category_id=house.target.id)
    edit = plan(house, [wrong, right], wanted)

    assert bulk_edits.forecast(house.me, edit.id).counts == {"changed": 1, "refused": 1}
    bulk_edits.start_edit(house.me, edit.id, wanted.seal)

    assert outcomes(house, edit.id) == {wrong.id: ("refused", judging.WRONG_TYPE), right.id: ("changed", "")}


@SQLITE_ONLY
def test_what_is_there_already_may_be_of_any_type(house: House) -> None:
    (paper,) = put(house.shelf, "a.pdf")
    change_rules(None, house.shelf.id, types=["csv"], expiry_days=None)

    edit_id = make(house, [paper], Changes(category_id=house.shelf.id, add_tags=("new",)))

    assert outcomes(house, edit_id) == {paper.id: ("changed", "")}


@SQLITE_ONLY
def test_two_of_one_name_do_not_both_go_to_one_place_and_the_look_before_says_so(house: House) -> None:
    below = makers.category("shelf/below")
    documents = [*put(house.shelf, "a.pdf"), *put(below, "a.pdf")]
    wanted = Changes(category_id=house.target.id)
    edit = plan(house, documents, wanted)

    said = bulk_edits.forecast(house.me, edit.id)

    assert said.counts == {"changed": 1, "refused": 1}
    assert [(group.outcome, group.reason, group.first) for group in said.groups] == [
        ("changed", "", [(documents[1].id, "a")]),
        ("refused", judging.NAME_TAKEN, [(documents[0].id, "a")]),
    ]
    bulk_edits.start_edit(house.me, edit.id, wanted.seal)
    assert outcomes(house, edit.id) == {
        documents[1].id: ("changed", ""),
        documents[0].id: ("refused", judging.NAME_TAKEN),
    }


@SQLITE_ONLY
def test_documents_that_are_as_wanted_already_are_counted_and_left_alone(house: House) -> None:
    (paper,) = put(house.shelf, "a.pdf")
    before = events("document.published", "document.changed")

    edit_id = make(house, [paper], Changes(visible="now", remove_tags=("never had",)))

    assert outcomes(house, edit_id) == {paper.id: ("unchanged", "")}
    assert events("document.published", "document.changed") == before


@SQLITE_ONLY
def test_what_may_only_be_read_is_refused_with_the_reason(house: House) -> None:
    mine, theirs = put(house.shelf, "a.pdf"), put(house.closed, "b.pdf")

    edit_id = make(house, [*mine, *theirs], Changes(add_tags=("x",)))

    assert outcomes(house, edit_id) == {
        mine[0].id: ("changed", ""),
        theirs[0].id: ("refused", judging.ONLY_READ),
    }


@SQLITE_ONLY
def test_what_is_not_there_for_the_person_is_not_taken_into_an_edit(house: House) -> None:
    hidden = put(makers.category("hidden"), "a.pdf")

    with pytest.raises(BadInput, match=r"Choose at least one document\."):
        bulk_edits.plan_selected(house.me, [hidden[0].id, 999])


@SQLITE_ONLY
def test_a_right_that_is_lost_between_the_look_and_the_start_refuses_the_rest(house: House) -> None:
    documents = put(house.shelf, "a.pdf", "b.pdf")
    wanted = Changes(place="trash")
    edit = plan(house, documents, wanted)
    assert bulk_edits.forecast(house.me, edit.id).counts == {"changed": 2}
    remove_grant(None, house.given.id)

    bulk_edits.start_edit(house.me, edit.id, wanted.seal)

    assert set(outcomes(house, edit.id).values()) == {("refused", judging.GONE)}


@SQLITE_ONLY
@pytest.mark.parametrize("end", ["disabled", "demoted"])
def test_the_rest_is_refused_when_whoever_asked_lost_their_account_or_role(
    house: House, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    root = makers.person("Root", is_admin=True)
    documents = put(house.shelf, "a.pdf", "b.pdf")
    monkeypatch.setattr(running, "AT_ONCE", 0)
    edit = bulk_edits.plan_selected(makers.actor(root), [one.id for one in documents])
    wanted = Changes(add_tags=("x",))
    bulk_edits.choose_changes(makers.actor(root), edit.id, wanted)
    bulk_edits.start_edit(makers.actor(root), edit.id, wanted.seal)
    assert running._step(edit.id)

    admin = makers.actor(makers.person("Third", is_admin=True, password=makers.PASSWORD))
    if end == "disabled":
        accounts.disable_user(None, root.id)
    else:
        makers.change(root, is_admin=False)
    bulk_edits.run_edits(lambda: False)

    items, _ = bulk_edits.list_items(admin, edit.id)
    reason = running.CLOSED if end == "disabled" else judging.GONE
    assert [(item.outcome, item.reason) for item in items] == [("changed", ""), ("refused", reason)]
    assert bulk_edits.get_edit(admin, edit.id).state == "done"


@SQLITE_ONLY
def test_the_changes_that_were_looked_at_are_the_ones_that_are_made(house: House) -> None:
    edit = plan(house, put(house.shelf, "a.pdf"), Changes(add_tags=("x",)))
    seal = Changes(add_tags=("x",)).seal
    bulk_edits.choose_changes(house.me, edit.id, Changes(place="trash"))

    with pytest.raises(Conflict, match="chosen anew"):
        bulk_edits.start_edit(house.me, edit.id, seal)
    assert bulk_edits.get_edit(house.me, edit.id).state == "planned"


@SQLITE_ONLY
def test_an_edit_begins_once(house: House) -> None:
    wanted = Changes(add_tags=("x",))
    edit = plan(house, put(house.shelf, "a.pdf"), wanted)
    bulk_edits.start_edit(house.me, edit.id, wanted.seal)

    with pytest.raises(Conflict, match="begun already"):
        bulk_edits.start_edit(house.me, edit.id, wanted.seal)
    assert events("bulk.started") == 1


@SQLITE_ONLY
def test_an_edit_is_its_makers_alone_and_begun_ones_are_the_administrators_too(house: House) -> None:
    edit = plan(house, put(house.shelf, "a.pdf"), Changes(add_tags=("x",)))
    bo, root = makers.actor(makers.person("Bo")), makers.actor(makers.person("Root", is_admin=True))
    with pytest.raises(BulkEditNotFound):
        bulk_edits.get_edit(bo, edit.id)
    assert bulk_edits.list_edits(root) == ([], None)
    with pytest.raises(BulkEditNotFound):
        bulk_edits.choose_changes(root, edit.id, Changes(place="trash"))

    bulk_edits.start_edit(house.me, edit.id, Changes(add_tags=("x",)).seal)

    assert [row.id for row in bulk_edits.list_edits(root)[0]] == [edit.id]
    assert bulk_edits.list_edits(bo) == ([], None)


@SQLITE_ONLY
def test_a_larger_edit_is_left_to_the_worker_and_can_be_stopped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[str] = []
    monkeypatch.setattr(running, "AT_ONCE", 1)
    monkeypatch.setattr("portal.jobs.wake", woken.append)
    documents = put(house.shelf, "a.pdf", "b.pdf", "c.pdf")
    edit_id = make(house, documents, Changes(add_tags=("x",)))
    assert woken == ["bulk"]
    assert running._step(edit_id)

    bulk_edits.stop_edit(house.me, edit_id)
    bulk_edits.run_edits(lambda: False)

    row = bulk_edits.get_edit(house.me, edit_id)
    assert (row.state, row.counts, row.finished) == ("stopped", {"changed": 1, "open": 2}, 1)
    assert events("bulk.stopped") == 1


@SQLITE_ONLY
def test_a_slice_of_a_long_edit_ends_and_asks_to_be_gone_on_with(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[str] = []
    for name, value in (("AT_ONCE", 0), ("ROUND", 1), ("SLICE_SECONDS", 0)):
        monkeypatch.setattr(running, name, value)
    monkeypatch.setattr("portal.jobs.wake", woken.append)
    first = make(house, put(house.shelf, "a.pdf", "b.pdf"), Changes(add_tags=("x",)))
    second = make(house, put(house.shelf, "c.pdf"), Changes(add_tags=("y",)))
    woken.clear()

    bulk_edits.run_edits(lambda: False)

    assert woken == ["bulk"]
    assert [bulk_edits.get_edit(house.me, one).finished for one in (first, second)] == [1, 1], "each had its turn"


def test_two_workers_change_each_document_once(house: House, context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "AT_ONCE", 0)
    documents = put(house.shelf, *(f"{number}.pdf" for number in range(30)))
    edit_id = make(house, documents, Changes(add_tags=("x",)))
    before = events("document.changed")

    makers.at_once(context, *[lambda: bulk_edits.run_edits(lambda: False)] * 3)

    makers.release()
    row = bulk_edits.get_edit(house.me, edit_id)
    assert (row.state, row.counts) == ("done", {"changed": 30})
    assert events("document.changed") - before == 30


@POSTGRESQL_ONLY
@pytest.mark.parametrize("change", [trash_category, merge_category], ids=["into the trash", "into another one"])
def test_nothing_goes_to_a_category_that_goes_away_beside_it(
    house: House, context: Flask, database: str, change: Callable[..., object]
) -> None:
    (paper,) = put(house.shelf, "a.pdf")
    ruth, wanted = makers.actor(makers.person("Ruth", is_admin=True)), Changes(category_id=house.target.id)
    edit = bulk_edits.plan_selected(ruth, [paper.id])
    bulk_edits.choose_changes(ruth, edit.id, wanted)
    edit_id, target_id, others = edit.id, house.target.id, [house.closed.id] if change is merge_category else []

    def start() -> None:
        with context.app_context():
            bulk_edits.start_edit(ruth, edit_id, wanted.seal)

    thread = threading.Thread(target=start)
    with transaction():
        change(None, target_id, *others)
        thread.start()
        assert wait_for_database_lock(thread, database)
    thread.join(30)

    makers.release()
    assert list(category_problems()) == []
    assert db.session.execute(select(BulkItem.outcome, BulkItem.reason)).all() == [("refused", judging.NO_TARGET)]


@SQLITE_ONLY
def test_something_unforeseen_with_one_document_stops_no_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = put(house.shelf, "good.pdf", "bad.pdf")
    real = change_document

    def fail(actor: Actor, document_id: int, **facts: object) -> object:
        found = real(actor, document_id, **facts)  # type: ignore[arg-type]
        if document_id == bad.id:
            raise ValueError
        return found

    monkeypatch.setattr(running, "change_document", fail)
    edit_id = make(house, [good, bad], Changes(add_tags=("x",)))

    assert outcomes(house, edit_id)[bad.id][0] == "refused"
    assert set(list_tags([good.id, bad.id])) == {good.id}


@SQLITE_ONLY
def test_all_of_a_category_with_what_is_below_it_is_chosen_without_what_is_sealed_off(house: House) -> None:
    below, sealed = makers.category("shelf/below"), makers.category("shelf/sealed", is_sealed=True)
    mine = [*put(house.shelf, "a.pdf"), *put(below, "b.pdf")]
    put(sealed, "c.pdf")
    draft = makers.document(house.shelf, "draft.pdf", published_at=None)
    trash_document(None, put(house.shelf, "gone.pdf")[0].id)

    edit = bulk_edits.plan_category(house.me, house.shelf.id)

    assert set(planning.item_ids(edit.id)) == {draft.id, *(one.id for one in mine)}
    with pytest.raises(Forbidden):
        bulk_edits.plan_category(house.me, house.closed.id)


@SQLITE_ONLY
def test_of_more_than_an_edit_takes_the_newest_are_chosen_and_it_says_so(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = put(house.shelf, "old.pdf", "new.pdf")
    makers.change(old, published_at=makers.now(days=-9))
    monkeypatch.setattr(planning, "MOST", 1)

    edit = bulk_edits.plan_category(house.me, house.shelf.id)

    row = bulk_edits.get_edit(house.me, edit.id)
    assert (list(planning.item_ids(edit.id)), row.choice.is_cut) == ([new.id], True)


@SQLITE_ONLY
def test_several_come_back_from_the_trash_and_one_whose_name_is_taken_under_another(house: House) -> None:
    gone = put(house.shelf, "a.pdf", "b.pdf")
    for paper in gone:
        trash_document(None, paper.id)
    put(house.shelf, "a.pdf")
    edit = bulk_edits.plan_return(house.me, [one.id for one in gone])
    row = bulk_edits.get_edit(house.me, edit.id)
    said = bulk_edits.forecast(house.me, edit.id)
    assert [(group.outcome, group.reason, group.count) for group in said.groups] == [
        ("changed", "", 1),
        ("changed", judging.RENAMED, 1),
    ]

    bulk_edits.start_edit(house.me, edit.id, row.changes.seal)

    assert [db.session.get_one(Document, one.id).filename for one in gone] == ["a (2).pdf", "b.pdf"]


@SQLITE_ONLY
def test_what_is_in_a_category_in_the_trash_waits_for_that(house: House) -> None:
    (gone,) = put(house.shelf, "a.pdf")
    trash_document(None, gone.id)
    root = makers.actor(makers.person("Root", is_admin=True))
    edit = bulk_edits.plan_return(root, [gone.id])
    trash_category(None, house.shelf.id)

    bulk_edits.start_edit(root, edit.id, Changes(place="back").seal)

    assert [item.reason for item in bulk_edits.list_items(root, edit.id)[0]] == [judging.NO_SHELF]


@SQLITE_ONLY
def test_what_somebody_else_brought_back_meanwhile_is_left_alone(house: House) -> None:
    (gone,) = put(house.shelf, "a.pdf")
    trash_document(None, gone.id)
    edit = bulk_edits.plan_return(house.me, [gone.id])
    seal = bulk_edits.get_edit(house.me, edit.id).changes.seal
    restore_document(None, gone.id)

    bulk_edits.start_edit(house.me, edit.id, seal)

    assert outcomes(house, edit.id) == {gone.id: ("unchanged", judging.NOT_IN_TRASH)}


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (Changes(), planning.NO_CHANGE),
        (Changes(place="trash", add_tags=("x",)), planning.ALONE),
        (Changes(add_tags=("a,b",)), "A tag has no commas"),
        (Changes(field_id=99), "Choose one of the fields"),
    ],
    ids=["nothing", "trash beside others", "bad tag", "no such field"],
)
def test_what_cannot_be_asked_for_is_said_at_once(house: House, wanted: Changes, sentence: str) -> None:
    edit = bulk_edits.plan_selected(house.me, [put(house.shelf, "a.pdf")[0].id])

    with pytest.raises(BadInput, match=sentence):
        bulk_edits.choose_changes(house.me, edit.id, wanted)


@SQLITE_ONLY
def test_a_plan_that_was_never_begun_goes_by_itself_after_a_day(house: House) -> None:
    documents = put(house.shelf, "a.pdf")
    old, young = (plan(house, documents, Changes(add_tags=("x",))) for _ in range(2))
    makers.change(old, created_at=makers.now(hours=-25))

    bulk_edits.run_edits(lambda: False)

    makers.release()
    assert list(db.session.scalars(select(BulkEdit.id))) == [young.id]
    assert list(db.session.scalars(select(BulkItem.bulk_edit_id))) == [young.id]


@st.composite
def some_changes(draw: st.DrawFn, house: House, asked: CategoryField, now: datetime) -> Changes:
    """Any mixture of changes of what a document is."""
    days = st.integers(-3, 3).map(lambda number: now + timedelta(days=number))
    tags = st.sets(st.sampled_from("xyz"), max_size=2).map(lambda found: tuple(sorted(found)))
    value = draw(st.sampled_from([None, "", "1", "2"]))
    who, ends, visible = (draw(st.sampled_from(offered)) for offered in (ASKED, ENDS, VISIBLE))
    return Changes(
        category_id=draw(st.sampled_from([None, house.target.id])),
        add_tags=draw(tags),
        remove_tags=draw(tags),
        field_id=asked.id if value is not None else None,
        field_value=value or "",
        asked=who,
        responsible_id=house.ada.id if who == "person" else None,
        ends=ends,
        expires_at=draw(days) if ends == "at" else None,
        visible=visible,
        published_at=draw(days) if visible == "at" else None,
    )


@SQLITE_ONLY
@examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_what_is_said_before_is_what_comes_of_it(house: House, data: st.DataObject) -> None:
    house = build(house.ada, f"{next(NUMBERS)}/")
    asked, now = field(house.target), makers.now()
    shelves = st.sampled_from([house.shelf, house.target, house.closed])
    documents = [
        makers.document(
            data.draw(shelves),
            f"{data.draw(st.sampled_from('abc'))}.pdf",
            f"%PDF {number}".encode(),
            published_at=data.draw(
                st.sampled_from([None, -2, 2]).map(lambda days: days and now + timedelta(days=days))
            ),
        )
        for number in range(6)
    ]
    for paper in documents:
        change_document(None, paper.id, tags=sorted(data.draw(st.sets(st.sampled_from("xyz")))))
    wanted = data.draw(some_changes(house, asked, now))
    if wanted.is_nothing:
        return
    edit = plan(house, documents, wanted)
    said = bulk_edits.forecast(house.me, edit.id)

    bulk_edits.start_edit(house.me, edit.id, wanted.seal)

    found = list(outcomes(house, edit.id).values())
    assert Counter(outcome for outcome, _ in found) == said.counts
    assert Counter(found) == {(group.outcome, group.reason): group.count for group in said.groups}


@SQLITE_ONLY
def test_what_is_asked_for_is_read_as_it_was_written() -> None:
    whole = Changes(1, ("a", "b"), ("c",), 2, "", "person", 3, "at", makers.now(), "at", makers.now() + timedelta(1))
    choice = bulk_edits.Choice("search", "words", 3, is_cut=True, unread=2)

    assert unpack(pack(choice, whole)) == (choice, whole)
    assert changes.read(changes.written(Changes())) == Changes()


def test_all_that_a_search_finds_is_chosen_but_what_may_only_be_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "READ_AT_ONCE", 2)
    mine = put(house.shelf, *(f"annual report {number}.pdf" for number in range(5)))
    put(house.closed, "annual report.pdf")
    put(makers.category("hidden"), "annual report.pdf")
    put(house.shelf, "minutes.pdf")

    edit = bulk_edits.plan_found(house.me, "annual type:pdf")

    row = bulk_edits.get_edit(house.me, edit.id)
    assert set(planning.item_ids(edit.id)) == {one.id for one in mine}
    assert row.choice == bulk_edits.Choice("search", "annual type:pdf", others=1)


def test_what_was_moved_just_now_is_chosen_where_it_is_and_not_where_it_was(house: House) -> None:
    inner = makers.category("shelf/inner")
    (paper,) = put(inner, "a.pdf")
    search.catch_up(lambda: False)
    move_category(None, inner.id, house.target.id)

    with pytest.raises(BadInput, match=r"Choose at least one document\."):
        bulk_edits.plan_found(house.me, "in:shelf")
    edit = bulk_edits.plan_found(house.me, "in:target")

    assert list(planning.item_ids(edit.id)) == [paper.id]


def test_what_the_index_does_not_know_as_it_is_is_left_out_and_counted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "CATCH_UP_SECONDS", 0.0)
    inner = makers.category("shelf/inner")
    (stays,), (_goes, dropped) = put(house.shelf, "a.pdf"), put(inner, "b.pdf", "c.pdf")
    trash_document(None, dropped.id)
    search.catch_up(lambda: False)
    move_category(None, inner.id, house.target.id)

    edit = bulk_edits.plan_found(house.me, "in:shelf")
    with pytest.raises(BadInput, match="not looked through yet"):
        bulk_edits.plan_found(house.me, "in:target")

    assert list(planning.item_ids(edit.id)) == [stays.id]
    assert bulk_edits.get_edit(house.me, edit.id).choice.unread == 1


@SQLITE_ONLY
def test_while_nearly_everything_waits_to_be_indexed_nothing_is_planned_by_a_search(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "CATCH_UP_SECONDS", 0.0)
    monkeypatch.setattr(planning, "MOST", 1)
    put(house.shelf, "a.pdf", "b.pdf")
    with transaction():
        search.start_over()

    with pytest.raises(Conflict, match="does not know how things are"):
        bulk_edits.plan_found(house.me, "pdf")


@SQLITE_ONLY
def test_nothing_is_chosen_in_the_place_of_a_mistyped_word(house: House) -> None:
    put(house.shelf, "Quarterly.pdf")
    search.catch_up(lambda: False)

    with pytest.raises(BadInput, match=r"Choose at least one document\."):
        bulk_edits.plan_found(house.me, "quaterly")


@SQLITE_ONLY
def test_fields_are_offered_of_documents_that_are_still_theirs_to_publish(house: House) -> None:
    secret = makers.category("secret")
    mine, other = field(house.shelf, "Mine"), field(secret, "Hidden")
    stays, goes = put(house.shelf, "a.pdf", "b.pdf")
    edit = bulk_edits.plan_selected(house.me, [stays.id, goes.id])
    move_document(None, goes.id, secret.id)
    admin = makers.actor(makers.person("Root", is_admin=True))

    assert bulk_edits.list_offered_fields(house.me, edit.id) == [mine]
    assert set(bulk_edits.list_offered_fields(admin, edit.id)) == {mine, other}


@SQLITE_ONLY
def test_why_documents_were_refused_is_told_to_who_may_see_the_edit(house: House) -> None:
    edit_id = make(house, put(house.closed, "a.pdf"), Changes(add_tags=("new",)))

    assert bulk_edits.list_reasons(house.me, edit_id) == [(judging.ONLY_READ, 1)]
    with pytest.raises(BulkEditNotFound):
        bulk_edits.list_reasons(makers.actor(makers.person("Bo")), edit_id)


@SQLITE_ONLY
def test_a_field_of_a_category_that_is_not_theirs_is_not_taken_and_not_named() -> None:
    ada = makers.person("Ada")
    mine, secret = makers.category("mine"), makers.category("secret")
    makers.grant(mine, user=ada, permission=PUBLISH)
    hidden = fields.add_field(None, secret.id, "Hidden", "text")
    who = makers.actor(ada)
    edit = bulk_edits.plan_selected(who, [makers.document(mine, "a.pdf").id])

    with pytest.raises(BadInput) as refused:
        planning.choose_changes(who, edit.id, Changes(field_id=hidden.id, field_value="x"))
    assert "Hidden" not in refused.value.sentence
