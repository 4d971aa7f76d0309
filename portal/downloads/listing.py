"""Downloads as people look at them: lists for publishers and administrators and about oneself, and one row whole."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Integer, Select, SQLColumnExpression, case, func, literal, or_, select

from portal import access
from portal.actors import Actor
from portal.downloads.statements import is_in, state_now
from portal.errors import DownloadNotFound
from portal.extensions import db
from portal.models import MANAGE, PUBLISH, READ, STATES, Delegation, Document, Download, ShareLink, User, Version

PAGE = 50
MOST_COUNTED = 1000
"""A ledger grows for ever; people need no more than “1,000+”."""


@dataclass(frozen=True)
class DownloadRow:
    """One download: what, by whom (a person, or a link by its label), and how far it got."""

    id: int
    state: str
    """As it stands now: one that moved nothing for minutes is interrupted, whatever its row still says."""
    bytes_sent: int
    """Repeated bytes are counted each time."""
    is_confirmed: bool
    started_at: datetime
    active_at: datetime
    """The last time bytes moved."""
    closed_at: datetime | None
    network: str
    agent: str
    document_id: int
    title: str
    is_readable: bool
    """Whether whoever asked may read the document now. If not, ``title`` tells nothing that came after the download."""
    number: int
    size: int
    sha256: str
    intervals: list[list[int]]
    """Merged ``[start, stop)`` of what was handed over."""
    user_id: int | None
    user_name: str | None
    link_id: int | None
    link_label: str | None
    ticket_id: int | None

    @property
    def held(self) -> int:
        """Bytes of the document that were handed over, each counted once."""
        return sum(stop - start for start, stop in self.intervals)

    @property
    def part(self) -> float:
        """How much of the document has been handed over, 0 to 1."""
        return self.held / self.size if self.size else 1.0


def list_downloads(
    actor: Actor,
    *,
    document_id: int | None = None,
    user_id: int | None = None,
    link_id: int | None = None,
    state: str | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> tuple[list[DownloadRow], int | None]:
    """Downloads of documents the person may publish, and their own; the newest first, with the id to go on after."""
    statement = _about(_rows(actor), document_id, user_id, link_id).order_by(Download.id.desc()).limit(limit + 1)
    if state in STATES:
        statement = statement.where(is_in(state))
    if after is not None:
        statement = statement.where(Download.id < after)
    rows = [DownloadRow(*row) for row in db.session.execute(statement)]
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def get_download(actor: Actor, download_id: int) -> DownloadRow:
    """One row of the ledger, for whom the list shows it. Raises DownloadNotFound."""
    row = db.session.execute(_rows(actor).where(Download.id == download_id)).first()
    if row is None:
        raise DownloadNotFound
    return DownloadRow(*row)


def list_handed_over(download_id: int) -> list[tuple[int, int]]:
    """``(start, stop)`` of what a proxy was told to send and has not reported yet."""
    statement = select(Delegation.start, Delegation.stop).where(Delegation.download_id == download_id)
    return [(start, stop) for start, stop in db.session.execute(statement.order_by(Delegation.start, Delegation.stop))]


def count_downloads(
    actor: Actor,
    *,
    document_id: int | None = None,
    user_id: int | None = None,
    link_id: int | None = None,
    most: int = MOST_COUNTED,
) -> dict[str, int]:
    """How many downloads the same list has in each state, and ``all``; counting stops at one more than ``most``."""
    rows = select(Download.id).join(Document, Document.id == Download.document_id)
    reach = None if actor.is_admin else access.reachable(actor)
    rows = _seen_by(_about(rows, document_id, user_id, link_id), actor, reach).limit(most + 1)
    counted = {"all": rows, **{state: rows.where(is_in(state)) for state in STATES}}
    columns = [
        select(func.count()).select_from(statement.subquery()).scalar_subquery().label(name)
        for name, statement in counted.items()
    ]
    return dict(zip(counted, db.session.execute(select(*columns)).one(), strict=True))


def _rows(actor: Actor) -> Select[*tuple[Any, ...]]:
    reach = None if actor.is_admin else access.reachable(actor)
    level = _level(reach)
    statement: Select[*tuple[Any, ...]] = (
        select(
            Download.id,
            state_now(),
            Download.bytes_sent,
            Download.is_confirmed,
            Download.started_at,
            Download.active_at,
            Download.closed_at,
            Download.network,
            Download.agent,
            Download.document_id,
            _title(level),
            access.visible(level),
            Version.number,
            Version.size,
            Version.sha256,
            Download.intervals,
            Download.user_id,
            User.name,
            Download.link_id,
            ShareLink.label,
            Download.ticket_id,
        )
        .join(Document, Document.id == Download.document_id)
        .join(Version, Version.id == Download.version_id)
        .outerjoin(User, User.id == Download.user_id)
        .outerjoin(ShareLink, ShareLink.id == Download.link_id)
    )
    return _seen_by(statement, actor, reach)


def _level(reach: CTE | None) -> ColumnElement[int]:
    """What the person may do where the document is, no finer than ``visible`` asks; by IN, which is never scanned."""
    if reach is None:
        return literal(MANAGE, Integer)
    published = select(reach.c.category_id).where(reach.c.level >= PUBLISH)
    may_publish, may_read = (Document.category_id.in_(found) for found in (published, select(reach.c.category_id)))
    return case((may_publish, PUBLISH), (may_read, READ), else_=0)


def _title(level: ColumnElement[int]) -> SQLColumnExpression[str]:
    """What a document is called; for whoever may not read it any more, the filename they got it by.

    Publishers know what is in their trash by its title.
    """
    return case((or_(access.visible(level), level >= PUBLISH), Document.title), else_=Version.filename)


def _about(
    statement: Select[*tuple[Any, ...]], document_id: int | None, user_id: int | None, link_id: int | None
) -> Select[*tuple[Any, ...]]:
    wanted = {Download.document_id: document_id, Download.user_id: user_id, Download.link_id: link_id}
    for column, value in wanted.items():
        if value is not None:
            statement = statement.where(column == value)
    return statement


def _seen_by(statement: Select[*tuple[Any, ...]], actor: Actor, reach: CTE | None) -> Select[*tuple[Any, ...]]:
    if reach is None:
        return statement
    published = select(reach.c.category_id).where(reach.c.level >= PUBLISH)
    me = literal(actor.user_id, Integer)  # bound as a value, for `= NULL` would be written as IS NULL and match links
    return statement.where(Document.category_id.in_(published) | (Download.user_id == me))
