"""Keeping: what was made is made anew on demand, cleared of what nobody needs, and counted."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, exists, func, select, update

from portal import jobs
from portal.catalog.wanting import PREVIEWS
from portal.extensions import after_commit, db, give_way, release_connection, storage, transaction
from portal.models import Category, Document, Preview, Version, db_later

BATCH = 500
"""Rows in one transaction."""
DAY_SECONDS = 24 * 3600
AGAIN = {"state": "waiting", "tries": 0, "leased_until": None, "reason": ""}
NO_ALBUM = {"kind": None, "images": 0, "sizes": None}
IN_ALBUMS = ("pages", "image")

_wake = partial(jobs.wake, PREVIEWS)


def rebuild(category: Category | None = None, *, only_failed: bool = False) -> int:
    """Have all previews made anew, or those of documents at and below a category; how many these are.

    What was made is shown until what is new takes its place. ``only_failed``: those whose tries came to nothing.
    """
    chosen: list[ColumnElement[bool]] = [Preview.state == "parked" if only_failed else Preview.state != "waiting"]
    if category is not None:
        inside = select(Version.sha256).join(Document, Document.id == Version.document_id)
        below = select(Category.id).where(Category.lineage.startswith(category.lineage or "", autoescape=True))
        chosen.append(Preview.sha256.in_(inside.where(Document.category_id.in_(below))))
    return _reset(chosen, AGAIN)


def start_over() -> None:
    """Have everything made anew that was made where the albums are no more. Inside a transaction.

    Texts and tables stay until then: they are in the rows.
    """
    db.session.execute(update(Preview).where(Preview.state != "none").values(**AGAIN, **NO_ALBUM))
    after_commit(_wake)


def count_states() -> dict[tuple[str, str], int]:
    """How many previews there are of each state and kind; "" is the kind of those that have none."""
    kind = func.coalesce(Preview.kind, "")
    statement = select(Preview.state, kind, func.count()).group_by(Preview.state, kind).order_by(Preview.state, kind)
    return {(state, kind): count for state, kind, count in db.session.execute(statement)}


def list_failed(limit: int) -> list[tuple[str, str]]:
    """Filename and reason of some whose tries came to nothing, the newest first."""
    name = select(Version.filename).where(Version.sha256 == Preview.sha256).order_by(Version.id.desc()).limit(1)
    statement = select(name.scalar_subquery(), Preview.reason).where(Preview.state == "parked")
    found = db.session.execute(statement.order_by(Preview.id.desc()).limit(limit))
    return [(filename or "", reason) for filename, reason in found]


def collect() -> int:
    """Remove rows of bytes that no version has any more, then albums of no row; how many of these.

    An album that is missing is made anew. Nothing younger than a day is touched: it may be on its way.
    """
    _remove_unused_rows()
    _want_missing()
    removed = 0
    for sha256, maker, found in storage().albums.list_all():
        if found.st_mtime < time.time() - DAY_SECONDS and not _is_known(sha256, maker):
            removed += storage().albums.remove(sha256, maker)
    return removed


def _remove_unused_rows() -> None:
    """Looked for without standing in line with those who write, a page at a time."""
    kept = exists().where(Version.sha256 == Preview.sha256, Version.purged_at.is_(None))
    unused = and_(Preview.created_at < db_later(-DAY_SECONDS), ~kept)
    for page in _pages(select(Preview.id, unused.label("is_unused"))):
        found = [row.id for row in page if row.is_unused]
        if found:
            _remove_rows(found, unused)


def _remove_rows(found: Sequence[int], unused: ColumnElement[bool]) -> None:
    """Locked first and looked at again: whoever writes a version locks the row of its bytes, too."""
    with transaction() as session:
        some = select(Preview.id).where(Preview.id.in_(found), unused).order_by(Preview.id)
        locked = session.scalars(some.with_for_update(skip_locked=True)).all()
        session.execute(delete(Preview).where(Preview.id.in_(locked), unused))


def _want_missing() -> None:
    missing: list[int] = []
    for page in _pages(select(Preview.id, Preview.sha256, Preview.maker).where(Preview.kind.in_(IN_ALBUMS))):
        missing += [row.id for row in page if not storage().albums.has(row.sha256, row.maker)]
    for at in range(0, len(missing), BATCH):
        _reset([Preview.id.in_(missing[at : at + BATCH])], AGAIN | NO_ALBUM)


def _is_known(sha256: str, maker: int) -> bool:
    known = exists().where(Preview.sha256 == sha256, Preview.maker == maker, Preview.kind.in_(IN_ALBUMS))
    found = bool(db.session.scalar(select(known)))
    release_connection()
    return found


def _reset(chosen: list[ColumnElement[bool]], values: dict[str, object]) -> int:
    """Some at a time, so that nobody who writes meanwhile waits for long."""
    count = 0
    for page in _pages(select(Preview.id).where(*chosen)):
        began = time.monotonic()
        with transaction() as session:
            ids = [row.id for row in page]
            session.execute(update(Preview).where(Preview.id.in_(ids), *chosen).values(values))
            after_commit(_wake)
        give_way(time.monotonic() - began)
        count += len(page)
    return count


def _pages(statement: Select[*tuple[Any, ...]]) -> Iterator[Sequence[Row[Any]]]:
    """Rows by falling id, the first column, some at a time; no connection is held in between."""
    last: int | None = None
    while True:
        below = statement if last is None else statement.where(Preview.id < last)
        found = db.session.execute(below.order_by(Preview.id.desc()).limit(BATCH)).all()
        release_connection()
        if not found:
            return
        last = found[-1].id
        yield found
