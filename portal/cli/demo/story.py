"""How the demonstration comes about: by the portal's own verbs; only moments are moved into the past afterwards."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import func, select, update

from portal import accounts, catalog, downloads, shares, uploads
from portal.actors import Actor
from portal.catalog import Edition, Facts, Principal, saved
from portal.cli.demo.library import (
    ALL,
    FIELDS,
    FOLLOWS,
    GRANTS,
    KENJI,
    LEILA,
    PEOPLE,
    PUBLISHERS,
    SEARCHES,
    TOMAS,
    Paper,
    Person,
    first_editions,
    second_editions,
)
from portal.cli.demo.names import BAKERY, INSTRUMENTS
from portal.cli.inputs import get_document, get_group, get_user
from portal.downloads import Claim
from portal.extensions import db, transaction
from portal.models import Document, Download, SavedSearch, ShareLink, User, Version, db_now
from portal.ranges import Span
from portal.shares import Terms

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CLIENT_NETWORK, BANK_NETWORK = "198.51.100.0/24", "203.0.113.0/24"
"""Networks that exist in documentation only (RFC 5737)."""
LAST_VISIT = 5
"""Days since the people were last here: what came after is new for them."""
WORDS = (
    "amber apple arrow autumn basil birch bridge candle canyon carpet cedar cherry cinder clover cobalt copper coral "
    "cotton crystal dahlia ember falcon feather fern fiddle flannel garnet ginger glacier granite hazel heron honey "
    "indigo island ivory jasmine juniper kettle lagoon lantern laurel lemon linen maple marble meadow mosaic nutmeg "
    "olive orchard otter paper pebble pepper plum poppy quartz raven ribbon river saddle saffron sparrow spruce "
    "summer thistle timber tulip umber velvet violet walnut willow winter"
)

Thing = TypeVar("Thing")


@dataclass
class Notes:
    """What is printed at every start: who can sign in with what, and which links there are."""

    people: list[dict[str, str]] = field(default_factory=list)
    links: list[dict[str, str]] = field(default_factory=list)


def tell() -> Notes:
    """Fill an empty installation, inside its application context."""
    notes = Notes()
    today = _ago(0).date()
    for person in PEOPLE:
        _add_person(person, notes)
    _add_grants()
    for path, name, kind, choices in FIELDS:
        catalog.add_field(None, catalog.ensure_category(None, path).id, name, kind, choices)
    for paper in first_editions(today):
        _put(paper)
    _let_readers_read(today.year - 1)
    for paper in second_editions(today):
        _put(paper)
    _add_links(notes, today.year - 1)
    _keep_an_eye()
    _leave()
    return notes


def passphrase() -> str:
    """Four words that are easy to type; good enough for what everybody may see."""
    return "-".join(secrets.SystemRandom().sample(WORDS.split(), 4))


def _add_person(person: Person, notes: Notes) -> None:
    password = passphrase() if person.has_password else None
    user = accounts.add_user(None, person.email, person.name, password, is_admin=person.is_admin)
    for name in person.groups:
        group = accounts.find_group(name) or accounts.add_group(None, name)
        accounts.join_group(None, group.id, user.id)
    if password is not None:
        notes.people.append({"name": person.name, "role": person.role, "email": person.email, "password": password})


def _add_grants() -> None:
    for path, group_name, permission in GRANTS:
        category = catalog.ensure_category(None, path)
        everyone = Principal(is_everyone=True)
        principal = Principal(group_id=get_group(group_name).id) if group_name else everyone
        catalog.add_grant(None, category.id, principal, permission)


def _put(paper: Paper) -> None:
    """Upload one edition as the person who looks after that shelf, then date it back."""
    category = catalog.ensure_category(None, paper.shelf)
    publisher = _actor(PUBLISHERS[paper.shelf.partition("/")[0]])
    moment = _ago(paper.age or 0)
    asked = {field.name: field.id for field in catalog.list_fields(category)}
    facts = Facts(
        paper.title,
        paper.description,
        paper.note,
        is_draft=paper.age is None,
        published_at=moment,
        responsible_id=publisher.user_id,
        tags=paper.tags,
        fields={asked[name]: value for name, value in paper.fields.items()},
    )
    incoming = uploads.receive()
    incoming.write(paper.content)
    arrival = uploads.arrive(incoming, paper.filename, facts=facts)
    outcome = uploads.store_documents(publisher, category.id, [arrival])[0]
    _date_back(outcome.document_id, outcome.number, min(moment, _ago(0)))


def _date_back(document_id: int, number: int, moment: datetime) -> None:
    edition = (Version.document_id == document_id, Version.number == number)
    with transaction() as session:
        session.execute(update(Version).where(*edition).values(created_at=moment))
        if number == 1:
            session.execute(update(Document).where(Document.id == document_id).values(created_at=moment))


def _let_readers_read(year: int) -> None:
    bakery, instruments, circulars = f"{BAKERY}/", f"{INSTRUMENTS}/", f"{ALL}/Circulars/"
    reads = (
        (LEILA, f"{bakery}Annual accounts/annual-accounts-{year}.pdf", 39),
        (LEILA, f"{bakery}Annual accounts/trial-balance-{year}.csv", 39),
        (LEILA, f"{bakery}Tax/tax-computation-{year}.pdf", 36),
        (LEILA, f"{bakery}Letters/engagement-letter.pdf", 318),
        (LEILA, f"{circulars}electronic-invoices.pdf", 70),
        (KENJI, f"{instruments}Annual accounts/annual-accounts-{year}.pdf", 54),
        (KENJI, f"{instruments}Annual accounts/stock-count-{year}.csv", 54),
        (KENJI, f"{circulars}electronic-invoices.pdf", 73),
    )
    # A ledger is read in the order of its ids: what is dated back furthest comes first.
    for person, path, age in sorted(reads, key=lambda read: read[2], reverse=True):
        _send(_claim(person), _edition(path), age)
    _send(_claim(LEILA), _edition(f"{bakery}Annual accounts/takings-by-month.png"), 18, is_cut=True)


def _add_links(notes: Notes, year: int) -> None:
    accounts_path = f"{BAKERY}/Annual accounts/annual-accounts-{year}.pdf"
    bank = Terms("Farah Siddiqui, Northbank", "The accounts you asked for.", _ago(-14), max_downloads=5)
    _, token = _add_link(accounts_path, bank)
    _download_by(token)
    notes.links.append({"about": "A link to the annual accounts", "token": token, "password": ""})
    password = passphrase()
    landlord = Terms("Omar Castellanos, landlord", "", _ago(-30))
    _, token = _add_link(f"{BAKERY}/Letters/second-shop-lease.pdf", landlord, password)
    notes.links.append({"about": "A link with a password", "token": token, "password": password})
    earlier = Terms("Farah Siddiqui, Northbank", "", _ago(-7))
    expired, _ = _add_link(f"{BAKERY}/Annual accounts/trial-balance-{year}.csv", earlier)
    with transaction() as session:
        moments = {"created_at": _ago(40), "expires_at": _ago(26)}
        session.execute(update(ShareLink).where(ShareLink.id == expired.id).values(moments))


def _add_link(path: str, terms: Terms, password: str | None = None) -> tuple[ShareLink, str]:
    return shares.add_link(_actor(TOMAS), get_document(path).id, terms, password=password)


def _download_by(token: str) -> None:
    """Somebody at the bank opens the link and downloads."""
    ticket = shares.reserve(token, None, network=BANK_NETWORK, agent=AGENT)
    edition, claim = _found(shares.find_ticket(ticket, BANK_NETWORK, AGENT))
    _send(claim, edition, age=1)


def _send(claim: Claim, edition: Edition, age: int, *, is_cut: bool = False) -> None:
    """One download through the one door to bytes, dated back; a cut one gets nothing."""
    sending = downloads.open_for_download(claim, edition, [Span(0, edition.size)])
    while not is_cut and sending.next_block() is not None:
        pass
    sending.close()
    newest = select(func.max(Download.id)).where(Download.actor_key == claim.key).scalar_subquery()
    with transaction() as session:
        moments = {"started_at": _ago(age), "active_at": _ago(age), "closed_at": _ago(age)}
        session.execute(update(Download).where(Download.id == newest).values(moments))


def _keep_an_eye() -> None:
    """What people look for again and again, and the categories they follow."""
    for person, name, query, wants_notice in SEARCHES:
        saved.add_search(_actor(person), name, query, wants_notice=wants_notice)
    for person, path in FOLLOWS:
        catalog.follow(_actor(person), catalog.ensure_category(None, path).id)


def _leave() -> None:
    with transaction() as session:
        session.execute(update(SavedSearch).values(looked_at=_ago(LAST_VISIT), told_at=_ago(LAST_VISIT)))
        moments = {"seen_at": _ago(LAST_VISIT), "visited_at": _ago(LAST_VISIT)}
        session.execute(update(User).where(User.password_hash.is_not(None)).values(moments))


def _actor(person: Person) -> Actor:
    return accounts.actor_of(get_user(person.email))


def _claim(person: Person) -> Claim:
    actor = _actor(person)
    return Claim(actor.key, user_id=actor.user_id, network=CLIENT_NETWORK, agent=AGENT)


def _edition(path: str) -> Edition:
    return _found(catalog.find_edition(get_document(path).id, None))


def _found(thing: Thing | None) -> Thing:
    if thing is None:
        raise LookupError("a part of the demonstration is missing")
    return thing


def _ago(days: int) -> datetime:
    """A moment so many days before now, by the database's clock."""
    return db.session.scalars(select(db_now())).one() - timedelta(days=days)
