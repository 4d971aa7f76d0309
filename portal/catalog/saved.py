"""Searches people saved: to have them at hand, and to hear of what they find anew.

The log has nothing of them: what somebody looks for is their own affair, and changes nothing for anybody else.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update

from portal import search
from portal.accounts.spelling import require_name
from portal.actors import Actor
from portal.catalog.quarantine import REMEMBERED, came_out_after
from portal.catalog.texts import require_line
from portal.errors import BadInput, Conflict, NotFound
from portal.extensions import db, lock_on, transaction
from portal.models import Document, SavedSearch, db_now
from portal.reach import Reach

MOST_SEARCHES = 50
NAME_LENGTH = 100


@dataclass(frozen=True)
class News:
    """A saved search, and how many of its documents came out since it was last looked at; ``search`` counts no further
    than a hundred.
    """

    saved: SavedSearch
    count: int


def add_search(actor: Actor, name: str, query: str, *, wants_notice: bool = False) -> SavedSearch:
    """Save a search of the person; without a name it is called by its words.

    Raises BadInput for a name that cannot be and a query without words, Conflict when it is saved already or fifty are.
    """
    query = require_line(query, search.LONGEST_QUERY, "q")
    if search.parse(query).is_empty:
        raise BadInput("There is nothing to look for in it yet: give it a word.", field="q")
    name = require_name(name.strip() or query[:NAME_LENGTH], NAME_LENGTH)
    with transaction() as session:
        lock_on(f"saved-searches:{actor.user_id}")
        if (known := find_search(actor, query)) is not None:
            raise Conflict(f"You saved this search already, as “{known.name}”.")
        mine = select(func.count()).select_from(SavedSearch).where(SavedSearch.user_id == actor.user_id)
        if session.scalars(mine).one() >= MOST_SEARCHES:
            raise Conflict(f"More than {MOST_SEARCHES} saved searches are too many. Remove one first.")
        saved = SavedSearch(user_id=actor.user_id, name=name, query=query, wants_notice=wants_notice)
        session.add(saved)
        session.flush()
    return saved


def change_search(actor: Actor, search_id: int, *, name: str, wants_notice: bool) -> None:
    """Another name, and whether the mail of the day tells what it finds anew: from now on, nothing of before.

    Raises NotFound unless it is theirs, BadInput for a name that cannot be.
    """
    name = require_name(name, NAME_LENGTH)
    with transaction():
        saved = get_search(actor, search_id)
        if wants_notice and not saved.wants_notice:
            saved.told_at = db.session.scalars(select(db_now())).one()
        saved.name, saved.wants_notice = name, wants_notice


def remove_search(actor: Actor, search_id: int) -> None:
    """Forget a search. Raises NotFound unless it is theirs."""
    with transaction() as session:
        session.execute(delete(SavedSearch).where(SavedSearch.id == get_search(actor, search_id).id))


def note_look(actor: Actor, search_id: int) -> None:
    """The person looks at what it finds now: what is there is not new any more. Raises NotFound unless it is theirs."""
    with transaction() as session:
        saved = get_search(actor, search_id)
        session.execute(update(SavedSearch).where(SavedSearch.id == saved.id).values(looked_at=db_now()))


def get_search(actor: Actor, search_id: int) -> SavedSearch:
    """One of the person's searches. Raises NotFound for those of others as for none."""
    statement = select(SavedSearch).where(SavedSearch.id == search_id, SavedSearch.user_id == actor.user_id)
    found = db.session.scalars(statement).one_or_none()
    if found is None:
        raise NotFound
    return found


def find_search(actor: Actor, query: str) -> SavedSearch | None:
    """The person's saved search with these words, if there is one."""
    words = " ".join(query.split())
    statement = select(SavedSearch).where(SavedSearch.user_id == actor.user_id, SavedSearch.query == words)
    return db.session.scalars(statement.limit(1)).one_or_none()


def list_searches(actor: Actor, limit: int = MOST_SEARCHES) -> list[SavedSearch]:
    """The person's searches, by name."""
    statement = select(SavedSearch).where(SavedSearch.user_id == actor.user_id)
    return list(db.session.scalars(statement.order_by(func.lower(SavedSearch.name), SavedSearch.id).limit(limit)))


def list_with_news(actor: Actor, limit: int = MOST_SEARCHES, *, reach: Reach | None = None) -> list[News]:
    """The person's searches, by name, each with how many documents it finds that came out since they last looked.

    ``reach`` is that of the person where more is asked for.
    """
    reach = reach or Reach(actor)
    return [_news(actor, saved, saved.looked_at, reach) for saved in list_searches(actor, limit)]


def list_untold(actor: Actor) -> list[News]:
    """The searches whose owner wants to hear of new hits and has some that no mail told: for the mail of the day.

    The count is of what this person may read now, and of what is held for a look for viruses once it is released.
    """
    wanted, reach = [saved for saved in list_searches(actor) if saved.wants_notice], Reach(actor)
    news = [News(saved, _count_untold(actor, saved, reach)) for saved in wanted]
    return [one for one in news if one.count]


def _count_untold(actor: Actor, saved: SavedSearch, reach: Reach) -> int:
    came_out = came_out_after(Document.published_at, saved.told_at)
    query, remembered = search.parse(saved.query), saved.told_at - REMEMBERED
    return search.count_since(actor, query, remembered, came_out, reach=reach)


def _news(actor: Actor, saved: SavedSearch, since: datetime, reach: Reach) -> News:
    return News(saved, search.count_since(actor, search.parse(saved.query), since, reach=reach))
