"""Share links: made, changed, closed and listed; the token is nowhere but in the hand it was given to."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import MetaData, select

from portal.actors import Actor
from portal.catalog import trash_document
from portal.errors import BadInput, Conflict, DocumentNotFound, Forbidden, PortalError, ShareNotFound
from portal.extensions import db
from portal.models import PUBLISH, READ, AuditEvent, Category, Document, ShareLink, User
from portal.shares import (
    Terms,
    add_link,
    change_link,
    count_links,
    find_link,
    get_row,
    list_links,
    reserve,
    revoke_link,
    state_of,
)
from portal.tokens import is_token, make_token, token_hash
from tests import makers
from tests.databases import SQLITE_ONLY, connected

pytestmark = pytest.mark.usefixtures("context")

PASSWORD = "eight or more"


@dataclass
class House:
    """A document on a shelf, its publisher, and a reader of it."""

    shelf: Category
    document: Document
    publisher: Actor
    reader: Actor


@pytest.fixture
def house(context: Flask) -> House:
    shelf = makers.category("shelf")
    publisher, reader = makers.person("Publisher"), makers.person("Reader")
    makers.grant(shelf, user=publisher, permission=PUBLISH)
    makers.grant(shelf, user=reader)
    return House(shelf, makers.document(shelf), makers.actor(publisher), makers.actor(reader))


def spend(token: str, times: int = 1) -> None:
    """Reserve so many downloads."""
    for _ in range(times):
        reserve(token, None, network="n", agent="a")


def everything_stored(database: str) -> str:
    """Every value of every row of every table, as text; bytes in hex."""
    with connected(database) as connection:
        metadata = MetaData()
        metadata.reflect(connection)
        rows = [row for table in metadata.tables.values() for row in connection.execute(select(table))]
    return "\n".join(value.hex() if isinstance(value, bytes) else str(value) for row in rows for value in row)


def test_a_token_is_given_once_and_stored_nowhere(house: House, database: str) -> None:
    link, token = add_link(house.publisher, house.document.id, Terms("For Ada"), password=PASSWORD)
    ticket = reserve(token, PASSWORD, network="n", agent="a")

    assert is_token(token)
    stored = everything_stored(database)
    for secret in (token, ticket, PASSWORD):
        assert secret not in stored
        assert secret[:8] not in stored
    assert token_hash("share", token).hex() in stored
    assert link.token_hint == token[:6]


@SQLITE_ONLY
def test_a_token_is_in_no_byte_of_the_database_file(house: House, database: str) -> None:
    _, token = add_link(house.publisher, house.document.id, Terms(), password=PASSWORD)
    ticket = reserve(token, PASSWORD, network="n", agent="a")

    file = Path(database.removeprefix("sqlite:///"))
    content = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
    assert token_hash("share", token) in content
    for secret in (token, ticket, PASSWORD):
        assert secret.encode() not in content


@SQLITE_ONLY
def test_a_link_is_found_by_its_token_only(house: House) -> None:
    link, token = makers.link(house.document)

    found = find_link(token)
    assert found is not None
    assert found.id == link.id
    for wrong in ("", token[:-1], token + "x", token.swapcase(), make_token(), "\x00" * 43, "\ud800", f"{token}\n"):
        assert find_link(wrong) is None


@SQLITE_ONLY
def test_a_token_of_one_kind_opens_nothing_of_another(house: House) -> None:
    _, token = makers.link(house.document)
    ticket = reserve(token, None, network="n", agent="a")

    assert find_link(ticket) is None


@SQLITE_ONLY
@pytest.mark.parametrize(("level", "refusal"), [(None, DocumentNotFound), (READ, Forbidden)])
def test_whoever_may_not_publish_makes_no_link(house: House, level: int | None, refusal: type[PortalError]) -> None:
    user = makers.person()
    if level:
        makers.grant(house.shelf, user=user, permission=level)

    with pytest.raises(refusal) as refused:
        add_link(makers.actor(user), house.document.id, Terms())
    assert type(refused.value) is refusal


@SQLITE_ONLY
def test_what_is_in_the_trash_gets_no_link(house: House) -> None:
    trash_document(None, house.document.id)

    with pytest.raises(DocumentNotFound):
        add_link(None, house.document.id, Terms())


@SQLITE_ONLY
def test_the_link_of_an_operator_has_no_author(house: House) -> None:
    link, _ = makers.link(house.document)

    assert link.created_by_id is None
    assert get_row(house.publisher, link.id).link.id == link.id


IMPOSSIBLE = (
    *(Terms(label=label) for label in ("x" * 201, "a\x00b", "\u202eevil", "\ud800")),
    *(Terms(message=message) for message in ("x" * 10_001, "a\x00b")),
    *(Terms(max_downloads=limit) for limit in (0, -1, 1_000_001)),
)


@SQLITE_ONLY
def test_terms_that_cannot_be_are_refused(house: House) -> None:
    link, _ = makers.link(house.document)

    for terms in IMPOSSIBLE:
        with pytest.raises(BadInput) as refused:
            add_link(None, house.document.id, terms)
        assert refused.value.sentence.endswith(".")
        with pytest.raises(BadInput):
            change_link(None, link.id, terms)


@SQLITE_ONLY
def test_a_password_that_cannot_be_is_refused(house: House) -> None:
    for password, reason in (("seven..", "at least 8 characters"), ("x" * 1025, "at most 1,024 characters")):
        with pytest.raises(BadInput, match=reason):
            add_link(None, house.document.id, Terms(), password=password)


def test_a_link_must_expire_in_the_future(house: House) -> None:
    for moment in (makers.now(), makers.now(seconds=-1), makers.now(days=-1000)):
        with pytest.raises(BadInput, match="future"):
            add_link(None, house.document.id, Terms(expires_at=moment))
    assert add_link(None, house.document.id, Terms(expires_at=makers.now(minutes=1)))[0].expires_at is not None


@SQLITE_ONLY
def test_an_expired_link_may_be_relabelled_without_a_new_date(house: House) -> None:
    over = makers.now(hours=-1)
    link, _ = makers.link(house.document, expires_at=over)

    assert change_link(None, link.id, Terms(label="old", expires_at=over)).label == "old"
    with pytest.raises(BadInput, match="future"):
        change_link(None, link.id, Terms(expires_at=over + timedelta(seconds=1)))
    assert change_link(None, link.id, Terms(expires_at=None)).expires_at is None


def test_a_limit_below_what_is_used_becomes_what_is_used(house: House) -> None:
    link, token = makers.link(house.document, max_downloads=5)
    spend(token, 3)

    lowered = change_link(None, link.id, Terms(max_downloads=1))
    assert (lowered.max_downloads, lowered.used, state_of(lowered, makers.now())) == (3, 3, "used up")
    raised = change_link(None, link.id, Terms(max_downloads=4))
    assert (raised.max_downloads, state_of(raised, makers.now())) == (4, "live")
    spend(token)
    assert change_link(None, link.id, Terms()).max_downloads is None


@SQLITE_ONLY
def test_a_password_is_kept_changed_and_dropped(house: House) -> None:
    link, _ = makers.link(house.document, password=PASSWORD)
    first = link.password_hash

    assert change_link(None, link.id, Terms(label="x")).password_hash == first
    second = change_link(None, link.id, Terms(), password="another password").password_hash
    assert second not in (first, None)
    assert change_link(None, link.id, Terms(), drop_password=True).password_hash is None


@SQLITE_ONLY
def test_only_publishers_change_a_link(house: House) -> None:
    link, _ = makers.link(house.document)

    for actor in (house.reader, makers.actor(makers.person("Stranger"))):
        for attempt in (
            lambda who=actor: change_link(who, link.id, Terms()),
            lambda who=actor: revoke_link(who, link.id),
            lambda who=actor: get_row(who, link.id),
        ):
            with pytest.raises(ShareNotFound):
                attempt()
    with pytest.raises(ShareNotFound):
        revoke_link(house.publisher, 4711)
    revoke_link(house.publisher, link.id)


@SQLITE_ONLY
def test_revoking_twice_is_written_down_once(house: House) -> None:
    link, _ = makers.link(house.document)
    revoke_link(None, link.id)
    db.session.refresh(link)
    first = link.revoked_at

    revoke_link(None, link.id)

    db.session.refresh(link)
    assert link.revoked_at == first
    actions = list(db.session.scalars(select(AuditEvent.action)))
    assert actions.count("share.revoked") == 1


def test_a_revoked_link_cannot_be_changed_by_anybody(house: House) -> None:
    link, _ = makers.link(house.document)
    revoke_link(None, link.id)

    with pytest.raises(Conflict, match="revoked for good"):
        change_link(None, link.id, Terms(label="new"))

    db.session.refresh(link)
    assert link.label == ""


def links_in_every_state(house: House) -> dict[str, ShareLink]:
    """One link in each state, by its label."""
    soon, over = makers.now(days=2), makers.now(seconds=-1)
    states: dict[str, dict[str, object]] = {
        "live": {"used": 1},
        "unused": {},
        "soon": {"expires_at": soon, "used": 1},
        "later": {"expires_at": makers.now(days=30), "max_downloads": 2, "used": 1},
        "expired": {"expires_at": over},
        "used up": {"max_downloads": 1, "used": 1},
        "revoked": {"revoked_at": over, "expires_at": over, "max_downloads": 1, "used": 1},
    }
    made = {label: makers.link(house.document, label=label)[0] for label in states}
    for label, link in made.items():
        makers.change(link, **states[label])
    return made


def test_each_link_is_listed_with_its_state(house: House) -> None:
    made = links_in_every_state(house)

    rows, after = list_links(house.publisher)

    assert after is None
    assert [row.link.id for row in rows] == sorted((link.id for link in made.values()), reverse=True)
    assert {row.link.label: row.state for row in rows} == {
        **{"live": "live", "unused": "live", "soon": "soon", "later": "live"},
        **{"expired": "expired", "used up": "used up", "revoked": "revoked"},
    }


def test_a_list_is_narrowed_to_a_state_and_counted_alike(house: House) -> None:
    links_in_every_state(house)

    wanted = {
        "live": {"live", "unused", "soon", "later"},
        "soon": {"soon"},
        "unused": {"unused"},
        "closed": {"expired", "used up", "revoked"},
    }
    found = {state: {row.link.label for row in list_links(house.publisher, state=state)[0]} for state in wanted}
    assert found == wanted
    assert count_links(house.publisher) == {"all": 7, **{state: len(labels) for state, labels in wanted.items()}}


@SQLITE_ONLY
def test_links_are_listed_for_publishers_of_their_documents(house: House) -> None:
    makers.link(house.document)
    makers.link(makers.document(makers.category("other")))

    assert len(list_links(house.publisher)[0]) == 1
    assert list_links(house.reader) == ([], None)
    assert count_links(house.reader)["all"] == 0
    administrator = makers.actor(makers.person("Root", is_admin=True))
    assert len(list_links(administrator)[0]) == 2
    assert len(list_links(administrator, document_id=house.document.id)[0]) == 1


@SQLITE_ONLY
def test_pages_of_links_hold_each_once(house: House) -> None:
    made = [makers.link(house.document)[0].id for _ in range(5)]
    seen: list[int] = []
    after = None
    while True:
        rows, after = list_links(house.publisher, after=after, limit=2)
        seen += [row.link.id for row in rows]
        if after is None:
            break

    assert seen == sorted(made, reverse=True)


@SQLITE_ONLY
def test_a_row_names_document_and_author(house: House) -> None:
    publisher = db.session.get_one(User, house.publisher.user_id)
    makers.link(house.document, by=publisher)

    (row,) = list_links(house.publisher)[0]
    assert (row.title, row.author) == ("report", "Publisher")


@SQLITE_ONLY
def test_the_moment_of_expiry_is_over(house: House) -> None:
    link, _ = makers.link(house.document, expires_at=makers.now(hours=1))

    assert link.expires_at is not None
    assert state_of(link, link.expires_at) == "expired"
    assert state_of(link, link.expires_at - timedelta(microseconds=1)) == "soon"
