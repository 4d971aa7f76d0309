"""Finding: what the index says is only where to look; the one predicate decides about every document, each time."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import ColumnElement, and_

from portal.actors import Actor
from portal.errors import BadRequest
from portal.models import Document
from portal.reach import Reach
from portal.search.asking import resolve
from portal.search.correcting import corrected
from portal.search.parsing import Query, parse
from portal.search.ranking import ranked
from portal.search.reaching import Keys, find_keys
from portal.search.rows import ID_BITS, IDS, first_key

PAGE = 50
MOST_RANKED = 1000
"""So many of the newest hits are put in another order."""
MOST_LOOKED_AT = 4000
"""For that, no more are looked at, however few of them the person may read, unless it is none."""
MOST_NEW = 100


@dataclass(frozen=True)
class Hits:
    """Documents that were found, newest first; ``after`` asks for the next page, None at the end.

    ``corrected`` is the query that was answered instead when nothing was found by what was typed; "" otherwise.
    """

    document_ids: list[int] = field(default_factory=list)
    after: str | None = None
    corrected: str = ""
    keys: Keys | None = None
    """Where more of them come from, of a first page."""


def find(
    actor: Actor,
    query: Query,
    *,
    after: str | None = None,
    limit: int = PAGE,
    by_relevance: bool = False,
    only_out: bool = False,
    reach: Reach | None = None,
) -> Hits:
    """Documents the person may read that meet the query; none for an empty one.

    ``by_relevance`` puts the best of the newest thousand first and has no next page; ``only_out`` leaves out drafts
    and what is scheduled or expired. ``reach`` is that of the person where more is asked for. Raises BadRequest for an
    ``after`` of no page.
    """
    if query.is_empty:
        return Hits()
    below, reach = _cursor(after), reach or Reach(actor)
    keys = Keys(actor, resolve(actor, query), reach=reach, below=below, only_out=only_out)
    found = _first(keys, limit, by_relevance=by_relevance)
    other = corrected(actor, query, reach, only_out=only_out) if not found and below is None else None
    if other is not None:
        query = other
        keys = Keys(actor, resolve(actor, query), reach=reach, only_out=only_out)
        found = _first(keys, limit, by_relevance=by_relevance)
    said = query.text if other is not None and found else ""
    rest = keys if below is None else None
    if by_relevance:
        return Hits([key & IDS for key in ranked(query, found)[:limit]], corrected=said, keys=rest)
    after = str(found[limit - 1]) if len(found) > limit else None
    return Hits([key & IDS for key in found[:limit]], after, said, rest)


def _first(keys: Keys, limit: int, *, by_relevance: bool) -> list[int]:
    """What a page is made of. Where the person may read none of the newest, there may be others: they are looked for in
    either order, or it would be said that nothing is there.
    """
    if not by_relevance:
        return keys.first(limit + 1)
    return keys.first(MOST_RANKED, MOST_LOOKED_AT) or keys.first(limit)


def suggest(actor: Actor, text: str, limit: int = 8, *, reach: Reach | None = None) -> list[int]:
    """Documents whose title or filename has these words, the last of them perhaps only begun; the newest first.

    One letter behind other words says nothing yet: what they find stays until there is another.
    """
    query = parse(text)
    if text[-1:].isalnum() and query.parts and query.parts[-1].kind == "words":
        begun = parse(f"{text}*")
        is_letter = not begun.parts[-1].is_prefix and len(begun.parts) > 1
        query = replace(query, parts=query.parts[:-1]) if is_letter else begun
    if query.is_empty:
        return []
    return [key & IDS for key in find_keys(actor, resolve(actor, query, is_name=True), limit, reach=reach)]


def count_since(
    actor: Actor, query: Query, moment: datetime, more: ColumnElement[bool] | None = None, *, reach: Reach | None = None
) -> int:
    """How many documents that meet the query were published after this moment, and are out; at most a hundred.

    ``more`` is a further condition on them; ``reach`` is that of the person where there is more than one query.
    """
    if query.is_empty:
        return 0
    question = resolve(actor, query)
    recent = replace(question, first=max(question.first, first_key(moment)))
    after = Document.published_at > moment
    which = after if more is None else and_(after, more)
    return len(find_keys(actor, recent, MOST_NEW, reach=reach, only_out=True, more=which))


def _cursor(after: str | None) -> int | None:
    if not after:
        return None
    if not (after.isascii() and after.isdigit() and len(after) <= 19) or int(after) >> ID_BITS > 1 << 32:
        raise BadRequest
    return int(after)
