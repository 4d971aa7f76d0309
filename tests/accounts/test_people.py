"""Accounts: one per address whatever its spelling, never without an administrator."""

import unicodedata
from collections.abc import Callable

import pytest
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import func, select

from portal import audit
from portal.accounts import (
    add_user,
    change_user,
    check_password,
    correct_user,
    count_people,
    disable_user,
    email_key,
    enable_user,
    find_session,
    find_token,
    find_user,
    get_user,
    has_users,
    invite_user,
    issue_token,
    list_people,
    set_password,
    sign_in,
    state_of_person,
)
from portal.accounts.sessions import start_session
from portal.accounts.spelling import EMAIL_LENGTH, NAME_LENGTH
from portal.errors import BadInput, Conflict, LastAdministrator, NameTaken, PortalError, UserNotFound
from portal.extensions import db
from portal.models import AuditEvent, AuditPerson, Mail, User
from tests.databases import SQLITE_ONLY
from tests.makers import NETWORK, PASSWORD, actor, at_once, change, now, person, release

pytestmark = pytest.mark.usefixtures("context")


def full_width(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)


SPELLINGS: list[Callable[[str], str]] = [
    str.upper,
    str.title,
    full_width,
    lambda text: f" {text}\t",
    lambda text: f"\u3000{text}\n",
    lambda text: unicodedata.normalize("NFD", text),
]


@SQLITE_ONLY
@pytest.mark.parametrize("spell", SPELLINGS)
def test_every_spelling_of_an_address_finds_the_one_account(spell: Callable[[str], str]) -> None:
    ada = add_user(None, "ad\u00e4@example.org", "Ada")
    found = find_user(spell("ad\u00e4@example.org"))
    assert found is not None
    assert found.id == ada.id


@pytest.mark.parametrize("spell", [str.upper, str.title, lambda text: f" {text} "])
def test_no_spelling_of_an_address_gets_a_second_account(spell: Callable[[str], str]) -> None:
    person()
    with pytest.raises(NameTaken, match="already has an account"):
        add_user(None, spell("ada@example.org"), "Another Ada")


def test_an_account_keeps_the_address_as_it_was_written() -> None:
    assert add_user(None, " Ada@Example.org ", "Ada").email == "Ada@Example.org"


def test_of_many_at_once_one_gets_the_address(context: Flask) -> None:
    answers = at_once(context, *[lambda: person("Ada")] * 12)
    assert sorted(type(answer).__name__ for answer in answers) == ["NameTaken"] * 11 + ["User"]


@SQLITE_ONLY
@pytest.mark.parametrize(
    "email",
    [
        "",
        "ada",
        "ada@",
        "@example.org",
        "ada@localhost",
        "ada@.org",
        "ada@byron@example.org",
        "ada@example.org\nBcc: bob@example.org",
        "ada\x00@example.org",
        "ada @example.org",
        "ada@example.org, bob@example.org",
        "Ada <ada@example.org>",
        '"ada"@example.org',
        "ada\u200b@example.org",
        "ada\ud800@example.org",
        "a" * EMAIL_LENGTH + "@example.org",
        "\ufdfa" * 200 + "@example.org",
        "\u00df" * 130 + "@example.org",
    ],
)
def test_what_mail_cannot_be_sent_to_is_no_address(email: str) -> None:
    with pytest.raises(BadInput, match="not an email address"):
        add_user(None, email, "Ada")
    assert not has_users()


@pytest.mark.parametrize("email", ["a\x00b", "\ud800", "\u0301" * 200_000, "x" * 100_000])
def test_looking_for_nonsense_finds_nobody(email: str) -> None:
    person()
    assert find_user(email) is None
    assert list_people(email).people == []


@given(st.text())
@example("\u0390")
@example("\u1e9e\ufb01\u0345")
def test_the_key_of_a_key_is_the_key(text: str) -> None:
    assert email_key(email_key(text)) == email_key(text)


@given(st.text(st.characters(exclude_characters="\u0131")))
@example("\u0390")
def test_capitals_and_composition_make_no_other_key(text: str) -> None:
    bounded = text[:200]
    spellings = [bounded.upper(), bounded.lower(), *(unicodedata.normalize(form, bounded) for form in ("NFC", "NFD"))]
    assert {email_key(spelling) for spelling in spellings} == {email_key(bounded)}


@SQLITE_ONLY
@pytest.mark.parametrize("name", ["", "  ", "x" * (NAME_LENGTH + 1), "Ada\x07", "Ada\u202e", "\u200b"])
def test_a_name_must_be_something_people_can_see(name: str) -> None:
    with pytest.raises(BadInput, match="A name has"):
        add_user(None, "ada@example.org", name)


def test_blanks_in_a_name_are_put_in_order() -> None:
    assert add_user(None, "ada@example.org", "  Ada \n Byron ").name == "Ada Byron"


def test_a_bad_password_adds_nobody() -> None:
    with pytest.raises(BadInput):
        person(password="short")
    assert not has_users()


def test_adding_somebody_is_one_change_with_its_log() -> None:
    ada, root = person("Ada"), person("Root", is_admin=True, password=PASSWORD)
    add_user(actor(root), "bob@example.org", "Bob")
    rows = db.session.execute(select(AuditEvent.action, AuditEvent.actor_kind).order_by(AuditEvent.id)).all()
    assert [tuple(row) for row in rows] == [("user.added", "operator")] * 2 + [("user.added", "person")]
    assert audit.person_hash(ada.id) != audit.person_hash(root.id)


def test_an_account_without_a_password_lets_nobody_in() -> None:
    assert person().password_hash is None
    assert not check_password(person("Bob").password_hash, "")


def test_a_new_name_is_also_what_the_log_shows() -> None:
    ada = person()
    change_user(None, ada.id, name="Ada Lovelace", is_admin=False)
    assert get_user(ada.id).name == "Ada Lovelace"
    assert db.session.scalars(select(AuditPerson.name)).one() == "Ada Lovelace"


def test_a_new_address_is_the_one_they_sign_in_with_and_the_old_one_is_free() -> None:
    ada = person(password=PASSWORD)
    session, invitation = start_session(ada.id, network=NETWORK, agent=""), issue_token(None, "reset", ada.id)
    change_user(None, ada.id, name="Ada", is_admin=False, email=" Countess@example.org ")

    assert sign_in("COUNTESS@example.org", PASSWORD, network=NETWORK, agent="").token
    assert find_session(session) is not None
    assert find_token(invitation) is None, "whoever reads the old mailbox may have it"
    assert add_user(None, "ada@example.org", "Another").id != ada.id
    assert db.session.scalars(select(AuditPerson.email).where(AuditPerson.user_id == ada.id)).one() == (
        "Countess@example.org"
    )


def test_who_has_no_way_in_yet_is_invited_at_the_new_address_and_at_no_other() -> None:
    ada, first = invite_user(None, "ada@example.org", "Ada")
    user, token = correct_user(None, ada.id, name="Ada", is_admin=False, email="countess@example.org")

    assert find_token(first) is None
    assert find_token(token or "") is not None
    mail = db.session.scalars(select(Mail).order_by(Mail.id.desc())).first()
    assert mail is not None
    assert (mail.kind, mail.email, (token or "?") in (mail.text or "")) == ("invitation", user.email, True)


@pytest.mark.parametrize("state", ["has a password", "came by a provider", "is disabled", "keeps the address"])
def test_nobody_else_is_invited_by_a_change(state: str) -> None:
    ada = person(password=PASSWORD if state == "has a password" else None)
    if state == "came by a provider":
        change(ada, seen_at=now())
    if state == "is disabled":
        disable_user(None, ada.id)
    email = "ada@example.org" if state == "keeps the address" else "countess@example.org"

    assert correct_user(None, ada.id, name="Ada", is_admin=False, email=email)[1] is None


def test_a_change_of_address_is_in_the_log_without_the_address() -> None:
    root, ada = person("Root", is_admin=True), person()
    change_user(actor(root), ada.id, name="Ada", is_admin=False, email="countess@example.org")
    event = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()

    assert event is not None
    assert (event.action, event.object_type, event.object_id) == ("user.email_changed", "user", ada.id)
    assert (event.object_label, event.details) == ("", {})


@pytest.mark.parametrize(
    ("email", "problem"), [("BOB@example.org", NameTaken), ("nobody", BadInput), ("", BadInput), ("a@b@c.d", BadInput)]
)
def test_an_address_that_is_taken_or_none_changes_nothing(email: str, problem: type[PortalError]) -> None:
    ada, _ = person(), person("Bob")
    with pytest.raises(problem):
        change_user(None, ada.id, name="Ada Lovelace", is_admin=False, email=email)

    db.session.expire_all()
    assert (get_user(ada.id).email, get_user(ada.id).name) == ("ada@example.org", "Ada")


def test_the_spelling_of_ones_own_address_may_change() -> None:
    ada = person()
    change_user(None, ada.id, name="Ada", is_admin=False, email="Ada@Example.org")

    assert get_user(ada.id).email == "Ada@Example.org"


def test_of_two_people_who_get_one_address_at_once_one_is_refused(context: Flask) -> None:
    ids = [person("Ada").id, person("Bob").id]
    answers = at_once(
        context,
        *[
            lambda user_id=user_id: change_user(None, user_id, name="X", is_admin=False, email="one@example.org").id
            for user_id in ids
        ],
    )

    assert sorted(isinstance(answer, NameTaken) for answer in answers) == [False, True]


def test_a_role_that_was_taken_away_is_gone_with_the_sessions() -> None:
    ada = person("Ada", is_admin=True, password=PASSWORD)
    person("Root", is_admin=True, password=PASSWORD)
    token = start_session(ada.id, network=NETWORK, agent="")
    change_user(None, ada.id, name="Ada", is_admin=False)
    assert find_session(token) is None


def test_a_disabled_person_is_out_at_once_and_stays_out() -> None:
    ada = person(password=PASSWORD)
    token, reset = start_session(ada.id, network=NETWORK, agent=""), issue_token(None, "reset", ada.id)
    disable_user(None, ada.id)
    assert find_session(token) is None
    assert find_token(reset) is None
    assert state_of_person(get_user(ada.id)) == "disabled"
    enable_user(None, ada.id)
    assert find_session(token) is None
    assert find_token(reset) is None
    assert check_password(get_user(ada.id).password_hash, PASSWORD)


def test_the_last_administrator_stays_one() -> None:
    root = person("Root", is_admin=True, password=PASSWORD)
    person("Ada")
    disabled = person("Bob", is_admin=True, password=PASSWORD)
    disable_user(None, disabled.id)
    with pytest.raises(LastAdministrator):
        change_user(actor(root), root.id, name="Root", is_admin=False)
    with pytest.raises(LastAdministrator):
        disable_user(None, root.id)
    root = get_user(root.id)
    assert (root.is_admin, root.disabled_at) == (True, None)


def test_an_administrator_gives_up_their_own_role() -> None:
    root = person("Root", is_admin=True, password=PASSWORD)
    person("Other", is_admin=True, password=PASSWORD)

    change_user(actor(root), root.id, name="Root", is_admin=False)

    assert get_user(root.id).is_admin is False


def test_two_administrators_cannot_disable_each_other_at_once(context: Flask) -> None:
    ids = [person("Ada", is_admin=True, password=PASSWORD).id, person("Bob", is_admin=True, password=PASSWORD).id]
    answers = at_once(context, *[lambda user_id=user_id: disable_user(None, user_id) for user_id in ids])
    assert sorted(type(answer).__name__ for answer in answers) == ["LastAdministrator", "NoneType"]
    assert state_counts()["disabled"] == 1


def test_three_administrators_at_once_leave_one_whoever_demotes_whom(context: Flask) -> None:
    ids = [person(name, is_admin=True, password=PASSWORD).id for name in ("Ada", "Bob", "Eve")]
    jobs = [lambda user_id=user_id: change_user(None, user_id, name="Was", is_admin=False) for user_id in ids]
    answers = at_once(context, *jobs)
    assert sorted(type(answer).__name__ for answer in answers) == ["LastAdministrator", "User", "User"]
    release()
    assert db.session.scalars(select(func.count()).select_from(User).where(User.is_admin)).one() == 1


def state_counts() -> dict[str, int]:
    release()
    return count_people()


def test_a_new_password_ends_every_session_but_the_one_it_was_set_in() -> None:
    ada = person(password=PASSWORD)
    tokens = [start_session(ada.id, network=NETWORK, agent="") for _ in range(3)]
    here = find_session(tokens[1])
    assert here is not None
    set_password(here, ada.id, "another four good words", keep_session=here.session_id)
    assert [find_session(token) is not None for token in tokens] == [False, True, False]
    assert check_password(get_user(ada.id).password_hash, "another four good words")
    assert not check_password(get_user(ada.id).password_hash, PASSWORD)


def test_a_new_password_uses_up_every_open_address() -> None:
    ada = person(password=PASSWORD)
    reset, invitation = issue_token(None, "reset", ada.id), issue_token(None, "invitation", ada.id)
    set_password(None, ada.id, "another four good words")
    assert (find_token(reset), find_token(invitation)) == (None, None)


def test_nobody_is_found_by_an_id_nobody_has() -> None:
    for act in (get_user, lambda user_id: disable_user(None, user_id), lambda user_id: enable_user(None, user_id)):
        with pytest.raises(UserNotFound):
            act(99)


def test_people_are_listed_by_name_page_by_page_none_twice_none_missing() -> None:
    names = ["Bob", "ada", "Carl", "Ada B", "dora", "Eve", "bob C"]
    for name in names:
        person(name)
    seen: list[str] = []
    page = list_people(limit=3)
    while True:
        seen += [user.name for user in page.people]
        if page.after is None:
            break
        page = list_people(limit=3, after=page.after)
    assert seen == sorted(names, key=str.lower)


@pytest.mark.parametrize(
    ("query", "found"),
    [("BYR", ["Ada Byron"]), ("@example.org", ["Ada Byron", "Bob"]), ("%", []), ("_", []), (" bob ", ["Bob"])],
)
def test_people_are_found_by_a_part_of_name_or_address_taken_literally(query: str, found: list[str]) -> None:
    person("Ada Byron")
    person("Bob")
    assert [user.name for user in list_people(query).people] == found


@pytest.mark.parametrize("query", ["østergård", "ØSTERGÅRD", "Ø", "strasse", "\uff33trasse", "ÅRD"])
def test_people_are_found_in_any_script_whatever_their_capitals(query: str) -> None:
    person("Østergård Straße")
    person("Bob")
    assert [user.name for user in list_people(query).people] == ["Østergård Straße"]


def test_a_new_name_is_what_a_person_is_found_by() -> None:
    person("Bob")
    ada = person("Ada Éa")
    change_user(None, ada.id, name="ÁBEL", is_admin=False)
    assert [user.name for user in list_people("ábel").people] == ["ÁBEL"]
    assert list_people("a éa").people == []


def test_nobody_disables_their_own_account() -> None:
    ada, _ = person("Ada", is_admin=True, password=PASSWORD), person("Root", is_admin=True, password=PASSWORD)
    with pytest.raises(Conflict, match="your own account"):
        disable_user(actor(ada), ada.id)
    assert state_of_person(ada) != "disabled"


def test_people_are_counted_by_what_became_of_them() -> None:
    person("Ada", password=PASSWORD)
    person("Bob")
    disable_user(None, person("Carl").id)
    assert state_counts() == {"all": 3, "active": 1, "waiting": 1, "disabled": 1, "erased": 0}
    assert [user.name for user in list_people(state="waiting").people] == ["Bob"]
