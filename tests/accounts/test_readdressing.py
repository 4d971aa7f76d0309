"""A new address that people give themselves: confirmed by who reads its mail, and told to the old one."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import select

from portal.accounts import (
    SignedIn,
    add_user,
    change_profile,
    confirm_email,
    disable_user,
    find_session,
    find_user,
    issue_token,
    request_email_change,
    spend_setup_token,
    spend_token,
)
from portal.accounts.sessions import start_session
from portal.errors import BadInput, Conflict, NameTaken, TokenGone, TokenNotFound, TooManyTries
from portal.extensions import db
from portal.models import AuditEvent, AuditPerson, Mail, OneTimeToken
from portal.settings import Settings
from tests.makers import NETWORK, PASSWORD, change, core, now, person, release

NEW = "countess@example.net"


@pytest.fixture(autouse=True)
def mailing(settings: Settings) -> Iterator[None]:
    """A portal whose mails leave it."""
    with core(replace(settings, mail_url="smtp://127.0.0.1:1")):
        yield


def entered(name: str = "Ada") -> tuple[SignedIn, str]:
    """A person in a session, and its token."""
    user = find_user(f"{name.lower()}@example.org") or person(name, password=PASSWORD)
    token = start_session(user.id, network=NETWORK, agent="")
    found = find_session(token, NETWORK)
    assert found is not None
    return found, token


def mails() -> list[tuple[str, str]]:
    release()
    return [(kind, email) for kind, email in db.session.execute(select(Mail.kind, Mail.email).order_by(Mail.id))]


def token_sent() -> str:
    release()
    text = db.session.scalars(select(Mail.text).where(Mail.kind == "email_confirm").order_by(Mail.id.desc())).first()
    return (text or "").partition("/setup/")[2].split()[0]


def test_nothing_is_changed_before_the_new_address_says_yes() -> None:
    ada, _ = entered()
    request_email_change(ada, NEW)
    assert mails() == [("email_confirm", NEW)]
    assert find_user(NEW) is None
    assert find_user("ada@example.org") is not None


def test_nobody_puts_words_of_their_own_into_a_mail_to_a_stranger() -> None:
    ada, _ = entered()
    change_profile(ada, name="Go to https://evil.example now", timezone="")
    request_email_change(ada, NEW)
    release()
    mail = db.session.scalars(select(Mail).where(Mail.kind == "email_confirm")).one()
    assert "evil" not in f"{mail.subject}{mail.text}{mail.html}"


def test_the_confirmed_address_is_the_one_to_sign_in_with_and_the_old_one_is_told() -> None:
    ada, _ = entered()
    request_email_change(ada, NEW)
    confirm_email(token_sent())
    found = find_user(NEW)
    assert found is not None
    assert found.id == ada.user_id
    assert find_user("ada@example.org") is None
    assert mails()[-1] == ("email_changed", "ada@example.org")
    assert db.session.scalars(select(AuditPerson.email)).all() == [NEW]


def test_every_session_ends_but_the_one_it_was_confirmed_in() -> None:
    ada, here = entered()
    _, there = entered()
    request_email_change(ada, NEW)
    confirm_email(token_sent(), ada)
    assert find_session(here) is not None
    assert find_session(there) is None


def test_confirmed_in_the_browser_of_somebody_else_all_of_theirs_end_and_none_of_the_others() -> None:
    ada, here = entered()
    bo, there = entered("Bo")
    request_email_change(ada, NEW)
    confirm_email(token_sent(), bo)
    assert find_session(here) is None
    assert find_session(there) is not None


def test_addresses_that_were_sent_to_the_old_mailbox_are_worth_nothing_any_more() -> None:
    ada, _ = entered()
    reset = issue_token(None, "reset", ada.user_id)
    request_email_change(ada, NEW)
    confirm_email(token_sent())
    with pytest.raises(TokenGone):
        spend_token(reset, PASSWORD)


def test_it_is_confirmed_once() -> None:
    ada, _ = entered()
    request_email_change(ada, NEW)
    token = token_sent()
    confirm_email(token)
    with pytest.raises(TokenGone):
        confirm_email(token)


def test_a_newer_wish_takes_the_place_of_the_older() -> None:
    ada, _ = entered()
    request_email_change(ada, NEW)
    old = token_sent()
    request_email_change(ada, "ada@example.net")
    with pytest.raises(TokenGone):
        confirm_email(old)
    confirm_email(token_sent())
    assert find_user("ada@example.net") is not None


def test_after_a_day_it_confirms_nothing() -> None:
    ada, _ = entered()
    request_email_change(ada, NEW)
    change(db.session.scalars(select(OneTimeToken)).one(), expires_at=now(seconds=-1))
    with pytest.raises(TokenGone):
        confirm_email(token_sent())
    assert find_user(NEW) is None


def test_a_taken_address_is_not_told_apart_and_its_owner_hears_of_it() -> None:
    ada, _ = entered()
    person("Bo")
    request_email_change(ada, "bo@example.org")
    assert mails() == [("email_taken", "bo@example.org")]
    assert db.session.scalars(select(OneTimeToken)).all() == []


def test_a_disabled_owner_hears_nothing() -> None:
    ada, _ = entered()
    bo = person("Bo")
    disable_user(None, bo.id)
    before = mails()
    request_email_change(ada, "bo@example.org")
    assert mails() == before


def test_an_address_that_was_taken_meanwhile_is_refused_and_the_token_stays() -> None:
    ada, _ = entered()
    request_email_change(ada, NEW)
    add_user(None, NEW, "Countess")
    token = token_sent()
    with pytest.raises(NameTaken):
        confirm_email(token)
    release()
    assert find_user("ada@example.org") is not None
    assert db.session.scalars(select(OneTimeToken.used_at)).all() == [None]


def test_another_spelling_of_ones_own_address_is_a_change_like_any_other() -> None:
    ada, _ = entered()
    request_email_change(ada, "Ada@Example.org")
    confirm_email(token_sent())
    found = find_user("ada@example.org")
    assert found is not None
    assert found.email == "Ada@Example.org"


@pytest.mark.parametrize("email", ["ada@example.org", "nobody", "x@example.org\nBcc: y@example.org"])
def test_what_can_be_no_new_address_is_refused(email: str) -> None:
    ada, _ = entered()
    with pytest.raises(BadInput):
        request_email_change(ada, email)
    assert mails() == []


def test_nobody_sends_mails_to_strangers_without_end() -> None:
    ada, _ = entered()
    for number in range(5):
        request_email_change(ada, f"stranger{number}@example.net")
    with pytest.raises(TooManyTries):
        request_email_change(ada, NEW)
    assert len(mails()) == 5


def test_a_token_that_confirms_sets_no_password_and_others_confirm_nothing() -> None:
    ada, _ = entered()
    request_email_change(ada, NEW)
    token = token_sent()
    with pytest.raises(TokenNotFound):
        spend_token(token, "another four good words")
    with pytest.raises(TokenNotFound):
        spend_setup_token(token, "x@example.org", "X", "another four good words")
    with pytest.raises(TokenNotFound):
        confirm_email(issue_token(None, "reset", ada.user_id))
    with pytest.raises(TokenNotFound):
        confirm_email("x" * 43)


def test_the_log_holds_no_address() -> None:
    ada, _ = entered()
    request_email_change(ada, NEW)
    confirm_email(token_sent())
    events = db.session.scalars(select(AuditEvent)).all()
    assert {"user.email_asked", "user.email_changed"} <= {event.action for event in events}
    assert not any("@" in repr(event.details) + event.object_label for event in events)


def test_without_mail_nothing_can_be_confirmed(settings: Settings) -> None:
    with core(settings):
        ada, _ = entered()
        with pytest.raises(Conflict, match="Ask an administrator"):
            request_email_change(ada, NEW)
