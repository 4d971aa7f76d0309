"""Who comes in by a provider: as whom, who not at all, and what becomes of their groups. On both databases."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal import accounts, audit
from portal.accounts.rules import ask_group
from portal.accounts.sessions import start_session
from portal.errors import Conflict, NotFound, ProviderRefused
from portal.extensions import db
from portal.models import AuditEvent, Identity, Mail, User
from portal.openid import Proof
from tests import makers
from tests.databases import POSTGRESQL_ONLY

ISSUER = "https://id.example.org"
ADA = Proof(ISSUER, "1", "ada@example.org", True, "Ada Byron")
ROUNDS = 5
EVERYBODY = frozenset({"*"})


@contextmanager
def chosen(app: Flask, **values: Any) -> Iterator[None]:
    """Other settings for a while."""
    before = app.config["PORTAL"]
    app.config["PORTAL"] = dataclasses.replace(before, **values)
    yield
    app.config["PORTAL"] = before


@pytest.fixture(autouse=True)
def provider(request: pytest.FixtureRequest) -> Iterator[None]:
    app: Flask = request.getfixturevalue("context")
    with chosen(app, oidc_issuer=ISSUER, oidc_name="the office"):
        yield


def admit(proof: Proof = ADA) -> int:
    return accounts.admit(proof, network=makers.NETWORK, agent="tests")


def refusal(proof: Proof = ADA) -> str:
    with pytest.raises(ProviderRefused) as caught:
        admit(proof)
    return caught.value.sentence


def but(**values: Any) -> Proof:
    return dataclasses.replace(ADA, **values)


def events() -> list[str]:
    found = list(db.session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))
    makers.release()
    return found


def groups_of(user: User) -> list[str]:
    found = [group.name for group in accounts.list_groups_of(user.id)]
    makers.release()
    return found


def identities(user: User) -> list[Identity]:
    found = accounts.list_identities(user.id)
    makers.release()
    return found


def test_who_comes_first_is_the_person_with_the_same_verified_address_and_is_told(context: Flask) -> None:
    ada = makers.person()
    assert admit(but(email="ADA@example.org")) == ada.id
    (identity,) = identities(ada)
    assert (identity.issuer, identity.subject, identity.email) == (ISSUER, "1", "ADA@example.org")
    assert identity.used_at is not None
    assert events()[-1] == "identity.linked"
    mail = db.session.scalars(select(Mail).where(Mail.kind == "identity_linked")).one()
    assert mail.email == "ada@example.org"
    assert "the office" in str(mail.text)


@pytest.mark.parametrize(
    ("here", "there"),
    [("sam@example.org", "\u017fam@example.org"), ("kim@example.org", "\u212aim@example.org"),
     ("bob@example.org", "\uff42ob@example.org"), ("stra\u00dfe@example.org", "strasse@example.org")],
)  # fmt: skip
def test_an_address_that_only_folds_to_the_same_is_somebody_else(context: Flask, here: str, there: str) -> None:
    user = accounts.add_user(None, here, "Somebody")
    assert "no account here" in refusal(but(email=there))
    assert identities(user) == []


def test_who_is_linked_is_the_person_whatever_the_address_is_by_now(context: Flask) -> None:
    ada, eve = makers.person(), makers.person("Eve")
    admit()
    assert admit(but(email="eve@example.org", is_email_verified=True)) == ada.id
    assert admit(but(email="", is_email_verified=None)) == ada.id
    assert identities(ada)[0].email == "eve@example.org"
    assert identities(eve) == []
    assert events().count("identity.linked") == 1


@pytest.mark.parametrize(
    "proof",
    [but(is_email_verified=False), but(is_email_verified=None), but(email=""), but(email="eve@example.org")],
    ids=["not verified", "not said", "no address", "unknown address"],
)
def test_who_is_not_known_for_certain_does_not_come_in(context: Flask, proof: Proof) -> None:
    ada = makers.person()
    assert "no account here that is open to you" in refusal(proof)
    assert identities(ada) == []
    assert events()[-1] == "session.refused"


def test_a_directory_of_the_house_is_believed_when_it_says_nothing_and_not_when_it_says_no(context: Flask) -> None:
    ada = makers.person()
    with chosen(context, oidc_trust_email=True):
        refusal(but(is_email_verified=False))
        assert admit(but(is_email_verified=None)) == ada.id


def test_an_address_that_changed_hands_at_the_provider_opens_nothing(context: Flask) -> None:
    ada = makers.person()
    admit()
    assert "no account here that is open to you" in refusal(but(subject="2"))
    assert [identity.subject for identity in identities(ada)] == ["1"]


def test_the_same_subject_of_another_issuer_is_somebody_else(context: Flask) -> None:
    makers.person()
    admit()
    refusal(but(issuer="https://other.example", email="eve@example.org"))


def test_linking_by_address_can_be_turned_off(context: Flask) -> None:
    ada = makers.person()
    with chosen(context, oidc_link_by_email=False):
        assert "link the two" in refusal()
        assert identities(ada) == []
        accounts.link_identity(makers.actor(ada), ada.id, ADA)
        assert admit() == ada.id


def test_a_disabled_person_does_not_come_in_linked_or_not(context: Flask) -> None:
    ada = makers.person()
    makers.change(ada, disabled_at=makers.now())
    sentence = refusal()
    assert identities(ada) == []
    makers.change(ada, disabled_at=None)
    admit()
    makers.change(ada, disabled_at=makers.now())
    assert refusal() == sentence


def test_no_account_is_made_unless_that_is_wanted(context: Flask) -> None:
    refusal()
    assert not accounts.has_users()


def test_an_account_is_made_when_that_is_wanted(context: Flask) -> None:
    with chosen(context, oidc_create_accounts=True, oidc_allowed_domains=EVERYBODY):
        user = accounts.get_user(admit())
        assert admit() == user.id
    assert (user.email, user.name, user.password_hash, user.is_admin) == ("ada@example.org", "Ada Byron", None, False)
    assert events() == ["user.added", "identity.linked"]


def test_an_account_without_a_name_is_called_like_its_address(context: Flask) -> None:
    with chosen(context, oidc_create_accounts=True, oidc_allowed_domains=EVERYBODY):
        assert accounts.get_user(admit(but(name=""))).name == "ada"


@pytest.mark.parametrize("proof", [but(is_email_verified=False), but(is_email_verified=None), but(email="ada")])
def test_no_account_is_made_for_an_address_that_is_not_theirs_or_is_none(context: Flask, proof: Proof) -> None:
    with chosen(context, oidc_create_accounts=True, oidc_allowed_domains=EVERYBODY):
        refusal(proof)
    assert not accounts.has_users()


def test_only_addresses_of_the_domains_come_in_also_those_that_are_linked(context: Flask) -> None:
    ada = makers.person()
    with chosen(context, oidc_allowed_domains=frozenset({"example.org"})):
        assert admit() == ada.id
        for email in ("ada@elsewhere.example", "ada@sub.example.org", "ada@notexample.org", ""):
            assert "not among those" in refusal(but(email=email))
        assert "not among those" in refusal(but(is_email_verified=False))
        assert admit(but(email="ada@EXAMPLE.org")) == ada.id


def test_only_people_of_the_groups_come_in(context: Flask) -> None:
    ada = makers.person()
    with chosen(context, oidc_groups_claim="groups", oidc_allowed_groups=frozenset({"staff", "board"})):
        assert "not among those" in refusal()
        assert "not among those" in refusal(but(groups=frozenset({"guests"})))
        assert admit(but(groups=frozenset({"guests", "staff"}))) == ada.id


def test_both_must_fit_where_both_are_asked_for(context: Flask) -> None:
    makers.person()
    both = {"oidc_allowed_domains": frozenset({"example.org"}), "oidc_allowed_groups": frozenset({"staff"})}
    with chosen(context, oidc_groups_claim="groups", **both):
        refusal()
        refusal(but(groups=frozenset({"staff"}), email="ada@elsewhere.example"))
        admit(but(groups=frozenset({"staff"})))


def test_a_mapped_group_follows_the_claim_and_every_other_stays(context: Flask) -> None:
    ada = makers.person()
    makers.group("Friends", ada)
    makers.group("Board", ada)
    makers.group("Staff")
    pairs = (("cn=staff,dc=example", "staff"), ("crew", "Staff"), ("board", "Board"), ("x", "Missing"))
    with chosen(context, oidc_groups_claim="groups", oidc_groups=pairs):
        admit(but(groups=frozenset({"cn=staff,dc=example", "Friends"})))
        assert groups_of(ada) == ["Friends", "Staff"]
        admit(but(groups=frozenset({"crew", "board"})))
        assert groups_of(ada) == ["Board", "Friends", "Staff"]
        before = events()
        admit(but(groups=frozenset({"crew", "board"})))
        assert events() == before
        admit()
        assert groups_of(ada) == ["Friends"]
    told = [row.event.action for row in audit.list_events()[0] if row.event.actor_kind == "portal"]
    assert sorted(told) == ["group.joined"] * 2 + ["group.left"] * 3


def test_a_group_of_that_name_is_not_made(context: Flask, caplog: pytest.LogCaptureFixture) -> None:
    makers.person()
    with chosen(context, oidc_groups_claim="groups", oidc_groups=(("x", "Missing"),)):
        admit(but(groups=frozenset({"x"})))
    assert accounts.list_groups() == []
    assert "'Missing', which is not there" in caplog.text


def test_who_is_refused_keeps_their_groups(context: Flask) -> None:
    ada = makers.person()
    makers.group("Staff", ada)
    makers.change(ada, disabled_at=makers.now())
    with chosen(context, oidc_groups_claim="groups", oidc_groups=(("staff", "Staff"),)):
        refusal()
    assert groups_of(ada) == ["Staff"]


def test_of_many_who_come_first_at_once_one_account_is_made(context: Flask) -> None:
    with chosen(context, oidc_create_accounts=True, oidc_allowed_domains=EVERYBODY):
        ids = makers.at_once(context, *[admit] * 6)
    assert len(set(ids)) == 1
    assert events().count("identity.linked") == 1


@POSTGRESQL_ONLY
def test_who_comes_in_by_password_and_provider_at_once_waits_for_nobody_who_waits_for_them(context: Flask) -> None:
    boss = makers.person("Boss", is_admin=True)
    started = start_session(boss.id, network=makers.NETWORK, agent="tests", is_two_factor=True)
    administrator = accounts.find_session(started)
    makers.release()
    assert administrator is not None
    names = ("Staff", "Board", "Crew")
    asking = [makers.group(name).id for name in names]
    for group_id in asking:
        ask_group(administrator, group_id, asks=True)

    def ask_again(group_id: int) -> None:
        for asks in (False, True):
            ask_group(administrator, group_id, asks=asks)

    with chosen(context, oidc_groups_claim="groups", oidc_groups=tuple((name, name) for name in names)):
        for number in range(ROUNDS):
            ada = makers.person(f"Ada {number}")
            proof = but(subject=str(number), email=ada.email, groups=frozenset(names))
            enter = partial(accounts.enter, ada.id, "password", network=makers.NETWORK, agent="")
            ask = [partial(ask_again, group_id) for group_id in asking]
            answers = makers.at_once(context, partial(admit, proof), *[enter] * 4, *ask)
            assert [answer for answer in answers if isinstance(answer, Exception)] == []
            assert groups_of(ada) == sorted(names)


def test_a_person_links_one_account_of_a_provider_and_an_account_one_person(context: Flask) -> None:
    ada, eve = makers.person(), makers.person("Eve")
    accounts.link_identity(makers.actor(ada), ada.id, ADA)
    accounts.link_identity(makers.actor(ada), ada.id, ADA)
    with pytest.raises(Conflict, match="somebody else"):
        accounts.link_identity(makers.actor(eve), eve.id, ADA)
    with pytest.raises(Conflict, match="another account there"):
        accounts.link_identity(makers.actor(ada), ada.id, but(subject="2"))
    assert events().count("identity.linked") == 1


def test_a_link_is_removed_by_its_person_unless_it_is_their_last_way_in(context: Flask) -> None:
    ada = makers.person()
    link = accounts.link_identity(makers.actor(ada), ada.id, ADA)
    with pytest.raises(Conflict, match="could not sign in any more"):
        accounts.unlink_identity(makers.actor(ada), link.id)
    accounts.set_password(None, ada.id, makers.PASSWORD)
    accounts.unlink_identity(makers.actor(ada), link.id)
    assert identities(ada) == []
    assert events()[-1] == "identity.removed"


def test_nobody_removes_the_link_of_somebody_else(context: Flask) -> None:
    ada, eve = makers.person(password=makers.PASSWORD), makers.person("Eve", password=makers.PASSWORD)
    link = accounts.link_identity(makers.actor(ada), ada.id, ADA)
    with pytest.raises(NotFound):
        accounts.unlink_identity(makers.actor(eve), link.id)
    with pytest.raises(NotFound):
        accounts.remove_identity(makers.actor(eve), eve.id, link.id)
    assert len(identities(ada)) == 1


def test_an_administrator_removes_a_link_even_the_last(context: Flask) -> None:
    ada, boss = makers.person(), makers.person("Boss", is_admin=True)
    link = accounts.link_identity(makers.actor(ada), ada.id, ADA)
    accounts.remove_identity(makers.actor(boss), ada.id, link.id)
    assert identities(ada) == []
