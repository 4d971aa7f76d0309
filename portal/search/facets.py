"""What there is among the hits: types, categories, tags, people and years, with how many of each."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, func, select

from portal.actors import Actor
from portal.models import Category, Document, DocumentTag, Tag, User, Version
from portal.models.base import EPOCH
from portal.reach import Reach
from portal.search.among import ask_of, wanted
from portal.search.asking import resolve
from portal.search.parsing import Query
from portal.search.reaching import Keys
from portal.search.rows import ID_BITS, IDS, ending_of

MOST_VALUES = 12
"""Of each kind, the most frequent."""
MOST_COUNTED, MOST_LOOKED_AT = 300, 800
"""So many of the newest hits are counted; for that, no more are looked at, however few of them the person may read."""

Value = tuple[str, str, int]
"""What to write into the query, what to call it, and how many hits have it."""


@dataclass(frozen=True)
class Facets:
    """What the newest hits have in common; ``is_capped`` when there may be more than were counted."""

    types: list[Value] = field(default_factory=list)
    categories: list[Value] = field(default_factory=list)
    tags: list[Value] = field(default_factory=list)
    people: list[Value] = field(default_factory=list)
    years: list[Value] = field(default_factory=list)
    total: int = 0
    is_capped: bool = False


def facets(actor: Actor, query: Query, *, found: Keys | None = None, reach: Reach | None = None) -> Facets:
    """Of the newest 300 documents the person may read that meet the query, of somebody who sees few of fewer.

    ``found`` is what ``find`` has of the same query already; ``reach`` is that of the person where more is asked for.
    """
    if query.is_empty:
        return Facets()
    found = found or Keys(actor, resolve(actor, query), reach=reach)
    more = found.first(MOST_COUNTED + 1, MOST_LOOKED_AT)
    keys = more[:MOST_COUNTED]
    ids = [key & IDS for key in keys]
    rows = ask_of(_rows, ids).all()
    return Facets(
        types=_offered("type", Counter(ending_of(row.filename) for row in rows)),
        categories=_offered("in", _by_path(Counter(row.category_id for row in rows))),
        tags=_offered("tag", count_tags(ids)),
        people=_people(rows),
        years=_years(keys),
        total=len(keys),
        is_capped=len(more) > MOST_COUNTED or not found.are_all,
    )


@cache
def _rows(dialect: str) -> Select[*tuple[Any, ...]]:
    these = wanted(dialect)
    return (
        select(
            Document.filename,
            Document.category_id,
            Document.created_by_id,
            Document.responsible_id,
            Version.created_by_id.label("versioned_by_id"),
        )
        .join(these, these.c.id == Document.id)
        .outerjoin(Version, Version.id == Document.current_version_id)
    )


def count_tags(document_ids: Collection[int]) -> dict[str, int]:
    """The tags of these documents, by name, and how many of them have each."""
    return dict(ask_of(_tags, document_ids).all())


@cache
def _tags(dialect: str) -> Select[str, int]:
    these = wanted(dialect)
    had = select(DocumentTag.tag_id, func.count().label("count"))
    counts = had.join(these, these.c.id == DocumentTag.document_id).group_by(DocumentTag.tag_id).subquery()
    return select(Tag.name, counts.c.count).join(counts, counts.c.tag_id == Tag.id)


def _by_path(counts: Counter[int]) -> dict[str, int]:
    """The most frequent of these categories, and those that are no less so."""
    least = min((count for _, count in counts.most_common(MOST_VALUES)), default=0)
    most = {category_id: count for category_id, count in counts.items() if count >= least}
    return {path: most[category_id] for category_id, path in ask_of(_paths, most)}


@cache
def _paths(dialect: str) -> Select[int, str]:
    these = wanted(dialect)
    return select(Category.id, Category.path).join(these, these.c.id == Category.id)


def _people(found: Sequence[Any]) -> list[Value]:
    """As ``by:`` finds them: who put it in, or its newest version, or is responsible."""
    involved = ({row.created_by_id, row.responsible_id, row.versioned_by_id} - {None} for row in found)
    counts = Counter(user_id for people in involved for user_id in people)
    most = dict(counts.most_common(MOST_VALUES))
    if not most:
        return []
    return _sorted((f"by:{_quoted(name)}", name, most[user_id]) for user_id, name in ask_of(_names, most))


@cache
def _names(dialect: str) -> Select[int, str]:
    these = wanted(dialect)
    return select(User.id, User.name).join(these, these.c.id == User.id)


def _years(keys: list[int]) -> list[Value]:
    counts = Counter((EPOCH + timedelta(seconds=key >> ID_BITS)).year for key in keys)
    newest = sorted(counts, reverse=True)[:MOST_VALUES]
    return [(f"after:{year} before:{year + 1}", str(year), counts[year]) for year in newest]


def _offered(operator: str, counts: Mapping[str, int]) -> list[Value]:
    return _sorted((f"{operator}:{_quoted(value)}", value, count) for value, count in counts.items() if value)


def _sorted(values: Iterable[Value]) -> list[Value]:
    return sorted(values, key=lambda value: (-value[2], value[1]))[:MOST_VALUES]


def _quoted(value: str) -> str:
    """In quotes where a query needs them; a quotation mark itself, which nothing quotes, becomes a space."""
    value = value.replace('"', " ")
    return f'"{value}"' if " " in value else value
