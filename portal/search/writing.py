"""Rows of the index, written beside the documents: one kind of row for each database, the same tokens in both."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Update, bindparam, insert, select, text, update

from portal.extensions import db
from portal.models import Document, DocumentTag, SearchChange
from portal.search.rows import BOUNDARY, IndexRow, read_rows
from portal.search.terms import terms_of, unknown_terms

GAP = 10
"""Positions between two texts in PostgreSQL's one column, so that no phrase reaches from one into the next."""
WEIGHTS = ("A", "A", "B", "B", "C", "C", "D")
"""Of the texts in their order: A is what a document is called."""

_DOCUMENTS = Document.metadata.tables[Document.__tablename__]
_CHANGES = SearchChange.metadata.tables[SearchChange.__tablename__]
_KEY = update(_DOCUMENTS).where(_DOCUMENTS.c.id == bindparam("document")).values(search_key=bindparam("key"))
_DELETE_SQLITE = text("DELETE FROM document_words WHERE rowid = :key")
_INSERT_SQLITE = text(
    "INSERT INTO document_words"
    " (rowid, facts, title, filename, reference, tags, fields, description, body)"
    " VALUES (:key, :facts, :title, :filename, :reference, :tags, :fields, :description, :body)"
)
_DELETE_POSTGRESQL = text("DELETE FROM document_words WHERE document_id = ANY(:ids)")
_DELETE_KEYS = text("DELETE FROM document_words WHERE key = ANY(:keys)")
_INSERT_POSTGRESQL = text(
    "INSERT INTO document_words (key, document_id, words)"
    " SELECT key, document_id, words::tsvector FROM unnest(CAST(:keys AS bigint[]), CAST(:ids AS integer[]),"
    " CAST(:words AS text[])) AS made (key, document_id, words)"
)


def index_documents(document_ids: Collection[int]) -> None:
    """Bring the rows of these documents up to date. In the transaction that changes them, when that is done.

    Words that were never seen before are left to the worker, who adds them to those a mistyped word may have meant:
    two who add the same word would wait for each other.
    """
    ids = hold(document_ids)
    new = write_rows(ids)
    if new:
        db.session.execute(insert(_CHANGES), [{"document_id": one} for one in new])


def hold(document_ids: Collection[int], *, is_skipping: bool = False) -> list[int]:
    """Have nobody else index these documents until the transaction ends; those that somebody holds may be skipped."""
    statement = select(Document.id).where(Document.id.in_(document_ids)).order_by(Document.id)
    return list(db.session.scalars(statement.with_for_update(key_share=True, skip_locked=is_skipping)))


def hold_all(which: ColumnElement[bool]) -> None:
    """The same for all documents that meet a condition, before they are changed together: they are held in the order in
    which ``hold`` does it, for in any other two could wait for each other. On SQLite one writes at a time anyway.
    """
    session = db.session()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(Document.id).where(which).order_by(Document.id).with_for_update(key_share=True))


def write_rows(document_ids: Collection[int]) -> dict[int, set[str]]:
    """The same for documents that are held already; gives the words nobody has seen before, by document."""
    session = db.session()
    known = select(Document.id, Document.search_key).where(Document.id.in_(document_ids))
    before = {row.id: row.search_key for row in session.execute(known)}
    rows = read_rows(document_ids)
    if session.get_bind().dialect.name == "sqlite":
        _write_sqlite(before, rows.values())
    else:
        _write_postgresql(before, rows.values())
    keys = {one: rows[one].key if one in rows else None for one in before}
    moved = [{"document": one, "key": key} for one, key in keys.items() if key != before[one]]
    if moved:
        session.connection().execute(_KEY, moved)
    session.execute(_order_tags(document_ids))
    words = {row.document_id: terms_of(row) for row in rows.values()}
    unknown = unknown_terms(set().union(*words.values())) if words else set()
    return {one: found & unknown for one, found in words.items() if found & unknown}


def _order_tags(document_ids: Collection[int]) -> Update:
    """The tags of these documents get the documents' keys, where they have others."""
    key = select(Document.search_key).where(Document.id == DocumentTag.document_id).scalar_subquery()
    these = (DocumentTag.document_id.in_(document_ids), DocumentTag.search_key.is_distinct_from(key))
    return update(DocumentTag).where(*these).values(search_key=key).execution_options(synchronize_session=False)


def _write_sqlite(before: dict[int, int | None], rows: Iterable[IndexRow]) -> None:
    connection = db.session.connection()
    gone = [{"key": key} for key in before.values() if key is not None]
    if gone:
        connection.execute(_DELETE_SQLITE, gone)
    made = [sqlite_row(row) for row in rows]
    if made:
        connection.execute(_INSERT_SQLITE, made)


def _write_postgresql(before: dict[int, int | None], rows: Iterable[IndexRow]) -> None:
    connection = db.session.connection()
    connection.execute(_DELETE_POSTGRESQL, {"ids": list(before)})
    made = list(rows)
    if made:
        values = {
            "keys": [row.key for row in made],
            "ids": [row.document_id for row in made],
            "words": [postgresql_words(row) for row in made],
        }
        connection.execute(_INSERT_POSTGRESQL, values)


def remove_keys(keys: Collection[int]) -> None:
    """Remove rows that are no document's."""
    session = db.session()
    if session.get_bind().dialect.name == "sqlite":
        session.connection().execute(_DELETE_SQLITE, [{"key": key} for key in keys])
    else:
        session.execute(_DELETE_KEYS, {"keys": list(keys)})


def sqlite_row(row: IndexRow) -> dict[str, Any]:
    """The row of SQLite's FTS5: tokens with spaces between."""
    texts = {name: " ".join(found) for name, found in row.texts._asdict().items()}
    return {"key": row.key, "facts": " ".join(row.facts), **texts}


def postgresql_words(row: IndexRow) -> str:
    """PostgreSQL's tsvector as text: each token with its positions, which say where it stands and in which text."""
    places: dict[str, list[str]] = defaultdict(list)
    for position, weight, token in _positions(row):
        places[token].append(f"{position}{weight}")
    words = [f"'{token}':{','.join(found)}" for token, found in places.items()]
    return " ".join([*(f"'{fact}'" for fact in row.facts), *words])


def _positions(row: IndexRow) -> Iterator[tuple[int, str, str]]:
    position = 0
    for weight, found in zip(WEIGHTS, row.texts, strict=True):
        for token in found:
            position += 1
            if token != BOUNDARY:
                yield position, weight, token
        position += GAP
