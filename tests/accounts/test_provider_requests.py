"""The way to a provider and back: once, within ten minutes, and for what it was begun. On both databases."""

import pytest
from flask import Flask
from sqlalchemy import select

from portal import accounts
from portal.errors import ProviderRequestGone, TooManyTries
from portal.extensions import db
from portal.models import ProviderRequest
from tests import makers


def begin(
    purpose: str = "enter", target: str = "/reports", user_id: int | None = None
) -> accounts.provider_requests.Begun:
    return accounts.begin_request(purpose, target, network=makers.NETWORK, user_id=user_id)


def test_who_comes_back_is_who_was_sent(context: Flask) -> None:
    ada = makers.person()
    begun = begin("prove", user_id=ada.id)
    returned = accounts.spend_request(begun.state)
    assert (returned.purpose, returned.target, returned.user_id) == ("prove", "/reports", ada.id)
    assert (returned.nonce, returned.verifier) == (begun.nonce, begun.verifier)
    assert abs((makers.now() - returned.begun_at).total_seconds()) < 30


def test_the_way_back_is_open_once(context: Flask) -> None:
    begun = begin()
    outcomes = makers.at_once(context, *[lambda: accounts.spend_request(begun.state)] * 4)
    assert sum(isinstance(outcome, ProviderRequestGone) for outcome in outcomes) == 3


def test_the_way_back_is_open_for_ten_minutes(context: Flask) -> None:
    begun = begin()
    row = db.session.scalars(select(ProviderRequest)).one()
    makers.change(row, expires_at=makers.now(seconds=-1))
    with pytest.raises(ProviderRequestGone):
        accounts.spend_request(begun.state)


@pytest.mark.parametrize("state", ["", "x" * 43, "é" * 43, "x" * 10_000, "\0"])
def test_a_made_up_state_opens_nothing(context: Flask, state: str) -> None:
    begin()
    with pytest.raises(ProviderRequestGone):
        accounts.spend_request(state)


def test_no_state_stands_in_the_database(context: Flask) -> None:
    begun = begin()
    row = db.session.scalars(select(ProviderRequest)).one()
    assert begun.state.encode() not in row.state_hash
    assert len({begun.state, begun.nonce, begun.verifier}) == 3


def test_rows_nobody_came_back_for_go_with_the_next(context: Flask) -> None:
    begin()
    row = db.session.scalars(select(ProviderRequest)).one()
    makers.change(row, expires_at=makers.now(seconds=-1))
    begin()
    assert len(db.session.scalars(select(ProviderRequest)).all()) == 1


def test_an_endless_target_leads_home(context: Flask) -> None:
    assert accounts.spend_request(begin(target="/" + "x" * 3000).state).target == "/"


def test_a_network_sends_only_so_many_a_minute(context: Flask) -> None:
    limit = context.config["PORTAL"].unknown_tries
    for _ in range(limit):
        begin()
    with pytest.raises(TooManyTries):
        begin()
    accounts.begin_request("enter", "/", network="10.0.0.0/24")
