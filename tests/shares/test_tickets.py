"""Opening links: looking spends nothing, a reservation spends one, and nothing outlives the right behind it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.accounts import check_password, disable_user, enable_user
from portal.catalog import find_edition, move_document, put_document, remove_grant, restore_document, trash_document
from portal.downloads import open_for_download
from portal.errors import (
    ShareExpired,
    ShareGone,
    ShareNotFound,
    SharePasswordWrong,
    ShareRevoked,
    ShareUsedUp,
    TooManyTries,
)
from portal.extensions import db
from portal.models import (
    PUBLISH,
    AuditEvent,
    Category,
    Document,
    Download,
    Grant,
    ShareLink,
    SignInAttempt,
    Ticket,
    User,
)
from portal.ranges import Span
from portal.settings import Settings
from portal.shares import Terms, change_link, find_ticket, note_opened, open_link, refund, reserve, revoke_link
from portal.shares import tickets as module
from portal.tokens import make_token
from tests import makers
from tests.databases import SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")

NETWORK, ELSEWHERE = "192.0.2.0/24", "198.51.100.0/24"
PASSWORD = "eight or more"
DAY = 86_400


@dataclass
class House:
    """A document, and who publishes it by a grant of their own."""

    shelf: Category
    document: Document
    publisher: User
    grant: Grant


@pytest.fixture
def house(context: Flask) -> House:
    shelf, publisher = makers.category("shelf"), makers.person("Publisher")
    grant = makers.grant(shelf, user=publisher, permission=PUBLISH)
    return House(shelf, makers.document(shelf, content=bytes(60)), publisher, grant)


def look(token: str) -> ShareLink:
    """Look at the page of a link."""
    return open_link(token, NETWORK).link


def take(token: str, password: str | None = None, network: str = NETWORK) -> str:
    """Press the button."""
    return reserve(token, password, network=network, agent="tests")


def fetch(ticket: str, blocks: int = 2) -> None:
    """Fetch with a ticket and let go after asking for so many blocks."""
    found = find_ticket(ticket, NETWORK, "tests")
    assert found is not None
    edition, claim = found
    sending = open_for_download(claim, edition, [Span(0, edition.size)])
    for _ in range(blocks):
        sending.next_block()
    sending.close()


def used(link: ShareLink) -> int:
    """Downloads spent."""
    makers.release()
    return db.session.scalars(select(ShareLink.used).where(ShareLink.id == link.id)).one()


def count(model: type[Ticket | Download | SignInAttempt | AuditEvent]) -> int:
    """Rows of a table."""
    return db.session.scalars(select(func.count()).select_from(model)).one()


def ticket_id(ticket: str) -> int:
    """The id behind a ticket."""
    found = find_ticket(ticket, NETWORK, "tests")
    assert found is not None
    return found[1].ticket_id or 0


@SQLITE_ONLY
def test_looking_spends_nothing(house: House) -> None:
    link, token = makers.link(house.document, by=house.publisher, max_downloads=1)

    for _ in range(3):
        opened = open_link(token, NETWORK)

    assert (opened.author, opened.edition.number, opened.is_open) == ("Publisher", 1, False)
    assert (used(link), count(Ticket), count(Download)) == (0, 0, 0)


@SQLITE_ONLY
def test_a_look_is_noted(house: House) -> None:
    link, _ = makers.link(house.document)
    note_opened(link.id)

    db.session.refresh(link)
    assert link.opened_at is not None


@SQLITE_ONLY
def test_a_link_without_password_and_limit_is_open(house: House) -> None:
    assert open_link(makers.link(house.document)[1], NETWORK).is_open
    assert not open_link(makers.link(house.document, password=PASSWORD)[1], NETWORK).is_open


def test_a_reservation_spends_one_and_gives_a_ticket(house: House) -> None:
    link, token = makers.link(house.document, max_downloads=2)

    ticket = take(token)

    found = find_ticket(ticket, NETWORK, "tests")
    assert found is not None
    edition, claim = found
    assert (edition.document_id, claim.link_id, claim.user_id) == (house.document.id, link.id, None)
    assert claim.key == f"t:{claim.ticket_id}"
    assert used(link) == 1
    event = db.session.scalars(select(AuditEvent).where(AuditEvent.action == "share.used")).one()
    assert (event.actor_kind, event.network, event.object_id) == ("link", NETWORK, link.id)


STATES = [("expires_at", ShareExpired), ("used", ShareUsedUp), ("revoked_at", ShareRevoked)]


@SQLITE_ONLY
@pytest.mark.parametrize(("column", "refusal"), STATES)
def test_a_link_that_is_closed_says_why(house: House, column: str, refusal: type[ShareGone]) -> None:
    link, token = makers.link(house.document, max_downloads=1)
    makers.change(link, **{column: 1 if column == "used" else makers.now()})

    for attempt in (look, take):
        with pytest.raises(refusal) as refused:
            attempt(token)
        assert type(refused.value) is refusal
        assert refused.value.status == 410
    assert count(Ticket) == 0


@SQLITE_ONLY
def test_a_link_closed_twice_says_who_closed_it(house: House) -> None:
    _, token = makers.link(house.document, revoked_at=makers.now(), expires_at=makers.now())
    trash_document(None, house.document.id)

    with pytest.raises(ShareRevoked):
        look(token)


def make_draft(house: House) -> None:
    makers.change(house.document, published_at=None)


def schedule(house: House) -> None:
    makers.change(house.document, published_at=makers.now(hours=1))


def let_expire(house: House) -> None:
    makers.change(house.document, expires_at=makers.now())


def trash(house: House) -> None:
    trash_document(None, house.document.id)


PUBLICATION: list[Callable[[House], None]] = [make_draft, schedule, let_expire, trash]


def disable(house: House) -> None:
    disable_user(None, house.publisher.id)


def take_right(house: House) -> None:
    remove_grant(None, house.grant.id)


def let_right_expire(house: House) -> None:
    makers.change(house.grant, expires_at=makers.now())


def move_to_stricter(house: House) -> None:
    move_document(None, house.document.id, makers.category("strict").id)


def seal(house: House) -> None:
    inner = makers.category("shelf/sealed", is_sealed=True)
    move_document(None, house.document.id, inner.id)


RIGHTS: list[Callable[[House], None]] = [disable, take_right, let_right_expire, move_to_stricter, seal]


@SQLITE_ONLY
@pytest.mark.parametrize("event", PUBLICATION + RIGHTS)
def test_a_link_never_outlives_what_is_behind_it(house: House, event: Callable[[House], None]) -> None:
    link, token = makers.link(house.document, by=house.publisher)
    ticket = take(token)

    event(house)

    for attempt in (look, take, ticket_id):
        with pytest.raises(ShareGone, match="no longer published"):
            attempt(ticket if attempt is ticket_id else token)
    assert used(link) == 1


@SQLITE_ONLY
@pytest.mark.parametrize("event", PUBLICATION)
def test_the_link_of_an_operator_is_closed_with_its_document(house: House, event: Callable[[House], None]) -> None:
    _, token = makers.link(house.document)

    event(house)

    with pytest.raises(ShareGone):
        look(token)


@SQLITE_ONLY
def test_the_link_of_an_operator_follows_the_document(house: House) -> None:
    _, token = makers.link(house.document)

    move_to_stricter(house)

    assert look(token).document_id == house.document.id


@SQLITE_ONLY
def test_a_link_works_again_when_everything_is_as_it_was(house: House) -> None:
    _, token = makers.link(house.document, by=house.publisher)
    disable(house)
    trash(house)
    enable_user(None, house.publisher.id)
    restore_document(None, house.document.id)

    assert look(token).document_id == house.document.id


@SQLITE_ONLY
def test_the_link_of_an_administrator_lives_without_a_grant(house: House) -> None:
    _, token = makers.link(house.document, by=makers.person("Root", is_admin=True))

    assert look(token).document_id == house.document.id


@SQLITE_ONLY
def test_a_link_leads_to_the_current_version_and_a_ticket_to_the_one_it_was_for(house: House) -> None:
    _, token = makers.link(house.document)
    ticket = take(token)
    put_document(None, house.shelf.id, "report.pdf", makers.content_of(b"%PDF second"))

    found = find_ticket(ticket, NETWORK, "tests")
    assert found is not None
    assert (open_link(token, NETWORK).edition.number, found[0].number) == (2, 1)


def test_a_pinned_link_stays_with_its_version(house: House) -> None:
    first = makers.edition(house.document)
    _, token = makers.link(house.document, version_id=first.version_id)
    put_document(None, house.shelf.id, "report.pdf", makers.content_of(b"%PDF second"))

    found = find_ticket(take(token), NETWORK, "tests")
    assert found is not None
    assert (open_link(token, NETWORK).edition.number, found[0].number) == (1, 1)


@SQLITE_ONLY
def test_a_token_that_never_was_is_not_found(house: House) -> None:
    for token in (make_token(), "x", "", "\x00", "\ud800"):
        with pytest.raises(ShareNotFound):
            look(token)
        with pytest.raises(ShareNotFound):
            take(token)
        assert find_ticket(token, NETWORK, "tests") is None


def test_unknown_tokens_are_counted_per_network(house: House, context: Flask, settings: Settings) -> None:
    context.config["PORTAL"] = replace(settings, unknown_tries=4)
    _, token = makers.link(house.document)
    for attempt in (look, take):
        with pytest.raises(ShareNotFound):
            attempt(make_token())
    for _ in range(2):
        assert find_ticket(make_token(), NETWORK, "tests") is None

    refused: list[Callable[[str], object]] = [look, take, ticket_id]
    for ask in refused:
        with pytest.raises(TooManyTries):
            ask(make_token())
    assert find_ticket(make_token(), ELSEWHERE, "tests") is None
    assert look(token).document_id == house.document.id


def test_the_sixth_wrong_password_waits_even_when_it_is_right(house: House) -> None:
    link, token = makers.link(house.document, password=PASSWORD)
    for _ in range(5):
        with pytest.raises(SharePasswordWrong):
            take(token, "wrong password")

    for password in ("wrong password", PASSWORD):
        with pytest.raises(TooManyTries) as refused:
            take(token, password)
        assert refused.value.retry_after == 900
    assert take(token, PASSWORD, ELSEWHERE)
    assert used(link) == 1


@SQLITE_ONLY
def test_a_right_password_costs_no_try(house: House) -> None:
    _, token = makers.link(house.document, password=PASSWORD)
    for _ in range(7):
        take(token, PASSWORD)

    assert count(SignInAttempt) == 0


@SQLITE_ONLY
def test_wrong_passwords_are_forgotten_after_a_quarter_of_an_hour(house: House) -> None:
    _, token = makers.link(house.document, password=PASSWORD)
    for _ in range(5):
        with pytest.raises(SharePasswordWrong):
            take(token, "wrong password")
    for attempt in db.session.scalars(select(SignInAttempt)).all():
        makers.change(attempt, at=makers.now(seconds=-901))

    assert take(token, PASSWORD)


@SQLITE_ONLY
def test_a_wrong_password_opens_nothing(house: House) -> None:
    for password in (None, "", "EIGHT OR MORE", f"{PASSWORD} ", "x" * 2000, "\ud800"):
        link, token = makers.link(house.document, password=PASSWORD)

        with pytest.raises(SharePasswordWrong):
            take(token, password)
        assert (used(link), count(Ticket)) == (0, 0)


@SQLITE_ONLY
def test_a_password_of_a_link_that_has_none_is_not_looked_at(house: House) -> None:
    assert take(makers.link(house.document)[1], "whatever it is")


@SQLITE_ONLY
def test_a_throttled_link_leaves_others_alone(house: House) -> None:
    _, one = makers.link(house.document, password=PASSWORD)
    _, other = makers.link(house.document, password=PASSWORD)
    for _ in range(5):
        with pytest.raises(SharePasswordWrong):
            take(one, "wrong password")

    assert take(other, PASSWORD)


def test_no_connection_is_held_while_a_password_is_hashed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    _, token = makers.link(house.document, password=PASSWORD)
    held: list[int] = []

    def look_at_the_pool(stored: str | None, password: str) -> bool:
        held.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]
        return check_password(stored, password)

    monkeypatch.setattr(module, "check_password", look_at_the_pool)
    take(token, PASSWORD)

    assert held == [0]


def test_fifty_who_press_the_button_at_once_get_what_the_limit_allows(house: House, context: Flask) -> None:
    for limit in (1, 3):
        link, token = makers.link(house.document, max_downloads=limit)

        outcomes = makers.at_once(context, *[lambda token=token: take(token)] * 50)

        assert sum(isinstance(outcome, str) for outcome in outcomes) == limit
        assert sum(isinstance(outcome, ShareUsedUp) for outcome in outcomes) == 50 - limit
        assert used(link) == limit


def test_fifty_who_press_while_the_limit_is_lowered_never_get_more(house: House, context: Flask) -> None:
    link, token = makers.link(house.document, max_downloads=30)
    link_id = link.id

    outcomes = makers.at_once(
        context,
        *[lambda: take(token)] * 20,
        lambda: str(change_link(None, link_id, Terms(max_downloads=1)).max_downloads),
        *[lambda: take(token)] * 20,
    )

    db.session.refresh(link)
    assert all(isinstance(outcome, (str, ShareUsedUp)) for outcome in outcomes), outcomes
    tickets = sum(isinstance(outcome, str) for outcome in outcomes) - 1
    assert link.used == tickets == link.max_downloads


@SQLITE_ONLY
def test_a_revoked_link_ends_its_tickets_at_once(house: House) -> None:
    link, token = makers.link(house.document)
    ticket = take(token)

    revoke_link(None, link.id)

    with pytest.raises(ShareRevoked):
        find_ticket(ticket, NETWORK, "tests")


@SQLITE_ONLY
def test_a_ticket_outlives_the_expiry_and_the_limit_of_its_link(house: House) -> None:
    link, token = makers.link(house.document, max_downloads=1)
    ticket = take(token)
    makers.change(link, expires_at=makers.now())

    assert ticket_id(ticket)


def test_a_ticket_lasts_a_day(house: House) -> None:
    ticket = take(makers.link(house.document)[1])
    row = db.session.scalars(select(Ticket)).one()
    assert makers.now(seconds=DAY - 60) < row.expires_at <= makers.now(seconds=DAY)

    makers.change(row, expires_at=makers.now())

    with pytest.raises(ShareExpired, match="again"):
        find_ticket(ticket, NETWORK, "tests")


@SQLITE_ONLY
def test_a_ticket_resumes_from_another_network(house: House) -> None:
    ticket = take(makers.link(house.document)[1])
    fetch(ticket, 1)

    found = find_ticket(ticket, ELSEWHERE, "another program")
    assert found is not None
    sending = open_for_download(found[1], found[0], [Span(0, 60)])
    while sending.next_block():
        pass
    sending.close()
    assert [row.state for row in db.session.scalars(select(Download))] == ["completed"]


def test_a_download_that_sent_nothing_is_refunded_once(house: House) -> None:
    link, token = makers.link(house.document, max_downloads=1)
    ticket = take(token)
    ticket_number = ticket_id(ticket)

    assert [refund(ticket_number), refund(ticket_number)] == [True, False]

    assert used(link) == 0
    with pytest.raises(ShareExpired):
        find_ticket(ticket, NETWORK, "tests")
    assert take(token)


@SQLITE_ONLY
def test_a_download_whose_first_block_was_refused_is_refunded(house: House) -> None:
    link, token = makers.link(house.document, max_downloads=1)
    ticket = take(token)
    fetch(ticket, 1)

    assert refund(ticket_id(ticket))
    assert used(link) == 0


@SQLITE_ONLY
def test_a_download_that_sent_bytes_is_not_refunded(house: House) -> None:
    link, token = makers.link(house.document, max_downloads=1)
    ticket = take(token)
    fetch(ticket)

    assert not refund(ticket_id(ticket))
    assert used(link) == 1


@SQLITE_ONLY
@pytest.mark.parametrize("state", ["started", "interrupted"])
def test_a_download_that_may_have_sent_bytes_is_not_refunded(house: House, state: str) -> None:
    link, token = makers.link(house.document, max_downloads=1)
    ticket = take(token)
    fetch(ticket, 1)
    makers.change(db.session.scalars(select(Download)).one(), state=state, bytes_sent=0)

    assert not refund(ticket_id(ticket))
    assert used(link) == 1


def test_twenty_refunds_at_once_are_one(house: House, context: Flask) -> None:
    link, token = makers.link(house.document, max_downloads=3)
    numbers = [ticket_id(take(token)) for _ in range(3)]

    outcomes = makers.at_once(context, *[lambda: refund(numbers[0])] * 20)

    assert outcomes.count(True) == 1
    assert outcomes.count(False) == 19
    assert used(link) == 2


def test_a_ticket_is_given_back_or_used_and_never_both(house: House, context: Flask) -> None:
    for _ in range(8):
        link, token = makers.link(house.document, max_downloads=1)
        ticket = take(token)
        number = ticket_id(ticket)
        makers.release()

        given_back, *fetched = makers.at_once(context, partial(refund, number), *[partial(fetch, ticket)] * 3)

        refusals = [outcome for outcome in fetched if isinstance(outcome, ShareExpired)]
        # Used, it is one download: who comes when it has been sent twice gets no more of it.
        assert len(refusals) == 3 if given_back is True else len(refusals) <= 1, (given_back, fetched)
        assert used(link) == (0 if given_back is True else 1)


@SQLITE_ONLY
def test_a_ticket_that_never_was_is_not_refunded() -> None:
    assert not refund(4711)


@SQLITE_ONLY
def test_an_edition_without_a_document_is_nothing(house: House) -> None:
    other = makers.edition(makers.document(makers.category("other"), content=b"%PDF other"))

    assert find_edition(house.document.id, other.version_id) is None
