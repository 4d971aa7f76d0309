"""Copies that people have: which version of which document has these bytes, and whether a newer one replaced it."""

import re
import uuid as uuids
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import aliased

from portal import access
from portal.actors import Actor
from portal.catalog.versions import NEXT, NEXT_AUTHOR, Successor, successor
from portal.errors import BadInput
from portal.extensions import db
from portal.models import Blob, Document, Version

MOST = 25
LENGTH = 64
MOST_CHARACTERS = 5000
"""As long as a line of a program that prints hashes may be: they end with a path."""
HASH = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{64}(?![0-9A-Za-z])", re.ASCII)
NAMED = re.compile(r"sha-?256 ?\(", re.ASCII | re.IGNORECASE)
"""How a line of ``shasum --tag`` and of BSD begins: the file stands before the hash, and may be called like one."""
PREFIX = re.compile(r"sha-?256\s*[:=]?", re.ASCII | re.IGNORECASE)
APART = re.compile(r"[\s:-]+")
HEX = re.compile(r"[0-9a-f]+", re.ASCII)


@dataclass(frozen=True)
class Copy:
    """A document one of whose versions has the bytes asked about: ``number`` is the newest that has.

    ``scan_state`` is what is known of viruses in these bytes, ``current_scan_state`` in those of the current version:
    of what is in ``scans.HELD`` nobody is told that it is good, nor shown the way to it.
    """

    document_id: int
    uuid: uuids.UUID
    title: str
    filename: str
    size: int
    current: int
    number: int
    scan_state: str | None
    current_scan_state: str | None
    replaced: Successor | None

    @property
    def is_current(self) -> bool:
        """Whether no newer version has other bytes."""
        return self.replaced is None


def parse_sha256(text: str) -> str:
    """The hash that somebody pasted, in small letters.

    Capitals, blanks or colons between the bytes, ``sha256:`` before it and the whole line of a program that prints
    hashes are taken. Raises BadInput with what is wrong.
    """
    text = text.strip()[:MOST_CHARACTERS]
    whole: list[str] = HASH.findall(text)
    if whole:
        return whole[-1 if NAMED.match(text) else 0].lower()
    bare = APART.sub("", PREFIX.sub("", text, count=1)).lower()
    if not bare:
        raise BadInput("Choose your copy, or paste its SHA-256.", field="sha256")
    if not HEX.fullmatch(bare):
        raise BadInput(f"This is no SHA-256: that has {LENGTH} signs, each 0 to 9 or a to f.", field="sha256")
    if len(bare) != LENGTH:
        raise BadInput(f"A SHA-256 has {LENGTH} signs. These are {len(bare)}.", field="sha256")
    return bare


def find_copy(actor: Actor, document_id: int, sha256: str) -> Copy | None:
    """What these bytes are of this document, for somebody who may read it; None when no version ever had them."""
    found = db.session.execute(access.readable(_copies(sha256).where(Document.id == document_id), actor)).one_or_none()
    return _copy(found) if found is not None else None


def find_copies(actor: Actor, sha256: str) -> list[Copy]:
    """The same of every document the person may read, the newest first, at most ``MOST``.

    Of others nobody learns anything: they are as if there were none.
    """
    statement = access.readable(_copies(sha256), actor).order_by(Document.id.desc()).limit(MOST)
    return [_copy(found) for found in db.session.execute(statement)]


def _copies(sha256: str) -> Select[*tuple[Any, ...]]:
    newest = select(Version.document_id, func.max(Version.number).label("number"))
    held = newest.where(Version.sha256 == sha256).group_by(Version.document_id).subquery("held")
    current, own = aliased(Version), aliased(Blob)
    return (
        select(Document.id, Document.uuid, Document.title, Document.filename, current.size, current.number)
        .add_columns(held.c.number, own.scan_state, Blob.scan_state)
        .add_columns(NEXT.number, NEXT.created_at, NEXT_AUTHOR.name)
        .join(held, held.c.document_id == Document.id)
        .join(current, current.id == Document.current_version_id)
        .outerjoin(own, own.sha256 == sha256)
        .outerjoin(Blob, Blob.id == current.blob_id)
        .outerjoin(NEXT, and_(NEXT.document_id == Document.id, NEXT.number == held.c.number + 1))
        .outerjoin(NEXT_AUTHOR, NEXT_AUTHOR.id == NEXT.created_by_id)
    )


def _copy(found: Sequence[Any]) -> Copy:
    values = [*found[:-3], successor(*found[-3:])]
    return Copy(*values)
