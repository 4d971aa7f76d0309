"""Erasing a person: what distributions called after them is called so no more, and no old address leads on."""

import pytest
from sqlalchemy import select

from portal import accounts, catalog
from portal.actors import Actor
from portal.catalog import change_category, erase_person, find_category, find_moved, move_category, move_document
from portal.catalog.recipients import SHARED, Recipient, ensure_shelf
from portal.catalog.trashing import restore_category, trash_category
from portal.errors import Conflict
from portal.extensions import db, transaction
from portal.models import AuditEvent, Base, Category, CategoryAlias, Upload, User
from portal.uploads import distributing
from portal.uploads.distributing.matching import SEVERAL, UNKNOWN
from portal.uploads.distributing.planning import CLOSED
from tests import makers
from tests.databases import SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")

NAME = "Ada Byron"


@pytest.fixture
def root() -> Actor:
    return makers.actor(makers.person("Root", is_admin=True, password=makers.PASSWORD))


@pytest.fixture
def ada() -> User:
    return makers.person(NAME)


def own(user: User, inside: str = "") -> Category:
    """Their category below ``payroll``, as a distribution makes it."""
    parent = makers.category("payroll").id
    made = ensure_shelf(None, parent, Recipient(f"u:{user.id}", user.name, reference=f"S-{user.id}"), inside)
    makers.release()
    return made


def tables_that_say(name: str) -> set[str]:
    """The tables in which the name stands; the log is not looked at: nothing in it is ever changed."""
    makers.release()
    tables = (table for table in Base.metadata.sorted_tables if table.name != "audit_events")
    return {
        table.name for table in tables if any(name in repr(tuple(row)) for row in db.session.execute(select(table)))
    }


def test_the_category_of_a_person_loses_their_name_and_keeps_what_is_in_it(root: Actor, ada: User) -> None:
    shelf, month = own(ada), own(ada, "2027/March")
    paper = makers.document(month, "march.pdf")
    change_category(None, shelf.id, name="King, Ada Byron", description="")
    assert {"categories", "category_aliases", "users"} <= tables_that_say(NAME)

    name = erase_person(root, ada.id)

    assert tables_that_say(NAME) == set()
    assert name == f"Erased person {ada.id}"
    found = find_category(f"payroll/{name}/2027/March")
    assert (found and found.id, makers.edition(paper).category_id) == (month.id, month.id)
    olds = [f"payroll/{old}{below}" for old in (NAME, "King, Ada Byron") for below in ("", "/2027", "/2027/March")]
    assert [path for path in olds if find_moved(path) or find_category(path)] == []
    newest = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(3)).all()
    assert [event.action for event in newest] == ["user.erased", "grant.removed", "category.changed"]
    assert newest[2].object_id == shelf.id


def test_the_log_never_has_what_a_persons_own_category_is_called(root: Actor, ada: User) -> None:
    month = own(ada, "2027")
    change_category(root, month.id, name="2028", description="")
    paper = makers.document(month, "march.pdf")
    move_document(root, paper.id, makers.category("archive").id)
    move_category(root, month.id, makers.category("archive").id)
    own(ada, "March")
    erase_person(root, ada.id)

    events = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
    assert [event for event in events if NAME in event.object_label + repr(event.details)] == []
    labels = [event.object_label for event in events if event.action in ("category.added", "grant.added")]
    assert labels == ["payroll", "payroll/…", "payroll/…", "payroll/…", "archive", "payroll/…"]
    moved = next(event for event in events if event.action == "document.moved")
    assert (moved.details["from_path"], moved.details["to_path"]) == ("payroll/…", "archive")


def test_the_log_has_no_name_of_it_when_somebody_else_may_read_it_no_more(root: Actor, ada: User) -> None:
    shelf, bob, board = own(ada), makers.person("Bob"), accounts.add_group(root, "Board")
    makers.grant(shelf, user=bob)
    makers.grant(shelf, group=board)
    erase_person(root, bob.id)
    accounts.remove_group(root, board.id)

    removed = select(AuditEvent.object_label).where(AuditEvent.action == "grant.removed")
    assert db.session.scalars(removed).all() == ["payroll/…", "payroll/…"]


@SQLITE_ONLY
def test_why_a_file_was_not_put_there_names_nobody(root: Actor, ada: User) -> None:
    month = own(ada, "2027")
    for path in ("payroll/Ada Byron", month.path, "payroll/Ada Byron King"):
        refuse(root, SHARED.format(path))
    name = erase_person(root, ada.id)
    reasons = db.session.scalars(select(Upload.reason).order_by(Upload.id)).all()
    paths = [f"payroll/{name}", f"payroll/{name}/2027", "payroll/Ada Byron King"]
    assert reasons == [SHARED.format(path) for path in paths], "the last is about somebody else"


@pytest.mark.parametrize(
    ("reason", "left"),
    [
        (CLOSED.format(NAME), CLOSED.format("{}")),
        (
            SEVERAL.format(f"{NAME} (S-1), {NAME} (S-2), {NAME} King"),
            SEVERAL.format(f"{{}}, {NAME} (S-2), {NAME} King"),
        ),
        (SEVERAL.format(f"Abe, {NAME} (S-1)"), SEVERAL.format("Abe, {}")),
        (UNKNOWN.format(3, "ADA.byron@example.org"), UNKNOWN.format(3, "{}")),
        (UNKNOWN.format(3, "S-1"), UNKNOWN.format(3, "{}")),
        (UNKNOWN.format(3, "S-11"), UNKNOWN.format(3, "S-11")),
    ],
    ids=["closed", "several", "last", "address", "reference", "another"],
)
def test_why_a_file_was_left_out_names_nobody_who_was_erased(root: Actor, ada: User, reason: str, left: str) -> None:
    makers.change(ada, reference="S-1", email="ada.byron@example.org")
    refuse(root, reason)
    name = erase_person(root, ada.id)
    assert db.session.scalars(select(Upload.reason)).all() == [left.format(name)]


def refuse(who: Actor, reason: str) -> None:
    """A file that could not be filed, and why."""
    made = distributing.add_distribution(who, makers.category("payroll").id, "Payslips")
    with transaction() as session:
        facts = {"filename": "a", "size": 1, "received": 1, "temp": "", "expires_at": makers.now()}
        ended = {"state": "refused", "closed_at": makers.now(), "reason": reason}
        session.add(Upload(user_id=who.user_id, distribution_id=made.id, **facts, **ended))


def test_what_was_moved_out_of_it_is_not_found_by_the_name_any_more(root: Actor, ada: User) -> None:
    month = own(ada, "2027")
    move_category(None, month.id, makers.category("archive").id)
    assert find_moved(f"payroll/{NAME}/2027") is not None
    erase_person(root, ada.id)
    assert tables_that_say(NAME) == set()
    assert find_category("archive/2027") is not None


@SQLITE_ONLY
def test_one_in_the_trash_comes_back_without_the_name(root: Actor, ada: User) -> None:
    shelf = own(ada)
    trash_category(None, shelf.id)
    name = erase_person(root, ada.id)
    assert tables_that_say(NAME) == set()
    assert restore_category(None, shelf.id).path == f"payroll/{name}"
    assert find_moved(f"payroll/{NAME}") is None


@SQLITE_ONLY
def test_a_name_that_a_neighbour_has_gets_a_number(root: Actor, ada: User) -> None:
    shelf = own(ada)
    makers.category(f"payroll/{accounts.erased_name(ada.id)}")
    erase_person(root, ada.id)
    assert catalog.get_category(shelf.id).name == f"{accounts.erased_name(ada.id)} (2)"


@SQLITE_ONLY
def test_categories_of_others_and_those_made_by_hand_stay_as_they_are(root: Actor, ada: User) -> None:
    bob, by_hand = makers.person("Bob"), makers.category(f"letters/{NAME}")
    makers.grant(by_hand, user=ada)
    theirs = own(bob)
    erase_person(root, ada.id)
    paths = [catalog.get_category(one.id).path for one in (theirs, by_hand)]
    assert paths == ["payroll/Bob", f"letters/{NAME}"]


@SQLITE_ONLY
def test_a_refusal_renames_nothing(root: Actor) -> None:
    shelf = own(db.session.get_one(User, root.user_id))
    with pytest.raises(Conflict, match="your own account"):
        erase_person(root, root.user_id or 0)
    assert catalog.get_category(shelf.id).name == "Root"
    assert db.session.scalars(select(CategoryAlias.path)).all() == []
