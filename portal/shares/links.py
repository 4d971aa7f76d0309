"""Share links to a document: made, changed, revoked. The token is shown once and stored only as a hash."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select, update

from portal import access, audit, downloads
from portal.accounts import hash_password
from portal.actors import Actor
from portal.catalog import get_live
from portal.catalog.documents import require_publisher
from portal.catalog.moments import require_future
from portal.catalog.texts import require_text
from portal.downloads import MOST_COUNTED
from portal.errors import BadInput, Conflict, ShareNotFound
from portal.extensions import db, transaction
from portal.models import PUBLISH, Document, Download, ShareLink, User, db_later, db_now
from portal.tokens import is_token, make_token, mask, token_hash

PURPOSE = "share"
PAGE = 50
LABEL_LENGTH = 200
PASSWORD_MINIMUM, PASSWORD_MAXIMUM = 8, 1024
MOST_DOWNLOADS = 1_000_000
SOON_SECONDS = 3 * 86400
PAST = "A link must expire in the future."
STATES = ("live", "soon", "unused", "closed")
"""What a list is narrowed to. ``closed`` is whatever lets nobody in: expired, used up or revoked."""


@dataclass(frozen=True)
class Terms:
    """What a link allows: None means no end and no limit."""

    label: str = ""
    message: str = ""
    expires_at: datetime | None = None
    max_downloads: int | None = None


@dataclass(frozen=True)
class LinkRow:
    """One link in a list."""

    link: ShareLink
    title: str
    author: str | None
    state: str
    """``live``, ``soon`` (expires within three days), ``expired``, ``used up`` or ``revoked``."""
    downloads: int
    """Rows of it in the ledger, counted no further than one more than ``MOST_COUNTED``."""

    @property
    def used_text(self) -> str:
        """How often it was used: of a limit what was spent, without one what the ledger has.

        An open link gives its bytes to programs directly, and nothing is spent.
        """
        if self.link.max_downloads is not None:
            return f"{self.link.used:,} of {self.link.max_downloads:,}"
        return f"{MOST_COUNTED:,}+" if self.downloads > MOST_COUNTED else f"{self.downloads:,}"

    @property
    def opened_at(self) -> datetime | None:
        """When somebody last had it open: looked at its page, or pressed its button, which no scanner does."""
        return max((moment for moment in (self.link.opened_at, self.link.used_at) if moment), default=None)

    @property
    def is_untouched(self) -> bool:
        """Whether nobody ever opened it or had anything through it."""
        return self.opened_at is None and not self.downloads


def add_link(
    actor: Actor | None, document_id: int, terms: Terms, *, password: str | None = None
) -> tuple[ShareLink, str]:
    """A new link and its token, which nobody can see again. Needs ``publish`` where the document is shelved."""
    terms = _checked(terms)
    hashed = _hash(password)
    token = make_token()
    with transaction() as session:
        document = get_live(document_id)
        require_publisher(actor, document)
        require_future(terms.expires_at, PAST)
        link = ShareLink(
            token_hash=token_hash(PURPOSE, token),
            token_hint=token[:6],
            document_id=document_id,
            label=terms.label,
            message=terms.message,
            password_hash=hashed,
            max_downloads=terms.max_downloads,
            expires_at=terms.expires_at,
            created_by_id=actor.user_id if actor else None,
        )
        session.add(link)
        session.flush()
        _record(actor, "share.added", link, document, token=mask(token))
    return link, token


def change_link(
    actor: Actor | None, link_id: int, terms: Terms, *, password: str | None = None, drop_password: bool = False
) -> ShareLink:
    """Change label, expiry, limit, password. A limit below what is used becomes what is used: the link is used up.

    Raises Conflict for a revoked link, which lets nobody in whatever its terms say.
    """
    terms = _checked(terms)
    hashed = _hash(password)
    with transaction() as session:
        link, document = _get_for_change(actor, link_id)
        if link.revoked_at is not None:
            raise Conflict("This link was revoked for good. Make a new one.")
        before = _terms_of(link)
        if terms.expires_at != link.expires_at:
            require_future(terms.expires_at, PAST)
        session.execute(
            update(ShareLink)
            .where(ShareLink.id == link_id)
            .values(
                label=terms.label,
                message=terms.message,
                expires_at=terms.expires_at,
                max_downloads=_at_least_used(terms.max_downloads),
                password_hash=None if drop_password else hashed or ShareLink.password_hash,
            )
        )
        session.refresh(link)
        if _terms_of(link) != before:
            _record(actor, "share.changed", link, document)
    return link


def revoke_link(actor: Actor | None, link_id: int) -> None:
    """Revoke a link for good: nobody gets in from the next request on, its tickets included."""
    with transaction() as session:
        link, document = _get_for_change(actor, link_id)
        open_one = (ShareLink.id == link_id, ShareLink.revoked_at.is_(None))
        revoked = session.execute(
            update(ShareLink).where(*open_one).values(revoked_at=db_now()).returning(ShareLink.id)
        )
        if revoked.first() is not None:
            downloads.close_for_link(link_id)
            _record(actor, "share.revoked", link, document)


def find_link(token: str) -> ShareLink | None:
    """The link of a token, whatever its state."""
    if not is_token(token):
        return None
    return db.session.scalar(select(ShareLink).where(ShareLink.token_hash == token_hash(PURPOSE, token)))


def get_row(actor: Actor, link_id: int) -> LinkRow:
    """One link as a list shows it, for who may publish its document. Raises ShareNotFound."""
    found = db.session.execute(_rows(actor).where(ShareLink.id == link_id)).first()
    if found is None:
        raise ShareNotFound
    return _row(*found)


def list_links(
    actor: Actor,
    *,
    document_id: int | None = None,
    state: str | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> tuple[list[LinkRow], int | None]:
    """Links to documents the person may publish, the newest first, with the id to go on after."""
    statement = _rows(actor)
    if document_id is not None:
        statement = statement.where(ShareLink.document_id == document_id)
    if state in STATES:
        statement = statement.where(_in_state(state))
    if after is not None:
        statement = statement.where(ShareLink.id < after)
    found = db.session.execute(statement.order_by(ShareLink.id.desc()).limit(limit + 1)).all()
    rows = [_row(*row) for row in found]
    return rows[:limit], rows[limit - 1].link.id if len(rows) > limit else None


def count_links(actor: Actor) -> dict[str, int]:
    """How many links there are in each of the states a list can be narrowed to, and ``all``."""
    ids = _rows(actor).with_only_columns(ShareLink.id).subquery()
    mine = select(func.count()).select_from(ShareLink).where(ShareLink.id.in_(select(ids.c.id)))
    counts = {state: db.session.scalars(mine.where(_in_state(state))).one() for state in STATES}
    return {"all": db.session.scalars(mine).one(), **counts}


def state_of(link: ShareLink, now: datetime) -> str:
    """The state of a link at a moment of the database's clock."""
    if link.revoked_at is not None:
        return "revoked"
    if link.expires_at is not None and link.expires_at <= now:
        return "expired"
    if link.max_downloads is not None and link.used >= link.max_downloads:
        return "used up"
    if link.expires_at is not None and (link.expires_at - now).total_seconds() < SOON_SECONDS:
        return "soon"
    return "live"


def is_live() -> ColumnElement[bool]:
    """Whether a link lets somebody in now; equality with the moment of expiry counts as over."""
    return and_(
        ShareLink.revoked_at.is_(None),
        or_(ShareLink.expires_at.is_(None), ShareLink.expires_at > db_now()),
        or_(ShareLink.max_downloads.is_(None), ShareLink.used < ShareLink.max_downloads),
    )


def _row(link: ShareLink, title: str, author: str | None, now: datetime, downloads: int) -> LinkRow:
    return LinkRow(link, title, author, state_of(link, now), downloads)


def _rows(actor: Actor) -> Select[ShareLink, str, str | None, datetime, int]:
    ledger = select(Download.id).where(Download.link_id == ShareLink.id).correlate(ShareLink).limit(MOST_COUNTED + 1)
    downloads = select(func.count()).select_from(ledger.subquery()).scalar_subquery()
    statement = (
        select(ShareLink, Document.title, User.name, db_now(), downloads)
        .join(Document, Document.id == ShareLink.document_id)
        .outerjoin(User, User.id == ShareLink.created_by_id)
    )
    if actor.is_admin:
        return statement
    reach = access.reachable(actor)
    return statement.join(reach, reach.c.category_id == Document.category_id).where(reach.c.level >= PUBLISH)


def _in_state(state: str) -> ColumnElement[bool]:
    if state == "live":
        return is_live()
    if state == "soon":
        return and_(is_live(), ShareLink.expires_at < db_later(SOON_SECONDS))
    if state == "unused":
        return and_(is_live(), ShareLink.used == 0, ~exists().where(Download.link_id == ShareLink.id))
    return ~is_live()


def _at_least_used(limit: int | None) -> ColumnElement[int] | None:
    if limit is None:
        return None
    return case((ShareLink.used > limit, ShareLink.used), else_=limit)


def _get_for_change(actor: Actor | None, link_id: int) -> tuple[ShareLink, Document]:
    link = db.session.get(ShareLink, link_id)
    document = db.session.get(Document, link.document_id) if link is not None and link.document_id else None
    if link is None or document is None:
        raise ShareNotFound
    if actor is not None and access.permission_on(actor, document.category_id) < PUBLISH:
        raise ShareNotFound
    return link, document


def _checked(terms: Terms) -> Terms:
    label = " ".join(terms.label.split())
    if len(label) > LABEL_LENGTH or not (label.isprintable()):
        raise BadInput(f"A label has at most {LABEL_LENGTH} characters that can be seen.", field="label")
    if terms.max_downloads is not None and not 1 <= terms.max_downloads <= MOST_DOWNLOADS:
        raise BadInput(
            f"A limit is a number from 1 to {MOST_DOWNLOADS:,}; leave it empty for none.", field="max_downloads"
        )
    return Terms(label, require_text(terms.message, "message"), terms.expires_at, terms.max_downloads)


def _terms_of(link: ShareLink) -> tuple[Terms, str | None]:
    return Terms(link.label, link.message, link.expires_at, link.max_downloads), link.password_hash


def _hash(password: str | None) -> str | None:
    if not password:
        return None
    if len(password) < PASSWORD_MINIMUM:
        raise BadInput(f"The password of a link needs at least {PASSWORD_MINIMUM} characters.", field="password")
    if len(password) > PASSWORD_MAXIMUM:
        raise BadInput(f"The password of a link has at most {PASSWORD_MAXIMUM:,} characters.", field="password")
    return hash_password(password)


def _record(actor: Actor | None, action: str, link: ShareLink, document: Document, **details: object) -> None:
    terms = {
        "document": document.id,
        "expires_at": link.expires_at.isoformat() if link.expires_at else None,
        "max_downloads": link.max_downloads,
        "has_password": link.password_hash is not None,
    }
    audit.record_event(action, actor=actor, thing=("share", link.id), label=document.title, **terms, **details)
