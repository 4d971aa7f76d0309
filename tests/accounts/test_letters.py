"""Every change of an account is told by mail, in the transaction of the change."""

import pytest
from sqlalchemy import select

from portal.accounts import (
    change_user,
    disable_user,
    enable_user,
    find_token,
    get_user,
    invite_user,
    issue_address,
    issue_token,
    set_password,
    spend_token,
)
from portal.accounts.entrances import HELD
from portal.accounts.letters import masked
from portal.accounts.sessions import start_session
from portal.errors import LastAdministrator, NameTaken, UserNotFound
from portal.extensions import db, transaction
from portal.models import Base, Challenge, KnownDevice, Mail, PendingSignIn, ProviderRequest, Session
from tests.makers import NETWORK, PASSWORD, now, person, release

pytestmark = pytest.mark.usefixtures("context")

NEW = "another four good words"


def mails() -> list[tuple[str, str]]:
    """What waits to be sent: kind and address, the oldest first."""
    release()
    rows = db.session.execute(select(Mail.kind, Mail.email).order_by(Mail.id))
    return [(kind, email) for kind, email in rows]


def test_an_invitation_goes_out_with_the_address_that_the_page_shows() -> None:
    _, token = invite_user(None, "ada@example.org", "Ada")
    mail = db.session.scalars(select(Mail)).one()
    assert (mail.kind, mail.email) == ("invitation", "ada@example.org")
    assert mail.text is not None
    assert f"http://localhost/setup/{token}" in mail.text


def test_a_refused_invitation_sends_nothing() -> None:
    person("Ada")
    with pytest.raises(NameTaken):
        invite_user(None, "ada@example.org", "Ada")
    assert mails() == []


def test_an_address_made_again_goes_out_again() -> None:
    ada, bo = person("Ada"), person("Bo", password=PASSWORD)
    issue_address(None, ada.id)
    issue_address(None, bo.id)
    assert mails() == [("invitation", "ada@example.org"), ("reset", "bo@example.org")]


def test_a_first_password_is_no_change_and_every_later_one_is_told() -> None:
    ada = person("Ada")
    spend_token(issue_token(None, "invitation", ada.id), NEW)
    assert mails() == []
    set_password(None, ada.id, PASSWORD)
    spend_token(issue_token(None, "reset", ada.id), NEW)
    assert mails() == [("password_changed", "ada@example.org")] * 2


def test_a_role_is_told_when_it_changes_and_not_when_only_the_name_does() -> None:
    person("Root", is_admin=True, password=PASSWORD)
    ada = person("Ada")
    change_user(None, ada.id, name="Ada Byron", is_admin=False)
    assert mails() == []
    change_user(None, ada.id, name="Ada", is_admin=True)
    change_user(None, ada.id, name="Ada", is_admin=False)
    assert mails() == [("role_changed", "ada@example.org")] * 2


def test_the_old_address_is_told_of_the_new_one_without_hearing_it_whole() -> None:
    ada = person("Ada")
    change_user(None, ada.id, name="Ada", is_admin=False, email="countess@example.net")
    mail = db.session.scalars(select(Mail)).one()
    assert (mail.kind, mail.email) == ("email_changed", "ada@example.org")
    assert mail.text is not None
    assert "c…@example.net" in mail.text
    assert "countess" not in mail.text
    assert "/reset" not in mail.text, "what is asked for there goes to the other address"


def test_whoever_did_not_change_the_password_is_led_to_where_a_new_one_is_asked_for() -> None:
    ada = person("Ada", password=PASSWORD)
    set_password(None, ada.id, NEW)
    mail = db.session.scalars(select(Mail)).one()
    assert "Set a new password at http://localhost/reset and" in " ".join((mail.text or "").split())
    assert 'href="http://localhost/reset"' in (mail.html or "")


def test_closing_and_opening_an_account_is_told() -> None:
    ada = person("Ada")
    disable_user(None, ada.id)
    enable_user(None, ada.id)
    assert mails() == [("account_disabled", "ada@example.org"), ("account_enabled", "ada@example.org")]


def test_what_is_refused_is_not_told() -> None:
    root = person("Root", is_admin=True, password=PASSWORD)
    with pytest.raises(LastAdministrator):
        disable_user(None, root.id)
    assert mails() == []


def begun(user_id: int) -> list[Base]:
    """One of everything that is about to let somebody in."""
    ends = {"expires_at": now(minutes=5)}
    return [
        PendingSignIn(token_hash=b"a" * 32, user_id=user_id, method="password", **ends),
        Challenge(challenge=b"b" * 32, purpose="prove", user_id=user_id, **ends),
        ProviderRequest(state_hash=b"c" * 32, nonce="n", verifier="v", target="/", user_id=user_id, **ends),
        KnownDevice(user_id=user_id, token_hash=b"d" * 32),
    ]


def test_a_disabled_person_is_out_and_nothing_begun_leads_in() -> None:
    ada, bo = person("Ada", password=PASSWORD), person("Bo", password=PASSWORD)
    others = [start_session(one.id, network=NETWORK, agent="") for one in (ada, bo)]
    address = issue_token(None, "reset", ada.id)
    with transaction() as session:
        session.add_all(begun(ada.id))
    disable_user(None, ada.id)
    enable_user(None, ada.id)
    assert len(others) == 2
    assert find_token(address) is None
    assert [db.session.scalars(select(kind.user_id)).all() for kind in HELD] == [[bo.id], [], [], [], []]
    assert HELD[0] is Session


@pytest.mark.parametrize(
    ("email", "said"), [("ada@example.org", "a…@example.org"), ("ä@example.org", "ä…@example.org")]
)
def test_a_masked_address_says_its_first_letter_and_its_host(email: str, said: str) -> None:
    assert masked(email) == said


def test_a_mail_is_part_of_the_change_it_tells_of() -> None:
    ada = person("Ada")
    with pytest.raises(UserNotFound), transaction():
        _disable_two(ada.id, 999)
    assert mails() == []
    assert get_user(ada.id).disabled_at is None


def _disable_two(*user_ids: int) -> None:
    for user_id in user_ids:
        disable_user(None, user_id)
