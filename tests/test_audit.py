"""The log: one row per fact, in the transaction of its change, never changed or removed, without personal values."""

from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from portal import audit
from portal.accounts import add_group, disable_user, join_group
from portal.actors import PORTAL, Actor
from portal.extensions import db, transaction
from portal.models import AuditEvent, AuditPerson
from tests.databases import POSTGRESQL_ONLY, SQLITE_ONLY
from tests.makers import actor, group, person, release
from tests.plans import Asked, plan

pytestmark = pytest.mark.usefixtures("context")
KEPT = AuditEvent.__table__.c.keys()
SEALER = {"seal_seq", "prev_hash", "row_hash"}


def events() -> list[AuditEvent]:
    return list(db.session.scalars(select(AuditEvent).order_by(AuditEvent.id)))


def record(action: str = "document.added") -> AuditEvent:
    with transaction():
        audit.record_event(action, actor=None, thing=("document", 7), label="Report", size=3)
    return events()[-1]


def test_an_event_says_who_did_what_to_which_thing() -> None:
    ada = person()
    with transaction():
        who = Actor(ada.id, network="192.0.2.0/24")
        audit.record_event("document.added", actor=who, thing=("document", 7), label="Report", size=3)
    event = events()[-1]
    assert (event.action, event.actor_kind, event.network) == ("document.added", "person", "192.0.2.0/24")
    assert (event.object_type, event.object_id, event.object_label) == ("document", 7, "Report")
    assert event.actor_hash == audit.person_hash(ada.id)
    assert event.details == {"size": 3}


def test_the_operator_and_the_portal_itself_have_no_hash() -> None:
    with transaction():
        audit.record_event("a.b", actor=None)
        audit.record_event("a.b", actor=PORTAL)
        audit.record_event("a.b", actor=Actor(None, kind="link"))
    assert [(event.actor_kind, event.actor_hash) for event in events()] == [
        ("operator", None),
        ("portal", None),
        ("link", None),
    ]


def test_an_event_goes_with_the_change_it_tells_of() -> None:
    def fail() -> None:
        with transaction():
            add_group(None, "Clients")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert events() == []


def test_somebody_the_log_does_not_know_cannot_act() -> None:
    with pytest.raises(LookupError), transaction():
        audit.record_event("a.b", actor=Actor(99))
    assert events() == []


def test_no_event_holds_a_name_or_an_address() -> None:
    grace = person("Grace Hopper", is_admin=True)  # in a hash of hexadecimal digits "ada" may stand by chance
    clients = group("Clients")
    join_group(actor(grace), clients.id, grace.id)
    rows = db.session.execute(select(AuditEvent.__table__)).all()
    assert len(rows) == 3
    assert "grace" not in repr(rows).lower()
    assert "hopper" not in repr(rows).lower()


def test_erasing_a_person_leaves_the_log_whole_and_nameless() -> None:
    ada = person()
    known = audit.person_hash(ada.id)
    with transaction() as session:
        audit.record_event("a.b", actor=actor(ada))
        session.execute(update(AuditPerson).values(name=None, email=None, salt=None))
    assert [event.actor_hash for event in events()] == [None, known]
    assert db.session.execute(select(AuditPerson.name, AuditPerson.email, AuditPerson.salt)).one() == (None,) * 3


def test_the_hash_of_a_person_cannot_be_computed_from_their_address() -> None:
    ada = person()
    with transaction() as session:
        session.execute(update(AuditPerson).values(user_id=None))
        again = audit.introduce(ada.id, ada.name, ada.email)
    hashes = list(db.session.scalars(select(AuditPerson.person_hash)))
    assert len(set(hashes)) == 2
    assert again in hashes


@pytest.mark.parametrize("column", [name for name in KEPT if name not in SEALER])
def test_no_fact_of_an_event_can_be_changed(column: str) -> None:
    event_id = record().id
    with pytest.raises(DBAPIError, match="insert-only"), transaction() as session:
        session.execute(text(f"UPDATE audit_events SET {column} = {column} WHERE id = {event_id}"))  # noqa: S608


def test_the_sealer_may_fill_in_its_columns() -> None:
    event = record()
    with transaction() as session:
        seal = {"seal_seq": 1, "prev_hash": "0" * 64, "row_hash": "1" * 64}
        session.execute(update(AuditEvent).where(AuditEvent.id == event.id).values(seal))
    assert events()[-1].seal_seq == 1


def test_no_event_can_be_removed() -> None:
    event = record()
    with pytest.raises(DBAPIError, match="insert-only"), transaction() as session:
        session.execute(delete(AuditEvent).where(AuditEvent.id == event.id))
    assert [kept.id for kept in events()] == [event.id]


@POSTGRESQL_ONLY
def test_the_log_cannot_be_emptied() -> None:
    record()
    with pytest.raises(DBAPIError, match="insert-only"), transaction() as session:
        session.execute(text("TRUNCATE audit_events"))
    assert len(events()) == 1


@SQLITE_ONLY
@pytest.mark.parametrize("collision", ["id", "seal_seq"])
def test_no_event_can_be_replaced(collision: str) -> None:
    event = record()
    with transaction() as session:
        session.execute(update(AuditEvent).values(seal_seq=5))
    values = {name: getattr(event, name) for name in KEPT if name not in ("id", "seal_seq")} | {"action": "a.b"}
    taken = {"id": event.id} if collision == "id" else {"seal_seq": 5}
    with pytest.raises(DBAPIError, match="insert-only"), transaction() as session:
        session.execute(insert(AuditEvent).prefix_with("OR REPLACE").values(values | taken))
    assert [kept.action for kept in events()] == ["document.added"]


@POSTGRESQL_ONLY
def test_no_event_can_be_changed_by_inserting_it_again() -> None:
    event = record()
    again = text(
        "INSERT INTO audit_events (id, at, action, actor_kind, object_label, network, details)"
        " SELECT id, at, 'a.b', actor_kind, object_label, network, details FROM audit_events"
        " ON CONFLICT (id) DO UPDATE SET action = EXCLUDED.action"
    )
    with pytest.raises(DBAPIError, match="insert-only"), transaction() as session:
        session.execute(again)
    assert [kept.action for kept in events()] == [event.action]


def test_the_log_is_read_newest_first_and_page_by_page() -> None:
    made = [record(f"a.b{number}").id for number in range(5)]
    page, after = audit.list_events(limit=3)
    assert [row.event.id for row in page] == made[:1:-1]
    rest, end = audit.list_events(limit=3, after=after)
    assert [row.event.id for row in rest] == made[1::-1]
    assert end is None


def test_the_log_can_be_narrowed_to_an_action_a_person_or_a_thing() -> None:
    ada, bob = person("Ada"), person("Bob")
    clients = add_group(actor(ada), "Clients")
    join_group(actor(bob), clients.id, ada.id)
    by_action, _ = audit.list_events(actions=["group.joined"])
    by_person, _ = audit.list_events(user_id=ada.id)
    by_thing, _ = audit.list_events(thing=("group", clients.id))
    assert [(row.who and row.who.name, row.whom and row.whom.name) for row in by_action] == [("Bob", "Ada")]
    assert [row.event.action for row in by_person] == ["group.added"]
    assert [row.event.action for row in by_thing] == ["group.joined", "group.added"]


def test_the_log_can_be_narrowed_to_whom_something_was_done_and_to_whoever_has_a_part_in_it() -> None:
    ada, bob = person("Ada"), person("Bob")
    clients = group("Clients")
    join_group(actor(bob), clients.id, ada.id)
    disable_user(actor(ada), bob.id)

    def actions(rows: tuple[list[audit.EventRow], int | None]) -> list[str]:
        return [row.event.action for row in rows[0]]

    assert actions(audit.list_events(whom_id=ada.id)) == ["group.joined", "user.added"]
    assert actions(audit.list_events(about_id=ada.id)) == ["user.disabled", "group.joined", "user.added"]
    assert actions(audit.list_events(about_id=ada.id, actions=["user.added", "group.joined"])) == [
        "group.joined",
        "user.added",
    ]


def test_several_actions_are_read_in_order_page_by_page() -> None:
    made = [record(action).id for action in ("a.b", "c.d", "x.y", "c.d", "a.b")]
    page, after = audit.list_events(actions=["a.b", "c.d", "a.b"], limit=3)
    rest, end = audit.list_events(actions=["a.b", "c.d"], limit=3, after=after)
    assert [row.event.id for row in (*page, *rest)] == [made[4], made[3], made[1], made[0]]
    assert end is None


def test_a_time_has_its_beginning_and_not_its_end() -> None:
    first, second = record("a.b"), record("c.d")
    page, _ = audit.list_events(since=second.at)
    before, _ = audit.list_events(until=second.at)
    assert [row.event.id for row in page] == [second.id]
    assert [row.event.id for row in before] == [first.id]
    assert audit.list_events(since=second.at, until=second.at) == ([], None)


@pytest.mark.parametrize(
    ("index", "narrowing"),
    [
        ("ix_audit_events_actor_hash", {"user_id": 1}),
        ("ix_audit_events_object", {"thing": ("group", 1)}),
        ("ix_audit_events_action", {"actions": ["a.b"]}),
        ("ix_audit_events_action", {"actions": ["a.b", "c.d"]}),
    ],
)
def test_what_the_log_is_narrowed_to_is_looked_up_in_an_index(
    index: str, narrowing: dict[str, Any], asked: Asked
) -> None:
    person()
    record()
    release()
    asked.clear()
    audit.list_events(**narrowing)
    assert index in plan(asked[:1])


@SQLITE_ONLY
def test_whom_something_was_done_to_is_looked_up_in_two_indexes(asked: Asked) -> None:
    audit.list_events(whom_id=1)
    way = plan(asked[:1])
    assert "MULTI-INDEX OR" in way
    assert "ix_audit_events_object" in way
    assert "ix_audit_events_action" in way


def test_a_full_page_that_is_the_last_one_promises_no_more() -> None:
    record()
    page, after = audit.list_events(limit=1)
    assert (len(page), after) == (1, None)
    assert db.session.scalar(select(func.count()).select_from(AuditEvent)) == 1
