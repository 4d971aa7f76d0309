"""What the page of a document shows beside its versions, found by one query however much it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, ColumnElement, Integer, Select, SQLColumnExpression, and_, func, literal, select
from sqlalchemy.orm import aliased, undefer

from portal import access
from portal.actors import Actor
from portal.catalog.editions import Edition, edition_in, editions
from portal.catalog.refs import Ref
from portal.catalog.responsible import is_open
from portal.catalog.soundness import is_given_out
from portal.extensions import db
from portal.models import Category, CategoryField, Document, DocumentTag, FieldValue, Preview, Seen, Tag, User, Version

_ASKING = aliased(Category)
"""The category a field was added to."""


@dataclass(frozen=True)
class Shown:
    """A document in its newest version, with the category it is in and what is said about it.

    ``responsible`` is a name, None for nobody and for somebody whose account is closed; ``values`` are what stands in
    the fields its category asks for: name, kind, value. ``opened`` is the newest version whose page the person had open
    before, 0 for none. ``preview`` is what was made of its bytes, None too where these are not given out.
    """

    edition: Edition
    document: Document
    category: Category
    responsible: str | None
    tags: tuple[str, ...]
    values: tuple[tuple[str, str, str], ...]
    opened: int
    preview: Preview | None


def find_shown(actor: Actor, ref: Ref) -> Shown | None:
    """The document ``actor`` may read under this ref; unknown and forbidden are the same empty result."""
    named = Document.id == ref if isinstance(ref, int) else Document.uuid == ref
    statement = (
        editions()
        .add_columns(Document, Category, User.name, _tags(), _values(), Seen.number, Preview)
        .join(Category, Category.id == Document.category_id)
        .outerjoin(User, and_(User.id == Document.responsible_id, is_open))
        .outerjoin(Seen, and_(Seen.document_id == Document.id, Seen.user_id == literal(actor.user_id, Integer)))
        .outerjoin(Preview, and_(Preview.sha256 == Version.sha256, is_given_out()))
        .options(undefer(Preview.table), undefer(Preview.text))
        .where(named, access.visible(access.level_at(Document.category_id, actor)))
    )
    row = db.session.execute(statement).first()
    if row is None:
        return None
    *edition, document, category, responsible, tags, values, opened, preview = row
    names = tuple(name for _, name in sorted(tags or ()))
    said = tuple((name, kind, value) for *_, name, kind, value in sorted(values or ()))
    return Shown(edition_in(edition), document, category, responsible, names, said, opened or 0, preview)


def _tags() -> ColumnElement[Any]:
    statement = select(_listed(Tag.name_key, Tag.name)).join(DocumentTag, DocumentTag.tag_id == Tag.id)
    return _of_document(statement, DocumentTag.document_id)


def _values() -> ColumnElement[Any]:
    order = (_ASKING.depth, CategoryField.position, CategoryField.id)
    statement = (
        select(_listed(*order, CategoryField.name, CategoryField.kind, FieldValue.value))
        .select_from(FieldValue)
        .join(CategoryField, CategoryField.id == FieldValue.field_id)
        .join(_ASKING, _ASKING.id == CategoryField.category_id)
        .where(CategoryField.removed_at.is_(None), Category.lineage.startswith(_ASKING.lineage))
    )
    return _of_document(statement, FieldValue.document_id)


def _of_document(statement: Select[Any], document_id: SQLColumnExpression[int]) -> ColumnElement[Any]:
    return statement.where(document_id == Document.id).correlate(Document, Category).scalar_subquery()


def _listed(*columns: Any) -> ColumnElement[Sequence[Any]]:
    """Rows as one value, a list of lists; none of them may be None."""
    if db.session.get_bind().dialect.name == "sqlite":
        return func.json_group_array(func.json_array(*columns), type_=JSON)
    return func.json_agg(func.json_build_array(*columns), type_=JSON)
