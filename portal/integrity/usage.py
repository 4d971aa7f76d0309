"""What takes how much room: by what it is, by top category, by person and by group. The parts add up to the whole."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, exists, func, select

from portal.catalog.scans import QUARANTINED, WAITS
from portal.extensions import db, release_connection, storage
from portal.integrity.reading import take_time
from portal.models import Blob, Category, Document, Group, Membership, Upload, User, Version

AT_ONCE = 20_000
"""Versions up to which everything is added up for a page; more takes seconds, and is done when somebody asks for it."""
SHOWN = 20
CURRENT, OLDER, TRASH, IN_PLACE = "current", "older", "trash", "in place"


@dataclass(frozen=True)
class Part:
    """So many documents, versions or files, and their bytes."""

    count: int
    size: int


NOTHING = Part(0, 0)


@dataclass(frozen=True)
class CategoryUse:
    """The newest versions of live documents in a top category and below it."""

    path: str
    part: Part


@dataclass(frozen=True)
class Usage:
    """Every version with its bytes. ``categories`` are the largest, ``others`` the rest of them.

    What is stored is the sum of ``categories``, ``others``, ``older``, ``trash`` and ``in_none`` (bytes that no version
    has, for gc to remove or for a distribution to deal out), less ``saved``: the same bytes are stored once. Beside it
    are ``previews``, files with the images of one each, and what is shown ``in_place``.
    """

    categories: Sequence[CategoryUse]
    others: Part
    older: Part
    trash: Part
    in_place: Part
    in_none: Part
    saved: int
    stored: int
    previews: Part


@dataclass(frozen=True)
class Owner:
    """A person or a group with what they have put in, and their quota, None for none."""

    id: int
    name: str
    used: int
    quota: int | None


def is_counted_at_once() -> bool:
    """Whether adding everything up takes no time worth mentioning."""
    return (db.session.scalar(select(func.max(Version.id))) or 0) <= AT_ONCE


def count_usage() -> Usage:
    """Add everything up; reads a row for each version and each blob, and looks at the file of each preview."""
    take_time()
    parts, by_top = _versions()
    stored, used, unused = _blobs()
    largest = sorted(by_top.items(), key=lambda one: (-one[1].size, one[0]))
    return Usage(
        categories=[CategoryUse(path, part) for path, part in largest[:SHOWN]],
        others=_sum(*(part for _, part in largest[SHOWN:])),
        older=parts[OLDER],
        trash=parts[TRASH],
        in_place=parts[IN_PLACE],
        in_none=unused,
        saved=_sum(parts[CURRENT], parts[OLDER], parts[TRASH]).size - used.size,
        stored=stored,
        previews=_previews(),
    )


def unfinished_uploads() -> Part:
    """Uploads that have begun and not ended, with the bytes that have come."""
    sums = select(func.count(), func.coalesce(func.sum(Upload.received), 0)).where(Upload.state == "receiving")
    count, size = db.session.execute(sums).one()
    return Part(count, int(size))


def held_bytes() -> tuple[Part, Part]:
    """What waits to be looked at for viruses, and what is quarantined."""
    found = []
    for which in (WAITS, QUARANTINED):
        count, size = db.session.execute(select(func.count(), func.coalesce(func.sum(Blob.size), 0)).where(which)).one()
        found.append(Part(count, int(size)))
    return found[0], found[1]


def list_people_by_use(limit: int = SHOWN) -> list[Owner]:
    """Who has put in most."""
    statement = select(User.id, User.name, User.used_bytes, User.quota_bytes).where(User.used_bytes > 0)
    found = db.session.execute(statement.order_by(User.used_bytes.desc(), User.id).limit(limit))
    return [Owner(*row) for row in found]


def list_groups_by_use(limit: int = SHOWN) -> list[Owner]:
    """The groups whose people have put in most, and those with a quota."""
    used = func.coalesce(func.sum(User.used_bytes), 0).label("used")
    statement = (
        select(Group.id, Group.name, used, Group.quota_bytes)
        .outerjoin(Membership, Membership.group_id == Group.id)
        .outerjoin(User, User.id == Membership.user_id)
        .group_by(Group.id)
        .having((used > 0) | Group.quota_bytes.is_not(None))
        .order_by(used.desc(), Group.id)
        .limit(limit)
    )
    return [Owner(group_id, name, int(size), quota) for group_id, name, size, quota in db.session.execute(statement)]


def _versions() -> tuple[dict[str, Part], dict[str, Part]]:
    """By what they are, and those that are current by the top category they are in."""
    kind = case(
        (Version.source_id.is_not(None), IN_PLACE),
        (Document.trashed_at.is_not(None), TRASH),
        (Version.id == Document.current_version_id, CURRENT),
        else_=OLDER,
    )
    sums = (
        select(
            Document.category_id, kind.label("kind"), func.count().label("count"), func.sum(Version.size).label("size")
        )
        .join(Document, Document.id == Version.document_id)
        .where(Version.purged_at.is_(None))
        .group_by(Document.category_id, kind)
        .subquery()
    )
    columns = (Category.path, sums.c.kind, sums.c.count, sums.c.size)
    statement = select(*columns).join(sums, sums.c.category_id == Category.id)
    kinds, tops = dict.fromkeys((CURRENT, OLDER, TRASH, IN_PLACE), NOTHING), dict[str, Part]()
    for path, what, count, size in db.session.execute(statement):
        part = Part(count, int(size))
        kinds[what] = _sum(kinds[what], part)
        if what == CURRENT:
            top = path.partition("/")[0]
            tops[top] = _sum(tops.get(top, NOTHING), part)
    return kinds, tops


def _blobs() -> tuple[int, Part, Part]:
    """The bytes of all, of those that a version has, and of those that none has."""
    is_used = exists().where(Version.blob_id == Blob.id)
    statement = select(is_used, func.count(), func.coalesce(func.sum(Blob.size), 0)).group_by(is_used)
    found = {bool(used): Part(count, int(size)) for used, count, size in db.session.execute(statement)}
    used, unused = found.get(True, NOTHING), found.get(False, NOTHING)
    return used.size + unused.size, used, unused


def _previews() -> Part:
    release_connection()  # none is held while directories are read
    count = size = 0
    for _, _, found in storage().albums.list_all():
        count, size = count + 1, size + found.st_size
    return Part(count, size)


def _sum(*parts: Part) -> Part:
    return Part(sum(part.count for part in parts), sum(part.size for part in parts))
