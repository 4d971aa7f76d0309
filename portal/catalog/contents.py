"""The bytes of a version: what they are, the one row that answers for them, and the version that refers to it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update

from portal.accounts.quotas import change_used
from portal.actors import Actor
from portal.catalog import scans
from portal.catalog.soundness import record_healing, seen_as, stamp_in
from portal.catalog.texts import require_text
from portal.catalog.wanting import want_previews
from portal.errors import DocumentNotFound
from portal.extensions import db, lock_on
from portal.models import Blob, Document, Version, db_now
from portal.storage import Stamp


@dataclass(frozen=True)
class Content:
    """The bytes of a version to be: what they are, and their one place (a blob unless a source is named)."""

    sha256: str
    crc32: int
    size: int
    content_type: str
    source_id: int | None = None
    source_path: str | None = None
    source_mtime_ns: int | None = None
    stamp: Stamp | None = None
    """Of the file that was just written or hashed; None when the bytes are not there (yet)."""

    @property
    def seen(self) -> dict[str, Any]:
        """What the row that answers for the bytes remembers of them."""
        return seen_as(self.stamp) if self.stamp is not None else {}


def get_version(version_id: int) -> Version:
    """The version with this id. Raises DocumentNotFound."""
    version = db.session.get(Version, version_id)
    if version is None:
        raise DocumentNotFound
    return version


def has(document: Document, content: Content) -> bool:
    """Whether these are the bytes of its current version."""
    return document.current_version_id is not None and get_version(document.current_version_id).sha256 == content.sha256


def follow(actor: Actor | None, document: Document, content: Content) -> None:
    """The same bytes, touched or renamed on disk, or stored once more: the row that answers for them follows."""
    version = get_version(document.current_version_id or 0)
    if version.blob_id is not None and not _is_known(version.blob_id, content):
        ensure_blob(actor, content)
    if version.source_id is not None and content.source_id is not None:
        place = {"source_path": content.source_path, "source_mtime_ns": content.source_mtime_ns}
        if version.damage is not None:
            record_healing(actor, Version, version.id, version.sha256)
        db.session.execute(update(Version).where(Version.id == version.id).values(**place, **content.seen))


def attach(
    actor: Actor | None,
    document: Document,
    filename: str,
    content: Content,
    note: str,
    *,
    restored: Version | None = None,
) -> None:
    """Make them the current version of a document; inside a transaction that holds it.

    ``restored`` is the older version they are of, when it is brought back.
    """
    version = Version(
        document_id=document.id,
        number=document.version_count + 1,
        filename=filename,
        note=require_text(note, "note"),
        restored_from_id=restored.id if restored is not None else None,
        content_type=content.content_type,
        size=content.size,
        sha256=content.sha256,
        crc32=content.crc32,
        blob_id=ensure_blob(actor, content) if content.source_id is None else None,
        source_id=content.source_id,
        source_path=content.source_path,
        source_mtime_ns=content.source_mtime_ns,
        created_by_id=actor.user_id if actor else None,
        **(content.seen if content.source_id is not None else {}),
    )
    session = db.session()
    session.add(version)
    session.flush()
    document.version_count += 1
    document.current_version_id = version.id
    session.flush()
    want_previews([content.sha256])
    if version.created_by_id is not None:
        change_used(version.created_by_id, version.size)


def ensure_blob(actor: Actor | None, content: Content) -> int:
    """The row of these bytes: the one there is, touched so that gc leaves it alone, or a new one.

    Bytes that were damaged are right again now that they are stored anew.
    """
    session = db.session()
    lock_on(f"blob:{content.sha256}")
    found = select(Blob.id, Blob.damage).where(Blob.sha256 == content.sha256).with_for_update()
    blob = session.execute(found).one_or_none()
    if blob is None:
        facts = {"sha256": content.sha256, "size": content.size, "crc32": content.crc32}
        state = scans.first_state()
        return session.scalars(insert(Blob).values(**facts, **content.seen, scan_state=state).returning(Blob.id)).one()
    blob_id: int = blob.id
    again = scans.state_once_more() if content.stamp is not None else {}
    session.execute(update(Blob).where(Blob.id == blob_id).values(touched_at=db_now(), **content.seen, **again))
    if blob.damage is not None and content.stamp is not None:
        record_healing(actor, Blob, blob_id, content.sha256)
    return blob_id


def _is_known(blob_id: int, content: Content) -> bool:
    """Whether the row of a blob says of it all that there is to say."""
    seen = select(Blob.size, Blob.seen_inode, Blob.seen_mtime_ns, Blob.seen_ctime_ns, Blob.damage)
    row = db.session.execute(seen.where(Blob.id == blob_id)).one()
    return content.stamp is None or (row.damage is None and stamp_in(*row[:4]) == content.stamp)
