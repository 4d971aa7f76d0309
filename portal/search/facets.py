"""What there is among the hits: types, categories, tags, people and years, with how many of each."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import func, select, union

from portal.actors import Actor
from portal.extensions import db
from portal.models import Category, Document, DocumentTag, Tag, User, Version
from portal.models.base import EPOCH
from portal.search.asking import resolve
from portal.search.finding import MOST_RANKED
from portal.search.parsing import Query
from portal.search.reaching import find_keys
from portal.search.rows import ID_BITS, IDS, ending_of

MOST_VALUES = 12
"""Of each kind, the most frequent."""

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


def facets(actor: Actor, query: Query, *, only_out: bool = False) -> Facets:
    """Of the newest thousand documents the person may read that meet the query."""
    if query.is_empty:
        return Facets()
    keys = find_keys(actor, resolve(actor, query), MOST_RANKED + 1, only_out=only_out)
    counted = keys[:MOST_RANKED]
    ids = [key & IDS for key in counted]
    return Facets(
        types=_types(ids),
        categories=_categories(ids),
        tags=_tags(ids),
        people=_people(ids),
        years=_years(counted),
        total=len(counted),
        is_capped=len(keys) > MOST_RANKED,
    )


def _types(ids: list[int]) -> list[Value]:
    names = db.session.scalars(select(Document.filename).where(Document.id.in_(ids)))
    return _most((f"type:{ending}", ending) for name in names if (ending := ending_of(name)))


def _categories(ids: list[int]) -> list[Value]:
    here = select(Category.path, func.count()).join(Document, Document.category_id == Category.id)
    found = db.session.execute(here.where(Document.id.in_(ids)).group_by(Category.path))
    return _sorted((f"in:{_quoted(path)}", path, count) for path, count in found)


def _tags(ids: list[int]) -> list[Value]:
    had = select(Tag.name, func.count()).join(DocumentTag, DocumentTag.tag_id == Tag.id)
    found = db.session.execute(had.where(DocumentTag.document_id.in_(ids)).group_by(Tag.id, Tag.name))
    return _sorted((f"tag:{_quoted(name)}", name, count) for name, count in found)


def _people(ids: list[int]) -> list[Value]:
    """As ``by:`` finds them: who put it in, or its newest version, or is responsible."""
    here = Document.id.in_(ids)
    newest = Version.id == Document.current_version_id
    named = union(
        select(Document.id.label("document_id"), Document.created_by_id.label("user_id")).where(here),
        select(Document.id, Document.responsible_id).where(here),
        select(Document.id, Version.created_by_id).join(Version, newest).where(here),
    ).subquery()
    who = select(User.name, func.count()).join(named, named.c.user_id == User.id).group_by(User.id, User.name)
    return _sorted((f"by:{_quoted(name)}", name, count) for name, count in db.session.execute(who))


def _years(keys: list[int]) -> list[Value]:
    counts = Counter((EPOCH + timedelta(seconds=key >> ID_BITS)).year for key in keys)
    newest = sorted(counts, reverse=True)[:MOST_VALUES]
    return [(f"after:{year} before:{year + 1}", str(year), counts[year]) for year in newest]


def _most(values: Iterable[tuple[str, str]]) -> list[Value]:
    return _sorted((query, label, count) for (query, label), count in Counter(values).items())


def _sorted(values: Iterable[Value]) -> list[Value]:
    return sorted(values, key=lambda value: (-value[2], value[1]))[:MOST_VALUES]


def _quoted(value: str) -> str:
    """In quotes where a query needs them; a quotation mark itself, which nothing quotes, becomes a space."""
    value = value.replace('"', " ")
    return f'"{value}"' if " " in value else value
