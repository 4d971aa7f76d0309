"""Documents and versions: put in, changed, moved, trashed, brought back; counters and numbers stay exact."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import func, select

from portal import filenames
from portal.actors import Actor
from portal.catalog import (
    Facts,
    OnConflict,
    Outcome,
    add_version,
    change_document,
    change_rules,
    find_edition,
    get_category,
    get_live,
    get_version,
    list_versions,
    move_document,
    put_document,
    restore_document,
    trash_document,
)
from portal.errors import (
    BadInput,
    CategoryNotFound,
    Conflict,
    DocumentNotFound,
    Forbidden,
    NameTaken,
    PortalError,
    UploadTypeRejected,
)
from portal.extensions import db, transaction
from portal.integrity.rows import category_problems
from portal.models import MANAGE, PUBLISH, READ, AuditEvent, Blob, Category, Document, Version
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.properties import examples

pytestmark = pytest.mark.usefixtures("context")

ONE, TWO = makers.content_of(b"%PDF one"), makers.content_of(b"%PDF two")
STEP = tuple[str, int, int]


def put(
    into: Category, filename: str = "a.pdf", content: bytes = b"%PDF one", on_conflict: OnConflict = "version"
) -> Outcome:
    """Put bytes in as the operator."""
    return put_document(None, into.id, filename, makers.content_of(content), on_conflict=on_conflict)


def change(document_id: int, **changes: object) -> Document:
    """Change only these facts of a document."""
    document = get_live(document_id)
    names = ("title", "filename", "description", "published_at", "expires_at")
    values = {name: getattr(document, name) for name in names} | changes
    change_document(None, document_id, **values)
    return get_live(document_id)


def count(model: type[Document | Version | Blob | AuditEvent]) -> int:
    """Rows of a table."""
    return db.session.scalars(select(func.count()).select_from(model)).one()


def require_exact_counters() -> None:
    """Every category counts the live documents in it, and every document its versions, numbered from 1."""
    makers.release()
    assert list(category_problems()) == []
    for document_id, counted in db.session.execute(select(Document.id, Document.version_count)).all():
        numbers = select(Version.number).where(Version.document_id == document_id).order_by(Version.number)
        assert list(db.session.scalars(numbers)) == list(range(1, counted + 1))
    makers.release()


@SQLITE_ONLY
def test_a_new_name_is_a_new_document() -> None:
    outcome = put(makers.category(), "Weather_Report.pdf")

    assert (outcome.kind, outcome.number, outcome.title) == ("added", 1, "Weather Report")
    assert get_live(outcome.document_id).filename == "Weather_Report.pdf"


@SQLITE_ONLY
def test_the_same_name_and_bytes_are_nothing_to_do() -> None:
    shelf = makers.category()
    first = put(shelf)
    written = count(AuditEvent)

    second = put(shelf)

    assert (second.kind, second.document_id, second.number) == ("unchanged", first.document_id, 1)
    assert (count(Version), count(AuditEvent)) == (1, written)


@SQLITE_ONLY
@pytest.mark.parametrize("on_conflict", ["rename", "refuse"])
def test_the_same_name_and_bytes_are_nothing_to_do_whatever_was_asked_for(on_conflict: OnConflict) -> None:
    shelf = makers.category()
    put(shelf)

    assert put(shelf, on_conflict=on_conflict).kind == "unchanged"
    assert count(Document) == 1


def test_the_same_name_and_other_bytes_are_a_version() -> None:
    shelf = makers.category()
    first = put(shelf)

    second = put(shelf, content=b"%PDF two")

    assert (second.kind, second.document_id, second.number) == ("versioned", first.document_id, 2)
    require_exact_counters()


@SQLITE_ONLY
def test_bytes_that_were_there_before_are_a_version_again() -> None:
    shelf = makers.category()
    for content in (b"one", b"two", b"one"):
        last = put(shelf, content=content)

    assert last.number == 3
    assert count(Blob) == 2


@SQLITE_ONLY
def test_other_bytes_may_be_told_to_stand_beside() -> None:
    shelf = makers.category()
    put(shelf, "a.tar.gz")

    names = [put(shelf, "a.tar.gz", content, on_conflict="rename").filename for content in (b"2", b"3")]

    assert names == ["a (2).tar.gz", "a (3).tar.gz"]
    require_exact_counters()


@SQLITE_ONLY
def test_other_bytes_may_be_told_to_be_refused() -> None:
    shelf = makers.category()
    put(shelf)

    with pytest.raises(NameTaken, match=r"a\.pdf"):
        put(shelf, content=b"two", on_conflict="refuse")
    assert count(Version) == 1


def test_two_documents_with_equal_bytes_are_two_documents_and_one_blob() -> None:
    shelf = makers.category()
    first, second = put(shelf, "a.pdf"), put(shelf, "b.pdf")

    assert first.document_id != second.document_id
    assert (count(Document), count(Version), count(Blob)) == (2, 2, 1)


@SQLITE_ONLY
def test_a_blob_used_again_looks_young_to_gc() -> None:
    shelf = makers.category()
    put(shelf, "a.pdf")
    blob = db.session.scalars(select(Blob)).one()
    with transaction():
        blob.touched_at = blob.created_at - timedelta(days=3)

    put(shelf, "b.pdf")

    db.session.refresh(blob)
    assert blob.touched_at >= blob.created_at


@SQLITE_ONLY
def test_names_that_only_differ_in_capitals_are_two_documents() -> None:
    shelf = makers.category()

    assert put(shelf, "A.pdf").document_id != put(shelf, "a.pdf").document_id


@SQLITE_ONLY
def test_a_name_is_cleaned_before_it_is_compared() -> None:
    shelf = makers.category()
    first = put(shelf, "r\u00e9sum\u00e9.pdf")

    for spelling in (
        "re\u0301sume\u0301.pdf",
        "C:\\x\\r\u00e9sum\u00e9.pdf",
        "../r\u00e9sum\u00e9.pdf ",
        "r\u00e9\u202esum\u00e9.pdf",
    ):
        assert put(shelf, spelling).document_id == first.document_id


@SQLITE_ONLY
def test_a_document_without_a_name_gets_one() -> None:
    for name in ("", "...", "\x00\x01", "\ud800"):
        assert put(makers.category(), name).filename == "document"


@SQLITE_ONLY
def test_a_long_name_keeps_its_number_and_stays_clean() -> None:
    shelf = makers.category()
    for stem in ("x" * 300, "é" * 300, "\U0001f600" * 300, "a." * 150):
        names = [put(shelf, f"{stem}.pdf", str(n).encode(), on_conflict="rename").filename for n in range(12)]

        assert len(set(names)) == 12
        assert [filenames.clean(name) for name in names] == names
        assert all(len(name.encode()) <= filenames.MAX_BYTES for name in names)


def test_what_people_say_is_kept() -> None:
    later = makers.now(days=1)
    facts = Facts(title="  Annual   report ", description="first\r\nsecond ", note="n", published_at=later)

    outcome = put_document(None, makers.category().id, "a.pdf", ONE, facts=facts)

    document = get_live(outcome.document_id)
    assert (document.title, document.description, document.published_at) == ("Annual report", "first\nsecond", later)
    assert list_versions(document.id)[0].version.note == "n"


@SQLITE_ONLY
def test_a_draft_has_no_date() -> None:
    outcome = put_document(None, makers.category().id, "a.pdf", ONE, facts=Facts(is_draft=True))

    assert get_live(outcome.document_id).published_at is None


@SQLITE_ONLY
def test_without_a_date_it_is_out_now() -> None:
    document = get_live(put(makers.category()).document_id)

    assert document.published_at is not None
    assert makers.now(minutes=-1) < document.published_at <= makers.now()


@SQLITE_ONLY
def test_a_title_that_cannot_be_is_refused() -> None:
    for title in (" ", "x" * 301, "a\x00b", "a\x1bb", "\ud800", "\ufb2c" * 200, "\u200b", "\u3164", "a\u202eb"):
        with pytest.raises(BadInput, match="title"):
            put_document(None, makers.category().id, "a.pdf", ONE, facts=Facts(title=title))
    assert (count(Document), count(Blob)) == (0, 0)


@SQLITE_ONLY
def test_a_text_that_cannot_be_is_refused() -> None:
    for text in ("x" * 10_001, "a\x00b", "\ud800", "a\x7f"):
        for facts in (Facts(description=text), Facts(note=text)):
            with pytest.raises(BadInput, match="text"):
                put_document(None, makers.category().id, "a.pdf", ONE, facts=facts)
    assert (count(Document), count(Blob)) == (0, 0)


@SQLITE_ONLY
def test_a_new_version_keeps_the_name_of_the_document() -> None:
    first = put(makers.category(), "report.PDF")

    outcome = add_version(None, first.document_id, "from my desk.pdf", TWO, "corrected")

    assert (outcome.kind, outcome.number, outcome.filename) == ("versioned", 2, "report.PDF")
    assert [row.version.note for row in list_versions(first.document_id)] == ["corrected", ""]


@SQLITE_ONLY
def test_a_new_version_of_another_type_changes_the_ending() -> None:
    first = put(makers.category(), "report.docx")

    assert add_version(None, first.document_id, "whatever.PDF", TWO).filename == "report.pdf"


@SQLITE_ONLY
def test_a_new_ending_gives_way_to_a_neighbour() -> None:
    shelf = makers.category()
    first = put(shelf, "report.docx")
    put(shelf, "report.pdf", b"other")

    assert add_version(None, first.document_id, "x.pdf", TWO).filename == "report (2).pdf"


@SQLITE_ONLY
def test_a_version_with_the_bytes_it_has_is_nothing_to_do() -> None:
    first = put(makers.category())

    assert add_version(None, first.document_id, "a.pdf", ONE).kind == "unchanged"


def test_an_old_version_keeps_its_name() -> None:
    first = put(makers.category(), "draft.docx")
    one = find_edition(first.document_id, None)
    add_version(None, first.document_id, "x.pdf", TWO)
    change(first.document_id, filename="final.pdf")

    assert one is not None
    old, new = find_edition(first.document_id, one.version_id), find_edition(first.document_id, None)
    assert old is not None
    assert new is not None
    assert (old.filename, old.number, old.is_current) == ("draft.docx", 1, False)
    assert (new.filename, new.number, new.is_current) == ("final.pdf", 2, True)


@SQLITE_ONLY
def test_a_rename_to_a_name_next_door_is_refused() -> None:
    shelf = makers.category()
    put(shelf, "a.pdf")
    other = put(shelf, "b.pdf")

    with pytest.raises(NameTaken):
        change(other.document_id, filename="a.pdf")


@SQLITE_ONLY
def test_a_document_may_keep_its_name_and_change_its_title() -> None:
    first = put(makers.category())

    changed = change(first.document_id, title="New title", filename="a.pdf")

    assert (changed.title, changed.search_text) == ("New title", "new title\na.pdf")


@SQLITE_ONLY
def test_a_document_cannot_expire_before_it_is_published() -> None:
    first, now = put(makers.category()), makers.now()

    with pytest.raises(BadInput, match="expire"):
        change(first.document_id, published_at=now, expires_at=now)


def test_a_moved_document_is_counted_where_it_is() -> None:
    here, there = makers.category("here"), makers.category("there")
    first = put(here)

    move_document(None, first.document_id, there.id)

    assert [get_category(one.id).document_count for one in (here, there)] == [0, 1]
    require_exact_counters()


@SQLITE_ONLY
def test_a_move_to_where_the_name_is_taken_is_refused() -> None:
    here, there = makers.category("here"), makers.category("there")
    first = put(here)
    put(there, content=b"other")

    with pytest.raises(NameTaken):
        move_document(None, first.document_id, there.id)
    require_exact_counters()


@SQLITE_ONLY
def test_a_move_to_where_the_type_is_not_taken_is_refused_but_to_an_operator() -> None:
    here, there = makers.category("here"), makers.category("there")
    first = put(here)
    change_rules(None, there.id, types=["csv"], expiry_days=None)
    admin = makers.actor(makers.person("Root", is_admin=True))

    with pytest.raises(UploadTypeRejected):
        move_document(admin, first.document_id, there.id)
    require_exact_counters()
    assert move_document(None, first.document_id, there.id).category_id == there.id


@SQLITE_ONLY
def test_a_move_to_where_it_is_writes_nothing() -> None:
    here = makers.category("here")
    first = put(here)
    written = count(AuditEvent)

    move_document(None, first.document_id, here.id)

    assert count(AuditEvent) == written


def test_a_name_in_the_trash_is_free() -> None:
    shelf = makers.category()
    first = put(shelf)
    trash_document(None, first.document_id)

    second = put(shelf)

    assert second.document_id != first.document_id
    require_exact_counters()


@SQLITE_ONLY
def test_a_document_comes_back_under_its_own_name() -> None:
    first = put(makers.category())
    trash_document(None, first.document_id)

    assert restore_document(None, first.document_id).filename == "a.pdf"
    require_exact_counters()


def test_a_document_comes_back_under_another_name_when_its_own_was_taken() -> None:
    shelf = makers.category()
    first = put(shelf)
    trash_document(None, first.document_id)
    put(shelf, content=b"other")

    restored = restore_document(None, first.document_id)

    assert (restored.filename, restored.search_text) == ("a (2).pdf", "a\na (2).pdf")
    require_exact_counters()


@SQLITE_ONLY
def test_a_document_whose_bytes_were_removed_stays_in_the_trash() -> None:
    first = put(makers.category())
    trash_document(None, first.document_id)
    version = db.session.scalars(select(Version)).one()
    makers.change(version, blob_id=None, purged_at=makers.now())

    with pytest.raises(Conflict, match="removed"):
        restore_document(None, first.document_id)


@SQLITE_ONLY
def test_what_is_in_the_trash_is_nowhere_else() -> None:
    first = put(makers.category())
    trash_document(None, first.document_id)

    for attempt in (
        lambda: trash_document(None, first.document_id),
        lambda: move_document(None, first.document_id, makers.category("there").id),
        lambda: add_version(None, first.document_id, "a.pdf", TWO),
        lambda: change_document(
            None, first.document_id, title="t", filename="f", description="", published_at=None, expires_at=None
        ),
        lambda: get_live(first.document_id),
    ):
        with pytest.raises(DocumentNotFound):
            attempt()
    require_exact_counters()


@SQLITE_ONLY
def test_only_what_is_in_the_trash_comes_back() -> None:
    with pytest.raises(DocumentNotFound):
        restore_document(None, put(makers.category()).document_id)


@SQLITE_ONLY
def test_nothing_has_an_id_that_never_was() -> None:
    with pytest.raises(DocumentNotFound):
        trash_document(None, 4711)
    with pytest.raises(DocumentNotFound):
        restore_document(None, 4711)
    with pytest.raises(DocumentNotFound):
        get_version(4711)
    with pytest.raises(CategoryNotFound):
        put_document(None, 4711, "a.pdf", ONE)


def writers(who: Actor, document_id: int, elsewhere: int) -> list[Callable[[], object]]:
    """Every verb that changes a document."""
    document = get_live(document_id)
    return [
        lambda: add_version(who, document_id, "a.pdf", TWO),
        lambda: change_document(
            who, document_id, title="t", filename="f", description="", published_at=None, expires_at=None
        ),
        lambda: move_document(who, document_id, elsewhere),
        lambda: move_document(who, document_id, document.category_id),
        lambda: trash_document(who, document_id),
    ]


@SQLITE_ONLY
@pytest.mark.parametrize(("level", "refusal"), [(None, DocumentNotFound), (READ, Forbidden)])
def test_whoever_may_not_publish_changes_nothing(level: int | None, refusal: type[PortalError]) -> None:
    shelf, mine, user = makers.category("shelf"), makers.category("mine"), makers.person()
    makers.grant(mine, user=user, permission=MANAGE)
    if level:
        makers.grant(shelf, user=user, permission=level)
    document_id = put(shelf).document_id
    written = count(AuditEvent)

    for attempt in writers(makers.actor(user), document_id, mine.id):
        with pytest.raises(refusal) as refused:
            attempt()
        assert type(refused.value) is refusal
    assert count(AuditEvent) == written


@SQLITE_ONLY
@pytest.mark.parametrize("state", ["draft", "trashed"])
def test_a_reader_cannot_tell_a_draft_from_nothing(state: str) -> None:
    shelf, mine, user = makers.category("shelf"), makers.category("mine"), makers.person()
    makers.grant(shelf, user=user)
    makers.grant(mine, user=user, permission=PUBLISH)
    document = makers.document(shelf)
    attempts = writers(makers.actor(user), document.id, mine.id)
    attempts.append(lambda: restore_document(makers.actor(user), document.id))
    makers.change(document, **{"published_at": None} if state == "draft" else {"trashed_at": makers.now()})

    for attempt in attempts:
        with pytest.raises(DocumentNotFound):
            attempt()


@SQLITE_ONLY
def test_a_move_needs_the_right_on_both_ends() -> None:
    here, there, hidden, user = makers.category("h"), makers.category("t"), makers.category("x"), makers.person()
    makers.grant(here, user=user, permission=PUBLISH)
    makers.grant(there, user=user, permission=READ)
    document_id = put(here).document_id

    with pytest.raises(Forbidden):
        move_document(makers.actor(user), document_id, there.id)
    with pytest.raises(CategoryNotFound):
        move_document(makers.actor(user), document_id, hidden.id)


@SQLITE_ONLY
@pytest.mark.parametrize(("level", "refusal"), [(None, CategoryNotFound), (READ, Forbidden)])
def test_whoever_may_not_publish_puts_nothing_in(level: int | None, refusal: type[PortalError]) -> None:
    shelf, user = makers.category(), makers.person()
    if level:
        makers.grant(shelf, user=user, permission=level)

    with pytest.raises(refusal) as refused:
        put_document(makers.actor(user), shelf.id, "a.pdf", ONE)
    assert type(refused.value) is refusal
    assert (count(Document), count(Blob)) == (0, 0)


@SQLITE_ONLY
def test_a_publisher_is_named_with_what_they_put_in() -> None:
    shelf, user = makers.category(), makers.person("Ada")
    makers.grant(shelf, user=user, permission=PUBLISH)

    outcome = put_document(makers.actor(user), shelf.id, "a.pdf", ONE)
    move_document(makers.actor(user), outcome.document_id, shelf.id)
    trash_document(makers.actor(user), outcome.document_id)
    restore_document(makers.actor(user), outcome.document_id)

    assert list_versions(outcome.document_id)[0].author == "Ada"


def test_twenty_who_put_the_same_bytes_at_once_make_one_version(context: Flask) -> None:
    shelf_id = makers.category().id

    outcomes = makers.at_once(context, *[lambda: put_document(None, shelf_id, "a.pdf", ONE).kind] * 20)

    assert sorted(map(str, outcomes)) == ["added"] + ["unchanged"] * 19
    assert (count(Document), count(Version), count(Blob)) == (1, 1, 1)
    require_exact_counters()


def test_twenty_who_put_other_bytes_at_once_get_twenty_numbers(context: Flask) -> None:
    shelf_id = makers.category().id
    contents = [makers.content_of(str(number).encode()) for number in range(20)]

    outcomes = makers.at_once(
        context, *[lambda one=one: put_document(None, shelf_id, "a.pdf", one).number for one in contents]
    )

    assert sorted(map(str, outcomes), key=int) == [str(number) for number in range(1, 21)]
    require_exact_counters()


def test_versions_added_at_once_are_numbered_without_gaps(context: Flask) -> None:
    document_id = put(makers.category()).document_id
    contents = [makers.content_of(str(number).encode()) for number in range(10)]

    outcomes = makers.at_once(
        context, *[lambda one=one: add_version(None, document_id, "a.pdf", one).number for one in contents]
    )

    assert sorted(map(str, outcomes), key=int) == [str(number) for number in range(2, 12)]
    require_exact_counters()


def test_equal_bytes_under_twenty_names_at_once_are_one_blob(context: Flask) -> None:
    shelves = [makers.category(f"shelf{number}").id for number in range(20)]

    outcomes = makers.at_once(context, *[lambda to=to: put_document(None, to, "a.pdf", ONE).kind for to in shelves])

    assert [str(outcome) for outcome in outcomes] == ["added"] * 20
    assert count(Blob) == 1


def test_a_document_trashed_ten_times_at_once_is_trashed_once(context: Flask) -> None:
    document_id = put(makers.category()).document_id

    outcomes = makers.at_once(context, *[lambda: trash_document(None, document_id)] * 10)

    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, DocumentNotFound) for outcome in outcomes) == 9, outcomes
    require_exact_counters()


def test_a_document_moved_to_ten_places_at_once_is_in_one(context: Flask) -> None:
    document_id = put(makers.category("start")).document_id
    shelves = [makers.category(f"shelf{number}").id for number in range(10)]

    outcomes = makers.at_once(
        context, *[lambda to=to: move_document(None, document_id, to).category_id for to in shelves]
    )

    assert set(outcomes) == set(shelves)
    require_exact_counters()


def test_two_documents_that_change_places_at_once_do_not_wait_for_each_other(context: Flask) -> None:
    left, right = makers.category("left"), makers.category("right")
    ids = [put(left, "l.pdf").document_id, put(right, "r.pdf").document_id]

    outcomes = makers.at_once(
        context,
        lambda: move_document(None, ids[0], right.id).category_id,
        lambda: move_document(None, ids[1], left.id).category_id,
    )

    assert outcomes == [right.id, left.id]
    require_exact_counters()


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "move", "trash", "restore", "version"]), st.integers(0, 9), st.integers(0, 2)),
    max_size=16,
)


@examples(6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_sequence_of_changes_leaves_exact_counters(steps: list[STEP]) -> None:
    shelves = [makers.category(name).id for name in ("a", "b", "c")]
    ids = [put_document(None, shelves[0], "first.pdf", ONE).document_id]
    for verb, number, place in steps:
        document_id = ids[number % len(ids)]
        try:
            if verb == "put":
                content = makers.content_of(str(place).encode())
                ids.append(put_document(None, shelves[place], f"{number}.pdf", content).document_id)
            elif verb == "move":
                move_document(None, document_id, shelves[place])
            elif verb == "trash":
                trash_document(None, document_id)
            elif verb == "restore":
                restore_document(None, document_id)
            else:
                add_version(None, document_id, "x.pdf", makers.content_of(str(number).encode()))
        except (DocumentNotFound, NameTaken):
            continue
    require_exact_counters()
