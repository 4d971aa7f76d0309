"""What becomes of mails that were not taken: tried again, or not sent at all, by somebody the log names."""

import pytest
from sqlalchemy import select

from portal.errors import Conflict, MailNotFound
from portal.extensions import db
from portal.models import AuditEvent, Mail, User
from portal.notices import are_late, count_mails, drop_mail, list_mails, retry_mail, retry_parked, send_due
from portal.notices.sending import _claim
from tests import makers

pytestmark = pytest.mark.usefixtures("context")


@pytest.fixture
def ada(context: object) -> User:
    return makers.person("Ada", is_admin=True)


def again(mail: Mail) -> Mail:
    makers.release()
    return db.session.get_one(Mail, mail.id, populate_existing=True)


def actions() -> list[str]:
    makers.release()
    found = select(AuditEvent.action).where(AuditEvent.action.startswith("mail.")).order_by(AuditEvent.id)
    return list(db.session.scalars(found))


def test_a_parked_mail_is_tried_again_with_all_its_tries(ada: User) -> None:
    parked = makers.mail(ada, state="parked", tries=8, problem="550 No", due_at=makers.now(days=1))

    retry_mail(makers.actor(ada), parked.id)

    found = again(parked)
    assert (found.state, found.tries, found.problem) == ("waiting", 0, "")
    send_due(lambda text: None, lambda: False)
    assert again(parked).state == "sent"
    event = db.session.scalars(select(AuditEvent).where(AuditEvent.action == "mail.retried")).one()
    assert (event.object_type, event.object_id, event.details["kind"]) == ("mail", parked.id, "password_changed")
    assert "Ada" not in str(event.details)


def test_a_mail_that_was_put_off_is_tried_now(ada: User) -> None:
    put_off = makers.mail(ada, tries=3, problem="451 Later", due_at=makers.now(hours=3))

    retry_mail(makers.actor(ada), put_off.id)

    assert again(put_off).due_at <= makers.now()


def test_a_mail_somebody_is_sending_is_not_given_to_somebody_else(ada: User) -> None:
    mail = makers.mail(ada, tries=1, problem="451 Later")
    assert _claim() is not None

    with pytest.raises(Conflict):
        retry_mail(makers.actor(ada), mail.id)

    assert again(mail).due_at > makers.now()
    assert actions() == []


def test_a_mail_that_is_not_to_be_sent_loses_its_words_and_stays_unsent(ada: User) -> None:
    waiting, parked = makers.mail(ada), makers.mail(ada, state="parked")

    drop_mail(makers.actor(ada), waiting.id)
    drop_mail(makers.actor(ada), parked.id)

    send_due(pytest.fail, lambda: False)
    for mail in (waiting, parked):
        assert (again(mail).state, again(mail).text, again(mail).html) == ("dropped", None, None)
        with pytest.raises(Conflict):
            retry_mail(makers.actor(ada), mail.id)
    assert actions() == ["mail.dropped", "mail.dropped"]


@pytest.mark.parametrize("state", ["sent", "dropped"])
def test_what_is_over_stays_as_it_is(ada: User, state: str) -> None:
    mail = makers.mail(ada, state=state)

    for verb in (retry_mail, drop_mail):
        with pytest.raises(Conflict):
            verb(makers.actor(ada), mail.id)

    assert again(mail).state == state


def test_a_mail_that_is_not_there_is_told(ada: User) -> None:
    for verb in (retry_mail, drop_mail):
        with pytest.raises(MailNotFound):
            verb(makers.actor(ada), 999)


def test_everything_parked_is_tried_again_at_once_by_one_event(ada: User) -> None:
    for state in ("parked", "parked", "dropped", "sent", "waiting"):
        makers.mail(ada, state=state)

    assert retry_parked(makers.actor(ada)) == 2
    assert retry_parked(makers.actor(ada)) == 0

    assert count_mails() == {"waiting": 3, "parked": 0, "sent": 1, "dropped": 1}
    assert actions() == ["mail.all_retried"]


def test_the_list_is_the_newest_first_in_pages_and_narrowed(ada: User) -> None:
    made = [makers.mail(ada, email=f"reader{number}@example.org") for number in range(5)]
    makers.change(made[3], state="parked")

    first, after = list_mails(limit=3)
    rest, end = list_mails(after=after, limit=3)

    assert [row.id for row in [*first, *rest]] == [mail.id for mail in reversed(made)]
    assert end is None
    assert [row.email for row in list_mails("READER2")[0]] == ["reader2@example.org"]
    assert list_mails("%")[0] == []
    assert [row.id for row in list_mails(state="parked")[0]] == [made[3].id]


def test_counting_stops(ada: User) -> None:
    for _ in range(4):
        makers.mail(ada)
    assert count_mails(most=2)["waiting"] == 3


def test_mails_that_are_due_for_long_tell_that_nobody_sends(ada: User) -> None:
    mail = makers.mail(ada)
    assert not are_late()
    makers.change(mail, due_at=makers.now(minutes=-6))
    assert are_late()
    makers.change(mail, state="parked")
    assert not are_late()
