"""One-time addresses: each works once, for one purpose, for a while."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from portal.accounts import (
    check_password,
    find_session,
    find_token,
    get_user,
    has_users,
    invite_user,
    issue_address,
    issue_token,
    spend_setup_token,
    spend_token,
)
from portal.accounts.sessions import start_session
from portal.accounts.tokens import LIFETIME
from portal.errors import BadInput, Busy, Conflict, NameTaken, TokenGone, TokenNotFound
from portal.extensions import db, transaction
from portal.models import OneTimeToken, User
from portal.tokens import is_token, make_token, mask, token_hash
from tests.databases import SQLITE_ONLY
from tests.makers import NETWORK, PASSWORD, at_once, change, group, now, person, release

NEW = "another four good words"

pytestmark = pytest.mark.usefixtures("context")


def set_up(token: str, name: str = "Root") -> User:
    return spend_setup_token(token, f"{name.lower()}@example.org", name, PASSWORD)


def test_a_secret_has_256_bits_and_a_shape_of_its_own() -> None:
    tokens = {make_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(is_token(token) for token in tokens)


@SQLITE_ONLY
@pytest.mark.parametrize("text", ["", "a" * 42, "a" * 44, *("a" * 42 + last for last in "\né=/")])
def test_other_texts_have_not_that_shape(text: str) -> None:
    assert not is_token(text)


def test_the_same_secret_has_another_hash_for_every_purpose() -> None:
    token = make_token()
    assert len({token_hash(purpose, token) for purpose in ("session", "share", *LIFETIME)}) == 6
    assert token_hash("a", "b\0c") != token_hash("a\0b", "c")


def test_a_masked_secret_shows_six_characters() -> None:
    assert mask("abcdefghijkl") == "abcdef…"


def test_the_first_administrator_is_made_through_the_setup_address() -> None:
    root = set_up(issue_token(None, "setup"))
    assert (root.is_admin, root.email) == (True, "root@example.org")
    assert check_password(get_user(root.id).password_hash, PASSWORD)


def test_a_setup_address_is_unknown_once_anybody_has_an_account() -> None:
    token = issue_token(None, "setup")
    assert find_token(token) is not None
    person()
    assert find_token(token) is None
    with pytest.raises(TokenGone):
        set_up(token)


def test_no_account_is_there_before_somebody_makes_one() -> None:
    assert not has_users()


def test_of_twenty_uses_at_once_one_makes_an_administrator(context: Flask) -> None:
    token = issue_token(None, "setup")
    names = [f"Root{number}" for number in range(20)]
    answers = at_once(context, *[lambda name=name: set_up(token, name) for name in names])
    kinds = [type(answer) for answer in answers]
    assert kinds.count(User) == 1
    assert set(kinds) <= {User, TokenGone, Busy}
    assert db.session.scalars(select(func.count()).select_from(User)).one() == 1


def test_two_setup_addresses_at_once_make_one_administrator(context: Flask) -> None:
    tokens = [issue_token(None, "setup") for _ in range(8)]
    with transaction() as session:
        session.execute(update(OneTimeToken).values(used_at=None))
    jobs = [lambda at=at, token=token: set_up(token, f"Root{at}") for at, token in enumerate(tokens)]
    answers = at_once(context, *jobs)
    assert sorted(type(answer).__name__ for answer in answers) == ["TokenGone"] * 7 + ["User"]


def test_a_mistake_in_the_form_does_not_use_the_setup_address_up() -> None:
    token = issue_token(None, "setup")
    with pytest.raises(BadInput):
        spend_setup_token(token, "root@example.org", "Root", "short")
    with pytest.raises(BadInput):
        spend_setup_token(token, "no address", "Root", PASSWORD)
    with pytest.raises(BadInput):
        spend_setup_token(token, "root@example.org", "", PASSWORD)
    assert not has_users()
    assert set_up(token).is_admin


@pytest.mark.parametrize("purpose", ["invitation", "reset"])
def test_an_address_sets_a_password_once(purpose: str) -> None:
    ada = person(password=PASSWORD)
    token = issue_token(None, purpose, ada.id)
    assert spend_token(token, NEW).id == ada.id
    assert check_password(get_user(ada.id).password_hash, NEW)
    assert find_token(token) is None
    with pytest.raises(TokenGone):
        spend_token(token, PASSWORD)
    assert check_password(get_user(ada.id).password_hash, NEW)


def test_of_many_uses_at_once_one_sets_the_password(context: Flask) -> None:
    token = issue_token(None, "reset", person(password=PASSWORD).id)
    choices = [f"{NEW} {number}" for number in range(12)]
    answers = at_once(context, *[lambda choice=choice: spend_token(token, choice) for choice in choices])
    kinds = [type(answer) for answer in answers]
    assert (kinds.count(User), kinds.count(TokenGone)) == (1, 11)
    winner = choices[kinds.index(User)]
    assert check_password(db.session.scalars(select(User.password_hash)).one(), winner)


def test_setting_a_password_through_an_address_ends_every_session() -> None:
    ada = person(password=PASSWORD)
    sessions = [start_session(ada.id, network=NETWORK, agent="") for _ in range(2)]
    spend_token(issue_token(None, "reset", ada.id), NEW)
    assert [find_session(token) for token in sessions] == [None, None]


def test_using_one_address_of_a_person_uses_up_the_others_of_theirs_only() -> None:
    ada, bob = person("Ada"), person("Bob")
    invitation, reset = issue_token(None, "invitation", ada.id), issue_token(None, "reset", ada.id)
    other = issue_token(None, "invitation", bob.id)
    spend_token(reset, NEW)
    assert find_token(invitation) is None
    assert find_token(other) is not None


def test_a_new_address_replaces_the_older_one_of_its_kind() -> None:
    ada = person()
    old, other = issue_token(None, "invitation", ada.id), issue_token(None, "reset", ada.id)
    new = issue_token(None, "invitation", ada.id)
    assert [find_token(token) is not None for token in (old, other, new)] == [False, True, True]


def test_of_many_made_at_once_one_address_works(context: Flask) -> None:
    ada_id = person().id
    answers = at_once(context, *[lambda: issue_token(None, "reset", ada_id)] * 12)
    assert len([answer for answer in answers if isinstance(answer, str) and find_token(answer)]) == 1


@pytest.mark.parametrize("purpose", list(LIFETIME))
def test_an_address_works_for_its_time_and_no_longer(purpose: str) -> None:
    token = issue_token(None, purpose, None if purpose == "setup" else person().id)
    row = db.session.scalars(select(OneTimeToken)).one()
    assert row.expires_at - row.created_at == pytest.approx(
        timedelta(seconds=LIFETIME[purpose]), abs=timedelta(seconds=30)
    )
    change(row, expires_at=now(minutes=1))
    assert find_token(token) is not None
    change(row, expires_at=now(seconds=-1))
    assert find_token(token) is None
    with pytest.raises(TokenGone):
        set_up(token) if purpose == "setup" else spend_token(token, NEW)


def tokens_of_every_purpose() -> dict[str, str]:
    """A working secret for each purpose; the setup one as it is before anybody has an account."""
    setup = issue_token(None, "setup")
    ada = person()
    return {
        "setup": setup,
        "invitation": issue_token(None, "invitation", ada.id),
        "session": start_session(ada.id, network=NETWORK, agent=""),
    }


@pytest.mark.parametrize(
    ("purpose", "use"),
    [
        ("invitation", set_up),
        ("session", set_up),
        ("setup", lambda token: spend_token(token, NEW)),
        ("session", lambda token: spend_token(token, NEW)),
    ],
)
def test_a_secret_for_one_purpose_is_useless_for_another(purpose: str, use: Callable[[str], object]) -> None:
    tokens = tokens_of_every_purpose()
    with pytest.raises(TokenNotFound):
        use(tokens[purpose])


def test_no_one_time_secret_opens_a_session() -> None:
    tokens = tokens_of_every_purpose()
    assert [find_session(tokens[purpose]) for purpose in ("setup", "invitation")] == [None, None]


def test_a_hash_moved_to_another_purpose_fits_nothing() -> None:
    ada = person()
    token = issue_token(None, "invitation", ada.id)
    row = db.session.scalars(select(OneTimeToken)).one()
    change(row, token_hash=token_hash("session", token))
    assert find_token(token) is None


def test_only_the_hash_of_an_address_is_kept() -> None:
    token = issue_token(None, "setup")
    rows = db.session.execute(select(OneTimeToken.__table__)).all()
    assert token not in repr(rows)


def test_an_invitation_comes_with_its_groups_or_not_at_all() -> None:
    clients = group("Clients")
    ada, token = invite_user(None, "ada@example.org", "Ada", group_ids=[clients.id])
    assert spend_token(token, NEW).id == ada.id
    with pytest.raises(NameTaken):
        invite_user(None, "ada@example.org", "Ada again", group_ids=[clients.id])
    release()
    assert db.session.scalars(select(func.count()).select_from(User)).one() == 1


@pytest.mark.parametrize(("password", "purpose"), [(None, "invitation"), (PASSWORD, "reset")])
def test_who_never_had_a_password_is_invited_again_and_others_may_choose_a_new_one(
    password: str | None, purpose: str
) -> None:
    found = find_token(issue_address(None, person(password=password).id))
    assert found is not None
    assert found.purpose == purpose


def test_a_disabled_person_gets_no_address() -> None:
    ada = person()
    change(ada, disabled_at=now())
    with pytest.raises(Conflict, match="disabled"):
        issue_address(None, ada.id)
    assert find_token(issue_token(None, "reset", ada.id)) is None
