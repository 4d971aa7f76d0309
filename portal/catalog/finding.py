"""What search found, as rows of a list with the texts that say why."""

from dataclasses import dataclass
from functools import cache

from sqlalchemy import Select, case, func, select

from portal import search
from portal.actors import Actor
from portal.catalog.lines import FIRST, list_front
from portal.catalog.listing import PAGE, DocumentRow, list_by_ids
from portal.catalog.shown import COME
from portal.catalog.soundness import is_given_out
from portal.extensions import ask, db
from portal.models import Blob, Document, Preview, Version
from portal.prepared import is_one_of
from portal.reach import Reach
from portal.search import Keys, Query

NEWEST = MOST_TAGS = 200
MOST_BODY = 60_000
"""Characters of the text inside a document that are looked through for what was found."""


@dataclass(frozen=True)
class Found:
    """One document that was found, with its description and the beginning of the text inside it."""

    row: DocumentRow
    description: str
    body: str


@dataclass(frozen=True)
class FoundPage:
    """One page of what was found; ``after`` asks for the next one, None at the end.

    ``corrected`` is what was looked for instead, when nothing has what was asked for; else "". ``keys`` is where more
    of what was found comes from, of a first page.
    """

    found: list[Found]
    after: str | None
    corrected: str
    keys: Keys | None


def find_documents(
    actor: Actor,
    query: Query,
    *,
    after: str | None = None,
    by_relevance: bool = False,
    limit: int = PAGE,
    reach: Reach | None = None,
) -> FoundPage:
    """The documents the person may read that a query finds, newest first or the best first.

    ``reach`` is that of the person where more is asked for. Raises BadRequest for an ``after`` of no page.
    """
    reach = reach or Reach(actor)
    hits = search.find(actor, query, after=after, limit=limit, by_relevance=by_relevance, reach=reach)
    rows = list_by_ids(actor, hits.document_ids, reach=reach)
    texts = _texts([row.id for row in rows])
    return FoundPage([Found(row, *texts.get(row.id, ("", ""))) for row in rows], hits.after, hits.corrected, hits.keys)


def suggest_documents(actor: Actor, text: str, limit: int) -> list[DocumentRow]:
    """Documents the person may read whose title or filename has these words, the last of them perhaps only begun."""
    reach = Reach(actor)
    return list_by_ids(actor, search.suggest(actor, text, limit, reach=reach), reach=reach)


def list_tags_seen(actor: Actor) -> list[str]:
    """The names of the tags of the newest 200 documents the person may read, in alphabetical order."""
    newest = list_front(actor, COME, NEWEST, at=None, last_id=None, since=FIRST)
    return sorted(search.count_tags(newest), key=search.folded)[:MOST_TAGS]


def _texts(document_ids: list[int]) -> dict[int, tuple[str, str]]:
    """Description and text inside, by document; of bytes that are not given out nothing is shown either."""
    if not document_ids:
        return {}
    found = ask(_describing(db.session.get_bind().dialect.name), ids=document_ids)
    return {document_id: (description, inside) for document_id, description, inside in found}


@cache
def _describing(dialect: str) -> Select[int, str, str]:
    body = case((is_given_out(), func.substr(func.coalesce(Preview.text, ""), 1, MOST_BODY)), else_="")
    return (
        select(Document.id, Document.description, body)
        .join(Version, Version.id == Document.current_version_id)
        .outerjoin(Blob, Blob.id == Version.blob_id)
        .outerjoin(Preview, Preview.sha256 == Version.sha256)
        .where(is_one_of(Document.id, "ids", dialect))
    )
