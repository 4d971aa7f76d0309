"""What is to be indexed anew: written down by whoever changes a document, in the same transaction."""

from functools import partial

from sqlalchemy import ColumnElement, delete, literal_column, select, text, true, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from portal import jobs
from portal.extensions import after_commit, db
from portal.models import Category, Document, SearchChange, db_now

LOOK = "search"
"""The name of the worker's look at what is queued."""

_wake = partial(jobs.wake, LOOK)


def queue_documents(which: ColumnElement[bool]) -> None:
    """Have the documents that meet a condition on ``Document`` and ``Category`` indexed anew by the worker.

    Call it inside the transaction that changes them, as often as you like: a document waits once.
    """
    session = db.session()
    make = insert_sqlite if session.get_bind().dialect.name == "sqlite" else insert_postgresql
    changed = select(Document.id, db_now()).join(Category, Category.id == Document.category_id).where(which)
    # SQLite takes the ON of a conflict for that of a join unless a WHERE stands between.
    changed = changed.where(literal_column("1") == 1)
    statement = make(SearchChange).from_select(["document_id", "created_at"], changed)
    session.execute(statement.on_conflict_do_nothing(index_elements=["document_id"]))
    after_commit(_wake)


def start_over() -> None:
    """Forget the index and have every document indexed anew. Inside a transaction."""
    session = db.session()
    session.execute(text("DELETE FROM document_words"))
    session.execute(update(Document).where(Document.search_key.is_not(None)).values(search_key=None))
    session.execute(delete(SearchChange))
    queue_documents(true())
