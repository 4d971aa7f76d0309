"""Opening a link: looking spends nothing, a reservation spends one download and hands out a ticket that resumes."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import insert, literal, or_, select, update

from portal import access, audit
from portal.accounts import check_password, one_try, record_try
from portal.actors import Actor
from portal.catalog import Edition, find_edition
from portal.downloads import TICKET_OVER, Claim, require_released
from portal.errors import (
    ShareExpired,
    ShareGone,
    ShareNotFound,
    SharePasswordWrong,
    ShareRevoked,
    ShareUsedUp,
)
from portal.extensions import db, release_connection, settings, transaction
from portal.models import Document, Download, ShareLink, Ticket, User, db_later, db_now
from portal.shares.links import find_link, is_live, state_of
from portal.tokens import is_token, make_token, token_hash

PURPOSE = "ticket"
LIFETIME_SECONDS = 24 * 3600
QUARTER = 15 * 60
MINUTE = 60


@dataclass(frozen=True)
class Opened:
    """A live link and what it leads to now."""

    link: ShareLink
    edition: Edition
    author: str | None

    @property
    def is_open(self) -> bool:
        """Whether there is no password and no limit, so that a plain GET by a program may have the bytes."""
        return self.link.password_hash is None and self.link.max_downloads is None


def open_link(token: str, network: str) -> Opened:
    """The live link of a token, without spending anything.

    Raises ShareNotFound for a token that never was (and counts it against the network: TooManyTries), and ShareRevoked,
    ShareExpired, ShareUsedUp or ShareGone for one that was.
    """
    link = find_link(token)
    if link is None:
        _count_unknown(network)
        raise ShareNotFound
    _require_state(link)
    return _open(link)


def note_opened(link_id: int) -> None:
    """Somebody looked at the page of a link."""
    with transaction() as session:
        session.execute(update(ShareLink).where(ShareLink.id == link_id).values(opened_at=db_now()))


def reserve(token: str, password: str | None, *, network: str, agent: str) -> str:
    """Spend one download of a link and give the token of a ticket for it, all in one transaction.

    The limit is one conditional UPDATE: whatever the number of clients and processes, it is never exceeded. Raises
    like ``open_link``, SharePasswordWrong, TooManyTries after too many wrong passwords, and ContentHeld and
    ContentQuarantined, with nothing spent.
    """
    opened = open_link(token, network)
    _require_password(opened.link, password, network)
    require_released(opened.edition)
    ticket = make_token()
    with transaction() as session:
        link_id = opened.link.id
        spend = update(ShareLink).where(ShareLink.id == link_id, is_live())
        spent = session.execute(
            spend.values(used=ShareLink.used + 1, used_at=db_now()).returning(ShareLink.used)
        ).first()
        if spent is None:
            _require_state(session.get_one(ShareLink, link_id, populate_existing=True))
            raise ShareGone
        row = {
            "token_hash": token_hash(PURPOSE, ticket),
            "link_id": link_id,
            "version_id": opened.edition.version_id,
            "expires_at": db_later(LIFETIME_SECONDS),
            "network": network,
        }
        ticket_id = session.scalars(insert(Ticket).values(row).returning(Ticket.id)).one()
        who = Actor(user_id=None, kind="link", network=network)
        details = {"ticket": ticket_id, "used": spent.used, "document": opened.edition.document_id}
        audit.record_event("share.used", actor=who, thing=("share", link_id), label=opened.edition.title, **details)
    return ticket


def find_ticket(token: str, network: str, agent: str) -> tuple[Edition, Claim] | None:
    """What a ticket is for and in whose name it is fetched; None for one that never was, which counts like a link's.

    Raises TooManyTries, ShareExpired when its day is over, ShareRevoked when the link was closed meanwhile, and
    ShareGone when the document or the right to share it is gone.
    """
    statement = select(Ticket, ShareLink, Ticket.expires_at > db_now()).join(ShareLink, ShareLink.id == Ticket.link_id)
    this = statement.where(Ticket.token_hash == token_hash(PURPOSE, token))
    row = db.session.execute(this).first() if is_token(token) else None
    if row is None:
        _count_unknown(network)
        return None
    ticket, link, is_fresh = row
    if link.revoked_at is not None:
        raise ShareRevoked
    if not is_fresh or ticket.refunded_at is not None:
        raise ShareExpired(TICKET_OVER)
    edition = _open(link, ticket.version_id).edition
    claim = Claim(key=f"t:{ticket.id}", link_id=link.id, ticket_id=ticket.id, network=network, agent=agent)
    return edition, claim


def find_unfinished(token: str, ticket_token: str) -> Edition | None:
    """What a ticket of this link is for, while it may still be fetched and is not complete; asks without counting.

    For whoever pressed the button in this browser and comes back to the page of the link: going on counts once.
    """
    link = find_link(token)
    if link is None or link.revoked_at is not None or not is_token(ticket_token):
        return None
    mine = (Ticket.token_hash == token_hash(PURPOSE, ticket_token), Ticket.link_id == link.id)
    alive = (Ticket.expires_at > db_now(), Ticket.refunded_at.is_(None))
    complete = select(literal(1)).where(Download.ticket_id == Ticket.id, Download.state == "completed")
    version_id = db.session.scalar(select(Ticket.version_id).where(*mine, *alive, ~complete.exists()))
    try:
        return _open(link, version_id).edition if version_id is not None else None
    except ShareGone:
        return None


def claim_of_link(link_id: int, network: str, agent: str) -> Claim:
    """In whose name an open link is fetched directly: the same program from the same network is one downloader."""
    mark = hashlib.sha256(b"agent-v1\0" + agent.encode("utf-8", "replace")).hexdigest()[:16]
    return Claim(key=f"l:{link_id}:{network}:{mark}", link_id=link_id, network=network, agent=agent)


def refund(ticket_id: int) -> bool:
    """Give a reserved download back, once, if none of its bytes left; whether that was so.

    What is under way may have sent bytes that nobody has written down yet: only a download known to have ended without
    any counts as none. Whoever begins one stands in line for the row of the ticket.
    """
    with transaction() as session:
        this = Ticket.id == ticket_id
        held = select(Ticket.link_id).where(this, Ticket.refunded_at.is_(None)).with_for_update()
        link_id = session.scalar(held)
        begun = or_(Download.bytes_sent > 0, Download.state != "aborted")
        used = select(literal(1)).where(Download.ticket_id == ticket_id, begun).limit(1)
        if link_id is None or session.scalar(used) is not None:
            return False
        session.execute(update(Ticket).where(this).values(refunded_at=db_now()))
        spent = (ShareLink.id == link_id, ShareLink.used > 0)
        session.execute(update(ShareLink).where(*spent).values(used=ShareLink.used - 1))
        who = Actor(user_id=None, kind="portal")
        led_to = select(Document.id, Document.title).join(ShareLink, ShareLink.document_id == Document.id)
        document_id, title = session.execute(led_to.where(ShareLink.id == link_id)).one()
        details = {"ticket": ticket_id, "document": document_id}
        audit.record_event("share.refunded", actor=who, thing=("share", link_id), label=title, **details)
    return True


def _open(link: ShareLink, version_id: int | None = None) -> Opened:
    """What a link leads to, if whoever made it may still read that; a link never outlives the right behind it."""
    edition = find_edition(link.document_id, version_id or link.version_id) if link.document_id else None
    author = db.session.get(User, link.created_by_id) if link.created_by_id else None
    if edition is None or not access.is_published(edition.document_id) or not _may_still_share(link, author):
        raise ShareGone("What this link led to is no longer published.")
    return Opened(link, edition, author.name if author else None)


def _may_still_share(link: ShareLink, author: User | None) -> bool:
    """Links of the command line are the operator's own; everybody else must still have the right."""
    if author is None or link.document_id is None:
        return link.created_by_id is None
    maker = Actor(user_id=author.id, is_admin=author.is_admin)
    return author.disabled_at is None and access.may_read(maker, link.document_id)


def _require_state(link: ShareLink) -> None:
    state = state_of(link, db.session.scalars(select(db_now())).one())
    closed = {"revoked": ShareRevoked, "expired": ShareExpired, "used up": ShareUsedUp}
    if state in closed:
        raise closed[state]


def _require_password(link: ShareLink, password: str | None, network: str) -> None:
    stored = link.password_hash
    if stored is None:
        return
    with one_try((f"share:{link.id}:{network}", settings().share_tries, QUARTER)):
        release_connection()  # none is held while the hash is computed
        if not check_password(stored, password or ""):
            raise SharePasswordWrong


def _count_unknown(network: str) -> None:
    record_try((f"unknown:{network}", settings().unknown_tries, MINUTE))
