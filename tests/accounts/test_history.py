"""Sign-ins as the log tells them: how, from where, with what program, and those that were refused."""

import pytest
from sqlalchemy import select

from portal.accounts import disable_user, list_sign_ins, sign_in
from portal.accounts.sessions import start_session
from portal.errors import SignInFailed
from portal.extensions import db
from portal.models import AuditEvent
from tests.makers import NETWORK, PASSWORD, person

pytestmark = pytest.mark.usefixtures("context")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def test_a_sign_in_says_how_from_where_and_with_what() -> None:
    ada = person(password=PASSWORD)
    sign_in(ada.email, PASSWORD, network=NETWORK, agent=FIREFOX)
    start_session(ada.id, network="192.0.2.0/24", agent="", method="passkey", is_two_factor=True)
    (second, first), more = list_sign_ins(ada.id)
    assert more is None
    assert (first.method, first.is_two_factor, first.network) == ("password", False, NETWORK)
    assert (first.program, first.is_refused) == ("Firefox on Linux", False)
    assert (second.method, second.is_two_factor, second.network) == ("passkey", True, "192.0.2.0/24")
    assert second.program == ""


def test_who_was_refused_as_somebody_stands_in_their_history_and_in_no_other() -> None:
    ada, bob = person("Ada", password=PASSWORD), person("Bob", password=PASSWORD)
    disable_user(None, bob.id)
    for email, password in ((ada.email, "wrong"), (bob.email, PASSWORD), ("nobody@example.org", "wrong")):
        with pytest.raises(SignInFailed):
            sign_in(email, password, network=NETWORK, agent=FIREFOX)
    for user in (ada, bob):
        (refused,), _ = list_sign_ins(user.id)
        assert (refused.is_refused, refused.method, refused.program) == (True, "password", "Firefox on Linux")


def test_what_a_client_calls_itself_is_no_part_of_the_log() -> None:
    sign_in(person(password=PASSWORD).email, PASSWORD, network=NETWORK, agent=FIREFOX)
    assert "Gecko" not in str(list(db.session.scalars(select(AuditEvent.details))))


def test_the_history_goes_on_where_a_page_ends() -> None:
    ada = person()
    for number in range(5):
        start_session(ada.id, network=str(number), agent="")
    first, after = list_sign_ins(ada.id, limit=3)
    rest, end = list_sign_ins(ada.id, after, limit=3)
    assert [row.network for row in (*first, *rest)] == ["4", "3", "2", "1", "0"]
    assert end is None
