"""Distributions: each file goes to its own person, into a category that nobody else may read."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal import access, accounts, filenames
from portal.actors import Actor
from portal.catalog import remove_grant, seal_category
from portal.catalog.removing import remove_category
from portal.catalog.trashing import trash_category
from portal.errors import BadInput, Conflict, DistributionNotFound, Forbidden
from portal.extensions import db, storage
from portal.integrity import collect
from portal.models import (
    PUBLISH,
    READ,
    AuditEvent,
    Blob,
    Category,
    DistributionLine,
    Document,
    Grant,
    Mail,
    Upload,
    User,
    Version,
)
from portal.uploads import distributing
from portal.uploads.distributing import running
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.uploads.dropping import PDF, begin, confirm, drop, employee, manager, outcomes, papers, reasons, shelves

pytestmark = pytest.mark.usefixtures("context")

BY_REFERENCE = "{reference}_*.pdf"


def readers_of(category: Category) -> set[str]:
    """Who may read a category and is no administrator."""
    held = access.holders(category.id).subquery()
    statement = select(User.name).join(held, held.c.user_id == User.id).where(~User.is_admin)
    return set(db.session.scalars(statement))


def mails() -> list[tuple[str, str]]:
    """Address and subject of the mails of distributions."""
    told = select(Mail.email, Mail.subject).where(Mail.kind == "distributed").order_by(Mail.email)
    return [(row.email, row.subject) for row in db.session.execute(told)]


def test_each_file_goes_into_a_sealed_category_that_only_its_person_may_read(mia: Actor, payroll: Category) -> None:
    makers.grant(payroll, everyone=True)
    employee("Ada Byron", "4711")
    employee("Bob Brown", "4712")
    made = begin(mia, payroll, {"4711_march.pdf": PDF, "4712_march.pdf": PDF + b"b"}, pattern=BY_REFERENCE)

    assert confirm(mia, made.id) == {"added": 2}
    found = shelves(payroll)
    assert {name: readers_of(shelf) for name, shelf in found.items()} == {
        "Ada Byron": {"Ada Byron"},
        "Bob Brown": {"Bob Brown"},
    }
    assert {name: (list(papers(shelf)), shelf.is_sealed) for name, shelf in found.items()} == {
        "Ada Byron": (["4711_march.pdf"], True),
        "Bob Brown": (["4712_march.pdf"], True),
    }
    given = db.session.execute(select(Grant.category_id, Grant.permission).where(Grant.category_id != payroll.id)).all()
    assert sorted(given) == sorted((shelf.id, READ) for shelf in found.values())


def test_next_month_the_same_categories_are_filled_whatever_they_are_called_by_then(
    mia: Actor, payroll: Category
) -> None:
    ada = employee("Ada Byron", "4711")
    confirm(mia, begin(mia, payroll, {"4711_march.pdf": PDF}, pattern=BY_REFERENCE).id)
    shelf = shelves(payroll)["Ada Byron"]
    makers.change(shelf, name="King, Ada", path="payroll/King, Ada")
    accounts.change_user(None, ada.id, name="Ada King", is_admin=False)

    confirm(mia, begin(mia, payroll, {"4711_april.pdf": PDF}, pattern=BY_REFERENCE).id)

    assert {name: set(papers(one)) for name, one in shelves(payroll).items()} == {
        "King, Ada": {"4711_march.pdf", "4711_april.pdf"}
    }


def test_who_confirms_is_named_in_the_log_and_as_the_author(mia: Actor, payroll: Category) -> None:
    employee("Ada Byron", "4711")
    made = begin(mia, payroll, {"4711_march.pdf": PDF}, pattern=BY_REFERENCE)
    confirm(mia, made.id)

    acted = select(AuditEvent.action, AuditEvent.actor_kind).where(AuditEvent.actor_hash.is_not(None))
    actions = [action for action, _ in db.session.execute(acted.order_by(AuditEvent.id))]
    assert actions == [
        "distribution.added", "distribution.files_added", "distribution.pattern_set", "distribution.started",
        "category.added", "grant.added", "category.sealed", "document.added",
    ]  # fmt: skip
    assert db.session.scalars(select(Version.created_by_id)).all() == [mia.user_id]


def test_a_category_made_by_hand_that_is_theirs_alone_is_theirs(mia: Actor, payroll: Category) -> None:
    ada = employee("Ada Byron", "4711")
    own = makers.category("payroll/Byron", is_sealed=True)
    makers.grant(own, user=ada)

    confirm(mia, begin(mia, payroll, {"4711_march.pdf": PDF}, pattern=BY_REFERENCE).id)

    assert list(shelves(payroll)) == ["Byron"]
    assert list(papers(own)) == ["4711_march.pdf"]


@pytest.mark.parametrize("change", ["unsealed", "shared", "ended", "theirs to publish", "shared inside"])
def test_a_category_that_is_not_theirs_alone_any_more_is_given_nothing(
    mia: Actor, payroll: Category, change: str
) -> None:
    ada, bob = employee("Ada Byron", "4711"), makers.person("Bob")
    lines = "filename,person,category\nfirst.pdf,4711,2027\n"
    confirm(mia, begin(mia, payroll, {"first.pdf": PDF}, lines=lines).id)
    shelf = shelves(payroll)["Ada Byron"]
    if change == "unsealed":
        seal_category(None, shelf.id, False)
    elif change == "shared":
        makers.grant(shelf, user=bob)
    elif change == "ended":
        makers.grant(shelf, user=ada, expires_at=makers.now(days=1))
    elif change == "theirs to publish":
        makers.grant(shelf, user=ada, permission=PUBLISH)
    else:
        makers.grant(makers.category("payroll/Ada Byron/2027"), user=bob)
    made = begin(mia, payroll, {"next.pdf": PDF}, lines="filename,person,category\nnext.pdf,4711,2027\n")

    if change != "shared inside":  # that is found out when its turn comes
        assert outcomes(mia, made.id) == {"next.pdf": "refused"}
        with pytest.raises(Conflict, match="None of the files"):
            confirm(mia, made.id)
    else:
        assert confirm(mia, made.id) == {"refused": 1}
        assert "theirs alone" in reasons(made.id)["next.pdf"]
    assert db.session.scalar(select(func.count()).select_from(Document)) == 1


def test_two_people_of_one_name_get_categories_that_can_be_told_apart(mia: Actor, payroll: Category) -> None:
    for number, email in enumerate(["a@example.org", "b@example.org", "c@example.org"]):
        user = accounts.add_user(None, email, "Ada/Byron")
        makers.change(user, reference=f"471{number}" if number else "")
    lines = "filename;person\na.pdf;a@example.org\nb.pdf;4711\nc.pdf;4712\n"

    confirm(mia, begin(mia, payroll, {f"{name}.pdf": PDF for name in "abc"}, lines=lines).id)

    assert set(shelves(payroll)) == {"Ada-Byron", "Ada-Byron (4711)", "Ada-Byron (4712)"}


def test_lines_say_title_category_and_end(mia: Actor, payroll: Category) -> None:
    employee("Ada Byron", "4711")
    said = "March.pdf,ada.byron@example.org,Payslip of March,2027/spring,2099-01-31"
    lines = f"Filename,Person,Title,Category,Expiry\n{said}\n"
    made = begin(mia, payroll, {"march.pdf": PDF}, lines=lines)

    assert confirm(mia, made.id) == {"added": 1}
    paper = papers(makers.category("payroll/Ada Byron/2027/spring"))["march.pdf"]
    assert (paper.title, paper.expires_at) == ("Payslip of March", datetime(2099, 2, 1, tzinfo=UTC))
    assert access.may_read(
        makers.actor(db.session.scalars(select(User).where(User.reference == "4711")).one()), paper.id
    )


def test_a_group_gets_its_files_into_one_category_and_each_member_one_mail(mia: Actor, payroll: Category) -> None:
    ada, bob, closed = employee("Ada", "1"), employee("Bob", "2"), employee("Closed", "3")
    makers.group("Board", ada, bob, closed)
    accounts.disable_user(None, closed.id)
    lines = "filename,group\nminutes.pdf,board\nown.pdf,1\n"

    made = begin(mia, payroll, {"minutes.pdf": PDF, "own.pdf": PDF + b"1"}, lines=lines)

    assert confirm(mia, made.id) == {"added": 2}
    assert readers_of(shelves(payroll)["Board"]) == {"Ada", "Bob", "Closed"}
    assert mails() == [
        ("ada@example.org", "2 documents are there for you at Portal"),
        ("bob@example.org", "A document is there for you at Portal"),
    ]


def test_each_person_gets_one_mail_however_many_documents_and_none_for_what_they_had(
    mia: Actor, payroll: Category
) -> None:
    employee("Ada", "1")
    employee("Bob", "2")
    files = {f"1_{number}.pdf": PDF + bytes([number]) for number in range(25)}
    confirm(mia, begin(mia, payroll, files, pattern=BY_REFERENCE).id)
    assert mails() == [("ada@example.org", "More than 20 documents are there for you at Portal")]

    again = begin(mia, payroll, files | {"2_1.pdf": PDF}, pattern=BY_REFERENCE)

    assert confirm(mia, again.id) == {"unchanged": 25, "added": 1}
    assert [email for email, _ in mails()] == ["ada@example.org", "bob@example.org"]


def test_nobody_is_told_when_nobody_is_to_be(mia: Actor, payroll: Category) -> None:
    employee("Ada", "1")
    made = begin(mia, payroll, {"1_a.pdf": PDF}, pattern=BY_REFERENCE)
    distributing.change_notice(mia, made.id, wants_notice=False)

    assert confirm(mia, made.id) == {"added": 1}
    assert mails() == []
    assert distributing.get_distribution(mia, made.id).told_at is not None


def test_other_bytes_of_a_name_are_a_new_version(mia: Actor, payroll: Category) -> None:
    employee("Ada", "1")
    confirm(mia, begin(mia, payroll, {"1_a.pdf": PDF}, pattern=BY_REFERENCE).id)
    made = begin(mia, payroll, {"1_a.pdf": PDF + b"mended", "1_b.pdf": PDF}, pattern=BY_REFERENCE)

    assert outcomes(mia, made.id) == {"1_a.pdf": "versioned", "1_b.pdf": "added"}
    assert confirm(mia, made.id) == {"versioned": 1, "added": 1}
    assert papers(shelves(payroll)["Ada"])["1_a.pdf"].version_count == 2


def test_the_dry_run_says_of_each_file_what_would_become_of_it_and_changes_nothing(
    mia: Actor, payroll: Category
) -> None:
    employee("Ada", "1")
    employee("Ada Two", "1_2")
    accounts.disable_user(None, employee("Closed", "9").id)
    confirm(mia, begin(mia, payroll, {"1_old.pdf": PDF}, pattern=BY_REFERENCE).id)
    before = db.session.scalar(select(func.count()).select_from(Category))
    files = {"1_old.pdf": PDF, "1_new.pdf": PDF, "1_2_x.pdf": PDF, "9_x.pdf": PDF, "7_x.pdf": PDF, "notes.pdf": PDF}

    made = begin(mia, payroll, files, pattern=BY_REFERENCE)
    plan = distributing.plan_distribution(mia, made.id)

    assert {one.file.filename: one.outcome for one in plan.files} == {
        "1_old.pdf": "unchanged", "1_new.pdf": "added", "1_2_x.pdf": "ambiguous", "9_x.pdf": "refused",
        "7_x.pdf": "unmatched", "notes.pdf": "unmatched",
    }  # fmt: skip
    assert sum(plan.counts.values()) == len(files)
    assert db.session.scalar(select(func.count()).select_from(Category)) == before
    assert next(one.reason for one in plan.files if one.outcome == "ambiguous") == (
        "It could be for any of these: Ada (1), Ada Two (1_2)."
    )


def test_lines_and_files_that_have_no_counterpart_are_listed(mia: Actor, payroll: Category) -> None:
    employee("Ada", "1")
    lines = "filename,person\na.pdf,1\nmissing.pdf,1\nb.pdf,nobody@example.org\n"
    made = begin(mia, payroll, {"a.pdf": PDF, "b.pdf": PDF, "c.pdf": PDF}, lines=lines)

    plan = distributing.plan_distribution(mia, made.id)

    assert [(line.number, line.filename) for line in plan.lines_without_file] == [(3, "missing.pdf")]
    assert {one.file.filename: (one.outcome, one.reason) for one in plan.files} == {
        "a.pdf": ("added", ""),
        "b.pdf": ("unmatched", "Line 4 gives it to “nobody@example.org”, whom nobody here is known as."),
        "c.pdf": ("unmatched", "No line names it."),
    }


def test_what_is_left_out_says_why_and_its_bytes_go(mia: Actor, payroll: Category) -> None:
    employee("Ada", "1")
    made = begin(mia, payroll, {"1_a.pdf": PDF, "x.pdf": PDF + b"left"}, pattern=BY_REFERENCE)

    assert confirm(mia, made.id) == {"added": 1, "refused": 1}
    assert reasons(made.id)["x.pdf"] == "Its name does not follow the pattern."
    assert db.session.scalars(select(Upload.blob_id).where(Upload.distribution_id == made.id)).all() == [None, None]


def test_what_was_looked_at_is_what_is_done(mia: Actor, payroll: Category) -> None:
    ada, bob = employee("Ada", "1"), employee("Bob", "2")
    made = begin(mia, payroll, {"1_a.pdf": PDF}, pattern=BY_REFERENCE)
    seal = distributing.plan_distribution(mia, made.id).seal
    makers.change(ada, reference="3")
    makers.change(bob, reference="1")

    with pytest.raises(Conflict, match="once more"):
        distributing.start_distribution(mia, made.id, seal)
    assert distributing.get_distribution(mia, made.id).state == "collecting"
    assert shelves(payroll) == {}


def test_whose_a_file_is_does_not_change_once_it_was_confirmed(
    mia: Actor, payroll: Category, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = employee("Ada", "1"), employee("Bob", "2")
    made = begin(mia, payroll, {"1_a.pdf": PDF}, pattern=BY_REFERENCE)
    monkeypatch.setattr(running, "AT_ONCE", 0)
    distributing.start_distribution(mia, made.id, distributing.plan_distribution(mia, made.id).seal)
    makers.change(ada, reference="3")
    makers.change(bob, reference="1")

    distributing.run_distributions(lambda: False)

    assert list(shelves(payroll)) == ["Ada"]


@pytest.mark.parametrize("change", ["right", "maker", "person", "erased", "category"])
def test_rights_are_asked_anew_for_every_file(
    mia: Actor, payroll: Category, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = employee("Ada", "1")
    made = begin(mia, payroll, {"1_a.pdf": PDF}, pattern=BY_REFERENCE)
    monkeypatch.setattr(running, "AT_ONCE", 0)
    distributing.start_distribution(mia, made.id, distributing.plan_distribution(mia, made.id).seal)
    if change == "right":
        remove_grant(None, db.session.scalars(select(Grant.id).where(Grant.user_id == mia.user_id)).one())
    elif change == "maker":
        accounts.disable_user(None, mia.user_id or 0)
    elif change == "person":
        accounts.disable_user(None, ada.id)
    elif change == "erased":
        accounts.erase_user(None, ada.id)
    else:
        trash_category(None, payroll.id)

    distributing.run_distributions(lambda: False)

    found = distributing.get_distribution(None, made.id)
    assert (found.state, found.counts) == ("done", {"refused": 1})
    assert (
        reasons(made.id)["1_a.pdf"]
        == {
            "right": running.MAY_NOT,
            "maker": running.MAKER_CLOSED,
            "person": "The account of Ada is closed.",
            "erased": f"The account of Erased person {ada.id} is closed.",
            "category": running.MAY_NOT,
        }[change]
    )
    assert db.session.scalar(select(func.count()).select_from(Document)) == 0
    assert mails() == []


def test_publishing_is_not_enough_to_distribute(payroll: Category) -> None:
    pia = makers.person("Pia")
    makers.grant(payroll, user=pia, permission=PUBLISH)

    with pytest.raises(Forbidden):
        distributing.add_distribution(makers.actor(pia), payroll.id, "Payslips")


def test_who_may_distribute_there_no_more_sees_no_plan_with_names(mia: Actor, payroll: Category) -> None:
    employee("Ada Byron", "4711")
    made = begin(mia, payroll, {"4711_march.pdf": PDF}, pattern=BY_REFERENCE)
    makers.grant(payroll, everyone=True)
    remove_grant(None, db.session.scalars(select(Grant.id).where(Grant.user_id == mia.user_id)).one())

    with pytest.raises(Forbidden):
        distributing.plan_distribution(mia, made.id)


def test_a_file_that_is_refused_has_a_name_like_any_other(mia: Actor, payroll: Category) -> None:
    made = begin(mia, payroll, {})

    distributing.refuse_file(mia, made.id, "x" * 300 + ".exe", 1, "It is no document.")

    (name,) = reasons(made.id)
    assert (len(name), name.endswith("x.exe")) == (filenames.MAX_BYTES, True)


def test_a_distribution_is_its_makers_and_the_administrators(mia: Actor, payroll: Category) -> None:
    made = begin(mia, payroll, {})
    other = manager(payroll, "Max Manager")
    root = makers.actor(makers.person("Root", is_admin=True))

    assert distributing.get_distribution(root, made.id).user_name == "Mia Manager"
    for act in (
        lambda: distributing.get_distribution(other, made.id),
        lambda: distributing.plan_distribution(other, made.id),
        lambda: distributing.set_pattern(other, made.id, BY_REFERENCE),
        lambda: distributing.start_distribution(other, made.id, ""),
        lambda: distributing.stop_distribution(other, made.id),
        lambda: distributing.drop_distribution(other, made.id),
        lambda: distributing.list_files(other, made.id),
        lambda: drop(other, made.id, {"a.pdf": PDF}),
    ):
        with pytest.raises(DistributionNotFound):
            act()
    assert distributing.list_distributions(other) == ([], None)
    assert list(storage().root.joinpath("tmp").glob("incoming-*")) == []


def test_a_file_dropped_once_more_takes_the_place_of_the_one_before(mia: Actor, payroll: Category) -> None:
    employee("Ada", "1")
    made = begin(mia, payroll, {"1_a.pdf": PDF}, pattern=BY_REFERENCE)
    drop(mia, made.id, {"1_a.pdf": PDF + b"better"})

    assert confirm(mia, made.id) == {"added": 1}
    assert db.session.scalars(select(Version.size)).all() == [len(PDF + b"better")]


def test_a_file_taken_out_again_is_not_filed(mia: Actor, payroll: Category) -> None:
    employee("Ada", "1")
    made = begin(mia, payroll, {}, pattern=BY_REFERENCE)
    first, _ = drop(mia, made.id, {"1_a.pdf": PDF, "1_b.pdf": PDF})
    distributing.take_out(mia, made.id, first)

    assert confirm(mia, made.id) == {"added": 1}


def test_files_given_up_leave_no_bytes_behind(mia: Actor, payroll: Category) -> None:
    made = begin(mia, payroll, {"1_a.pdf": PDF}, lines="filename,person\n1_a.pdf,1\n")
    blob = db.session.scalars(select(Blob)).one()
    makers.change(blob, touched_at=makers.now(days=-2))
    collect()
    assert db.session.scalar(select(func.count()).select_from(Blob)) == 1  # it is needed yet

    distributing.drop_distribution(mia, made.id)
    collect()

    assert db.session.scalar(select(func.count()).select_from(Blob)) == 0
    assert distributing.get_distribution(mia, made.id).was_given_up
    assert db.session.scalar(select(func.count()).select_from(DistributionLine)) == 0
    with pytest.raises(Conflict, match="over"):
        drop(mia, made.id, {"b.pdf": PDF})


def test_what_was_never_confirmed_is_given_up_after_a_month(mia: Actor, payroll: Category) -> None:
    old, fresh = begin(mia, payroll, {"1_a.pdf": PDF}), begin(mia, payroll, {"1_b.pdf": PDF})
    makers.change(old, created_at=makers.now(days=-31))

    distributing.run_distributions(lambda: False)
    makers.release()

    assert distributing.get_distribution(mia, old.id).was_given_up
    assert distributing.get_distribution(mia, fresh.id).state == "collecting"


def test_a_stopped_one_tells_those_who_got_something_and_files_no_more(
    mia: Actor, payroll: Category, monkeypatch: pytest.MonkeyPatch
) -> None:
    employee("Ada", "1")
    employee("Bob", "2")
    made = begin(mia, payroll, {"1_a.pdf": PDF, "2_b.pdf": PDF}, pattern=BY_REFERENCE)
    monkeypatch.setattr(running, "AT_ONCE", 0)
    distributing.start_distribution(mia, made.id, distributing.plan_distribution(mia, made.id).seal)
    monkeypatch.setattr(running, "ROUND", 1)
    turns = iter([False, False, False, True, True])
    distributing.run_distributions(lambda: next(turns, True))
    distributing.stop_distribution(mia, made.id)
    monkeypatch.setattr(running, "ROUND", 20)

    distributing.run_distributions(lambda: False)
    makers.release()

    found = distributing.get_distribution(mia, made.id)
    assert (found.state, found.counts) == ("stopped", {"added": 1, "cancelled": 1})
    assert [email for email, _ in mails()] == ["ada@example.org"]


def test_several_workers_file_each_file_once(
    mia: Actor, payroll: Category, monkeypatch: pytest.MonkeyPatch, context: Flask
) -> None:
    for number in range(5):
        employee(f"Person {number}", str(number))
    files = {f"{number % 5}_{number}.pdf": PDF + bytes([number]) for number in range(20)}
    made = begin(mia, payroll, files, pattern=BY_REFERENCE)
    monkeypatch.setattr(running, "AT_ONCE", 0)
    distributing.start_distribution(mia, made.id, distributing.plan_distribution(mia, made.id).seal)

    assert makers.at_once(context, *[lambda: distributing.run_distributions(lambda: False)] * 3) == [None] * 3
    distributing.run_distributions(lambda: False)
    makers.release()

    assert distributing.get_distribution(mia, made.id).counts == {"added": 20}
    assert len(shelves(payroll)) == 5
    assert [email for email, _ in mails()] == [f"person.{number}@example.org" for number in range(5)]


@SQLITE_ONLY
def test_removing_the_category_ends_what_was_to_come_into_it(payroll: Category) -> None:
    made = begin(None, payroll, {})

    remove_category(None, payroll.id)

    found = distributing.get_distribution(None, made.id)
    assert (found.state, found.category_path) == ("stopped", "")


@SQLITE_ONLY
def test_a_title_is_needed(payroll: Category) -> None:
    with pytest.raises(BadInput, match="Say what this is"):
        distributing.add_distribution(None, payroll.id, "  ")


@SQLITE_ONLY
def test_lines_of_an_erased_person_name_them_no_more(mia: Actor, payroll: Category) -> None:
    ada = employee("Ada", "4711")
    begin(mia, payroll, {}, lines="filename,person\na.pdf,4711\nb.pdf,ADA@example.org\nc.pdf,4712\n")

    accounts.erase_user(None, ada.id)

    kept = select(DistributionLine.recipient).order_by(DistributionLine.number)
    assert db.session.scalars(kept).all() == ["", "", "4712"]


def test_a_table_may_name_somebody_by_address_in_one_line_and_by_reference_in_another(
    mia: Actor, payroll: Category
) -> None:
    ada = employee("Ada Byron", "4711")
    lines = f"filename,person\nmarch.pdf,{ada.email}\napril.pdf,4711\n"

    made = begin(mia, payroll, {"march.pdf": PDF, "april.pdf": PDF + b"b"}, lines=lines)

    assert outcomes(mia, made.id) == {"march.pdf": "added", "april.pdf": "added"}
