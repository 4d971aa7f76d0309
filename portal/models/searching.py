"""What search keeps beside its index: the words there are, what is to be indexed anew, and searches people saved."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, db_now

INDEX_TABLES = ("document_words", "search_term_grams")
"""The tables of the index itself, which are not models: SQLite's are virtual, each with tables behind it."""


class SearchTerm(Base):
    """A word that stands or once stood in a title or filename: what a mistyped word may have meant."""

    __tablename__ = "search_terms"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    term: Mapped[str] = mapped_column(String(100), unique=True)
    grams: Mapped[str] = mapped_column(Text)
    """Its runs of three letters, with spaces between."""


class SearchChange(Base):
    """A document whose row of the index no longer says what is true, until the worker has made it anew.

    A document may wait more than once: were it unique, two who change the same ones would wait for each other.
    """

    __tablename__ = "search_changes"
    __table_args__ = (Index("ix_search_changes_document_id", "document_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id"))
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())


class SavedSearch(Base):
    """A search somebody wants to have at hand, and perhaps to hear of when it finds something new."""

    __tablename__ = "saved_searches"
    __table_args__ = (Index("ix_saved_searches_user_id", "user_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(100))
    query: Mapped[str] = mapped_column(Text)
    wants_notice: Mapped[bool] = mapped_column(default=False)
    """Whether new hits are told in the daily mail."""
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    looked_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    """What was published after this is new, on the page of saved searches."""
    told_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    """What was published after this is new, for the mail."""
