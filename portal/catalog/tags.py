"""Tags: words that documents of any category are marked with, made when they are first used."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import Select, delete, func, insert, select, union
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from portal import access, search
from portal.actors import Actor
from portal.errors import BadInput
from portal.extensions import db
from portal.models import Document, DocumentTag, Tag

TAG_LENGTH = 60
KEY_LENGTH = 240
MOST_TAGS = 30
"""Of one document."""
RECENT, NEAR = 5_000, 300
"""So many of the newest documents of the portal, and of one category, say which tags are offered."""
OFFERED = 200
_UNNAMEABLE = re.compile('[,:"“”„‟«»＂]')
"""What parts tags, and what a search could not name in one."""


def split_tags(text: str) -> list[str]:
    """The tags of a text field: what stands between commas and line breaks."""
    return [name.strip() for name in re.split(r"[,\r\n]+", text) if name.strip()]


def require_tags(names: Iterable[str]) -> dict[str, str]:
    """Key to name of each, as stored; two spellings are one tag. Raises BadInput for a name that cannot be one, and for
    too many.
    """
    found: dict[str, str] = {}
    for name in map(_require_name, names):
        found.setdefault(search.folded(name), name)
    if len(found) > MOST_TAGS:
        raise BadInput(f"A document has at most {MOST_TAGS} tags.", field="tags")
    return found


def ensure_tags(tags: dict[str, str]) -> dict[str, int]:
    """Key to id of each, made where there is none. Inside a transaction.

    Two who make the same ones do so in one order, and the second waits for the first. Whoever describes several
    documents in one transaction calls it for all their tags first, or two of them may wait for each other.
    """
    found = _find(tags)
    missing = sorted(set(tags) - set(found))
    if missing:
        session = db.session()
        make = insert_sqlite if session.get_bind().dialect.name == "sqlite" else insert_postgresql
        rows = [{"name": tags[key], "name_key": key} for key in missing]
        session.execute(make(Tag).on_conflict_do_nothing(index_elements=["name_key"]), rows)
        found |= _find(missing)
    return found


def write_tags(document_id: int, tags: dict[str, str]) -> bool:
    """Give a document these tags and no others; whether that changed anything. Inside a transaction that holds it."""
    wanted = set(ensure_tags(tags).values())
    had = set(db.session.scalars(select(DocumentTag.tag_id).where(DocumentTag.document_id == document_id)))
    gone, fresh = had - wanted, wanted - had
    if gone:
        these = (DocumentTag.document_id == document_id, DocumentTag.tag_id.in_(gone))
        db.session.execute(delete(DocumentTag).where(*these))
    if fresh:
        rows = [{"document_id": document_id, "tag_id": tag_id} for tag_id in sorted(fresh)]
        db.session.execute(insert(DocumentTag), rows)
    return bool(gone or fresh)


def list_tags(document_ids: Iterable[int]) -> dict[int, list[Tag]]:
    """Document to its tags, in alphabetical order; documents without any are left out."""
    statement = select(DocumentTag.document_id, Tag).join(Tag, Tag.id == DocumentTag.tag_id)
    statement = statement.where(DocumentTag.document_id.in_(list(document_ids))).order_by(Tag.name_key)
    found: dict[int, list[Tag]] = defaultdict(list)
    for document_id, tag in db.session.execute(statement):
        found[document_id].append(tag)
    return dict(found)


def list_offered_tags(actor: Actor, category_id: int = access.NO_CATEGORY) -> Sequence[str]:
    """Names of tags to choose from, in alphabetical order: of what is new in the portal and near in one category.

    Only tags of documents the person may read are among them, and no more is looked at where there are a million.
    """
    last = select(func.coalesce(func.max(Document.id), 0)).scalar_subquery()
    near = select(Document.id).where(Document.category_id == category_id)
    near = near.order_by(Document.published_at.desc(), Document.id.desc()).limit(NEAR)
    looked_at = union(select(Document.id).where(Document.id > last - RECENT), select(near.subquery().c.id)).cte()
    used = select(DocumentTag.tag_id).join(Document, Document.id == DocumentTag.document_id)
    used = _readable_among(used.join(looked_at, looked_at.c.id == Document.id), actor)
    statement = select(Tag.name).where(Tag.id.in_(used)).order_by(Tag.name_key).limit(OFFERED)
    return db.session.scalars(statement).all()


def _readable_among(statement: Select[int], actor: Actor) -> Select[int]:
    """``access.readable`` with a look at each document: joined, SQLite would go through all of every category."""
    if actor.is_admin:
        return access.readable(statement, actor)
    reach = access.reachable(actor)
    level = select(reach.c.level).where(reach.c.category_id == Document.category_id).scalar_subquery()
    return statement.where(access.visible(func.coalesce(level, 0)))


def _require_name(name: str) -> str:
    # Measured before normalising, which takes quadratic time, and after it, for some characters become several.
    name = " ".join(name.split())
    if len(name) <= TAG_LENGTH:
        name = unicodedata.normalize("NFC", name)
    if not name or len(name) > TAG_LENGTH or any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name):
        raise BadInput(f"A tag has 1 to {TAG_LENGTH} characters that can be seen.", field="tags")
    if _UNNAMEABLE.search(name):
        raise BadInput(f"A tag has no commas, colons or quotes in it: “{name}”.", field="tags")
    if not 0 < len(search.folded(name).strip()) <= KEY_LENGTH:
        raise BadInput(f"A tag has 1 to {TAG_LENGTH} characters that can be seen.", field="tags")
    return name


def _find(keys: Iterable[str]) -> dict[str, int]:
    statement = select(Tag.name_key, Tag.id).where(Tag.name_key.in_(list(keys)))
    return dict(db.session.execute(statement).all())
