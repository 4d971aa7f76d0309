"""What people say of documents beside title and description: tags, and fields that a category asks for."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, db_now

KINDS = ("text", "date", "number", "choice")
"""Of a field: what may stand in it."""


class Tag(Base):
    """A word that documents of any category are marked with."""

    __tablename__ = "tags"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    """As it was first written."""
    name_key: Mapped[str] = mapped_column(String(240), unique=True)
    """NFKC and casefolded: two spellings are one tag."""
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())


class DocumentTag(Base):
    """A document that has a tag."""

    __tablename__ = "document_tags"
    __table_args__ = (Index("ix_document_tags_tag_id", "tag_id", "search_key"),)

    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    search_key: Mapped[int | None] = mapped_column(BigInteger)
    """As the document has it: so that PostgreSQL finds what has a tag in the order of lists, as SQLite's FTS5 does."""


class CategoryField(Base):
    """Something a category wants to know of each document in it and below it, such as an invoice's number."""

    __tablename__ = "category_fields"
    __table_args__ = (
        CheckConstraint("kind IN ('text', 'date', 'number', 'choice')", name="kind"),
        Index("uq_category_fields_name_key", "category_id", "name_key", unique=True,
              sqlite_where=text("removed_at IS NULL"), postgresql_where=text("removed_at IS NULL")),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id"))
    name: Mapped[str] = mapped_column(String(60))
    name_key: Mapped[str] = mapped_column(String(240))
    """NFKC and casefolded, as a search names it."""
    kind: Mapped[str] = mapped_column(String(10))
    choices: Mapped[str] = mapped_column(Text, default="")
    """Of a choice: what may be chosen, one a line."""
    position: Mapped[int] = mapped_column(default=0)
    """In which order the fields of a category stand."""
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    removed_at: Mapped[datetime | None]
    """What was written into it stays, and comes back with it."""


class FieldValue(Base):
    """What a document has in a field; no row for an empty one."""

    __tablename__ = "field_values"
    __table_args__ = (Index("ix_field_values_field_id", "field_id", "value"),)

    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id"), primary_key=True)
    field_id: Mapped[int] = mapped_column(ForeignKey("category_fields.id"), primary_key=True)
    value: Mapped[str] = mapped_column(String(500))
    """The text or choice; a date as 2026-11-30; a number with a point and without zeros it does not need."""
