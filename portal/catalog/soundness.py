"""Whether bytes are right: what the row that answers for them knows of it, and how it is written down.

A row remembers the stamp its file had when the bytes were last written or hashed. While the stamp is the same and
``damage`` is None they are right; after ``bytes`` or ``unreadable`` the same stamp means that they are still wrong.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select, update

from portal import audit
from portal.actors import PORTAL, Actor
from portal.extensions import db, transaction
from portal.models import Blob, Document, Verified, Version, db_now
from portal.storage import Stamp

log = logging.getLogger("portal")

HASHED = frozenset({"bytes", "unreadable"})
"""Damages found by reading the file whose stamp is remembered; the others keep that of the last right one."""
NO_DAMAGE: dict[str, Any] = {"damage": None, "damaged_at": None, "wanted_at": None}
UNSEEN: dict[str, Any] = dict.fromkeys(("seen_inode", "seen_mtime_ns", "seen_ctime_ns", "verified_at")) | NO_DAMAGE
"""A row that knows nothing of its file."""


@dataclass(frozen=True)
class Kept:
    """Bytes as a row answers for them: a blob, or the version whose file is shown in place where its source is.

    ``seen`` is None when nobody has looked since the row can remember it.
    """

    table: type[Blob] | type[Version]
    id: int
    sha256: str
    size: int
    seen: Stamp | None
    damage: str | None
    source_directory: str | None = None
    source_path: str | None = None
    source_mtime_ns: int | None = None

    @property
    def noun(self) -> str:
        """What the log calls it."""
        return "blob" if self.table is Blob else "source"

    @property
    def is_known_wrong(self) -> bool:
        """Whether the file with the stamp remembered has been read and is wrong."""
        return self.damage in HASHED


def is_given_out() -> ColumnElement[bool]:
    """The condition on a version, and on its blob if it has one, that its bytes are neither wrong nor held back."""
    is_free = or_(Blob.scan_state.is_(None), Blob.scan_state == "clean")
    return and_(Version.damage.is_(None), Blob.damage.is_(None), is_free)


def seen_as(stamp: Stamp, moment: datetime | None = None) -> dict[str, Any]:
    """The columns of a row whose bytes were written or hashed, just now unless a moment is given.

    They are right unless ``damage`` is set on top.
    """
    return {
        "seen_inode": stamp.inode,
        "seen_mtime_ns": stamp.mtime_ns,
        "seen_ctime_ns": stamp.ctime_ns,
        "verified_at": moment if moment is not None else db_now(),
        **NO_DAMAGE,
    }


def stamp_in(size: int, inode: int | None, mtime_ns: int | None, ctime_ns: int | None) -> Stamp | None:
    """The stamp that a row remembers, None when it remembers none."""
    if inode is None or mtime_ns is None or ctime_ns is None:
        return None
    return Stamp(inode, size, mtime_ns, ctime_ns)


def blobs() -> Select[*tuple[Any, ...]]:
    """Every blob, as ``kept_blob`` takes it."""
    seen = (Blob.seen_inode, Blob.seen_mtime_ns, Blob.seen_ctime_ns)
    return select(Blob.id, Blob.sha256, Blob.size, Blob.crc32, *seen, Blob.damage)


def kept_blob(row: Row[Any]) -> Kept:
    """A row of ``blobs``."""
    seen = stamp_in(row.size, row.seen_inode, row.seen_mtime_ns, row.seen_ctime_ns)
    return Kept(Blob, row.id, row.sha256, row.size, seen, row.damage)


def found_sound(kept: Kept, stamp: Stamp) -> None:
    """Write down that these bytes are right; what was quarantined is given out again, and the log says so."""
    with transaction() as session:
        if _is_news(kept):
            session.execute(update(kept.table).where(kept.table.id == kept.id).values(seen_as(stamp)))
            if kept.damage is not None:
                record_healing(PORTAL, kept.table, kept.id, kept.sha256)


def found_damaged(kept: Kept, damage: str, stamp: Stamp | None, now: Callable[[], Stamp | None]) -> None:
    """Quarantine bytes that are wrong; the file stays where it is, and the log says it once.

    ``stamp`` is that of the file that was read, None when it could not be opened. ``now`` looks at it again once
    nobody else can write to the row: an upload may have put the right bytes in its place meanwhile.
    """
    with transaction() as session:
        if not _is_news(kept) or now() != stamp:
            return
        values = seen_as(stamp) if stamp is not None else {"wanted_at": None}
        values |= {"damage": damage, "damaged_at": func.coalesce(kept.table.damaged_at, db_now())}
        session.execute(update(kept.table).where(kept.table.id == kept.id).values(values))
        if kept.damage is None:
            action = "blob.damaged" if kept.table is Blob else "source.damaged"
            _record(PORTAL, action, kept.table, kept.id, sha256=kept.sha256, damage=damage)
            log.warning("damaged and quarantined: %s %d, %s (%s)", kept.noun, kept.id, kept.sha256, damage)


def found_as_before(table: type[Blob] | type[Version], row_ids: Iterable[int]) -> None:
    """Write down that these were hashed, and are what their rows say already; inside a transaction."""
    values = {"verified_at": db_now(), "wanted_at": None}
    db.session.execute(update(table).where(table.id.in_(row_ids)).values(values))


def want(kept: Kept) -> None:
    """Ask for bytes to be hashed soon by whoever scrubs."""
    _want(kept.table, kept.table.id == kept.id)


def want_blob(sha256: str) -> None:
    """The same for a blob by its key."""
    _want(Blob, Blob.sha256 == sha256)


def want_no_more(kept: Kept) -> None:
    """Nobody can say anything of these bytes now; whoever still waits asks again."""
    with transaction() as session:
        session.execute(update(kept.table).where(kept.table.id == kept.id).values(wanted_at=None))


def record_healing(actor: Actor | None, table: type[Verified], row_id: int, sha256: str) -> None:
    """Say in the log that what was damaged is right again; inside the transaction that writes it down."""
    action = "blob.healed" if table is Blob else "source.healed"
    _record(actor, action, table, row_id, sha256=sha256)


def _want(table: type[Blob] | type[Version], this: ColumnElement[bool]) -> None:
    with transaction() as session:
        session.execute(update(table).where(this, table.wanted_at.is_(None)).values(wanted_at=db_now()))


def _is_news(kept: Kept) -> bool:
    """Lock the row; whether it is there and still says what ``kept`` says, so that what was found is about it."""
    table = kept.table
    known = select(table.size, table.seen_inode, table.seen_mtime_ns, table.seen_ctime_ns, table.damage)
    row = db.session.execute(known.where(table.id == kept.id).with_for_update()).one_or_none()
    return row is not None and (stamp_in(*row[:4]), row.damage) == (kept.seen, kept.damage)


def _record(actor: Actor | None, action: str, table: type[Verified], row_id: int, **details: object) -> None:
    """The event is about the newest document that has these bytes, so that people know what it is."""
    place = Version.blob_id if table is Blob else Version.id
    found = db.session.execute(_newest().where(place == row_id)).first()
    thing, label = (("document", found.id), found.title) if found else ((table.__name__.lower(), row_id), "")
    audit.record_event(action, actor=actor, thing=thing, label=label, **details)


def _newest() -> Select[int, str]:
    chosen = select(Document.id, Document.title).join(Version, Version.document_id == Document.id)
    return chosen.order_by(Document.id.desc()).limit(1)
