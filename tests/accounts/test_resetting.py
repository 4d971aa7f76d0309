"""A forgotten password: what the request does tells nobody who has an account, and the mail works once, for an hour."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event, func, select

from portal.accounts import (
    change_user,
    check_password,
    disable_user,
    erase_user,
    find_session,
    find_token,
    find_user,
    get_user,
    invite_user,
    issue_address,
    issue_token,
    request_reset,
    resolve_resets,
    set_password,
    spend_token,
)
from portal.accounts.sessions import start_session
from portal.errors import BadInput, TokenGone, TooManyTries
from portal.extensions import db
from portal.models import Mail, OneTimeToken, ResetRequest
from tests.makers import NETWORK, PASSWORD, actor, at_once, change, now, person, release

pytestmark = pytest.mark.usefixtures("context")

NEW = "another four good words"


def resolve() -> None:
    resolve_resets(lambda: False)
    release()


def ask(email: str, network: str = NETWORK) -> None:
    request_reset(email, network)


def tokens_sent(email: str = "ada@example.org") -> list[str]:
    """The tokens in the mails to an address, the oldest first."""
    release()
    texts = db.session.scalars(select(Mail.text).where(Mail.kind == "reset", Mail.email == email).order_by(Mail.id))
    return [(text or "").partition("/setup/")[2].split()[0] for text in texts]


def somebody(email: str) -> Callable[[], object]:
    return {
        "known@example.org": lambda: person("Known", password=PASSWORD),
        "unknown@example.org": lambda: None,
        "invited@example.org": lambda: invite_user(None, "invited@example.org", "Invited"),
        "disabled@example.org": lambda: disable_user(None, person("Disabled", password=PASSWORD).id),
        "erased@example.org": lambda: erase_user(None, person("Erased", password=PASSWORD).id),
    }[email]


def test_the_request_runs_the_same_statements_whoever_it_is_for(statements: list[str]) -> None:
    emails = [f"{who}@example.org" for who in ("known", "unknown", "invited", "disabled", "erased")]
    for email in emails:
        somebody(email)()
    release()
    ask("first@example.org")
    commits: list[object] = []
    event.listen(db.engine, "commit", commits.append)
    runs = []
    for email in emails:
        statements.clear()
        commits.clear()
        ask(email)
        runs.append((len(commits), [statement.replace(email, "…") for statement in statements]))
    assert runs == [runs[0]] * len(runs)
    assert runs[0][0] == 1
    assert "INSERT INTO reset_requests" in "".join(runs[0][1])


def test_the_request_changes_the_same_tables_by_the_same_rows() -> None:
    somebody("known@example.org")()
    ask("known@example.org")
    ask("unknown@example.org")
    release()
    assert db.session.scalars(select(ResetRequest.email)).all() == ["known@example.org", "unknown@example.org"]
    assert db.session.scalars(select(func.count()).select_from(OneTimeToken)).one() == 0
    assert db.session.scalars(select(func.count()).select_from(Mail)).one() == 0


def test_the_worker_writes_to_who_has_an_account_and_to_nobody_else() -> None:
    for who in ("known", "invited", "disabled", "erased"):
        somebody(f"{who}@example.org")()
    for who in ("known", "unknown", "invited", "disabled", "erased"):
        ask(f"{who}@example.org")
    resolve()
    sent = db.session.scalars(select(Mail.email).where(Mail.kind == "reset").order_by(Mail.id)).all()
    assert sent == ["known@example.org", "invited@example.org"]
    assert db.session.scalars(select(ResetRequest)).all() == []


@pytest.mark.parametrize("spelling", ["ADA@example.org", " ada@example.org "])
def test_an_address_is_known_whatever_its_capitals_and_the_mail_goes_where_it_always_goes(spelling: str) -> None:
    person("Ada", password=PASSWORD)
    ask(spelling)
    resolve()
    assert len(tokens_sent()) == 1


def test_a_reset_works_once_and_ends_every_session() -> None:
    ada = person("Ada", password=PASSWORD)
    sessions = [start_session(ada.id, network=NETWORK, agent="") for _ in range(2)]
    ask("ada@example.org")
    resolve()
    (token,) = tokens_sent()
    spend_token(token, NEW)
    assert check_password(get_user(ada.id).password_hash, NEW)
    assert [find_session(one) for one in sessions] == [None, None]
    with pytest.raises(TokenGone):
        spend_token(token, PASSWORD)
    assert check_password(get_user(ada.id).password_hash, NEW)


def test_a_reset_works_for_an_hour_and_one_made_by_an_administrator_for_a_day() -> None:
    ada = person("Ada", password=PASSWORD)
    ask("ada@example.org")
    resolve()
    row = db.session.scalars(select(OneTimeToken)).one()
    assert row.expires_at - row.created_at == pytest.approx(timedelta(hours=1), abs=timedelta(seconds=30))
    change(row, expires_at=now(seconds=-1))
    with pytest.raises(TokenGone):
        spend_token(tokens_sent()[0], NEW)
    issue_address(None, ada.id)
    made = db.session.scalars(select(OneTimeToken).order_by(OneTimeToken.id.desc())).first()
    assert made is not None
    assert made.expires_at - made.created_at > timedelta(hours=23)


def test_a_reset_is_worth_nothing_once_the_password_was_changed() -> None:
    ada = person("Ada", password=PASSWORD)
    ask("ada@example.org")
    resolve()
    set_password(None, ada.id, NEW)
    with pytest.raises(TokenGone):
        spend_token(tokens_sent()[0], PASSWORD)


def test_a_newer_reset_takes_the_place_of_the_older() -> None:
    person("Ada", password=PASSWORD)
    for _ in range(2):
        ask("ada@example.org")
    resolve()
    old, new = tokens_sent()
    assert (find_token(old), find_token(new) is not None) == (None, True)


def test_a_hundred_requests_are_three_mails_in_an_hour() -> None:
    ada = person("Ada", password=PASSWORD)
    for number in range(100):
        ask("ada@example.org", f"10.0.{number}.0/24")
    resolve()
    assert len(tokens_sent()) == 3
    for row in db.session.scalars(select(OneTimeToken).where(OneTimeToken.user_id == ada.id)).all():
        change(row, created_at=now(minutes=-61))
    ask("ada@example.org")
    resolve()
    assert len(tokens_sent()) == 4


def test_what_an_administrator_made_counts_towards_nothing() -> None:
    root, ada = person("Root", is_admin=True), person("Ada", password=PASSWORD)
    for _ in range(5):
        issue_token(actor(root), "reset", ada.id)
    ask("ada@example.org")
    resolve()
    assert len(tokens_sent()) == 1


def test_a_network_that_asks_too_often_waits_whoever_it_asks_for() -> None:
    for number in range(30):
        ask(f"nobody{number}@example.org")
    with pytest.raises(TooManyTries):
        ask("nobody@example.org")
    ask("nobody@example.org", "192.0.2.0/24")
    release()
    assert db.session.scalars(select(func.count()).select_from(ResetRequest)).one() == 31


@pytest.mark.parametrize(
    "email", ["", "null", "ada", "ada@example.org\r\nBcc: x@example.org", "a@b@c.de", "x" * 300 + "@example.org"]
)
def test_what_can_be_no_address_is_refused_and_not_written_down(email: str) -> None:
    with pytest.raises(BadInput):
        ask(email)
    assert db.session.scalars(select(ResetRequest)).all() == []


def test_of_many_workers_at_once_one_writes_to_each(context: Flask) -> None:
    for name in ("Ada", "Bo", "Cy"):
        person(name, password=PASSWORD)
        ask(f"{name.lower()}@example.org")
    release()
    at_once(context, *[lambda: resolve_resets(lambda: False)] * 4)
    resolve()
    release()
    sent = db.session.scalars(select(Mail.email).where(Mail.kind == "reset")).all()
    assert sorted(sent) == ["ada@example.org", "bo@example.org", "cy@example.org"]


def test_a_worker_that_is_to_end_leaves_the_rest_for_the_next() -> None:
    for name in ("Ada", "Bo"):
        person(name, password=PASSWORD)
        ask(f"{name.lower()}@example.org")
    answers = iter([False, True])
    resolve_resets(lambda: next(answers))
    release()
    assert db.session.scalars(select(ResetRequest.email)).all() == ["bo@example.org"]


def test_an_address_that_was_given_up_meanwhile_gets_nothing() -> None:
    ada = person("Ada", password=PASSWORD)
    ask("ada@example.org")
    change_user(None, ada.id, name="Ada", is_admin=False, email="new@example.org")
    resolve()
    assert tokens_sent() == []
    assert tokens_sent("new@example.org") == []
    assert find_user("new@example.org") is not None


def test_what_an_administrator_handed_out_goes_on_when_somebody_asks_for_a_mail() -> None:
    ada, boss = person("Ada", password=PASSWORD), person("Boss", is_admin=True)
    handed = issue_address(actor(boss), ada.id)
    ask("ada@example.org")
    resolve()
    assert find_token(tokens_sent()[-1]) is not None
    assert find_token(handed) is not None
