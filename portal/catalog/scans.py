"""Viruses: what is known of the bytes of a blob, and what is done when that becomes known.

``waiting`` bytes are held and ``infected`` ones quarantined: the one door gives out neither. What nobody was to look at
has no state, and is given out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, case, literal_column, select, update

from portal import audit, jobs, notices
from portal.actors import PORTAL, Actor
from portal.catalog.wanting import let_previews_be_made
from portal.errors import Conflict, NotFound
from portal.extensions import after_commit, db, settings, transaction
from portal.models import Blob, Category, Document, Upload, User, Version, db_now

LOOK = "scan"
"""The name of the worker's look."""
WAITING, CLEAN, INFECTED = "waiting", "clean", "infected"
HELD = (WAITING, INFECTED)
"""States in which no door gives the bytes out."""
# Their words stand in the statements as they are, or no index of only such rows would be thought of.
WAITS: ColumnElement[bool] = Blob.scan_state == literal_column(f"'{WAITING}'")
QUARANTINED: ColumnElement[bool] = Blob.scan_state == literal_column(f"'{INFECTED}'")
NAMED = 20
"""Documents that are named in a mail."""


def wake() -> None:
    """Have the worker look at what waits soon."""
    jobs.wake(LOOK)


def first_state() -> str | None:
    """The state of bytes that come in now; inside the transaction that writes them down."""
    if not settings().clamd:
        return None
    after_commit(wake)
    return WAITING


def state_once_more() -> dict[str, Any]:
    """The column of a blob whose bytes were stored once more: it waits if nobody ever looked at it."""
    state = first_state()
    return {"scan_state": case((Blob.scan_state.is_(None), state), else_=Blob.scan_state)} if state else {}


def found(blob_id: int, finding: str | None) -> bool:
    """Write down what looking came to; whether that was news. Whoever put in what has a virus is told by mail.

    ``finding`` is the name of what was found, None for nothing.
    """
    state = CLEAN if finding is None else INFECTED
    with transaction() as session:
        before = session.scalar(select(Blob.scan_state).where(Blob.id == blob_id).with_for_update())
        there = update(Blob).where(Blob.id == blob_id).values(scan_state=state, finding=finding, scanned_at=db_now())
        sha256 = session.scalar(there.returning(Blob.sha256))
        if sha256 is None or before == state:
            return False
        if finding is not None:
            _record(PORTAL, "blob.infected", blob_id, finding=finding)
            _tell(blob_id, finding)
            return True
        if before == INFECTED:
            _record(PORTAL, "blob.released", blob_id)
        if before in HELD:
            let_previews_be_made(sha256)
    return True


def could_not_be_scanned(blob_id: int) -> None:
    """The scanner answers and cannot look at these bytes: they stay held, and are tried again later."""
    with transaction() as session:
        waiting = (Blob.id == blob_id, WAITS)
        session.execute(update(Blob).where(*waiting).values(scanned_at=db_now()))


def release(actor: Actor | None, blob_id: int) -> None:
    """Give out bytes that are held or quarantined, as somebody who knows better than the scanner.

    Raises NotFound, and Conflict when they are given out already.
    """
    with transaction() as session:
        blob = session.get(Blob, blob_id, with_for_update=True, populate_existing=True)
        if blob is None:
            raise NotFound
        if blob.scan_state not in HELD:
            raise Conflict("It is given out already.")
        finding = blob.finding
        blob.scan_state, blob.finding, blob.scanned_at = CLEAN, None, session.scalar(select(db_now()))
        session.flush()
        let_previews_be_made(blob.sha256)
        _record(actor, "blob.released", blob_id, **({"finding": finding} if finding else {}))


def give_up_waiting() -> int:
    """Nobody is to look for viruses any more: what still waits is given out; how many blobs those were."""
    with transaction() as session:
        let_go = update(Blob).where(WAITS).values(scan_state=None).returning(Blob.id)
        count = len(session.execute(let_go).all())
        if count:
            audit.record_event("scan.ended", actor=PORTAL, count=count)
    return count


@dataclass(frozen=True)
class _Place:
    """A version that has the bytes, or an upload that is not in the catalog yet: whose it is, and how it is called."""

    user_id: int | None
    ref: str
    line: str


def _tell(blob_id: int, finding: str) -> None:
    """Mails to everybody who put the bytes in, about what is theirs, and to administrators about all."""
    places = [*_versions(blob_id), *_uploads(blob_id)]
    authors = {place.user_id for place in places} - {None}
    able = (User.disabled_at.is_(None), User.password_hash.is_not(None) | User.seen_at.is_not(None))
    people = select(User).where(User.is_admin | User.id.in_(authors), *able).order_by(User.id)
    for user in db.session.scalars(people):
        theirs = [place for place in places if user.is_admin or place.user_id == user.id]
        notices.add_mail(
            "virus_found",
            user_id=user.id,
            email=user.email,
            finding=finding,
            documents=[place.line for place in theirs[:NAMED]],
            refs=[place.ref for place in theirs[:NAMED]],
            has_more=len(theirs) > NAMED,
        )


def _versions(blob_id: int) -> Iterable[_Place]:
    statement = (
        select(Version.created_by_id, Document.uuid, Document.title, Category.path, Version.number)
        .join(Document, Document.id == Version.document_id)
        .join(Category, Category.id == Document.category_id)
        .where(Version.blob_id == blob_id, Document.trashed_at.is_(None))
        .order_by(Version.id)
    )
    for user_id, uuid, title, path, number in db.session.execute(statement):
        yield _Place(user_id, str(uuid), f"{title} ({path}), version {number}")


def _uploads(blob_id: int) -> Iterable[_Place]:
    arrived = select(Upload.user_id, Upload.filename).where(Upload.blob_id == blob_id, Upload.state == "arrived")
    for user_id, filename in db.session.execute(arrived):
        yield _Place(user_id, "", filename)


def _record(actor: Actor | None, action: str, blob_id: int, **details: object) -> None:
    """The event is about the newest document that has these bytes, so that people know what it is."""
    document = db.session.execute(_newest().where(Version.blob_id == blob_id)).first()
    thing, label = (("document", document.id), document.title) if document else (("blob", blob_id), "")
    audit.record_event(action, actor=actor, thing=thing, label=label, **details)


def _newest() -> Select[int, str]:
    chosen = select(Document.id, Document.title).join(Version, Version.document_id == Document.id)
    return chosen.order_by(Document.id.desc()).limit(1)
