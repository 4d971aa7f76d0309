"""What there is among the hits: types, categories, tags, people and years, with how many of each."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from portal.actors import Actor
from portal.extensions import db
from portal.models import Category, Document, DocumentTag, Tag, User, Version
from portal.models.base import EPOCH
from portal.reach import Reach
from portal.search.among import among, listed
from portal.search.asking import Question, resolve
from portal.search.parsing import Query
from portal.search.reaching import find_keys
from portal.search.rows import ID_BITS, IDS, ending_of

MOST_VALUES = 12
"""Of each kind, the most frequent."""
MOST_COUNTED, MOST_LOOKED_AT = 500, 2000
"""So many of the newest hits are counted; for that, no more are looked at, however few of them the person may read."""

Value = tuple[str, str, int]
"""What to write into the query, what to call it, and how many hits have it."""


@dataclass(frozen=True)
class Facets:
    """What the newest hits have in common; ``is_capped`` when there are more than were counted."""

    types: list[Value] = field(default_factory=list)
    categories: list[Value] = field(default_factory=list)
    tags: list[Value] = field(default_factory=list)
    people: list[Value] = field(default_factory=list)
    years: list[Value] = field(default_factory=list)
    total: int = 0
    is_capped: bool = False


def facets(actor: Actor, query: Query, *, only_out: bool = False, reach: Reach | None = None) -> Facets:
    """Of the newest 500 documents the person may read that meet the query, of somebody who sees few of fewer.

    ``reach`` is that of the person where more is asked for.
    """
    if query.is_empty:
        return Facets()
    question, reach = resolve(actor, query), reach or Reach(actor)
    more = find_keys(actor, question, MOST_COUNTED + 1, reach=reach, only_out=only_out, most_looked_at=MOST_LOOKED_AT)
    keys = more[:MOST_COUNTED]
    ids = [key & IDS for key in keys]
    found = _read(ids)
    return Facets(
        types=_counted((f"type:{ending}", ending) for row in found if (ending := ending_of(row.filename))),
        categories=_counted((f"in:{_quoted(row.path)}", row.path) for row in found),
        tags=_counted((f"tag:{_quoted(name)}", name) for name in tags_of(ids)),
        people=_people(found),
        years=_years(keys),
        total=len(keys),
        is_capped=len(more) > MOST_COUNTED or _is_there_more(actor, question, keys, only_out=only_out, reach=reach),
    )


def _is_there_more(actor: Actor, question: Question, keys: list[int], *, only_out: bool, reach: Reach) -> bool:
    """Whether there are others than these: it may have ended after those that were looked at."""
    below = keys[-1] if keys else None
    return bool(find_keys(actor, question, 1, reach=reach, below=below, only_out=only_out))


def _read(ids: list[int]) -> Sequence[Any]:
    statement = (
        select(
            Document.filename,
            Category.path,
            Document.created_by_id,
            Document.responsible_id,
            Version.created_by_id.label("versioned_by_id"),
        )
        .join(Category, Category.id == Document.category_id)
        .outerjoin(Version, Version.id == Document.current_version_id)
    )
    return db.session.execute(statement.where(among(Document.id, ids))).all()


def tags_of(document_ids: Collection[int]) -> Sequence[str]:
    """The tags of these documents: each as often as one has it."""
    these = listed(document_ids)
    had = select(Tag.name).join(DocumentTag, DocumentTag.tag_id == Tag.id)
    return db.session.scalars(had.join(these, these.c.id == DocumentTag.document_id)).all()


def _people(found: Sequence[Any]) -> list[Value]:
    """As ``by:`` finds them: who put it in, or its newest version, or is responsible."""
    involved = ({row.created_by_id, row.responsible_id, row.versioned_by_id} - {None} for row in found)
    counts = Counter(user_id for people in involved for user_id in people)
    most = dict(counts.most_common(MOST_VALUES))
    if not most:
        return []
    named = db.session.execute(select(User.id, User.name).where(among(User.id, most)))
    return _sorted((f"by:{_quoted(row.name)}", row.name, most[row.id]) for row in named)


def _years(keys: list[int]) -> list[Value]:
    counts = Counter((EPOCH + timedelta(seconds=key >> ID_BITS)).year for key in keys)
    newest = sorted(counts, reverse=True)[:MOST_VALUES]
    return [(f"after:{year} before:{year + 1}", str(year), counts[year]) for year in newest]


def _counted(values: Iterable[tuple[str, str]]) -> list[Value]:
    return _sorted((query, label, count) for (query, label), count in Counter(values).items())


def _sorted(values: Iterable[Value]) -> list[Value]:
    return sorted(values, key=lambda value: (-value[2], value[1]))[:MOST_VALUES]


def _quoted(value: str) -> str:
    """In quotes where a query needs them; a quotation mark itself, which nothing quotes, becomes a space."""
    value = value.replace('"', " ")
    return f'"{value}"' if " " in value else value
