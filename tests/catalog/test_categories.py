"""The tree of categories: paths and lineages after every change, old paths, loops, names and rights."""

import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import delete, select

from portal.access import permission_on
from portal.catalog import (
    add_category,
    change_category,
    ensure_category,
    find_category,
    find_moved,
    get_category,
    list_ancestors,
    list_children,
    move_category,
    put_document,
    remove_category,
    trash_document,
)
from portal.errors import BadInput, CategoryNotFound, Conflict, Forbidden, NameTaken, PortalError
from portal.extensions import db, transaction
from portal.models import (
    MANAGE,
    PUBLISH,
    READ,
    AuditEvent,
    Category,
    CategoryAlias,
    Document,
    Grant,
    SourceDirectory,
    Version,
)
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.properties import examples

pytestmark = pytest.mark.usefixtures("context")

Move = tuple[str, int, int, str]


def rename(category: Category, name: str) -> Category:
    """Change the name and nothing else."""
    return change_category(None, category.id, name=name, description=category.description, is_sealed=category.is_sealed)


def require_sound_tree() -> None:
    """Every path is the names joined, every lineage the ids, every depth their number; no alias hides a live path."""
    makers.release()
    rows = {row.id: row for row in db.session.scalars(select(Category).execution_options(populate_existing=True))}
    for row in rows.values():
        line = [row]
        while line[0].parent_id is not None:
            line.insert(0, rows[line[0].parent_id])
        assert row.path == "/".join(one.name for one in line)
        assert row.lineage == f"/{'/'.join(str(one.id) for one in line)}/"
        assert row.depth == len(line)
    aliases = set(db.session.scalars(select(CategoryAlias.path)))
    assert aliases.isdisjoint(row.path for row in rows.values())
    makers.release()


def grow_forty(top: Category) -> list[str]:
    """Forty categories below one, three wide; gives their paths below it."""
    made = [(top, "")]
    while len(made) <= 40:
        parent, path = made[(len(made) - 1) // 3]
        name = f"n{len(made)}"
        made.append((add_category(None, parent.id, name), f"{path}/{name}"))
    return [path for _, path in made[1:]]


@SQLITE_ONLY
def test_a_path_is_the_names_from_the_top() -> None:
    made = ensure_category(None, "reports/2018/feb")

    assert (made.path, made.depth, made.name) == ("reports/2018/feb", 3, "feb")
    assert [one.path for one in list_ancestors(made)] == ["reports", "reports/2018", "reports/2018/feb"]
    require_sound_tree()


@SQLITE_ONLY
def test_ensuring_a_path_twice_makes_it_once() -> None:
    first, second = ensure_category(None, "a/b"), ensure_category(None, "a/b")

    assert first.id == second.id
    assert [child.name for child in list_children(None)] == ["a"]


@SQLITE_ONLY
def test_ensuring_a_path_that_cannot_be_makes_nothing_of_it() -> None:
    with pytest.raises(BadInput):
        ensure_category(None, "new/download/x")

    assert find_category("new") is None


@SQLITE_ONLY
def test_children_come_by_name_whatever_its_capitals() -> None:
    for name in ("b", "C", "a"):
        add_category(None, None, name)

    assert [child.name for child in list_children(None)] == ["a", "b", "C"]


def test_a_rename_carries_forty_categories_along() -> None:
    top = makers.category("old")
    below = grow_forty(top)

    rename(top, "new")

    assert {row.path for row in db.session.scalars(select(Category))} == {"new", *(f"new{path}" for path in below)}
    require_sound_tree()


@SQLITE_ONLY
def test_a_move_carries_forty_categories_along() -> None:
    top, target = makers.category("top"), makers.category("far/away")
    below = grow_forty(top)

    move_category(None, top.id, target.id)

    paths = {row.path for row in db.session.scalars(select(Category))}
    assert paths == {"far", "far/away", "far/away/top", *(f"far/away/top{path}" for path in below)}
    require_sound_tree()


def test_every_old_path_of_a_moved_subtree_leads_to_its_category() -> None:
    top = makers.category("top")
    below = grow_forty(top)
    ids = {path: found.id for path in below if (found := find_category(f"top{path}"))}

    move_category(None, top.id, makers.category("far").id)

    moved = {path: found.id for path in below if (found := find_moved(f"top{path}"))}
    assert moved == ids
    assert len(moved) == 40


@SQLITE_ONLY
def test_a_category_moves_to_the_top() -> None:
    inner = makers.category("a/b")

    assert move_category(None, inner.id, None).path == "b"
    require_sound_tree()


@SQLITE_ONLY
def test_a_category_whose_name_begins_alike_stays_where_it_is() -> None:
    one, other = makers.category("reports"), makers.category("reports2")

    rename(one, "archive")

    assert get_category(other.id).path == "reports2"
    assert find_moved("reports2") is None
    require_sound_tree()


def test_signs_that_sql_reads_as_wildcards_are_letters_in_paths() -> None:
    other = makers.category("axb/in")
    for name in ("100%", "a_b", "a\\b", "[x]"):
        tricky = makers.category(f"{name}/in")

        rename(get_category(tricky.parent_id or 0), f"plain {tricky.id}")

        assert get_category(tricky.id).path == f"plain {tricky.id}/in"
        assert get_category(other.id).path == "axb/in"
    require_sound_tree()


@SQLITE_ONLY
def test_an_old_path_leads_on_through_two_moves() -> None:
    category = makers.category("one")
    rename(category, "two")
    rename(category, "three")

    assert [found.id for path in ("one", "two") if (found := find_moved(path))] == [category.id, category.id]


@SQLITE_ONLY
def test_an_old_path_given_to_another_category_is_that_category() -> None:
    first = makers.category("place")
    rename(first, "elsewhere")
    second = add_category(None, None, "place")

    found = find_category("place")
    assert found is not None
    assert found.id == second.id
    assert find_moved("place") is None


def test_an_old_path_leads_to_the_last_category_that_had_it() -> None:
    first = makers.category("place")
    rename(first, "first")
    second = add_category(None, None, "place")
    rename(second, "second")

    found = find_moved("place")
    assert found is not None
    assert found.id == second.id


@SQLITE_ONLY
def test_a_name_taken_back_is_no_old_path_any_more() -> None:
    category = makers.category("here")
    rename(category, "there")
    rename(category, "here")

    assert find_moved("here") is None
    found = find_moved("there")
    assert found is not None
    assert found.id == category.id


@SQLITE_ONLY
def test_a_category_cannot_be_moved_below_itself() -> None:
    makers.category("a/b/c")
    top = makers.category("a")

    for below in ("a", "a/b", "a/b/c"):
        with pytest.raises(Conflict, match="below itself"):
            move_category(None, top.id, makers.category(below).id)
    require_sound_tree()


def test_two_moves_at_once_cannot_tie_a_loop(context: Flask) -> None:
    for turn in range(5):
        left, right = makers.category(f"left{turn}"), makers.category(f"right{turn}")
        ids = left.id, right.id
        outcomes = makers.at_once(
            context,
            lambda ids=ids: move_category(None, ids[0], ids[1]).id,  # type: ignore[misc]
            lambda ids=ids: move_category(None, ids[1], ids[0]).id,  # type: ignore[misc]
        )

        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 1, outcomes
        require_sound_tree()


def test_ten_who_ensure_a_path_at_once_get_the_same_category(context: Flask) -> None:
    outcomes = makers.at_once(context, *[lambda: ensure_category(None, "deep/down/here").id] * 10)

    assert len(set(map(str, outcomes))) == 1, outcomes
    require_sound_tree()


def test_ten_who_add_the_same_name_at_once_make_one_category(context: Flask) -> None:
    outcomes = makers.at_once(context, *[lambda: add_category(None, None, "same").id] * 10)

    assert sum(isinstance(outcome, NameTaken) for outcome in outcomes) == 9, outcomes


def test_a_document_put_in_while_its_category_is_removed_is_in_or_refused(context: Flask) -> None:
    for turn in range(5):
        category_id = makers.category(f"fading{turn}").id
        put, removed = makers.at_once(
            context,
            lambda to=category_id: put_document(None, to, "a.pdf", makers.content_of()).number,  # type: ignore[misc]
            lambda to=category_id: remove_category(None, to),  # type: ignore[misc]
        )

        assert (put, type(removed)) == (1, Conflict) or (type(put), removed) == (CategoryNotFound, None)


@SQLITE_ONLY
def test_categories_go_sixty_four_deep_and_no_deeper() -> None:
    deepest = ensure_category(None, "/".join(f"{number}" for number in range(64)))

    assert deepest.depth == 64
    with pytest.raises(BadInput, match="64"):
        add_category(None, deepest.id, "more")


def test_a_move_that_would_make_the_tree_too_deep_is_refused() -> None:
    tall = ensure_category(None, "/".join(f"t{number}" for number in range(40)))
    other = ensure_category(None, "/".join(f"o{number}" for number in range(25)))
    top = list_ancestors(tall)[0]

    with pytest.raises(BadInput, match="64"):
        move_category(None, top.id, other.id)
    assert move_category(None, top.id, other.parent_id).depth == 25
    require_sound_tree()


@SQLITE_ONLY
def test_a_second_category_of_the_same_name_is_refused() -> None:
    parent = makers.category("a")
    add_category(None, parent.id, "b")

    with pytest.raises(NameTaken, match="b"):
        add_category(None, parent.id, "b")


@SQLITE_ONLY
def test_a_rename_to_a_name_next_door_is_refused() -> None:
    makers.category("a")

    with pytest.raises(NameTaken):
        rename(makers.category("b"), "a")
    require_sound_tree()


@SQLITE_ONLY
def test_a_move_to_where_the_name_is_taken_is_refused() -> None:
    makers.category("a/x")

    with pytest.raises(NameTaken):
        move_category(None, makers.category("x").id, makers.category("a").id)
    require_sound_tree()


@SQLITE_ONLY
def test_a_move_to_where_it_is_already_changes_nothing() -> None:
    inner = makers.category("a/b")

    assert move_category(None, inner.id, inner.parent_id).path == "a/b"
    assert find_moved("a/b") is None
    require_sound_tree()


@SQLITE_ONLY
def test_names_are_equal_however_their_accents_are_made() -> None:
    made = add_category(None, None, "Pre\u0301cis")

    assert made.name == "Pr\u00e9cis"
    assert [found.id for path in ("Pr\u00e9cis", "Pre\u0301cis") if (found := find_category(path))] == [made.id] * 2
    with pytest.raises(NameTaken):
        add_category(None, None, "Pr\u00e9cis")


IMPOSSIBLE = (
    *("", "  ", " a", "a ", ".", "..", "download", "a/b", "x" * 101),
    *("a\x00b", "a\nb", "a\x7fb", "a\u202eb", "a\ud800b"),
    *("\u200b", "\u3164", "\u0301"),
)


@SQLITE_ONLY
def test_a_name_that_cannot_be_is_refused_with_a_sentence() -> None:
    fine = makers.category("fine")
    for name in IMPOSSIBLE:
        with pytest.raises(BadInput) as refused:
            add_category(None, None, name)
        assert refused.value.sentence.endswith(".")
        with pytest.raises(BadInput):
            rename(fine, name)


def test_a_path_that_cannot_be_leads_nowhere() -> None:
    for path in ("", "/", "a\x00b", "a\ud800", "a//b", "../a"):
        assert find_category(path) is None
        assert find_moved(path) is None


def test_a_path_that_cannot_be_is_not_made() -> None:
    for path in ("", "a//b", "/a", "a/", "a/\x00", "a\ud800"):
        with pytest.raises(BadInput):
            ensure_category(None, path)


@SQLITE_ONLY
def test_a_description_that_cannot_be_stored_is_refused() -> None:
    category = makers.category("a")

    for description in ("a\x00b", "x" * 10_001, "\ud800"):
        with pytest.raises(BadInput):
            add_category(None, None, "b", description=description)
        with pytest.raises(BadInput):
            change_category(None, category.id, name="a", description=description, is_sealed=False)


def test_an_empty_category_is_removed_with_its_grants_and_old_paths() -> None:
    category = makers.category("a")
    makers.grant(category, everyone=True)
    rename(category, "b")

    remove_category(None, category.id)

    assert list(db.session.scalars(select(Category.id))) == []
    assert list(db.session.scalars(select(Grant.id))) == []
    assert find_moved("a") is None


@SQLITE_ONLY
def test_a_category_with_a_child_stays() -> None:
    makers.category("a/b")

    with pytest.raises(Conflict, match="empty"):
        remove_category(None, makers.category("a").id)


@SQLITE_ONLY
def test_a_category_with_a_document_in_the_trash_stays() -> None:
    category = makers.category("a")
    trash_document(None, put_document(None, category.id, "x.pdf", makers.content_of()).document_id)

    with pytest.raises(Conflict, match="trash"):
        remove_category(None, category.id)


def purged_document(category: Category) -> int:
    """A document that went through the trash and gave up its bytes; gives its id."""
    outcome = put_document(None, category.id, "x.pdf", makers.content_of())
    trash_document(None, outcome.document_id)
    edition = db.session.scalars(select(Version).where(Version.document_id == outcome.document_id)).one()
    makers.change(edition, blob_id=None, purged_at=makers.now())
    return outcome.document_id


def test_a_document_that_is_gone_for_good_keeps_no_category_and_is_named_in_the_one_above() -> None:
    category = makers.category("a/b")
    document_id = purged_document(category)

    remove_category(None, category.id)

    assert [row.path for row in db.session.scalars(select(Category))] == ["a"]
    assert db.session.get_one(Document, document_id).category_id == makers.category("a").id


def test_a_category_at_the_top_says_why_a_document_that_is_gone_keeps_it_and_what_helps() -> None:
    category = makers.category("a")
    purged_document(category)

    with pytest.raises(Conflict, match="Move it into another category first"):
        remove_category(None, category.id)
    move_category(None, category.id, makers.category("b").id)
    remove_category(None, category.id)

    assert [row.path for row in db.session.scalars(select(Category))] == ["b"]


@SQLITE_ONLY
def test_a_document_whose_bytes_are_there_keeps_a_category_that_also_has_one_without() -> None:
    category = makers.category("a/b")
    purged_document(category)
    trash_document(None, put_document(None, category.id, "y.pdf", makers.content_of(b"other")).document_id)

    with pytest.raises(Conflict, match="what is in the trash counts"):
        remove_category(None, category.id)


@SQLITE_ONLY
def test_a_category_that_never_was_is_not_found() -> None:
    for refused in (
        lambda: add_category(None, 4711, "a"),
        lambda: change_category(None, 4711, name="a", description="", is_sealed=False),
        lambda: move_category(None, 4711, None),
        lambda: move_category(None, makers.category("a").id, 4711),
        lambda: remove_category(None, 4711),
    ):
        with pytest.raises(CategoryNotFound):
            refused()


@SQLITE_ONLY
@pytest.mark.parametrize(("level", "refusal"), [(None, CategoryNotFound), (READ, Forbidden), (PUBLISH, Forbidden)])
def test_whoever_may_not_manage_a_category_changes_nothing(level: int | None, refusal: type[PortalError]) -> None:
    category, other = makers.category("a"), makers.category("mine")
    user = makers.person()
    makers.grant(other, user=user, permission=MANAGE)
    if level:
        makers.grant(category, user=user, permission=level)
    who = makers.actor(user)

    for attempt in (
        lambda: add_category(who, category.id, "x"),
        lambda: change_category(who, category.id, name="x", description="", is_sealed=True),
        lambda: move_category(who, category.id, other.id),
        lambda: move_category(who, other.id, category.id),
        lambda: remove_category(who, category.id),
    ):
        with pytest.raises(refusal) as refused:
            attempt()
        assert type(refused.value) is refusal
    assert {row.path for row in db.session.scalars(select(Category))} == {"a", "mine"}


@SQLITE_ONLY
def test_a_manager_manages_what_is_below_but_not_the_top() -> None:
    category = makers.category("a")
    user = makers.person()
    makers.grant(category, user=user, permission=MANAGE)
    who = makers.actor(user)

    inner = add_category(who, category.id, "b")
    change_category(who, inner.id, name="c", description="new", is_sealed=False)
    remove_category(who, inner.id)

    with pytest.raises(Forbidden, match="administrators"):
        add_category(who, None, "top")
    with pytest.raises(Forbidden, match="administrators"):
        move_category(who, category.id, None)


@SQLITE_ONLY
def test_rights_follow_a_moved_category_at_once() -> None:
    closed, opened = makers.category("closed/x"), makers.category("open")
    user = makers.person()
    makers.grant(opened, user=user)

    assert permission_on(makers.actor(user), closed.id) == 0
    move_category(None, closed.id, opened.id)
    assert permission_on(makers.actor(user), closed.id) == READ


@SQLITE_ONLY
def test_sealing_is_written_down_as_such() -> None:
    category = makers.category("a", is_sealed=False)
    change_category(None, category.id, name="a", description="", is_sealed=True)
    change_category(None, category.id, name="a", description="", is_sealed=False)

    actions = list(db.session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))
    assert [action for action in actions if action.endswith("sealed")] == ["category.sealed", "category.unsealed"]


@SQLITE_ONLY
def test_where_a_directory_is_shown_in_place_names_stay() -> None:
    source, far = makers.category("shop/docs"), makers.category("far")
    makers.category("shop/docs/sub")
    with transaction() as session:
        session.add(SourceDirectory(category_id=source.id, directory="/srv/docs"))

    for path in ("shop", "shop/docs", "shop/docs/sub"):
        category = makers.category(path)
        with pytest.raises(Conflict, match="directory in place"):
            rename(category, "other")
        with pytest.raises(Conflict, match="directory in place"):
            move_category(None, category.id, far.id)
        assert change_category(None, category.id, name=category.name, description="new", is_sealed=True).is_sealed


NAMES = st.sampled_from(["a", "b", "c", "a%", "A", "ä"])
MOVES = st.lists(
    st.tuples(st.sampled_from(["add", "rename", "move"]), st.integers(0, 9), st.integers(0, 9), NAMES), max_size=14
)


@examples(8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES)
def test_any_sequence_of_changes_leaves_a_sound_tree(context: Flask, moves: list[Move]) -> None:
    with transaction() as session:
        session.execute(delete(CategoryAlias))
        for row in session.scalars(select(Category).order_by(Category.depth.desc())):
            session.delete(row)
            session.flush()
    ids = [add_category(None, None, "root").id]
    for verb, one, other, name in moves:
        category_id, parent_id = ids[one % len(ids)], ids[other % len(ids)]
        try:
            if verb == "add":
                ids.append(add_category(None, parent_id, name).id)
            elif verb == "rename":
                rename(get_category(category_id), name)
            else:
                move_category(None, category_id, parent_id)
        except (Conflict, NameTaken):
            continue
    require_sound_tree()
