"""Categories in the trash: gone with all that is in them, and back with exactly what went."""

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update

from portal import access
from portal.catalog import (
    TrashedCategory,
    add_category,
    find_category,
    find_in_door,
    find_moved,
    get_category,
    list_shown,
    list_trashed,
    move_category,
    move_document,
    put_document,
    restore_category,
    restore_document,
    trash_category,
    trash_document,
    trashing,
)
from portal.catalog.trash import list_trash
from portal.errors import CategoryNotFound, Conflict, DocumentNotFound, Forbidden, PortalError, ShareGone
from portal.extensions import db, settings, transaction
from portal.integrity import collect
from portal.integrity.rows import category_problems
from portal.models import (
    MANAGE,
    PUBLISH,
    READ,
    Category,
    Document,
    Grant,
    SearchChange,
    ShareLink,
    SourceDirectory,
    Version,
)
from portal.shares import open_link
from tests import makers
from tests.databases import POSTGRESQL_ONLY, SQLITE_ONLY
from tests.makers import content_of

pytestmark = pytest.mark.usefixtures("context")


def put(path: str, filename: str = "a.pdf") -> int:
    """The id of a new document at this path."""
    return put_document(None, makers.category(path).id, filename, content_of(filename.encode())).document_id


def live() -> set[str]:
    """The paths of all documents that are not in the trash."""
    there = (Category.id == Document.category_id, Document.trashed_at.is_(None))
    return set(db.session.scalars(select(Category.path + "/" + Document.filename).where(*there)))


def require_sound() -> None:
    makers.release()
    assert list(category_problems()) == []


def test_all_that_is_in_a_category_goes_with_it_and_comes_back_with_it() -> None:
    shelf, deep = makers.category("firm/tax"), makers.category("firm/tax/2026")
    put("firm/tax"), put("firm/tax/2026"), put("firm")

    trash_category(None, shelf.id)
    assert live() == {"firm/a.pdf"}
    assert (find_category("firm/tax"), find_category("firm/tax/2026")) == (None, None)
    require_sound()

    restore_category(None, shelf.id)
    assert live() == {"firm/a.pdf", "firm/tax/a.pdf", "firm/tax/2026/a.pdf"}
    assert get_category(deep.id).document_count == 1
    require_sound()


def test_what_was_in_the_trash_before_stays_there() -> None:
    shelf, old = makers.category("firm"), makers.category("firm/old")
    early, late = put("firm", "early.pdf"), put("firm", "late.pdf")
    put("firm/old", "deep.pdf")
    trash_document(None, early)
    trash_category(None, old.id)

    trash_category(None, shelf.id)
    restore_category(None, shelf.id)

    assert live() == {"firm/late.pdf"}
    assert find_category("firm/old") is None
    restore_document(None, early)
    restore_category(None, old.id)
    assert live() == {"firm/late.pdf", "firm/early.pdf", "firm/old/deep.pdf"}
    assert db.session.get_one(Document, late).trashed_at is None
    require_sound()


def test_its_path_is_free_at_once_and_it_comes_back_under_a_number() -> None:
    first = makers.category("firm/tax")
    put("firm/tax")
    trash_category(None, first.id)
    second = makers.category("firm/tax")
    put("firm/tax", "b.pdf")

    assert second.id != first.id
    assert restore_category(None, first.id).path == "firm/tax (2)"
    assert live() == {"firm/tax/b.pdf", "firm/tax (2)/a.pdf"}
    require_sound()


@SQLITE_ONLY
def test_a_name_as_long_as_can_be_gives_way_to_the_number() -> None:
    first = makers.category("x" * 100)
    trash_category(None, first.id)
    makers.category("x" * 100)

    assert restore_category(None, first.id).path == "x" * 96 + " (2)"


@SQLITE_ONLY
def test_an_old_path_leads_to_a_category_again_once_it_is_back() -> None:
    firm, tax = makers.category("firm"), makers.category("firm/tax")
    move_category(None, firm.id, makers.category("group").id)
    trash_category(None, tax.id)
    assert find_moved("firm/tax") is None
    move_category(None, firm.id, None)

    restore_category(None, tax.id)
    found = find_moved("group/firm/tax")
    assert found is not None
    assert found.id == tax.id
    require_sound()


@SQLITE_ONLY
def test_nothing_can_be_done_in_the_trash() -> None:
    shelf, other = makers.category("firm"), makers.category("other")
    paper, elsewhere = put("firm"), put("other", "b.pdf")
    trash_category(None, shelf.id)

    for attempt in (
        lambda: add_category(None, shelf.id, "x"),
        lambda: move_category(None, shelf.id, other.id),
        lambda: move_category(None, other.id, shelf.id),
        lambda: move_document(None, elsewhere, shelf.id),
        lambda: put_document(None, shelf.id, "c.pdf", content_of()),
        lambda: trash_category(None, shelf.id),
        lambda: makers.grant(shelf, everyone=True),
    ):
        with pytest.raises(CategoryNotFound):
            attempt()
    with pytest.raises(Conflict, match="firm, which is in the trash"):
        restore_document(None, paper)


@SQLITE_ONLY
def test_what_is_below_another_one_in_the_trash_waits_for_that() -> None:
    shelf, inner = makers.category("firm"), makers.category("firm/tax")
    put("firm/tax")
    trash_category(None, inner.id)
    trash_category(None, shelf.id)
    ada = makers.actor(makers.person(is_admin=True))

    with pytest.raises(Conflict, match="It was in firm"):
        restore_category(None, inner.id)
    assert [row.category.id for row in list_trashed(ada)[0]] == [shelf.id]
    restore_category(None, shelf.id)
    assert [(row.category.id, row.documents, row.categories) for row in list_trashed(ada)[0]] == [(inner.id, 1, 0)]


@SQLITE_ONLY
def test_the_list_counts_what_would_come_back_and_goes_on_where_it_ended() -> None:
    ada = makers.actor(makers.person(is_admin=True))
    for name in ("a", "b", "c"):
        makers.category(f"{name}/below")
        put(name), put(f"{name}/below")
        trash_category(None, makers.category(name).id)

    first, after = list_trashed(ada, limit=2)
    rest, end = list_trashed(ada, limit=2, after=after)
    assert [row.category.path for row in (*first, *rest)] == ["c", "b", "a"]
    assert {(row.documents, row.categories) for row in first} == {(2, 1)}
    assert end is None


@POSTGRESQL_ONLY
def test_what_comes_back_while_the_list_is_made_is_not_in_it(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, (one, other) = makers.actor(makers.person(is_admin=True)), [makers.category(name).id for name in ("a", "b")]
    trash_category(None, one), trash_category(None, other)
    count = trashing._counted

    def restore() -> None:
        with context.app_context():
            restore_category(None, one)

    def count_later(found: Sequence[Category]) -> list[TrashedCategory]:
        thread = threading.Thread(target=restore)
        thread.start()
        thread.join(30)
        return count(found)

    monkeypatch.setattr(trashing, "_counted", count_later)

    assert [row.category.id for row in list_trashed(ada)[0]] == [other]


@SQLITE_ONLY
def test_documents_of_a_category_in_the_trash_are_not_in_the_list_of_documents() -> None:
    ada = makers.actor(makers.person(is_admin=True))
    alone = put("firm", "alone.pdf")
    put("firm", "with.pdf")
    trash_document(None, alone)
    assert len(list_trash(ada)[0]) == 1

    trash_category(None, makers.category("firm").id)
    assert list_trash(ada)[0] == []


@SQLITE_ONLY
def test_grants_on_it_give_nothing_until_it_is_back() -> None:
    shelf, mia, ada = makers.category("firm"), makers.person("Mia"), makers.person("Ada", is_admin=True)
    makers.grant(shelf, user=mia, permission=MANAGE)
    who = makers.actor(mia)
    trash_category(who, shelf.id)

    assert access.permission_on(who, shelf.id) == 0
    assert not access.manages_somewhere(who)
    assert (list_shown(who), list_shown(makers.actor(ada))) == ([], [])
    assert [row.category.id for row in list_trashed(who)[0]] == [shelf.id]
    restore_category(who, shelf.id)
    assert access.permission_on(who, shelf.id) == MANAGE


@SQLITE_ONLY
@pytest.mark.parametrize(("level", "refusal"), [(None, CategoryNotFound), (READ, Forbidden), (PUBLISH, Forbidden)])
def test_only_who_manages_it_trashes_it(level: int | None, refusal: type[PortalError]) -> None:
    shelf, user = makers.category("firm"), makers.person()
    if level:
        makers.grant(shelf, user=user, permission=level)

    with pytest.raises(refusal):
        trash_category(makers.actor(user), shelf.id)


@SQLITE_ONLY
def test_only_who_manages_it_brings_it_back() -> None:
    shelf, user, paper = makers.category("firm"), makers.person(), put("firm")
    makers.grant(shelf, user=user, permission=PUBLISH)
    trash_category(None, shelf.id)

    with pytest.raises(CategoryNotFound):
        restore_category(makers.actor(user), shelf.id)
    with pytest.raises(DocumentNotFound):
        restore_document(makers.actor(user), paper)
    assert list_trashed(makers.actor(user)) == ([], None)


@SQLITE_ONLY
def test_what_is_sealed_against_a_manager_does_not_go_with_their_category() -> None:
    shelf, mia = makers.category("firm"), makers.person("Mia")
    board = makers.category("firm/board", is_sealed=True)
    makers.grant(shelf, user=mia, permission=MANAGE)

    with pytest.raises(Conflict, match="sealed"):
        trash_category(makers.actor(mia), shelf.id)
    makers.grant(board, user=mia, permission=MANAGE)
    trash_category(makers.actor(mia), shelf.id)
    assert find_category("firm/board") is None


@SQLITE_ONLY
def test_a_directory_shown_in_place_does_not_go_into_the_trash() -> None:
    shelf = makers.category("firm/files")
    with transaction() as session:
        session.add(SourceDirectory(category_id=shelf.id, directory="/srv/files"))

    with pytest.raises(Conflict, match="directory in place"):
        trash_category(None, makers.category("firm").id)


@SQLITE_ONLY
def test_the_index_hears_of_what_went_and_of_what_came() -> None:
    shelf, paper = makers.category("firm"), put("firm")
    for change in (trash_category, restore_category):
        with transaction() as session:
            session.execute(delete(SearchChange))
        change(None, shelf.id)
        assert list(db.session.scalars(select(SearchChange.document_id))) == [paper]


def make_old() -> None:
    """As if everything in the trash had been there for its whole time."""
    long_ago = timedelta(days=settings().trash_days + 1)
    with transaction() as session:
        moments = {*session.scalars(select(Document.trashed_at)), *session.scalars(select(Category.trashed_at))}
        for moment in filter(None, moments):
            for kind in (Document, Category):
                session.execute(update(kind).where(kind.trashed_at == moment).values(trashed_at=moment - long_ago))


def test_after_its_time_a_category_is_removed_and_what_the_ledger_names_counts_to_the_one_above() -> None:
    shelf, firm = makers.category("firm/tax"), makers.category("firm")
    makers.category("firm/tax/2026")
    paper = put("firm/tax/2026")
    makers.grant(shelf, everyone=True)
    trash_category(None, shelf.id)
    make_old()

    with pytest.raises(Conflict, match="time in the trash is over"):
        restore_category(None, shelf.id)
    report = collect()

    assert (report.purged, report.categories) == (1, 2)
    assert [row.path for row in db.session.scalars(select(Category))] == ["firm"]
    assert db.session.get_one(Document, paper).category_id == firm.id
    require_sound()


@SQLITE_ONLY
def test_before_its_time_is_over_nothing_is_removed() -> None:
    shelf = makers.category("firm")
    put("firm")
    trash_category(None, shelf.id)

    report = collect()
    assert (report.purged, report.categories) == (0, 0)
    restore_category(None, shelf.id)
    assert live() == {"firm/a.pdf"}


@SQLITE_ONLY
def test_at_the_top_a_row_stays_for_what_the_ledger_names_and_nobody_sees_it() -> None:
    shelf, ada = makers.category("firm"), makers.actor(makers.person(is_admin=True))
    put("firm")
    makers.grant(shelf, everyone=True, permission=MANAGE)
    trash_category(None, shelf.id)
    make_old()

    assert collect().categories == 0
    assert collect().categories == 0
    assert list(db.session.scalars(select(Grant.id))) == []
    assert list_trashed(ada) == ([], None)
    assert find_category("firm") is None


@SQLITE_ONLY
def test_a_row_stays_for_the_link_that_names_it() -> None:
    shelf = makers.category("firm/tax")
    with transaction() as session:
        session.add(ShareLink(token_hash=b"x" * 32, token_hint="abcdef", category_id=shelf.id))
    trash_category(None, shelf.id)
    make_old()

    assert collect().categories == 0
    assert db.session.get_one(Category, shelf.id).trashed_at is not None


def test_a_document_put_in_while_its_category_goes_is_with_it_or_refused(context: Flask) -> None:
    for turn in range(5):
        shelf = makers.category(f"fading{turn}").id
        put_in, _ = makers.at_once(
            context,
            lambda to=shelf: put_document(None, to, "a.pdf", content_of()).number,  # type: ignore[misc]
            lambda to=shelf: trash_category(None, to).id,  # type: ignore[misc]
        )
        makers.release()
        inside = db.session.scalars(select(func.count()).where(Document.category_id == shelf)).one()
        assert (put_in, inside) in ((1, 1), (put_in, 0))
        assert isinstance(put_in, int | CategoryNotFound)
    assert live() == set()
    require_sound()


def test_a_category_brought_back_while_the_clean_up_runs_keeps_its_bytes(context: Flask) -> None:
    shelf, paper = makers.category("firm"), put("firm")
    trash_category(None, shelf.id)

    outcomes = makers.at_once(context, lambda: restore_category(None, shelf.id).id, lambda: collect().purged)

    assert outcomes == [shelf.id, 0]
    makers.release()
    assert db.session.scalars(select(Version.purged_at).where(Version.document_id == paper)).one() is None


@SQLITE_ONLY
def test_a_link_to_a_document_in_it_says_that_it_is_gone_and_works_again_once_it_is_back() -> None:
    shelf = makers.category("firm")
    _, token = makers.link(makers.document(shelf))
    trash_category(None, shelf.id)
    with pytest.raises(ShareGone):
        open_link(token, makers.NETWORK)

    restore_category(None, shelf.id)
    assert open_link(token, makers.NETWORK).edition.filename == "report.pdf"


@SQLITE_ONLY
def test_a_door_leads_into_the_category_that_is_there_and_not_into_one_in_the_trash() -> None:
    ada = makers.actor(makers.person(is_admin=True))
    old = makers.document(makers.category("csv"), "old.csv", b"a,b", "text/csv").id
    trash_category(None, makers.category("csv").id)
    assert find_in_door(ada, "csv", "old", ".csv") is None

    makers.document(makers.category("csv"), "new.csv", b"a,c", "text/csv")
    found = find_in_door(ada, "csv", "new", ".csv")
    assert found is not None
    assert (find_in_door(ada, "csv", "old", ".csv"), find_in_door(ada, "csv", str(old), ".csv")) == (None, None)
