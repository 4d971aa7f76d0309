"""The statements of the ledger, prepared: every download, and every range of one, pays for them."""

from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnElement,
    Integer,
    String,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from portal.models import Download, Ticket, Transfer, db_later, db_now
from portal.prepared import Prepared

JOIN_SECONDS = 24 * 3600
"""An unfinished download that moved no bytes for so long is over; the next request begins another."""
LATE_SECONDS = 10 * 60
"""A piece asked for so soon after completion belongs to the completed download: a client that opens many
connections goes on asking for pieces of what its first one already got."""
ACTIVE_SECONDS = 120
"""A transfer that moved no bytes for so long does not count against those allowed at once, and is not said to run."""
DELEGATED_SECONDS = 10 * 60
"""One that a proxy carries counts for so long, or until it is reported: nobody tells how it goes meanwhile, and a log
that is not followed must not keep people out."""

GIVEN = (
    "actor_key",
    "user_id",
    "link_id",
    "ticket_id",
    "network",
    "agent",
    "document_id",
    "version_id",
    "intervals",
    "bytes_sent",
)
"""The columns of a new row that come from its claim and edition."""

_THIS = Download.id == bindparam("download", type_=Integer)
_KEY, _VERSION = bindparam("key", type_=String), bindparam("version", type_=Integer)
_IS_CLOSING = bindparam("is_closing", type_=Boolean) == true()
_IS_BELIEVED = bindparam("is_believed", type_=Boolean) == true()
_BELIEVED_AT = case((_IS_BELIEVED, db_now()), else_=Download.believed_at)


def _given(name: str, column: str = "") -> BindParameter[Any]:
    """A value that is converted as the column's own are."""
    return bindparam(name, type_=Download.__table__.c[column or name].type)


_FIND = (
    select(
        Download.id,
        Download.intervals,
        Download.bytes_sent,
        Download.state,
        Download.closed_at.is_(None),
        Download.active_at > db_later(-JOIN_SECONDS),
        and_(Download.state == "completed", Download.closed_at > db_later(-LATE_SECONDS)),
    )
    .where(Download.actor_key == _KEY, Download.version_id == _VERSION)
    .with_for_update()  # or it could be completed between being found and being joined
)
FIND_LAST = Prepared(_FIND.order_by(Download.id.desc()).limit(1))
"""The newest row of an actor (``key``) and a ``version``: see ``claims.Last``."""
FIND_OPEN = Prepared(_FIND.where(Download.closed_at.is_(None)))
"""The open one."""

STANDING = Prepared(
    select(Download.intervals, Download.repeated, Download.state, Download.closed_at).where(_THIS).with_for_update()
)
"""What a row (``download``) holds, and how it stands."""

ADVANCE = Prepared(
    update(Download)
    .where(_THIS)
    .values(
        intervals=_given("intervals"),
        repeated=_given("repeated"),
        bytes_sent=Download.bytes_sent + _given("more", "bytes_sent"),
        active_at=db_now(),
        state=_given("state"),
        closed_at=case((_IS_CLOSING, db_now()), else_=Download.closed_at),
        believed_at=_BELIEVED_AT,
    )
    .returning(Download.id)
)
"""Replace what a row holds and its state, and add ``more`` bytes sent.

It is closed if ``is_closing``; if ``is_believed``, some of it was taken on trust.
"""

REJOIN = Prepared(
    update(Download)
    .where(_THIS)
    .values(
        intervals=_given("intervals"),
        bytes_sent=Download.bytes_sent + _given("more", "bytes_sent"),
        active_at=db_now(),
        state=_given("state"),
        agent=_given("agent"),
        believed_at=_BELIEVED_AT,
    )
    .returning(Download.id)
)
"""The same for somebody who goes on with it."""

MAY_BE_CONFIRMED = (Download.state == "completed", Download.believed_at.is_(None))
CONFIRM = Prepared(update(Download).where(_THIS, *MAY_BE_CONFIRMED).values(is_confirmed=true()).returning(Download.id))
"""Confirm a row (``download``) if it is completed and holds nothing that was only believed."""

TICKET = Prepared(
    select(Ticket.refunded_at).where(Ticket.id == bindparam("ticket", type_=Integer)).with_for_update(key_share=True)
)
"""When a ticket was given back, with a lock on it that one has at a time."""


FIND_TRANSFER = Prepared(
    select(Transfer.id).where(Transfer.download_id == bindparam("download", type_=Integer)).limit(1)
)
"""Any answer of a row (``download``) that is noted."""

BEGIN_TRANSFER = Prepared(
    insert(Transfer)
    .values(
        download_id=bindparam("download", type_=Integer),
        worker=bindparam("name", type_=String),
        spans=bindparam("offers", type_=Transfer.__table__.c.spans.type),
    )
    .returning(Transfer.id)
)
"""Note an answer of a row (``download``) that a worker (``name``) sends, with all that it ``offers``."""

END_TRANSFER = Prepared(
    delete(Transfer).where(Transfer.id == bindparam("transfer", type_=Integer)).returning(Transfer.id)
)
"""It has ended."""


@cache
def insert_row() -> Prepared:
    """A new row from the values of ``GIVEN``, ``uuid`` and ``state``, closed at once if ``is_closing``."""
    values = _values() | {"closed_at": case((_IS_CLOSING, db_now()))}
    return Prepared(insert(Download).values(values).returning(Download.id))


@cache
def complete_at_once() -> Prepared:
    """A whole small download in one statement, unless a row of this actor and version is open to be joined."""
    values = _values() | {"closed_at": db_now()}
    same = (Download.actor_key == _given("actor_key"), Download.version_id == _given("version_id"))
    is_open = exists().where(*same, Download.closed_at.is_(None))
    chosen = select(*(value.label(name) for name, value in values.items())).where(~is_open)
    return Prepared(insert(Download).from_select(list(values), chosen, include_defaults=False).returning(Download.id))


@cache
def count_running() -> Prepared:
    """How many downloads of one actor (``key``), and of all, run now."""
    theirs = and_(Download.state == "delegated", Download.active_at > db_later(-DELEGATED_SECONDS))
    count = select(func.count().filter(Download.actor_key == _KEY), func.count())
    return Prepared(count.where(Download.closed_at.is_(None), or_(is_in("started"), theirs)))


def is_in(state: str) -> ColumnElement[bool]:
    """Whether a download stands so now: one that says it runs, and moves nothing, was interrupted.

    The row says so only once it is swept. What a proxy was told to send stays handed over: nobody tells how it goes.
    """
    if state == "started":
        return and_(Download.state == "started", Download.active_at > db_later(-ACTIVE_SECONDS))
    return or_(Download.state == state, _is_silent()) if state == "interrupted" else Download.state == state


def state_now() -> ColumnElement[str]:
    """The state in which ``is_in`` finds a download."""
    return case((_is_silent(), "interrupted"), else_=Download.state)


def _is_silent() -> ColumnElement[bool]:
    return and_(Download.state == "started", Download.active_at <= db_later(-ACTIVE_SECONDS))


def _values() -> dict[str, ColumnElement[Any]]:
    values = {name: _given(name) for name in (*GIVEN, "uuid", "state")}
    return values | {"is_confirmed": false()} | dict.fromkeys(("started_at", "active_at"), db_now())
