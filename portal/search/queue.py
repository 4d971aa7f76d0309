"""What is to be indexed anew: written down by whoever changes documents, in their transaction; done by the worker."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import ColumnElement, Select, delete, func, insert, select, text, true, update

from portal import jobs
from portal.extensions import after_commit, db, give_way, release_connection, transaction
from portal.models import Category, Document, SearchChange, db_now
from portal.search.terms import add_terms, forget_terms
from portal.search.writing import hold, write_rows

LOOK = "search"
"""The name of the worker's look at what is queued."""
BATCH = 100
"""How many documents are indexed in one transaction: on SQLite everybody who writes waits for it."""
SLICE_SECONDS = 2.0
"""After so long the worker looks at what else there is to do, and then goes on here."""

_wake = partial(jobs.wake, LOOK)


def queue_documents(which: ColumnElement[bool]) -> None:
    """Have the documents that meet a condition on ``Document`` and ``Category`` indexed anew by the worker.

    Call it inside the transaction that changes them.
    """
    changed = select(Document.id, db_now()).join(Category, Category.id == Document.category_id).where(which)
    db.session.execute(insert(SearchChange).from_select(["document_id", "created_at"], changed))
    after_commit(_wake)


def queue_shelves(which: ColumnElement[bool]) -> None:
    """The same for every document in categories that meet a condition on ``Category``.

    By their ids: asked for together, SQLite would look at each document there is, and everybody who writes would wait.
    """
    queue_documents(Document.category_id.in_(select(Category.id).where(which).correlate(None)))


def start_over() -> None:
    """Forget the index and have every document indexed anew, inside a transaction; until then no word is found.

    Tags keep their place in the order of lists: PostgreSQL goes on finding what has one, and that is right.
    """
    session = db.session()
    session.execute(text("DELETE FROM document_words"))
    session.execute(update(Document).where(Document.search_key.is_not(None)).values(search_key=None))
    forget_terms()
    session.execute(delete(SearchChange))
    queue_documents(true())


def count_waiting() -> int:
    """How many documents wait to be indexed anew."""
    return db.session.scalar(select(func.count(SearchChange.document_id.distinct()))) or 0


def waiting() -> Select[int]:
    """The documents that wait to be indexed anew, some more than once: what the index says of them may be wrong."""
    return select(SearchChange.document_id)


def take_turn(is_stopping: Callable[[], bool]) -> None:
    """The worker's look: index what waits, for a moment; then let the worker come back to it."""
    until = time.monotonic() + SLICE_SECONDS
    catch_up(lambda: is_stopping() or time.monotonic() > until)
    if not is_stopping() and time.monotonic() > until:
        _wake()


def catch_up(is_stopping: Callable[[], bool], told: Callable[[int], None] = lambda done: None) -> None:
    """Index what waits, the newest documents first, until nothing does; several may do so at once.

    ``told`` hears after each transaction how many were done in it.
    """
    done = -1
    while done != 0 and not is_stopping():
        done = _pass(is_stopping, told)


def _pass(is_stopping: Callable[[], bool], told: Callable[[int], None]) -> int:
    """Once through all that waits; how many were done. What others are at is left to them."""
    done, last = 0, None
    while not is_stopping() and (waiting := _list_waiting(last)):
        last, began = waiting[-1], time.monotonic()
        indexed = _index(waiting)
        give_way(time.monotonic() - began)
        done += indexed
        told(indexed)
    return done


def _list_waiting(last: int | None) -> Sequence[int]:
    statement = select(SearchChange.document_id).distinct().order_by(SearchChange.document_id.desc()).limit(BATCH)
    if last is not None:
        statement = statement.where(SearchChange.document_id < last)
    found = db.session.scalars(statement).all()
    release_connection()
    return found


def _index(document_ids: Sequence[int]) -> int:
    with transaction() as session:
        held = hold(document_ids, is_skipping=True)
        # Before the documents are read: what is written down after this belongs to a change not seen here.
        gone = delete(SearchChange).where(SearchChange.document_id.in_(held)).returning(SearchChange.document_id)
        waiting = set(session.scalars(gone))
        new = write_rows(sorted(waiting))
        add_terms(set().union(*new.values()))
    return len(waiting)
