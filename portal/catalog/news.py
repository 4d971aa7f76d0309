"""The mail of the day: what came out in the categories a person follows, and what their saved searches find anew.

One mail a day at most, and none when there is nothing. What may be told is asked when it is told: whoever lost a
permission hears of nothing below it, and what is held for a look for viruses is told of once it is released.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, true, union, update

from portal import access, notices
from portal.accounts import actor_of
from portal.actors import Actor
from portal.catalog.paths import within
from portal.catalog.quarantine import came_out_after
from portal.catalog.saved import News, list_untold
from portal.extensions import db, lock_on, transaction
from portal.models import Category, Document, Follow, SavedSearch, User, Version, db_later, db_now

LOOK = "news"
"""The name of the worker's look."""
DAY = timedelta(days=1)
AGAIN = timedelta(hours=1)
"""Whoever there is nothing to tell is looked at again after this."""
SHOWN = 20
"""Documents that are named in a mail."""
MOST_COUNTED = 100
"""So far hits of a saved search are counted."""


@dataclass(frozen=True)
class Fresh:
    """A document that came out, or one of which there is a new version."""

    uuid: str
    title: str
    category_path: str
    number: int
    at: datetime

    @property
    def line(self) -> str:
        """What a mail says of it."""
        return f"{self.title} ({self.category_path})" + (f", version {self.number}" if self.number > 1 else "")


def tell_news(is_ending: Callable[[], bool]) -> None:
    """The worker's look: a mail to everybody whose day is over and for whom there is something."""
    for user_id in _due():
        if is_ending():
            return
        _tell(user_id)


def list_fresh(actor: Actor, follows: Iterable[tuple[Category, datetime]], until: datetime) -> list[Fresh]:
    """What came out, or was released, in categories with what is below them after the moment of each: the newest first,
    and at most one more than a mail names.
    """
    wanted = list(follows)
    if not wanted:
        return []
    came_out = or_(*(_after(Document.published_at, category, since) for category, since in wanted))
    renewed = or_(*(_after(Version.created_at, category, since) for category, since in wanted))
    found = [
        *db.session.execute(_fresh(actor, Document.published_at, came_out, until)),
        *db.session.execute(_fresh(actor, Version.created_at, and_(renewed, Version.number > 1), until)),
    ]
    newest: dict[str, Fresh] = {}
    for uuid, title, path, number, at in sorted(found, key=lambda row: row[4], reverse=True):
        newest.setdefault(str(uuid), Fresh(str(uuid), title, path, number, at))
    return list(newest.values())[: SHOWN + 1]


def _fresh(actor: Actor, at: Any, condition: ColumnElement[bool], until: datetime) -> Select[*tuple[Any, ...]]:
    statement = (
        select(Document.uuid, Document.title, Category.path, Version.number, at)
        .join(Category, Category.id == Document.category_id)
        .join(Version, Version.id == Document.current_version_id)
        .where(condition, at <= until, access.is_out())
        .order_by(at.desc(), Document.id.desc())
        .limit(SHOWN + 1)
    )
    return access.readable(statement, actor)


def _after(at: Any, category: Category, since: datetime) -> ColumnElement[bool]:
    return and_(within(category), came_out_after(at, since))


def _due(user_id: int | None = None) -> list[int]:
    """Whose day is over: everybody, or this person if it is."""
    a_day_ago = db_later(-int(DAY.total_seconds()))
    following = select(Follow.user_id).where(Follow.told_at < a_day_ago)
    searching = select(SavedSearch.user_id).where(SavedSearch.wants_notice, SavedSearch.told_at < a_day_ago)
    due = union(following, searching).subquery()
    statement = select(User.id).join(due, due.c.user_id == User.id).where(User.disabled_at.is_(None))
    if user_id is not None:
        statement = statement.where(User.id == user_id)
    return list(db.session.scalars(statement.order_by(User.id)))


def _tell(user_id: int) -> None:
    """Looked for first and written afterwards: nobody waits for what takes long."""
    user = db.session.get_one(User, user_id, populate_existing=True)
    actor, now = actor_of(user), db.session.scalars(select(db_now())).one()
    documents = list_fresh(actor, _followed(user_id), now)
    searches = list_untold(actor)
    has_news = bool(documents or searches)
    with transaction():
        lock_on(f"news:{user_id}")
        if not _due(user_id):
            return  # another worker told it meanwhile, or the account was closed
        if has_news:
            _add_mail(db.session.get_one(User, user_id), documents, searches)  # with the address of this moment
        _note_told(user_id, now if has_news else now - DAY + AGAIN)


def _followed(user_id: int) -> list[tuple[Category, datetime]]:
    statement = select(Category, Follow.told_at).join(Follow, Follow.category_id == Category.id)
    return [(category, told_at) for category, told_at in db.session.execute(statement.where(Follow.user_id == user_id))]


def _note_told(user_id: int, until: datetime) -> None:
    """What came out until then is told; what somebody began to follow since is not looked back at."""
    for kind, condition in ((Follow, true()), (SavedSearch, SavedSearch.wants_notice)):
        theirs = (kind.user_id == user_id, kind.told_at < until, condition)
        db.session.execute(update(kind).where(*theirs).values(told_at=until))


def _add_mail(user: User, documents: Sequence[Fresh], searches: Sequence[News]) -> None:
    notices.add_mail(
        "news",
        user_id=user.id,
        email=user.email,
        documents=[one.line for one in documents[:SHOWN]],
        refs=[one.uuid for one in documents[:SHOWN]],
        has_more=len(documents) > SHOWN,
        searches=[f"“{one.saved.name}”: {_counted(one.count)}" for one in searches],
    )


def _counted(number: int) -> str:
    if number >= MOST_COUNTED:
        return f"{MOST_COUNTED} or more new documents"
    return f"{number} new {'document' if number == 1 else 'documents'}"
