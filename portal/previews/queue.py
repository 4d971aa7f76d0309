"""The queue of previews: rows that wait are claimed one by one, and written off with what came of it.

Whoever dies in between leaves a row that is due again when its lease is over, one try poorer: a document that takes its
worker down does so three times at most.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, select, update

from portal.catalog.scans import HELD
from portal.extensions import db, release_connection, settings, transaction
from portal.models import Blob, Document, Preview, Version, db_later, db_now
from portal.previews.fence import Broken, Image, Made, Refused
from portal.previews.reasons import failure, reason
from portal.search import queue_documents

LEASE_SECONDS = 120
"""For so long a preview is left to whoever claimed it, beside the seconds that a child may take by the settings."""
PAUSES = (60, 600)
"""Seconds until the next try, after the first one that failed, and after the second."""
TRIES = len(PAUSES) + 1
NOTHING = {"kind": None, "images": 0, "sizes": None, "total": None, "table": None, "text": None}


@dataclass(frozen=True)
class Claim:
    """A row that is ours for a while; ``tries`` tells this claim from a later one. ``is_first``: nothing is shown."""

    id: int
    sha256: str
    tries: int
    is_first: bool


def claim() -> Claim | None:
    """What came last first, then what is due again; None when nothing is to be done.

    So nobody waits for what somebody else has put in by the thousand. Bytes that are held back are not among it.
    """
    if _next() is None:  # without standing in line with those who write
        release_connection()
        return None
    with transaction() as session:
        found = _next(is_locking=True)
        if found is None:
            return None
        values = {"tries": Preview.tries + 1, "leased_until": db_later(LEASE_SECONDS + settings().preview_seconds)}
        taken = update(Preview).where(Preview.id == found).values(values)
        row = session.execute(taken.returning(Preview.id, Preview.sha256, Preview.tries, Preview.kind)).one()
    return Claim(row.id, row.sha256, row.tries, is_first=row.kind is None)


def park_unfinished() -> None:
    """Park what was claimed as often as anything is tried, and of which nobody said what became of it."""
    lost = and_(Preview.state == "waiting", Preview.leased_until <= db_now(), Preview.tries >= TRIES)
    if db.session.scalar(select(Preview.id).where(lost).limit(1)) is None:
        release_connection()
        return
    with transaction() as session:
        values = NOTHING | {"state": "parked", "leased_until": None, "reason": failure("crash", TRIES)}
        hashes = session.scalars(update(Preview).where(lost).values(values).returning(Preview.sha256)).all()
        queue_documents(_current(hashes))


def write_off(claimed: Claim, outcome: Made | Refused | Broken, kind: str, maker: int) -> None:
    """Write down what came of it. Somebody else who has it by now knows better."""
    if isinstance(outcome, Broken) and claimed.tries < TRIES:
        rest(claimed, PAUSES[claimed.tries - 1], counts=True)
        return
    with transaction() as session:
        values = _values(outcome, kind, claimed.tries) | {"maker": maker, "leased_until": None, "made_at": db_now()}
        done = session.execute(update(Preview).where(*_own(claimed)).values(values).returning(Preview.id)).all()
        if done:
            queue_documents(_current([claimed.sha256]))


def show_early(claimed: Claim, images: Sequence[Image], kind: str, maker: int) -> None:
    """Show the first images while the others are made."""
    with transaction() as session:
        values = _shown(images) | {"kind": kind, "maker": maker}
        session.execute(update(Preview).where(*_own(claimed)).values(values))


def rest(claimed: Claim, seconds: int, *, counts: bool = False) -> None:
    """Leave it for a while, or for anybody to take at once; unless it ``counts``, it is as if it had not been tried."""
    with transaction() as session:
        values = {
            "tries": Preview.tries if counts else Preview.tries - 1,
            "leased_until": db_later(seconds) if seconds else None,
        }
        session.execute(update(Preview).where(*_own(claimed)).values(values))


def _next(*, is_locking: bool = False) -> int | None:
    for statement in (_fresh(), _due()):
        found: int | None = db.session.scalar(statement.with_for_update(skip_locked=True) if is_locking else statement)
        if found is not None:
            return found
    return None


def _fresh() -> Select[int]:
    waiting = (Preview.state == "waiting", Preview.leased_until.is_(None), ~_is_held())
    return select(Preview.id).where(*waiting).order_by(Preview.id.desc()).limit(1)


def _due() -> Select[int]:
    waiting = (Preview.state == "waiting", Preview.leased_until <= db_now(), Preview.tries < TRIES, ~_is_held())
    return select(Preview.id).where(*waiting).order_by(Preview.leased_until, Preview.id).limit(1)


def _is_held() -> ColumnElement[bool]:
    """Somebody looks through these bytes for viruses, or found one."""
    return exists().where(Blob.sha256 == Preview.sha256, Blob.scan_state.in_(HELD))


def _own(claimed: Claim) -> tuple[Any, ...]:
    return Preview.id == claimed.id, Preview.state == "waiting", Preview.tries == claimed.tries


def _values(outcome: Made | Refused | Broken, kind: str, tries: int) -> dict[str, object]:
    if isinstance(outcome, Refused):
        return NOTHING | {"state": "none", "reason": reason(outcome.word)}
    if isinstance(outcome, Broken):
        return NOTHING | {"state": "parked", "reason": failure(outcome.word, tries)}
    return _shown(outcome.images) | {
        "state": "made",
        "kind": kind,
        "total": outcome.total,
        "table": outcome.table,
        "text": outcome.text,
        "reason": "",
    }


def _shown(images: Sequence[Image]) -> dict[str, object]:
    """Of the images of an album, those beside the thumbnail."""
    sizes = [[image.width, image.height] for image in images[1:]]
    return {"images": len(sizes), "sizes": json.dumps(sizes)}


def _current(hashes: Collection[str]) -> ColumnElement[bool]:
    """Documents that have these bytes now, whose words are to be found."""
    return Document.current_version_id.in_(select(Version.id).where(Version.sha256.in_(hashes)).correlate(None))
