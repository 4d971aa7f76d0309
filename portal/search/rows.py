"""What the index says of a document, made from the catalog: a key, facts, and the tokens of each of its texts."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select

from portal import filenames
from portal.extensions import db
from portal.models import Category, CategoryField, Document, DocumentTag, FieldValue, Preview, Tag, Version
from portal.models.base import EPOCH
from portal.search.tokens import tokens

ID_BITS = 31
"""How many bits of a key say which document it is; those above say when, in seconds since 1970."""
IDS = (1 << ID_BITS) - 1
LATEST = (1 << 32) - 1
BOUNDARY = "="
"""Stands between two values of one column, so that no phrase reaches from one into the next."""
_TAG = "=g"
MOST = {"title": 300, "filename": 255, "reference": 100, "tags": 500, "fields": 2000, "description": 3000, "body": 8000}
"""How many tokens of each text are indexed: together no more than PostgreSQL keeps the positions of."""

MOST_BODY = 100_000
"""Characters of the text inside a file that are looked at for that."""


class Texts(NamedTuple):
    """The tokens of each column of the index that holds words."""

    title: list[str]
    filename: list[str]
    reference: list[str]
    tags: list[str]
    fields: list[str]
    description: list[str]
    body: list[str]


@dataclass(frozen=True)
class IndexRow:
    """One document in the index. ``facts`` are tokens that nobody can type, for they begin with ``=``."""

    key: int
    document_id: int
    facts: list[str]
    texts: Texts


def key_of(moment: datetime, document_id: int) -> int:
    """Under which number a document of this moment stands: the newer, the higher."""
    return first_key(moment) | document_id


def first_key(moment: datetime) -> int:
    """The lowest key of this second; what is before 1970 or after 2106 counts as that."""
    seconds = (moment - EPOCH).days * 86400 + (moment - EPOCH).seconds
    return min(max(seconds, 0), LATEST) << ID_BITS


def ending_of(filename: str) -> str:
    """The token for the type of a file, after its filename: ``pdf``, and "" for none."""
    return "".join(tokens(filenames.extension(filename)))


def scope_fact(category_id: int) -> str:
    """Who has been granted this category may see it, for no seal is in between."""
    return f"=c{category_id}"


def place_fact(category_id: int) -> str:
    """It is in this category or below it."""
    return f"=i{category_id}"


def ending_fact(ending: str) -> str:
    """It is a file of this type."""
    return f"=t{ending}"


def tag_fact(tag_id: int) -> str:
    """It has this tag."""
    return f"{_TAG}{tag_id}"


def tag_of(fact: str) -> int | None:
    """The tag a fact says, None for another fact and for a word."""
    return int(fact.removeprefix(_TAG)) if fact.startswith(_TAG) else None


def person_fact(user_id: int) -> str:
    """This person put it in, or its newest version, or is responsible for it."""
    return f"=u{user_id}"


def read_rows(document_ids: Collection[int]) -> dict[int, IndexRow]:
    """What the index should say of these documents, by id; those in the trash are not among them."""
    statement = (
        select(
            Document.id,
            Document.published_at,
            Document.created_at,
            Document.title,
            Document.filename,
            Document.reference,
            Document.description,
            Document.responsible_id,
            Document.created_by_id,
            Version.created_by_id.label("versioned_by_id"),
            Category.lineage,
        )
        .join(Category, Category.id == Document.category_id)
        .outerjoin(Version, Version.id == Document.current_version_id)
        .where(Document.id.in_(document_ids), Document.trashed_at.is_(None))
    )
    found = db.session.execute(statement).all()
    ids = [row.id for row in found]
    lineages = {row.lineage: [int(part) for part in row.lineage.strip("/").split("/")] for row in found}
    sealed = _sealed({one for lineage in lineages.values() for one in lineage})
    shelves = {row.id: set(lineages[row.lineage]) for row in found}
    tags, values, bodies = _tags(ids), _values(shelves), read_bodies(ids)
    return {
        row.id: IndexRow(
            key_of(row.published_at or row.created_at, row.id),
            row.id,
            _facts(row, lineages[row.lineage], sealed, tags[row.id]),
            Texts(
                tokens(row.title, MOST["title"]),
                tokens(row.filename, MOST["filename"]),
                tokens(row.reference, MOST["reference"]),
                _joined((name for _, name in tags[row.id]), MOST["tags"]),
                _joined(values[row.id], MOST["fields"]),
                tokens(row.description, MOST["description"]),
                tokens(bodies.get(row.id, ""), MOST["body"]),
            ),
        )
        for row in found
    }


def read_bodies(document_ids: Collection[int]) -> Mapping[int, str]:
    """The text inside the current version of each document, as far as it can be found; of many there is none (yet)."""
    statement = (
        select(Document.id, func.substr(Preview.text, 1, MOST_BODY))
        .join(Version, Version.id == Document.current_version_id)
        .join(Preview, Preview.sha256 == Version.sha256)
        .where(Document.id.in_(document_ids), Preview.text.is_not(None))
    )
    return dict(db.session.execute(statement).all())


def _facts(row: Any, lineage: list[int], sealed: set[int], tags: list[tuple[int, str]]) -> list[str]:
    last = max((depth for depth, one in enumerate(lineage) if one in sealed), default=0)
    people = {row.created_by_id, row.versioned_by_id, row.responsible_id} - {None}
    return [
        *map(scope_fact, lineage[last:]),
        *map(place_fact, lineage),
        ending_fact(ending_of(row.filename)),
        *(tag_fact(tag_id) for tag_id, _ in tags),
        *map(person_fact, sorted(people)),
    ]


def _sealed(category_ids: Collection[int]) -> set[int]:
    return set(db.session.scalars(select(Category.id).where(Category.id.in_(category_ids), Category.is_sealed)))


def _tags(document_ids: Collection[int]) -> dict[int, list[tuple[int, str]]]:
    found: dict[int, list[tuple[int, str]]] = defaultdict(list)
    statement = select(DocumentTag.document_id, Tag.id, Tag.name).join(Tag, Tag.id == DocumentTag.tag_id)
    for document_id, tag_id, name in db.session.execute(
        statement.where(DocumentTag.document_id.in_(document_ids)).order_by(Tag.id)
    ):
        found[document_id].append((tag_id, name))
    return found


def _values(shelves: Mapping[int, Collection[int]]) -> dict[int, list[str]]:
    """What stands in the fields that are asked for where each document is; others nobody sees."""
    found: dict[int, list[str]] = defaultdict(list)
    statement = (
        select(FieldValue.document_id, CategoryField.category_id, FieldValue.value)
        .join(CategoryField, CategoryField.id == FieldValue.field_id)
        .where(FieldValue.document_id.in_(shelves), CategoryField.removed_at.is_(None))
        .order_by(FieldValue.field_id)
    )
    for document_id, category_id, value in db.session.execute(statement):
        if category_id in shelves[document_id]:
            found[document_id].append(value)
    return found


def _joined(texts: Iterable[str], most: int) -> list[str]:
    found: list[str] = []
    for text in texts:
        found += [BOUNDARY] if found else []
        found += tokens(text)
    return found[:most]
