"""Work on many things that outlives a request and a crash: edits of many documents, and imports under way."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, db_now


class BulkEdit(Base):
    """One change to many documents: asked for once, made document by document, each wholly or not at all."""

    __tablename__ = "bulk_edits"
    __table_args__ = (
        CheckConstraint("state IN ('planned', 'running', 'done', 'stopped')", name="state"),
        Index("ix_bulk_edits_created_by_id", "created_by_id"),
        Index("ix_bulk_edits_running", "id", sqlite_where=text("state = 'running'"),
              postgresql_where=text("state = 'running'")),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    created_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    """Who asked for it; what they may do is asked anew for every document."""
    changes: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What to change, as ``portal.catalog`` reads and writes it; nothing while nobody has said."""
    state: Mapped[str] = mapped_column(String(10), default="planned")
    """``planned`` while its maker looks at what it would do; such a one goes by itself after a day."""
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    closed_at: Mapped[datetime | None]


class BulkItem(Base):
    """One document of a bulk edit, with what became of it; written in the transaction that changes the document."""

    __tablename__ = "bulk_items"
    __table_args__ = (
        CheckConstraint("outcome IN ('changed', 'unchanged', 'refused')", name="outcome"),
        Index("ix_bulk_items_open", "bulk_edit_id", "document_id", sqlite_where=text("outcome IS NULL"),
              postgresql_where=text("outcome IS NULL")),
    )  # fmt: skip

    bulk_edit_id: Mapped[int] = mapped_column(ForeignKey("bulk_edits.id"), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id"), primary_key=True)
    outcome: Mapped[str | None] = mapped_column(String(10))
    """None while it is still to be done."""
    reason: Mapped[str] = mapped_column(Text, default="")
    """The sentence that says why it was refused."""


class ImportRun(Base):
    """An import that has not come to its end: the next one of the same directory to the same place goes on from it."""

    __tablename__ = "import_runs"
    __table_args__ = (
        UniqueConstraint("into_path", "directory", name="uq_import_runs_into_path_directory"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    directory: Mapped[str] = mapped_column(Text)
    into_path: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())


class ImportedFile(Base):
    """A file such an import has put into the catalog, with its stamp then; written in the same transaction."""

    __tablename__ = "imported_files"

    import_run_id: Mapped[int] = mapped_column(ForeignKey("import_runs.id"), primary_key=True)
    path: Mapped[str] = mapped_column(Text, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    ctime_ns: Mapped[int] = mapped_column(BigInteger)
