"""Who has theirs of a distribution, and who has not.

It is for whoever made it, as long as they may manage the category it was made for, and for administrators: who gives
something out may know whether it came, though what lies in the categories of the people is not theirs to read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    Subquery,
    and_,
    case,
    cast,
    func,
    literal,
    select,
    union_all,
)

from portal import access
from portal.actors import Actor
from portal.catalog.recipients import GROUP
from portal.cells import BYTE_ORDER_MARK, cell
from portal.deliveries.documents import beyond, counted
from portal.extensions import db, release_connection
from portal.models import MANAGE, PERSON, READ, Category, Document, Download, Grant, Membership, Upload, User, Version
from portal.uploads.distributing import FileRow, list_files
from portal.uploads.distributing.looking import WORDS
from portal.uploads.distributing.making import get_own, require_manager

PAGE = 50
EXPORTED_AT_ONCE = 500
STATES = ("none", "old", "has", "closed")
"""What a person has of theirs, in the order of a list: of some document nothing whole, of some only an older version,
the version they were given or a newer one of all. The last cannot get what they lack: they may not read it any more."""
FILED = ("added", "versioned", "unchanged")
GOT = {"none": "no", "old": "an older version only", "has": "yes", "closed": "may not read it now"}
HEADINGS = "filename,size,outcome,person or group,document,reason,downloaded"


@dataclass(frozen=True)
class Reception:
    """What one person has of what a distribution gave them, also by way of a group."""

    state: str
    user_id: int
    name: str
    email: str
    reference: str
    files: int
    """How many they were given."""
    got: int
    """How many of these they downloaded whole."""
    filename: str
    """Of one of the files."""
    at: datetime | None
    """When they last had one of them whole."""


def may_follow(actor: Actor | None, distribution_id: int) -> bool:
    """Whether somebody is told who has theirs. Raises DistributionNotFound."""
    made = get_own(actor, distribution_id)
    if actor is None or actor.is_admin:
        return True
    return access.permission_on(actor, made.category_id or access.NO_CATEGORY) >= MANAGE


def list_receptions(
    actor: Actor | None, distribution_id: int, state: str = "", *, after: str | None = None, limit: int = PAGE
) -> tuple[list[Reception], str | None]:
    """People with what they have of theirs, those who lack something first, by name; with the place to go on after.

    Raises DistributionNotFound, Forbidden or CategoryNotFound for who is not told, and BadRequest for no page.
    """
    _require_follower(actor, distribution_id)
    each = _each(distribution_id, with_moment=True)
    rank, got = func.min(each.c.rank), func.count().filter(each.c.rank == STATES.index("has"))
    columns = (
        rank.label("rank"),
        func.count().label("files"),
        got.label("got"),
        func.min(each.c.filename).label("one"),
    )
    people = select(each.c.user_id, *columns, func.max(each.c.at, type_=each.c.at.type).label("at"))
    found = people.group_by(each.c.user_id).subquery()
    person = (User.id, User.name, User.email, User.reference)
    statement: Select[*tuple[Any, ...]] = select(
        found.c.rank, *person, found.c.files, found.c.got, found.c.one, found.c.at
    )
    statement = statement.join_from(found, User, User.id == found.c.user_id)
    if state in STATES:
        statement = statement.where(found.c.rank == STATES.index(state))
    if after:
        statement = statement.where(beyond(found.c.rank, after))
    statement = statement.order_by(found.c.rank, User.name_key, User.id).limit(limit + 1)
    rows = [Reception(STATES[row[0]], *row[1:]) for row in db.session.execute(statement)]
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], f"{STATES.index(last.state)}-{last.user_id}" if last is not None else None


def count_receptions(actor: Actor | None, distribution_id: int) -> dict[str, int]:
    """How many people the same list has in each state, and ``all``. Raises like it."""
    _require_follower(actor, distribution_id)
    each = _each(distribution_id)
    by_rank = counted(select(func.min(each.c.rank)).group_by(each.c.user_id))
    counts = {name: by_rank.get(number, 0) for number, name in enumerate(STATES)}
    return {"all": sum(counts.values()), **counts}


def export_files(actor: Actor | None, distribution_id: int) -> Iterator[str]:
    """What became of every file as lines of a CSV, a page at a time; no connection is held between two.

    Whether it was downloaded stands there for whoever is told.
    """
    is_told = may_follow(actor, distribution_id)
    yield f"{BYTE_ORDER_MARK}{HEADINGS}\r\n"
    after: int | None = None
    while True:
        rows, after = list_files(actor, distribution_id, after=after, limit=EXPORTED_AT_ONCE)
        got = _got(distribution_id, rows) if is_told else {}
        release_connection()
        yield "".join(",".join((*_cells(row), got.get(row.id, ""))) + "\r\n" for row in rows)
        if after is None:
            return


def _require_follower(actor: Actor | None, distribution_id: int) -> None:
    made = get_own(actor, distribution_id)
    if actor is not None and not actor.is_admin:
        require_manager(actor, made.category_id)


def _each(distribution_id: int, *which: ColumnElement[bool], with_moment: bool = False) -> Subquery:
    """Every file that was filed with every person it is for: ``rank`` is the place of its state in ``STATES``."""
    given = _given(distribution_id, *which)
    newest = _fetched(given).with_only_columns(func.max(Version.number)).scalar_subquery()
    rank = case(
        (newest >= given.c.number, STATES.index("has")),
        (~_may_read(given), STATES.index("closed")),
        (newest.is_not(None), STATES.index("old")),
        else_=STATES.index("none"),
    )
    columns = [given.c.upload_id, given.c.user_id, given.c.filename, rank.label("rank")]
    if with_moment:
        whole = _fetched(given).where(Version.number >= given.c.number)
        moment = func.max(Download.closed_at, type_=Download.closed_at.type)
        columns.append(whole.with_only_columns(moment).scalar_subquery().label("at"))
    statement = select(*columns).join_from(given, Document, Document.id == given.c.document_id)
    return statement.join(User, User.id == given.c.user_id).subquery("each")


def _given(distribution_id: int, *which: ColumnElement[bool]) -> Subquery:
    """``(upload_id, filename, document_id, number, user_id)``: files and whom they were given, groups as who is in them
    now."""
    key = Upload.facts["recipient"].as_string().label("key")
    whose = cast(func.substr(key, 3), Integer).label("whose")
    columns = (Upload.id.label("upload_id"), Upload.filename, Version.document_id, Version.number, key, whose)
    filed = select(*columns).join(Version, Version.id == Upload.version_id)
    files = filed.where(Upload.distribution_id == distribution_id, Upload.outcome.in_(FILED), *which).subquery("files")
    said = (files.c.upload_id, files.c.filename, files.c.document_id, files.c.number)
    own = select(*said, files.c.whose.label("user_id")).where(files.c.key.startswith(PERSON))
    shared = select(*said, Membership.user_id).join_from(files, Membership, Membership.group_id == files.c.whose)
    return union_all(own, shared.where(files.c.key.startswith(GROUP))).subquery("given")


def _fetched(given: Subquery) -> Select[int]:
    """The versions of a given document that its person downloaded whole."""
    theirs = (Download.actor_key == literal(PERSON) + cast(given.c.user_id, String), Download.version_id == Version.id)
    statement = select(Version.id).join_from(Version, Download, and_(*theirs))
    return statement.where(Version.document_id == given.c.document_id, Download.state == "completed").correlate(given)


def _may_read(given: Subquery) -> ColumnElement[bool]:
    """Nearly all may by a permission on the very category; the tree, which takes longer, is climbed for the others."""
    here = (Grant.category_id == Document.category_id, access.is_for(given.c.user_id), access.in_force())
    is_given = select(Grant.id).join(Category, Category.id == Grant.category_id)
    is_given = is_given.where(*here, Category.trashed_at.is_(None))
    level = case(
        (User.is_admin, MANAGE),
        (and_(access.is_out(), is_given.exists()), READ),
        else_=access.level_of(Document.category_id, given.c.user_id),
    )
    return and_(User.disabled_at.is_(None), access.visible(level))


def _got(distribution_id: int, rows: Sequence[FileRow]) -> dict[int, str]:
    """What a file stands there with: whether its person has it, or how many of its group."""
    each = _each(distribution_id, Upload.id.in_([row.id for row in rows]))
    has = func.count().filter(each.c.rank == STATES.index("has"))
    statement = select(each.c.upload_id, func.min(each.c.rank), func.count(), has)
    found = {row[0]: row[1:] for row in db.session.execute(statement.group_by(each.c.upload_id))}
    return {row.id: _words(row, *found.get(row.id, (0, 0, 0))) for row in rows if row.outcome in FILED}


def _words(row: FileRow, rank: int, people: int, has: int) -> str:
    if row.recipient is not None and row.recipient.key.startswith(GROUP):
        return f"{has} of {people}"
    return GOT[STATES[rank]] if people else ""


def _cells(row: FileRow) -> Sequence[str]:
    name = row.recipient.name if row.recipient else ""
    document = str(row.document_id) if row.document_id is not None else ""
    return (cell(row.filename), str(row.size), WORDS[row.outcome], cell(name), document, cell(row.reason))
