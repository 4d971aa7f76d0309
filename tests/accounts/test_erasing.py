"""Erasing: nothing of the person is left anywhere but what happened, under a name that names nobody."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import insert, select

from portal.accounts import (
    add_user,
    change_user,
    disable_user,
    enable_user,
    erase_user,
    find_session,
    find_token,
    find_user,
    issue_address,
    issue_token,
    join_group,
    list_people,
    set_password,
)
from portal.accounts.entrances import HELD
from portal.accounts.erasing import THEIRS
from portal.accounts.sessions import start_session
from portal.audit import list_events
from portal.catalog import list_grants_of_person
from portal.catalog.grants import Principal, add_grant
from portal.downloads import Claim
from portal.downloads.ledger import begin
from portal.errors import Conflict, LastAdministrator
from portal.extensions import db, transaction
from portal.models import (
    ApiToken,
    AuditEvent,
    AuthenticatorApp,
    Base,
    Challenge,
    Download,
    Identity,
    KnownDevice,
    Mail,
    Passkey,
    PendingSignIn,
    ProviderRequest,
    RecoveryCode,
    User,
)
from portal.notices.sending import send_due
from tests.databases import SQLITE_ONLY
from tests.makers import (
    NETWORK,
    PASSWORD,
    actor,
    category,
    change,
    document,
    edition,
    grant,
    group,
    now,
    person,
    release,
)

pytestmark = pytest.mark.usefixtures("context")

AGENT = "a program that nobody else has"
PLACE = "198.51.100.0/24"


@pytest.fixture
def ada() -> User:
    """Somebody with everything an account can have, who downloaded something."""
    ada = person("Ada Byron", password=PASSWORD)
    change(ada, timezone="Asia/Tokyo", passkey_handle=b"h" * 32, seen_at=now(), visited_at=now())
    clients = group("Clients", ada)
    grant(category("reports"), user=ada)
    grant(category("reports"), group=clients)
    start_session(ada.id, network=PLACE, agent=AGENT)
    issue_address(None, ada.id)
    with transaction() as session:
        session.add_all(everything(ada.id))
    paper = document(category("reports"), "annual.pdf")
    begin(Claim(key=f"u:{ada.id}", user_id=ada.id, network=PLACE, agent=AGENT), edition(paper), [(0, 1)], [(0, 1)])
    release()
    return ada


def everything(user_id: int) -> list[Base]:
    ends = {"expires_at": now(minutes=5)}
    return [
        PendingSignIn(token_hash=b"a" * 32, user_id=user_id, method="password", **ends),
        Challenge(challenge=b"b" * 32, purpose="prove", user_id=user_id, **ends),
        ProviderRequest(state_hash=b"c" * 32, nonce="n", verifier="v", target="/", user_id=user_id, **ends),
        KnownDevice(user_id=user_id, token_hash=b"d" * 32),
        AuthenticatorApp(user_id=user_id, secret="SECRET"),
        RecoveryCode(user_id=user_id, code_hash=b"e" * 32),
        Passkey(user_id=user_id, name="Phone", credential_id=b"f", public_key=b"g", sign_count=0, transports=[],
                is_backed_up=False),
        ApiToken(user_id=user_id, name="script of Ada", token_hash=b"h" * 32, token_hint="abc", scopes="read", **ends),
        Identity(user_id=user_id, issuer="https://id.example", subject="ada", email="ada.byron@example.org"),
    ]  # fmt: skip


def everything_said() -> str:
    """Every row of every table as text, but the last mail and the network of what the log has of old."""
    release()
    rows: list[str] = []
    for table in Base.metadata.sorted_tables:
        if table.name not in ("mails", "audit_events"):
            rows += [repr(tuple(row)) for row in db.session.execute(select(table))]
    return "\n".join(rows)


def test_no_table_holds_name_address_or_traces_of_somebody_erased(ada: User) -> None:
    before = everything_said()
    traces = ("Ada", "ada.byron", "byron", "SECRET", "https://id.example", AGENT, PLACE, "Asia/Tokyo", "Phone")
    assert [trace for trace in traces if trace not in before] == []

    erase_user(None, ada.id)

    after = everything_said()
    assert [trace for trace in traces if trace in after] == []


@SQLITE_ONLY
def test_no_file_of_the_database_holds_name_or_address_of_somebody_erased(ada: User, context: Flask) -> None:
    file = Path(str(db.engine.url.database))
    release()
    assert traces_in(file) == {b"Ada Byron", b"ada.byron@example.org"}

    erase_user(None, ada.id)
    assert traces_in(file) == {b"ada.byron@example.org"}, "the last mail is on its way"

    send_due(lambda text: None, lambda: False)
    assert traces_in(file) == set()


def traces_in(file: Path) -> set[bytes]:
    """Which words about the person are in the file or its journal, whatever a query would say."""
    kept = b"".join(part.read_bytes() for part in file.parent.glob(f"{file.name}*"))
    return {trace for trace in (b"Ada Byron", b"ada.byron@example.org") if trace in kept}


def test_rows_about_the_person_are_gone_and_those_of_the_ledger_stay(ada: User) -> None:
    erase_user(None, ada.id)
    assert tables_that_name(ada.id) == {"downloads", "audit_people"}


def test_every_table_about_people_is_one_that_erasing_knows() -> None:
    about = {table.name for table in Base.metadata.sorted_tables if "user_id" in table.c}
    emptied = {kind.__tablename__ for kind in (*HELD, *THEIRS)}
    assert about == emptied | {"grants", "mails", "tickets", "downloads", "audit_people", "uploads"}


def tables_that_name(user_id: int) -> set[str]:
    tables = (table for table in Base.metadata.sorted_tables if "user_id" in table.c)
    return {
        table.name for table in tables if db.session.execute(select(table).where(table.c.user_id == user_id)).first()
    }


def test_the_log_stays_whole_and_names_nobody(ada: User) -> None:
    erase_user(None, ada.id)
    events, _ = list_events()
    assert events[0].event.action == "user.erased"
    assert events[0].whom is not None
    assert (events[0].whom.user_id, events[0].whom.name) == (ada.id, None)
    said = "".join(repr(event.details) + event.object_label for event in db.session.scalars(select(AuditEvent)))
    assert "Ada" not in said
    assert "byron" not in said


def test_what_was_given_to_the_person_is_taken_back_and_what_others_have_stays(ada: User) -> None:
    bo = person("Bo")
    grant(category("reports"), user=bo)
    erase_user(None, ada.id)
    assert list_grants_of_person(ada.id) == []
    assert len(list_grants_of_person(bo.id)) == 1
    actions = [event.event.action for event in list_events()[0]]
    assert actions.count("grant.removed") == 1


def test_the_last_mail_is_the_only_one_left(ada: User) -> None:
    erase_user(None, ada.id)
    assert [(mail.kind, mail.user_id, mail.email) for mail in db.session.scalars(select(Mail))] == [
        ("account_erased", None, "ada.byron@example.org")
    ]


def test_the_row_says_when_and_carries_a_label(ada: User) -> None:
    assert erase_user(None, ada.id) == f"Erased person {ada.id}"
    release()
    row = db.session.get_one(User, ada.id)
    assert row.erased_at is not None
    assert row.disabled_at is not None
    assert (row.name, row.email, row.password_hash) == (f"Erased person {ada.id}", "", None)
    assert db.session.scalars(select(Download.user_id)).all() == [ada.id]


def test_an_erased_address_can_be_invited_again_as_somebody_new(ada: User) -> None:
    erase_user(None, ada.id)
    assert find_user("ada.byron@example.org") is None
    again = add_user(None, "ada.byron@example.org", "Ada Byron")
    assert again.id != ada.id
    assert list_grants_of_person(again.id) == []


@pytest.mark.parametrize("email", ["erased:1", "", "Erased:1"])
def test_nobody_is_found_by_what_stands_in_the_place_of_an_address(ada: User, email: str) -> None:
    erase_user(None, ada.id)
    found = find_user(email.replace("1", str(ada.id)))
    assert found is None or found.disabled_at is not None


def test_nothing_leads_in_any_more(ada: User) -> None:
    session, address = start_session(ada.id, network=NETWORK, agent=""), issue_token(None, "reset", ada.id)
    erase_user(None, ada.id)
    assert find_session(session) is None
    assert find_token(address) is None


def test_an_erased_person_cannot_be_changed_or_opened_again(ada: User) -> None:
    clients = group("Others")
    erase_user(None, ada.id)
    principal = Principal(user_id=ada.id)
    shelf = category("reports")
    for change_it in (
        lambda: change_user(None, ada.id, name="Ada", is_admin=True),
        lambda: disable_user(None, ada.id),
        lambda: enable_user(None, ada.id),
        lambda: set_password(None, ada.id, PASSWORD),
        lambda: issue_address(None, ada.id),
        lambda: join_group(None, clients.id, ada.id),
        lambda: add_grant(None, shelf.id, principal, "read"),
        lambda: erase_user(None, ada.id),
    ):
        with pytest.raises(Conflict, match="was erased"):
            change_it()
    assert list_people(group_id=clients.id, with_erased=True).people == []


def test_nobody_erases_themself_or_the_last_administrator() -> None:
    root = person("Root", is_admin=True, password=PASSWORD)
    with pytest.raises(Conflict, match="your own account"):
        erase_user(actor(root), root.id)
    with pytest.raises(LastAdministrator):
        erase_user(None, root.id)
    assert find_user("root@example.org") is not None


def test_one_of_two_administrators_can_be_erased() -> None:
    root = person("Root", is_admin=True, password=PASSWORD)
    other = person("Other", is_admin=True, password=PASSWORD)
    erase_user(actor(root), other.id)
    assert not db.session.get_one(User, other.id).is_admin


def test_a_refusal_erases_nothing(context: Flask, ada: User) -> None:
    before = everything_said()
    with pytest.raises(RuntimeError), transaction():
        _erase_and_fail(ada.id)
    assert everything_said() == before


def _erase_and_fail(user_id: int) -> None:
    erase_user(None, user_id)
    db.session.execute(insert(AuditEvent).values(action="x", actor_kind="portal"))
    raise RuntimeError
