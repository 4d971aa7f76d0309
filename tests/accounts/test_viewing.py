"""Viewing as: one session of an administrator shows what somebody else sees, and nothing of that person moves."""

import pytest
from sqlalchemy import select

from portal import audit
from portal.accounts import (
    SignedIn,
    add_api_token,
    change_user,
    disable_user,
    enable_user,
    find_session,
    note_visit,
    require_bearer,
    sign_out,
    start_viewing,
    stop_viewing,
)
from portal.accounts.sessions import start_session
from portal.downloads import claim_of
from portal.errors import Conflict, Forbidden, NotFound
from portal.extensions import db, transaction
from portal.models import AuditEvent, Session, User
from tests.makers import NETWORK, PASSWORD, actor, change, now, person, release

pytestmark = pytest.mark.usefixtures("context")


class House:
    """Ada, an administrator in a session, and Eve."""

    def __init__(self) -> None:
        self.ada = person("Ada", is_admin=True, password=PASSWORD)
        self.root = person("Root", is_admin=True, password=PASSWORD)
        self.eve = person("Eve Adams")
        self.token = start_session(self.ada.id, network=NETWORK, agent="tests")

    def who(self) -> SignedIn:
        found = find_session(self.token)
        release()
        assert found is not None
        return found

    def view(self) -> SignedIn:
        start_viewing(self.who(), self.eve.id)
        return self.who()


@pytest.fixture
def house(context: object) -> House:
    return House()


def events(prefix: str) -> list[AuditEvent]:
    named = AuditEvent.action.startswith(prefix)
    return list(db.session.scalars(select(AuditEvent).where(named).order_by(AuditEvent.id)))


def hash_of(user: User) -> str:
    return audit.person_hash(user.id)


def test_the_session_is_that_of_the_person_seen_and_knows_who_looks(house: House) -> None:
    change(house.eve, timezone="Europe/Berlin", visited_at=now(days=-1))
    seen = house.view()

    assert (seen.user_id, seen.name, seen.email) == (house.eve.id, "Eve Adams", "eve.adams@example.org")
    assert (seen.is_admin, seen.viewer_id, seen.timezone) == (False, house.ada.id, "Europe/Berlin")
    assert seen.visited_at == house.eve.visited_at


def test_other_sessions_of_the_administrator_see_what_they_saw(house: House) -> None:
    other = start_session(house.ada.id, network=NETWORK, agent="other")
    house.view()

    found = find_session(other)
    assert found is not None
    assert (found.user_id, found.viewer_id, found.is_admin) == (house.ada.id, None, True)


def test_it_is_found_by_one_query(house: House, statements: list[str]) -> None:
    house.view()
    statements.clear()

    assert find_session(house.token) is not None
    assert len(statements) == 1


def test_stopping_leads_back_to_oneself(house: House) -> None:
    assert stop_viewing(house.view()) == house.eve.id

    back = house.who()
    assert (back.user_id, back.is_admin, back.viewer_id) == (house.ada.id, True, None)
    with pytest.raises(NotFound):
        stop_viewing(back)


def test_begin_and_end_are_in_the_log_as_the_administrators(house: House) -> None:
    stop_viewing(house.view())

    told = [(event.action, event.actor_hash, event.object_id, event.details) for event in events("view.")]
    ada = hash_of(house.ada)
    assert told == [("view.started", ada, house.eve.id, {}), ("view.ended", ada, house.eve.id, {})]


def test_whatever_is_recorded_meanwhile_names_the_administrator_and_whom_they_see(house: House) -> None:
    seen = house.view()
    with transaction():
        audit.record_event("access.denied", actor=seen, endpoint="people.show")

    event = events("access.")[0]
    assert (event.actor_hash, event.details["viewing_as"]) == (hash_of(house.ada), hash_of(house.eve))
    row = audit.list_events(actions=["access.denied"])[0][0]
    assert row.who is not None
    assert row.seen is not None
    assert (row.who.name, row.seen.name) == ("Ada", "Eve Adams")


def test_nothing_is_recorded_for_somebody_who_is_no_administrator_any_more(house: House) -> None:
    seen = house.view()
    change(house.ada, is_admin=False)

    with pytest.raises(Forbidden), transaction():
        audit.record_event("access.denied", actor=seen)


def test_signing_out_ends_it_as_the_administrator(house: House) -> None:
    sign_out(house.view())

    assert find_session(house.token) is None
    ended = [
        (event.action, event.actor_hash, event.object_id) for event in events("view.ended") + events("session.ended")
    ]
    assert ended == [
        ("view.ended", hash_of(house.ada), house.eve.id),
        ("session.ended", hash_of(house.ada), house.ada.id),
    ]


@pytest.mark.parametrize("kind", ["oneself", "administrator", "disabled"])
def test_some_are_not_looked_at_and_the_reason_is_said(house: House, kind: str) -> None:
    disabled = person("Gone")
    disable_user(None, disabled.id)
    whom = {"oneself": house.ada, "administrator": house.root, "disabled": disabled}[kind]

    with pytest.raises(Conflict):
        start_viewing(house.who(), whom.id)

    assert house.who().viewer_id is None
    assert events("view.") == []


def test_a_program_sees_nothing_as_somebody_else(house: House) -> None:
    _, secret = add_api_token(None, house.ada.id, "Backup", "admin")

    with pytest.raises(Forbidden):
        start_viewing(require_bearer(secret, NETWORK), house.eve.id)


def test_neither_of_them_has_been_here(house: House) -> None:
    for user in (house.ada, house.eve):
        change(user, seen_at=now(hours=-2), visited_at=now(hours=-9))
    house.view()
    session = db.session.scalars(select(Session)).one()
    change(session, seen_at=now(minutes=-6))
    before = [(user.seen_at, user.visited_at) for user in (house.ada, house.eve)]

    note_visit(house.who())

    for row in (house.ada, house.eve, session):
        db.session.refresh(row)
    assert [(user.seen_at, user.visited_at) for user in (house.ada, house.eve)] == before
    assert session.seen_at > now(minutes=-1)


def test_no_download_is_claimed_for_the_person_seen(house: House) -> None:
    with pytest.raises(Forbidden, match="it would count as theirs"):
        claim_of(house.view(), "tests")


def test_it_is_over_when_the_person_is_disabled_and_stays_so(house: House) -> None:
    house.view()

    disable_user(None, house.eve.id)
    assert house.who().user_id == house.ada.id

    enable_user(None, house.eve.id)
    assert house.who().user_id == house.ada.id


def test_it_is_over_when_the_person_becomes_an_administrator(house: House) -> None:
    house.view()

    change_user(None, house.eve.id, name="Eve Adams", is_admin=True)

    assert house.who().user_id == house.ada.id


def test_the_session_of_a_demoted_administrator_who_looks_is_dead(house: House) -> None:
    house.view()

    change_user(actor(house.root), house.ada.id, name="Ada", is_admin=False)

    assert find_session(house.token) is None


def test_even_a_session_that_outlived_the_role_shows_nothing(house: House) -> None:
    house.view()
    change(house.ada, is_admin=False)

    assert find_session(house.token) is None


def test_a_disabled_administrator_looks_no_more(house: House) -> None:
    house.view()

    disable_user(actor(house.root), house.ada.id)

    assert find_session(house.token) is None
