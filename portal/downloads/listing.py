"""Lists of downloads for publishers and administrators, and for people about themselves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, Integer, Select, SQLColumnExpression, case, func, literal, select

from portal import access
from portal.actors import Actor
from portal.extensions import db
from portal.models import PUBLISH, STATES, Document, Download, ShareLink, User, Version

PAGE = 50
MOST_COUNTED = 1000
"""A ledger grows for ever; people need no more than “1,000+”."""


@dataclass(frozen=True)
class DownloadRow:
    """One download: what, by whom (a person, or a link by its label), and how far it got."""

    id: int
    state: str
    bytes_sent: int
    is_confirmed: bool
    started_at: datetime
    closed_at: datetime | None
    network: str
    agent: str
    document_id: int
    title: str
    number: int
    size: int
    intervals: list[list[int]]
    user_id: int | None
    user_name: str | None
    link_id: int | None
    link_label: str | None

    @property
    def part(self) -> float:
        """How much of the document has been handed over, 0 to 1."""
        had = sum(stop - start for start, stop in self.intervals)
        return had / self.size if self.size else 1.0


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
    reach = None if actor.is_admin else access.reachable(actor)
    statement: Select[*tuple[Any, ...]] = (
        select(
            Download.id,
            Download.state,
            Download.bytes_sent,
            Download.is_confirmed,
            Download.started_at,
            Download.closed_at,
            Download.network,
            Download.agent,
            Download.document_id,
            _title(reach),
            Version.number,
            Version.size,
            Download.intervals,
            Download.user_id,
            User.name,
            Download.link_id,
            ShareLink.label,
        )
        .join(Document, Document.id == Download.document_id)
        .join(Version, Version.id == Download.version_id)
        .outerjoin(User, User.id == Download.user_id)
        .outerjoin(ShareLink, ShareLink.id == Download.link_id)
        .order_by(Download.id.desc())
        .limit(limit + 1)
    )
    statement = _seen_by(_about(statement, document_id, user_id, link_id), actor, reach)
    if state in STATES:
        statement = statement.where(Download.state == state)
    if after is not None:
        statement = statement.where(Download.id < after)
    rows = [DownloadRow(*row) for row in db.session.execute(statement)]
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


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
    counted = {"all": rows, **{state: rows.where(Download.state == state) for state in STATES}}
    columns = [
        select(func.count()).select_from(statement.subquery()).scalar_subquery().label(name)
        for name, statement in counted.items()
    ]
    return dict(zip(counted, db.session.execute(select(*columns)).one(), strict=True))


def _title(reach: CTE | None) -> SQLColumnExpression[str]:
    """What a document is called; for whoever may not see it any more, the filename they got it by."""
    if reach is None:
        return Document.title
    is_seen = Document.category_id.in_(select(reach.c.category_id))
    return case((is_seen, Document.title), else_=Version.filename)


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
