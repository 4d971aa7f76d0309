"""References of people: one each, found again, brought in by a list."""

import pytest
from sqlalchemy import select

from portal.accounts import export_people, invite_all, plan_invitations
from portal.accounts.references import change_reference, find_referred
from portal.errors import BadInput, NameTaken
from portal.extensions import db
from portal.models import AuditEvent, User
from tests import makers
from tests.databases import SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")


def references() -> dict[str, str]:
    makers.release()
    return dict(db.session.execute(select(User.name, User.reference)).all())


def test_a_person_is_found_by_their_reference() -> None:
    ada = makers.person("Ada")
    change_reference(None, ada.id, "  S-0042\t")

    found = find_referred("S-0042")
    assert found is not None
    assert found.id == ada.id
    assert find_referred("") is None


def test_no_two_people_have_the_same_and_any_number_have_none() -> None:
    ada, bob = makers.person("Ada"), makers.person("Bob")
    change_reference(None, ada.id, "S-1")

    with pytest.raises(NameTaken, match="Somebody else has the reference S-1"):
        change_reference(None, bob.id, "S-1")
    change_reference(None, ada.id, "")
    change_reference(None, bob.id, "S-1")
    assert references() == {"Ada": "", "Bob": "S-1"}


@SQLITE_ONLY
@pytest.mark.parametrize("reference", ["x" * 101, "a\u202eb", "a\0b"])
def test_a_reference_that_cannot_be_is_refused(reference: str) -> None:
    with pytest.raises(BadInput, match="at most 100 characters that can be seen"):
        change_reference(None, makers.person("Ada").id, reference)


@SQLITE_ONLY
def test_the_log_says_that_a_reference_changed_and_not_what_it_is() -> None:
    ada = makers.person("Ada")
    for _ in range(2):
        change_reference(None, ada.id, "S-0042")

    events = db.session.scalars(select(AuditEvent).where(AuditEvent.action == "user.reference_changed")).all()
    assert [event.details for event in events] == [{}]


def test_a_list_gives_references_to_new_people_and_to_those_who_are_there() -> None:
    makers.person("Ada")
    invited = invite_all(None, "email,name,reference\nada@example.org,Ada,S-1\nbob@example.org,Bob,S-2\n")

    assert (len(invited.people), invited.joined, invited.referred) == (1, 0, 1)
    assert references() == {"Ada": "S-1", "Bob": "S-2"}


@SQLITE_ONLY
def test_a_list_does_not_give_what_somebody_else_has_or_gets() -> None:
    change_reference(None, makers.person("Ada").id, "S-1")
    lines = ("bob@example.org,S-1", "chi@example.org,S-2", "dan@example.org,S-2", "ada@example.org,S-1")
    plan = plan_invitations("email,reference\n" + "\n".join(lines))

    assert [(row.kind, row.reference, row.problem) for row in plan.rows] == [
        ("broken", "", "Somebody else has the reference S-1."),
        ("new", "S-2", ""),
        ("broken", "", "Somebody else has the reference S-2."),
        ("known", "", ""),
    ]


@SQLITE_ONLY
def test_an_export_has_the_references_and_is_taken_in_again() -> None:
    change_reference(None, makers.person("Ada").id, "S-1")
    lines = "".join(export_people(None))

    assert lines.splitlines()[1].endswith(",S-1")
    assert [row.kind for row in plan_invitations(lines).rows] == ["known"]
