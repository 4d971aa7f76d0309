"""The whole index made anew, and compared with the catalog, beside everybody who searches and writes meanwhile."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence

from sqlalchemy import Select, delete, func, select, text

from portal.extensions import db, give_way, release_connection, transaction
from portal.models import Document, DocumentTag, SearchChange
from portal.search.queue import BATCH
from portal.search.rows import IDS, IndexRow, read_rows
from portal.search.terms import add_terms, forget_terms
from portal.search.writing import hold, postgresql_words, remove_keys, sqlite_row, write_rows

_ROWS_SQLITE = text(
    "SELECT rowid AS key, facts, title, filename, reference, tags, fields, description, body"
    " FROM document_words WHERE rowid = :key"
)
_ROWS_POSTGRESQL = text(
    "SELECT made.document_id FROM unnest(CAST(:keys AS bigint[]), CAST(:ids AS integer[]), CAST(:words AS text[]))"
    " AS made (key, document_id, words) LEFT JOIN document_words ON document_words.document_id = made.document_id"
    " WHERE document_words.key IS DISTINCT FROM made.key OR document_words.words IS DISTINCT FROM made.words::tsvector"
)
_KEYS = {
    "sqlite": text("SELECT rowid FROM document_words WHERE rowid > :last ORDER BY rowid LIMIT :most"),
    "postgresql": text("SELECT key FROM document_words WHERE key > :last ORDER BY key LIMIT :most"),
}


def reindex(tell: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Make the row of every document anew, the newest first, and remove rows of none; how many documents there are.

    Each batch is a transaction of its own: readers go on finding, and writers wait no longer than for one. Until it is
    through, a mistyped word may not be understood, and not all that begins so be suggested.
    """
    forget_terms()
    total = db.session.scalars(select(func.count()).select_from(Document)).one()
    done, last = 0, None
    while ids := _page(last):
        last, began = ids[-1], time.monotonic()
        with transaction() as session:
            hold(ids)
            session.execute(delete(SearchChange).where(SearchChange.document_id.in_(ids)))
            add_terms(set().union(*write_rows(ids).values()))
        give_way(time.monotonic() - began)
        done += len(ids)
        tell(min(done, total), total)
    for keys in _strays():
        with transaction():
            remove_keys(_astray(keys))
    return done


def count_differing() -> int:
    """How many documents are not in the index as they should be, or are in it and should not be.

    What waits for the worker does not count.
    """
    found, last = 0, None
    while ids := _page(last):
        last = ids[-1]
        if _differing(ids):
            with transaction():  # once more, while nobody changes them
                hold(ids)
                found += len(_differing(ids))
    return found + sum(len(keys) for keys in _strays())


def _page(last: int | None) -> Sequence[int]:
    statement = select(Document.id).order_by(Document.id.desc()).limit(BATCH)
    if last is not None:
        statement = statement.where(Document.id < last)
    found = db.session.scalars(statement).all()
    release_connection()
    return found


def _differing(ids: Collection[int]) -> set[int]:
    waiting = set(db.session.scalars(select(SearchChange.document_id).where(SearchChange.document_id.in_(ids))))
    keyed = select(Document.id, Document.search_key).where(Document.id.in_(ids))
    keys = {row.id: row.search_key for row in db.session.execute(keyed)}
    rows = read_rows(ids)
    wrong = {one for one, key in keys.items() if key != (rows[one].key if one in rows else None)}
    wrong |= set(db.session.scalars(_with_misplaced_tags(ids)))
    look = _differing_sqlite if db.engine.dialect.name == "sqlite" else _differing_postgresql
    return (wrong | look(list(rows.values()))) - waiting


def _with_misplaced_tags(ids: Collection[int]) -> Select[int]:
    """Those of these documents whose tags stand elsewhere in the order of lists than they do."""
    tagged = select(Document.id).join(DocumentTag, DocumentTag.document_id == Document.id)
    return tagged.where(Document.id.in_(ids), DocumentTag.search_key.is_distinct_from(Document.search_key))


def _differing_sqlite(rows: Sequence[IndexRow]) -> set[int]:
    found = set()
    for row in rows:
        stored = db.session.execute(_ROWS_SQLITE, {"key": row.key}).mappings().first()
        if stored is None or dict(stored) != sqlite_row(row):
            found.add(row.document_id)
    return found


def _differing_postgresql(rows: Sequence[IndexRow]) -> set[int]:
    values = {
        "keys": [row.key for row in rows],
        "ids": [row.document_id for row in rows],
        "words": [postgresql_words(row) for row in rows],
    }
    return set(db.session.scalars(_ROWS_POSTGRESQL, values))


def _strays() -> Iterator[set[int]]:
    """Keys in the index under which no document is kept, some at a time."""
    last = -1
    while keys := db.session.scalars(_KEYS[db.engine.dialect.name], {"last": last, "most": BATCH}).all():
        last = keys[-1]
        if astray := _astray(keys):
            yield astray
        release_connection()


def _astray(keys: Collection[int]) -> set[int]:
    kept = select(Document.search_key).where(Document.id.in_([key & IDS for key in keys]))
    return set(keys) - set(db.session.scalars(kept))
